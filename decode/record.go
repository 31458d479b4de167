package decode

import (
	"fmt"
	"time"

	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/decode/tls"
)

// Record is the session record: what crosses a file or machine boundary, one
// JSON object a session. Facts that the capture does not show are left out.
type Record struct {
	ID         string    `json:"id"`
	Capture    string    `json:"capture"`
	Stream     int       `json:"stream"`
	Client     string    `json:"client"`
	Broker     string    `json:"broker"`
	BrokerName string    `json:"broker_name,omitempty"`
	Transport  Transport `json:"transport"`

	MQTTVersion      string  `json:"mqtt_version,omitempty"`
	ClientID         *string `json:"client_id,omitempty"`
	ClientIDAssigned string  `json:"client_id_assigned,omitempty"`
	CleanStart       *bool   `json:"clean_start,omitempty"`
	KeepAliveS       *int    `json:"keep_alive_s,omitempty"`
	Username         *bool   `json:"username,omitempty"`
	Password         *bool   `json:"password,omitempty"`
	Will             *bool   `json:"will,omitempty"`

	Outcome        Outcome `json:"outcome"`
	Code           string  `json:"code,omitempty"`
	CodeName       string  `json:"code_name,omitempty"`
	Reason         string  `json:"reason,omitempty"`
	SessionPresent *bool   `json:"session_present,omitempty"`

	Opened    Stamp    `json:"opened,omitzero"`
	Connect   Stamp    `json:"connect,omitzero"`
	Connack   Stamp    `json:"connack,omitzero"`
	Closed    Stamp    `json:"closed,omitzero"`
	ConnackMS *float64 `json:"connack_ms,omitempty"`

	ClosedBy       Side   `json:"closed_by"`
	Close          Close  `json:"close"`
	DisconnectCode string `json:"disconnect_code,omitempty"`

	TLS  *RecordTLS  `json:"tls,omitempty"`
	HTTP *RecordHTTP `json:"http,omitempty"`

	Packets RecordPackets `json:"packets"`
	Notes   []Note        `json:"notes"`
	// Problems are the ways in which the CONNECT or CONNACK breaks the
	// standard, as "MQTT-3.1.2-3: the reserved connect flag is set".
	Problems []string `json:"problems,omitempty"`

	// Trace is what else the session can be made of again; only records that are
	// saved for that have it, see [Session.TracedRecord].
	Trace *Trace `json:"trace,omitempty"`
}

// RecordTLS is what is visible of a TLS handshake.
type RecordTLS struct {
	Version   string   `json:"version,omitempty"`
	SNI       string   `json:"sni,omitempty"`
	ALPN      []string `json:"alpn"`
	Alert     string   `json:"alert,omitempty"`
	AlertBy   Side     `json:"alert_by,omitempty"`
	Decrypted bool     `json:"decrypted"`
	// Certificate is the broker's, ClientCertificate the client's, where they are
	// visible.
	Certificate       *RecordCertificate `json:"certificate,omitempty"`
	ClientCertificate *RecordCertificate `json:"client_certificate,omitempty"`
}

// RecordCertificate is what a certificate says.
type RecordCertificate struct {
	Subject string   `json:"subject"`
	Issuer  string   `json:"issuer"`
	Names   []string `json:"names"`
	// MoreNames says that it has more names than those.
	MoreNames bool  `json:"more_names,omitempty"`
	NotBefore Stamp `json:"not_before"`
	NotAfter  Stamp `json:"not_after"`
}

func recordCertificate(c *tls.Certificate) *RecordCertificate {
	if c == nil {
		return nil
	}
	return &RecordCertificate{
		Subject: c.Subject, Issuer: c.Issuer, Names: append([]string{}, c.Names...), MoreNames: c.More,
		NotBefore: Stamp(c.NotBefore), NotAfter: Stamp(c.NotAfter),
	}
}

// RecordHTTP is what an HTTP request and its answer say.
type RecordHTTP struct {
	Method      string `json:"method,omitempty"`
	Path        string `json:"path,omitempty"`
	Upgrade     bool   `json:"upgrade"`
	Subprotocol bool   `json:"subprotocol"`
	Status      int    `json:"status,omitempty"`
	// Protocols are the subprotocols offered, Protocol the one agreed on.
	Protocols []string `json:"protocols,omitempty"`
	Protocol  string   `json:"protocol,omitempty"`
	// Text says that MQTT came in text frames; CloseCode is the Close frame's.
	Text      bool   `json:"text,omitempty"`
	CloseCode uint16 `json:"close_code,omitempty"`
}

// RecordPackets are packet numbers in the capture; 0 is left out.
type RecordPackets struct {
	Syn     int `json:"syn,omitempty"`
	Connect int `json:"connect,omitempty"`
	Connack int `json:"connack,omitempty"`
	Close   int `json:"close,omitempty"`
}

// Stamp is a time in JSON: RFC 3339 in UTC, always with nine digits of a
// second, so that stamps sort as text.
type Stamp time.Time

// IsZero reports an unknown time.
func (t Stamp) IsZero() bool { return time.Time(t).IsZero() }

// MarshalText writes the stamp.
func (t Stamp) MarshalText() ([]byte, error) {
	// The time package is fast with this layout; of any other, stamps would be a
	// quarter of the time that records take.
	const longest = len("2006-01-02T15:04:05.000000000Z")
	utc := time.Time(t).UTC()
	b := utc.AppendFormat(make([]byte, 0, longest), time.RFC3339)
	b[len(b)-1] = '.' // for its Z
	nano := utc.Nanosecond()
	for unit := 100_000_000; unit > 0; unit /= 10 {
		b = append(b, byte('0'+nano/unit%10))
	}
	return append(b, 'Z'), nil
}

// UnmarshalText reads any RFC 3339 time.
func (t *Stamp) UnmarshalText(b []byte) error {
	parsed, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return fmt.Errorf("parse time: %w", err)
	}
	*t = Stamp(parsed)
	return nil
}

// Record returns the session's record.
func (s *Session) Record() Record {
	r := Record{
		ID: s.ID(), Capture: s.Origin.Capture, Stream: int(s.Stream),
		Client: s.Client.String(), Broker: s.Broker.String(), BrokerName: s.BrokerName(),
		Transport: s.Transport,
		Outcome:   s.Outcome,
		Opened:    Stamp(s.Opened.Time()), Connect: Stamp(s.ConnectAt.Time()),
		Connack: Stamp(s.ConnackAt.Time()), Closed: Stamp(s.Closed.Time()),
		ClosedBy: s.ClosedBy, Close: s.Close,
		Packets: RecordPackets{Syn: s.Syn.Packet, Connect: s.ConnectAt.Packet, Connack: s.ConnackAt.Packet, Close: s.Closed.Packet},
		Notes:   s.Notes.List(),
	}
	version := s.Version()
	r.MQTTVersion = version.String()
	if c := s.Connect; c != nil {
		// Each invalid byte becomes U+FFFD, as other decoders have it.
		id, keepAlive := string([]rune(c.ClientID)), int(c.KeepAlive)
		if c.HasID() {
			r.ClientID = &id
		}
		r.CleanStart, r.KeepAliveS = &c.CleanStart, &keepAlive
		r.Username, r.Password, r.Will = &c.Username, &c.Password, &c.Will
		for _, p := range c.Problems {
			r.Problems = append(r.Problems, p.Clause+": "+p.Text)
		}
	}
	if c := s.Connack; c != nil {
		r.ClientIDAssigned, r.Reason, r.SessionPresent = c.AssignedID, c.Reason, &c.SessionPresent
		if c.Code != 0 {
			r.Code, r.CodeName = mqtt.FormatCode(c.Code), mqtt.CodeName(s.CodeVersion(), c.Code)
		}
		if s.ConnectAt.Seen() && s.ConnectAt.Before(s.ConnackAt) && s.ConnectAt.Nano != 0 {
			ms := float64(s.ConnackAt.Sub(s.ConnectAt).Microseconds()) / 1000
			r.ConnackMS = &ms
		}
		for _, p := range c.Problems {
			r.Problems = append(r.Problems, p.Clause+": "+p.Text)
		}
	}
	if t := s.TLS; t != nil {
		r.TLS = &RecordTLS{
			Version: t.Version, SNI: t.SNI, ALPN: append([]string{}, t.ALPN...),
			Alert: t.Alert, AlertBy: t.AlertBy, Decrypted: t.Decrypted,
			Certificate: recordCertificate(t.Certificate), ClientCertificate: recordCertificate(t.ClientCertificate),
		}
	}
	if h := s.HTTP; h != nil {
		r.HTTP = &RecordHTTP{Method: h.Method, Path: h.Path, Upgrade: h.Upgrade, Subprotocol: h.Subprotocol, Status: h.Status,
			Protocols: h.Protocols, Protocol: h.Protocol, Text: h.Text, CloseCode: h.CloseCode}
	}
	if s.Disconnect != nil && s.Disconnect.HasCode {
		r.DisconnectCode = mqtt.FormatCode(s.Disconnect.Code)
	}
	return r
}

// Version is the MQTT version that the session speaks: the CONNECT's, else
// what the shape of the CONNACK tells, else unknown.
func (s *Session) Version() mqtt.Version {
	switch {
	case s.Connect != nil:
		return s.Connect.Version
	case s.Connack != nil && s.Connack.Version == mqtt.V5:
		return mqtt.V5
	}
	// A two-byte CONNACK may answer 3.1, 3.1.1 or, from a 3.x broker, 5.
	return mqtt.VersionUnknown
}

// CodeVersion is the version whose table the CONNACK's code belongs to: codes
// of 0x80 and above are version 5's in either shape, for a 3.x broker may
// answer a version 5 client in two bytes.
func (s *Session) CodeVersion() mqtt.Version {
	if s.Connack == nil {
		return s.Version()
	}
	if s.Connack.Version == mqtt.V5 || s.Version() == mqtt.V5 && s.Connack.Code >= 0x80 {
		return mqtt.V5
	}
	return mqtt.V311
}
