package analyze

import (
	"cmp"
	"math/bits"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

// The same packet passes several capture points within a few milliseconds,
// even through a NAT or a tunnel; this allows for a busy one.
const copyDelay = 100 * time.Millisecond

// copies finds the sessions that are the same conversation seen at another point:
// both sides' initial sequence numbers are equal (64 random bits, RFC 9293 §3.4.1),
// so is the CONNECT or the TLS client's random value, and both were opened and ended at nearly the same time.
// Anything less is not enough: two clients that share an ID and a simple TCP stack
// can have the first two in common. The first one stays and is marked.
//
// order is the order of time; what is no broker's is no copy either.
func copies(sessions []*decode.Session, order []uint64, known *endpoints, suspects bitSet) bitSet {
	found := newBitSet(len(sessions))
	originals := map[uint64][]*decode.Session{}
	for _, i := range order {
		if !suspects.has(uint32(i)) || known.of(sessions[i]) == nil {
			continue
		}
		s := sessions[i]
		numbers, _ := sequenceNumbers(s)
		seen := originals[numbers]
		if o := slices.IndexFunc(seen, func(o *decode.Session) bool { return sameConversation(o, s) }); o >= 0 {
			if !seen[o].Has(decode.NoteDuplicate) {
				seen[o].Notes.Add(decode.NoteDuplicate)
			}
			found.add(uint32(i))
			continue
		}
		// Copies follow at once, so the last few originals are enough.
		originals[numbers] = append(seen[max(0, len(seen)-7):], s)
	}
	return found
}

// sequenceNumbers returns both sides' initial ones of a session that may have
// copies.
func sequenceNumbers(s *decode.Session) (both uint64, ok bool) {
	if s.Outcome == decode.Refused && s.Syn.Seen() {
		return uint64(s.ClientISN) << 32, s.ClientISN != 0 // there is no other
	}
	return uint64(s.ClientISN)<<32 | uint64(s.BrokerISN), s.HasISN && said(s) != 0
}

// said stands for what the client of a session said that others do not say: its
// CONNECT, else its TLS random value; 0 for neither.
func said(s *decode.Session) uint64 {
	switch {
	case s.TLS != nil:
		return s.TLS.Random
	case s.Connect != nil:
		return uint64(s.Connect.Tag)
	}
	return 0
}

func sameConversation(o, s *decode.Session) bool {
	near := func(x, y decode.Event) bool {
		return x.Seen() == y.Seen() && (!x.Seen() || x.Sub(y).Abs() <= copyDelay)
	}
	return (o.Client != s.Client || o.Broker != s.Broker || !o.Origin.Same(s.Origin)) &&
		said(o) == said(s) && o.Outcome == s.Outcome &&
		// Scanners may send one number to everybody.
		(o.Outcome != decode.Refused || o.Broker == s.Broker) &&
		near(o.Opened, s.Opened) && near(o.ConnectAt, s.ConnectAt) && near(o.ConnackAt, s.ConnackAt) && near(o.Closed, s.Closed)
}

// seenTwice returns the sessions whose sequence numbers occur more than once. Hardly
// one has a copy, and to look for it costs more than to tell for most of them that
// there is none: a bit each notes which numbers have occurred once, and again
// (Bloom, 1970).
func seenTwice(sessions []*decode.Session) bitSet {
	// With 16 bits a session, one in 16 looks as if it occurred twice. The
	// multiplier is drawn by lot, so that no capture can be made in which all do.
	size := bits.Len(uint(16*len(sessions) + 63))
	multiplier := rand.Uint64() | 1
	bit := func(numbers uint64) uint32 { return uint32(numbers * multiplier >> (64 - size)) }

	once, again := newBitSet(1<<size), newBitSet(1<<size)
	for _, s := range sessions {
		if numbers, ok := sequenceNumbers(s); !ok {
			continue
		} else if b := bit(numbers); once.has(b) {
			again.add(b)
		} else {
			once.add(b)
		}
	}
	type suspect struct {
		numbers uint64
		place   int
	}
	var suspects []suspect
	for i, s := range sessions {
		if numbers, ok := sequenceNumbers(s); ok && again.has(bit(numbers)) {
			suspects = append(suspects, suspect{numbers, i})
		}
	}
	slices.SortFunc(suspects, func(x, y suspect) int { return cmp.Compare(x.numbers, y.numbers) })
	twice := newBitSet(len(sessions))
	for i := 1; i < len(suspects); i++ {
		if x, y := suspects[i-1], suspects[i]; x.numbers == y.numbers {
			twice.add(uint32(x.place))
			twice.add(uint32(y.place))
		}
	}
	return twice
}
