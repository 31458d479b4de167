package slice

import (
	"bytes"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode/link"
	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/decode/tcp"
)

const (
	// maxDialog and maxDialogPackets bound what is written of one handshake, in bytes and
	// packets: a CONNECT of 64 KiB in segments of any size that is usual.
	maxDialog        = 128 << 10
	maxDialogPackets = 256
	// enoughOpaque is how many packets with bytes are written of a connection that
	// tells nothing: of another protocol, or captured from its middle on.
	enoughOpaque = 8
	// enoughSealed is the same behind a TLS handshake from where both sides have sent
	// application data on: CONNACK is among the first.
	enoughSealed = 16
	// maxPerhaps bounds the packets of a connection that wait behind a hole.
	maxPerhaps = 16
	// waypoint is how much of a stream may be left out before a packet shows where it is.
	// Readers take a sequence number that is too far ahead for another connection's, 1 GiB at
	// most, and give a hole up only when much waits behind it (64 packets, in decode/tcp).
	waypoint = 1 << 23
	// hintSize is how much of a stream may say that it is about MQTT.
	hintSize = 4 << 10
)

// dialog follows one connection.
type dialog struct {
	e *Evidence
	c *tcp.Conn
	// stream tells where secrets lie; nil while there are no bytes.
	stream *stream
	// ends are by side, and final with the first bytes.
	ends [2]link.Endpoint
	// record is the stream's as of the latest bytes, where fresh.
	record record
	fresh  bool
	// fed is how far the stream was told of each side's bytes, floor from where on it is
	// known where secrets lie.
	fed, floor [2]int64
	// waiting is how many of its packets are in the queue for which the record is needed.
	waiting int
	// parted: some wait behind one that was written.
	parted bool
	// Of the handshake: packets and bytes that were kept, those with payload, and those since both
	// sides have sent data behind TLS.
	kept, size, said, sealed int
	// open: packets are still the handshake's. through: it is through, with the segment under way
	// at the latest. ended: the connection is. spoke: it had bytes. mqtt: it is one
	// of MQTT's. foreign: it is certainly not, as far as that is ever certain.
	open, through, ended, spoke, mqtt, foreign bool
	// struck: the segment under way completes a packet of interest. hits are where those
	// lie that may still be in the queue.
	struck bool
	hits   [2]struct{ from, to int64 }
	tls    [2]records
	// last is each side's last packet with bytes that was not written, shown how far
	// its stream was when one was.
	last  [2]*lastPacket
	shown [2]int64
	// earlier counts the client's packets that early wrote.
	earlier int
}

// lastPacket is the beginning of a packet.
type lastPacket struct {
	nano     int64
	iface    int
	link     capture.LinkType
	length   int
	data     []byte
	at       int
	src, dst link.Endpoint
	seq, ack uint32
	flags    link.Flags
	// clear: what is written of it shows where the MQTT packet that it is ends, so that a reader
	// who knew where it begins can go on.
	clear bool
}

// maxEarly is how many packets of a client are shown one by one behind the handshake. Each takes
// some 100 bytes of the file, a handshake about 1,000.
const maxEarly = 8

// maxLast is how long the headers of a packet may be that is remembered.
const maxLast = 256

// decided reports that what is known of the handshake is all.
func (g *dialog) decided() bool { return g.through || g.ended }

// Data follows the bytes of a side.
func (g *dialog) Data(c *tcp.Conn, from tcp.Side, p []byte, m tcp.Mark) {
	if g.foreign {
		return
	}
	g.listen(c)
	off := c.Sides[from].Next - int64(len(p))
	d := &g.stream.dirs[from]
	if skipped := g.fed[from]; skipped < off {
		d.unread(skipped, off)
	}
	g.fed[from] = c.Sides[from].Next
	g.stream.Data(c, from, p, m)
	if d.kind == mqtt.KindTLS {
		g.tls[from].feed(p)
	}
	if off < hintSize && (d.kind == mqtt.KindTLS || d.kind == mqtt.KindHTTP) {
		// As the server's name, the protocol of ALPN, or the subprotocol of a WebSocket.
		g.mqtt = g.mqtt || bytes.Contains(p, []byte("mqtt"))
	}
	g.learn(from, d)
	// Whole packets that no handshake has are left out from here on.
	c.Skip[from] = g.through && isMQTT(d.kind) && (d.mqtt.framer.Between() || d.mqtt.framer.Lost())
}

// Gap follows a hole.
func (g *dialog) Gap(c *tcp.Conn, from tcp.Side, n int64, cut bool, m tcp.Mark) {
	if g.foreign {
		return
	}
	g.listen(c)
	c.Skip[from] = false
	off := c.Sides[from].Next - n
	if skipped := g.fed[from]; skipped < off {
		g.stream.dirs[from].unread(skipped, off)
	}
	g.fed[from] = c.Sides[from].Next
	g.stream.Gap(c, from, n, cut, m)
	g.tls[from].lost = true
}

// End is told when no more comes of the connection.
func (g *dialog) End(c *tcp.Conn) {
	g.identify(c)
	g.before()
	g.ended, g.fresh = true, false
	g.rest()
}

// listen makes the stream when there are bytes.
func (g *dialog) listen(c *tcp.Conn) {
	g.fresh = false
	if g.stream != nil {
		return
	}
	g.identify(c)
	g.spoke = true
	g.stream = &stream{survey: &g.e.survey, saw: g.saw}
	for i := range g.stream.dirs {
		g.stream.dirs[i].stream = g.stream
	}
}

func (g *dialog) identify(c *tcp.Conn) {
	if g.stream == nil {
		g.ends = [2]link.Endpoint{c.Endpoint(0), c.Endpoint(1)}
	}
}

// learn takes from what the stream is whether it is MQTT's.
func (g *dialog) learn(from tcp.Side, d *direction) {
	kind := d.kind
	if d.web != nil {
		kind = d.web.kind
	}
	switch kind {
	case mqtt.KindConnect:
		g.e.know(g.ends[1-from])
		g.mqtt = true
	case mqtt.KindConnack:
		g.e.know(g.ends[from])
		g.mqtt = true
	}
}

// saw takes note of a whole MQTT packet.
func (g *dialog) saw(side tcp.Side, t mqtt.Type, from, to int64) {
	if !interesting(t) {
		return
	}
	g.struck = true
	h := &g.hits[side]
	if h.to == 0 {
		h.from = from
	}
	h.from, h.to = min(h.from, from), max(h.to, to)
	if t == mqtt.TypeConnack {
		g.through = true
	}
}

// take takes a packet that may have to be written.
func (g *dialog) take(p *capture.Packet, s *link.Segment, from tcp.Side, control bool) {
	if g.foreign {
		return
	}
	struck := g.struck
	g.struck = false
	if g.stream == nil {
		g.identify(g.c)
	}
	if g.open {
		g.keep(p, s, from, ofHandshake)
		g.progress(s)
		return
	}
	switch {
	case control:
		g.lead(s, from, true)
		g.keep(p, s, from, ofEnd)
	case struck:
		g.lead(s, from, false)
		g.keep(p, s, from, perhaps)
	case s.Length == 0:
	case g.strays(s, from) && mqtt.IsDisconnect(s.Payload):
		g.lead(s, from, false)
		g.keep(p, s, from, alone)
	case (g.strays(s, from) || g.within(from)) && g.waiting < maxPerhaps:
		g.keep(p, s, from, perhaps)
	default:
		g.remember(p, s, from, false)
		if g.waiting == 0 {
			g.rest()
		}
	}
}

// progress asks whether the handshake is through with a packet that was kept.
func (g *dialog) progress(s *link.Segment) {
	g.kept++
	g.size += len(s.Payload)
	if s.Length > 0 {
		g.said++
		if g.tls[0].data && g.tls[1].data {
			g.sealed++
		}
	}
	if g.kept >= maxDialogPackets || g.size >= maxDialog {
		g.through = true
		g.e.givenUp++
	}
	if g.stream != nil && g.said >= enoughOpaque && !g.promising() || g.sealed >= enoughSealed {
		g.through = true
	}
	if g.stream != nil && g.said >= enoughOpaque && !g.e.ours(g) {
		g.through, g.foreign = true, true
	}
	g.open = !g.through
}

// promising reports that a stream is one with a handshake of MQTT, or may be.
func (g *dialog) promising() bool {
	for i := range g.stream.dirs {
		d := &g.stream.dirs[i]
		switch d.kind {
		case mqtt.KindConnect, mqtt.KindConnectLike, mqtt.KindConnack, mqtt.KindTLS:
			return true
		case mqtt.KindNeedMore:
			if len(d.head) > 0 {
				return true
			}
		case mqtt.KindHTTP:
			if !d.http.done || d.web != nil {
				return true
			}
		}
	}
	return false
}

// strays reports that a segment's bytes are not known to be where they seem: they wait
// behind a hole, or the stream was lost.
func (g *dialog) strays(s *link.Segment, from tcp.Side) bool {
	side := &g.c.Sides[from]
	base, known := side.Base()
	if !known || g.stream == nil {
		return true
	}
	ahead := int32(s.Seq + uint32(s.Length) - base - uint32(side.Next))
	d := &g.stream.dirs[from]
	return ahead > 0 || isMQTT(d.kind) && d.mqtt.framer.Lost() || d.kind == mqtt.KindOther
}

// within reports that a packet of interest is under way.
func (g *dialog) within(from tcp.Side) bool {
	d := &g.stream.dirs[from]
	scan := &d.mqtt
	if d.web != nil {
		scan = &d.web.mqtt
	}
	t, _, _ := scan.framer.InPacket()
	return interesting(t)
}

func interesting(t mqtt.Type) bool {
	switch t {
	case mqtt.TypeConnect, mqtt.TypeConnack, mqtt.TypeDisconnect, mqtt.TypeAuth:
		return true
	}
	return false
}

// keep puts a packet into the queue.
func (g *dialog) keep(p *capture.Packet, s *link.Segment, from tcp.Side, w why) {
	at := cap(p.Data) - cap(s.Payload)
	if s.Fragments > 0 || at < 0 || at+len(s.Payload) > len(p.Data) {
		g.e.givenUp++
		return
	}
	h := held{
		dialog: g, nano: p.Nano, arrived: g.e.elapsed, link: p.Link, iface: p.Interface, length: p.Length,
		data: bytes.Clone(p.Data), segment: *s, at: at, size: len(s.Payload), why: w,
	}
	h.segment.Payload = nil
	g.waiting++
	if s.Length > 0 {
		g.shown[from] = g.c.Sides[from].Next
		g.last[from] = nil
	}
	g.e.queue.push(h)
	g.e.bound()
}

// remember keeps of a packet what shows that its sender spoke.
func (g *dialog) remember(p *capture.Packet, s *link.Segment, from tcp.Side, whole bool) {
	at := cap(p.Data) - cap(s.Payload)
	side := &g.c.Sides[from]
	if base, _ := side.Base(); s.Seq+uint32(s.Length)-base != uint32(side.Next) {
		return // sent again, or ahead of what is missing
	}
	if len(s.Payload) == 0 || s.Fragments > 0 || at < 0 || at > maxLast || at+len(s.Payload) > len(p.Data) {
		return
	}
	g.early(from)
	l := g.last[from]
	if l == nil {
		l = new(lastPacket)
		g.last[from] = l
	}
	l.nano, l.iface, l.link, l.length, l.at = p.Nano, p.Interface, p.Link, p.Length, at
	l.src, l.dst, l.seq, l.ack, l.flags = s.Src, s.Dst, s.Seq, s.Ack, s.Flags
	var kept []byte
	kept, l.clear = sign(s.Payload, whole)
	l.data = append(append(l.data[:0], p.Data[:at]...), kept...)
	if kept = l.data[at:]; len(kept) == len(s.Payload) {
		fixTCP(l.data, at, s, sumAt(s.Payload, 0), sumAt(kept, 0)) // else nobody can tell
	}
	if side.Next-g.shown[from] > waypoint {
		g.place(from)
	}
}

// early writes of the client's first packets behind the handshake what shows that they were there. So
// a session that is short shows no hole, which could hide that the client said DISCONNECT.
func (g *dialog) early(from tcp.Side) {
	l := g.last[from]
	if l == nil || g.stream.dirs[from].kind != mqtt.KindConnect || g.earlier == maxEarly {
		return
	}
	if !l.clear {
		g.earlier = maxEarly // there is a hole from here on
		return
	}
	g.earlier++
	g.place(from)
}

// sign is what is written of a payload that is left out: the header of its first MQTT
// packet, as far as it is known to be one. It is clear if that tells where the payload ends.
func sign(p []byte, whole bool) (header []byte, clear bool) {
	switch {
	case len(p) == 2 && (p[0] == byte(mqtt.TypePingreq)<<4 || p[0] == byte(mqtt.TypePingresp)<<4) && p[1] == 0:
		return p, true
	case !whole:
		return unsaid, false
	case p[1] < 0x80:
		return p[:2], len(p) == 2+int(p[1])
	}
	return p[:3], len(p) == 3+int(p[1]&0x7f)+int(p[2])<<7 // see mqtt.Skipped
}

// unsaid is what stands for bytes of which nothing is known.
var unsaid = []byte{'x'}

// lead puts sides' last packets into the queue before one that is kept. Where a reader would
// not find the MQTT packets in that, for what it cannot read of the packet before, it is
// to see a hole: behind what a snap length cut it takes nothing for missing.
func (g *dialog) lead(s *link.Segment, from tcp.Side, ends bool) {
	if l := g.last[from]; l != nil && !l.clear && s.Length > 0 && !mqtt.IsDisconnect(s.Payload) {
		g.last[from] = nil
	}
	g.place(from)
	if l := g.last[1-from]; l != nil && (ends || l.clear) {
		g.place(1 - from)
	}
}

// before puts the sides' last packets into the queue, before one that ends the
// connection: how long each was silent by then is part of what findings say.
func (g *dialog) before() {
	for side := range tcp.Side(2) {
		g.place(side)
	}
}

// place puts one into the queue.
func (g *dialog) place(side tcp.Side) {
	l := g.last[side]
	if l == nil {
		return
	}
	g.last[side] = nil
	g.shown[side] = g.c.Sides[side].Next
	h := held{
		dialog: g, nano: l.nano, arrived: g.e.elapsed, link: l.link, iface: l.iface, length: l.length, data: l.data,
		segment: link.Segment{Src: l.src, Dst: l.dst, Seq: l.seq, Ack: l.ack, Flags: l.flags},
		at:      l.at, size: len(l.data) - l.at, why: bare,
	}
	g.e.queue.push(h)
	g.e.bound()
}

// settled reports that what is known of a packet that waits is all that will be.
func (g *dialog) settled(h *held) bool {
	if !g.decided() {
		return false
	}
	// What began in one segment may end in the next.
	return g.ended || h.why != perhaps || g.stream == nil || !g.within(g.side(h))
}

// side is a packet's sender.
func (g *dialog) side(h *held) tcp.Side {
	if h.segment.Src == g.ends[0] {
		return 0
	}
	return 1
}

// hit reports that a packet of interest lies in a segment, if only in part.
func (g *dialog) hit(h *held) bool {
	side := g.side(h)
	base, known := g.c.Sides[side].Base()
	if !known {
		return false
	}
	next := g.c.Sides[side].Next
	off := next + int64(int32(h.segment.Seq-base-uint32(next)))
	return off < g.hits[side].to && off+int64(h.segment.Length) > g.hits[side].from
}

// known is what is known of where secrets lie by now.
func (g *dialog) known() *record {
	r := &g.record
	if g.fresh && r.sides[0].end == g.c.Sides[0].Next && r.sides[1].end == g.c.Sides[1].Next {
		return r
	}
	*r = record{ends: g.ends, recent: true}
	if g.stream == nil {
		return r
	}
	g.stream.soFar(g.c, r)
	for i := range r.sides {
		side := &r.sides[i]
		if g.floor[i] > 0 {
			side.spans = append(side.spans, span{from: 0, to: g.floor[i]})
		}
		if g.fed[i] < side.end {
			side.spans = append(side.spans, span{from: g.fed[i], to: side.end})
		}
		side.spans = side.spans.settle()
	}
	g.fresh = true
	return r
}

// written is told when one of the packets that waited no longer does.
func (g *dialog) written() {
	if parted := g.waiting > 0 && g.e.ours(g); parted != g.parted {
		g.parted = parted
		if parted {
			g.e.parted++
		} else {
			g.e.parted--
		}
	}
	g.rest()
}

// rest lets go of what is needed no more when no packet of the connection waits.
func (g *dialog) rest() {
	if g.waiting > 0 || !g.decided() || g.stream == nil {
		return
	}
	g.record, g.fresh = record{}, false
	if g.ended {
		g.stream.drop()
		g.stream = nil
		return
	}
	for i := range g.stream.dirs {
		g.floor[i] = g.c.Sides[i].Next
		g.stream.dirs[i].forget(g.floor[i])
		g.hits[i].from, g.hits[i].to = 0, 0
	}
}

// records follows the records of one direction of TLS (RFC 8446 §5.1) as far as to see that
// there is application data.
type records struct {
	head       [5]byte
	have, rest int
	data, lost bool
}

func (r *records) feed(p []byte) {
	for len(p) > 0 && !r.data && !r.lost {
		if r.rest > 0 {
			n := min(r.rest, len(p))
			r.rest, p = r.rest-n, p[n:]
			continue
		}
		n := copy(r.head[r.have:], p)
		r.have, p = r.have+n, p[n:]
		if r.have == len(r.head) {
			r.have, r.rest = 0, int(r.head[3])<<8|int(r.head[4])
			r.data = r.head[0] == 23
		}
	}
}
