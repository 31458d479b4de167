package link

import "encoding/binary"

// Bits of the first 16 of a GRE header (RFC 2784, RFC 2890; routing is of
// RFC 1701; the acknowledgment is of PPTP, RFC 2637 §4.1).
const (
	greChecksum = 0x8000
	greRouting  = 0x4000
	greKey      = 0x2000
	greSequence = 0x1000
	greAck      = 0x0080
	greVersion  = 0x0007
)

// Types that only GRE carries.
const (
	grePPP     = 0x880b
	greERSPAN  = 0x88be // ERSPAN types I and II
	greERSPAN3 = 0x22eb
)

const (
	greHeader       = 4
	erspan2Header   = 8
	erspan3Header   = 12
	erspan3Platform = 8 // the subheader that the O bit announces
)

func (d *Decoder) gre(f frame, s *Segment) Reason {
	if len(f.data) < greHeader {
		return Malformed
	}
	flags, t := binary.BigEndian.Uint16(f.data), binary.BigEndian.Uint16(f.data[2:])
	switch flags & greVersion {
	case 0:
	case 1:
		return d.pptp(flags, f, s)
	default:
		return Malformed
	}
	n := greHeader
	if flags&(greChecksum|greRouting) != 0 {
		n += 4 // with either, both of checksum and offset
	}
	if flags&greKey != 0 {
		n += 4
	}
	if flags&greSequence != 0 {
		n += 4
	}
	if len(f.data) < n {
		return Malformed
	}
	f = f.skip(n)
	for more := flags&greRouting != 0; more; {
		// Each entry: address family, offset, length; the last has none.
		if len(f.data) < 4 {
			return Malformed
		}
		length := int(f.data[3])
		more = length != 0
		if len(f.data) < 4+length {
			return Malformed
		}
		f = f.skip(4 + length)
	}
	switch t {
	case greERSPAN:
		if flags&greSequence == 0 {
			return d.ethernet(f, s) // type I
		}
		if len(f.data) < erspan2Header {
			return Malformed
		}
		return d.ethernet(f.skip(erspan2Header), s)
	case greERSPAN3:
		return d.erspan3(f, s)
	}
	return d.etherType(t, f, s)
}

// erspan3 goes on behind a header of ERSPAN type III
// (draft-foschiano-erspan-03 §4.3).
func (d *Decoder) erspan3(f frame, s *Segment) Reason {
	if len(f.data) < erspan3Header {
		return Malformed
	}
	n, frameType := erspan3Header, f.data[10]>>2&0x1f
	if f.data[11]&1 != 0 {
		n += erspan3Platform
	}
	if len(f.data) < n {
		return Malformed
	}
	switch f = f.skip(n); frameType {
	case 0:
		return d.ethernet(f, s)
	case 2:
		return d.ip(f, s)
	}
	return NotIP
}

// pptp goes on at the PPP frame in GRE version 1.
func (d *Decoder) pptp(flags uint16, f frame, s *Segment) Reason {
	n := 8
	if flags&greSequence != 0 {
		n += 4
	}
	if flags&greAck != 0 {
		n += 4
	}
	if len(f.data) < n {
		return Malformed
	}
	if binary.BigEndian.Uint16(f.data[2:]) != grePPP || flags&greSequence == 0 {
		return NotIP // an acknowledgment alone
	}
	length := int(binary.BigEndian.Uint16(f.data[4:]))
	return d.ppp(f.skip(n).limit(length), s)
}
