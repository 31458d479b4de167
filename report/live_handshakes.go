package report

import (
	"slices"
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

// handshakeColumn is a column of the last handshakes.
type handshakeColumn struct {
	head  message
	width int
	right bool
	text  func(*decode.Record) string
}

// handshakes are so many lines of handshakes at most, below their heading.
func (s *screen) handshakes(room, extra int) []row {
	timeLayout, timeColumns := "15:04:05", 8
	if s.columns >= 64 {
		timeLayout, timeColumns = "15:04:05.000", 12
	}
	outcome := handshakeColumn{headOutcome, 15, false, func(r *decode.Record) string { return s.outcome(r, false) }}
	if s.columns >= 116 {
		outcome.width, outcome.text = 38, func(r *decode.Record) string { return s.outcome(r, true) }
	}
	id := handshakeColumn{headClientID, 0, false, func(r *decode.Record) string { return quotedID(r) }}
	list := []handshakeColumn{{liveHandshakes, timeColumns, false, func(r *decode.Record) string {
		if at := whenOf(r); !at.IsZero() {
			return at.UTC().Format(timeLayout)
		}
		return ""
	}}}
	if s.columns >= 64 {
		list = append(list, handshakeColumn{headClient, brokerColumns, false, func(r *decode.Record) string { return r.Client }})
	} else {
		// An address says more than no client ID.
		id.text = func(r *decode.Record) string {
			if text := quotedID(r); text != `""` && text != "" {
				return text
			}
			return r.Client
		}
	}
	list = append(list, id)
	flexible := len(list) - 1
	if s.columns >= 140 && s.Doc.Totals.Brokers > 1 {
		list = append(list, handshakeColumn{headBroker, brokerColumns, false, func(r *decode.Record) string { return r.Broker }})
	}
	if s.columns >= 96 {
		list = append(list, handshakeColumn{headVersion, 9, false, func(r *decode.Record) string {
			if r.Transport == decode.TCP {
				return r.MQTTVersion
			}
			return strings.TrimSpace(r.MQTTVersion + " " + r.Transport.String())
		}})
	}
	list = append(list, outcome)
	if s.columns >= 56 {
		list = append(list, handshakeColumn{headConnack, 8, true, func(r *decode.Record) string {
			if r.ConnackMS == nil {
				return ""
			}
			return millis(*r.ConnackMS, s.lang)
		}})
	}
	left := s.columns
	for i, c := range list {
		if i != flexible {
			left -= c.width
		}
	}
	list[flexible].width = min(max(left-(len(list)-1), 0), whoColumns)
	return s.handshakeLines(list, flexible, room, extra)
}

func (s *screen) handshakeLines(list []handshakeColumn, flexible, room, extra int) []row {
	// The title has the room of the columns before the client ID, and its as well where it
	// needs that.
	title, first, from := s.say(liveHandshakes, nil), -1, 0
	for from < flexible || from == flexible && cells(title) > first {
		first += list[from].width + 1
		from++
	}
	heading := []cell{{aligned(fit(title, first), first, false), bold}}
	for _, c := range list[from:] {
		heading = append(heading, cell{aligned(fit(s.say(c.head, nil), c.width), c.width, c.right), dim})
	}
	lines := section(spaced(heading...), extra)
	for i := range min(s.Recent.Len(), room) {
		r := s.Recent.At(i)
		var line []cell
		for _, c := range list {
			look := style("")
			if c.head == headOutcome {
				look = outcomeStyles[r.Outcome]
			}
			line = append(line, cell{aligned(fitName(Escape(shorten(c.text(&r))), c.width), c.width, c.right), look})
		}
		lines = append(lines, spaced(line...))
	}
	return lines
}

var outcomeStyles = map[decode.Outcome]style{
	decode.Rejected: red, decode.Unanswered: red, decode.Refused: red,
	decode.TLSFailed: red, decode.NotMQTT: yellow, decode.Unknown: dim,
}

// quotedID is a client ID as reports have it, "" where none was seen.
func quotedID(r *decode.Record) string {
	if r.ClientID == nil {
		return ""
	}
	return `"` + *r.ClientID + `"`
}

// whenOf is when a session showed how it goes: its CONNACK, else its end, its CONNECT or
// its beginning.
func whenOf(r *decode.Record) time.Time {
	stamps := []decode.Stamp{r.Connack, r.Closed, r.Connect, r.Opened}
	if i := slices.IndexFunc(stamps, func(t decode.Stamp) bool { return !t.IsZero() }); i >= 0 {
		return time.Time(stamps[i])
	}
	return time.Time{}
}

// outcome is how a handshake went, with its code or alert, in words where there is room.
func (s *screen) outcome(r *decode.Record, words bool) string { return outcomeOf(r, s.words, words) }

func outcomeOf(r *decode.Record, t *table, words bool) string {
	text := r.Outcome.String()
	if m, ok := outcomeMessages[r.Outcome]; ok {
		text = t.say(m, nil)
	}
	switch {
	case r.Code != "" && words:
		version := "3.1.1"
		if r.Code >= "0x80" {
			version = "5"
		}
		if name := codeName(Code{Version: version, Code: r.Code, Name: r.CodeName}, t.lang); name != "" {
			return text + " " + r.Code + " " + name
		}
		fallthrough
	case r.Code != "":
		return text + " " + r.Code
	case words && r.TLS != nil && r.TLS.Alert != "":
		return text + " " + r.TLS.Alert
	}
	return text
}
