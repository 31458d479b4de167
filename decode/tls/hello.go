package tls

import (
	"crypto/sha256"
	"iter"
)

// Hello is what a ClientHello or ServerHello says.
type Hello struct {
	// Version is the highest that a client offers, or the one that the server
	// chose: "1.0" to "1.3", "" for others.
	Version string
	// SNI is the server name that a client asks for (RFC 6066 §3), at most 253
	// bytes of it.
	SNI string
	// ALPN are the protocols that a client offers, or the one that the server
	// chose in TLS 1.2 (RFC 7301); at most maxALPN, cut at 32 bytes.
	ALPN []string
	// Random is the side's random value, another one in each connection.
	Random [32]byte
}

// The versions, as they are written (RFC 8446 §4.2.1).
const (
	version10 = 0x0301
	version11 = 0x0302
	version12 = 0x0303
	version13 = 0x0304
)

const (
	extServerName        = 0
	extALPN              = 16
	extEncryptThenMAC    = 22
	extEarlyData         = 42
	extSupportedVersions = 43

	maxALPN = 8
	// maxProtocol is longer than any registered one.
	maxProtocol = 32
)

// retryRandom is the random of a ServerHello that is a HelloRetryRequest (RFC
// 8446 §4.1.3).
var retryRandom = random(sha256.Sum256([]byte("HelloRetryRequest")))

// hello is what a hello says, with what opening records needs.
type hello struct {
	Hello
	random random
	// version and suite are what a server chose.
	version int
	suite   uint16
	// compressed says that records are compressed as well (RFC 3749).
	compressed bool
	// encryptThenMAC is a server's yes to RFC 7366, earlyData a client's
	// offer.
	encryptThenMAC, earlyData bool
}

// ParseHello reads the hello that begins a handshake stream. ok is false while
// it is incomplete or when it is none.
func ParseHello(b []byte) (h Hello, ok bool) {
	whole, ok := parseHello(b)
	return whole.Hello, ok
}

func parseHello(b []byte) (h hello, ok bool) {
	r := reader{b}
	kind, okKind := r.number(1)
	body, okBody := r.vector(3)
	if !okKind || !okBody || kind != clientHello && kind != serverHello {
		return h, false
	}
	r = reader{body}
	h.version, _ = r.number(2)
	h.Version = versionName(h.version)
	random, okRandom := r.take(len(h.random))
	if !okRandom {
		return h, false
	}
	copy(h.random[:], random)
	h.Random = h.random
	if _, okSession := r.vector(1); !okSession {
		return h, false
	}
	if kind == clientHello {
		_, okSuites := r.vector(2)
		_, okCompression := r.vector(1)
		if !okSuites || !okCompression {
			return h, false
		}
	} else {
		suite, _ := r.number(2)
		compression, okChoice := r.number(1)
		if !okChoice {
			return h, false
		}
		h.suite, h.compressed = uint16(suite), compression != 0
	}
	extensions, okExtensions := r.vector(2)
	if !okExtensions {
		return h, len(r.b) == 0 // hellos without extensions are complete
	}
	for t, value := range extensionsOf(extensions) {
		h.extension(kind == clientHello, t, value)
	}
	return h, true
}

// extensionsOf gives type and value of extensions, as far as they are whole
// (RFC 8446 §4.2).
func extensionsOf(b []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for r := (reader{b}); len(r.b) > 0; {
			t, okType := r.number(2)
			value, okValue := r.vector(2)
			if !okType || !okValue || !yield(t, value) {
				return
			}
		}
	}
}

func (h *hello) extension(client bool, t int, value []byte) {
	r := reader{value}
	switch t {
	case extServerName:
		list, _ := r.vector(2)
		r = reader{list}
		if kind, ok := r.number(1); ok && kind == 0 {
			name, _ := r.vector(2)
			h.SNI = string(name[:min(len(name), maxNameText)])
		}
	case extALPN:
		list, _ := r.vector(2)
		for r = (reader{list}); len(r.b) > 0 && len(h.ALPN) < maxALPN; {
			name, ok := r.vector(1)
			if !ok {
				return
			}
			h.ALPN = append(h.ALPN, string(name[:min(len(name), maxProtocol)]))
		}
	case extEncryptThenMAC:
		h.encryptThenMAC = !client
	case extEarlyData:
		h.earlyData = client
	case extSupportedVersions:
		if !client {
			if v, ok := r.number(2); ok {
				h.version, h.Version = v, versionName(v)
			}
			return
		}
		list, _ := r.vector(1)
		for r = (reader{list}); len(r.b) > 0; {
			v, ok := r.number(2)
			if !ok {
				return
			}
			h.Version = max(h.Version, versionName(v))
		}
	}
}

func versionName(v int) string {
	switch v {
	case version10:
		return "1.0"
	case version11:
		return "1.1"
	case version12:
		return "1.2"
	case version13:
		return "1.3"
	}
	return ""
}

// reader takes fields from the front of b; what is not there is not ok.
type reader struct{ b []byte }

func (r *reader) take(n int) ([]byte, bool) {
	if n > len(r.b) {
		return nil, false
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken, true
}

func (r *reader) number(size int) (n int, ok bool) {
	b, ok := r.take(size)
	for _, c := range b {
		n = n<<8 | int(c)
	}
	return n, ok
}

// vector takes bytes behind a length of size bytes.
func (r *reader) vector(size int) ([]byte, bool) {
	n, ok := r.number(size)
	if !ok {
		return nil, false
	}
	return r.take(n)
}

// AlertName names an alert description (RFC 8446 §6, RFC 5246 §7.2).
func AlertName(code byte) string {
	if name, ok := alertNames[code]; ok {
		return name
	}
	return "unknown"
}

// The alerts that report no error: CloseNotify ends a connection in good order,
// UserCanceled comes before it (RFC 8446 §6.1).
const (
	CloseNotify  = 0
	UserCanceled = 90
)

var alertNames = map[byte]string{
	0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed", 22: "record_overflow",
	40: "handshake_failure", 41: "no_certificate", 42: "bad_certificate", 43: "unsupported_certificate",
	44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown", 47: "illegal_parameter",
	48: "unknown_ca", 49: "access_denied", 50: "decode_error", 51: "decrypt_error", 70: "protocol_version",
	71: "insufficient_security", 80: "internal_error", 86: "inappropriate_fallback", 90: "user_canceled",
	100: "no_renegotiation", 109: "missing_extension", 110: "unsupported_extension", 112: "unrecognized_name",
	113: "bad_certificate_status_response", 115: "unknown_psk_identity", 116: "certificate_required",
	120: "no_application_protocol",
}
