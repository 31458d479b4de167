// Package link strips link and network layers from a frame down to its TCP
// segment, through tunnels and from IP fragments.
package link

import (
	"encoding/binary"
	"net/netip"
)

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

// Endpoint is an address and a port, laid out to be compared and hashed fast.
// High and Low are the 16 bytes of an IPv6 address, or of an IPv4 address in
// its mapped form (RFC 4291 §2.5.5.2).
type Endpoint struct {
	High, Low uint64
	Port      uint16
}

// v4mapped stands before the 32 bits of an IPv4 address.
const v4mapped = 0xffff << 32

func endpoint4(addr []byte, port uint16) Endpoint {
	return Endpoint{0, v4mapped | uint64(binary.BigEndian.Uint32(addr)), port}
}

func endpoint6(addr []byte, port uint16) Endpoint {
	return Endpoint{binary.BigEndian.Uint64(addr), binary.BigEndian.Uint64(addr[8:]), port}
}

// EndpointOf is the Endpoint of an address without zone, and a port.
func EndpointOf(a netip.AddrPort) Endpoint {
	b := a.Addr().As16()
	return endpoint6(b[:], a.Port())
}

// AddrPort is the endpoint as the rest of the program has it.
func (e Endpoint) AddrPort() netip.AddrPort {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], e.High)
	binary.BigEndian.PutUint64(b[8:], e.Low)
	return netip.AddrPortFrom(netip.AddrFrom16(b).Unmap(), e.Port)
}

// Segment is one TCP segment as a frame carries it.
type Segment struct {
	Src, Dst Endpoint
	Seq, Ack uint32
	Flags    Flags
	Window   uint16
	// Length is the payload's length on the wire by the IP header; Payload is
	// shorter when the frame was cut at a snap length. Ethernet padding is in
	// neither. Payload is valid as long as the frame's bytes. Both are of the
	// innermost IP packet, as are the addresses and ID.
	Length  int
	Payload []byte
	// ID is the identification of the IPv4 header (RFC 791 §3.1), 0 in IPv6 and
	// from hosts that leave it so: two packets with one ID are one packet,
	// captured twice.
	ID uint16
	// Fragments is how many IP fragments were put together for it, this packet
	// included; 0 for a datagram that came whole.
	Fragments uint16
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
	// Fragment: the packet is part of a datagram that is not whole with it, or
	// was whole before.
	Fragment
	UnknownLink
	Cut
	Malformed
	// Encrypted: an 802.11 frame under WEP or WPA.
	Encrypted
	// Overlap: the packet is a fragment of a datagram whose fragments contradict
	// each other.
	Overlap
	// TooDeep: tunnels in tunnels, more than anybody makes.
	TooDeep
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
	case Encrypted:
		return "encrypted Wi-Fi"
	case Overlap:
		return "overlapping IP fragments"
	case TooDeep:
		return "nested too deep"
	}
	return "unknown"
}
