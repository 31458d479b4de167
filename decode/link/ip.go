package link

import (
	"encoding/binary"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// IP protocol numbers, which are IPv6's next-header numbers too.
const (
	protoHopByHop    = 0
	protoTCP         = 6
	protoUDP         = 17
	protoRouting     = 43
	protoFragment    = 44
	protoAH          = 51
	protoDestination = 60
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

func (d *Decoder) ipv4(f frame, s *Segment) Reason {
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
	if d.ip4.Flags&layers.IPv4MoreFragments != 0 || d.ip4.FragOffset != 0 {
		return Fragment
	}
	// The header's length may exceed the frame's when a capture was edited or
	// cut without its record saying so; what is missing counts as cut off.
	f.wire = max(f.wire, total)
	f = f.limit(total).skip(len(d.ip4.Contents))
	s.Src, s.Dst = endpoint4(d.ip4.SrcIP, 0), endpoint4(d.ip4.DstIP, 0)
	return d.upper(uint8(d.ip4.Protocol), f, s)
}

// ipv6 reads the fixed header itself: gopacket decodes a hop-by-hop header
// along with it, which allocates for every option, does not trim the padding
// behind it, and refuses a payload length of 0.
func (d *Decoder) ipv6(f frame, s *Segment) Reason {
	if len(f.data) < ipv6Header || f.data[0]>>4 != 6 {
		return Malformed
	}
	s.Src, s.Dst = endpoint6(f.data[8:], 0), endpoint6(f.data[24:], 0)
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

// upper, with the addresses in s, follows extension headers (RFC 8200 §4) to TCP. The authentication
// header (RFC 4302) occurs in IPv4 as well.
func (d *Decoder) upper(next uint8, f frame, s *Segment) Reason {
	for range maxExtensions {
		switch next {
		case protoTCP:
			return d.segment(f, s)
		case protoUDP:
			return datagram(f, s)
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
			// Offset 0 without more fragments is an "atomic" fragment, which
			// is complete (RFC 6946).
			if binary.BigEndian.Uint16(f.data[2:])&^6 != 0 {
				return Fragment
			}
			next, f = f.data[0], f.skip(fragmentHeader)
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

// datagram fills the Segment with a UDP datagram (RFC 768).
func datagram(f frame, s *Segment) Reason {
	const header = 8
	if len(f.data) < header {
		return Malformed
	}
	s.Src.Port, s.Dst.Port = binary.BigEndian.Uint16(f.data), binary.BigEndian.Uint16(f.data[2:])
	s.Payload = f.data[header:]
	s.Length = f.wire - header
	return UDP
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
