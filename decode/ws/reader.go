// Package ws undoes the framing of WebSocket (RFC 6455) and its compression,
// permessage-deflate (RFC 7692), on captured bytes.
package ws

import "encoding/binary"

// Options says what was agreed on for a direction.
type Options struct {
	// Inflate says that permessage-deflate was, NoContext that each message is
	// compressed by itself.
	Inflate, NoContext bool
	// Budget limits the memory of all Readers that share it; nil for one of
	// the Reader's own.
	Budget *Budget
}

// Reader undoes the framing of one direction of a WebSocket. What is not
// compressed is handed on as it comes; a compressed message is held until it is
// whole. Bytes that no WebSocket can have, and compression that asks for too
// much memory or time, make it lost.
type Reader struct {
	budget              *Budget
	inflates, noContext bool

	state state
	// head is the header under way, have how much of it there is.
	head [maxHeader]byte
	have int
	// frame is the one whose payload is under way, rest is how much of it is
	// to come. Its key is turned as the payload goes by.
	frame header
	rest  int64
	// open says that a data message has begun and not ended, deflate that it
	// is compressed.
	open, deflate bool
	text          bool

	// message is the compressed message under way, history what the next may
	// refer back to. deflated and inflated count the bytes of all.
	message            []byte
	history            window
	deflated, inflated int64

	// code is the first bytes of a Close frame's payload, codeHave how many.
	code     [2]byte
	codeHave int
}

type state uint8

const (
	inHeader state = iota
	inPayload
	closed
	lost
	released
)

// NewReader starts at the first byte behind the head of the HTTP message.
func NewReader(o Options) *Reader {
	if o.Budget == nil {
		o.Budget = new(Budget)
	}
	return &Reader{budget: o.Budget, inflates: o.Inflate, noContext: o.NoContext}
}

// Feed takes the next bytes of the direction and calls yield with the payload
// of data messages, in order and in pieces that say nothing about messages. A
// piece is valid during the call only, and must not be changed.
func (r *Reader) Feed(p []byte, yield func(payload []byte)) {
	for len(p) > 0 && r.state <= inPayload {
		if r.state == inHeader {
			p = p[r.feedHeader(p):]
		} else {
			n := int(min(r.rest, int64(len(p))))
			r.rest -= int64(n)
			r.payload(p[:n], yield)
			p = p[n:]
		}
		if r.state == inPayload && r.rest == 0 {
			r.endFrame(yield)
		}
	}
}

// feedHeader takes bytes of a header, and returns how many.
func (r *Reader) feedHeader(p []byte) int {
	n := 0
	for {
		need := 2
		if r.have >= 2 {
			need = headerSize(r.head[:])
		}
		if r.have == need {
			break
		}
		took := copy(r.head[r.have:need], p[n:])
		if took == 0 {
			return n
		}
		r.have += took
		n += took
	}
	frame, ok := parseHeader(r.head[:r.have])
	if !ok || !r.begin(frame) {
		r.lose()
	}
	return n
}

// begin starts a frame; false where it may not come here (RFC 6455 §5.4, RFC
// 7692 §6.1).
func (r *Reader) begin(frame header) bool {
	r.frame, r.rest, r.have, r.state = frame, frame.length, 0, inPayload
	switch frame.opcode {
	case opContinuation:
		return r.open && !frame.compressed
	case opText, opBinary:
		if r.open || frame.compressed && !r.inflates {
			return false
		}
		r.open, r.deflate = true, frame.compressed
		r.text = r.text || frame.opcode == opText
	}
	return true
}

// payload takes bytes of the frame's payload.
func (r *Reader) payload(p []byte, yield func([]byte)) {
	switch {
	case r.frame.opcode == opClose:
		n := copy(r.code[r.codeHave:], p)
		code := r.code[r.codeHave : r.codeHave+n]
		r.frame.key = unmask(code, code, r.frame.key)
		r.codeHave += n
	case r.frame.control():
	case r.deflate:
		if !r.budget.Grow(&r.message, p, maxCompressed) {
			r.lose()
			return
		}
		added := r.message[len(r.message)-len(p):]
		r.frame.key = unmask(added, added, r.frame.key)
	case r.frame.key == [4]byte{}:
		yield(p)
	default:
		for len(p) > 0 {
			out := r.budget.out[:min(len(p), len(r.budget.out))]
			r.frame.key = unmask(out, p[:len(out)], r.frame.key)
			yield(out)
			clear(out)
			p = p[len(out):]
		}
	}
}

func (r *Reader) endFrame(yield func([]byte)) {
	r.state = inHeader
	switch {
	case r.frame.opcode == opClose:
		// What follows is discarded (RFC 6455 §1.4).
		r.state = closed
		r.forget()
	case r.frame.control() || !r.frame.fin:
	default:
		r.open = false
		if r.deflate && !r.endMessage(yield) {
			r.lose()
		}
	}
}

// endMessage inflates the compressed message that is whole.
func (r *Reader) endMessage(yield func([]byte)) bool {
	if len(r.message) == 0 {
		return true // an empty message, which should have a byte (RFC 7692 §7.2.3.6)
	}
	ok := r.budget.Grow(&r.message, []byte(tail), maxCompressed+len(tail)) && r.inflate(r.message, yield)
	// Most messages are small: their memory is used again.
	const small = 1 << 10
	if cap(r.message) > small {
		r.budget.Drop(&r.message)
	} else {
		clear(r.message)
		r.message = r.message[:0]
	}
	return ok
}

// Skip says that the next n bytes are missing. If they all belong to the payload
// of a frame that is not compressed, the Reader stays in step, and calls gap
// with n where it is the payload of a data message; otherwise it is lost.
func (r *Reader) Skip(n int64, gap func(n int64)) {
	if n <= 0 || r.state > inPayload {
		return
	}
	data := !r.frame.control()
	if r.state == inHeader || n > r.rest || data && r.deflate {
		r.lose()
		return
	}
	r.rest -= n
	r.frame.key = turn(r.frame.key, n)
	if r.frame.opcode == opClose && r.codeHave < len(r.code) {
		r.code, r.codeHave = [2]byte{}, len(r.code)
	}
	if data {
		gap(n)
	}
	if r.rest == 0 {
		r.endFrame(nil) // not compressed: nothing is handed on
	}
}

// Lost reports that the bytes are not WebSocket frames, that a gap hid where the
// next frame begins, or that a compressed message cannot be told. From then on
// Feed swallows everything.
func (r *Reader) Lost() bool { return r.state == lost }

// Text reports that a message came as text, which MQTT forbids [MQTT-6.0.0-1].
func (r *Reader) Text() bool { return r.text }

// Closed reports that a Close frame was seen, and its status code: 1005 where it
// has none (RFC 6455 §7.1.5), 0 where a gap hides it.
func (r *Reader) Closed() (code uint16, ok bool) {
	if r.state != closed {
		return 0, false
	}
	if r.codeHave < len(r.code) {
		return noStatus, true
	}
	return binary.BigEndian.Uint16(r.code[:]), true
}

const noStatus = 1005

func (r *Reader) lose() {
	r.state = lost
	r.forget()
}

// forget wipes and gives back what is held.
func (r *Reader) forget() {
	r.budget.Drop(&r.message)
	r.budget.Drop((*[]byte)(&r.history))
	if r.deflated > 0 {
		r.budget.wipeInflater()
		r.deflated = 0
	}
}

// Release ends the direction: what is held is wiped and given back to the
// Budget. What was learnt can still be asked.
func (r *Reader) Release() {
	if r.state <= inPayload {
		r.state = released
	}
	r.forget()
}
