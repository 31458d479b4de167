package analyze

import "hash/maphash"

// seenSet counts different values. It remembers the latest of them, at most so many, by
// a hash under a random seed: values that nobody has chosen collide once in 2^64.
type seenSet[T comparable] struct {
	known map[uint64]struct{}
	// order holds the known ones, from next on as they came, and then those before it.
	order      []uint64
	next, most int
	// count is how many different ones were added; one that was forgotten counts again.
	count, evicted int
}

func newSeenSet[T comparable](most int) seenSet[T] {
	return seenSet[T]{known: map[uint64]struct{}{}, most: most}
}

func (s *seenSet[T]) add(v T) {
	h := maphash.Comparable(seed, v)
	if _, ok := s.known[h]; ok {
		return
	}
	s.count++
	s.known[h] = struct{}{}
	if len(s.order) < s.most {
		s.order = append(s.order, h)
		return
	}
	delete(s.known, s.order[s.next])
	s.order[s.next] = h
	s.next = (s.next + 1) % len(s.order)
	s.evicted++
}
