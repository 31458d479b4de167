package mqtt

import (
	"encoding/binary"
	"hash/maphash"
)

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
	var h maphash.Hash
	h.SetSeed(tagSeed)
	var head [9]byte
	head[0] = byte(fr.Type)<<4 | fr.Flags
	binary.BigEndian.PutUint64(head[1:], uint64(fr.Length))
	h.Write(head[:])
	h.Write(fr.Body)
	return presentTag(h.Sum64())
}

// presentTag keeps 0 for absent values.
func presentTag(sum uint64) Tag {
	if sum == 0 {
		return 1
	}
	return Tag(sum)
}
