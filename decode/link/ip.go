package link

import "encoding/binary"

// IP protocol numbers, which are IPv6's next-header numbers too.
const (
	protoHopByHop    = 0
	protoIPv4        = 4 // RFC 2003, RFC 2473
	protoTCP         = 6
	protoUDP         = 17
	protoIPv6        = 41 // RFC 4213, RFC 2473
	protoRouting     = 43
	protoFragment    = 44
	protoGRE         = 47
	protoAH          = 51
	protoDestination = 60
	protoMPLS        = 137 // RFC 4023
)

const (
	ipv4Header     = 20
	ipv6Header     = 40
	fragmentHeader = 8
	ahHeader       = 12

	// extensionUnit is the unit of an IPv6 extension header's length, and the
	// least of them.
	extensionUnit = 8

	// maxExtensions bounds a chain of IPv6 extension headers. RFC 8200 §4.1
	// foresees seven.
	maxExtensions = 8

	// maxDatagram is the longest datagram believed when its header gives no
	// length and the frame's must do. Linux makes none above 512 KiB.
	maxDatagram = 1 << 20
)

// ip goes on in an IP packet of the version that its first four bits say.
func (d *Decoder) ip(f frame, s *Segment) Reason {
	if len(f.data) == 0 {
		return Malformed
	}
	switch f.data[0] >> 4 {
	case 4:
		return d.ipv4(f, s)
	case 6:
		return d.ipv6(f, s)
	}
	return NotIP
}

// Bits of the flags and the fragment offset of an IPv4 header (RFC 791 §3.1).
const (
	moreFragments  = 0x2000
	fragmentOffset = 0x1fff // in units of eight bytes
	// fragmented are the bits that only fragments have.
	fragmented = moreFragments | fragmentOffset
)

func (d *Decoder) ipv4(f frame, s *Segment) Reason {
	if d.tooDeep() {
		return TooDeep
	}
	if len(f.data) < ipv4Header {
		return Malformed
	}
	b := f.data
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 {
		// The interface was to segment it (TSO), and to fill this in.
		total = f.wire
		if total > maxDatagram {
			return Malformed
		}
	}
	if b[0]>>4 != 4 || header < ipv4Header || header > total || header > len(b) || !options4(b[ipv4Header:header]) {
		return Malformed
	}
	// The header's length may exceed the frame's when a capture was edited or
	// cut without its record saying so; what is missing counts as cut off.
	f.wire = max(f.wire, total)
	f = f.limit(total).skip(header)
	s.Src, s.Dst = endpoint4(b[12:], 0), endpoint4(b[16:], 0)
	s.ID = binary.BigEndian.Uint16(b[4:])
	protocol := b[9]
	if position := binary.BigEndian.Uint16(b[6:]); position&fragmented != 0 {
		offset, more := int(position&fragmentOffset)*8, position&moreFragments != 0
		k := keyOf(s, 4, protocol, uint32(s.ID))
		return d.fragment(k, fragment{frame: f, offset: offset, more: more, protocol: protocol}, s)
	}
	return d.upper(protocol, f, s)
}

func (d *Decoder) ipv6(f frame, s *Segment) Reason {
	if d.tooDeep() {
		return TooDeep
	}
	if len(f.data) < ipv6Header || f.data[0]>>4 != 6 {
		return Malformed
	}
	s.Src, s.Dst = endpoint6(f.data[8:], 0), endpoint6(f.data[24:], 0)
	s.ID = 0
	next, length := f.data[6], int(binary.BigEndian.Uint16(f.data[4:]))
	f = f.skip(ipv6Header)
	if length == 0 {
		// A jumbogram (RFC 2675), or one the interface was to segment.
		length = f.wire
		if length > maxDatagram {
			return Malformed
		}
	}
	f.wire = max(f.wire, length)
	return d.upper(next, f.limit(length), s)
}

// upper, with the addresses in s, follows extension headers (RFC 8200 §4) to
// TCP or into a tunnel. The authentication header (RFC 4302) occurs in IPv4 as
// well.
func (d *Decoder) upper(next uint8, f frame, s *Segment) Reason {
	for range maxExtensions {
		switch next {
		case protoTCP:
			return segment(f, s)
		case protoUDP:
			return d.datagram(f, s)
		case protoIPv4:
			return d.ipv4(f, s)
		case protoIPv6:
			return d.ipv6(f, s)
		case protoGRE:
			return d.gre(f, s)
		case protoMPLS:
			return d.mpls(f, s)
		case protoHopByHop, protoRouting, protoDestination:
			// Any type of routing header, and whatever the options: the length is
			// in the same place.
			if len(f.data) < extensionUnit {
				return Malformed
			}
			n := (int(f.data[1]) + 1) * extensionUnit
			if n > len(f.data) {
				return Malformed
			}
			next, f = f.data[0], f.skip(n)
		case protoFragment:
			if len(f.data) < fragmentHeader {
				return Malformed
			}
			position := binary.BigEndian.Uint16(f.data[2:])
			offset, more := int(position&^7), position&1 != 0
			k := keyOf(s, 6, 0, binary.BigEndian.Uint32(f.data[4:]))
			next, f = f.data[0], f.skip(fragmentHeader)
			// Neither is an "atomic" fragment, which is complete (RFC 6946).
			if offset != 0 || more {
				return d.fragment(k, fragment{frame: f, offset: offset, more: more, protocol: next}, s)
			}
		case protoAH:
			if len(f.data) < ahHeader {
				return Malformed
			}
			n := (int(f.data[1]) + 2) * 4
			if n < ahHeader || n > len(f.data) {
				return Malformed
			}
			next, f = f.data[0], f.skip(n)
		default:
			return NotTCP
		}
	}
	return Malformed
}
