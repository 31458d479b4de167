package slice

import (
	"encoding/binary"

	"github.com/mqttriage/mqttriage/decode/link"
)

// sumAt is the ones' complement sum of bytes that lie at an offset in what is
// summed up (RFC 1071), folded to 16 bits.
func sumAt(p []byte, at int) uint16 {
	var sum uint64
	if at&1 != 0 && len(p) > 0 {
		sum = uint64(p[0])
		p = p[1:]
	}
	for ; len(p) >= 2; p = p[2:] {
		sum += uint64(p[0])<<8 | uint64(p[1])
	}
	if len(p) == 1 {
		sum += uint64(p[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// update changes a checksum for bytes whose sum was one and is another now (RFC
// 1624). A checksum that was right stays right, and whatever is summed up with the
// checksum in it keeps its sum: outer checksums stay right too.
func update(checksum []byte, before, after uint16) {
	sum := uint32(^binary.BigEndian.Uint16(checksum)) + uint32(^before) + uint32(after)
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(checksum, ^uint16(sum))
}

const (
	tcpHeader   = 20
	maxTCP      = 60
	tcpChecksum = 16
)

// tcpAt finds the TCP header of a segment whose payload lies at a place in a
// frame: the nearest place before it that has its numbers and a fitting length.
func tcpAt(frame []byte, payload int, s *link.Segment) (int, bool) {
	for n := tcpHeader; n <= maxTCP && n <= payload; n += 4 {
		h := frame[payload-n:]
		if int(h[12]>>4)*4 == n && binary.BigEndian.Uint16(h) == s.Src.Port && binary.BigEndian.Uint16(h[2:]) == s.Dst.Port &&
			binary.BigEndian.Uint32(h[4:]) == s.Seq && binary.BigEndian.Uint32(h[8:]) == s.Ack {
			return payload - n, true
		}
	}
	return 0, false
}

// fixTCP mends the TCP checksum of a frame whose payload was changed. The TCP
// header is of an even length, so that the payload's sum counts as it is.
func fixTCP(frame []byte, payload int, s *link.Segment, before, after uint16) {
	if at, ok := tcpAt(frame, payload, s); ok {
		update(frame[at+tcpChecksum:], before, after)
	}
}
