package tls

// Handshake messages (RFC 8446 §4, RFC 5246 §7.4).
const (
	clientHello         = 1
	serverHello         = 2
	endOfEarlyData      = 5
	encryptedExtensions = 8
	certificateMessage  = 11
	finished            = 20
	keyUpdate           = 24
)

const (
	messageHeader = 4
	// maxMessage bounds a handshake message that is kept: certificate chains
	// are the largest.
	maxMessage = 64 << 10
)

// A gatherer joins handshake messages that are split over records. It keeps the
// ones that are read; of others it tells the type.
type gatherer struct {
	buf []byte
	// skip is what is still to come of a message that is not kept.
	skip     int
	skipping byte
	// broken says that records are missing: where messages begin is unknown.
	broken bool
}

// kept reports whether a message's content is read.
func kept(t byte, size int) bool {
	switch t {
	case clientHello, serverHello, encryptedExtensions, certificateMessage:
		return size <= maxMessage
	}
	return false
}

// feed takes a record's content and calls message for each message that it
// completes, with its type; whole, header included, is nil when it was split
// and is not kept. It is valid until message returns.
func (g *gatherer) feed(b []byte, message func(t byte, whole []byte)) {
	for len(b) > 0 && !g.broken {
		if g.skip > 0 {
			n := min(g.skip, len(b))
			b = b[n:]
			if g.skip -= n; g.skip == 0 {
				message(g.skipping, nil)
			}
			continue
		}
		if size := messageSize(b); len(g.buf) == 0 && size > 0 && size <= len(b) {
			whole := b[:size]
			b = b[size:]
			message(whole[0], whole)
			continue
		}
		if b = g.fill(messageHeader, b); len(g.buf) < messageHeader {
			return
		}
		t, size := g.buf[0], messageSize(g.buf)
		if !kept(t, size) {
			g.skipping, g.skip, g.buf = t, size-len(g.buf), nil
			if g.skip == 0 {
				message(t, nil)
			}
			continue
		}
		if b = g.fill(size, b); len(g.buf) == size {
			whole := g.buf
			g.buf = nil
			message(t, whole)
		}
	}
}

// fill moves bytes from b until n are there.
func (g *gatherer) fill(n int, b []byte) []byte {
	n = max(0, min(n-len(g.buf), len(b)))
	g.buf = append(g.buf, b[:n]...)
	return b[n:]
}

// messageSize is the size of the message that b begins with, its header
// included; 0 while that is not there.
func messageSize(b []byte) int {
	if len(b) < messageHeader {
		return 0
	}
	return messageHeader + int(b[1])<<16 + int(b[2])<<8 + int(b[3])
}

// lost says that a record went by unread.
func (g *gatherer) lost() { *g = gatherer{broken: true} }
