package report

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/capture"
)

var testKey = []byte("0123456789abcdef")

// The pseudonyms are the first 48 bits of HMAC-SHA-256 over the kind, a zero and
// the name; these were computed by another program.
func TestPseudonymsAreTheKeysHash(t *testing.T) {
	r := NewRedactor(testKey)
	if got, want := r.clientID("gw-7"), "client-380a9d9d9516"; got != want {
		t.Errorf("client ID %s, want %s", got, want)
	}
	if got, want := r.address("10.0.0.5"), "2001:db8::fe06:4968:1214"; got != want {
		t.Errorf("address %s, want %s", got, want)
	}
}

func TestPseudonymsByKind(t *testing.T) {
	r := NewRedactor(testKey)
	id := func(text string) string { return r.host(text)[len("host-"):] }
	for _, tt := range []struct {
		name, got, want string
	}{
		{"no client ID", r.clientID(""), ""},
		{"address with a port", r.endpoint("10.0.0.5:51234"), "[2001:db8::fe06:4968:1214]:51234"},
		{"IPv4 in IPv6", r.address("::ffff:10.0.0.5"), "2001:db8::fe06:4968:1214"},
		{"host in capitals", r.host("MQTT.Example.com."), "host-" + id("mqtt.example.com")},
		{"wildcard", r.host("*.example.com"), "*.host-" + id("example.com")},
		{"address for a host", r.host("10.0.0.5"), "2001:db8::fe06:4968:1214"},
		{"reference", r.endpoint("Other.example.com:8883"), "host-" + id("other.example.com") + ":8883"},
		{"reference that names no port", r.endpoint("other.example.com:canary"), "host-" + id("other.example.com:canary")},
		{"certificate for a host", r.subject("mqtt.example.com"), "host-" + id("mqtt.example.com")},
		{"usual path", r.path("/mqtt"), "/mqtt"},
		{"no path", r.path(""), ""},
		{"usual method", r.method("GET"), "GET"},
		{"usual protocol", r.protocol("mqtt"), "mqtt"},
		{"standard input", r.capture("stdin"), "stdin"},
		{"packets of the readers", r.problem("cut short in packet 121"), "cut short in packet 121"},
		{"several of them", r.problem("interface 3 has a broken option (and 7 more)"), "interface 3 has a broken option (and 7 more)"},
		{"damage", r.problem("damaged before packet 3: block length 7 is less than 12 (byte 90)"), "damaged before packet 3: block length 7 is less than 12 (byte 90)"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, tt.got, tt.want)
		}
	}
	for begin, got := range map[string]string{
		"name-": r.subject("CN=Acme, O=Acme GmbH"), "/path-": r.path("/acme"), "method-": r.method("ACME"),
		"protocol-": r.protocol("acme"), "reason-": r.reason("not you, Acme"), "auth-": r.authMethod("acme"),
		"not read to its end: reason-": r.problem("read /home/acme/acme.pcap: input/output error"),
	} {
		if !strings.HasPrefix(got, begin) || len(got) != len(begin)+12 {
			t.Errorf("%q, want %s and 12 digits", got, begin)
		}
	}
}

// A disk's error names the file, with its folder or without.
func TestProblemsDoNotNameTheFile(t *testing.T) {
	r := NewRedactor(testKey)
	for _, text := range []string{
		"read acme.pcap: input/output error", "damaged before packet 5: read acme.pcap: no such device (byte 90)",
		"damaged before packet 5: gzip: read acme.gz: no such device (byte 90)", "damaged before packet 5: lost /mnt/acme (byte 90)",
		"packet 7 left out: acme", "acme: cut short in packet 3", "cut short in packet 3\nacme",
	} {
		got := r.problem(text)
		if strings.Contains(got, "acme") || !strings.Contains(got, "reason-") {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// A Redactor that is nil changes nothing, however odd it is.
func TestNoRedactor(t *testing.T) {
	var r *Redactor
	for _, text := range []string{"", "gw-7", "*.Example.COM.", "10.0.0.5", "::ffff:10.0.0.5", "10.0.0.5:1883", "B:1", "[::1%eth0]:1883", "/x", "a.pcap.GZ"} {
		for name, kind := range map[string]func(string) string{
			"address": r.address, "endpoint": r.endpoint, "client ID": r.clientID, "host": r.host, "subject": r.subject, "reason": r.reason,
			"path": r.path, "method": r.method, "protocol": r.protocol, "auth method": r.authMethod, "capture": r.capture, "problem": r.problem,
		} {
			if got := kind(text); got != text {
				t.Errorf("%s %q became %q", name, text, got)
			}
		}
	}
	if s := rejected(); r.session(s) != s {
		t.Error("a session was copied")
	}
}

func TestKeys(t *testing.T) {
	a, b, other := NewRedactor(testKey), NewRedactor([]byte(string(testKey))), NewRedactor([]byte("another key"))
	x, y := NewRedactor(nil), NewRedactor(nil)
	for _, name := range []string{"gw-7", "gw-8", "\xff\x00", strings.Repeat("x", 65535)} {
		if a.clientID(name) != b.clientID(name) {
			t.Errorf("%.20q: one key has two pseudonyms", name)
		}
		if a.clientID(name) == other.clientID(name) || x.clientID(name) == y.clientID(name) {
			t.Errorf("%.20q: two keys have one pseudonym", name)
		}
		if first, again := x.clientID(name), x.naming(nil).clientID(name); first != again {
			t.Errorf("%.20q: a random key changes within a run: %s, %s", name, first, again)
		}
	}
}

// What a client may choose, its ID, must not tell it what another kind of name is.
func TestKindsAreApart(t *testing.T) {
	r := NewRedactor(testKey)
	seen := map[string]string{}
	for kind, word := range map[string]string{"client": r.clientID("acme"), "host": r.host("acme"), "reason": r.reason("acme"), "path": r.path("acme"), "name": r.subject("acme"), "protocol": r.protocol("acme")} {
		digits := word[len(word)-12:]
		if seen[digits] != "" {
			t.Errorf("%s and %s have the same digits", kind, seen[digits])
		}
		seen[digits] = kind
	}
}

func TestNamesDoNotShareAPseudonym(t *testing.T) {
	r := NewRedactor(testKey)
	words, addrs := map[string]bool{}, map[netip.Addr]bool{}
	const n = 100_000
	for i := range n {
		words[r.clientID(fmt.Sprint("gw-", i))] = true
		addrs[r.addr(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))] = true
	}
	if len(words) != n || len(addrs) != n {
		t.Errorf("%d names have %d pseudonyms, and as many addresses %d", n, len(words), len(addrs))
	}
}

func TestCaptureNames(t *testing.T) {
	var in []CaptureInput
	for _, name := range []string{"/home/acme/acme.pcapng", "acme.pcap.gz", "stdin", "acme.acme", "acme.pcap.gz", ".pcap"} {
		in = append(in, CaptureInput{Info: capture.Info{Name: name}})
	}
	r := NewRedactor(testKey).naming(in)
	for name, want := range map[string]string{
		"/home/acme/acme.pcapng": "capture-1.pcapng", "acme.pcap.gz": "capture-2.pcap.gz", "stdin": "stdin",
		"acme.acme": "capture-4", ".pcap": "capture-6.pcap", "": "",
	} {
		if got := r.capture(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
	// A saved record may be of a capture that this run did not read.
	if got := r.capture("unread.pcapng"); !strings.HasPrefix(got, "capture-") || !strings.HasSuffix(got, ".pcapng") || strings.Contains(got, "unread") {
		t.Errorf("an unread capture is %q", got)
	}
}

func BenchmarkRedactSession(b *testing.B) {
	r, s := NewRedactor(testKey), rejected()
	s.Connect.ClientID = "gw-7"
	for b.Loop() {
		r.session(s)
	}
}
