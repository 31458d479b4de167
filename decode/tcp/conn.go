// Package tcp rebuilds TCP connections from segments: it tells the
// incarnations of a 4-tuple apart, puts each side's bytes in order and says
// what is missing.
package tcp

import (
	"time"

	"github.com/mqttriage/mqttriage/decode/link"
)

// Mark is a packet that brought something. The zero Mark means not seen.
type Mark struct {
	// Number is the packet's number in its capture, from 1.
	Number int
	// Nano is its time in nanoseconds since 1970, UTC; 0 when the capture
	// does not say.
	Nano int64
}

// Seen reports whether the capture shows it.
func (m Mark) Seen() bool { return m.Number != 0 }

// Time is when the packet was captured, in UTC; zero when not known.
func (m Mark) Time() time.Time {
	if m.Nano == 0 {
		return time.Time{}
	}
	return time.Unix(0, m.Nano).UTC()
}

// Side is one end of a connection: 0 is the initiator, who sent the SYN or was
// sent the SYN/ACK, or, where the capture shows neither, who sent the first
// packet seen. 1 is the other.
type Side uint8

// Handler follows one connection. Its methods must not call the Table but for
// Reuse, nor keep p beyond the call.
type Handler interface {
	// Data hands over the next bytes of a side, in order, each byte once. m is
	// the packet that made them available: their own, or the one that filled
	// the hole before them if it came later.
	Data(c *Conn, from Side, p []byte, m Mark)
	// Gap says that n bytes of a side are missing and passed over. cut means
	// that the packet was captured but a snap length cut them off. m is the
	// packet behind the hole.
	Gap(c *Conn, from Side, n int64, cut bool, m Mark)
	// End is called once, last, when the connection is closed and nothing
	// more is expected of it, its 4-tuple was reused, it was evicted, or the
	// table was flushed. The Conn is the Handler's from then on, but for
	// Endpoint and Port, which it must ask before it returns.
	End(c *Conn)
}

// Conn is one TCP connection. It belongs to the table, which changes it with
// every packet; a Handler only reads it, but for Skip.
type Conn struct {
	// What every packet touches comes first.

	// Sides are the two directions by sender.
	Sides [2]Stream
	// Skip is for the Handler to set: it is then spared a side's payloads that
	// AddAt is told may be skipped, as long as they are next in order and
	// new as a whole. They count all the same.
	Skip [2]bool
	// Known is for the Handler to set as well: how many of a side's bytes it still
	// asks how often they were sent; 0 for all until it sets Skip.
	Known [2]int64
	// Copies counts its packets that were captured more than once; they count for
	// nothing else.
	Copies uint32
	// Last is the connection's last packet.
	Last      Mark
	handler   Handler
	tuple     *tuple
	dir0      uint8 // the tuple's direction in which side 0 sends
	closed    bool  // RST seen, or the FINs of both sides
	alone     bool  // only one side was heard
	touched   bool  // had a packet since the eviction hand last passed
	HasSYN    bool
	HasSYNACK bool
	// StreamUnsure says that versions of Wireshark disagree on Stream.
	StreamUnsure bool

	// Number counts connections from 1 in order of appearance.
	Number uint32
	// Stream is Wireshark's tcp.stream number, from 0.
	Stream uint32
	// SynCount counts the SYNs (without ACK), SynRetries holds the packet
	// numbers of those after the first, at most 8.
	SynCount   uint32
	SynRetries []int
	// First is the connection's first packet, Syn the first SYN, SynAck the
	// first SYN/ACK.
	First, Syn, SynAck Mark
	// Closings are how the sides ended the connection, by sender.
	Closings [2]Closing
	// Refused is the RST that answered the SYN where no SYN/ACK did.
	Refused    Mark
	closedAt   int64
	prev, next *Conn
}

// Endpoint is the end that is a side's. The two may still change places until
// the first Data or Gap, when a SYN or SYN/ACK was captured late.
func (c *Conn) Endpoint(side Side) link.Endpoint { return c.tuple.ends[uint8(side)^c.dir0] }

// Port is the side's port.
func (c *Conn) Port(side Side) uint16 { return c.tuple.ends[uint8(side)^c.dir0].Port }

// Stream is what one side sent. Stream offsets count its bytes from 0, the
// byte after the SYN or the first that was seen.
type Stream struct {
	// Next is the stream offset of the next byte expected.
	Next int64
	// Acked is how many of the stream's bytes the other side has acknowledged.
	Acked int64
	// LastData is the packet that made the last of the bytes handed over, or
	// skipped, available.
	LastData Mark
	queue    *queue
	base     uint32 // sequence number of offset 0
	// ISN is the initial sequence number, valid when HasISN; from the SYN, or
	// from the ACK that the other side's SYN/ACK gave to it.
	ISN uint32
	// Packets counts the side's packets, Retransmitted those that carried
	// bytes seen before; keep-alive probes do not, nor bytes
	// beyond Known.
	Packets, Retransmitted uint32
	finSeq                 uint32 // sequence number of the FIN
	HasISN                 bool
	started                bool // base is final
	ended                  bool // finSeq is valid
}

// Closing is how one side ended the connection: its first FIN and RST.
type Closing struct {
	FIN, RST Mark
	// Bare says that the RST acknowledges nothing: it answers a segment that came for a
	// connection that the side does not know (RFC 9293 §3.5.2), and no side ends one so.
	Bare bool
}

// MidStream reports whether the capture does not show where a side's bytes
// begin: offset 0 is then only the first byte seen.
func (c *Conn) MidStream(side Side) bool { return !c.Sides[side].HasISN }

// side is the side that sends in a tuple's direction.
func (c *Conn) side(dir uint8) Side { return Side(dir ^ c.dir0) }

// idle reports whether neither side's bytes have been counted yet.
func (c *Conn) idle() bool {
	a, b := &c.Sides[0], &c.Sides[1]
	return a.Next == 0 && b.Next == 0 && a.queue == nil && b.queue == nil
}

// turn makes the other side the initiator.
func (c *Conn) turn() {
	c.Sides[0], c.Sides[1] = c.Sides[1], c.Sides[0]
	c.Closings[0], c.Closings[1] = c.Closings[1], c.Closings[0]
	c.dir0 ^= 1
}

// repeatTells reports whether anybody asks how often a segment of a side was sent.
func (c *Conn) repeatTells(x Side, s *link.Segment) bool {
	if c.Known[x] == 0 {
		return !c.Skip[x]
	}
	return c.Sides[x].offset(s.Seq) < c.Known[x]
}

// offset is the stream offset of a sequence number, taken as the one nearest
// to Next (RFC 9293 §3.4).
func (st *Stream) offset(seq uint32) int64 {
	return st.Next + int64(int32(seq-st.base-uint32(st.Next)))
}

// seen is the stream offset behind the last byte seen, waiting ones included.
func (st *Stream) seen() int64 {
	if st.queue != nil && len(st.queue.chunks) > 0 {
		return st.queue.chunks[len(st.queue.chunks)-1].end()
	}
	return st.Next
}

// start sets the sequence number of offset 0.
func (st *Stream) start(seq uint32) { st.base, st.started = seq, true }

// synchronize takes the initial sequence number, unless the stream has begun
// elsewhere: then its beginning stays unknown.
func (st *Stream) synchronize(isn uint32) {
	if st.started && st.base != isn+1 {
		return
	}
	st.ISN, st.HasISN = isn, true
	st.start(isn + 1)
}
