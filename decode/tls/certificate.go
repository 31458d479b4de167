package tls

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"
	"time"
)

// Certificate is what a peer says about itself, unverified: the texts are
// whatever it wrote, and may hold any bytes.
type Certificate struct {
	// Subject and Issuer are the common name, else the whole name as RFC 2253
	// writes it; at most 256 bytes.
	Subject, Issuer string
	// Names are the DNS names and IP addresses it is for; at most 16, of 253
	// bytes each. More says that it has others.
	Names               []string
	More                bool
	NotBefore, NotAfter time.Time
}

const (
	maxLeaf     = 16 << 10
	maxText     = 256
	maxNames    = 16
	maxNameText = 253 // RFC 1035 §2.3.4
)

// Certificate is the leaf of a direction's Certificate message; nil when it is
// not visible: without one, while it is sealed, and when it cannot be parsed.
func (c *Conn) Certificate(from int) *Certificate {
	s := &c.sides[from]
	if len(s.leaf) > 0 {
		s.certificate = c.known.of(s.leaf)
		s.leaf = s.leaf[:0:0] // not nil: the first certificate stays the one
	}
	return s.certificate
}

// leaf is the first certificate of a Certificate message's body, copied (RFC
// 5246 §7.4.2; RFC 8446 §4.4.2 has a context before the list).
func leaf(body []byte, new bool) []byte {
	r := reader{body}
	if new {
		r.vector(1)
	}
	list, _ := r.vector(3)
	r = reader{list}
	if der, ok := r.vector(3); ok && len(der) <= maxLeaf {
		return bytes.Clone(der)
	}
	return nil
}

// Certificates are those that many connections showed: each is parsed once, and
// shared. The zero value is ready; it belongs to one goroutine.
type Certificates struct {
	byHash map[[sha256.Size]byte]*Certificate
}

// maxCertificates bounds them; those beyond are not told.
const maxCertificates = 4096

func (k *Certificates) of(der []byte) *Certificate {
	if k == nil {
		return parseCertificate(der)
	}
	hash := sha256.Sum256(der)
	c, known := k.byHash[hash]
	if !known && len(k.byHash) < maxCertificates {
		if k.byHash == nil {
			k.byHash = map[[sha256.Size]byte]*Certificate{}
		}
		c = parseCertificate(der)
		k.byHash[hash] = c
	}
	return c
}

func parseCertificate(der []byte) *Certificate {
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	c := &Certificate{Subject: nameOf(parsed.Subject), Issuer: nameOf(parsed.Issuer), NotBefore: parsed.NotBefore, NotAfter: parsed.NotAfter}
	for _, n := range parsed.DNSNames {
		c.name(n)
	}
	for _, ip := range parsed.IPAddresses {
		c.name(ip.String())
	}
	return c
}

// name adds a name, as a copy that does not hold the certificate in memory.
func (c *Certificate) name(n string) {
	if c.More = len(c.Names) == maxNames; !c.More {
		c.Names = append(c.Names, strings.Clone(n[:min(len(n), maxNameText)]))
	}
}

func nameOf(n pkix.Name) string {
	text := n.CommonName
	if text == "" {
		text = n.String()
	}
	return strings.Clone(text[:min(len(text), maxText)])
}
