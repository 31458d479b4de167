package slice

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/report"
)

// A note is why a packet matters.
type note struct {
	packet int
	// place is the session's among those of the capture.
	place   int
	what    event
	finding int
}

// event is what happens in a packet.
type event uint8

const (
	synRefused event = iota
	refusal
	connect
	connack
	disconnect
	alert
	ended
	shows // a finding
	maskedHere
)

// notes are those of a capture's sessions, in the order of packets.
func (p *Plan) notes(sessions []*decode.Session) []note {
	var notes []note
	for place, s := range sessions {
		add := func(at decode.Event, what event) {
			if at.Seen() {
				notes = append(notes, note{packet: at.Packet, place: place, what: what})
			}
		}
		if rare := s.Rare(); rare.Refusal.Seen() {
			add(s.Syn, synRefused)
			add(rare.Refusal, refusal)
		}
		add(s.ConnectAt, connect)
		add(s.ConnackAt, connack)
		if s.Disconnect != nil {
			add(s.DisconnectAt, disconnect)
		}
		if s.TLS != nil && s.TLS.Alert != "" {
			add(s.TLS.AlertAt, alert)
		}
		if s.Closed != s.DisconnectAt && !s.Rare().Refusal.Seen() {
			add(s.Closed, ended)
		}
		add(firstOf(s.ConnectBegan, s.FirstFromClient), maskedHere)
		for _, m := range p.marks[s] {
			notes = append(notes, note{packet: m.packet, place: place, what: shows, finding: m.finding})
		}
	}
	slices.SortStableFunc(notes, func(x, y note) int {
		return cmp.Or(cmp.Compare(x.packet, y.packet), cmp.Compare(x.what, y.what), cmp.Compare(x.finding, y.finding))
	})
	return notes
}

func firstOf(x, y decode.Event) decode.Event {
	if x.Seen() {
		return x
	}
	return y
}

// comment words the notes of one packet.
func (w *writer) comment(notes []note) string {
	var parts []string
	for _, n := range notes {
		if text := w.word(n); text != "" && !slices.Contains(parts, text) {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "; ")
}

func (w *writer) word(n note) string {
	s := w.sessions[n.place]
	switch n.what {
	case synRefused:
		return "SYN, refused"
	case refusal:
		return "RST: the connection is refused"
	case connect:
		text := "CONNECT"
		if v := s.Version(); v != mqtt.VersionUnknown {
			text += ", MQTT " + v.String()
		}
		if s.Connect.HasID() {
			text += ", client ID " + w.quote(s.Connect.ClientID)
		}
		return text
	case connack:
		if s.Connack.Code == 0 {
			return "CONNACK: accepted"
		}
		return fmt.Sprintf("CONNACK %s: %s", mqtt.FormatCode(s.Connack.Code), mqtt.CodeName(s.CodeVersion(), s.Connack.Code))
	case disconnect:
		text := "DISCONNECT by the " + s.DisconnectBy.String()
		if s.Disconnect.HasCode {
			text += " " + mqtt.FormatCode(s.Disconnect.Code)
		}
		return text
	case alert:
		return fmt.Sprintf("TLS alert %s by the %s", s.TLS.Alert, s.TLS.AlertBy)
	case ended:
		return fmt.Sprintf("closed by the %s (%s)", s.ClosedBy, strings.ToUpper(s.Close.String()))
	case shows:
		return fmt.Sprintf("finding %d: %s", n.finding, w.symptoms[n.finding])
	case maskedHere:
		return w.records[n.place].masked.String()
	}
	return ""
}

// maxQuoted is how much of a client ID a comment has, in bytes.
const maxQuoted = 128

func (w *writer) quote(id string) string {
	if w.redact != nil {
		id = w.redact.name([]byte(id))
	}
	more := ""
	if len(id) > maxQuoted {
		id, more = id[:maxQuoted], "…"
	}
	return `"` + report.Escape(id) + more + `"`
}

// String says what was overwritten, "" for nothing.
func (m masked) String() string {
	if m == 0 {
		return ""
	}
	var parts []string
	for i, name := range []string{"user name", "password", "will payload", "authentication data", "user properties", "HTTP fields",
		"a compressed WebSocket, which cannot be read any more", "what could not be read"} {
		if m&(1<<i) != 0 {
			parts = append(parts, name)
		}
	}
	return "overwritten in this connection: " + strings.Join(parts, ", ")
}
