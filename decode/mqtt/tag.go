package mqtt

import "hash/maphash"

// tagSeed is drawn once per process: a tag cannot be looked up in a table made
// beforehand, and says nothing in another run.
var tagSeed = maphash.MakeSeed()

// tagOf is the tag of a value that is present, empty or not.
func tagOf(value []byte) Tag {
	return presentTag(maphash.Bytes(tagSeed, value))
}

// packetTag is the tag of a whole packet. The length counts too, since of a
// packet that is too large only the beginning is there.
func packetTag(fr Frame) Tag {
	head := uint64(fr.Length)<<8 | uint64(fr.Type)<<4 | uint64(fr.Flags)
	return presentTag(maphash.Bytes(tagSeed, fr.Body) ^ head*spread)
}

// spread is 2^64 divided by the golden ratio: small numbers times it differ in
// all their bits.
const spread = 0x9e3779b97f4a7c15

// presentTag keeps 0 for absent values.
func presentTag(sum uint64) Tag {
	if sum == 0 {
		return 1
	}
	return Tag(sum)
}
