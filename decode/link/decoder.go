package link

import (
	"encoding/binary"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/mqttriage/mqttriage/capture"
)

// EtherTypes that lead to IP.
const (
	etherIPv4   = 0x0800
	etherIPv6   = 0x86dd
	etherVLAN   = 0x8100 // IEEE 802.1Q
	etherQinQ   = 0x88a8 // IEEE 802.1ad
	etherQinQ91 = 0x9100 // QinQ before 802.1ad
)

const (
	sllHeader  = 16
	sll2Header = 20
	snapHeader = 8

	// maxTags bounds a stack of VLAN tags, so that a frame of nothing but
	// tags costs no more than any other.
	maxTags = 8
)

// Decoder takes frames apart. It keeps the layers it decodes into, so that a
// frame costs no allocation; it is not safe for concurrent use.
type Decoder struct {
	ethernet  layers.Ethernet
	tag       layers.Dot1Q
	loopback  layers.Loopback
	ip4       layers.IPv4
	extension layers.IPv6ExtensionSkipper
	tcp       layers.TCP
}

// NewDecoder returns a Decoder.
func NewDecoder() *Decoder { return new(Decoder) }

// Decode fills s with the TCP segment that p carries and returns OK, or says
// why there is none; s is then undefined. A frame that was cut within the TCP
// options still gives a segment, without payload: its ports, numbers and flags
// are all there. s.Payload lies in p.Data.
func (d *Decoder) Decode(p *capture.Packet, s *Segment) Reason {
	if r, ok := fast(p, s); ok {
		return r
	}
	return d.layers(p, s)
}

// layers decodes layer by layer.
func (d *Decoder) layers(p *capture.Packet, s *Segment) Reason {
	f := frame{data: p.Data, wire: max(p.Length, len(p.Data))}
	r := d.link(p.Link, f, s)
	if r == Malformed && len(p.Data) < p.Length {
		// Whatever is missing here may have been cut off.
		return Cut
	}
	return r
}

// frame is what is left of a frame: the captured bytes, and how many there
// were on the wire, never fewer.
type frame struct {
	data []byte
	wire int
}

// skip drops n bytes of header; n is at most len(f.data).
func (f frame) skip(n int) frame { return frame{f.data[n:], f.wire - n} }

// limit drops what lies beyond n bytes: padding, trailers.
func (f frame) limit(n int) frame {
	if n < f.wire {
		f.wire = n
	}
	if n < len(f.data) {
		f.data = f.data[:n]
	}
	return f
}

// link undoes the link layer. The types are compared as the 16-bit numbers
// that they are: gopacket's LinkType has 8 bits, and 276 would become 20.
func (d *Decoder) link(t capture.LinkType, f frame, s *Segment) Reason {
	switch t {
	case capture.LinkEN10MB:
		if d.ethernet.DecodeFromBytes(f.data, gopacket.NilDecodeFeedback) != nil {
			return Malformed
		}
		return d.ether(binary.BigEndian.Uint16(f.data[12:]), f.skip(len(d.ethernet.Contents)), s)
	case capture.LinkLinuxSLL:
		// Not by gopacket: it slices by the address length field, which is
		// beyond the header for InfiniBand and anything in hostile files.
		if len(f.data) < sllHeader {
			return Malformed
		}
		return d.ether(binary.BigEndian.Uint16(f.data[14:]), f.skip(sllHeader), s)
	case capture.LinkLinuxSLL2:
		if len(f.data) < sll2Header {
			return Malformed
		}
		return d.ether(binary.BigEndian.Uint16(f.data), f.skip(sll2Header), s)
	case capture.LinkNull, capture.LinkLoop:
		if d.loopback.DecodeFromBytes(f.data, gopacket.NilDecodeFeedback) != nil {
			return Malformed
		}
		f = f.skip(len(d.loopback.Contents))
		switch d.loopback.Family {
		case layers.ProtocolFamilyIPv4:
			return d.ipv4(f, s)
		case 10, layers.ProtocolFamilyIPv6BSD, layers.ProtocolFamilyIPv6FreeBSD, layers.ProtocolFamilyIPv6Darwin:
			// AF_INET6 is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on
			// FreeBSD, 30 on macOS.
			return d.ipv6(f, s)
		}
		return NotIP
	case capture.LinkRaw, capture.LinkRawBSD, capture.LinkRawOpenBSD:
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
	case capture.LinkIPv4:
		return d.ipv4(f, s)
	case capture.LinkIPv6:
		return d.ipv6(f, s)
	}
	return UnknownLink
}

// ether goes on by EtherType, through VLAN tags and an LLC/SNAP header.
func (d *Decoder) ether(t uint16, f frame, s *Segment) Reason {
	for range maxTags {
		switch {
		case t == etherIPv4:
			return d.ipv4(f, s)
		case t == etherIPv6:
			return d.ipv6(f, s)
		case t == etherVLAN, t == etherQinQ, t == etherQinQ91:
			if d.tag.DecodeFromBytes(f.data, gopacket.NilDecodeFeedback) != nil {
				return Malformed
			}
			t, f = uint16(d.tag.Type), f.skip(len(d.tag.Contents))
		case t < 0x0600:
			// IEEE 802.3: a length, then LLC; IP comes in SNAP (RFC 1042).
			f = f.limit(int(t))
			if len(f.data) < snapHeader && f.wire >= snapHeader {
				return Malformed
			}
			if f.wire < snapHeader || [6]byte(f.data) != [6]byte{0xaa, 0xaa, 0x03} {
				return NotIP
			}
			t, f = binary.BigEndian.Uint16(f.data[6:]), f.skip(snapHeader)
			if t < 0x0600 {
				return NotIP
			}
		default:
			return NotIP
		}
	}
	return Malformed
}
