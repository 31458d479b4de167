package tcp

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mqttriage/mqttriage/decode/link"
)

// A packet is a segment of a random connection.
type packet struct {
	link.Segment
	side int           // that sent it
	off  int           // of the payload in what the side sent
	wait time.Duration // since the packet before
	note feature       // what it was made for, if anything
}

// A connection is what two hosts said, and what was captured of it. Its side 0
// opened it, and is endA unless it is reversed.
type connection struct {
	habits   habits
	reversed bool
	isn      [2]uint32
	sent     [2][]byte
	ids      [2]uint16
	packets  []packet // in the order of capture
}

// habits are what may happen in a connection.
type habits struct {
	opening  opening
	ending   ending
	identity identity
	// loss: of so many packets one is lost; 0 for none.
	loss int
	// snap is how many bytes of a payload are captured; negative for all.
	snap int
	// sizes are those of the two streams.
	sizes [2]int
	// mss is the largest payload.
	mss int
	// burst: all packets of a part of the stream are lost.
	burst, near, far, overlap, conflict, crumbs, keepAlive, zeroWindow, copies, fastOpen, pause, oldNumber bool
	// patient hosts acknowledge only what was captured by then.
	patient bool
}

// opening says which packets of the handshake were captured, in which order.
type opening int

const (
	inOrder      opening = iota
	synLate              // behind the SYN/ACK
	synLast              // behind the ACK
	synAckLate           // behind the ACK
	ackFirst             // then SYN, SYN/ACK
	ackFirstBoth         // then SYN/ACK, SYN
	synLost
	synAckLost
	midStream // none of it
	openings
)

// orders are the openings' packets: SYN, SYN/ACK and ACK.
var orders = [openings]string{"sba", "bsa", "bas", "sab", "asb", "abs", "ba", "sa", ""}

type ending int

const (
	finBoth ending = iota
	finOne
	rstOnly
	finAndRST
	nothing
	endingKinds
)

// identity is how a host numbers its IPv4 packets (RFC 6864 leaves it free
// where nothing is fragmented).
type identity int

const (
	counted identity = iota
	zero
	constant
	anyhow
	identities
)

func one(r *rand.Rand, in int) bool { return r.IntN(in) == 0 }

// noise is what the streams are cut from.
var noise = func() []byte {
	r := rand.New(rand.NewPCG(7, 7))
	b := make([]byte, 1<<18)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}()

// anyHabits draws habits, so that each is in a good part of the connections,
// and many come together.
func anyHabits(r *rand.Rand) habits {
	h := habits{
		ending: ending(r.IntN(int(endingKinds))), identity: identity(r.IntN(int(identities))), snap: -1, mss: 150,
		burst: one(r, 3), near: one(r, 2), far: one(r, 2), overlap: one(r, 2), conflict: one(r, 6), crumbs: one(r, 3),
		keepAlive: one(r, 3), zeroWindow: one(r, 3), copies: one(r, 3), fastOpen: one(r, 6), pause: one(r, 5), oldNumber: one(r, 2),
	}
	if one(r, 2) {
		h.opening = opening(r.IntN(int(openings)))
	}
	if one(r, 3) {
		h.ending = finBoth
	}
	if one(r, 2) {
		h.loss = 3 + r.IntN(12)
	}
	if one(r, 5) {
		h.snap = r.IntN(100)
	}
	for x := range h.sizes {
		h.sizes[x] = r.IntN([]int{1, 20, 200, 1000, 3000, 3000, 3000}[r.IntN(7)])
	}
	if one(r, 5) { // all at once
		h.loss, h.near, h.far, h.overlap = 5+r.IntN(10), true, true, true
		h.sizes[0], h.sizes[1] = 500+r.IntN(2500), 500+r.IntN(2500)
	}
	if one(r, 500) {
		h.mss, h.sizes = 1460, [2]int{100_000, r.IntN(100)}
	}
	return h
}

// generate makes a connection of these habits. old is the one before it on the
// same 4-tuple, or nil; what no capture could tell apart from it is left out.
func generate(r *rand.Rand, h habits, old *connection) *connection {
	c := &connection{habits: h}
	for x, n := range h.sizes {
		at := r.IntN(len(noise) - n)
		c.sent[x] = noise[at : at+n]
		c.isn[x] = c.number(r, x)
	}
	if old != nil {
		c.reuse(r, old)
	}
	if o := c.habits.opening; o != inOrder && o != synAckLate && o != synAckLost {
		c.habits.fastOpen = false // the ACK's number then tells nothing of the SYN's
	}
	if h.identity != zero {
		c.ids = [2]uint16{uint16(r.Uint32()), uint16(r.Uint32())}
	}
	open, begin := c.open(r)
	body := merge(r, c.side(r, 0, begin[0]), c.side(r, 1, begin[1]))
	body = c.converse(r, body, begin)
	body = c.lose(r, body)
	if len(open)+len(body) == 0 {
		h.opening = inOrder
		return generate(r, h, old)
	}
	c.disturb(r, body)
	c.packets = slices.Concat(open, body)
	for i := range c.packets {
		c.packets[i].wait = time.Duration(r.Int64N(int64(time.Millisecond)) - 50_000)
	}
	if old != nil && c.reversed == old.reversed && c.isn[0] == old.isn[0] {
		c.packets[0].wait = 150 * time.Millisecond // any sooner it could as well be the old SYN, captured twice
	}
	c.finish(r, len(open))
	return c
}

// number draws an initial sequence number.
func (c *connection) number(r *rand.Rand, x int) uint32 {
	switch r.IntN(6) {
	case 0, 1:
		return -uint32(1 + r.IntN(len(c.sent[x])+1)) // wraps on the way
	case 2:
		return uint32(r.IntN(8)) - 4
	case 3:
		return 1<<31 - uint32(r.IntN(len(c.sent[x])+4))
	}
	return r.Uint32()
}

// reuse makes the connection one that follows old.
func (c *connection) reuse(r *rand.Rand, old *connection) {
	h := &c.habits
	c.reversed = old.reversed
	mid, synAck := old.habits.opening == midStream, old.habits.opening != midStream && old.habits.opening != synAckLost
	if (mid || synAck) && one(r, 4) {
		c.reversed = !old.reversed
	}
	for x := range c.isn {
		then := x
		if c.reversed != old.reversed {
			then = 1 - x
		}
		end := old.isn[then] + uint32(len(old.sent[then]))
		switch {
		case !near(c.isn[x], old.isn[then]) && !one(r, 3):
			continue
		case h.oldNumber && x == 0 && then == 0 && old.closed() && old.captured(link.SYN) && one(r, 2):
			c.isn[x] = old.isn[then]
		case synAck && len(old.sent[then]) > 0 && one(r, 3):
			c.isn[x] = old.isn[then] + 1 + uint32(r.IntN(len(old.sent[then])))
		default:
			c.isn[x] = end + 2 + uint32(r.IntN(1<<14))
		}
	}
	far := synAck && !near(c.isn[0], old.isn[0]) && !near(c.isn[1], old.isn[1]) && !near(c.isn[0], old.isn[1]) && !near(c.isn[1], old.isn[0])
	switch h.opening {
	case ackFirst, ackFirstBoth, midStream:
		h.opening = inOrder // that packet could as well be the old connection's
	case synLate, synLast, synLost:
		if !far {
			h.opening = inOrder // the SYN/ACK could as well answer the old SYN
		}
	}
}

// near reports whether two sequence numbers could be in one connection.
func near(a, b uint32) bool { return int32(a-b) < 1<<18 && int32(b-a) < 1<<18 }

// captured reports whether a packet of side 0 with these flags was.
func (c *connection) captured(flags link.Flags) bool {
	return slices.ContainsFunc(c.packets, func(p packet) bool { return p.side == 0 && p.Flags == flags })
}

// closed reports whether the capture shows an RST or both FINs.
func (c *connection) closed() bool {
	var fins [2]bool
	for i := range c.packets {
		p := &c.packets[i]
		if p.Flags&link.RST != 0 {
			return true
		}
		fins[p.side] = fins[p.side] || p.Flags&link.FIN != 0
	}
	return fins[0] && fins[1]
}

func (c *connection) ends() [2]link.Endpoint {
	if c.reversed {
		return [2]link.Endpoint{endB, endA}
	}
	return [2]link.Endpoint{endA, endB}
}

// packet makes a packet of side x with what it sent from from to to.
func (c *connection) packet(x, from, to int, flags link.Flags, note feature) packet {
	ends := c.ends()
	return packet{side: x, off: from, note: note, Segment: link.Segment{
		Src: ends[x], Dst: ends[1-x], Seq: c.isn[x] + 1 + uint32(from), Ack: c.isn[1-x] + 1, Flags: flags | link.ACK,
		Length: to - from, Payload: c.sent[x][from:to:to], Window: 1000,
	}}
}

// open makes the handshake. begin is how much of each stream it took.
func (c *connection) open(r *rand.Rand) (open []packet, begin [2]int) {
	var early [2]int
	if c.habits.fastOpen {
		early[0] = r.IntN(min(100, len(c.sent[0])+1))
		begin[0] = early[0] - r.IntN(early[0]+1)*r.IntN(2) // or less was taken
		if c.habits.opening == inOrder {
			early[1] = r.IntN(min(20, len(c.sent[1])+1))
			begin[1] = early[1]
		}
	}
	syn, synAck, ack := c.packet(0, 0, early[0], link.SYN, none), c.packet(1, 0, early[1], link.SYN, none), c.packet(0, begin[0], begin[0], 0, none)
	syn.Flags, syn.Ack = link.SYN, 0
	syn.Seq--
	synAck.Seq--
	synAck.Ack += uint32(begin[0])
	ack.Ack += uint32(begin[1])
	for _, which := range orders[c.habits.opening] {
		p := map[rune]packet{'s': syn, 'b': synAck, 'a': ack}[which]
		c.identify(r, &p)
		open = append(open, p)
		for c.habits.copies && one(r, 4) {
			open = append(open, p.again())
		}
	}
	return open, begin
}

// again is the packet captured twice.
func (p packet) again() packet {
	p.note = copied
	return p
}

// side makes what side x sends from begin on, in its order.
func (c *connection) side(r *rand.Rand, x, begin int) (out []packet) {
	h, n := &c.habits, len(c.sent[x])
	add := func(from, to int, flags link.Flags, note feature) {
		out = append(out, c.packet(x, from, to, flags, note))
	}
	fin := h.ending == finBoth || h.ending == finAndRST || h.ending == finOne && x == 0
	finAlone := !fin || one(r, 2)
	crumbs := 0
	for at := begin; at < n; {
		size := 1 + r.IntN(h.mss)
		if crumbs--; crumbs > 0 {
			size = 1
		} else if h.crumbs && one(r, 10) {
			crumbs = 8 + r.IntN(20)
		}
		to := min(at+size, n)
		for h.zeroWindow && one(r, 6) {
			add(at, at+1, 0, zeroWindow) // of what comes next; RFC 9293 §3.8.6.1
		}
		flags := link.PSH
		if to == n && !finAlone {
			flags |= link.FIN
		}
		add(at, to, flags, none)
		for h.overlap && one(r, 4) {
			from, to := at, to
			if !one(r, 4) {
				from, to = max(0, from-r.IntN(40)), min(n, to+r.IntN(40))
			}
			add(from, to, 0, none)
			if p := &out[len(out)-1]; h.conflict && one(r, 2) {
				p.Payload = bytes.Clone(p.Payload)
				for i := range p.Payload {
					p.Payload[i] ^= byte(r.IntN(2))
				}
			}
		}
		at = to
		if h.keepAlive && one(r, 5) {
			add(at-1, at-1+r.IntN(2), 0, keepAlive)
		}
	}
	if fin && (finAlone || one(r, 4)) {
		add(n, n, link.FIN, none)
	}
	return out
}

// merge mixes the two sides.
func merge(r *rand.Rand, a, b []packet) []packet {
	all := make([]packet, 0, len(a)+len(b))
	for len(a)+len(b) > 0 {
		if r.IntN(len(a)+len(b)) < len(a) {
			all, a = append(all, a[0]), a[1:]
		} else {
			all, b = append(all, b[0]), b[1:]
		}
	}
	return all
}

// converse gives the packets identifications and acknowledgments, adds some of
// these alone, and the RST.
func (c *connection) converse(r *rand.Rand, body []packet, begin [2]int) []packet {
	ends, acked := begin, begin // FINs count
	all := make([]packet, 0, len(body)*3/2+1)
	add := func(p packet) {
		x := p.side
		acked[1-x] += r.IntN(ends[1-x]-acked[1-x]+1) * r.IntN(2)
		p.Ack = c.isn[1-x] + 1 + uint32(acked[1-x])
		c.identify(r, &p)
		end := p.off + p.Length
		if p.Flags&link.FIN != 0 {
			end++
		}
		ends[x] = max(ends[x], end)
		all = append(all, p)
	}
	alone := func(x int, flags link.Flags) packet {
		p := c.packet(x, 0, 0, flags, none)
		p.off = ends[x]
		p.Seq = c.isn[x] + 1 + uint32(ends[x])
		if c.habits.zeroWindow && one(r, 2) {
			p.Window = 0
		}
		return p
	}
	for _, p := range body {
		add(p)
		if one(r, 4) {
			add(alone(1-p.side, 0))
		}
	}
	if c.habits.ending == rstOnly || c.habits.ending == finAndRST {
		add(alone(r.IntN(2), link.RST))
		if last := &all[len(all)-1]; one(r, 2) {
			last.Flags, last.Ack = link.RST, 0
		}
	}
	return all
}

// identify gives a packet its identification.
func (c *connection) identify(r *rand.Rand, p *packet) {
	switch id := &c.ids[p.side]; c.habits.identity {
	case counted:
		*id++
	case anyhow:
		*id = uint16(r.Uint32())
	}
	p.ID = c.ids[p.side]
}

// lose takes packets out, and puts copies in.
func (c *connection) lose(r *rand.Rand, body []packet) []packet {
	h := &c.habits
	var from, to [2]int
	if h.burst {
		for x := range 2 {
			from[x] = r.IntN(len(c.sent[x]) + 1)
			to[x] = from[x] + r.IntN(300)
		}
	}
	kept := make([]packet, 0, 2*len(body))
	for _, p := range body {
		if h.loss > 0 && one(r, h.loss) || p.off >= from[p.side] && p.off+p.Length < to[p.side] {
			continue
		}
		kept = append(kept, p)
		for h.copies && one(r, 5) {
			kept = append(kept, p.again())
		}
	}
	return kept
}

// disturb changes the order.
func (c *connection) disturb(r *rand.Rand, body []packet) {
	if len(body) < 2 {
		return
	}
	if c.habits.near {
		for i := range body {
			if one(r, 3) {
				j := min(len(body)-1, i+r.IntN(6))
				body[i], body[j] = body[j], body[i]
			}
		}
	}
	if c.habits.far {
		for range 1 + r.IntN(3) {
			i, j := r.IntN(len(body)), r.IntN(len(body))
			if one(r, 2) {
				i, j = min(i, j), max(i, j) // late rather than early
			}
			p := body[i]
			body = slices.Insert(slices.Delete(body, i, i+1), j, p)
		}
	}
}

// finish does what depends on the order, behind the packets of the handshake.
func (c *connection) finish(r *rand.Rand, handshake int) {
	if c.habits.pause {
		end := slices.IndexFunc(c.packets, func(p packet) bool { return p.Flags&(link.FIN|link.RST) != 0 })
		if end < 0 {
			end = len(c.packets)
		}
		for i := handshake; i < end; i++ {
			if one(r, 10) {
				c.packets[i].wait = time.Second + time.Duration(r.Int64N(int64(time.Second)))
			}
		}
	}
	seen := [2][]bool{make([]bool, len(c.sent[0])), make([]bool, len(c.sent[1]))}
	var covered, fin [2]int // what a patient host has all of
	for i := range c.packets {
		p := &c.packets[i]
		if p.note == keepAlive && p.Length == 1 {
			if seen[p.side][p.off] {
				p.Payload = []byte{^p.Payload[0]} // any byte will do (RFC 9293 §3.8.4)
			} else {
				p.Length, p.Payload = 0, nil
			}
		}
		for at := p.off; at < p.off+p.Length; at++ {
			seen[p.side][at] = true
		}
		if p.Flags&link.FIN != 0 {
			fin[p.side] = 1
		}
		if n := &covered[p.side]; c.habits.patient {
			for *n < len(seen[p.side]) && seen[p.side][*n] {
				*n++
			}
			if y := 1 - p.side; p.Flags&link.ACK != 0 {
				have := covered[y]
				if have == len(seen[y]) {
					have += fin[y]
				}
				p.Ack = c.isn[y] + 1 + uint32(min(have, int(p.Ack-c.isn[y]-1)))
			}
		}
		if snap := c.habits.snap; snap >= 0 {
			p.Payload = p.Payload[:min(snap, len(p.Payload))]
		}
	}
}
