package link

import "encoding/binary"

const tcpHeader = 20

// segment fills s from a TCP header (RFC 9293 §3.1) and what follows it. The
// options are not read: hosts accept segments whose options are broken, and a
// frame may be cut within them.
func segment(f frame, s *Segment) Reason {
	b := f.data
	if len(b) < tcpHeader {
		return Malformed
	}
	header := int(b[12]>>4) * 4
	if header < tcpHeader || header > f.wire {
		return Malformed
	}
	s.Src.Port, s.Dst.Port = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	s.Seq, s.Ack = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	// The bits of the header are those of Flags.
	s.Flags = Flags(b[13]) & (FIN | SYN | RST | PSH | ACK)
	s.Window = binary.BigEndian.Uint16(b[14:])
	s.Payload = b[min(header, len(b)):]
	s.Length = f.wire - header
	return OK
}
