package analyze

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// A crowd makes sessions by the thousand, a millisecond apart. Like the decoder's,
// equal packets are one.
type crowd struct {
	sessions []*decode.Session
	connects map[string]*mqtt.Connect
	connacks map[byte]*mqtt.Connack
	packet   int
}

func newCrowd() *crowd {
	return &crowd{connects: map[string]*mqtt.Connect{}, connacks: map[byte]*mqtt.Connack{}}
}

func (c *crowd) at(nano int64) decode.Event {
	c.packet++
	return decode.Event{Packet: c.packet, Nano: nano}
}

// host is the n-th of many addresses.
func host(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

// connect is the next session: a client sends a CONNECT.
func (c *crowd) connect(client netip.Addr, id string) *decode.Session {
	n := len(c.sessions)
	opened := time.Date(2026, 3, 2, 22, 13, 20, 0, time.UTC).UnixNano() + int64(n)*int64(time.Millisecond)
	if c.connects[id] == nil {
		c.connects[id] = &mqtt.Connect{
			Name: "MQTT", Level: 4, Version: mqtt.V311, ClientID: id, CleanStart: true, KeepAlive: 60, Length: 14 + len(id), Tag: tag(id),
		}
	}
	s := &decode.Session{
		Origin: story1, Number: uint32(n + 1), Stream: uint32(n),
		Client: netip.AddrPortFrom(client, uint16(1024+n%60000)), Broker: addr(1883), MQTT: true,
		First: decode.FirstMQTT, FirstPacket: mqtt.TypeConnect, SynCount: 1, ConnectAcked: true,
		HasISN: true, ClientISN: uint32(n) * 2654435761, BrokerISN: uint32(n) * 40503,
		Connect: c.connects[id],
	}
	s.Opened, s.SynAck = c.at(opened), c.at(opened+1e5)
	s.ConnectAt = c.at(opened + 2e5)
	s.Syn, s.ConnectBegan, s.LastFromClient, s.FirstFromClient = s.Opened, s.ConnectAt, s.ConnectAt, s.ConnectAt
	s.CaptureEnd = decode.Event{Packet: 1 << 20, Nano: opened + int64(time.Hour)}
	c.sessions = append(c.sessions, s)
	return s
}

func (c *crowd) answer(s *decode.Session, code byte) {
	if c.connacks[code] == nil {
		c.connacks[code] = &mqtt.Connack{Version: mqtt.V311, Code: code}
	}
	s.ConnackAt, s.Connack, s.BrokerFirst = c.at(s.Opened.Nano+3e5), c.connacks[code], decode.FirstMQTT
	s.Outcome = decode.Accepted
	if code != 0 {
		s.Outcome = decode.Rejected
	}
	s.LastFromBroker = s.ConnackAt
}

func (c *crowd) end(s *decode.Session, after time.Duration, by decode.Side) {
	s.Closed, s.ClosedBy, s.Close = c.at(s.Opened.Nano+int64(after)), by, decode.CloseFIN
	if by == decode.Broker {
		s.BrokerClosed = s.Closed
	} else {
		s.ClientClosed = s.Closed
	}
	if s.Connack == nil {
		s.Outcome = decode.Unanswered
	}
}

// refuse makes the session one that TCP refused.
func (c *crowd) refuse(s *decode.Session) {
	s.MakeRare().Refusal = c.at(s.Opened.Nano + 1e5)
	s.Connect, s.MQTT, s.First, s.FirstPacket, s.Outcome = nil, false, 0, 0, decode.Refused
	s.SynAck, s.ConnectAt, s.ConnectBegan = decode.Event{}, decode.Event{}, decode.Event{}
}

// storm is sessions of a fleet in trouble: of ten, five are well, one takes over
// the session of another device with its client ID, two are refused, one is not
// answered and one finds no broker. Each device comes a hundred times.
func storm(n int) []*decode.Session {
	c := newCrowd()
	devices := max(n/100, 10)
	held := map[int]*decode.Session{}
	for i := range n {
		device := i % devices
		s := c.connect(host(device), fmt.Sprintf("device-%07d", device))
		switch device % 10 {
		case 0, 1, 2, 3, 4:
			c.answer(s, 0)
			c.end(s, 20*time.Millisecond, decode.Client)
			s.Close = decode.CloseDisconnect
		case 5:
			// Every second visit is another device's.
			visit := i / devices
			s.Client = netip.AddrPortFrom(host(device+visit%2*devices), s.Client.Port())
			c.answer(s, 0)
			if old := held[device]; old != nil {
				old.Closed = c.at(s.ConnackAt.Nano + 1e5)
				old.BrokerClosed, old.ClosedBy, old.Close = old.Closed, decode.Broker, decode.CloseFIN
			}
			held[device] = s
		case 6, 7:
			c.answer(s, 5)
			c.end(s, time.Millisecond, decode.Broker)
		case 8:
			c.end(s, time.Millisecond, decode.Broker)
		case 9:
			c.refuse(s)
		}
	}
	return c.sessions
}

// analyzed returns an analyzer that has taken the sessions.
func analyzed(sessions []*decode.Session) *Analyzer {
	a := New(Options{})
	for _, s := range sessions {
		a.Add(s)
	}
	return a
}
