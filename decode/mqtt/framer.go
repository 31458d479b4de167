package mqtt

// The most body bytes kept of a packet. What comes first in a packet is what
// matters here (the client identifier, the reason string); the rest is skipped.
const (
	// MaxConnect is as much as brokers usually accept in a CONNECT.
	MaxConnect = 64 << 10
	// MaxOther holds for CONNACK, DISCONNECT and AUTH.
	MaxOther = 16 << 10
)

// Frame is one control packet of a stream.
type Frame struct {
	Type Type
	// Flags are the low four bits of the first byte.
	Flags byte
	// Length is that of the whole packet, in bytes, as its header says.
	Length int
	// Body is what follows the fixed header, of CONNECT, CONNACK, DISCONNECT
	// and AUTH only. It may be part of the bytes given to Feed, and is valid
	// until the next call of any method of the Framer but the reporting ones.
	Body []byte
	// BrokenLength: a CONNECT longer than 127 bytes with a one-byte Remaining
	// Length, as some old embedded clients send it.
	BrokenLength bool
	// NonMinimal: the Remaining Length has more bytes than it needs.
	NonMinimal bool
	// Oversize: Body is only the packet's first MaxConnect or MaxOther bytes.
	Oversize bool
	// Incomplete: Body is only what came before a hole, or what has arrived
	// (see Framer.Skip and Partial).
	Incomplete bool
}

// Framer finds the control packets in one direction of one stream. Its zero
// value is ready, at the start of a packet. It holds no bytes except those of a
// header, or of a CONNECT, CONNACK, DISCONNECT or AUTH, that is split between
// calls of Feed; it wipes them when they have been used. Call Reset when a
// stream ends.
type Framer struct {
	buf   []byte // the beginning of the body in progress
	body  int    // the Remaining Length of the packet in progress
	rest  int    // as much of it as is still to come
	head  [maxHeader]byte
	nhead uint8 // bytes in head
	first byte  // type and flags of the packet in progress
	fixed uint8 // the size of its header
	state state

	brokenLength, nonMinimal bool
	abridged                 bool // no more is kept of the packet
	holed                    bool // bytes that are kept of the packet are missing
	spent                    bool // buf has been handed out
}

type state uint8

const (
	inHeader state = iota
	inBody
	lost
)

// Feed takes the next bytes of the stream. It consumes n bytes of p, at most to
// the end of one packet, and if that packet is complete yields it. Call it
// again with the rest, until p is empty; after Skip it may yield a packet with
// n = 0. A packet that lies in p as a whole is neither copied nor does it
// allocate.
func (f *Framer) Feed(p []byte) (n int, fr Frame, ok bool) {
	if len(p) >= 2 && f.state == inHeader && f.nhead == 0 && !f.spent {
		// Nearly all of a stream is this: a packet that is skipped, with one
		// length byte, as a whole.
		if t, end := Type(p[0]>>4), 2+int(p[1]); skipped>>t&1 != 0 && p[1] < 0x80 && end <= len(p) {
			if flags := p[0] & 15; t == TypePublish || flags == fixedFlags[t] {
				return end, Frame{Type: t, Flags: flags, Length: end}, true
			}
		}
	}
	if f.spent {
		f.wipe()
	}
	switch f.state {
	case inHeader:
		if f.nhead > 0 {
			return f.feedHeader(p)
		}
		var h header
		switch readHeader(p, &h) {
		case yes:
			if len(p)-h.size >= h.body {
				return h.size + h.body, whole(&h, p), true
			}
			f.begin(&h)
			f.take(p[h.size:])
		case undecided:
			f.nhead = uint8(copy(f.head[:], p))
		case no:
			f.lose()
		}
		return len(p), Frame{}, false
	case inBody:
		return f.feedBody(p)
	}
	return len(p), Frame{}, false
}

// Skipped reports whether p is nothing but whole packets that are skipped: if a
// Framer is between packets, Feed would make nothing of p and stay there.
func Skipped(p []byte) bool { return skip(p) == len(p) }

// skip is how many bytes the skipped packets at the start of p take, as long as
// each lies in p as a whole.
func skip(p []byte) (n int) {
	for len(p)-n >= 2 {
		first, length := p[n], int(p[n+1])
		end := n + 2 + length
		if length >= 0x80 {
			// Two length bytes, the second not 0, are the next most common.
			if len(p)-n < 3 || p[n+2] == 0 || p[n+2] >= 0x80 {
				break
			}
			end = n + 3 + length&0x7f + int(p[n+2])<<7
		}
		t := Type(first >> 4)
		if skipped>>t&1 == 0 || end > len(p) || t != TypePublish && first&15 != fixedFlags[t] {
			break
		}
		n = end
	}
	return n
}

// skipped are the types of which any length is plausible and no byte is kept.
const skipped = 1<<TypePublish | 1<<TypePuback | 1<<TypePubrec | 1<<TypePubrel | 1<<TypePubcomp |
	1<<TypeSubscribe | 1<<TypeSuback | 1<<TypeUnsubscribe | 1<<TypeUnsuback

// whole is the frame of a packet that lies in p.
func whole(h *header, p []byte) Frame {
	fr := Frame{
		Type: h.typ(), Flags: h.first & 15, Length: h.size + h.body,
		BrokenLength: h.brokenLength, NonMinimal: h.nonMinimal,
	}
	if limit := keep(fr.Type); limit > 0 {
		fr.Oversize = h.body > limit
		fr.Body = p[h.size : h.size+min(h.body, limit)]
	}
	return fr
}

// keep is how many body bytes of a packet are kept.
func keep(t Type) int {
	switch t {
	case TypeConnect:
		return MaxConnect
	case TypeConnack, TypeDisconnect, TypeAuth:
		return MaxOther
	}
	return 0
}

// feedHeader continues a header that is split between calls.
func (f *Framer) feedHeader(p []byte) (n int, fr Frame, ok bool) {
	var h header
	for n < len(p) {
		f.head[f.nhead] = p[n]
		f.nhead++
		n++
		switch readHeader(f.head[:f.nhead], &h) {
		case no:
			f.lose()
			return len(p), Frame{}, false
		case yes:
			early := f.head[h.size:f.nhead] // body bytes that readHeader had to see
			if len(early) > 0 && !h.brokenLength {
				// The last byte showed that this is an ordinary header, which
				// ended before it.
				n, early = n-1, nil
			}
			f.begin(&h)
			f.take(early)
			m, fr, ok := f.feedBody(p[n:])
			return n + m, fr, ok
		}
	}
	return n, Frame{}, false
}

// begin enters the body of a packet.
func (f *Framer) begin(h *header) {
	f.state, f.nhead = inBody, 0
	f.first, f.fixed, f.body, f.rest = h.first, uint8(h.size), h.body, h.body
	f.brokenLength, f.nonMinimal, f.holed, f.abridged = h.brokenLength, h.nonMinimal, false, false
}

func (f *Framer) feedBody(p []byte) (n int, fr Frame, ok bool) {
	n = min(len(p), f.rest)
	if !f.take(p[:n]) {
		return n, Frame{}, false
	}
	fr = f.frame()
	f.state, f.spent = inHeader, f.buf != nil
	return n, fr, true
}

// frame describes the packet in progress.
func (f *Framer) frame() Frame {
	t := Type(f.first >> 4)
	return Frame{
		Type: t, Flags: f.first & 15, Length: int(f.fixed) + f.body, Body: f.buf,
		BrokenLength: f.brokenLength, NonMinimal: f.nonMinimal,
		Oversize: keep(t) > 0 && f.body > keep(t) || f.abridged, Incomplete: f.holed,
	}
}

// take consumes bytes of the body in progress, and reports whether it is
// complete.
func (f *Framer) take(p []byte) bool {
	f.rest -= len(p)
	if room := keep(Type(f.first>>4)) - len(f.buf); room > 0 && len(p) > 0 && !f.holed && !f.abridged {
		f.append(p[:min(len(p), room)])
	}
	return f.rest == 0
}

// append adds to the buffer. The buffer doubles with what arrives, whatever
// length the packet claims, and leaves no copy behind.
func (f *Framer) append(p []byte) {
	need := len(f.buf) + len(p)
	if need > cap(f.buf) {
		grown := make([]byte, len(f.buf), max(need, 2*cap(f.buf), 128))
		copy(grown, f.buf)
		clear(f.buf)
		f.buf = grown
	}
	f.buf = append(f.buf, p...)
}

// wipe overwrites and drops the buffer: it may hold a password.
func (f *Framer) wipe() {
	clear(f.buf)
	f.buf, f.spent = nil, false
}

// Used says that what Feed has handed out is not needed any more, and wipes it.
func (f *Framer) Used() {
	if f.spent {
		f.wipe()
	}
}

func (f *Framer) lose() {
	f.wipe()
	f.state, f.nhead = lost, 0
}

// Lost reports that the bytes are not MQTT, or that a gap hid where the next
// packet begins. From then on Feed swallows everything.
func (f *Framer) Lost() bool { return f.state == lost }

// Skip says that the next n bytes of the stream are missing. If they all belong
// to the packet that is under way, the Framer stays in step, and yields what
// came before them, marked Incomplete where more of it was wanted; otherwise it
// is lost.
func (f *Framer) Skip(n int64) {
	if n <= 0 || f.state == lost {
		return
	}
	if f.spent {
		f.wipe()
	}
	if f.state == inBody && n <= int64(f.rest) {
		f.rest -= int(n)
		f.holed = f.holed || len(f.buf) < min(f.body, keep(Type(f.first>>4)))
		return
	}
	f.lose()
}

// maxAbridged is what Abridge leaves of a packet: enough for most client IDs.
const maxAbridged = 256

// Abridge keeps only the beginning of the packet under way, to save memory; the
// packet will be Oversize.
func (f *Framer) Abridge() {
	if f.state != inBody || f.spent || len(f.buf) <= maxAbridged {
		return
	}
	short := append(make([]byte, 0, maxAbridged), f.buf[:maxAbridged]...)
	clear(f.buf)
	f.buf, f.abridged = short, true
}

// Reset wipes what is held and makes the Framer as new.
func (f *Framer) Reset() {
	f.wipe()
	*f = Framer{}
}

// Buffered is how many bytes of the stream are held, at most MaxConnect.
func (f *Framer) Buffered() int { return int(f.nhead) + len(f.buf) }

// Held is how many bytes of memory they take, at most twice as many.
func (f *Framer) Held() int { return cap(f.buf) }

// InPacket describes the packet that has begun but is not complete: how many of
// its bytes have been seen, and how many it has in all, 0 if its length is not
// known yet. Between packets the type is 0.
func (f *Framer) InPacket() (t Type, have, want int) {
	switch {
	case f.state == inBody:
		want = int(f.fixed) + f.body
		return Type(f.first >> 4), want - f.rest, want
	case f.nhead > 0:
		if string(f.head[:1]) == swappedPing[:1] {
			return TypePingreq, int(f.nhead), len(swappedPing)
		}
		return Type(f.head[0] >> 4), int(f.nhead), 0
	}
	return 0, 0, 0
}

// Between reports that no packet has begun that is not complete.
func (f *Framer) Between() bool { return f.state == inHeader && f.nhead == 0 }

// Partial is the beginning of the packet in progress, marked Incomplete: so
// that what a CONNECT says can be told although its end was never seen. It is
// false between packets and before a header is complete.
func (f *Framer) Partial() (Frame, bool) {
	if f.state != inBody {
		return Frame{}, false
	}
	fr := f.frame()
	fr.Incomplete = true
	return fr, true
}
