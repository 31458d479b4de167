package report

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Redactor replaces what names devices, people and places by pseudonyms: equal
// names have equal ones, and without the key nobody can tell whose they are. A
// nil Redactor leaves everything as it is.
//
// A name is replaced before it is put into a sentence or a document, by the kind
// of name that it is (this file); redact_parts.go says which kind each part of a
// session, a finding and a capture is.
type Redactor struct {
	// hashes are HMACs under the key that are not in use.
	hashes *sync.Pool
	// captures are the pseudonyms of the run's captures, by name.
	captures map[string]string
}

// NewRedactor makes a Redactor: the same key gives the same pseudonyms. Without a
// key it takes a random one, and nobody else ever has the same pseudonyms.
func NewRedactor(key []byte) *Redactor {
	if len(key) == 0 {
		key = make([]byte, sha256.Size)
		rand.Read(key) //nolint:errcheck // it never fails
	}
	key = bytes.Clone(key)
	return &Redactor{hashes: &sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

// pseudonymBytes is how much of the hash a pseudonym has: with 48 bits not one
// pair among 100,000 names is expected to share one, and they can be read out.
const pseudonymBytes = 6

// digest is what stands for a name. Names of different kinds never meet: whoever
// can choose a client ID must not find out host names with it.
func (r *Redactor) digest(kind string, name []byte) [pseudonymBytes]byte {
	h := r.hashes.Get().(hash.Hash)
	defer r.hashes.Put(h)
	h.Reset()
	h.Write([]byte(kind)) //nolint:errcheck // a hash never fails
	h.Write([]byte{0})    //nolint:errcheck
	h.Write(name)         //nolint:errcheck
	return [pseudonymBytes]byte(h.Sum(nil))
}

// word is the pseudonym of a name, such as "client-3f9a2c41d07b". No name stays
// none.
func (r *Redactor) word(kind, name string) string {
	if r == nil || name == "" {
		return name
	}
	return fmt.Sprintf("%s-%x", kind, r.digest(kind, []byte(name)))
}

// addr is an IPv6 address for documentation (RFC 3849), so that whatever reads
// addresses still can.
func (r *Redactor) addr(a netip.Addr) netip.Addr {
	if r == nil || !a.IsValid() {
		return a
	}
	d := r.digest("address", a.Unmap().WithZone("").AsSlice())
	b := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	copy(b[len(b)-len(d):], d[:])
	return netip.AddrFrom16(b)
}

// addrPort keeps the port: it tells services apart, not sites.
func (r *Redactor) addrPort(a netip.AddrPort) netip.AddrPort {
	if r == nil || !a.IsValid() {
		return a
	}
	return netip.AddrPortFrom(r.addr(a.Addr()), a.Port())
}

// address is an address in text.
func (r *Redactor) address(text string) string {
	a, err := netip.ParseAddr(text)
	if r == nil || err != nil {
		return r.word("address", text)
	}
	return r.addr(a).String()
}

// endpoint is an address or a host name with a port, or either alone: what a
// finding's broker or a server reference is [MQTT 5, section 4.13].
func (r *Redactor) endpoint(text string) string {
	if r == nil {
		return text
	}
	if a, err := netip.ParseAddrPort(text); err == nil {
		return r.addrPort(a).String()
	}
	if at := strings.LastIndexByte(text, ':'); at > 0 {
		if port, err := strconv.ParseUint(text[at+1:], 10, 16); err == nil && !strings.Contains(text[:at], ":") {
			return r.host(text[:at]) + ":" + strconv.FormatUint(port, 10)
		}
	}
	return r.host(text)
}

// clientID is any client ID, assigned ones too.
func (r *Redactor) clientID(id string) string { return r.word("client", id) }

// host is a host name however it is written (RFC 4343), or an address in the place
// of one. That a certificate's name is a wildcard may be what is wrong with it.
func (r *Redactor) host(name string) string {
	if r == nil {
		return name
	}
	if a, err := netip.ParseAddr(name); err == nil {
		return r.addr(a).String()
	}
	if domain, ok := strings.CutPrefix(name, "*."); ok {
		return "*." + r.word("host", fold(domain))
	}
	return r.word("host", fold(name))
}

func fold(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// subject is whom a certificate is for or from: often a host, else a device or a
// company.
func (r *Redactor) subject(name string) string {
	if strings.Contains(name, ".") && !strings.ContainsAny(name, " =,") {
		return r.host(name)
	}
	return r.word("name", name)
}

// reason is what a broker says in words of its own, which may quote anything.
func (r *Redactor) reason(text string) string { return r.word("reason", text) }

// Words that many sites use tell nothing of one; only others are replaced.

// path is an HTTP request's.
func (r *Redactor) path(path string) string {
	switch path {
	case "/", "/mqtt", "/ws", "/status", "/health", "/healthz", "/favicon.ico":
		return path
	}
	if r == nil || path == "" {
		return path
	}
	return "/" + r.word("path", path)
}

// method is an HTTP method (RFC 9110 §9.3).
func (r *Redactor) method(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI":
		return method
	}
	return r.word("method", method)
}

// protocol is an ALPN protocol, a WebSocket subprotocol or the name that a CONNECT
// begins with.
func (r *Redactor) protocol(name string) string {
	switch name {
	case "mqtt", "mqttv3.1", "mqttv3.1.1", "MQTT", "MQIsdp", "http/1.0", "http/1.1", "h2", "h3",
		"x-amzn-mqtt-ca", "x-amzn-http-ca":
		return name
	}
	return r.word("protocol", name)
}

// authMethod is an MQTT 5 Authentication Method.
func (r *Redactor) authMethod(name string) string { return r.word("auth", name) }

// capture is a capture's file name.
func (r *Redactor) capture(name string) string {
	if r == nil || name == "" || name == "stdin" {
		return name
	}
	if known, ok := r.captures[name]; ok {
		return known
	}
	return r.word("capture", name) + extension(name)
}

// naming returns a Redactor that numbers the captures of a run as they come.
func (r *Redactor) naming(captures []CaptureInput) *Redactor {
	if r == nil {
		return nil
	}
	numbered := &Redactor{hashes: r.hashes, captures: map[string]string{}}
	for i, c := range captures {
		name := c.Info.Name
		if _, twice := numbered.captures[name]; !twice && name != "stdin" {
			numbered.captures[name] = "capture-" + strconv.Itoa(i+1) + extension(name)
		}
	}
	return numbered
}

// extension is as much of a file's extension as tells its format and compression.
func extension(name string) string {
	found := ""
	for _, known := range []string{".gz", ".zst", ".lz4", ".xz", ".pcap", ".pcapng", ".cap", ".dmp", ".ndjson"} {
		if rest, ok := strings.CutSuffix(name, known); ok {
			name, found = rest, known+found
		}
	}
	return found
}

// problem is a reader's sentence about a capture. The readers word theirs of
// numbers; the error of a disk or a pipe names the file, alone or as the reason
// for which a reader could not go on.
func (r *Redactor) problem(text string) string {
	if r == nil {
		return text
	}
	if m := damage.FindStringSubmatch(text); m != nil && (strings.Contains(m[2], "read ") || strings.ContainsAny(m[2], `/\`)) {
		return m[1] + r.reason(m[2]) + m[3]
	}
	for _, p := range readerProblems {
		if p.pattern.MatchString(strings.TrimSuffix(text, ".")) {
			return text
		}
	}
	return "not read to its end: " + r.reason(text)
}

// damage is a capture.DamagedError around its reason.
var damage = regexp.MustCompile(`^(damaged before packet \d+: )(.*)( \(byte \d+\))$`)
