package http

import (
	"bytes"
	"strconv"
)

// Message is what the head of a request or of a response says. Every text in it
// is bounded, and none of them is a field that carries a secret.
type Message struct {
	// Method, Path, Host and Version (Sec-WebSocket-Version) are a request's.
	// Path is without the query and other parameters, which carry tokens.
	Method, Path, Host, Version string
	// Protocols are the subprotocols that a request offers, at most 8.
	Protocols []string

	// Status, Protocol and Deflate are a response's: the subprotocol that it
	// chooses, and permessage-deflate where it agrees to it.
	Status   int
	Protocol string
	Deflate  *Deflate

	// Upgrade says that the Upgrade field names websocket, MQTT that
	// Sec-WebSocket-Protocol lists mqtt [MQTT-6.0.0-3].
	Upgrade, MQTT bool
	// Cut says that the head was too long to be read to its end.
	Cut bool
}

// The most bytes kept of each text.
const (
	maxMethod    = 16
	maxText      = 256
	maxVersion   = 16
	maxProtocols = 8
)

// first reads the first line (RFC 9112 §3 and §4).
func (m *Message) first(line []byte) {
	word, rest, _ := bytes.Cut(line, []byte(" "))
	if bytes.HasPrefix(word, []byte("HTTP/")) {
		code, _, _ := bytes.Cut(rest, []byte(" "))
		if n, err := strconv.Atoi(string(code[:min(len(code), 4)])); err == nil && n >= 100 && n <= 999 {
			m.Status = n
		}
		return
	}
	if len(rest) == 0 {
		return
	}
	target, _, _ := bytes.Cut(rest, []byte(" "))
	m.Method, m.Path = text(word, maxMethod), path(target)
}

// path is a request target without what may be secret in it: the query, the
// parameters of a path (";jsessionid="), and of a whole URL, as proxies get it,
// all before the path.
func path(target []byte) string {
	if end := bytes.IndexAny(target, "?;#"); end >= 0 {
		target = target[:end]
	}
	if _, behind, ok := bytes.Cut(target, []byte("://")); ok {
		target = []byte("/")
		if slash := bytes.IndexByte(behind, '/'); slash >= 0 {
			target = behind[slash:]
		}
	}
	return text(target, maxText)
}

// field reads one field line (RFC 9112 §5).
func (m *Message) field(line []byte) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimSpace(value)
	switch {
	case is(name, "Host"):
		m.Host = text(value, maxText)
	case is(name, "Upgrade"):
		for token := range bytes.SplitSeq(value, []byte(",")) {
			m.Upgrade = m.Upgrade || is(bytes.TrimSpace(token), "websocket")
		}
	case is(name, "Sec-WebSocket-Version"):
		m.Version = text(value, maxVersion)
	case is(name, "Sec-WebSocket-Protocol"):
		for token := range bytes.SplitSeq(value, []byte(",")) {
			m.protocol(bytes.TrimSpace(token))
		}
	case is(name, "Sec-WebSocket-Extensions"):
		if m.Status != 0 && m.Deflate == nil {
			m.Deflate = parseDeflate(value)
		}
	}
}

func (m *Message) protocol(token []byte) {
	if len(token) == 0 {
		return
	}
	m.MQTT = m.MQTT || is(token, "mqtt")
	switch {
	case m.Status == 0 && len(m.Protocols) < maxProtocols:
		m.Protocols = append(m.Protocols, protocolName(token))
	case m.Status != 0 && m.Protocol == "":
		m.Protocol = protocolName(token)
	}
}

// protocolName is a subprotocol as it may be shown. Scripts in browsers, which
// cannot set fields, offer their bearer token as a subprotocol: of a name
// longer than those in use only the beginning is kept.
func protocolName(token []byte) string {
	const longest, beginning = 20, 8
	if len(token) > longest {
		return text(token, beginning) + "…"
	}
	return text(token, longest)
}

// interim reports whether another response follows (RFC 9110 §15.2).
func (m *Message) interim() bool {
	return m.Status/100 == 1 && m.Status != 101
}

func is(b []byte, name string) bool { return bytes.EqualFold(b, []byte(name)) }

func text(b []byte, most int) string { return string(b[:min(len(b), most)]) }
