package tls

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"slices"
	"testing"
)

// TestGoSuites opens connections of Go's own TLS with every suite it has that
// uses AES or ChaCha20, of TLS 1.0 to 1.3.
func TestGoSuites(t *testing.T) {
	certificates := []tls.Certificate{selfSigned(t, "broker.example.com", false), selfSigned(t, "broker.example.com", true)}
	opened := 0
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if _, known := suites[s.ID]; !known {
			continue
		}
		for _, version := range s.SupportedVersions {
			t.Run(fmt.Sprintf("%s %x", s.Name, version), func(t *testing.T) {
				config := &tls.Config{CipherSuites: []uint16{s.ID}, MinVersion: version, MaxVersion: version, Certificates: certificates, ServerName: "broker.example.com"}
				d := converse(t, config, config)
				if d.err[0] != nil {
					t.Fatal(d.err)
				}
				c := mustOpen(t, d)
				if h, ok := c.Hello(1); !ok || h.Version != versionName(int(version)) {
					t.Errorf("server's hello %+v", h)
				}
				certificate := c.Certificate(1)
				if certificate == nil || certificate.Subject != "broker.example.com" || certificate.NotAfter.Unix() != 1800000000 ||
					!slices.Equal(certificate.Names, []string{"broker.example.com", "*.broker.example.com", "192.0.2.1"}) {
					t.Errorf("certificate %+v", certificate)
				}
				opened++
			})
		}
	}
	if opened < 20 {
		t.Errorf("%d suites and versions", opened)
	}
}

func TestHelloRetryRequest(t *testing.T) {
	server := &tls.Config{Certificates: []tls.Certificate{selfSigned(t, "a", false)}, CurvePreferences: []tls.CurveID{tls.CurveP384}}
	client := &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP384}}
	d := converse(t, client, server)
	retried := false
	for _, w := range d.writes {
		retried = retried || w.from == 1 && len(w.b) > 43 && string(w.b[11:43]) == string(retryRandom[:])
	}
	if !retried {
		t.Fatal("no HelloRetryRequest")
	}
	mustOpen(t, d)
}

func TestResumption(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server := &tls.Config{Certificates: []tls.Certificate{selfSigned(t, "a", false)}}
		client := &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(1), ServerName: "a", MinVersion: version, MaxVersion: version}
		server.SetSessionTicketKeys([][32]byte{{1}})
		d := converse(t, client, server)
		first := mustOpen(t, d)
		resumed := converse(t, client, server)
		if version == tls.VersionTLS12 {
			// Go writes no line for a resumed session, as others do: it has the
			// first one's master secret.
			secret := bytes.Fields(d.keylog.Bytes())[2]
			fmt.Fprintf(&resumed.keylog, "CLIENT_RANDOM %x %s\n", resumed.writes[0].b[11:43], secret)
		}
		again := mustOpen(t, resumed)
		if first.Certificate(1) == nil || again.Certificate(1) != nil {
			t.Errorf("%x: not resumed: certificates %v, %v", version, first.Certificate(1), again.Certificate(1))
		}
	}
}

func TestClientCertificate(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server := &tls.Config{Certificates: []tls.Certificate{selfSigned(t, "broker", false)}, ClientAuth: tls.RequireAnyClientCert}
		client := &tls.Config{Certificates: []tls.Certificate{selfSigned(t, "device-7", true)}, MinVersion: version, MaxVersion: version}
		d := converse(t, client, server)
		c := mustOpen(t, d)
		if a, b := c.Certificate(0), c.Certificate(1); a == nil || b == nil || a.Subject != "device-7" || b.Subject != "broker" {
			t.Errorf("%x: certificates %+v, %+v", version, a, b)
		}
		// Without keys those of TLS 1.2 are still visible.
		c = NewConn(nil, nil)
		follow(c, d.writes)
		if a := c.Certificate(0); (a != nil) != (version == tls.VersionTLS12) {
			t.Errorf("%x: without keys %+v", version, a)
		}
	}
}

// TestFromOutside compares a Conn without the secrets with a Scanner: they see
// the same records.
func TestFromOutside(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		d := converse(t, &tls.Config{MinVersion: version, MaxVersion: version}, &tls.Config{Certificates: []tls.Certificate{selfSigned(t, "a", false)}})
		other := new(Keys)
		other.Add([]byte("CLIENT_RANDOM " + fmt.Sprintf("%064x %096x\n", 1, 2)))
		for _, keys := range []*Keys{nil, other} {
			var scanners [2]Scanner
			var want [2][]Record
			for _, w := range d.writes {
				scanners[w.from].Feed(w.b, func(r Record) { want[w.from] = append(want[w.from], r) })
			}
			got := follow(NewConn(keys, nil), d.writes)
			for from := range got {
				if len(got[from]) != len(want[from]) {
					t.Fatalf("%x: %d records, want %d", version, len(got[from]), len(want[from]))
				}
				changed := false
				for i, r := range got[from] {
					w := want[from][i]
					if r.Type != w.Type || r.WireType != w.Type || r.Length != w.Length || r.Opened {
						t.Errorf("%x: %+v, want %+v", version, r, w)
					}
					if clear := (r.Type == Handshake || r.Type == Alert) && !changed; clear && len(r.Body) != r.Length || !clear && r.Body != nil {
						t.Errorf("%x: body of %d bytes in %+v", version, len(r.Body), r)
					}
					changed = changed || r.Type == ChangeCipherSpec
				}
			}
		}
	}
}
