package tcp

import (
	"math/bits"
	"math/rand/v2"

	"github.com/mqttriage/mqttriage/decode/link"
)

// tuple is what is known of a 4-tuple. It outlives its connection for a while,
// so that stragglers do not look like a new one. Direction 0 is the one in
// which its first packet went, from ends[0].
type tuple struct {
	ends [2]link.Endpoint
	conn *Conn // nil when the last connection has ended
	conv conversation
	// first and last are, when conn is nil, the sequence numbers of each
	// direction's first byte and behind its last; valid where known.
	first, last [2]uint32
	hash, ref   uint32 // ref is the tuple's own number
	prev, next  uint32 // in the list of ended tuples
	known       [2]bool
	// What most packets need, ends to conv.based, is then in one cache line of
	// a 64-bit processor.
	_ [16]byte
}

// is returns the tuple itself if it is the segment's, and the segment's
// direction in it. It may be nil, or have become another's since it was found.
func (tp *tuple) is(s *link.Segment, hash uint32) (*tuple, uint8) {
	if tp == nil || tp.hash != hash || tp.ref == 0 {
		return nil, 0
	}
	if dir, ok := tp.direction(s); ok {
		return tp, dir
	}
	return nil, 0
}

// direction reports whether a segment is of the 4-tuple, and in which
// direction it goes. It has no branch that a processor could predict wrongly,
// for the directions of packets follow no rule.
func (tp *tuple) direction(s *link.Segment) (dir uint8, ok bool) {
	a, b := &tp.ends[0], &tp.ends[1]
	along := differ(a, &s.Src) | differ(b, &s.Dst)
	against := differ(a, &s.Dst) | differ(b, &s.Src)
	if along != 0 {
		dir = 1
	}
	return dir, along == 0 || against == 0
}

func differ(a, b *link.Endpoint) uint64 {
	return a.High ^ b.High | a.Low ^ b.Low | uint64(a.Port^b.Port)
}

// straggler reports whether a segment on an ended tuple belongs to the past: it
// brings nothing that the last connection had not sent. A SYN never does.
func (tp *tuple) straggler(dir uint8, s *link.Segment) bool {
	switch {
	case s.Flags&link.RST != 0:
		return true
	case s.Flags&(link.SYN|link.ACK) == link.SYN:
		return false
	case s.Flags&link.SYN != 0:
		return tp.known[dir] && s.Seq+1 == tp.first[dir]
	case s.Length == 0:
		return true
	}
	ahead := int32(s.Seq + uint32(s.Length) - tp.last[dir])
	return tp.known[dir] && ahead <= 0 && ahead > -lossWindow
}

const tupleChunk = 512

// tuples is a hash table of tuples by key: open addressing over references, so
// that it holds no pointers for the collector to follow. The seed keeps a
// sender from choosing addresses that collide.
type tuples struct {
	seed   [4]uint64
	slots  []slot
	used   int
	chunks []*[tupleChunk]tuple
	free   uint32 // head of the list of unused tuples, through next
	made   uint32
	ended  ring
}

// slot refers to a tuple by its number from 1; 0 is empty.
type slot struct{ hash, ref uint32 }

// ring is the list of ended tuples, the longest ended first.
type ring struct {
	head, tail uint32
	n          int
}

func newTuples() tuples {
	t := tuples{slots: make([]slot, 1024)}
	for i := range t.seed {
		t.seed[i] = rand.Uint64()
	}
	return t
}

func (t *tuples) at(ref uint32) *tuple {
	i := ref - 1
	return &t.chunks[i/tupleChunk][i%tupleChunk]
}

// hash folds 128-bit products with secret factors, as wyhash does; it is the
// same for both directions.
func (t *tuples) hash(s *link.Segment) uint32 { return t.mix(&s.Src) + t.mix(&s.Dst) }

func (t *tuples) mix(e *link.Endpoint) uint32 {
	high, low := bits.Mul64(e.High^t.seed[0], e.Low^t.seed[1])
	high, low = bits.Mul64(high^low^t.seed[2], uint64(e.Port)^t.seed[3])
	return uint32(high ^ low)
}

// find returns the tuple of a segment and its direction in it, or nil.
func (t *tuples) find(s *link.Segment, hash uint32) (*tuple, uint8) {
	mask := uint32(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := t.slots[i]
		if slot.ref == 0 {
			return nil, 0
		}
		if slot.hash == hash {
			tp := t.at(slot.ref)
			if dir, ok := tp.direction(s); ok {
				return tp, dir
			}
		}
	}
}

// insert adds the tuple of a segment, which is not in the table.
func (t *tuples) insert(s *link.Segment, hash uint32) *tuple {
	if (t.used+1)*4 > len(t.slots)*3 {
		t.grow()
	}
	ref := t.free
	if ref != 0 {
		t.free = t.at(ref).next
	} else {
		if int(t.made) == len(t.chunks)*tupleChunk {
			t.chunks = append(t.chunks, new([tupleChunk]tuple))
		}
		t.made++
		ref = t.made
	}
	tp := t.at(ref)
	*tp = tuple{ends: [2]link.Endpoint{s.Src, s.Dst}, hash: hash, ref: ref}
	t.place(slot{hash, ref})
	t.used++
	return tp
}

func (t *tuples) place(s slot) {
	mask := uint32(len(t.slots) - 1)
	i := s.hash & mask
	for t.slots[i].ref != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = s
}

func (t *tuples) grow() {
	old := t.slots
	t.slots = make([]slot, 2*len(old))
	for _, s := range old {
		if s.ref != 0 {
			t.place(s)
		}
	}
}

// remove forgets a tuple that is not in the list of ended ones.
func (t *tuples) remove(tp *tuple) {
	ref := tp.ref
	mask := uint32(len(t.slots) - 1)
	i := tp.hash & mask
	for t.slots[i].ref != ref {
		i = (i + 1) & mask
	}
	// Move later slots of the run back into the hole, so that no run breaks.
	for j := (i + 1) & mask; t.slots[j].ref != 0; j = (j + 1) & mask {
		home := t.slots[j].hash & mask
		if (j-home)&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = slot{}
	t.used--
	*tp = tuple{next: t.free}
	t.free = ref
}

// retire puts a tuple at the end of the list of ended ones.
func (t *tuples) retire(tp *tuple) {
	tp.prev, tp.next = t.ended.tail, 0
	if t.ended.tail != 0 {
		t.at(t.ended.tail).next = tp.ref
	} else {
		t.ended.head = tp.ref
	}
	t.ended.tail = tp.ref
	t.ended.n++
}

// revive takes a tuple out of the list of ended ones.
func (t *tuples) revive(tp *tuple) {
	if tp.prev != 0 {
		t.at(tp.prev).next = tp.next
	} else {
		t.ended.head = tp.next
	}
	if tp.next != 0 {
		t.at(tp.next).prev = tp.prev
	} else {
		t.ended.tail = tp.prev
	}
	tp.prev, tp.next = 0, 0
	t.ended.n--
}
