package tcp

import "github.com/mqttriage/mqttriage/decode/link"

const maxSynRetries = 8

// reusedBy reports whether a segment from side x opens another connection on
// c's 4-tuple. Only SYNs and SYN/ACKs do.
func (c *Conn) reusedBy(x Side, s *link.Segment) bool {
	st, peer := &c.Sides[x], &c.Sides[1-x]
	switch s.Flags & (link.SYN | link.ACK | link.RST) {
	case link.SYN:
		switch {
		case st.HasISN && s.Seq == st.ISN:
			// Sent again, or captured behind the SYN/ACK. After an end it is
			// a new attempt: Windows tries a refused port three times.
			return c.closed && c.HasSYN
		case st.HasISN:
			return true
		case st.Packets > 0:
			// Captured behind the first packet that followed it.
			return s.Seq+1 != st.base
		}
		// Both sides may open at once (RFC 9293 §3.5).
		return !(c.HasSYN && !c.HasSYNACK && !c.closed)
	case link.SYN | link.ACK:
		switch {
		case st.HasISN && s.Seq == st.ISN:
			return false
		case peer.HasISN && peer.acknowledged(s.Ack):
			// A second answer to the same SYN, such as from two servers
			// behind one address, is no other connection.
			return c.closed && st.HasISN
		case peer.HasISN:
			return st.HasISN || c.closed
		case st.Packets > 0:
			return s.Seq+1 != st.base
		}
		return s.Ack != peer.base
	}
	return false
}

// acknowledged reports whether ack answers the side's SYN, with or without the
// data that came in it (RFC 7413).
func (st *Stream) acknowledged(ack uint32) bool {
	return int64(ack-st.ISN-1) <= min(st.seen(), 0xffff)
}

// plain takes a segment of an open connection if it is as most are: a mere
// acknowledgment, or next in order with a payload that may be skipped. It does
// what segment would, or nothing and reports false.
func (c *Conn) plain(dir uint8, s *link.Segment, skip bool, m Mark) bool {
	x := c.side(dir)
	st, peer := &c.Sides[x], &c.Sides[1-x]
	acked := s.Ack - peer.base - uint32(peer.Acked)
	if s.Flags&(link.SYN|link.FIN|link.RST|link.ACK) != link.ACK ||
		!st.started || st.queue != nil || peer.queue != nil || peer.ended || c.closed ||
		!peer.started || peer.Next-peer.Acked > maxWindow || int64(acked) > peer.Next-peer.Acked {
		return false
	}
	if s.Length > 0 {
		if !skip || !c.Skip[x] || st.ended || s.Length != len(s.Payload) || s.Seq-st.base != uint32(st.Next) {
			return false
		}
		st.passed(s.Payload, m)
	}
	peer.Acked += int64(acked)
	st.Packets++
	c.touched, c.Last = true, m
	return true
}

// segment takes a segment of connection c from side x.
func (t *Table) segment(c *Conn, x Side, s *link.Segment, skip bool, m Mark) {
	st := &c.Sides[x]
	c.touched = c.Last.Seen()
	c.Last = m
	st.Packets++
	t.heard(c)
	seq := s.Seq
	switch {
	case s.Flags&link.RST != 0:
		t.reset(c, x, s, m)
		return
	case s.Flags&(link.SYN|link.ACK) == link.SYN:
		x = c.syn(x, s, m)
		seq++
	case s.Flags&link.SYN != 0:
		var fits bool
		if x, fits = c.synAck(x, s, m); !fits {
			t.stats.Stray++
			return
		}
		seq++
	}
	st = &c.Sides[x]
	if s.Flags&link.ACK != 0 {
		c.learnBase(x, s.Ack)
		t.acknowledge(c, 1-x, s.Ack)
	}
	t.data(c, x, seq, s, skip, m)
	if c.Sides[0].queue != nil {
		t.settle(c, 0)
	}
	if c.Sides[1].queue != nil {
		t.settle(c, 1)
	}
	if st.ended && c.Sides[1-x].ended {
		t.close(c)
	}
}

// learnBase takes an acknowledgment that tells where the other side's bytes
// begin although its SYN/ACK was not captured: the initiator's first after its
// SYN acknowledges that and nothing more, unless it was lost as well. A hole
// right behind it then shows.
func (c *Conn) learnBase(x Side, ack uint32) {
	peer := &c.Sides[1]
	if x == 0 && !peer.started && peer.Packets == 0 && c.HasSYN && c.Sides[0].Packets == c.SynCount+1 {
		peer.start(ack)
	}
}

// syn takes a SYN and returns the side that sent it, which it makes the
// initiator. Once bytes were handed over it is too late for that: a SYN from
// the other side then only tells where its bytes begin.
func (c *Conn) syn(x Side, s *link.Segment, m Mark) Side {
	if x == 1 && !c.HasSYN && !c.HasSYNACK && c.idle() {
		c.turn()
		x = 0
	}
	c.Sides[x].synchronize(s.Seq)
	if x == 1 {
		return x // late, or the other half of a simultaneous opening
	}
	c.SynCount++
	if !c.HasSYN {
		c.HasSYN, c.Syn = true, m
	} else if len(c.SynRetries) < maxSynRetries {
		c.SynRetries = append(c.SynRetries, m.Number)
	}
	return x
}

// synAck takes a SYN/ACK and returns the side that sent it, which it makes the
// other than the initiator, as long as that can be. It reports whether it fits
// the connection.
func (c *Conn) synAck(x Side, s *link.Segment, m Mark) (Side, bool) {
	st, peer := &c.Sides[x], &c.Sides[1-x]
	if peer.HasISN && !peer.acknowledged(s.Ack) || st.HasISN && s.Seq != st.ISN {
		return x, false
	}
	if x == 0 && !c.HasSYN && !c.HasSYNACK && c.idle() {
		c.turn()
		x = 1
	}
	c.Sides[x].synchronize(s.Seq)
	if peer = &c.Sides[1-x]; !peer.HasISN {
		peer.synchronize(s.Ack - 1)
	}
	// In a simultaneous opening both sides send one.
	if !c.HasSYNACK && (x == 1 || c.HasSYN) {
		c.HasSYNACK, c.SynAck = true, m
	}
	return x, true
}

// reset takes an RST if it is acceptable (RFC 9293 §3.5.3): the answer to a
// SYN must acknowledge it, any other must lie in the window. Old duplicates
// and blind guesses do not end a connection.
func (t *Table) reset(c *Conn, x Side, s *link.Segment, m Mark) {
	st, peer := &c.Sides[x], &c.Sides[1-x]
	unanswered := c.HasSYN && !c.HasSYNACK && x == 1 && peer.Packets == c.SynCount
	switch {
	case unanswered && !st.started:
		if s.Flags&link.ACK == 0 || !peer.acknowledged(s.Ack) {
			t.stats.Stray++
			return
		}
		if !c.Refused.Seen() {
			c.Refused = m
		}
	case st.started:
		if off := st.offset(s.Seq); off < st.Acked || off > st.seen()+lossWindow {
			t.stats.Stray++
			return
		}
	}
	if s.Flags&link.ACK != 0 {
		t.acknowledge(c, 1-x, s.Ack)
	}
	if !c.Closings[x].RST.Seen() {
		c.Closings[x].RST, c.Closings[x].Bare = m, s.Flags&link.ACK == 0
	}
	t.close(c)
}

// acknowledge takes an acknowledgment of side x's bytes.
func (t *Table) acknowledge(c *Conn, x Side, ack uint32) {
	st := &c.Sides[x]
	if !st.started {
		return
	}
	off := st.offset(ack)
	if off <= st.Acked {
		return
	}
	if off > st.seen()+lossWindow {
		t.stats.Stray++
		return
	}
	if st.ended {
		off = min(off, st.offset(st.finSeq))
	}
	st.Acked = max(st.Acked, off)
}
