package analyze

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"

	"github.com/mqttriage/mqttriage/decode"
)

// byTime returns the places of the sessions in order of time.
//
// Sessions lie far apart in memory, and to compare two of so many costs more
// than anything that is done with them. So what is sorted is one word each: the
// time above the place.
func byTime(sessions []*decode.Session) []uint64 {
	if len(sessions) == 0 {
		return nil
	}
	least, most := sessions[0].Opened.Nano, sessions[0].Opened.Nano
	for _, s := range sessions {
		least, most = min(least, s.Opened.Nano), max(most, s.Opened.Nano)
	}
	placeBits := bits.Len(uint(len(sessions)))
	timeBits := bits.Len64(uint64(most) - uint64(least))
	// What does not fit is left out of the time: a microsecond in a year.
	coarse := max(0, timeBits+placeBits-64)
	keys := make([]uint64, len(sessions))
	for i, s := range sessions {
		keys[i] = (uint64(s.Opened.Nano)-uint64(least))>>coarse<<placeBits | uint64(i)
	}
	sortKeys(keys, placeBits, placeBits+timeBits-coarse)

	place := uint64(1)<<placeBits - 1
	for from := 0; from < len(keys); {
		moment, to := keys[from]&^place, from
		for ; to < len(keys) && keys[to]&^place == moment; to++ {
			keys[to] &= place
		}
		if to-from > 1 {
			slices.SortFunc(keys[from:to], func(x, y uint64) int { return compareSessions(sessions[x], sessions[y]) })
		}
		from = to
	}
	return keys
}

// compareSessions orders sessions by time and, where that does not tell, so that
// the order is the same however they came.
func compareSessions(x, y *decode.Session) int {
	if c := cmp.Compare(x.Opened.Nano, y.Opened.Nano); c != 0 {
		return c
	}
	if c := strings.Compare(x.Origin.Capture, y.Origin.Capture); c != 0 {
		return c
	}
	if c := cmp.Compare(x.Opened.Packet, y.Opened.Packet); c != 0 {
		return c
	}
	if c := strings.Compare(x.ID(), y.ID()); c != 0 {
		return c
	}
	return x.Client.Compare(y.Client)
}

// sortKeys sorts different keys by their bits from a first one up to a last one,
// where the bits below are in order already: digit by digit from the lowest
// (radix sort), for hundreds of thousands a fraction of the work of comparing.
func sortKeys(keys []uint64, first, last int) {
	const digit = 11
	if len(keys) < 1<<digit {
		slices.Sort(keys)
		return
	}
	if slices.IsSorted(keys) {
		return
	}
	from, to := keys, make([]uint64, len(keys))
	for shift := first; shift < last; shift += digit {
		var ends [1 << digit]int // of the keys with each digit, in to
		for _, k := range from {
			ends[k>>shift%(1<<digit)]++
		}
		sum := 0
		for d, n := range ends {
			ends[d], sum = sum, sum+n
		}
		for _, k := range from {
			d := k >> shift % (1 << digit)
			to[ends[d]] = k
			ends[d]++
		}
		from, to = to, from
	}
	copy(keys, from)
}

// sortByTime sorts by a time in nanoseconds, and keeps the order of what is of one
// time.
func sortByTime[T any](list []T, time func(T) int64) {
	if slices.IsSortedFunc(list, func(x, y T) int { return cmp.Compare(time(x), time(y)) }) {
		return
	}
	type key struct {
		time  int64
		place int
	}
	keys := make([]key, len(list))
	for i, item := range list {
		keys[i] = key{time(item), i}
	}
	slices.SortFunc(keys, func(x, y key) int {
		if x.time != y.time {
			return cmp.Compare(x.time, y.time)
		}
		return x.place - y.place
	})
	unsorted := slices.Clone(list)
	for i, k := range keys {
		list[i] = unsorted[k.place]
	}
}
