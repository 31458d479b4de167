package decode

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/decode/tls"
)

// RecordIndex is the number of the record's capture in the run that made it:
// 1 of "c1.17".
func (r *Record) RecordIndex() (int, error) {
	index, _, err := r.numbers()
	return int(index), err
}

// numbers are those of the ID.
func (r *Record) numbers() (capture, connection uint32, err error) {
	c, n, ok := strings.Cut(strings.TrimPrefix(r.ID, "c"), ".")
	x, errX := strconv.ParseUint(c, 10, 32)
	y, errY := strconv.ParseUint(n, 10, 32)
	if !ok || r.ID == "" || r.ID[0] != 'c' || errX != nil || errY != nil || x == 0 || y == 0 {
		return 0, 0, fmt.Errorf("field id: %.40q is not like c1.17", r.ID)
	}
	return uint32(x), uint32(y), nil
}

// maxListed bounds the lists in a record that is read. The decoder keeps fewer.
const maxListed = 256

// Session makes the session of which this is the traced record. It belongs to
// origin, which learns the name of the broker's address. The error names the
// field whose value no session has.
func (r *Record) Session(origin *Origin) (*Session, error) {
	t := r.Trace
	if t == nil {
		return nil, errors.New("field trace: it is missing; only records of the format ndjson have it")
	}
	_, number, err := r.numbers()
	if err != nil {
		return nil, err
	}
	m := &remaking{r: r, t: t}
	m.opened = m.nano("opened", r.Opened)
	s := &Session{
		Origin: origin, Number: number, Stream: uint32(r.Stream), StreamUnsure: t.StreamUnsure,
		Client: m.endpoint("client", r.Client), Broker: m.endpoint("broker", r.Broker),

		Opened:    m.stamped("opened", t.Opened, r.Opened),
		ConnectAt: m.stamped("connect", r.Packets.Connect, r.Connect),
		ConnackAt: m.stamped("connack", r.Packets.Connack, r.Connack),
		Closed:    m.stamped("closed", r.Packets.Close, r.Closed),
		Syn:       m.event("syn", t.Syn), SynAck: m.event("syn_ack", t.SynAck),
		FirstFromClient: m.event("first_from_client", t.FirstFromClient), ConnectBegan: m.event("connect_began", t.ConnectBegan),
		LastFromClient: m.event("last_from_client", t.LastFromClient), LastFromBroker: m.event("last_from_broker", t.LastFromBroker),
		ClientClosed: m.event("client_closed", t.ClientClosed), BrokerClosed: m.event("broker_closed", t.BrokerClosed),
		Last: m.event("last", t.Last), CaptureEnd: m.event("capture_end", t.CaptureEnd),

		SynCount: t.SynCount, ClientISN: t.ISN[0], BrokerISN: t.ISN[1], HasISN: t.HasISN,
		MQTT: t.MQTT, Outcome: r.Outcome, Transport: r.Transport, RolesFrom: t.Roles,
		First: t.First, BrokerFirst: t.BrokerFirst, Inner: t.Inner, BrokerInner: t.BrokerInner, FirstPacket: t.FirstPacket,
		ClosedBy: r.ClosedBy, Close: r.Close,
		ConnectAcked: t.ConnectAcked, AuthPending: t.AuthPending, ClientGap: t.ClientGap, BrokerGap: t.BrokerGap,
		rare:    m.rare(),
		Connect: m.connect(), Connack: m.connack(), TLS: m.tls(), HTTP: m.http(),
	}
	for _, n := range r.Notes {
		s.Notes.Add(n)
	}
	m.check("stream", r.Stream >= 0 && int64(r.Stream) <= math.MaxUint32)
	m.check("trace.first_packet", t.FirstPacket <= mqtt.TypeAuth)
	m.disconnect(s)
	m.agree(s)
	if m.err != nil {
		return nil, m.err
	}
	name := t.Name
	if s.TLS == nil || s.TLS.SNI == "" {
		name = r.BrokerName
	}
	s.texts(&name, func(field string, text *string) {
		if raw, ok := t.Raw[field]; ok {
			*text = string(raw)
		}
	})
	origin.learnName(s.Broker.Addr(), name)
	return s, nil
}

// learnName keeps the first name of an address.
func (o *Origin) learnName(addr netip.Addr, name string) {
	if _, known := o.Names[addr]; known || name == "" || len(o.Names) >= maxNames {
		return
	}
	if o.Names == nil {
		o.Names = map[netip.Addr]string{}
	}
	o.Names[addr] = name
}

// remaking makes a session's parts and keeps the first error.
type remaking struct {
	r *Record
	t *Trace
	// opened is when the session began, in nanoseconds since 1970.
	opened int64
	err    error
}

// check fails for a field unless its value is one that a session can have.
func (m *remaking) check(field string, ok bool) {
	if !ok && m.err == nil {
		m.err = fmt.Errorf("field %s: no session has this value", field)
	}
}

// agree checks what the analysis rests on: packets that a field tells of are
// there.
func (m *remaking) agree(s *Session) {
	m.check("packets.connect", s.Connect != nil || !s.ConnectAt.Seen())
	m.check("packets.connack", (s.Connack != nil) == s.ConnackAt.Seen())
	want := s.Outcome != Accepted && s.Outcome != Rejected
	if s.Connack != nil {
		want = s.Outcome == Rejected && s.Connack.Code != 0 || s.Outcome == Accepted && s.Connack.Code == 0
	}
	m.check("outcome", want)
	m.check("closed_by", (s.ClosedBy != Nobody) == s.Closed.Seen())
}

func (m *remaking) endpoint(field, text string) netip.AddrPort {
	// The bound keeps a zone, which no packet has, from being a long text.
	at, err := netip.ParseAddrPort(text[:min(len(text), 64)])
	m.check(field, err == nil && at.Addr().Zone() == "")
	return at
}

// nano is a time in nanoseconds since 1970, 0 for none.
func (m *remaking) nano(field string, t Stamp) int64 {
	if t.IsZero() {
		return 0
	}
	year := time.Time(t).Year()
	m.check(field, year >= 1678 && year <= 2261) // what 64 bits hold
	return time.Time(t).UnixNano()
}

// stamped is an event whose time is a field of the record.
func (m *remaking) stamped(field string, packet int, t Stamp) Event {
	m.check(field, packet > 0 || packet == 0 && t.IsZero())
	return Event{Packet: packet, Nano: m.nano(field, t)}
}

func (m *remaking) event(field string, at Moment) Event {
	if at == (Moment{}) {
		return Event{}
	}
	m.check("trace."+field, at[0] > 0)
	return Event{Packet: int(at[0]), Nano: m.opened + at[1]}
}

func (m *remaking) rare() *Rare {
	t := m.t
	x := Rare{
		Refusal: m.event("refusal", t.Refusal), SecondConnect: m.event("second_connect", t.SecondConnect),
		ConnectHave: t.ConnectHave, ConnectWant: t.ConnectWant, SynRetries: t.SynRetries,
	}
	m.check("trace.syn_retries", len(x.SynRetries) <= maxListed)
	if x.Refusal == (Event{}) && x.SecondConnect == (Event{}) && x.ConnectHave == 0 && x.ConnectWant == 0 && x.SynRetries == nil {
		return nil
	}
	return &x
}

func (m *remaking) connect() *mqtt.Connect {
	t, r := m.t.Connect, m.r
	if t == nil {
		return nil
	}
	c := &mqtt.Connect{
		Name: t.Name, Level: t.Level, Version: m.version("mqtt_version", r.MQTTVersion), Bridge: t.Bridge,
		IDUnknown: r.ClientID == nil, WillQoS: t.WillQoS, WillRetain: t.WillRetain, Incomplete: t.Incomplete,
		UserTag: mqtt.Tag(t.UserTag), Tag: mqtt.Tag(t.Tag),
		AuthMethod: t.AuthMethod, SessionExpiry: t.SessionExpiry, Length: t.Length, Problems: m.problems("connect", t.Problems),
	}
	if r.ClientID != nil {
		c.ClientID = *r.ClientID
	}
	for _, flag := range []struct {
		field string
		to    *bool
		from  *bool
	}{
		{"clean_start", &c.CleanStart, r.CleanStart}, {"username", &c.Username, r.Username},
		{"password", &c.Password, r.Password}, {"will", &c.Will, r.Will},
	} {
		if m.check(flag.field, flag.from != nil); flag.from != nil {
			*flag.to = *flag.from
		}
	}
	m.check("keep_alive_s", r.KeepAliveS != nil && *r.KeepAliveS >= 0 && *r.KeepAliveS <= math.MaxUint16)
	if r.KeepAliveS != nil {
		c.KeepAlive = uint16(*r.KeepAliveS)
	}
	return c
}

func (m *remaking) connack() *mqtt.Connack {
	t, r := m.t.Connack, m.r
	if t == nil {
		return nil
	}
	c := &mqtt.Connack{
		Version: m.version("trace.connack.shape", t.Shape), Code: m.code("code", r.Code),
		Reason: r.Reason, AssignedID: r.ClientIDAssigned, ServerReference: t.ServerReference, AuthMethod: t.AuthMethod,
		ServerKeepAlive: t.ServerKeepAlive, Properties: t.Properties, Problems: m.problems("connack", t.Problems),
	}
	if r.SessionPresent != nil {
		c.SessionPresent = *r.SessionPresent
	}
	return c
}

func (m *remaking) disconnect(s *Session) {
	t, code := m.t.Disconnect, m.r.DisconnectCode
	if t == nil {
		return
	}
	s.Disconnect = &mqtt.Disconnect{
		HasCode: code != "", Code: m.code("disconnect_code", code),
		Reason: t.Reason, ServerReference: t.ServerReference, Problems: m.problems("disconnect", t.Problems),
	}
	s.DisconnectAt, s.DisconnectBy = m.event("disconnect.at", t.At), t.By
	m.check("trace.disconnect", s.DisconnectAt.Seen() && t.By != Nobody)
}

func (m *remaking) tls() *TLS {
	t, r := m.t.TLS, m.r.TLS
	if t == nil || r == nil {
		m.check("trace.tls", t == nil && r == nil)
		return nil
	}
	m.check("tls.alpn", len(r.ALPN) <= maxListed)
	return &TLS{
		Version: r.Version, SNI: r.SNI, ALPN: orNil(r.ALPN), Alert: r.Alert, AlertBy: r.AlertBy, Decrypted: r.Decrypted,
		AlertAt: m.event("tls.alert_at", t.AlertAt), FirstData: m.event("tls.first_data", t.FirstData),
		DataRecords: t.DataRecords, AnswerRecords: t.AnswerRecords, Finished: t.Finished, Random: uint64(t.Random),
		Certificate: m.certificate(r.Certificate), ClientCertificate: m.certificate(r.ClientCertificate),
	}
}

func (m *remaking) certificate(c *RecordCertificate) *tls.Certificate {
	if c == nil {
		return nil
	}
	m.check("tls.certificate.names", len(c.Names) <= maxListed)
	return &tls.Certificate{Subject: c.Subject, Issuer: c.Issuer, Names: orNil(c.Names), More: c.MoreNames, NotBefore: time.Time(c.NotBefore), NotAfter: time.Time(c.NotAfter)}
}

func (m *remaking) http() *HTTP {
	h := m.r.HTTP
	if h == nil {
		return nil
	}
	m.check("http.protocols", len(h.Protocols) <= maxListed)
	return &HTTP{
		Method: h.Method, Path: h.Path, Upgrade: h.Upgrade, Subprotocol: h.Subprotocol, Protocols: orNil(h.Protocols),
		Status: h.Status, Accepted: m.t.WSAccepted, Protocol: h.Protocol, Text: h.Text, CloseCode: h.CloseCode,
	}
}

// orNil is the list, nil when it is empty.
func orNil(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}

func (m *remaking) problems(field string, list []traceProblem) []mqtt.Problem {
	m.check("trace."+field+".problems", len(list) <= maxListed)
	var out []mqtt.Problem
	for _, p := range list {
		out = append(out, mqtt.Problem(p))
	}
	return out
}

func (m *remaking) version(field, text string) mqtt.Version {
	for v := mqtt.VersionUnknown; v <= mqtt.V5; v++ {
		if v.String() == text {
			return v
		}
	}
	m.check(field, false)
	return mqtt.VersionUnknown
}

// code is a code as mqtt.FormatCode writes it; 0 is left out.
func (m *remaking) code(field, text string) byte {
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 0, 8)
	m.check(field, err == nil)
	return byte(n)
}
