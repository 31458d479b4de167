package link

import "encoding/binary"

const (
	mplsLabel   = 4
	controlWord = 4
)

// mpls goes on behind a stack of labels (RFC 3032). Nothing there says what
// they label: an IP packet shows it by its first four bits, what else is read
// is Ethernet (RFC 4448).
func (d *Decoder) mpls(f frame, s *Segment) Reason {
	if d.tooDeep() {
		return TooDeep
	}
	for bottom := false; !bottom; f = f.skip(mplsLabel) {
		if len(f.data) < mplsLabel {
			return Malformed
		}
		bottom = f.data[2]&1 != 0
	}
	if len(f.data) == 0 {
		return Malformed
	}
	switch f.data[0] >> 4 {
	case 4, 6:
		// Or the address of a card made by one of many: without a control word
		// nothing keeps them apart (RFC 8469), but a length that fits.
		if fitsIP(f) || !holdsEthernet(f, 0) {
			return d.ip(f, s)
		}
	case 1:
		return NotIP // an associated channel (RFC 4385 §5)
	case 0:
		// A control word (RFC 4385 §3), or an address without one.
		if holdsEthernet(f, controlWord) || !holdsEthernet(f, 0) && len(f.data) >= controlWord {
			f = f.skip(controlWord)
		}
	}
	return d.ethernet(f, s)
}

// fitsIP reports whether the length in an IP header is within the frame.
func fitsIP(f frame) bool {
	if len(f.data) < 6 {
		return false
	}
	if f.data[0]>>4 == 4 {
		total := int(binary.BigEndian.Uint16(f.data[2:]))
		return f.data[0]&15 >= 5 && total >= ipv4Header && total <= f.wire
	}
	return ipv6Header+int(binary.BigEndian.Uint16(f.data[4:])) <= f.wire
}

// holdsEthernet reports whether n bytes on lies an Ethernet header with a type
// that is followed here, or ARP's, and with the IP version that the type says.
func holdsEthernet(f frame, n int) bool {
	if len(f.data) <= n+ethernetHeader {
		return false
	}
	next := f.data[n+ethernetHeader]
	switch binary.BigEndian.Uint16(f.data[n+12:]) {
	case etherIPv4:
		return next>>4 == 4
	case etherIPv6:
		return next>>4 == 6
	case etherARP, etherVLAN, etherQinQ, etherQinQ91, etherMPLS, etherMPLSMulticast, etherPPPoE:
		return true
	}
	return false
}
