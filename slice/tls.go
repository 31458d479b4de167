package slice

import "encoding/binary"

// The records and handshake messages of TLS that are looked at (RFC 8446 §4, §5.1,
// RFC 5246 §7.4).
const (
	recordHandshake = 22

	messageClientHello        = 1
	messageCertificate        = 11
	messageServerKeyExchange  = 12
	messageCertificateRequest = 13
	messageClientKeyExchange  = 16

	extensionServerName = 0
)

// maxHello is how long a ClientHello may be for its server name to be found.
const maxHello = 16 << 10

// tlsScan finds the names in a TLS handshake as far as it is in clear: the server's
// that the client asks for, and certificates. What follows is sealed.
type tlsScan struct {
	to   *direction
	head [5]byte
	have int
	rest int
	done bool

	message     [4]byte
	messageHave int
	messageRest int
	// hello is a ClientHello so far, pieces where it lies in the stream.
	hello  []byte
	pieces []piece
	body   int // bytes of the message so far
}

func (x *tlsScan) feed(p []byte, off int64) {
	for len(p) > 0 && !x.done {
		if x.rest == 0 {
			n := copy(x.head[x.have:], p)
			x.have += n
			p, off = p[n:], off+int64(n)
			if x.have < len(x.head) {
				return
			}
			x.have = 0
			x.rest = int(binary.BigEndian.Uint16(x.head[3:]))
			switch x.head[0] {
			case recordHandshake, 21: // or an alert
			default:
				x.done = true
			}
			continue
		}
		n := min(x.rest, len(p))
		if x.head[0] == recordHandshake {
			x.handshake(p[:n], off)
		}
		x.rest -= n
		p, off = p[n:], off+int64(n)
	}
}

// handshake takes bytes of handshake messages.
func (x *tlsScan) handshake(p []byte, off int64) {
	for len(p) > 0 {
		if x.messageRest == 0 {
			n := copy(x.message[x.messageHave:], p)
			x.messageHave += n
			p, off = p[n:], off+int64(n)
			if x.messageHave < len(x.message) {
				return
			}
			x.messageHave, x.body = 0, 0
			x.messageRest = int(binary.BigEndian.Uint32(x.message[:]) & 0xffffff)
			continue
		}
		n := min(x.messageRest, len(p))
		x.part(p[:n], off)
		x.messageRest -= n
		x.body += n
		p, off = p[n:], off+int64(n)
		if x.messageRest == 0 && x.message[0] == messageClientHello {
			x.serverName()
		}
	}
}

// part takes bytes of a message's body.
func (x *tlsScan) part(p []byte, off int64) {
	switch x.message[0] {
	case messageClientHello:
		if len(x.hello)+len(p) > maxHello || len(x.pieces) == maxPieces {
			x.to.unread(off, off+int64(len(p)))
			return
		}
		x.pieces = append(x.pieces, piece{payload: int64(len(x.hello)), at: off, n: int64(len(p))})
		x.hello = append(x.hello, p...)
	case messageCertificate, messageCertificateRequest, messageClientKeyExchange, messageServerKeyExchange:
		// Names of people and companies, and of users (RFC 4279 §2).
		x.to.unread(off, off+int64(len(p)))
	}
}

// serverName finds the name in a ClientHello that is whole (RFC 6066 §3).
func (x *tlsScan) serverName() {
	b := x.hello
	skip := func(n int) bool {
		if n > len(b) {
			b = nil
			return false
		}
		b = b[n:]
		return true
	}
	length := func(bytes int) int {
		if len(b) < bytes {
			b = nil
			return 0
		}
		n := int(b[0])
		if bytes == 2 {
			n = n<<8 | int(b[1])
		}
		b = b[bytes:]
		return n
	}
	skip(2 + 32)
	skip(length(1)) // session ID
	skip(length(2)) // cipher suites
	skip(length(1)) // compression methods
	length(2)
	for len(b) >= 4 {
		kind, n := length(2), length(2)
		if kind == extensionServerName && n >= 5 && n <= len(b) {
			name := b[5:n]
			at := int64(len(x.hello) - len(b) + 5)
			x.name(at, name)
		}
		if !skip(n) {
			break
		}
	}
	clear(x.hello)
	x.hello, x.pieces = nil, nil
}

func (x *tlsScan) name(from int64, name []byte) {
	text := x.to.stream.survey.redact.name(name)
	to := from + int64(len(name))
	for _, p := range x.pieces {
		if a, b := max(from, p.payload), min(to, p.payload+p.n); a < b {
			x.to.add(span{from: p.at + a - p.payload, to: p.at + b - p.payload, at: uint32(a - from), value: uint32(len(name)), text: text})
		}
	}
}

// partial takes a ClientHello that is not whole: where in it the name lies is not
// known.
func (x *tlsScan) partial() {
	for _, p := range x.pieces {
		x.to.unread(p.at, p.at+p.n)
	}
}

// end takes it at the end of the stream.
func (x *tlsScan) end() {
	x.partial()
	clear(x.hello)
	x.hello, x.pieces = nil, nil
}

// skip says that bytes are missing. Where the handshake goes on is not known, and
// names may be anywhere.
func (x *tlsScan) skip(off int64) {
	if !x.done {
		x.done = true
		x.partial()
		x.to.unknown(off, endless)
	}
}
