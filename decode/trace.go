package decode

import (
	"strconv"
	"unicode/utf8"

	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// Trace is what a session record has beside its other fields so that the
// session can be made again, whole: saved records can be analysed like the
// capture. There is no secret in it. Tags are hashes under a random key that
// ended with the process: they tell equal from different, and nothing else.
type Trace struct {
	// Opened is the number of the session's first packet; its time is the
	// record's. Of connect, connack and closed the record has both.
	Opened          int    `json:"opened,omitempty"`
	Syn             Moment `json:"syn,omitzero"`
	SynAck          Moment `json:"syn_ack,omitzero"`
	FirstFromClient Moment `json:"first_from_client,omitzero"`
	ConnectBegan    Moment `json:"connect_began,omitzero"`
	LastFromClient  Moment `json:"last_from_client,omitzero"`
	LastFromBroker  Moment `json:"last_from_broker,omitzero"`
	ClientClosed    Moment `json:"client_closed,omitzero"`
	BrokerClosed    Moment `json:"broker_closed,omitzero"`
	Last            Moment `json:"last,omitzero"`
	CaptureEnd      Moment `json:"capture_end,omitzero"`
	Refusal         Moment `json:"refusal,omitzero"`
	SecondConnect   Moment `json:"second_connect,omitzero"`

	StreamUnsure bool   `json:"stream_unsure,omitempty"`
	SynCount     uint32 `json:"syn_count,omitempty"`
	SynRetries   []int  `json:"syn_retries,omitempty"`
	// ISN are the client's and the broker's initial sequence numbers, valid
	// when HasISN.
	ISN    [2]uint32 `json:"isn,omitzero"`
	HasISN bool      `json:"has_isn,omitempty"`

	MQTT        bool      `json:"mqtt,omitempty"`
	Roles       Roles     `json:"roles,omitempty"`
	First       First     `json:"first,omitempty"`
	BrokerFirst First     `json:"broker_first,omitempty"`
	Inner       First     `json:"inner,omitempty"`
	BrokerInner First     `json:"broker_inner,omitempty"`
	FirstPacket mqtt.Type `json:"first_packet,omitempty"`

	ConnectAcked bool `json:"connect_acked,omitempty"`
	// ConnectHave and ConnectWant are of a CONNECT that is never complete.
	ConnectHave int  `json:"connect_have,omitempty"`
	ConnectWant int  `json:"connect_want,omitempty"`
	AuthPending bool `json:"auth_pending,omitempty"`
	ClientGap   bool `json:"client_gap,omitempty"`
	BrokerGap   bool `json:"broker_gap,omitempty"`

	// Name is what the capture calls the broker's address, where the TLS client
	// asks for a server name, which goes before it.
	Name string `json:"broker_address_name,omitempty"`

	Connect    *TraceConnect    `json:"connect,omitempty"`
	Connack    *TraceConnack    `json:"connack,omitempty"`
	Disconnect *TraceDisconnect `json:"disconnect,omitempty"`
	TLS        *TraceTLS        `json:"tls,omitempty"`
	// WSAccepted says that the HTTP answer agrees to the subprotocol mqtt.
	WSAccepted bool `json:"ws_accepted,omitempty"`

	// Raw are the bytes of the texts that are not UTF-8, by the names that
	// Session.texts gives them: JSON cannot hold them, and the record has U+FFFD
	// there.
	Raw map[string][]byte `json:"raw,omitempty"`
}

// Moment is an event as a packet number and the nanoseconds since the session's
// first packet, or since 1970 where that has no time. Small numbers survive
// readers that have only 53 bits.
type Moment [2]int64

// TraceConnect is what a CONNECT says beside the record's fields.
type TraceConnect struct {
	Name          string         `json:"name"`
	Level         byte           `json:"level"`
	Bridge        bool           `json:"bridge,omitempty"`
	WillQoS       byte           `json:"will_qos,omitempty"`
	WillRetain    bool           `json:"will_retain,omitempty"`
	Incomplete    bool           `json:"incomplete,omitempty"`
	Length        int            `json:"length,omitempty"`
	UserTag       hexNumber      `json:"user_tag,omitempty"`
	Tag           hexNumber      `json:"tag,omitempty"`
	AuthMethod    string         `json:"auth_method,omitempty"`
	SessionExpiry *uint32        `json:"session_expiry_s,omitempty"`
	Problems      []traceProblem `json:"problems,omitempty"`
}

// TraceConnack is what a CONNACK says beside the record's fields. Shape is the
// version whose form it has, Properties are the identifiers of its properties
// in the order sent.
type TraceConnack struct {
	Shape           string         `json:"shape"`
	ServerReference string         `json:"server_reference,omitempty"`
	AuthMethod      string         `json:"auth_method,omitempty"`
	ServerKeepAlive *uint16        `json:"server_keep_alive_s,omitempty"`
	Properties      hexBytes       `json:"properties,omitempty"`
	Problems        []traceProblem `json:"problems,omitempty"`
}

// TraceDisconnect is the first DISCONNECT of either side.
type TraceDisconnect struct {
	By              Side           `json:"by"`
	At              Moment         `json:"at"`
	Reason          string         `json:"reason,omitempty"`
	ServerReference string         `json:"server_reference,omitempty"`
	Problems        []traceProblem `json:"problems,omitempty"`
}

// TraceTLS is what is known of a TLS connection beside the record's fields.
type TraceTLS struct {
	AlertAt       Moment    `json:"alert_at,omitzero"`
	FirstData     Moment    `json:"first_data,omitzero"`
	DataRecords   int       `json:"data_records,omitempty"`
	AnswerRecords int       `json:"answer_records,omitempty"`
	Finished      bool      `json:"finished,omitempty"`
	Random        hexNumber `json:"random,omitempty"`
}

// traceProblem is an mqtt.Problem in JSON.
type traceProblem struct {
	ID        string `json:"id"`
	Clause    string `json:"clause"`
	Text      string `json:"text"`
	Refusable bool   `json:"refusable,omitempty"`
}

// TracedRecord returns the session's record with its trace.
func (s *Session) TracedRecord() Record {
	t := &Trace{
		Opened: s.Opened.Packet, Syn: s.moment(s.Syn), SynAck: s.moment(s.SynAck),
		FirstFromClient: s.moment(s.FirstFromClient), ConnectBegan: s.moment(s.ConnectBegan),
		LastFromClient: s.moment(s.LastFromClient), LastFromBroker: s.moment(s.LastFromBroker),
		ClientClosed: s.moment(s.ClientClosed), BrokerClosed: s.moment(s.BrokerClosed),
		Last: s.moment(s.Last), CaptureEnd: s.moment(s.CaptureEnd),
		StreamUnsure: s.StreamUnsure, SynCount: s.SynCount,
		ISN: [2]uint32{s.ClientISN, s.BrokerISN}, HasISN: s.HasISN,
		MQTT: s.MQTT, Roles: s.RolesFrom, First: s.First, BrokerFirst: s.BrokerFirst,
		Inner: s.Inner, BrokerInner: s.BrokerInner, FirstPacket: s.FirstPacket,
		ConnectAcked: s.ConnectAcked, AuthPending: s.AuthPending,
		ClientGap: s.ClientGap, BrokerGap: s.BrokerGap,
		Connect: traceConnect(s.Connect), Connack: traceConnack(s.Connack),
	}
	if x := s.rare; x != nil {
		t.Refusal, t.SecondConnect = s.moment(x.Refusal), s.moment(x.SecondConnect)
		t.ConnectHave, t.ConnectWant, t.SynRetries = x.ConnectHave, x.ConnectWant, x.SynRetries
	}
	if d := s.Disconnect; d != nil {
		t.Disconnect = &TraceDisconnect{
			By: s.DisconnectBy, At: s.moment(s.DisconnectAt),
			Reason: d.Reason, ServerReference: d.ServerReference, Problems: traceProblems(d.Problems),
		}
	}
	name := s.Origin.Names[s.Broker.Addr()]
	if x := s.TLS; x != nil {
		t.TLS = &TraceTLS{
			AlertAt: s.moment(x.AlertAt), FirstData: s.moment(x.FirstData), DataRecords: x.DataRecords,
			AnswerRecords: x.AnswerRecords, Finished: x.Finished, Random: hexNumber(x.Random),
		}
		if x.SNI != "" {
			t.Name = name
		}
	}
	t.WSAccepted = s.HTTP != nil && s.HTTP.Accepted
	s.texts(&name, func(field string, text *string) {
		if !utf8.ValidString(*text) {
			if t.Raw == nil {
				t.Raw = map[string][]byte{}
			}
			t.Raw[field] = []byte(*text)
		}
	})
	r := s.Record()
	r.Trace = t
	return r
}

func (s *Session) moment(e Event) Moment {
	if e == (Event{}) {
		return Moment{}
	}
	return Moment{int64(e.Packet), e.Nano - s.Opened.Nano}
}

func traceConnect(c *mqtt.Connect) *TraceConnect {
	if c == nil {
		return nil
	}
	return &TraceConnect{
		Name: c.Name, Level: c.Level, Bridge: c.Bridge, WillQoS: c.WillQoS, WillRetain: c.WillRetain,
		Incomplete: c.Incomplete, Length: c.Length, UserTag: hexNumber(c.UserTag), Tag: hexNumber(c.Tag),
		AuthMethod: c.AuthMethod, SessionExpiry: c.SessionExpiry, Problems: traceProblems(c.Problems),
	}
}

func traceConnack(c *mqtt.Connack) *TraceConnack {
	if c == nil {
		return nil
	}
	return &TraceConnack{
		Shape: c.Version.String(), ServerReference: c.ServerReference, AuthMethod: c.AuthMethod,
		ServerKeepAlive: c.ServerKeepAlive, Properties: c.Properties, Problems: traceProblems(c.Problems),
	}
}

func traceProblems(list []mqtt.Problem) []traceProblem {
	var out []traceProblem
	for _, p := range list {
		out = append(out, traceProblem(p))
	}
	return out
}

// texts calls yield for every text that came from the wire and may be no UTF-8:
// its name, and where it stands. name is that of the broker's address.
func (s *Session) texts(name *string, yield func(field string, text *string)) {
	yield("broker_address_name", name)
	if c := s.Connect; c != nil {
		yield("connect.name", &c.Name)
		yield("client_id", &c.ClientID)
		yield("connect.auth_method", &c.AuthMethod)
	}
	if c := s.Connack; c != nil {
		yield("reason", &c.Reason)
		yield("client_id_assigned", &c.AssignedID)
		yield("connack.server_reference", &c.ServerReference)
		yield("connack.auth_method", &c.AuthMethod)
	}
	if d := s.Disconnect; d != nil {
		yield("disconnect.reason", &d.Reason)
		yield("disconnect.server_reference", &d.ServerReference)
	}
	each := func(field string, list []string) {
		for i := range list {
			yield(field+"."+strconv.Itoa(i), &list[i])
		}
	}
	if t := s.TLS; t != nil {
		yield("tls.sni", &t.SNI)
		each("tls.alpn", t.ALPN)
		if c := t.Certificate; c != nil {
			yield("tls.certificate.subject", &c.Subject)
			yield("tls.certificate.issuer", &c.Issuer)
			each("tls.certificate.names", c.Names)
		}
		if c := t.ClientCertificate; c != nil {
			yield("tls.client_certificate.subject", &c.Subject)
			yield("tls.client_certificate.issuer", &c.Issuer)
			each("tls.client_certificate.names", c.Names)
		}
	}
	if h := s.HTTP; h != nil {
		yield("http.method", &h.Method)
		yield("http.path", &h.Path)
		yield("http.protocol", &h.Protocol)
		each("http.protocols", h.Protocols)
	}
}
