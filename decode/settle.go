package decode

import (
	"time"

	"github.com/mqttriage/mqttriage/decode/link"
	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/decode/tcp"
)

// An ending is a connection that has ended, to be made a session.
type ending struct {
	c    *tcp.Conn
	f    *follower
	ends [2]link.Endpoint // by side
	// at is the latest packet of the capture by then.
	at Event
}

// End has the connection made a session.
func (f *follower) End(c *tcp.Conn) {
	f.release()
	if f.web != nil {
		f.web.release()
	}
	f.d.ended(ending{c: c, f: f, ends: [2]link.Endpoint{c.Endpoint(0), c.Endpoint(1)}, at: f.d.end})
}

// settle makes the session of a connection that has ended. It touches nothing that
// the decoder goes on with, so that another goroutine can do it.
func (e *ending) settle() *Session {
	s := e.look()
	e.f.dirs[0].framer.Reset()
	e.f.dirs[1].framer.Reset()
	return s
}

// look makes the session as it is known.
func (e *ending) look() *Session {
	c, f := e.c, e.f
	f.settleRoles(c, e.ends[0].Port, e.ends[1].Port)
	client, broker := f.client, 1-f.client
	cs, bs := &c.Sides[client], &c.Sides[broker]
	from, to := &f.dirs[client], &f.dirs[broker]
	s := &Session{
		Origin: f.d.origin, Number: c.Number, Stream: c.Stream, StreamUnsure: c.StreamUnsure,
		Client: e.ends[client].AddrPort(), Broker: e.ends[broker].AddrPort(), RolesFrom: f.roles,
		MQTT: f.mqtt, First: from.what(), BrokerFirst: to.what(), Inner: f.innermost(client), BrokerInner: f.innermost(broker), FirstPacket: f.firstPacket,
		Connect: f.connect, Connack: f.connack, Disconnect: f.disconnect, rare: f.rare,
		DisconnectBy: f.disconnectedBy, AuthPending: f.authPending,

		Opened: event(c.First), Syn: event(c.Syn), SynAck: event(c.SynAck), Last: event(c.Last),
		ConnectBegan: f.connectBegan, ConnectAt: f.connectAt, ConnackAt: f.connackAt, DisconnectAt: f.disconnectAt,
		FirstFromClient: from.first, LastFromClient: event(cs.LastData), LastFromBroker: event(bs.LastData),
		CaptureEnd: e.at,

		SynCount: c.SynCount, HasISN: cs.HasISN && bs.HasISN, ClientISN: cs.ISN, BrokerISN: bs.ISN,
		ClientGap: from.gap || f.unread(client, client), BrokerGap: to.gap || f.unread(broker, client), Notes: f.notes,
		ConnectAcked: f.connectAt.Seen() && cs.Acked >= f.connectEnd,
	}
	if f.proxy != nil && f.proxy.IsValid() {
		s.Client = *f.proxy
	}
	f.settleTLS(s)
	f.settleHTTP(s)
	refusal := event(c.Refused)
	if refusal.Seen() {
		s.MakeRare().Refusal = refusal
	}
	if len(c.SynRetries) > 0 {
		s.MakeRare().SynRetries = c.SynRetries
	}
	f.settlePartial(s)
	s.ClientClosed = earliest(event(c.Closings[client].FIN), event(c.Closings[client].RST), s.disconnectBy(Client), f.closeFrame(client))
	s.BrokerClosed = earliest(event(c.Closings[broker].FIN), event(c.Closings[broker].RST), s.disconnectBy(Broker), f.closeFrame(broker), refusal)
	settleClose(s, &c.Closings[client], &c.Closings[broker])
	if s.ClosedBy == Broker && s.Close == CloseRST && c.Closings[broker].Bare && s.Closed.Sub(s.LastFromClient) > patience {
		// It answers something of the client's that the capture does not show.
		s.ClientGap = true
	}
	settleOutcome(s, c, client)
	f.settleNotes(s, c, cs, bs)
	return s
}

// settlePartial tells what it can of a CONNECT whose end the capture does not
// show.
func (f *follower) settlePartial(s *Session) {
	dir := &f.dirs[f.client]
	t, have, want := dir.framer.InPacket()
	if s.Connect != nil || t != mqtt.TypeConnect {
		return
	}
	s.MQTT = true
	s.ConnectBegan = dir.began
	s.MakeRare().ConnectHave, s.MakeRare().ConnectWant = have, want
	if frame, ok := dir.framer.Partial(); ok {
		if connect, err := mqtt.ParseConnect(frame); err == nil {
			s.Connect = connect
		}
	}
}

func (f *follower) settleTLS(s *Session) {
	if f.secure == nil || s.First != FirstTLS {
		return
	}
	var lost bool
	if s.TLS, lost = f.secure.result(); lost {
		s.Notes.Add(NoteDesync)
	}
	if s.BrokerFirst == FirstTLS {
		s.Transport = TLSTransport
	}
}

func (f *follower) settleHTTP(s *Session) {
	if f.web == nil || s.First != FirstHTTP && s.TLS == nil {
		return
	}
	out := f.web.out
	s.HTTP = &out
	if f.web.lost() {
		s.Notes.Add(NoteDesync)
	}
	switch {
	case !s.HTTP.Upgrade:
	case s.Transport == TLSTransport:
		s.Transport = WSS
	default:
		s.Transport = WS
	}
}

func event(m tcp.Mark) Event { return Event{Packet: m.Number, Nano: m.Nano} }

func (s *Session) disconnectBy(side Side) Event {
	if s.DisconnectBy == side {
		return s.DisconnectAt
	}
	return Event{}
}

// earliest returns the first of the events that were seen, by time: two queues of
// an interface may hand their packets over in another order.
func earliest(events ...Event) (first Event) {
	for _, e := range events {
		if e.Seen() && (!first.Seen() || e.Before(first)) {
			first = e
		}
	}
	return first
}

// settleRoles decides which side is the client: from the SYN, else from the
// packets, else from the port.
func (f *follower) settleRoles(c *tcp.Conn, a, b uint16) {
	switch {
	case c.HasSYN || c.HasSYNACK:
		f.client, f.roles = 0, RolesFromSYN
	case f.roles != RolesUnknown:
	case IsBrokerPort(a, f.d.opts.Ports) != IsBrokerPort(b, f.d.opts.Ports):
		f.roles, f.client = RolesFromPort, 0
		if IsBrokerPort(a, f.d.opts.Ports) {
			f.client = 1
		}
	default:
		// Servers listen on low ports; ephemeral ones are high.
		f.roles, f.client = RolesFromPort, 0
		if a < b {
			f.client = 1
		}
	}
}

// what says what a side sent first, where the capture shows its start.
func (dir *direction) what() First {
	if !dir.first.Seen() {
		return FirstNothing
	}
	return dir.opening.what()
}

// what says what a stream is, FirstNothing where it has no bytes.
func (o *opening) what() First {
	switch o.kind {
	case mqtt.KindNeedMore:
		if len(o.head) == 0 {
			return FirstNothing
		}
	case mqtt.KindConnect, mqtt.KindConnack, mqtt.KindConnectLike, mqtt.KindOtherMQTT:
		return FirstMQTT
	case mqtt.KindTLS:
		return FirstTLS
	case mqtt.KindHTTP:
		return FirstHTTP
	}
	return FirstOther
}

func settleClose(s *Session, client, broker *tcp.Closing) {
	s.Closed = earliest(s.ClientClosed, s.BrokerClosed)
	if !s.Closed.Seen() {
		return
	}
	side := client
	s.ClosedBy = Client
	if s.Closed == s.BrokerClosed {
		s.ClosedBy, side = Broker, broker
	}
	switch {
	case s.Disconnect != nil && s.DisconnectBy == s.ClosedBy && !s.Closed.Before(s.DisconnectAt):
		s.Close = CloseDisconnect
	case side.RST.Number == s.Closed.Packet:
		s.Close = CloseRST
	default: // a Close frame of a WebSocket ends it in as good order
		s.Close = CloseFIN
	}
}

// patience is how long silence must last before the end of a capture counts
// as silence at all: TCP's first retransmission comes after one second
// (RFC 6298 §2), and answers of healthy brokers long before.
const patience = time.Second

func settleOutcome(s *Session, c *tcp.Conn, client tcp.Side) {
	waited := func(since Event) bool {
		return s.Closed.Seen() || s.CaptureEnd.Sub(since) >= patience
	}
	brokerSeen := c.Sides[1-client].Packets > 0
	switch {
	case s.Connack != nil && s.Connack.Code == 0:
		s.Outcome = Accepted
	case s.Connack != nil:
		s.Outcome = Rejected
	case c.Refused.Seen():
		s.Outcome = Refused
	case c.HasSYN && !brokerSeen && !c.Sides[client].LastData.Seen():
		s.Outcome = Unknown
		if s.SynCount > 1 || s.CaptureEnd.Sub(s.Syn) >= patience {
			s.Outcome = Refused
		}
	case s.TLS != nil && s.TLS.Alert != "" && s.TLS.AnswerRecords == 0:
		s.Outcome = TLSFailed
	case s.ConnectAt.Seen():
		s.Outcome = Unknown
		if brokerSeen && !s.BrokerGap && waited(s.ConnectAt) {
			s.Outcome = Unanswered
		}
	case s.First == FirstTLS && s.BrokerFirst != FirstTLS && s.ClosedBy == Broker && !s.BrokerGap:
		s.Outcome = TLSFailed
	case s.Inner == FirstTLS:
		s.Outcome = Unknown
	case s.MQTT || s.RolesFrom != RolesFromSYN:
		s.Outcome = Unknown
	case s.Inner == FirstHTTP && s.BrokerGap:
		s.Outcome = Unknown // the answer may have been lost
	case s.Inner == FirstHTTP || s.Inner == FirstOther && !s.ClientGap:
		s.Outcome = NotMQTT
	default:
		s.Outcome = Unknown
	}
}

func (f *follower) settleNotes(s *Session, c *tcp.Conn, cs, bs *tcp.Stream) {
	if !c.HasSYN && !c.HasSYNACK {
		s.Notes.Add(NoteMidStream)
	}
	if c.Copies > 0 {
		s.Notes.Add(NoteDuplicate)
	}
	if c.SynCount > 1 || cs.Retransmitted+bs.Retransmitted > 0 {
		s.Notes.Add(NoteRetransmitted)
	}
	if f.unread(0, f.client) || f.unread(1, f.client) {
		s.Notes.Add(NoteUnread)
	}
	// A lone SYN is unanswered, not one-sided.
	if (cs.Packets == 0 || bs.Packets == 0) && (cs.LastData.Seen() || bs.LastData.Seen()) {
		s.Notes.Add(NoteOneSided)
	}
	if s.Connack != nil && s.ClientClosed.Seen() && s.ClientClosed.Before(s.ConnackAt) {
		s.Notes.Add(NoteLateConnack)
	}
	if f.dirs[0].framer.Lost() || f.dirs[1].framer.Lost() {
		s.Notes.Add(NoteDesync)
	}
}
