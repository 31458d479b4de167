package link

import (
	"encoding/binary"

	"github.com/mqttriage/mqttriage/capture"
)

const (
	sllHeader  = 16
	sll2Header = 20

	// sllLLC stands in place of an EtherType when LLC follows.
	sllLLC = 4
)

// maxLayers bounds how many headers a frame may hold one in another: those of
// Ethernet, PPP, IP, each tag, each stack of labels, each reassembled datagram.
// A frame of nothing but headers costs no more than any other. Tagged
// Ethernet in VXLAN in GRE in PPPoE has 11.
const maxLayers = 16

// Decoder takes frames apart. It keeps the fragments of datagrams that are not
// yet whole: it wants one capture's packets in their order, and is not safe for
// concurrent use.
type Decoder struct {
	fragments reassembler

	// Of the frame under way: when it was captured, the headers so far, and
	// whether bytes of it are missing.
	now   int64
	depth int
	cut   bool
}

// NewDecoder returns a Decoder.
func NewDecoder() *Decoder { return new(Decoder) }

// Decode fills s with the TCP segment that p carries, or completes, and returns
// OK, or says why there is none; s is then undefined. A frame that was cut
// within the TCP options still gives a segment, without payload: its ports,
// numbers and flags are all there. s.Payload lies in p.Data, or in memory of
// its own when it was put together from fragments.
//
// In tunnels it is the innermost segment.
func (d *Decoder) Decode(p *capture.Packet, s *Segment) Reason {
	if r, ok := fast(p, s); ok {
		return r
	}
	return d.layers(p, s)
}

// layers decodes layer by layer.
func (d *Decoder) layers(p *capture.Packet, s *Segment) Reason {
	d.now, d.depth, d.cut = p.Nano, 0, len(p.Data) < p.Length
	s.Fragments = 0
	r := d.link(p.Link, frame{data: p.Data, wire: max(p.Length, len(p.Data))}, s)
	if r == Malformed && d.cut {
		// Whatever is missing here may have been cut off.
		return Cut
	}
	return r
}

// tooDeep counts a header, and reports that it is one too many.
func (d *Decoder) tooDeep() bool {
	d.depth++
	return d.depth > maxLayers
}

// frame is what is left of a frame: the captured bytes, and how many there
// were on the wire, never fewer.
type frame struct {
	data []byte
	wire int
}

// skip drops n bytes of header; n is at most len(f.data).
func (f frame) skip(n int) frame { return frame{f.data[n:], f.wire - n} }

// limit drops what lies beyond n bytes: padding, trailers.
func (f frame) limit(n int) frame {
	if n < f.wire {
		f.wire = n
	}
	if n < len(f.data) {
		f.data = f.data[:n]
	}
	return f
}

// lacks reports that n bytes were sent, but not all of them captured.
func (f frame) lacks(n int) bool { return len(f.data) < n && f.wire >= n }

// link undoes the link layer.
func (d *Decoder) link(t capture.LinkType, f frame, s *Segment) Reason {
	switch t {
	case capture.LinkEN10MB:
		return d.ethernet(f, s)
	case capture.LinkLinuxSLL:
		// The address length field is not asked: it is beyond the header for
		// InfiniBand, and anything in hostile files.
		if len(f.data) < sllHeader {
			return Malformed
		}
		return d.cooked(binary.BigEndian.Uint16(f.data[14:]), f.skip(sllHeader), s)
	case capture.LinkLinuxSLL2:
		if len(f.data) < sll2Header {
			return Malformed
		}
		return d.cooked(binary.BigEndian.Uint16(f.data), f.skip(sll2Header), s)
	case capture.LinkNull, capture.LinkLoop:
		return d.loopback(f, s)
	case capture.LinkRaw, capture.LinkRawBSD, capture.LinkRawOpenBSD:
		return d.ip(f, s)
	case capture.LinkIPv4:
		return d.ipv4(f, s)
	case capture.LinkIPv6:
		return d.ipv6(f, s)
	case capture.LinkPPP:
		return d.ppp(f, s)
	case capture.LinkPPPHDLC:
		return d.hdlc(f, s)
	case capture.LinkPPPEther:
		return d.pppoe(f, s)
	case capture.LinkCHDLC:
		return d.cisco(f, s)
	case capture.LinkIEEE80211:
		return d.wifi(f, 1, s)
	case capture.LinkIEEE80211Radiotap:
		return d.radiotap(f, s)
	case capture.LinkNFLOG:
		return d.nflog(f, s)
	}
	return UnknownLink
}

// cooked goes on by the protocol of a Linux cooked header.
func (d *Decoder) cooked(t uint16, f frame, s *Segment) Reason {
	if t == sllLLC {
		return d.llc(f, s)
	}
	return d.etherType(t, f, s)
}
