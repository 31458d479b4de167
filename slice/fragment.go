package slice

import (
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/link"
)

const (
	// maxDatagrams bounds the datagrams that wait for the rest of their fragments,
	// and maxFragments the fragments of one: more than the decoder has.
	maxDatagrams = 2048
	maxFragments = 256
	// maxFragmented bounds the fragments that are kept in all.
	maxFragmented = 1 << 20
)

// datagram is a segment that came in IP fragments. What is overwritten in it, and
// so its checksum, is known only when all of them were seen.
type datagram struct {
	place   int
	segment link.Segment
	// at is where the payload begins in what the fragments are parts of.
	at, length int
	// checksum is where the TCP checksum lies in it; -1 where only the first
	// fragment tells, because a tunnel's headers stand before it.
	checksum int
	// before and after are the payload's sums, unmasked and masked.
	before, after uint16
}

// part is a packet that holds a part of a datagram, from a place in it on.
type part struct {
	of     *datagram
	offset int
}

// fragments finds out of which connection fragments are.
type fragments struct {
	open   map[link.DatagramKey][]piecePacket
	order  []link.DatagramKey
	parts  map[int]part // by packet number
	layers []link.Layer
}

type piecePacket struct{ packet, offset, n int }

// see takes a fragment, with what the decoder made of it; place is that of the connection
// of a datagram that is whole with it, -1 for none that is to be kept.
func (f *fragments) see(p *capture.Packet, t *decode.Traced, place int) {
	f.layers = link.Layers(p, f.layers[:0])
	if len(f.layers) == 0 {
		return
	}
	last := f.layers[len(f.layers)-1]
	if last.Kind != link.LayerFragment {
		return
	}
	pieces, known := f.open[last.Datagram]
	if !known {
		if len(f.order) == maxDatagrams {
			delete(f.open, f.order[0])
			f.order = f.order[1:]
		}
		f.order = append(f.order, last.Datagram)
	}
	if len(pieces) < maxFragments {
		pieces = append(pieces, piecePacket{p.Number, last.Offset, last.To - last.Behind})
	}
	f.open[last.Datagram] = pieces
	if t.Reason != link.OK {
		return
	}
	if place >= 0 {
		f.whole(pieces, t, place, last.Protocol)
	}
	f.open[last.Datagram] = nil
}

// whole takes a datagram that is whole. Where its pieces are not those that it was
// put together from, as with fragments in fragments, it is left out.
func (f *fragments) whole(pieces []piecePacket, t *decode.Traced, place int, protocol uint8) {
	seen := map[int]bool{}
	n := 0
	for _, piece := range pieces {
		if !seen[piece.offset] {
			seen[piece.offset] = true
			n += piece.n
		}
	}
	s := *t.Segment
	at := n - cap(s.Payload)
	if len(seen) != int(s.Fragments) || at < tcpHeader || len(f.parts)+len(pieces) > maxFragmented {
		return
	}
	d := &datagram{place: place, segment: s, at: at, length: len(s.Payload), checksum: -1}
	if protocol == protocolTCP {
		d.checksum = tcpChecksum
	}
	d.segment.Payload = nil
	for _, piece := range pieces {
		f.parts[piece.packet] = part{d, piece.offset}
	}
}

// sum takes a packet with which a datagram is whole, once it is known what is to
// be overwritten.
func (w *writer) sum(p *capture.Packet) error {
	t := w.tracer.Add(p)
	part, ok := w.fragments.parts[p.Number]
	if !ok || t.Reason != link.OK || len(t.Segment.Payload) != part.of.length {
		return nil
	}
	w.scratch = append(w.scratch[:0], t.Segment.Payload...)
	part.of.before = sumAt(w.scratch, 0)
	w.records[part.of.place].overwrite(w.scratch, t.Segment)
	part.of.after = sumAt(w.scratch, 0)
	return nil
}

// maskPart overwrites the secrets in a fragment's copy.
func (w *writer) maskPart(p *capture.Packet, of part) bool {
	w.fragments.layers = link.Layers(p, w.fragments.layers[:0])
	layers := w.fragments.layers
	if len(layers) == 0 {
		return false
	}
	last := layers[len(layers)-1]
	d := of.of
	if last.Kind != link.LayerFragment || w.redact != nil && last.Protocol != protocolTCP {
		return false
	}
	piece := w.scratch[last.Behind:last.To]
	from, to := max(of.offset, d.at), min(of.offset+len(piece), d.at+d.length)
	if from < to {
		s := d.segment
		s.Seq += uint32(from - d.at)
		w.records[d.place].overwrite(piece[from-of.offset:to-of.offset], &s)
	}
	if checksum := d.checksum - of.offset; d.checksum >= 0 && checksum >= 0 && checksum+2 <= len(piece) {
		update(piece[checksum:], d.before, d.after)
		if w.redact != nil {
			w.redact.pseudo(p.Data, layers, piece[checksum:])
		}
	} else if d.checksum < 0 && of.offset == 0 && d.at <= len(piece) {
		if at, ok := tcpAt(w.scratch, last.Behind+d.at, &d.segment); ok {
			update(w.scratch[at+tcpChecksum:], d.before, d.after)
		}
	}
	clear(w.scratch[last.To:])
	if w.redact != nil {
		w.redact.frame(p.Data, w.scratch, layers)
	}
	return true
}

const protocolTCP = 6
