package decode

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/decode/proxy"
	"github.com/mqttriage/mqttriage/decode/tcp"
)

// A follower turns the events of one TCP connection into a session.
type follower struct {
	d    *Decoder
	s    Session
	dirs [2]direction

	// client is the side that is the client, once roles is "syn" or "mqtt".
	client tcp.Side
	roles  string
	// secure and web follow a TLS handshake and an HTTP request; nil without.
	secure *secure
	web    *web
	// proxied says that a PROXY protocol header came first, from whom it
	// speaks for; the address is invalid where it does not say.
	proxied     bool
	proxyClient netip.AddrPort
	// connectEnd is how many bytes of the client's stream the CONNECT ends
	// after, to see whether the broker's TCP acknowledged it.
	connectEnd int64
}

// A direction is one side's stream.
type direction struct {
	framer mqtt.Framer
	// kind is what the stream is, once its first bytes tell; head keeps them
	// until then.
	kind mqtt.Kind
	head []byte
	// passed counts the stream's bytes, missing ones too.
	passed      int64
	first, last Event
	gap, cut    bool
	// began is the packet with the first byte of the MQTT packet that is
	// under way.
	began Event
}

// Data follows in-order bytes of one side.
func (f *follower) Data(c *tcp.Conn, from tcp.Side, p []byte, m tcp.Mark) {
	dir := &f.dirs[from]
	at := event(m)
	if !dir.first.Seen() {
		dir.first = at
		dir.began = at
	}
	dir.last = at
	dir.passed += int64(len(p))
	if dir.kind == mqtt.KindNeedMore {
		if len(dir.head) > 0 {
			p = append(dir.head, p...)
		}
		if proxy.Begins(p) && !f.proxied {
			var size int
			if f.proxyClient, size = proxy.Parse(p); size == 0 && len(p) < proxy.MaxHeader {
				dir.head = slices.Clone(p)
				return
			} else if size > 0 {
				f.proxied, dir.head, p = true, nil, p[size:]
				f.note(NoteProxyProtocol)
				if len(p) == 0 {
					return
				}
			}
		}
		if dir.kind = mqtt.Detect(p); dir.kind == mqtt.KindNeedMore {
			dir.head = slices.Clone(p)
			return
		}
		dir.head = nil
	}
	switch {
	case f.speaksMQTT(c, from):
		f.feed(c, from, p, at)
	case f.follows(mqtt.KindTLS):
		if f.secure == nil {
			f.secure = new(secure)
		}
		f.secure.feed(from, f.clientSide(c, from, mqtt.KindTLS), p, at)
	case f.follows(mqtt.KindHTTP):
		if f.web == nil {
			f.web = new(web)
		}
		f.web.feed(from == f.clientSide(c, from, mqtt.KindHTTP), p)
	}
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

// speaksMQTT reports whether a direction is MQTT. What begins in mid-stream or
// with another packet than CONNECT and CONNACK is believed only at a broker's
// port or where the other direction is certain.
func (f *follower) speaksMQTT(c *tcp.Conn, from tcp.Side) bool {
	switch f.dirs[from].kind {
	case mqtt.KindConnect, mqtt.KindConnack:
		return true
	case mqtt.KindConnectLike, mqtt.KindOtherMQTT:
		other := f.dirs[1-from].kind
		return other == mqtt.KindConnect || other == mqtt.KindConnack ||
			IsBrokerPort(c.Endpoints[0].Port(), f.d.opts.Ports) || IsBrokerPort(c.Endpoints[1].Port(), f.d.opts.Ports)
	}
	return false
}

func (f *follower) feed(c *tcp.Conn, from tcp.Side, p []byte, at Event) {
	dir := &f.dirs[from]
	rest := int64(len(p))
	for len(p) > 0 {
		n, frame, whole := dir.framer.Feed(p)
		p, rest = p[n:], rest-int64(n)
		if whole {
			f.frame(c, from, frame, at, dir.passed-rest)
			dir.began = at
		}
		if n == 0 && !whole {
			return // the framer only swallows from here on
		}
	}
}

// frame takes one whole MQTT packet; end is how many bytes of the stream it
// ends after.
func (f *follower) frame(c *tcp.Conn, from tcp.Side, fr mqtt.Frame, at Event, end int64) {
	s := &f.s
	s.MQTT = true
	f.learnRoles(c, from, fr.Type)
	if s.FirstPacket == 0 && f.roles != "" && from == f.client {
		s.FirstPacket = fr.Type
	}
	switch fr.Type {
	case mqtt.TypeConnect:
		if f.roles == "syn" && from != f.client {
			return // not from this side
		}
		if s.Connect != nil {
			f.note(NoteSecondConnect)
			s.SecondConnect = at
			return
		}
		connect, err := mqtt.ParseConnect(fr)
		if err != nil {
			return
		}
		s.Connect, s.ConnectAt, s.ConnectBegan = connect, at, f.dirs[from].began
		f.connectEnd = end
		if fr.BrokenLength {
			f.note(NoteBrokenLength)
		}
	case mqtt.TypeConnack:
		if f.roles != "" && from == f.client {
			return // not from this side
		}
		if s.Connack != nil {
			return // Cumulocity signals errors in mid-session so
		}
		connack, err := mqtt.ParseConnack(fr, s.Connect)
		if err != nil {
			return
		}
		s.Connack, s.ConnackAt = connack, at
	case mqtt.TypeDisconnect:
		if s.Disconnect != nil {
			return // the answer to the one that ended the session
		}
		disconnect, err := mqtt.ParseDisconnect(fr)
		if err != nil {
			return
		}
		s.Disconnect, s.DisconnectAt = disconnect, at
		s.DisconnectBy = Broker
		if from == f.client {
			s.DisconnectBy = Client
		}
	case mqtt.TypeAuth:
		auth, err := mqtt.ParseAuth(fr)
		if err != nil {
			return
		}
		s.Auth = auth
	}
}

// learnRoles takes the client's side from the SYN, else from a packet that only
// one side sends.
func (f *follower) learnRoles(c *tcp.Conn, from tcp.Side, t mqtt.Type) {
	if c.HasSYN || c.HasSYNACK {
		f.client, f.roles = 0, "syn"
	}
	if f.roles != "" {
		return
	}
	switch t {
	case mqtt.TypeConnect, mqtt.TypeSubscribe, mqtt.TypeUnsubscribe, mqtt.TypePingreq:
		f.client, f.roles = from, "mqtt"
	case mqtt.TypeConnack, mqtt.TypeSuback, mqtt.TypeUnsuback, mqtt.TypePingresp:
		f.client, f.roles = 1-from, "mqtt"
	}
}

// Gap follows a hole in one side's stream.
func (f *follower) Gap(c *tcp.Conn, from tcp.Side, n int64, cut bool, m tcp.Mark) {
	dir := &f.dirs[from]
	dir.passed += n
	dir.cut = dir.cut || cut
	dir.gap = true
	// A hole behind the handshake takes nothing from what is known of it.
	if f.s.Connack == nil || f.s.Connect == nil {
		if cut {
			f.note(NoteCutPackets)
		} else {
			f.note(NoteGap)
		}
	}
	if dir.kind == mqtt.KindNeedMore {
		dir.head = nil // what comes next is not the stream's start
		dir.kind = mqtt.KindOther
		return
	}
	f.skip(c, from, n, event(m))
	if f.secure != nil {
		f.secure.scanner[from].Skip(n)
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
			f.frame(c, from, partial, dir.began, dir.passed)
		}
		return
	}
	if _, frame, whole := dir.framer.Feed(nil); whole {
		f.frame(c, from, frame, at, dir.passed)
		dir.began = at
	}
}

func (f *follower) note(n Note) {
	if !f.s.Has(n) {
		f.s.Notes = append(f.s.Notes, n)
	}
}

// End makes the session and emits it.
func (f *follower) End(c *tcp.Conn) {
	s := &f.s
	f.settleRoles(c)
	client, broker := f.client, 1-f.client

	s.First, s.BrokerFirst = f.first(client), f.first(broker)
	s.ID = "c" + strconv.Itoa(f.d.opts.Index) + "." + strconv.Itoa(c.Number)
	s.Capture, s.Stream, s.StreamUnsure = f.d.opts.Capture, c.Stream, c.StreamUnsure
	f.settleTLS()
	f.settleHTTP()
	s.Client, s.Broker, s.RolesFrom = c.Endpoints[client], c.Endpoints[broker], f.roles
	if f.proxyClient.IsValid() {
		s.Client = f.proxyClient
	}
	if s.BrokerName = f.d.nameOf(s.Broker.Addr()); s.TLS != nil && s.TLS.SNI != "" {
		s.BrokerName = s.TLS.SNI
	}
	s.CaptureEnd = f.d.end

	s.Opened, s.Syn, s.SynAck, s.Last = event(c.First), event(c.Syn), event(c.SynAck), event(c.Last)
	s.Refusal = event(c.Refused)
	s.SynCount, s.SynRetries = c.SynCount, c.SynRetries
	cs, bs := &c.Sides[client], &c.Sides[broker]
	s.ClientBytes, s.BrokerBytes = cs.Bytes, bs.Bytes
	s.HasISN = cs.HasISN && bs.HasISN
	s.ClientISN, s.BrokerISN = cs.ISN, bs.ISN
	s.LastFromClient, s.LastFromBroker = f.dirs[client].last, f.dirs[broker].last
	s.FirstFromClient = f.dirs[client].first
	s.ClientGap, s.BrokerGap = f.dirs[client].gap, f.dirs[broker].gap
	s.ConnectAcked = s.ConnectAt.Seen() && cs.Acked >= f.connectEnd
	f.settlePartial(client)

	s.ClientClosed = earliest(event(cs.FIN), event(cs.RST), f.disconnectBy(Client))
	s.BrokerClosed = earliest(event(bs.FIN), event(bs.RST), f.disconnectBy(Broker))
	if s.Refusal.Seen() {
		s.BrokerClosed = earliest(s.BrokerClosed, s.Refusal)
	}
	f.settleClose(cs, bs)
	f.settleOutcome(c)
	f.settleNotes(c, cs, bs)
	f.dirs[0].framer.Reset()
	f.dirs[1].framer.Reset()
	// A copy, so that the rest of the follower can go.
	session := f.s
	f.d.emit(&session)
}

// settlePartial tells what it can of a CONNECT whose end the capture does not
// show.
func (f *follower) settlePartial(client tcp.Side) {
	s, dir := &f.s, &f.dirs[client]
	t, have, want := dir.framer.InPacket()
	if s.Connect != nil || t != mqtt.TypeConnect {
		return
	}
	s.MQTT = true
	s.ConnectBegan, s.ConnectHave, s.ConnectWant = dir.began, have, want
	if frame, ok := dir.framer.Partial(); ok {
		if connect, err := mqtt.ParseConnect(frame); err == nil {
			s.Connect = connect
		}
	}
}

func (f *follower) settleTLS() {
	s := &f.s
	s.Transport = "tcp"
	if f.secure == nil || s.First != FirstTLS {
		return
	}
	var lost bool
	if s.TLS, lost = f.secure.result(); lost {
		f.note(NoteDesync)
	}
	if s.BrokerFirst == FirstTLS {
		s.Transport = "tls"
	}
}

func (f *follower) settleHTTP() {
	s := &f.s
	if f.web == nil || s.First != FirstHTTP {
		return
	}
	s.HTTP = &f.web.out
	if s.HTTP.Upgrade {
		s.Transport = "ws"
	}
}

func event(m tcp.Mark) Event { return Event{Packet: m.Number, Nano: m.Nano} }

func (f *follower) disconnectBy(side Side) Event {
	if f.s.DisconnectBy == side {
		return f.s.DisconnectAt
	}
	return Event{}
}

// earliest returns the first of the events that were seen.
func earliest(events ...Event) (first Event) {
	for _, e := range events {
		if e.Seen() && (!first.Seen() || e.Packet < first.Packet) {
			first = e
		}
	}
	return first
}

// settleRoles decides which side is the client: from the SYN, else from the
// packets, else from the port.
func (f *follower) settleRoles(c *tcp.Conn) {
	switch a, b := c.Endpoints[0].Port(), c.Endpoints[1].Port(); {
	case c.HasSYN || c.HasSYNACK:
		f.client, f.roles = 0, "syn"
	case f.roles != "":
	case IsBrokerPort(a, f.d.opts.Ports) != IsBrokerPort(b, f.d.opts.Ports):
		f.roles, f.client = "port", 0
		if IsBrokerPort(a, f.d.opts.Ports) {
			f.client = 1
		}
	default:
		// Servers listen on low ports; ephemeral ones are high.
		f.roles, f.client = "port", 0
		if a < b {
			f.client = 1
		}
	}
}

// first says what a side sent first, where the capture shows its start.
func (f *follower) first(side tcp.Side) First {
	dir := &f.dirs[side]
	if !dir.first.Seen() {
		return FirstNothing
	}
	switch dir.kind {
	case mqtt.KindConnect, mqtt.KindConnack, mqtt.KindConnectLike, mqtt.KindOtherMQTT:
		return FirstMQTT
	case mqtt.KindTLS:
		return FirstTLS
	case mqtt.KindHTTP:
		return FirstHTTP
	}
	return FirstOther
}

func (f *follower) settleClose(cs, bs *tcp.Stream) {
	s := &f.s
	s.Closed = earliest(s.ClientClosed, s.BrokerClosed)
	if !s.Closed.Seen() {
		return
	}
	side := cs
	s.ClosedBy = Client
	if s.Closed == s.BrokerClosed {
		s.ClosedBy, side = Broker, bs
	}
	switch {
	case s.Disconnect != nil && s.DisconnectBy == s.ClosedBy && s.DisconnectAt.Packet <= s.Closed.Packet:
		s.Close = CloseDisconnect
	case side.FIN.Number == s.Closed.Packet:
		s.Close = CloseFIN
	default:
		s.Close = CloseRST
	}
}

// patience is how long silence must last before the end of a capture counts
// as silence at all: TCP's first retransmission comes after one second
// (RFC 6298 §2), and answers of healthy brokers long before.
const patience = time.Second

func (f *follower) settleOutcome(c *tcp.Conn) {
	s := &f.s
	waited := func(since Event) bool {
		return s.Closed.Seen() || s.CaptureEnd.Sub(since) >= patience
	}
	brokerSeen := c.Sides[1-f.client].Packets > 0
	switch {
	case s.Connack != nil && s.Connack.Code == 0:
		s.Outcome = Accepted
	case s.Connack != nil:
		s.Outcome = Rejected
	case s.Refusal.Seen():
		s.Outcome = Refused
	case c.HasSYN && !brokerSeen && s.ClientBytes == 0:
		s.Outcome = Unknown
		if s.SynCount > 1 || s.CaptureEnd.Sub(s.Syn) >= patience {
			s.Outcome = Refused
		}
	case s.ConnectAt.Seen():
		s.Outcome = Unknown
		if brokerSeen && !s.BrokerGap && waited(s.ConnectAt) {
			s.Outcome = Unanswered
		}
	case s.First == FirstTLS && s.BrokerFirst != FirstTLS && s.ClosedBy == Broker && !s.BrokerGap:
		s.Outcome = TLSFailed
	case s.TLS != nil && s.TLS.Alert != "" && s.TLS.AnswerRecords == 0:
		s.Outcome = TLSFailed
	case s.First == FirstTLS:
		s.Outcome = Unknown
	case s.MQTT || f.roles != "syn":
		s.Outcome = Unknown
	case s.First == FirstHTTP || s.First == FirstOther && !s.ClientGap:
		s.Outcome = NotMQTT
	default:
		s.Outcome = Unknown
	}
}

func (f *follower) settleNotes(c *tcp.Conn, cs, bs *tcp.Stream) {
	s := &f.s
	if !c.HasSYN && !c.HasSYNACK {
		f.note(NoteMidStream)
	}
	if c.SynCount > 1 || cs.Retransmitted+bs.Retransmitted > 0 {
		f.note(NoteRetransmitted)
	}
	// A lone SYN is unanswered, not one-sided.
	if (cs.Packets == 0 || bs.Packets == 0) && (s.ClientBytes > 0 || s.BrokerBytes > 0) {
		f.note(NoteOneSided)
	}
	if s.Connack != nil && s.ClientClosed.Seen() && s.ClientClosed.Packet < s.ConnackAt.Packet {
		f.note(NoteLateConnack)
	}
	if f.dirs[0].framer.Lost() || f.dirs[1].framer.Lost() {
		f.note(NoteDesync)
	}
}
