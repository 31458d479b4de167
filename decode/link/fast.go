package link

import (
	"encoding/binary"

	"github.com/mqttriage/mqttriage/capture"
)

// fast decodes the frames that most captures are made of: IPv4 without options
// or IPv6 without extension headers, whole, with TCP or UDP in it but no tunnel,
// behind one of the common link layers and at most one VLAN tag. It takes two thirds of
// the time of decoding layer by layer, and says the same or reports false: the
// frame is then for the layers.
func fast(p *capture.Packet, s *Segment) (Reason, bool) {
	b := p.Data
	var skip int
	switch p.Link {
	case capture.LinkEN10MB:
		skip = 14
		if len(b) >= 18 && b[12] == etherVLAN>>8 && b[13] == etherVLAN&0xff {
			skip = 18
		}
	case capture.LinkLinuxSLL:
		skip = sllHeader
	case capture.LinkLinuxSLL2:
		skip = sll2Header
	case capture.LinkRaw:
	default:
		return 0, false
	}
	if len(b) < skip+ipv4Header+udpHeader {
		return 0, false
	}
	var ether uint16
	switch p.Link {
	case capture.LinkLinuxSLL2:
		ether = binary.BigEndian.Uint16(b)
	case capture.LinkRaw:
		ether = etherIPv4
		if b[0]>>4 == 6 {
			ether = etherIPv6
		}
	default:
		ether = binary.BigEndian.Uint16(b[skip-2:])
	}
	switch ether {
	case etherIPv4:
		return fast4(b[skip:], s)
	case etherIPv6:
		return fast6(b[skip:], s)
	}
	return 0, false
}

const (
	udpHeader = 8
	// plainIPv4 is the first byte of an IPv4 header without options.
	plainIPv4 = 4<<4 | ipv4Header/4
)

// fast4 takes a frame from its IPv4 header on.
func fast4(b []byte, s *Segment) (Reason, bool) {
	total := int(binary.BigEndian.Uint16(b[2:]))
	if b[0] != plainIPv4 || binary.BigEndian.Uint16(b[6:])&fragmented != 0 || total < ipv4Header {
		return 0, false
	}
	s.Src, s.Dst = endpoint4(b[12:16], 0), endpoint4(b[16:20], 0)
	s.ID, s.Fragments = binary.BigEndian.Uint16(b[4:]), 0
	return fastUpper(b[9], b[ipv4Header:], total-ipv4Header, s)
}

// fast6 takes a frame from its IPv6 header on.
func fast6(b []byte, s *Segment) (Reason, bool) {
	if len(b) < ipv6Header || b[0]>>4 != 6 {
		return 0, false
	}
	s.Src, s.Dst = endpoint6(b[8:24], 0), endpoint6(b[24:40], 0)
	s.ID, s.Fragments = 0, 0
	return fastUpper(b[6], b[ipv6Header:], int(binary.BigEndian.Uint16(b[4:])), s)
}

// fastUpper takes a transport header of which wire bytes were sent.
func fastUpper(protocol uint8, b []byte, wire int, s *Segment) (Reason, bool) {
	b = b[:min(len(b), wire)] // what follows is padding
	switch {
	case protocol == protoTCP && len(b) >= tcpHeader:
		header := int(b[12]>>4) * 4
		if header < tcpHeader || header > wire {
			return 0, false
		}
		s.Src.Port, s.Dst.Port = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		s.Seq, s.Ack = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
		// The bits of the header are those of Flags.
		s.Flags = Flags(b[13]) & (FIN | SYN | RST | PSH | ACK)
		s.Window = binary.BigEndian.Uint16(b[14:])
		s.Length = wire - header
		s.Payload = b[min(header, len(b)):]
		return OK, true
	case protocol == protoUDP && len(b) >= udpHeader:
		s.Src.Port, s.Dst.Port = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		if isTunnel(s.Dst.Port) {
			return 0, false
		}
		s.Length = wire - udpHeader
		s.Payload = b[udpHeader:]
		return UDP, true
	}
	return 0, false
}
