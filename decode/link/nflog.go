package link

import "encoding/binary"

const (
	nflogHeader  = 4
	nflogTLV     = 4
	nflogPayload = 9
)

// nflog goes on at the payload of a message of Linux's netfilter log
// (https://www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html).
func (d *Decoder) nflog(f frame, s *Segment) Reason {
	if len(f.data) < nflogHeader+nflogTLV {
		return Malformed
	}
	family := f.data[0]
	f = f.skip(nflogHeader)
	// Lengths and types are in the byte order of the host that wrote them, which
	// nothing names. Types are small: their high byte is 0.
	var order binary.ByteOrder = binary.LittleEndian
	if f.data[3] != 0 {
		order = binary.BigEndian
	}
	for f.wire >= nflogTLV {
		if len(f.data) < nflogTLV {
			return Malformed
		}
		n := int(order.Uint16(f.data))
		if n < nflogTLV || n > f.wire {
			return Malformed
		}
		if order.Uint16(f.data[2:]) == nflogPayload {
			f = f.limit(n).skip(nflogTLV)
			switch family {
			case familyIPv4:
				return d.ipv4(f, s)
			case familyIPv6:
				return d.ipv6(f, s)
			}
			// From a bridge or a device: what follows the link header.
			return d.ip(f, s)
		}
		n = min((n+3)&^3, f.wire)
		if n > len(f.data) {
			return Malformed
		}
		f = f.skip(n)
	}
	return NotIP
}
