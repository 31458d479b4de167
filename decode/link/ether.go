package link

import "encoding/binary"

// EtherTypes that lead to IP, and ARP's, which shows that a frame is Ethernet.
const (
	etherIPv4          = 0x0800
	etherARP           = 0x0806
	etherTEB           = 0x6558 // "transparent Ethernet bridging": a whole Ethernet frame
	etherVLAN          = 0x8100 // IEEE 802.1Q
	etherIPv6          = 0x86dd
	etherMPLS          = 0x8847
	etherMPLSMulticast = 0x8848 // or upstream-assigned labels (RFC 5332)
	etherPPPoE         = 0x8864 // session stage; discovery, 0x8863, has no IP
	etherQinQ          = 0x88a8 // IEEE 802.1ad
	etherQinQ91        = 0x9100 // QinQ before 802.1ad

	// minEtherType is the least EtherType; smaller numbers are the length of
	// an IEEE 802.3 frame.
	minEtherType = 0x0600
)

const (
	ethernetHeader = 14
	tagHeader      = 4
	snapHeader     = 8
)

func (d *Decoder) ethernet(f frame, s *Segment) Reason {
	if d.tooDeep() {
		return TooDeep
	}
	if len(f.data) < ethernetHeader {
		return Malformed
	}
	return d.typeOrLength(binary.BigEndian.Uint16(f.data[12:]), f.skip(ethernetHeader), s)
}

// typeOrLength goes on by an EtherType, or by IEEE 802.3 with LLC.
func (d *Decoder) typeOrLength(t uint16, f frame, s *Segment) Reason {
	if t < minEtherType {
		return d.llc(f.limit(int(t)), s)
	}
	return d.etherType(t, f, s)
}

// etherType goes on by EtherType, through VLAN tags.
func (d *Decoder) etherType(t uint16, f frame, s *Segment) Reason {
	switch t {
	case etherIPv4:
		return d.ipv4(f, s)
	case etherIPv6:
		return d.ipv6(f, s)
	case etherVLAN, etherQinQ, etherQinQ91:
		if d.tooDeep() {
			return TooDeep
		}
		if len(f.data) < tagHeader {
			return Malformed
		}
		return d.typeOrLength(binary.BigEndian.Uint16(f.data[2:]), f.skip(tagHeader), s)
	case etherMPLS, etherMPLSMulticast:
		return d.mpls(f, s)
	case etherPPPoE:
		return d.pppoe(f, s)
	case etherTEB:
		return d.ethernet(f, s)
	}
	return NotIP
}

// llc goes on behind IEEE 802.2; IP comes in SNAP (RFC 1042).
func (d *Decoder) llc(f frame, s *Segment) Reason {
	if f.lacks(snapHeader) {
		return Malformed
	}
	if f.wire < snapHeader || [6]byte(f.data) != [6]byte{0xaa, 0xaa, 0x03} {
		return NotIP
	}
	return d.etherType(binary.BigEndian.Uint16(f.data[6:]), f.skip(snapHeader), s)
}
