package link

import (
	"bytes"
	"slices"
	"sort"
	"time"
)

// What the reassembly of fragments may cost, and for how long it waits.
const (
	// maxPending bounds the datagrams that are known at a time, whole or not.
	// Fragments of one follow one another on the wire, so that a thousand other
	// datagrams between them are more than any path reorders.
	maxPending = 1024
	// maxHeld bounds the memory that they take, in bytes: Linux's
	// ipfrag_high_thresh.
	maxHeld = 4 << 20
	// maxPieces bounds the fragments of one: 65,515 bytes over links of 576,
	// the least that every host takes (RFC 791 §3.1), come in 119. It keeps
	// finding the place of a fragment cheap, and bounds what a flood of tiny
	// ones costs.
	maxPieces = 128
	// maxWhole is the length of the longest datagram.
	maxWhole = 0xffff

	// pendingCost and pieceCost are what is held beside the bytes: the records
	// themselves, the map's share, what the allocator rounds up.
	pendingCost = 256
	pieceCost   = 96

	// What is not whole after this time is given up. RFC 791 leaves it open,
	// and Linux waits for 30 s; RFC 8200 §4.5 demands 60 s.
	wait4 = uint64(30 * time.Second)
	wait6 = uint64(60 * time.Second)
)

// fragmentKey is what fragments of one datagram have in common (RFC 791 §3.2,
// RFC 8200 §4.5). Through which tunnel they came is not in it: a tunnel may have
// two ends, and packets two ways.
type fragmentKey struct {
	src, dst [2]uint64
	id       uint32
	protocol uint8 // only in IPv4
	version  uint8
}

func keyOf(s *Segment, version, protocol uint8, id uint32) fragmentKey {
	return fragmentKey{
		src: [2]uint64{s.Src.High, s.Src.Low}, dst: [2]uint64{s.Dst.High, s.Dst.Low},
		id: id, protocol: protocol, version: version,
	}
}

// fragment is part of the payload of an IP datagram; the whole is one at 0 with
// no more behind it.
type fragment struct {
	frame
	offset   int
	more     bool
	protocol uint8
	// packets is how many were put together for it.
	packets uint16
}

func (f *fragment) end() int { return f.offset + f.wire }

// repeats reports whether f is g captured again, be it cut elsewhere.
func (f *fragment) repeats(g *fragment) bool {
	n := min(len(f.data), len(g.data))
	return f.offset == g.offset && f.wire == g.wire && f.more == g.more && bytes.Equal(f.data[:n], g.data[:n])
}

// fragment takes a fragment of a datagram between the addresses in s, and goes
// on in the whole when it was the last to be missing.
func (d *Decoder) fragment(k fragmentKey, f fragment, s *Segment) Reason {
	// All but the last come in units of eight bytes. A whole beyond the
	// longest was made to overflow something (the "ping of death").
	if f.wire == 0 || f.more && f.wire%8 != 0 || f.end() > maxWhole {
		return Malformed
	}
	f.packets = max(1, s.Fragments)
	whole, r := d.fragments.add(k, f, d.now)
	if r != OK {
		return r
	}
	if d.tooDeep() {
		return TooDeep
	}
	s.Fragments = whole.packets
	d.cut = d.cut || len(whole.data) < whole.wire
	return d.upper(whole.protocol, whole.frame, s)
}

// reassembler puts fragments together. It is ready to use as it is.
type reassembler struct {
	pending map[fragmentKey]*pending
	// oldest and newest are the ends of a list in the order of first fragments.
	oldest, newest *pending
	// held is the cost of all.
	held int
}

// pending is a datagram of which a fragment was seen.
type pending struct {
	key     fragmentKey
	older   *pending
	newer   *pending
	since   int64 // when the first fragment came
	pieces  []fragment
	filled  int // bytes in pieces
	total   int // of the payload; 0 as long as the last fragment is missing
	cost    int
	whole   bool
	refused Reason // OK unless it never can be whole
}

// add takes a fragment of a datagram at a time in nanoseconds. With OK it
// returns the whole, in memory of its own: as far as all fragments were captured
// without a byte missing.
func (t *reassembler) add(k fragmentKey, f fragment, now int64) (fragment, Reason) {
	for t.oldest != nil && t.oldest.expired(now) {
		t.remove(t.oldest)
	}
	p := t.pending[k]
	if p != nil && p.expired(now) {
		t.remove(p)
		p = nil
	}
	if p != nil && p.refused != OK {
		return fragment{}, p.refused
	}
	if p != nil {
		i := p.find(f.offset)
		if i < len(p.pieces) && f.repeats(&p.pieces[i]) {
			return fragment{}, Fragment
		}
		if p.whole {
			// Another datagram, with an ID that was used before.
			t.remove(p)
			p = nil
		}
	}
	if p == nil {
		p = t.open(k, now)
	}
	if r := p.refusal(&f); r != OK {
		// It never can be whole, nor may what follows make a new one of it
		// (RFC 5722 §4).
		p.refused = r
		t.charge(p, pendingCost-p.cost)
		p.pieces = nil
		return fragment{}, r
	}
	f.data = bytes.Clone(f.data)
	p.pieces = slices.Insert(p.pieces, p.find(f.offset), f)
	p.filled += f.wire
	if !f.more {
		p.total = f.end()
	}
	t.charge(p, pieceCost+len(f.data))
	// It may be the oldest, and go at once: then it still is joined.
	t.evict()
	if p.filled != p.total {
		return fragment{}, Fragment
	}
	p.whole = true
	return p.join(), OK
}

// open adds a datagram without fragments.
func (t *reassembler) open(k fragmentKey, now int64) *pending {
	if t.pending == nil {
		t.pending = map[fragmentKey]*pending{}
	}
	p := &pending{key: k, since: now, older: t.newest}
	if t.newest != nil {
		t.newest.newer = p
	} else {
		t.oldest = p
	}
	t.newest, t.pending[k] = p, p
	t.charge(p, pendingCost)
	return p
}

func (t *reassembler) remove(p *pending) {
	if p.older != nil {
		p.older.newer = p.newer
	} else {
		t.oldest = p.newer
	}
	if p.newer != nil {
		p.newer.older = p.older
	} else {
		t.newest = p.older
	}
	delete(t.pending, p.key)
	t.held -= p.cost
}

// evict keeps the bounds: the oldest go first.
func (t *reassembler) evict() {
	for len(t.pending) > maxPending || t.held > maxHeld {
		t.remove(t.oldest)
	}
}

func (t *reassembler) charge(p *pending, n int) {
	p.cost += n
	t.held += n
}

// expired reports whether its time is over, by a clock that may be set back.
func (p *pending) expired(now int64) bool {
	wait := wait4
	if p.key.version == 6 {
		wait = wait6
	}
	if now < p.since {
		return uint64(p.since)-uint64(now) > wait
	}
	return uint64(now)-uint64(p.since) > wait
}

// find is the index of the first piece at or behind an offset.
func (p *pending) find(offset int) int {
	return sort.Search(len(p.pieces), func(i int) bool { return p.pieces[i].offset >= offset })
}

// refusal is why a fragment, not a repetition, cannot be of the datagram: OK
// when it can.
//
// No sender makes overlapping fragments. They rewrite a header that a filter
// has let pass (RFC 1858, RFC 3128), and hosts differ in which of the bytes they
// take.
func (p *pending) refusal(f *fragment) Reason {
	i := p.find(f.offset)
	switch {
	case i > 0 && p.pieces[i-1].end() > f.offset,
		i < len(p.pieces) && p.pieces[i].offset < f.end(),
		p.total > 0 && f.end() > p.total,
		!f.more && (p.total > 0 || i < len(p.pieces)):
		return Overlap
	case len(p.pieces) == maxPieces:
		return Fragment
	}
	return OK
}

// join makes the whole of its pieces.
func (p *pending) join() fragment {
	n := 0
	for i := range p.pieces {
		n += len(p.pieces[i].data)
	}
	whole := fragment{frame: frame{make([]byte, 0, n), p.total}, protocol: p.pieces[0].protocol}
	cut, packets := false, 0
	for i := range p.pieces {
		f := &p.pieces[i]
		packets += int(f.packets)
		if !cut {
			whole.data = append(whole.data, f.data...)
		}
		cut = cut || len(f.data) < f.wire
	}
	whole.packets = uint16(min(packets, 0xffff))
	return whole
}
