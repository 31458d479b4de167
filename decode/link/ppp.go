package link

import "encoding/binary"

// PPP protocol numbers that lead to IP.
const (
	pppIPv4 = 0x0021 // RFC 1332
	pppIPv6 = 0x0057 // RFC 5072
	pppMPLS = 0x0281 // RFC 3032 §4.3
)

const (
	pppoeHeader = 6
	ciscoHeader = 4
)

// pppoe goes on behind the header of a PPPoE session (RFC 2516 §4).
func (d *Decoder) pppoe(f frame, s *Segment) Reason {
	if len(f.data) < pppoeHeader {
		return Malformed
	}
	if f.data[0] != 0x11 || f.data[1] != 0 {
		return NotIP // another version, or discovery
	}
	length := int(binary.BigEndian.Uint16(f.data[4:]))
	return d.ppp(f.skip(pppoeHeader).limit(length), s)
}

// ppp goes on behind PPP, with address and control bytes or without, with a
// protocol field of two bytes or of one (RFC 1661 §6.5, §6.6).
func (d *Decoder) ppp(f frame, s *Segment) Reason {
	if d.tooDeep() {
		return TooDeep
	}
	const longest = 4
	if len(f.data) < longest {
		return Malformed
	}
	if f.data[0] == 0xff && f.data[1] == 0x03 {
		f = f.skip(2)
	}
	protocol, n := int(f.data[0]), 1
	if protocol&1 == 0 {
		protocol, n = protocol<<8|int(f.data[1]), 2
	}
	f = f.skip(n)
	switch protocol {
	case pppIPv4:
		return d.ipv4(f, s)
	case pppIPv6:
		return d.ipv6(f, s)
	case pppMPLS:
		return d.mpls(f, s)
	}
	return NotIP
}

// hdlc tells PPP (RFC 1662) from Cisco's framing (RFC 1547 §4.3.1), which
// have one link type.
func (d *Decoder) hdlc(f frame, s *Segment) Reason {
	if len(f.data) > 0 && (f.data[0] == 0x0f || f.data[0] == 0x8f) {
		return d.cisco(f, s)
	}
	return d.ppp(f, s)
}

// cisco goes on behind Cisco's HDLC header: address, control, EtherType.
func (d *Decoder) cisco(f frame, s *Segment) Reason {
	if len(f.data) < ciscoHeader {
		return Malformed
	}
	return d.etherType(binary.BigEndian.Uint16(f.data[2:]), f.skip(ciscoHeader), s)
}
