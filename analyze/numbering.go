package analyze

import (
	"hash/maphash"
	"net/netip"

	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// A numbering numbers keys from 1 on as they come: equal keys have one number. Sets
// of them are then arrays and need no hashing. It costs a few bytes for each where
// a map would cost a hundred.
type numbering[K any] struct {
	hash func(K) uint64
	same func(x, y K) bool
	// keys are by number; that of 0 is none.
	keys []K
	// slots is a hash table of the numbers, with linear probing.
	slots []uint32
}

// The seed keeps a capture from being made so that all its keys collide.
var seed = maphash.MakeSeed()

// numberIDs numbers CONNECTs by their client ID. Equal ones are mostly one.
func numberIDs() *numbering[*mqtt.Connect] {
	return newNumbering(
		func(c *mqtt.Connect) uint64 { return maphash.String(seed, c.ClientID) },
		func(x, y *mqtt.Connect) bool { return x == y || x.ClientID == y.ClientID },
	)
}

func numberAddresses() *numbering[netip.Addr] {
	return newNumbering(
		func(a netip.Addr) uint64 {
			return maphash.Comparable(seed, a)
		},
		func(x, y netip.Addr) bool { return x == y },
	)
}

// numberUsers numbers the tags of user names, which are hashes under a random key.
func numberUsers() *numbering[mqtt.Tag] {
	return newNumbering(
		func(t mqtt.Tag) uint64 { return uint64(t) },
		func(x, y mqtt.Tag) bool { return x == y },
	)
}

func newNumbering[K any](hash func(K) uint64, same func(x, y K) bool) *numbering[K] {
	return &numbering[K]{hash: hash, same: same, keys: make([]K, 1), slots: make([]uint32, 64)}
}

// count is how many numbers there are, 0 included.
func (n *numbering[K]) count() int { return len(n.keys) }

// number returns the number of a key, which it gives it where it has none.
func (n *numbering[K]) number(k K) uint32 {
	slot := n.find(k)
	if n.slots[slot] == 0 {
		if 2*len(n.keys) > len(n.slots) {
			n.grow()
			slot = n.find(k)
		}
		n.slots[slot] = uint32(len(n.keys))
		n.keys = append(n.keys, k)
	}
	return n.slots[slot]
}

// known returns the number of a key, 0 where it has none.
func (n *numbering[K]) known(k K) uint32 { return n.slots[n.find(k)] }

// find returns the slot of a key, an empty one where it has none.
func (n *numbering[K]) find(k K) int {
	last := len(n.slots) - 1
	slot := int(n.hash(k)) & last
	for n.slots[slot] != 0 && !n.same(n.keys[n.slots[slot]], k) {
		slot = (slot + 1) & last
	}
	return slot
}

func (n *numbering[K]) grow() {
	n.slots = make([]uint32, 2*len(n.slots))
	for i, k := range n.keys[1:] {
		n.slots[n.find(k)] = uint32(i + 1)
	}
}
