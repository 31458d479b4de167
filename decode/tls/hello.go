package tls

// Hello is what a ClientHello or ServerHello says.
type Hello struct {
	// Version is the highest that a client offers, or the one that the server
	// chose: "1.0" to "1.3", "" for others.
	Version string
	// SNI is the server name that a client asks for (RFC 6066 §3).
	SNI string
	// ALPN are the protocols that a client offers, or the one that the server
	// chose in TLS 1.2 (RFC 7301); at most maxALPN.
	ALPN []string
}

const (
	clientHello = 1
	serverHello = 2

	extServerName        = 0
	extALPN              = 16
	extSupportedVersions = 43

	maxALPN = 8
)

// ParseHello reads the hello that begins a handshake stream. ok is false while
// it is incomplete or when it is none.
func ParseHello(b []byte) (h Hello, ok bool) {
	r := reader{b}
	kind, okKind := r.number(1)
	body, okBody := r.vector(3)
	if !okKind || !okBody || kind != clientHello && kind != serverHello {
		return h, false
	}
	r = reader{body}
	version, _ := r.number(2)
	h.Version = versionName(version)
	if _, okRandom := r.take(32); !okRandom {
		return h, false
	}
	if _, okSession := r.vector(1); !okSession {
		return h, false
	}
	if kind == clientHello {
		_, okSuites := r.vector(2)
		_, okCompression := r.vector(1)
		if !okSuites || !okCompression {
			return h, false
		}
	} else if _, okChoice := r.take(3); !okChoice {
		return h, false
	}
	extensions, okExtensions := r.vector(2)
	if !okExtensions {
		return h, len(r.b) == 0 // hellos without extensions are complete
	}
	r = reader{extensions}
	for len(r.b) > 0 {
		t, okType := r.number(2)
		value, okValue := r.vector(2)
		if !okType || !okValue {
			break
		}
		h.extension(kind == clientHello, t, value)
	}
	return h, true
}

func (h *Hello) extension(client bool, t int, value []byte) {
	r := reader{value}
	switch t {
	case extServerName:
		list, _ := r.vector(2)
		r = reader{list}
		if kind, ok := r.number(1); ok && kind == 0 {
			name, _ := r.vector(2)
			h.SNI = string(name)
		}
	case extALPN:
		list, _ := r.vector(2)
		for r = (reader{list}); len(r.b) > 0 && len(h.ALPN) < maxALPN; {
			name, ok := r.vector(1)
			if !ok {
				return
			}
			h.ALPN = append(h.ALPN, string(name))
		}
	case extSupportedVersions:
		if !client {
			if v, ok := r.number(2); ok {
				h.Version = versionName(v)
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
	case 0x0301:
		return "1.0"
	case 0x0302:
		return "1.1"
	case 0x0303:
		return "1.2"
	case 0x0304:
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

// CloseNotify is the alert that ends a connection in good order.
const CloseNotify = 0

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
