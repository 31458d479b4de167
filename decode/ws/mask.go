package ws

import "encoding/binary"

// unmask writes src, masked with the key, to dst, which may be src (RFC 6455
// §5.3), and returns the key as it goes on behind src.
func unmask(dst, src []byte, key [4]byte) [4]byte {
	word := uint64(binary.LittleEndian.Uint32(key[:]))
	word |= word << 32
	next := turn(key, int64(len(src)))
	for len(src) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^word)
		dst, src = dst[8:], src[8:]
	}
	for i, b := range src {
		dst[i] = b ^ key[i&3]
	}
	return next
}

// turn is the key as it goes on behind n bytes.
func turn(key [4]byte, n int64) [4]byte {
	n &= 3
	return [4]byte{key[n], key[(n+1)&3], key[(n+2)&3], key[(n+3)&3]}
}
