package decode

import (
	"math"

	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/decode/tcp"
)

// within are the streams that a connection carries inside others: those inside
// TLS whose secrets are known, and inside a WebSocket, which may itself lie in
// TLS.
type within struct {
	tls, web [2]opening
	// closed are the Close frames of a WebSocket, by side (RFC 6455 §5.5.1).
	closed [2]Event
}

func (f *follower) makeWithin() *within {
	if f.within == nil {
		f.within = new(within)
	}
	return f.within
}

// behindTLS follows a TLS connection.
func (f *follower) behindTLS(c *tcp.Conn, from tcp.Side, p []byte, at Event) {
	if f.secure == nil {
		f.secure = newSecure(f)
	}
	f.secure.feed(c, from, f.clientSide(c, from, mqtt.KindTLS), p, at)
}

// insideTLS takes plain bytes of a TLS connection.
func (f *follower) insideTLS(c *tcp.Conn, from tcp.Side, p []byte, at Event) {
	in := f.makeWithin()
	o, other := &in.tls[from], &in.tls[1-from]
	f.begin(from, o, at)
	if p = o.take(p); p == nil {
		return
	}
	switch {
	case believed(o.kind, other.kind, f.atBroker(c)):
		f.feed(c, from, p, at)
	case o.kind == mqtt.KindHTTP || other.kind == mqtt.KindHTTP:
		f.overWeb(c, from, f.secure.client, p, at)
	}
}

// holeInsideTLS follows a hole of unknown size in the plain bytes.
func (f *follower) holeInsideTLS(c *tcp.Conn, from tcp.Side, at Event) {
	f.makeWithin().tls[from].miss()
	if f.web != nil {
		f.web.skip(from == f.secure.client, math.MaxInt64, func(int64) {})
		return
	}
	f.skip(c, from, math.MaxInt64, at)
}

// overWeb follows an HTTP request, its answer, and the WebSocket that may come
// of them.
func (f *follower) overWeb(c *tcp.Conn, from, client tcp.Side, p []byte, at Event) {
	if f.web == nil {
		f.web = newWeb(&f.d.inflaters)
	}
	f.web.feed(from == client, p, func(fromClient bool, p []byte) {
		side := client
		if !fromClient {
			side = 1 - client
		}
		f.insideWeb(c, side, p, at)
	})
	if f.web.closed(from == client) {
		if in := f.makeWithin(); !in.closed[from].Seen() {
			in.closed[from] = at
		}
	}
}

// closeFrame is a side's Close frame.
func (f *follower) closeFrame(side tcp.Side) Event {
	if f.within == nil {
		return Event{}
	}
	return f.within.closed[side]
}

// insideWeb takes bytes that came in WebSocket frames. Their subprotocol is
// mqtt, so that weaker signs of it are believed.
func (f *follower) insideWeb(c *tcp.Conn, from tcp.Side, p []byte, at Event) {
	in := f.makeWithin()
	o := &in.web[from]
	f.begin(from, o, at)
	if p = o.take(p); p == nil {
		return
	}
	if believed(o.kind, in.web[1-from].kind, true) {
		f.feed(c, from, p, at)
	}
}

// unread reports that some of what a side sent in the innermost stream could not
// be read.
func (f *follower) unread(side, client tcp.Side) bool {
	return f.secure != nil && f.secure.unread(side) || f.web != nil && f.web.unread(side == client)
}

// begin notes where an MQTT packet may begin.
func (f *follower) begin(from tcp.Side, o *opening, at Event) {
	if dir := &f.dirs[from]; len(o.head) == 0 && dir.framer.Between() {
		dir.began = at
	}
}

// innermost is what a side sent first in the innermost stream that could be
// read.
func (f *follower) innermost(side tcp.Side) First {
	switch {
	case f.web != nil && f.web.out.Status == switching:
		return f.makeWithin().web[side].what()
	case f.secure != nil && f.secure.out.Decrypted:
		return f.makeWithin().tls[side].what()
	}
	return f.dirs[side].what()
}
