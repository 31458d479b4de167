package tcp

import (
	"time"

	"github.com/mqttriage/mqttriage/decode/link"
)

const (
	// copyDelay is how long a packet may take to the next point where it is
	// captured: another interface of the host, a mirror port of a busy switch, the
	// other end of a tunnel. A host that sends a segment again waits for 200 ms or
	// more, and gives it another identification.
	copyDelay = int64(100 * time.Millisecond)
	// bareCopyDelay is the same for packets without an identification: less
	// than the 10 ms after which a host probes for a lost tail (RFC 8985 §7.2).
	bareCopyDelay = int64(2 * time.Millisecond)
)

// sighting is a segment as it was seen, by all that tells it from another.
type sighting struct {
	tuple       uint32
	seq, ack    uint32
	length      uint32
	window, id  uint16
	flags       link.Flags
	dir         uint8
	hasSighting bool
}

// copies remembers the latest segments, to recognise one that was captured at
// several points: a mirror port sees it come and go, "any" sees it on every
// interface. It is a cache of sets: a segment is looked for in one, and takes the
// place of the oldest there.
type copies [1 << setBits]struct {
	seen [4]struct {
		sighting
		nano int64
	}
	oldest uint8
}

const setBits = 9

// repeats reports whether a segment of a tuple was captured just before, and
// remembers it.
func (k *copies) repeats(tp *tuple, dir uint8, s *link.Segment, now int64) bool {
	this := sighting{tp.ref, s.Seq, s.Ack, uint32(s.Length), s.Window, s.ID, s.Flags, dir, true}
	// Not the tuple's hash, which is another in each run.
	mixed := (s.Seq ^ s.Ack*3 ^ uint32(s.Src.Low)*5 ^ uint32(s.Dst.Low)*7 ^ uint32(s.Src.Port)<<16 ^ uint32(s.Dst.Port)) * 0x9e3779b1
	set := &k[mixed>>(32-setBits)]
	delay := copyDelay
	if s.ID == 0 && s.Flags&(link.SYN|link.RST) == 0 { // these are not sent again so soon
		delay = bareCopyDelay
	}
	for i := range set.seen {
		if since := now - set.seen[i].nano; set.seen[i].sighting == this && since >= -delay && since <= delay {
			return true
		}
	}
	place := &set.seen[set.oldest]
	place.sighting, place.nano = this, now
	set.oldest = (set.oldest + 1) % uint8(len(set.seen))
	return false
}
