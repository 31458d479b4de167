package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

// The types of lines that only a live capture writes. A summary among its lines has the
// captures, entries and findings of a moment behind it.
const (
	lineLive      = "live"
	lineHappening = "happening"
	lineNotice    = "notice"
)

// LiveStream writes what happens in a live capture as lines of JSON, one object each. It
// begins with a line of the type "live" and the captures, which have no packets yet; then
// come sessions as NDJSON writes them, once they have ended, and between them what happens:
// a line "happening" for news of a finding, "notice" for other news, and reports without
// sessions. ReadSaved takes such a stream, also while it is written and from whatever line
// on to whatever line it is there.
//
// What belongs together is one Write, so that a stream is seldom cut within a line.
type LiveStream struct {
	w       io.Writer
	head    LiveHead
	hide    *Redactor
	notices notices
	text    bytes.Buffer
}

// liveLine begins a live capture's stream.
type liveLine struct {
	Type    string       `json:"type"`
	Schema  string       `json:"schema"`
	Tool    Tool         `json:"tool"`
	Lang    kb.Lang      `json:"lang"`
	Started decode.Stamp `json:"started"`
	// Interfaces are those that are captured.
	Interfaces []string `json:"interfaces"`
	// Expression says which packets are captured, where it is not all.
	Expression string   `json:"expression,omitempty"`
	Filters    []string `json:"filters,omitempty"`
}

// happeningLine is news of a finding.
type happeningLine struct {
	Type string `json:"type"`
	// Event is new for the first news of a finding, else more.
	Event string       `json:"event"`
	Time  decode.Stamp `json:"time"`
	// ID is the same in all news of one finding.
	ID       string `json:"id"`
	Symptom  string `json:"symptom"`
	Severity string `json:"severity"`
	Broker   string `json:"broker"`
	// Sessions are all that show the finding so far; Fresh of them are told with this line.
	Sessions int `json:"sessions"`
	Fresh    int `json:"fresh"`
	// Latest is the newest of them; it is left out where it is not known.
	Latest *happeningSession `json:"latest,omitempty"`
	// Title, Summary and Do, what to do first, are said where the event is new.
	Title   string `json:"title,omitempty"`
	Summary string `json:"summary,omitempty"`
	Do      string `json:"do,omitempty"`
}

// happeningSession is a session in short: the line with all of it may come much later, when
// it has ended.
type happeningSession struct {
	ID       string         `json:"id"`
	Client   string         `json:"client"`
	ClientID *string        `json:"client_id,omitempty"`
	Outcome  decode.Outcome `json:"outcome"`
	Code     string         `json:"code,omitempty"`
	CodeName string         `json:"code_name,omitempty"`
	Time     decode.Stamp   `json:"time,omitzero"`
}

// noticeLine is other news. It has what its event needs.
type noticeLine struct {
	Type       string       `json:"type"`
	Event      NoticeEvent  `json:"event"`
	Time       decode.Stamp `json:"time"`
	Severity   string       `json:"severity"`
	Text       string       `json:"text"`
	Interfaces []string     `json:"interfaces,omitempty"`
	// Kind is of what was evicted.
	Kind string `json:"kind,omitempty"`
	// Total is how many were dropped or evicted since the start, of Packets in all.
	Total   uint64 `json:"total,omitempty"`
	Packets uint64 `json:"packets,omitempty"`
	File    string `json:"file,omitempty"`
	Error   string `json:"error,omitempty"`
	// Left counts the notices of the same subject before it that were not told, because
	// there were too many.
	Left int `json:"left,omitempty"`
}

// NewLiveStream writes the head of a stream.
func NewLiveStream(w io.Writer, head LiveHead) (*LiveStream, error) {
	s := &LiveStream{w: w, head: head, hide: head.hide()}
	first := liveLine{
		Type: lineLive, Schema: Schema, Tool: Tool{Name: "mqttriage", Version: head.Version}, Lang: head.Lang,
		Started: stampOf(head.Started), Interfaces: []string{},
	}
	if s.hide == nil {
		first.Expression, first.Filters = head.Expression, head.Filters
	}
	lines := []any{&first}
	for _, c := range head.Captures {
		c.Info = s.hide.info(c.Info)
		first.Interfaces = append(first.Interfaces, c.Info.Interfaces...)
		lines = append(lines, captureLine{lineCapture, captureOf(c)})
	}
	return s, s.write(lines...)
}

// Session writes a session that has ended. It is to be called once for each that counts.
func (s *LiveStream) Session(session *decode.Session) error {
	return s.write(sessionLine{lineSession, s.hide.session(session).TracedRecord()})
}

// Happened writes news of findings, and notices that were held back.
func (s *LiveStream) Happened(happened []Happening, now time.Time) error {
	var lines []any
	for i := range happened {
		lines = append(lines, happeningOf(&happened[i], now))
	}
	for _, n := range s.notices.due(now, false) {
		lines = append(lines, s.noticeOf(n))
	}
	return s.write(lines...)
}

func happeningOf(h *Happening, now time.Time) happeningLine {
	f := h.Finding
	line := happeningLine{
		Type: lineHappening, Event: "more", Time: stampOf(now), ID: h.ID,
		Symptom: f.Symptom, Severity: f.Severity, Broker: f.Broker, Sessions: f.Sessions, Fresh: h.fresh(),
	}
	if h.New {
		line.Event, line.Title, line.Summary, line.Do = "new", f.Title, f.Summary, nextStep(f)
	}
	if n := h.Sessions.Len(); n > 0 {
		r := h.Sessions.At(n - 1)
		line.Latest = &happeningSession{
			ID: r.ID, Client: r.Client, ClientID: r.ClientID,
			Outcome: r.Outcome, Code: r.Code, CodeName: r.CodeName, Time: stampOf(whenOf(&r)),
		}
	}
	return line
}

// Notice writes a notice, if it is time for one; see Journal.Notice.
func (s *LiveStream) Notice(n Notice) error {
	var lines []any
	for _, n := range s.notices.tell(s.hide.notice(n)) {
		lines = append(lines, s.noticeOf(n))
	}
	return s.write(lines...)
}

func (s *LiveStream) noticeOf(n toldNotice) noticeLine {
	return noticeLine{
		Type: lineNotice, Event: n.Event, Time: stampOf(n.At), Severity: n.severity(), Text: n.text(s.head.Lang),
		Interfaces: n.Interfaces, Kind: n.Kind, Total: n.Total, Packets: n.Packets, File: n.File, Error: n.Error, Left: n.left,
	}
}

// Report writes a report of the moment: what NDJSON writes of it, but for the sessions,
// which have their lines already.
func (s *LiveStream) Report(doc *Document) error {
	frame := *doc
	frame.Sessions = Records{}
	s.text.Reset()
	if err := writeReport(&s.text, &frame, true); err != nil {
		return err
	}
	return s.flush()
}

// Rest writes the notices that were held back, at the end of the capture, after which only
// that it ended is to be told.
func (s *LiveStream) Rest(now time.Time) error {
	var lines []any
	for _, n := range s.notices.due(now, true) {
		lines = append(lines, s.noticeOf(n))
	}
	return s.write(lines...)
}

// maxSpare is how much memory is kept for the next line: most have less.
const maxSpare = 64 << 10

func (s *LiveStream) write(lines ...any) error {
	s.text.Reset()
	encoder := json.NewEncoder(visible{&s.text})
	encoder.SetEscapeHTML(false)
	for _, line := range lines {
		if err := encoder.Encode(line); err != nil {
			return fmt.Errorf("write the stream: %w", err)
		}
	}
	return s.flush()
}

func (s *LiveStream) flush() error {
	if s.text.Len() == 0 {
		return nil
	}
	_, err := s.w.Write(s.text.Bytes())
	if s.text.Cap() > maxSpare {
		s.text = bytes.Buffer{}
	}
	if err != nil {
		return fmt.Errorf("write the stream: %w", err)
	}
	return nil
}
