package link

import "encoding/binary"

// Fields of an 802.11 data frame (IEEE 802.11-2020 §9.2.4, §9.3.2).
const (
	wifiHeader = 24

	// In the first byte.
	wifiKind     = 0x0f // version and type
	wifiDataKind = 0x08
	wifiNoData   = 0x40 // a subtype without a body, such as Null
	wifiQoS      = 0x80

	// In the second byte.
	wifiToDS      = 0x01
	wifiFromDS    = 0x02
	wifiProtected = 0x40
	wifiHTControl = 0x80 // in QoS frames

	// wifiAMSDU is in the first byte of the QoS control field.
	wifiAMSDU = 0x80
	// amsduHeader stands before each frame of an A-MSDU.
	amsduHeader = 14
)

const (
	radiotapHeader = 8
	// radiotapPadded is the flag that the 802.11 header was padded to a
	// multiple of four bytes.
	radiotapPadded = 0x20
)

// radiotap skips a radiotap header (https://www.radiotap.org).
func (d *Decoder) radiotap(f frame, s *Segment) Reason {
	if len(f.data) < radiotapHeader {
		return Malformed
	}
	n := int(binary.LittleEndian.Uint16(f.data[2:]))
	if f.data[0] != 0 || n < radiotapHeader || n > len(f.data) {
		return Malformed
	}
	pad := 1
	if radiotapFlags(f.data[:n])&radiotapPadded != 0 {
		pad = 4
	}
	return d.wifi(f.skip(n), pad, s)
}

// radiotapFlags is the flags field of a header, 0 when there is none. It is
// the second field; the first, a time of eight bytes, is aligned to eight.
func radiotapFlags(b []byte) byte {
	const timed, flagged, further = 1 << 0, 1 << 1, 1 << 31
	present := binary.LittleEndian.Uint32(b[4:])
	at := 8
	for more := present; more&further != 0; at += 4 {
		if at+4 > len(b) {
			return 0
		}
		more = binary.LittleEndian.Uint32(b[at:])
	}
	if present&timed != 0 {
		at = (at+7)&^7 + 8
	}
	if present&flagged == 0 || at >= len(b) {
		return 0
	}
	return b[at]
}

// wifi goes on behind the header of an 802.11 data frame, which is padded to a
// multiple of pad. The checksum that may be at the end is beyond the IP
// packet's length. Of several frames in one (A-MSDU) only the first is read.
func (d *Decoder) wifi(f frame, pad int, s *Segment) Reason {
	if len(f.data) < 2 {
		return Malformed
	}
	kind, flags := f.data[0], f.data[1]
	if kind&wifiKind != wifiDataKind || kind&wifiNoData != 0 {
		return NotIP
	}
	if flags&wifiProtected != 0 {
		return Encrypted
	}
	n := wifiHeader
	if flags&wifiToDS != 0 && flags&wifiFromDS != 0 {
		n += 6 // the fourth address
	}
	qos := n
	if kind&wifiQoS != 0 {
		n += 2
		if flags&wifiHTControl != 0 {
			n += 4
		}
	}
	if pad > 1 {
		n = (n + pad - 1) / pad * pad
	}
	if len(f.data) < n {
		return Malformed
	}
	if f.data[22]&0x0f != 0 {
		return Fragment // of 802.11's own, and not the first
	}
	amsdu := kind&wifiQoS != 0 && f.data[qos]&wifiAMSDU != 0
	f = f.skip(n)
	if amsdu {
		if len(f.data) < amsduHeader {
			return Malformed
		}
		length := int(binary.BigEndian.Uint16(f.data[12:]))
		f = f.skip(amsduHeader).limit(length)
	}
	return d.llc(f, s)
}
