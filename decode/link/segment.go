// Package link strips link and network layers from a frame down to its TCP
// segment.
package link

import "net/netip"

// Flags are the TCP control bits (RFC 9293 §3.1).
type Flags uint8

// The control bits.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
)

// Segment is one TCP segment as a frame carries it.
type Segment struct {
	Src, Dst netip.AddrPort
	Seq, Ack uint32
	Flags    Flags
	Window   uint16
	// Length is the payload's length on the wire by the IP header; Payload is
	// shorter when the frame was cut at a snap length. Ethernet padding is in
	// neither. Payload is valid as long as the frame's bytes.
	Length  int
	Payload []byte
}

// Reason says why a frame gave no segment.
type Reason uint8

// The reasons; OK means that it did give one.
const (
	OK Reason = iota
	NotTCP
	// UDP: the Segment holds the endpoints and the payload of a datagram.
	UDP
	NotIP
	Fragment
	UnknownLink
	Cut
	Malformed
	// Reasons is how many there are.
	Reasons
)

func (r Reason) String() string {
	switch r {
	case OK:
		return "ok"
	case NotTCP:
		return "not TCP"
	case UDP:
		return "UDP"
	case NotIP:
		return "not IP"
	case Fragment:
		return "IP fragment"
	case UnknownLink:
		return "unknown link type"
	case Cut:
		return "cut before the end of the TCP header"
	case Malformed:
		return "malformed header"
	}
	return "unknown"
}
