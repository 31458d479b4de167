package analyze

// numberSet is a set of numbers below a bound, with each one's place in the order
// in which they came. Emptying it costs nothing, however large it was (Briggs and
// Torczon, "An efficient representation for sparse sets", 1993).
type numberSet struct {
	// places says where a number is in list, if it is there.
	places, list []uint32
}

func newNumberSet(bound int) numberSet { return numberSet{places: make([]uint32, bound)} }

func (s *numberSet) empty() { s.list = s.list[:0] }

func (s *numberSet) has(n uint32) bool {
	p := s.places[n]
	return int(p) < len(s.list) && s.list[p] == n
}

// add returns the number's place, and whether it is new.
func (s *numberSet) add(n uint32) (place int, fresh bool) {
	if s.has(n) {
		return int(s.places[n]), false
	}
	s.places[n] = uint32(len(s.list))
	s.list = append(s.list, n)
	return len(s.list) - 1, true
}

// bitSet is a set of numbers below a bound, a bit each.
type bitSet []uint64

func newBitSet(bound int) bitSet { return make(bitSet, (bound+63)/64) }

func (b bitSet) has(n uint32) bool { return b[n/64]>>(n%64)&1 != 0 }
func (b bitSet) add(n uint32)      { b[n/64] |= 1 << (n % 64) }
func (b bitSet) remove(n uint32)   { b[n/64] &^= 1 << (n % 64) }
