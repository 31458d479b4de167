package decode

import (
	"net/netip"
	"slices"

	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/decode/proxy"
	"github.com/mqttriage/mqttriage/decode/tcp"
)

// A follower turns the events of one TCP connection into a session. It holds
// what only the bytes tell, and is small: there is one for each connection
// that is open. The session is made at the end.
type follower struct {
	d    *Decoder
	dirs [2]direction

	connect    *mqtt.Connect
	connack    *mqtt.Connack
	disconnect *mqtt.Disconnect
	// secure and web follow a TLS connection and an HTTP request, within are the
	// streams inside those; nil without.
	secure *secure
	web    *web
	within *within
	rare   *Rare
	// proxy is from whom a PROXY protocol header speaks; nil without one, the
	// address is invalid where it does not say.
	proxy *netip.AddrPort

	connectAt, connectBegan, connackAt, disconnectAt Event
	// connectEnd is how many bytes of the client's stream the CONNECT ends
	// after, to see whether the broker's TCP acknowledged it.
	connectEnd int64
	notes      Notes
	// held is what the connection counts for in the decoder's.
	held int
	// stage is how far it was when Tell told of it.
	stage stage

	// client is the side that is the client, once roles is from the SYN or
	// from MQTT.
	client         tcp.Side
	roles          Roles
	mqtt           bool
	authPending    bool
	firstPacket    mqtt.Type
	disconnectedBy Side
}

// A direction is one side's stream.
type direction struct {
	framer mqtt.Framer
	opening
	first Event
	// began is the packet with the first byte of the MQTT packet that is
	// under way.
	began Event
	gap   bool
}

// An opening is the beginning of a stream: what the stream is, once its first
// bytes tell; head keeps them until then.
type opening struct {
	head []byte
	kind mqtt.Kind
}

// take returns the bytes of the stream to go on with, nil while it takes more
// to tell what the stream is.
func (o *opening) take(p []byte) []byte {
	if o.kind != mqtt.KindNeedMore {
		return p
	}
	if len(o.head) > 0 {
		head := o.head
		p = slices.Concat(head, p)
		clear(head) // it may have been sealed, or masked
	}
	if o.kind = mqtt.Detect(p); o.kind == mqtt.KindNeedMore {
		o.head = slices.Clone(p)
		return nil
	}
	o.head = nil
	return p
}

// miss says that bytes are missing: what comes next is not the stream's start.
func (o *opening) miss() {
	if o.kind == mqtt.KindNeedMore {
		o.head, o.kind = nil, mqtt.KindOther
	}
}

// Data follows in-order bytes of one side.
func (f *follower) Data(c *tcp.Conn, from tcp.Side, p []byte, m tcp.Mark) {
	f.take(c, from, p, m)
	f.account()
}

func (f *follower) take(c *tcp.Conn, from tcp.Side, p []byte, m tcp.Mark) {
	dir := &f.dirs[from]
	at := event(m)
	if !dir.first.Seen() {
		dir.first = at
	}
	if len(dir.head) == 0 && dir.framer.Between() {
		dir.began = at
	}
	if dir.kind == mqtt.KindNeedMore && f.proxy == nil {
		if p = f.unproxy(dir, p); len(p) == 0 {
			return
		}
	}
	if p = dir.take(p); p == nil {
		return
	}
	switch {
	case believed(dir.kind, f.dirs[1-from].kind, f.atBroker(c)):
		f.feed(c, from, p, at)
		// Nothing is learnt any more from packets that no handshake has, nor from any
		// once their boundaries are lost.
		c.Skip[from] = dir.framer.Lost() || f.firstPacket != 0 && dir.framer.Between()
		if c.Skip[from] && c.Known[from] == 0 {
			c.Known[from] = c.Sides[from].Next
		}
	case f.follows(mqtt.KindTLS):
		f.behindTLS(c, from, p, at)
	case f.follows(mqtt.KindHTTP):
		f.overWeb(c, from, f.clientSide(c, from, mqtt.KindHTTP), p, at)
	}
}

// unproxy takes a PROXY protocol header from the front of a stream. It returns
// what is left, which is empty while the header is not whole.
func (f *follower) unproxy(dir *direction, p []byte) []byte {
	if len(dir.head) == 0 && !proxy.Begins(p) {
		return p
	}
	p = append(dir.head, p...)
	dir.head = nil
	client, size := proxy.Parse(p)
	switch {
	case size > 0:
		f.proxy, p = &client, p[size:]
		f.note(NoteProxyProtocol)
	case size == 0 && len(p) < proxy.MaxHeader:
		dir.head = slices.Clone(p)
		return nil
	}
	return p
}

// follows reports that a stream of the kind was recognised on either side: the
// side that begins it decides for both.
func (f *follower) follows(kind mqtt.Kind) bool {
	return f.dirs[0].kind == kind || f.dirs[1].kind == kind
}

// clientSide is the client where the TCP handshake tells it, else the side
// whose bytes of the kind came first.
func (f *follower) clientSide(c *tcp.Conn, from tcp.Side, kind mqtt.Kind) tcp.Side {
	if c.HasSYN || c.HasSYNACK {
		return 0
	}
	if f.dirs[1-from].kind == kind && f.dirs[1-from].first.Packet < f.dirs[from].first.Packet {
		return 1 - from
	}
	return from
}

// believed reports whether a stream of a kind is MQTT, by the kind of the stream
// in the other direction. What begins in mid-stream or with another packet than
// CONNECT and CONNACK is believed only at a broker's port or where the other
// direction is certain.
func believed(kind, other mqtt.Kind, atBroker bool) bool {
	switch kind {
	case mqtt.KindConnect, mqtt.KindConnack:
		return true
	case mqtt.KindConnectLike, mqtt.KindOtherMQTT:
		return other == mqtt.KindConnect || other == mqtt.KindConnack || atBroker
	}
	return false
}

// atBroker reports that one of the ports is a broker's.
func (f *follower) atBroker(c *tcp.Conn) bool {
	return IsBrokerPort(c.Port(0), f.d.opts.Ports) || IsBrokerPort(c.Port(1), f.d.opts.Ports)
}

// feed takes bytes of MQTT.
func (f *follower) feed(c *tcp.Conn, from tcp.Side, p []byte, at Event) {
	dir := &f.dirs[from]
	if dir.framer.Lost() && mqtt.IsDisconnect(p) {
		// Behind a hole the packets' boundaries are lost, but a segment that is a
		// DISCONNECT from its first byte to its last is hardly anything else.
		dir.framer.Reset()
		dir.began = at
	}
	for len(p) > 0 {
		n, frame, whole := dir.framer.Feed(p)
		p = p[n:]
		if whole {
			f.frame(c, from, frame, at, c.Sides[from].Next-int64(len(p)))
			dir.began = at
		} else if n == 0 {
			break
		}
	}
	dir.framer.Used()
}

// frame takes one whole MQTT packet; end is how many bytes of the stream it
// ends after.
func (f *follower) frame(c *tcp.Conn, from tcp.Side, fr mqtt.Frame, at Event, end int64) {
	f.mqtt = true
	f.learnRoles(c, from, fr.Type)
	if f.firstPacket == 0 && f.roles != RolesUnknown && from == f.client {
		f.firstPacket = fr.Type
	}
	switch fr.Type {
	case mqtt.TypeConnect:
		if f.roles == RolesFromSYN && from != f.client {
			return // not from this side
		}
		if f.connect != nil {
			f.note(NoteSecondConnect)
			f.makeRare().SecondConnect = at
			return
		}
		connect, err := f.d.parser.Connect(fr)
		if err != nil {
			return
		}
		if f.d.opts.Bounds.Memory > 0 {
			connect = shortened(connect)
		}
		f.connect, f.connectAt, f.connectBegan = connect, at, f.dirs[from].began
		f.connectEnd = end
		if fr.BrokenLength {
			f.note(NoteBrokenLength)
		}
	case mqtt.TypeConnack:
		if f.roles != RolesUnknown && from == f.client {
			return // not from this side
		}
		if f.connack != nil {
			return // Cumulocity signals errors in mid-session so
		}
		connack, err := f.d.parser.Connack(fr, f.connect)
		if err != nil {
			return
		}
		f.connack, f.connackAt = connack, at
	case mqtt.TypeDisconnect:
		if f.disconnect != nil {
			return // the answer to the one that ended the session
		}
		disconnect, err := f.d.parser.Disconnect(fr)
		if err != nil {
			return
		}
		f.disconnect, f.disconnectAt, f.disconnectedBy = disconnect, at, Broker
		if from == f.client {
			f.disconnectedBy = Client
		}
	case mqtt.TypeAuth:
		auth, err := mqtt.ParseAuth(fr)
		if err != nil {
			return
		}
		f.authPending = auth.Code == authContinue
	}
}

// learnRoles takes the client's side from the SYN, else from a packet that only
// one side sends.
func (f *follower) learnRoles(c *tcp.Conn, from tcp.Side, t mqtt.Type) {
	if c.HasSYN || c.HasSYNACK {
		f.client, f.roles = 0, RolesFromSYN
	}
	if f.roles != RolesUnknown {
		return
	}
	switch t {
	case mqtt.TypeConnect, mqtt.TypeSubscribe, mqtt.TypeUnsubscribe, mqtt.TypePingreq:
		f.client, f.roles = from, RolesFromMQTT
	case mqtt.TypeConnack, mqtt.TypeSuback, mqtt.TypeUnsuback, mqtt.TypePingresp:
		f.client, f.roles = 1-from, RolesFromMQTT
	}
}

// Gap follows a hole in one side's stream.
func (f *follower) Gap(c *tcp.Conn, from tcp.Side, n int64, cut bool, m tcp.Mark) {
	dir := &f.dirs[from]
	c.Skip[from] = false
	// A hole behind the handshake takes nothing from what is known of it.
	handshake := f.connack == nil || f.connect == nil
	// Nor does one that a snap length cut: it shows when its sender spoke.
	dir.gap = dir.gap || handshake || !cut
	if handshake {
		if cut {
			f.note(NoteCutPackets)
		} else {
			f.note(NoteGap)
		}
	}
	dir.miss()
	switch {
	case f.secure != nil:
		f.secure.skip(from, n)
	case f.web != nil:
		f.web.skip(from == f.clientSide(c, from, mqtt.KindHTTP), n, func(n int64) { f.skip(c, from, n, event(m)) })
	case dir.kind != mqtt.KindOther:
		f.skip(c, from, n, event(m))
	}
}

// skip steps over a hole. Of a CONNECT that it hits, what came before it is
// told: a capture of the first bytes of every packet has the client ID.
func (f *follower) skip(c *tcp.Conn, from tcp.Side, n int64, at Event) {
	dir := &f.dirs[from]
	partial, begun := dir.framer.Partial()
	dir.framer.Skip(n)
	if dir.framer.Lost() {
		if begun && partial.Type == mqtt.TypeConnect {
			f.frame(c, from, partial, dir.began, c.Sides[from].Next)
		}
		return
	}
	if _, frame, whole := dir.framer.Feed(nil); whole {
		f.frame(c, from, frame, at, c.Sides[from].Next)
		dir.began = at
	}
}

// authContinue is the reason code of an AUTH that asks for another (MQTT 5,
// section 3.15.2.1).
const authContinue = 0x18

func (f *follower) note(n Note) { f.notes.Add(n) }

func (f *follower) makeRare() *Rare {
	if f.rare == nil {
		f.rare = new(Rare)
	}
	return f.rare
}
