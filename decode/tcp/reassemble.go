package tcp

import (
	"time"

	"github.com/mqttriage/mqttriage/decode/link"
)

const (
	// maxQueueBytes and maxQueueChunks bound what waits behind a hole, per
	// side. A full window of an embedded client fits; of a bulk transfer the
	// handshake is long past.
	maxQueueBytes  = 64 << 10
	maxQueueChunks = 64

	// maxWindow is the largest receive window there is (RFC 7323 §2.3): what
	// lies further ahead is not of this connection.
	maxWindow = 1 << 30
	// lossWindow is how far a FIN, an RST or an acknowledgment may be ahead of
	// the last byte seen: what the capture may have lost at one stroke. Less
	// than maxWindow, for no byte of a segment backs it up, and one stray
	// number from an earlier connection would end this one.
	lossWindow = 1 << 24

	// coveredWait is how long a hole waits after the receiver acknowledged
	// it. A packet may be captured shortly after its acknowledgment, on
	// another queue of the interface, but not this late.
	coveredWait = int64(time.Second)
)

// data takes a segment's payload and FIN. seq is the sequence number of the
// first byte, which is not s.Seq in a SYN.
func (t *Table) data(c *Conn, x Side, seq uint32, s *link.Segment, skip bool, m Mark) {
	st := &c.Sides[x]
	fin := s.Flags&link.FIN != 0
	if s.Length == 0 && !fin {
		if !st.started && st.Packets == 1 {
			st.base = seq // so that a late SYN can be recognised
		}
		return
	}
	if !st.started {
		st.start(seq)
	}
	off := st.offset(seq)
	end := off + int64(s.Length)
	if off-st.Next > maxWindow {
		t.stats.Stray++
		return
	}
	if fin && !st.ended {
		t.fin(c, x, end, m)
	}
	if st.ended {
		end = min(end, st.offset(st.finSeq))
	}
	switch {
	case end <= off:
	case skip && c.Skip[x] && off == st.Next && st.queue == nil && end-off == int64(len(s.Payload)):
		st.passed(s.Payload, m)
	default:
		before := st.Retransmitted
		t.payload(c, x, off, end, s.Payload, m)
		if !c.repeatTells(x, s) {
			st.Retransmitted = before
		}
	}
}

// fin takes the end of a side's stream.
func (t *Table) fin(c *Conn, x Side, end int64, m Mark) {
	st := &c.Sides[x]
	if end < st.Next || end > st.seen()+lossWindow {
		t.stats.Stray++
		return
	}
	st.ended, st.finSeq, c.Closings[x].FIN = true, st.base+uint32(end), m
	st.Acked = min(st.Acked, end) // it may have covered the FIN
	if q := st.queue; q != nil {
		t.stats.Buffered -= q.bytes
		q.truncate(end)
		t.stats.Buffered += q.bytes
	}
}

// payload takes the bytes from off to end, of which p was captured.
func (t *Table) payload(c *Conn, x Side, off, end int64, p []byte, m Mark) {
	st := &c.Sides[x]
	if int64(len(p)) > end-off {
		p = p[:end-off]
	}
	if end <= st.Next {
		// A keep-alive probe repeats the last byte, or a made-up one
		// (RFC 9293 §3.8.4).
		if end-off > 1 || end < st.Next {
			st.Retransmitted++
		}
		return
	}
	old := st.Next - off
	if old > 0 {
		st.Retransmitted++
		p = p[min(old, int64(len(p))):]
		off = st.Next
	}
	if off == st.Next && (st.queue == nil || len(st.queue.chunks) == 0) {
		t.deliver(c, x, p, end-off, m)
		return
	}
	if t.wait(c, x, off, end, p, m) && old <= 0 {
		st.Retransmitted++
	}
}

// deliver hands over n bytes at Next, of which p was captured.
func (t *Table) deliver(c *Conn, x Side, p []byte, n int64, m Mark) {
	st := &c.Sides[x]
	if len(p) > 0 {
		st.passed(p, m)
		t.follow(c).Data(c, x, p, m)
	}
	if missing := n - int64(len(p)); missing > 0 {
		st.Next += missing
		t.follow(c).Gap(c, x, missing, true, m)
	}
}

// passed counts the next bytes.
func (st *Stream) passed(p []byte, m Mark) {
	st.Next += int64(len(p))
	st.LastData = m
}

// wait takes bytes while others wait behind a hole: they join them, or fill
// the hole. It reports whether some of them were there already.
func (t *Table) wait(c *Conn, x Side, off, end int64, p []byte, m Mark) (again bool) {
	st := &c.Sides[x]
	if st.queue == nil {
		st.queue = t.takeQueue()
	}
	q := st.queue
	held := q.bytes
	if len(p) > 0 {
		again = q.insert(off, p, len(p), m)
	}
	if cut := off + int64(len(p)); cut < end {
		again = q.insert(cut, nil, int(end-cut), m) || again
	}
	t.stats.Buffered += q.bytes - held
	q.covered = false
	t.drain(c, x, m)
	for len(q.chunks) > maxQueueChunks || q.bytes > maxQueueBytes ||
		t.stats.Buffered > t.opts.MaxBuffered && len(q.chunks) > 0 {
		t.giveUp(c, x)
	}
	if len(q.chunks) == 0 {
		t.dropQueue(st)
	}
	return again
}

// drain hands over the chunks that have become next in order. filler is the
// packet that made them so.
func (t *Table) drain(c *Conn, x Side, filler Mark) {
	st := &c.Sides[x]
	q := st.queue
	for len(q.chunks) > 0 && q.chunks[0].off == st.Next {
		k := q.pop()
		t.stats.Buffered -= len(k.data)
		if filler.Number > k.mark.Number {
			k.mark = filler
		}
		t.deliver(c, x, k.data, int64(k.n), k.mark)
	}
}

// giveUp passes over the first hole.
func (t *Table) giveUp(c *Conn, x Side) {
	st := &c.Sides[x]
	q := st.queue
	q.covered = false
	if first := &q.chunks[0]; first.off > st.Next {
		n := first.off - st.Next
		st.Next = first.off
		t.follow(c).Gap(c, x, n, false, first.mark)
	}
	t.drain(c, x, Mark{})
}

// settle gives up a hole that the receiver acknowledged long enough ago.
func (t *Table) settle(c *Conn, x Side) {
	st := &c.Sides[x]
	q := st.queue
	for len(q.chunks) > 0 && st.Acked >= q.chunks[0].off {
		switch {
		case !q.covered:
			q.covered, q.since = true, t.now
			return
		case t.now < q.since: // the clock was set back
			q.since = t.now
			return
		case t.now-q.since < coveredWait:
			return
		}
		t.giveUp(c, x)
	}
	if len(q.chunks) == 0 {
		t.dropQueue(st)
	}
}

// finish hands over what waits and passes over what is known to be missing.
func (t *Table) finish(c *Conn, x Side) {
	st := &c.Sides[x]
	if st.queue != nil {
		for len(st.queue.chunks) > 0 {
			t.giveUp(c, x)
		}
		t.dropQueue(st)
	}
	end := st.Acked
	if st.ended {
		end = st.offset(st.finSeq)
	}
	if n := end - st.Next; n > 0 {
		st.Next = end
		t.follow(c).Gap(c, x, n, false, c.Last)
	}
}
