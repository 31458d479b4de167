package analyze

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// A story makes sessions by hand. Times are seconds from its beginning; packet
// numbers follow the order in which events are told.
type story struct {
	sessions []*decode.Session
	packet   int
}

func (st *story) at(seconds float64) decode.Event {
	st.packet++
	begin := time.Date(2026, 3, 2, 22, 13, 20, 0, time.UTC)
	return decode.EventAt(st.packet, begin.Add(time.Duration(seconds*1e9)))
}

var story1 = &decode.Origin{Capture: "story", Index: 1}

// connect tells of a client that opens a connection and sends a CONNECT.
func (st *story) connect(at float64, client, id string) *decode.Session {
	s := &decode.Session{
		Origin: story1, Number: uint32(len(st.sessions) + 1), Stream: uint32(len(st.sessions)),
		Client: netip.AddrPortFrom(netip.MustParseAddr(client), uint16(40000+len(st.sessions))),
		Broker: netip.MustParseAddrPort("10.0.0.1:1883"), MQTT: true,
		First: decode.FirstMQTT, FirstPacket: mqtt.TypeConnect, Outcome: decode.Unknown, SynCount: 1,
	}
	s.Syn = st.at(at)
	s.Opened = s.Syn
	s.SynAck = st.at(at)
	s.ConnectAt = st.at(at + 0.001)
	s.ConnectBegan, s.LastFromClient, s.FirstFromClient = s.ConnectAt, s.ConnectAt, s.ConnectAt
	s.Connect = &mqtt.Connect{
		Name: "MQTT", Level: 4, Version: mqtt.V311, ClientID: id, CleanStart: true, KeepAlive: 60, Length: 14 + len(id),
	}
	s.Connect.Tag = tag(id, 60, true)
	s.ConnectAcked = true
	s.CaptureEnd = decode.EventAt(1<<20, time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC))
	st.sessions = append(st.sessions, s)
	return s
}

// tag stands in for the decoder's: equal for equal CONNECTs.
func tag(parts ...any) mqtt.Tag {
	var h mqtt.Tag = 14695981039346656037
	for _, c := range []byte(fmt.Sprint(parts...)) {
		h = (h ^ mqtt.Tag(c)) * 1099511628211
	}
	return h
}

// accepted tells of a client that is let in.
func (st *story) accepted(at float64, client, id string) *decode.Session {
	s := st.connect(at, client, id)
	st.answer(s, at+0.002, 0)
	return s
}

// secure tells of a TLS connection whose handshake went as far as the hellos.
func (st *story) secure(at float64, sni string) *decode.Session {
	s := st.connect(at, "10.0.0.2", "")
	s.Connect, s.MQTT, s.ConnectAt, s.ConnectBegan, s.FirstPacket = nil, false, decode.Event{}, decode.Event{}, 0
	s.Transport, s.First, s.BrokerFirst = decode.TLSTransport, decode.FirstTLS, decode.FirstTLS
	s.Inner, s.BrokerInner = s.First, s.BrokerFirst
	s.Broker = addr(8883)
	s.TLS = &decode.TLS{Version: "1.2", SNI: sni}
	return s
}

// answer adds a two-byte CONNACK.
func (st *story) answer(s *decode.Session, at float64, code byte) {
	s.ConnackAt = st.at(at)
	s.Connack = &mqtt.Connack{Version: mqtt.V311, Code: code}
	s.BrokerFirst, s.LastFromBroker = decode.FirstMQTT, s.ConnackAt
	s.Outcome = decode.Accepted
	if code != 0 {
		s.Outcome = decode.Rejected
	}
}

// close tells who ended the connection first.
func (st *story) close(s *decode.Session, at float64, by decode.Side) {
	s.Closed = st.at(at)
	s.ClosedBy, s.Close = by, decode.CloseFIN
	if by == decode.Broker {
		s.BrokerClosed = s.Closed
	} else {
		s.ClientClosed = s.Closed
	}
	if s.Connack == nil {
		s.Outcome = decode.Unanswered
	}
}

// findings analyses the story.
func (st *story) findings() []Finding {
	a := New(Options{})
	for _, s := range st.sessions {
		a.Add(s)
	}
	return a.Findings()
}

func addr(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), port)
}
