package mqttriage_test

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// The rewritings of IP and TCP headers: they change a datagram, or make several
// of one.

// one makes a rewriting of one that gives several.
func one(change func([]byte) []byte) func([]byte) [][]byte {
	return func(b []byte) [][]byte { return [][]byte{change(slices.Clone(b))} }
}

// fragmented4 divides an IPv4 datagram (RFC 791 §3.2) into fragments of size
// bytes, a multiple of 8.
func fragmented4(size int) func([]byte) [][]byte {
	return func(b []byte) (parts [][]byte) {
		header, body := split4(b)
		for at := 0; at < len(body); at += size {
			part := slices.Clone(header)
			flags := uint16(at / 8)
			n := min(size, len(body)-at)
			if at+n < len(body) {
				flags |= 0x2000
			}
			binary.BigEndian.PutUint16(part[2:], uint16(len(part)+n))
			binary.BigEndian.PutUint16(part[6:], flags)
			parts = append(parts, be(seal4(part), body[at:at+n]))
		}
		return parts
	}
}

// fragmented6 does so with an IPv6 datagram (RFC 8200 §4.5).
func fragmented6(size int) func([]byte) [][]byte {
	id := uint32(0x1000)
	return func(b []byte) (parts [][]byte) {
		id++
		header, body := b[:40], b[40:]
		for at := 0; at < len(body); at += size {
			n := min(size, len(body)-at)
			offset := uint16(at)
			if at+n < len(body) {
				offset |= 1
			}
			part := be(header, header[6], byte(0), offset, id, body[at:at+n])
			part[6] = 44
			binary.BigEndian.PutUint16(part[4:], uint16(len(part)-40))
			parts = append(parts, part)
		}
		return parts
	}
}

// backwards turns the order of the fragments around.
func backwards(divide func([]byte) [][]byte) func([]byte) [][]byte {
	return func(b []byte) [][]byte {
		parts := divide(b)
		slices.Reverse(parts)
		return parts
	}
}

// doubled has every fragment twice.
func doubled(divide func([]byte) [][]byte) func([]byte) [][]byte {
	return func(b []byte) (parts [][]byte) {
		for _, part := range divide(b) {
			parts = append(parts, part, part)
		}
		// The last one would begin another datagram.
		return parts[:len(parts)-1]
	}
}

// withOptions4 gives an IPv4 datagram options: a router alert and what fills
// up the header to its full length.
func withOptions4(b []byte) []byte {
	header, body := split4(b)
	header = be(header, []byte{0x94, 4, 0, 0}, bytes.Repeat([]byte{1}, 36))
	header[0] = 0x4f
	binary.BigEndian.PutUint16(header[2:], uint16(len(header)+len(body)))
	return be(seal4(header), body)
}

// extended6 puts extension headers before TCP: hop-by-hop options, destination
// options, a routing header and an atomic fragment (RFC 8200 §4, RFC 6946).
func extended6(b []byte) []byte {
	out := be(b[:40],
		[]byte{60, 0, 1, 4, 0, 0, 0, 0},
		[]byte{43, 1, 1, 12}, make([]byte, 12),
		[]byte{44, 2, 4, 0, 0, 0, 0, 0}, b[24:40],
		[]byte{b[6], 0, 0, 0, 0, 0, 0, 1}, b[40:])
	out[6] = 0
	binary.BigEndian.PutUint16(out[4:], uint16(len(out)-40))
	return out
}

// withoutLength has the interface fill in the length (TSO).
func withoutLength(b []byte) []byte {
	if b[0]>>4 == 6 {
		binary.BigEndian.PutUint16(b[4:], 0)
		return b
	}
	header, body := split4(b)
	binary.BigEndian.PutUint16(header[2:], 0)
	return be(seal4(header), body)
}

// withChecksums writes others into IPv4's header and TCP's.
func withChecksums(ip, tcp uint16) func([]byte) []byte {
	return func(b []byte) []byte {
		at := 40
		if b[0]>>4 == 4 {
			at = int(b[0]&0xf) * 4
			binary.BigEndian.PutUint16(b[10:], ip)
		}
		binary.BigEndian.PutUint16(b[at+16:], tcp)
		return b
	}
}

// withTCPOptions gives every segment these options in place of its own.
func withTCPOptions(options ...byte) func(conversation) conversation {
	return func(c conversation) conversation {
		c = slices.Clone(c)
		for i := range c {
			c[i].options = options
		}
		return c
	}
}

// strange are TCP options that nothing knows, MPTCP's, and a user timeout.
var strange = slices.Concat(
	[]byte{1, 1}, []byte{253, 10, 1, 2, 3, 4, 5, 6, 7, 8}, []byte{30, 12, 0, 0x81, 1, 2, 3, 4, 5, 6, 7, 8},
	[]byte{28, 4, 0x80, 1}, []byte{254, 8, 0xde, 0xad, 0xbe, 0xef, 0, 0}, []byte{1, 1, 1, 0})
