package tls

import "bytes"

// earlyData are the client's records before it is known whether the server
// takes them (RFC 8446 §4.2.10). They are held sealed.
type earlyData struct {
	state earlyState
	held  []heldRecord
	size  int
}

type earlyState uint8

const (
	// none: the client offers no early data, or its secret is not known.
	none earlyState = iota
	waiting
	accepted
	rejected
)

// heldRecord is a sealed record; fragment is nil when it is damaged.
type heldRecord struct {
	head     [headerSize]byte
	fragment []byte
}

// maxHeld bounds the early data that is held. Common servers take 16 KiB.
const maxHeld = 64 << 10

// holds reports whether a side's sealed records have to wait.
func (e *earlyData) holds(c *Conn, from int) bool {
	return e.state == waiting && from == c.client
}

func (e *earlyData) reject() {
	if e.state == waiting {
		e.state = rejected
	}
}

// hold keeps a record until the server tells. Where its EncryptedExtensions
// cannot be read, the client tells: only with early data accepted it ends them
// with an EndOfEarlyData, and else it goes on with another key.
func (c *Conn) hold(head [headerSize]byte, fragment []byte) {
	e := &c.early
	e.held = append(e.held, heldRecord{head, bytes.Clone(fragment)})
	e.size += len(fragment) + headerSize
	if e.size > maxHeld {
		e.state = rejected
		return
	}
	s := c.session
	if fragment == nil || !s.hasServer {
		return
	}
	secrets := c.secretsOf(s)
	if secrets == nil || !s.known {
		e.state = rejected
		return
	}
	o := (&schedule13{suite: s.suite, secrets: secrets, client: true}).opener(early)
	if o == nil {
		e.state = rejected
		return
	}
	buffer := plaintexts.Get().(*plaintext)
	defer buffer.wipe(len(fragment))
	plain, ok := o.open(buffer[:0], uint64(len(e.held)-1), head, fragment)
	content, t, _ := inner(plain)
	switch {
	case !ok:
		e.state = rejected
	case t == Handshake && len(content) > 0 && content[0] == endOfEarlyData:
		e.state = accepted
	}
}

// release hands out what was held, once the server's word is known. Early data
// that is rejected does not open with the handshake's key, where the numbers
// begin behind it.
func (c *Conn) release(yield func(int, Record)) {
	e := &c.early
	if len(e.held) == 0 || e.state == waiting {
		return
	}
	held := e.held
	e.held, e.size = nil, 0
	for _, r := range held {
		c.sealedRecord(c.client, r.head, r.fragment, yield)
	}
}
