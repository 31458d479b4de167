package link

import (
	"encoding/binary"

	"github.com/mqttriage/mqttriage/capture"
)

// LayerKind says what a Layer is.
type LayerKind uint8

// The layers that hold addresses or checksums; others are passed over.
const (
	LayerEthernet LayerKind = iota
	LayerSLL
	LayerSLL2
	LayerWiFi
	LayerNFLOG
	LayerIPv4
	LayerIPv6
	// LayerFragment is the payload of an IP fragment: part of something.
	LayerFragment
	LayerUDP
	LayerTCP
)

// Layer is a header in a frame: From is where it begins, Behind where what it
// carries begins, To where that ends, as far as it was captured.
type Layer struct {
	Kind             LayerKind
	From, Behind, To int
	// Of a fragment: the datagram, the fragment's place in it in bytes, and
	// what the datagram carries.
	Datagram DatagramKey
	Offset   int
	Protocol uint8
}

// DatagramKey is what the fragments of one datagram have in common.
type DatagramKey struct{ fragmentKey }

// Layers appends the layers of a frame to a list, from the outside in, up to the
// first TCP header, fragment, or what a Decoder does not follow. It keeps
// nothing from frame to frame. It walks as a Decoder does; where the two should part, the last
// layer is not the segment that the Decoder found.
func Layers(p *capture.Packet, list []Layer) []Layer {
	w := walker{list: list}
	w.link(p.Link, frame{data: p.Data, wire: max(p.Length, len(p.Data))})
	return w.list
}

// walker walks over the layers of one frame. That of a header is told by the
// frame's capacity, which shrinks from the front only.
type walker struct {
	list  []Layer
	depth int
	// all is the capacity of the frame; 0 until it is known.
	all int
}

func (w *walker) at(f frame) int { return w.all - cap(f.data) }

func (w *walker) add(kind LayerKind, f frame, header int) {
	from := w.at(f)
	w.list = append(w.list, Layer{Kind: kind, From: from, Behind: from + header, To: from + len(f.data)})
}

func (w *walker) link(t capture.LinkType, f frame) {
	w.all = cap(f.data)
	b := f.data
	switch t {
	case capture.LinkEN10MB:
		w.ethernet(f)
	case capture.LinkLinuxSLL:
		if len(b) >= sllHeader {
			w.add(LayerSLL, f, sllHeader)
			w.cooked(binary.BigEndian.Uint16(b[14:]), f.skip(sllHeader))
		}
	case capture.LinkLinuxSLL2:
		if len(b) >= sll2Header {
			w.add(LayerSLL2, f, sll2Header)
			w.cooked(binary.BigEndian.Uint16(b), f.skip(sll2Header))
		}
	case capture.LinkNull, capture.LinkLoop:
		if len(b) >= loopbackHeader {
			w.ip(f.skip(loopbackHeader))
		}
	case capture.LinkRaw, capture.LinkRawBSD, capture.LinkRawOpenBSD, capture.LinkIPv4, capture.LinkIPv6:
		w.ip(f)
	case capture.LinkPPP:
		w.ppp(f)
	case capture.LinkPPPHDLC:
		if len(b) > ciscoHeader && (b[0] == 0x0f || b[0] == 0x8f) {
			w.etherType(binary.BigEndian.Uint16(b[2:]), f.skip(ciscoHeader))
			return
		}
		w.ppp(f)
	case capture.LinkPPPEther:
		w.pppoe(f)
	case capture.LinkCHDLC:
		if len(b) >= ciscoHeader {
			w.etherType(binary.BigEndian.Uint16(b[2:]), f.skip(ciscoHeader))
		}
	case capture.LinkIEEE80211:
		w.wifi(f, 1)
	case capture.LinkIEEE80211Radiotap:
		if len(b) < radiotapHeader {
			return
		}
		n := int(binary.LittleEndian.Uint16(b[2:]))
		if n < radiotapHeader || n > len(b) {
			return
		}
		pad := 1
		if radiotapFlags(b[:n])&radiotapPadded != 0 {
			pad = 4
		}
		w.wifi(f.skip(n), pad)
	case capture.LinkNFLOG:
		w.nflog(f)
	}
}

func (w *walker) tooDeep() bool {
	w.depth++
	return w.depth > maxLayers
}

func (w *walker) cooked(t uint16, f frame) {
	if t == sllLLC {
		w.llc(f)
		return
	}
	w.etherType(t, f)
}

func (w *walker) ethernet(f frame) {
	if w.tooDeep() || len(f.data) < ethernetHeader {
		return
	}
	w.add(LayerEthernet, f, ethernetHeader)
	w.typeOrLength(binary.BigEndian.Uint16(f.data[12:]), f.skip(ethernetHeader))
}

func (w *walker) typeOrLength(t uint16, f frame) {
	if t < minEtherType {
		w.llc(f.limit(int(t)))
		return
	}
	w.etherType(t, f)
}

func (w *walker) etherType(t uint16, f frame) {
	switch t {
	case etherIPv4, etherIPv6:
		w.ip(f)
	case etherVLAN, etherQinQ, etherQinQ91:
		if !w.tooDeep() && len(f.data) >= tagHeader {
			w.typeOrLength(binary.BigEndian.Uint16(f.data[2:]), f.skip(tagHeader))
		}
	case etherMPLS, etherMPLSMulticast:
		w.mpls(f)
	case etherPPPoE:
		w.pppoe(f)
	case etherTEB:
		w.ethernet(f)
	}
}

func (w *walker) llc(f frame) {
	if len(f.data) >= snapHeader {
		w.etherType(binary.BigEndian.Uint16(f.data[6:]), f.skip(snapHeader))
	}
}

func (w *walker) pppoe(f frame) {
	if len(f.data) >= pppoeHeader {
		w.ppp(f.skip(pppoeHeader).limit(int(binary.BigEndian.Uint16(f.data[4:]))))
	}
}

func (w *walker) ppp(f frame) {
	if w.tooDeep() || len(f.data) < 4 {
		return
	}
	if f.data[0] == 0xff && f.data[1] == 0x03 {
		f = f.skip(2)
	}
	protocol, n := int(f.data[0]), 1
	if protocol&1 == 0 {
		protocol, n = protocol<<8|int(f.data[1]), 2
	}
	switch f = f.skip(n); protocol {
	case pppIPv4, pppIPv6:
		w.ip(f)
	case pppMPLS:
		w.mpls(f)
	}
}

func (w *walker) mpls(f frame) {
	if w.tooDeep() {
		return
	}
	for bottom := false; !bottom; f = f.skip(mplsLabel) {
		if len(f.data) < mplsLabel {
			return
		}
		bottom = f.data[2]&1 != 0
	}
	if len(f.data) == 0 {
		return
	}
	switch f.data[0] >> 4 {
	case 4, 6:
		if fitsIP(f) || !holdsEthernet(f, 0) {
			w.ip(f)
			return
		}
	case 1:
		return
	case 0:
		if holdsEthernet(f, controlWord) || !holdsEthernet(f, 0) && len(f.data) >= controlWord {
			f = f.skip(controlWord)
		}
	}
	w.ethernet(f)
}

func (w *walker) wifi(f frame, pad int) {
	if len(f.data) < wifiHeader {
		return
	}
	kind, flags := f.data[0], f.data[1]
	n := wifiHeader
	if flags&wifiToDS != 0 && flags&wifiFromDS != 0 {
		n += 6
	}
	addresses, qos := n, n
	if kind&wifiQoS != 0 {
		n += 2
		if flags&wifiHTControl != 0 {
			n += 4
		}
	}
	if pad > 1 {
		n = (n + pad - 1) / pad * pad
	}
	if len(f.data) < n || flags&wifiProtected != 0 {
		return
	}
	w.add(LayerWiFi, f, addresses)
	amsdu := kind&wifiQoS != 0 && f.data[qos]&wifiAMSDU != 0
	if f = f.skip(n); amsdu {
		if len(f.data) < amsduHeader {
			return
		}
		w.add(LayerEthernet, f, amsduHeader)
		f = f.skip(amsduHeader).limit(int(binary.BigEndian.Uint16(f.data[12:])))
	}
	w.llc(f)
}

func (w *walker) nflog(f frame) {
	if len(f.data) < nflogHeader+nflogTLV {
		return
	}
	whole := f
	f = f.skip(nflogHeader)
	var order binary.ByteOrder = binary.LittleEndian
	if f.data[3] != 0 {
		order = binary.BigEndian
	}
	for len(f.data) >= nflogTLV {
		n := int(order.Uint16(f.data))
		if n < nflogTLV {
			return
		}
		if order.Uint16(f.data[2:]) == nflogPayload {
			w.add(LayerNFLOG, whole, w.at(f)+nflogTLV-w.at(whole))
			w.ip(f.limit(n).skip(nflogTLV))
			return
		}
		if n = (n + 3) &^ 3; n > len(f.data) {
			return
		}
		f = f.skip(n)
	}
}

func (w *walker) ip(f frame) {
	if len(f.data) == 0 || w.tooDeep() {
		return
	}
	switch f.data[0] >> 4 {
	case 4:
		w.ipv4(f)
	case 6:
		w.ipv6(f)
	}
}

func (w *walker) ipv4(f frame) {
	if len(f.data) < ipv4Header {
		return
	}
	n, total := int(f.data[0]&15)*4, int(binary.BigEndian.Uint16(f.data[2:]))
	if total == 0 {
		total = f.wire
	}
	if n < ipv4Header || n > len(f.data) || total < n {
		return
	}
	b := f.data
	f = f.limit(total)
	w.add(LayerIPv4, f, n)
	var s Segment
	s.Src, s.Dst = endpoint4(b[12:], 0), endpoint4(b[16:], 0)
	position := binary.BigEndian.Uint16(b[6:])
	if f = f.skip(n); position&fragmented != 0 {
		k := keyOf(&s, 4, b[9], uint32(binary.BigEndian.Uint16(b[4:])))
		w.fragment(k, int(position&fragmentOffset)*8, b[9], f)
		return
	}
	w.upper(b[9], f, s)
}

func (w *walker) ipv6(f frame) {
	if len(f.data) < ipv6Header {
		return
	}
	b, length := f.data, int(binary.BigEndian.Uint16(f.data[4:]))
	if length > 0 {
		f = f.limit(ipv6Header + length)
	}
	w.add(LayerIPv6, f, ipv6Header)
	var s Segment
	s.Src, s.Dst = endpoint6(b[8:], 0), endpoint6(b[24:], 0)
	w.upper(b[6], f.skip(ipv6Header), s)
}

func (w *walker) fragment(k fragmentKey, offset int, protocol uint8, f frame) {
	w.add(LayerFragment, f, 0)
	last := &w.list[len(w.list)-1]
	last.Datagram, last.Offset, last.Protocol = DatagramKey{k}, offset, protocol
}

func (w *walker) upper(next uint8, f frame, s Segment) {
	for range maxExtensions {
		b := f.data
		n := 0
		switch next {
		case protoTCP:
			if len(b) >= tcpHeader {
				w.add(LayerTCP, f, min(int(b[12]>>4)*4, len(b)))
			}
			return
		case protoUDP:
			w.udp(f)
			return
		case protoIPv4, protoIPv6:
			w.ip(f)
			return
		case protoGRE:
			w.gre(f)
			return
		case protoMPLS:
			w.mpls(f)
			return
		case protoHopByHop, protoRouting, protoDestination:
			if len(b) >= extensionUnit {
				n = (int(b[1]) + 1) * extensionUnit
			}
		case protoFragment:
			if len(b) < fragmentHeader {
				return
			}
			position := binary.BigEndian.Uint16(b[2:])
			if position&^6 != 0 {
				w.fragment(keyOf(&s, 6, 0, binary.BigEndian.Uint32(b[4:])), int(position&^7), b[0], f.skip(fragmentHeader))
				return
			}
			n = fragmentHeader
		case protoAH:
			if len(b) >= ahHeader {
				n = (int(b[1]) + 2) * 4
			}
		}
		if n == 0 || n > len(b) {
			return
		}
		next, f = b[0], f.skip(n)
	}
}

func (w *walker) gre(f frame) {
	b := f.data
	if len(b) < greHeader {
		return
	}
	flags, t := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	n := greHeader
	if flags&greVersion == 1 {
		n = 8
		if flags&greSequence != 0 {
			n += 4
		}
		if flags&greAck != 0 {
			n += 4
		}
		if len(b) >= n && t == grePPP && flags&greSequence != 0 {
			w.ppp(f.skip(n).limit(int(binary.BigEndian.Uint16(b[4:]))))
		}
		return
	}
	for _, bit := range [...]uint16{greChecksum | greRouting, greKey, greSequence} {
		if flags&bit != 0 {
			n += 4
		}
	}
	if len(b) < n {
		return
	}
	f = f.skip(n)
	for more := flags&greRouting != 0; more; {
		if len(f.data) < 4 || len(f.data) < 4+int(f.data[3]) {
			return
		}
		more = f.data[3] != 0
		f = f.skip(4 + int(f.data[3]))
	}
	switch t {
	case greERSPAN:
		if n = erspan2Header; flags&greSequence == 0 {
			n = 0
		}
		if len(f.data) >= n {
			w.ethernet(f.skip(n))
		}
	case greERSPAN3:
		if len(f.data) < erspan3Header {
			return
		}
		kind := f.data[10] >> 2 & 0x1f
		if n = erspan3Header; f.data[11]&1 != 0 {
			n += erspan3Platform
		}
		switch {
		case len(f.data) < n:
		case kind == 0:
			w.ethernet(f.skip(n))
		case kind == 2:
			w.ip(f.skip(n))
		}
	default:
		w.etherType(t, f)
	}
}

// udp goes on in a tunnel, if the Decoder would.
func (w *walker) udp(f frame) {
	if len(f.data) < udpHeader {
		return
	}
	w.add(LayerUDP, f, udpHeader)
	port := binary.BigEndian.Uint16(f.data[2:])
	f = f.skip(udpHeader)
	b := f.data
	if len(b) < vxlanHeader {
		return
	}
	switch port {
	case portVXLAN, portVXLANLinux:
		if b[0]&vxlanVNI != 0 {
			w.ethernet(f.skip(vxlanHeader))
		}
	case portVXLANGPE:
		next := byte(3)
		if b[0]&gpeNext != 0 {
			next = b[3]
		}
		switch f = f.skip(vxlanHeader); next {
		case 1, 2:
			w.ip(f)
		case 3:
			w.ethernet(f)
		case 5:
			w.mpls(f)
		}
	case portGeneve:
		if n := geneveHeader + int(b[0]&0x3f)*4; n <= len(b) {
			w.etherType(binary.BigEndian.Uint16(b[2:]), f.skip(n))
		}
	case portGTP:
		w.gtp(f)
	}
}

func (w *walker) gtp(f frame) {
	flags, length := f.data[0], int(binary.BigEndian.Uint16(f.data[2:]))
	f = f.skip(gtpHeader).limit(length)
	if flags&7 != 0 {
		if len(f.data) < gtpOptional {
			return
		}
		next := f.data[3]
		f = f.skip(gtpOptional)
		for next != 0 && flags&4 != 0 {
			if len(f.data) == 0 || f.data[0] == 0 || len(f.data) < int(f.data[0])*4 {
				return
			}
			n := int(f.data[0]) * 4
			next, f = f.data[n-1], f.skip(n)
		}
	}
	w.ip(f)
}
