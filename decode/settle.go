package decode

import (
	"time"

	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/decode/tcp"
)

// End makes the session and emits it.
func (f *follower) End(c *tcp.Conn) {
	s := &f.s
	f.settleRoles(c)
	client, broker := f.client, 1-f.client

	s.First, s.BrokerFirst = f.first(client), f.first(broker)
	s.Origin, s.Number = f.d.origin, uint32(c.Number)
	s.Stream, s.StreamUnsure = uint32(c.Stream), c.StreamUnsure
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
	refusal := event(c.Refused)
	if refusal.Seen() {
		s.MakeRare().Refusal = refusal
	}
	s.SynCount = uint32(c.SynCount)
	if len(c.SynRetries) > 0 {
		s.MakeRare().SynRetries = c.SynRetries
	}
	cs, bs := &c.Sides[client], &c.Sides[broker]
	s.HasISN = cs.HasISN && bs.HasISN
	s.ClientISN, s.BrokerISN = cs.ISN, bs.ISN
	s.LastFromClient, s.LastFromBroker = f.dirs[client].last, f.dirs[broker].last
	s.FirstFromClient = f.dirs[client].first
	s.ClientGap, s.BrokerGap = f.dirs[client].gap, f.dirs[broker].gap
	s.ConnectAcked = s.ConnectAt.Seen() && cs.Acked >= f.connectEnd
	f.settlePartial(client)

	s.ClientClosed = earliest(event(cs.FIN), event(cs.RST), f.disconnectBy(Client))
	s.BrokerClosed = earliest(event(bs.FIN), event(bs.RST), f.disconnectBy(Broker))
	s.BrokerClosed = earliest(s.BrokerClosed, refusal)
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
	s.ConnectBegan = dir.began
	s.MakeRare().ConnectHave, s.MakeRare().ConnectWant = have, want
	if frame, ok := dir.framer.Partial(); ok {
		if connect, err := mqtt.ParseConnect(frame); err == nil {
			s.Connect = connect
		}
	}
}

func (f *follower) settleTLS() {
	s := &f.s
	s.Transport = TCP
	if f.secure == nil || s.First != FirstTLS {
		return
	}
	var lost bool
	if s.TLS, lost = f.secure.result(); lost {
		f.note(NoteDesync)
	}
	if s.BrokerFirst == FirstTLS {
		s.Transport = TLSTransport
	}
}

func (f *follower) settleHTTP() {
	s := &f.s
	if f.web == nil || s.First != FirstHTTP {
		return
	}
	s.HTTP = &f.web.out
	if s.HTTP.Upgrade {
		s.Transport = WS
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
	case c.Refused.Seen():
		s.Outcome = Refused
	case c.HasSYN && !brokerSeen && c.Sides[f.client].Bytes == 0:
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
	case s.MQTT || f.roles != RolesFromSYN:
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
	if (cs.Packets == 0 || bs.Packets == 0) && (cs.Bytes > 0 || bs.Bytes > 0) {
		f.note(NoteOneSided)
	}
	if s.Connack != nil && s.ClientClosed.Seen() && s.ClientClosed.Packet < s.ConnackAt.Packet {
		f.note(NoteLateConnack)
	}
	if f.dirs[0].framer.Lost() || f.dirs[1].framer.Lost() {
		f.note(NoteDesync)
	}
}
