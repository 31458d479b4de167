package link

import "encoding/binary"

const loopbackHeader = 4

// Address families of IPv4, the same everywhere, and of IPv6.
const (
	familyIPv4        = 2  // AF_INET
	familyIPv6        = 10 // AF_INET6 on Linux
	familyIPv6BSD     = 24 // on NetBSD and OpenBSD
	familyIPv6FreeBSD = 28
	familyIPv6Darwin  = 30 // on macOS

	// maxFamily bounds the families: what is greater is none.
	maxFamily = 0xff
)

// loopback goes on by the address family in front of a packet
// (https://www.tcpdump.org/linktypes/LINKTYPE_NULL.html). It is in the byte order
// of the host that captured, which nothing names, or in that of the network
// (LINKTYPE_LOOP). Families are small, so that the order shows by where the
// zeros are.
func (d *Decoder) loopback(f frame, s *Segment) Reason {
	if len(f.data) < loopbackHeader {
		return Malformed
	}
	family := binary.LittleEndian.Uint32(f.data)
	if f.data[0] == 0 && f.data[1] == 0 {
		family = binary.BigEndian.Uint32(f.data)
	}
	if family > maxFamily {
		return Malformed
	}
	switch f = f.skip(loopbackHeader); family {
	case familyIPv4:
		return d.ipv4(f, s)
	case familyIPv6, familyIPv6BSD, familyIPv6FreeBSD, familyIPv6Darwin:
		return d.ipv6(f, s)
	}
	return NotIP
}
