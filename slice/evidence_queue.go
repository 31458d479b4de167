package slice

import (
	"slices"
	"sort"
	"time"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode/link"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// held is a packet that waits to be written.
type held struct {
	dialog  *dialog
	nano    int64
	arrived time.Duration
	link    capture.LinkType
	iface   int
	length  int
	data    []byte
	// segment has no payload: that lies in data from at on, size bytes of it.
	segment  link.Segment
	at, size int
	why      why
}

// why a packet is held.
type why uint8

const (
	// ofHandshake: the handshake is under way.
	ofHandshake why = iota
	// ofEnd: SYN, FIN or RST.
	ofEnd
	// perhaps: it is written if a packet of interest turns out to lie in it.
	perhaps
	// alone: it is one DISCONNECT, wherever in the stream.
	alone
	// bare: it was cut to its headers, and what is left of the payload is no secret.
	bare
)

// heldSize is what a held packet takes beside its bytes.
const heldSize = 256

// queue holds packets in the order of their times, as far as that is the order in which they
// came.
type queue struct {
	packets []held
	first   int // of those that wait
	bytes   int
}

func (q *queue) len() int { return len(q.packets) - q.first }

func (q *queue) push(h held) {
	if q.first > 1024 && q.first > len(q.packets)/2 {
		n := copy(q.packets, q.packets[q.first:])
		clear(q.packets[n:])
		q.packets, q.first = q.packets[:n], 0
	}
	q.bytes += len(h.data) + heldSize
	waiting := q.packets[q.first:]
	if h.why != bare || len(waiting) == 0 || waiting[len(waiting)-1].nano <= h.nano {
		q.packets = append(q.packets, h)
		return
	}
	// It comes late, but perhaps not too late for its place.
	at := sort.Search(len(waiting), func(i int) bool { return waiting[i].nano > h.nano })
	q.packets = slices.Insert(q.packets, q.first+at, h)
}

func (q *queue) pop() held {
	h := q.packets[q.first]
	q.packets[q.first] = held{}
	q.first++
	q.bytes -= len(h.data) + heldSize
	if q.first == len(q.packets) {
		q.packets, q.first = q.packets[:0], 0
		if cap(q.packets) > 1<<14 {
			q.packets = nil
		}
	}
	return h
}

// release writes the packets of which all is known that will be, in order.
func (e *Evidence) release(all bool) {
	for e.queue.len() > 0 {
		h := &e.queue.packets[e.queue.first]
		if !all && !h.dialog.settled(h) && e.elapsed-h.arrived < e.options.Hold && e.queue.bytes <= e.options.Memory {
			return
		}
		one := e.queue.pop()
		e.write(&one)
		clear(one.data)
	}
}

// write writes a packet, unless it is of no interest.
func (e *Evidence) write(h *held) {
	g := h.dialog
	if h.why != bare {
		g.waiting--
		defer g.written()
	}
	switch {
	case !e.ours(g) || h.why == perhaps && !g.hit(h):
		return
	case !g.spoke:
		if e.mute < 1 {
			e.givenUp++
			return
		}
		e.mute--
	}
	e.scratch = append(e.scratch[:0], h.data...)
	if !e.mask(h) {
		e.givenUp++
		return
	}
	e.emit(h, e.scratch)
}

// mask overwrites the secrets in a packet's copy. It reports false where they cannot be
// found.
func (e *Evidence) mask(h *held) bool {
	payload := e.scratch[h.at : h.at+h.size]
	before := sumAt(payload, 0)
	changed := false
	switch h.why {
	case bare:
	case alone:
		changed = e.maskAlone(payload)
	default:
		changed = len(payload) > 0 && h.dialog.known().overwrite(payload, &h.segment)
	}
	redact := e.survey.redact
	if changed && redact == nil {
		fixTCP(e.scratch, h.at, &h.segment, before, sumAt(payload, 0))
	}
	clear(e.scratch[h.at+len(payload):]) // see writer.mask
	if redact == nil {
		return true
	}
	p := capture.Packet{Link: h.link, Length: h.length, Data: h.data}
	e.layers = link.Layers(&p, e.layers[:0])
	if n := len(e.layers); n == 0 || e.layers[n-1].Kind != link.LayerTCP || e.layers[n-1].Behind != h.at {
		return false
	}
	redact.frame(h.data, e.scratch, e.layers)
	return true
}

// maskAlone masks a payload that is one MQTT packet.
func (e *Evidence) maskAlone(payload []byte) bool {
	var l spans
	var framer mqtt.Framer
	if _, fr, whole := framer.Feed(payload); whole {
		mqtt.Privates(fr, func(f mqtt.Private) {
			if f.Field < mqtt.ClientIDField || f.Field == mqtt.BodyField || e.survey.redact != nil {
				l = append(l, span{from: int64(f.From), to: int64(f.To)})
			}
		})
	} else {
		l = spans{{from: 0, to: endless}}
	}
	return l.settle().overwrite(payload, 0)
}
