package link

import (
	"encoding/binary"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

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
	tcpHeader      = 20

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

func (d *Decoder) ipv4(f frame, s *Segment) Reason {
	if d.tooDeep() {
		return TooDeep
	}
	if len(f.data) < ipv4Header {
		return Malformed
	}
	total := int(binary.BigEndian.Uint16(f.data[2:]))
	if total == 0 {
		// The interface was to segment it (TSO), and to fill this in.
		total = f.wire
		if total > maxDatagram {
			return Malformed
		}
	}
	// A shorter slice, because gopacket puts the length of what it is given
	// into 16 bits when the header says 0.
	header := f.data[:min(len(f.data), 0xffff)]
	if d.ip4.DecodeFromBytes(header, gopacket.NilDecodeFeedback) != nil || d.ip4.Version != 4 {
		return Malformed
	}
	// The header's length may exceed the frame's when a capture was edited or
	// cut without its record saying so; what is missing counts as cut off.
	f.wire = max(f.wire, total)
	f = f.limit(total).skip(len(d.ip4.Contents))
	s.Src, s.Dst = endpoint4(d.ip4.SrcIP, 0), endpoint4(d.ip4.DstIP, 0)
	s.ID = d.ip4.Id
	protocol := uint8(d.ip4.Protocol)
	offset, more := int(d.ip4.FragOffset)*8, d.ip4.Flags&layers.IPv4MoreFragments != 0
	if offset != 0 || more {
		k := keyOf(s, 4, protocol, uint32(s.ID))
		return d.fragment(k, fragment{frame: f, offset: offset, more: more, protocol: protocol}, s)
	}
	return d.upper(protocol, f, s)
}

// ipv6 reads the fixed header itself: gopacket decodes a hop-by-hop header
// along with it, which allocates for every option, does not trim the padding
// behind it, and refuses a payload length of 0.
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
			return d.segment(f, s)
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
			// Any type of routing header: the skipper looks only at the
			// length, where gopacket's decoder knows type 0 alone.
			if d.extension.DecodeFromBytes(f.data, gopacket.NilDecodeFeedback) != nil {
				return Malformed
			}
			next, f = uint8(d.extension.NextHeader), f.skip(len(d.extension.Contents))
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

func (d *Decoder) segment(f frame, s *Segment) Reason {
	if len(f.data) < tcpHeader {
		return Malformed
	}
	// The error is not asked for: gopacket fills the fixed header before it
	// reads options, and hosts accept segments whose options are broken.
	_ = d.tcp.DecodeFromBytes(f.data, gopacket.NilDecodeFeedback)
	header := int(d.tcp.DataOffset) * 4
	if header < tcpHeader || header > f.wire {
		return Malformed
	}
	s.Src.Port, s.Dst.Port = uint16(d.tcp.SrcPort), uint16(d.tcp.DstPort)
	s.Seq, s.Ack, s.Window = d.tcp.Seq, d.tcp.Ack, d.tcp.Window
	s.Flags = flags(&d.tcp)
	s.Payload = f.data[min(header, len(f.data)):]
	s.Length = f.wire - header
	return OK
}

func flags(t *layers.TCP) Flags {
	var f Flags
	if t.FIN {
		f |= FIN
	}
	if t.SYN {
		f |= SYN
	}
	if t.RST {
		f |= RST
	}
	if t.PSH {
		f |= PSH
	}
	if t.ACK {
		f |= ACK
	}
	return f
}
