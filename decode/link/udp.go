package link

import "encoding/binary"

// UDP ports that tunnels go to.
const (
	portGTP        = 2152 // 3GPP TS 29.281 §4.4.2
	portVXLAN      = 4789 // RFC 7348 §5
	portVXLANGPE   = 4790 // draft-ietf-nvo3-vxlan-gpe-12
	portGeneve     = 6081 // RFC 8926 §3.3
	portVXLANLinux = 8472 // VXLAN by Linux's default, as flannel has it
)

func isTunnel(port uint16) bool {
	switch port {
	case portGTP, portVXLAN, portVXLANGPE, portGeneve, portVXLANLinux:
		return true
	}
	return false
}

// datagram goes on in the tunnel that a UDP datagram (RFC 768) is of, or fills
// the Segment with it. A tunnel's port may be any client's by chance, so that
// what is not plainly the tunnel's header stays UDP.
func (d *Decoder) datagram(f frame, s *Segment) Reason {
	if len(f.data) < udpHeader {
		return Malformed
	}
	port := binary.BigEndian.Uint16(f.data[2:])
	s.Src.Port, s.Dst.Port = binary.BigEndian.Uint16(f.data), port
	f = f.skip(udpHeader)
	s.Payload, s.Length = f.data, f.wire
	switch port {
	case portGTP:
		return d.gtp(f, s)
	case portVXLAN, portVXLANLinux:
		return d.vxlan(f, s)
	case portVXLANGPE:
		return d.vxlanGPE(f, s)
	case portGeneve:
		return d.geneve(f, s)
	}
	return UDP
}

const (
	vxlanHeader  = 8
	vxlanVNI     = 0x08 // the VNI is valid
	vxlanGroup   = 0x80 // group policy: draft-smith-vxlan-group-policy
	gpeNext      = 0x04 // the next protocol is given
	gpeBroadcast = 0x02
)

// vxlan goes on at the frame in VXLAN (RFC 7348 §5). Reserved bits, but for
// those of group policy, are sent as 0 and ignored: with others, the Ethernet
// header must show that it is one.
func (d *Decoder) vxlan(f frame, s *Segment) Reason {
	if f.lacks(vxlanHeader) {
		return Malformed
	}
	if f.wire < vxlanHeader || f.data[0]&vxlanVNI == 0 {
		return UDP
	}
	plain := f.data[0]&^vxlanGroup == vxlanVNI && f.data[7] == 0 && (f.data[0] != vxlanVNI || [3]byte(f.data[1:]) == [3]byte{})
	if !plain {
		if f.lacks(vxlanHeader + ethernetHeader + 1) {
			return Malformed
		}
		if !holdsEthernet(f, vxlanHeader) {
			return UDP
		}
	}
	return d.ethernet(f.skip(vxlanHeader), s)
}

// vxlanGPE goes on in the generic protocol extension of VXLAN.
func (d *Decoder) vxlanGPE(f frame, s *Segment) Reason {
	if f.lacks(vxlanHeader) {
		return Malformed
	}
	if f.wire < vxlanHeader || f.data[0]&vxlanVNI == 0 || f.data[0]&^(vxlanVNI|gpeNext|gpeBroadcast) != 0 || f.data[1] != 0 || f.data[2] != 0 || f.data[7] != 0 {
		return UDP
	}
	next := byte(3)
	if f.data[0]&gpeNext != 0 {
		next = f.data[3]
	}
	switch f = f.skip(vxlanHeader); next {
	case 1:
		return d.ipv4(f, s)
	case 2:
		return d.ipv6(f, s)
	case 3:
		return d.ethernet(f, s)
	case 5:
		return d.mpls(f, s)
	}
	return UDP
}

const geneveHeader = 8

// geneve goes on behind a Geneve header and its options (RFC 8926 §3.4).
func (d *Decoder) geneve(f frame, s *Segment) Reason {
	if f.lacks(geneveHeader) {
		return Malformed
	}
	if f.wire < geneveHeader || f.data[0]>>6 != 0 {
		return UDP
	}
	n, t := geneveHeader+int(f.data[0]&0x3f)*4, binary.BigEndian.Uint16(f.data[2:])
	switch t {
	case etherTEB, etherIPv4, etherIPv6, etherMPLS:
	default:
		return UDP
	}
	if f.lacks(n) {
		return Malformed
	}
	if f.wire < n {
		return UDP
	}
	return d.etherType(t, f.skip(n), s)
}

const (
	gtpHeader   = 8
	gtpOptional = 4
	gtpUserData = 255 // G-PDU
)

// gtp goes on at the user's packet in GTP-U version 1 (3GPP TS 29.281 §5).
func (d *Decoder) gtp(f frame, s *Segment) Reason {
	if f.lacks(gtpHeader) {
		return Malformed
	}
	const version1, extended, options = 0x30, 0x04, 0x07
	if f.wire < gtpHeader || f.data[0]&0xf0 != version1 || f.data[1] != gtpUserData {
		return UDP
	}
	flags, length := f.data[0], int(binary.BigEndian.Uint16(f.data[2:]))
	if f = f.skip(gtpHeader); length > f.wire {
		return UDP
	}
	f = f.limit(length)
	if flags&options != 0 {
		if f.lacks(gtpOptional) {
			return Malformed
		}
		if f.wire < gtpOptional {
			return UDP
		}
		next := f.data[3]
		if f = f.skip(gtpOptional); flags&extended == 0 {
			next = 0
		}
		for next != 0 {
			// An extension header: its length in four bytes, what it says, and
			// the type of the next one.
			if f.lacks(1) {
				return Malformed
			}
			if f.wire == 0 || f.data[0] == 0 {
				return UDP
			}
			n := int(f.data[0]) * 4
			if f.lacks(n) {
				return Malformed
			}
			if f.wire < n {
				return UDP
			}
			next, f = f.data[n-1], f.skip(n)
		}
	}
	return d.ip(f, s)
}
