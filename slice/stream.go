package slice

import (
	"cmp"
	"slices"

	"github.com/mqttriage/mqttriage/decode/link"
	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/decode/proxy"
	"github.com/mqttriage/mqttriage/decode/tcp"
)

const (
	// maxHeld bounds what all streams hold together of what is not whole, in bytes.
	maxHeld = 16 << 20
	// maxSpans bounds the spans of all connections, which take 56 bytes each, and
	// maxOwnSpans those of one direction. Behind the last one everything is
	// overwritten.
	maxSpans    = 2 << 20
	maxOwnSpans = 1 << 16
)

// record is what the second time over a capture tells of a connection for the
// third.
type record struct {
	ends   [2]link.Endpoint
	sides  [2]recordSide
	masked masked
	// recent: segments are near the streams' ends, and none comes from 2 GiB before.
	recent bool
}

// recordSide is one direction: where its stream begins and ends, and what is
// overwritten in it. Without known there is no stream.
type recordSide struct {
	spans spans
	end   int64
	base  uint32
	known bool
}

// masked says what was overwritten in a connection.
type masked uint8

const (
	maskedUser masked = 1 << iota
	maskedPassword
	maskedWill
	maskedAuth
	maskedProperty
	maskedHTTP
	maskedCompressed
	maskedUnread
)

// survey goes over a capture's connections for the second time.
type survey struct {
	tagger  tagger
	redact  *redactor // nil where names stay
	places  map[uint32]int
	records []record
	// held counts bytes, taken spans.
	held, taken int
	bounds      surveyBounds
	// bodies says that what a PUBLISH carries is overwritten as well.
	bodies bool
}

// surveyBounds bound a survey; 0 means what is right for files.
type surveyBounds struct{ held, spans, ownSpans int }

// follow returns who follows a connection, nil where it is not to be kept.
func (s *survey) follow(c *tcp.Conn) tcp.Handler {
	place, ok := s.places[c.Number]
	if !ok {
		return nil
	}
	st := &stream{survey: s, place: place}
	for i := range st.dirs {
		st.dirs[i].stream = st
	}
	return st
}

// stream follows the bytes of a connection.
type stream struct {
	survey  *survey
	place   int
	dirs    [2]direction
	proxied bool
	masked  masked
	// saw, where not nil, is called for every whole MQTT packet, and about where it
	// lies in the stream.
	saw func(side tcp.Side, t mqtt.Type, from, to int64)
}

// direction follows those of one side.
type direction struct {
	stream *stream
	// head is the beginning of the stream until kind tells what it is; headAt is
	// its offset.
	head   []byte
	headAt int64
	kind   mqtt.Kind
	mqtt   mqttScan
	http   *httpScan
	tls    *tlsScan
	web    *webScan
	webAt  int64
	held   int
	spans  spans
	// closed: everything from the last span on is overwritten.
	closed bool
}

// Data takes bytes as the decoder does.
func (st *stream) Data(c *tcp.Conn, from tcp.Side, p []byte, _ tcp.Mark) {
	d := &st.dirs[from]
	d.data(p, c.Sides[from].Next-int64(len(p)))
	d.account()
}

// Gap takes a hole. Its bytes may come yet, too late to be understood.
func (st *stream) Gap(c *tcp.Conn, from tcp.Side, n int64, _ bool, _ tcp.Mark) {
	d := &st.dirs[from]
	off := c.Sides[from].Next - n
	d.unread(off, off+n)
	switch {
	case d.kind == mqtt.KindNeedMore:
		if len(d.head) == 0 {
			d.headAt = off
		}
		d.other()
	case d.tls != nil:
		d.tls.skip(off)
	case d.web != nil:
		d.web.skip(n, off)
	case d.http != nil:
		d.http.end(d)
		d.http.done = true
		d.unknown(off, endless)
	case isMQTT(d.kind):
		if d.mqtt.at != off && !d.mqtt.framer.Lost() && d.mqtt.framer.Between() {
			d.mqtt.at = off
		}
		d.mqtt.skip(n, d)
	}
	d.account()
}

// End makes the record.
func (st *stream) End(c *tcp.Conn) {
	r := &st.survey.records[st.place]
	for side := range tcp.Side(2) {
		d, from := &st.dirs[side], &c.Sides[side]
		d.end(&st.dirs[1-side])
		r.ends[side] = c.Endpoint(side)
		base, known := from.Base()
		r.sides[side] = recordSide{spans: d.spans.settle(), end: from.Next, base: base, known: known}
	}
	r.masked = st.masked
}

func isMQTT(k mqtt.Kind) bool {
	switch k {
	case mqtt.KindConnect, mqtt.KindConnectLike, mqtt.KindConnack, mqtt.KindOtherMQTT:
		return true
	}
	return false
}

func (d *direction) data(p []byte, off int64) {
	if d.kind == mqtt.KindNeedMore {
		if p, off = d.open(p, off); d.kind == mqtt.KindNeedMore {
			return
		}
	}
	switch {
	case isMQTT(d.kind):
		d.mqtt.feed(p, off, d)
	case d.kind == mqtt.KindHTTP:
		d.overHTTP(p, off)
	case d.kind == mqtt.KindTLS && d.stream.survey.redact != nil:
		if d.tls == nil {
			d.tls = &tlsScan{to: d}
		}
		d.tls.feed(p, off)
	}
}

// open finds out what the stream is, and returns what there is to go on with.
func (d *direction) open(p []byte, off int64) ([]byte, int64) {
	if len(d.head) == 0 {
		d.headAt = off
	}
	p = append(d.head, p...)
	d.head = nil
	if !d.stream.proxied && proxy.Begins(p) {
		switch _, size := proxy.Parse(p); {
		case size > 0:
			d.stream.proxied = true
			if r := d.stream.survey.redact; r != nil {
				r.proxied(d, p[:size], d.headAt)
			}
			p, d.headAt = p[size:], d.headAt+int64(size)
		case size == 0 && len(p) < proxy.MaxHeader:
			d.head = p
			return nil, 0
		}
	}
	if d.kind = mqtt.Detect(p); d.kind == mqtt.KindNeedMore {
		d.head = p
		return nil, 0
	}
	if d.kind == mqtt.KindOther {
		d.other()
	}
	d.mqtt.at = d.headAt
	return p, d.headAt
}

// other gives up finding out what the stream is.
func (d *direction) other() {
	clear(d.head)
	d.head, d.kind = nil, mqtt.KindOther
}

func (d *direction) overHTTP(p []byte, off int64) {
	if d.http == nil {
		d.http = &httpScan{}
	}
	if d.web == nil && !d.http.done {
		p, off = d.http.feed(p, off, d)
		if !d.http.done || d.closed {
			return
		}
		if !d.http.upgrade || d.http.response && d.http.status != 101 {
			d.unknown(off, endless)
			return
		}
		d.web, d.webAt = &webScan{to: d}, off
	}
	if d.web != nil {
		d.web.feed(p, off)
	}
}

// end takes what is not whole at the end of the stream.
func (d *direction) end(peer *direction) {
	switch {
	case d.kind == mqtt.KindNeedMore && len(d.head) > 0, d.kind == mqtt.KindOther:
		// Beside TLS it is TLS, of which the beginning is missing.
		if peer.kind != mqtt.KindTLS {
			d.unknown(d.headAt, endless)
		}
	case d.web != nil:
		if !d.http.response && (peer.web == nil || !peer.http.response) {
			d.unknown(d.webAt, endless) // nobody agreed to a WebSocket
		} else {
			d.web.end()
		}
		if d.web.squeezed {
			d.stream.masked |= maskedCompressed
		}
	case d.http != nil:
		d.http.end(d)
	case d.tls != nil:
		d.tls.end()
	case isMQTT(d.kind):
		d.mqtt.end(d)
		d.mqtt.framer.Reset()
	}
	d.stream.survey.held -= d.held
	d.held = 0
}

// soFar is the record of the connection as it is known, which goes on. What is not
// whole yet is taken for as much as it is.
func (st *stream) soFar(c *tcp.Conn, r *record) {
	survey := st.survey
	taken, masked := survey.taken, st.masked
	for side := range tcp.Side(2) {
		d, from := &st.dirs[side], &c.Sides[side]
		spans, closed := d.spans, d.closed
		d.spans = slices.Clone(spans)
		d.partial(&st.dirs[1-side])
		base, known := from.Base()
		r.sides[side] = recordSide{spans: d.spans.settle(), end: from.Next, base: base, known: known}
		d.spans, d.closed = spans, closed
	}
	r.masked = st.masked
	survey.taken, st.masked = taken, masked
}

// partial takes what has begun and is not whole, and changes nothing but the spans.
func (d *direction) partial(peer *direction) {
	switch {
	case d.kind == mqtt.KindNeedMore && len(d.head) > 0, d.kind == mqtt.KindOther:
		if peer.kind != mqtt.KindTLS {
			d.unknown(d.headAt, endless)
		}
	case d.web != nil:
		if !d.http.response && (peer.web == nil || !peer.http.response) {
			d.unknown(d.webAt, endless)
		} else {
			d.web.partial()
		}
	case d.http != nil:
		if len(d.http.line) > 0 {
			d.unknown(d.http.began, d.http.at)
		}
	case d.tls != nil:
		d.tls.partial()
	case isMQTT(d.kind):
		d.mqtt.end(d)
	}
}

// forget drops the spans that end before an offset.
func (d *direction) forget(before int64) {
	if d.closed && d.web == nil && isMQTT(d.kind) && !d.mqtt.framer.Lost() {
		// There were too many; where secrets lie is known all the same from here on.
		d.stream.survey.taken -= len(d.spans)
		d.spans, d.closed = nil, false
		return
	}
	n := 0
	for n < len(d.spans) && d.spans[n].to <= before {
		n++
	}
	if n == 0 {
		return
	}
	d.stream.survey.taken -= n
	d.spans = slices.Delete(d.spans, 0, n)
}

// drop wipes what the stream holds.
func (st *stream) drop() {
	for i := range st.dirs {
		d := &st.dirs[i]
		clear(d.head)
		d.mqtt.framer.Reset()
		if d.http != nil {
			d.http.drop()
		}
		if d.web != nil {
			d.web.mqtt.framer.Reset()
			clear(d.web.opening)
		}
		st.survey.held -= d.held
		st.survey.taken -= len(d.spans)
		d.held, d.spans = 0, nil
	}
}

// packet tells of a whole MQTT packet.
func (d *direction) packet(t mqtt.Type, from, to int64) {
	if st := d.stream; st.saw != nil {
		side := tcp.Side(0)
		if d == &st.dirs[1] {
			side = 1
		}
		st.saw(side, t, from, to)
	}
}

// account counts what the direction holds, and gives it up when all hold too
// much.
func (d *direction) account() {
	s := d.stream.survey
	holds := func() int {
		n := d.mqtt.framer.Held() + cap(d.head)
		if d.http != nil {
			n += cap(d.http.line)
		}
		if d.web != nil {
			n += d.web.mqtt.framer.Held() + cap(d.web.opening)
		}
		if d.tls != nil {
			n += cap(d.tls.hello)
		}
		return n
	}
	n := holds()
	s.held += n - d.held
	d.held = n
	if s.held <= cmp.Or(s.bounds.held, maxHeld) {
		return
	}
	d.mqtt.framer.Abridge()
	if d.web != nil {
		d.web.mqtt.framer.Abridge()
	}
	if d.kind == mqtt.KindNeedMore && len(d.head) > 0 {
		d.other()
	}
	s.held -= d.held
	d.held = holds()
	s.held += d.held
}

// private takes a field of a packet.
func (d *direction) private(from, to int64, f mqtt.Private) { d.field(from, to, f, 0, [4]byte{}) }

// field takes a part of a field, which begins at a place in its value.
func (d *direction) field(from, to int64, f mqtt.Private, at uint32, key [4]byte) {
	s := span{from: from, to: to, at: at, value: uint32(f.To - f.From), key: key}
	if f.Field < mqtt.ClientIDField {
		d.stream.masked |= maskOf[f.Field]
	} else if d.stream.survey.redact == nil && !(f.Field == mqtt.BodyField && d.stream.survey.bodies) {
		return
	} else if f.Field == mqtt.ClientIDField {
		if f.Value != nil {
			s.text = d.stream.survey.redact.name(f.Value)
		}
	}
	if f.Value != nil && len(s.text) < len(f.Value) {
		s.tag = d.stream.survey.tagger.tag(f.Value)
		s.wrong = wrongs(f.Value)
		if f.Field == mqtt.PasswordField || f.Field == mqtt.WillPayloadField || f.Field == mqtt.AuthDataField {
			s.wrong = 0 // bytes, not strings
		}
	}
	d.add(s)
}

var maskOf = [...]masked{
	mqtt.UserNameField: maskedUser, mqtt.PasswordField: maskedPassword, mqtt.WillPayloadField: maskedWill,
	mqtt.AuthDataField: maskedAuth, mqtt.UserPropertyField: maskedProperty, mqtt.UnreadField: maskedUnread,
}

// name takes what names a device or a place, and is replaced only where all names
// are.
func (d *direction) name(from int64, value []byte) {
	if r := d.stream.survey.redact; r != nil && !common[string(value)] {
		d.add(span{from: from, to: from + int64(len(value)), text: r.name(value)})
	}
}

// common are paths that tell nothing of a site.
var common = map[string]bool{"/": true, "/mqtt": true, "/ws": true}

// unknown takes what cannot be told from a secret.
func (d *direction) unknown(from, to int64) {
	if d.kind == mqtt.KindHTTP {
		d.stream.masked |= maskedHTTP
	} else {
		d.stream.masked |= maskedUnread
	}
	d.unread(from, to)
}

func (d *direction) unread(from, to int64) { d.add(span{from: from, to: to}) }

// add keeps a span, as long as there is room for it.
func (d *direction) add(s span) {
	if s.from >= s.to {
		return
	}
	if d.closed {
		// Fields of what was under way may be told of behind what closed the direction.
		last := &d.spans[len(d.spans)-1]
		last.from = min(last.from, s.from)
		return
	}
	survey := d.stream.survey
	if n := len(d.spans); n > 0 && d.spans[n-1].joins(&s) {
		d.spans[n-1].to = s.to
		return
	}
	if len(d.spans) >= cmp.Or(survey.bounds.ownSpans, maxOwnSpans) || survey.taken >= cmp.Or(survey.bounds.spans, maxSpans) {
		s = span{from: s.from, to: endless}
	}
	d.closed = s.to == endless
	survey.taken++
	d.spans = append(d.spans, s)
}

// joins reports that t goes on where s ends, with x alone.
func (s *span) joins(t *span) bool {
	return s.to == t.from && s.tag == 0 && t.tag == 0 && s.key == [4]byte{} && t.key == [4]byte{} && s.text == "" && t.text == ""
}
