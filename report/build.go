package report

import (
	"fmt"
	"strings"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/kb"
)

// Input is everything that a report is made from.
type Input struct {
	// Version is the tool's.
	Version  string
	Captures []CaptureInput
	Analyzer Analysis
	Base     *kb.Base
	Lang     kb.Lang
	// Sessions asks for a record of every session.
	Sessions bool
	// MinSeverity hides the findings below it.
	MinSeverity analyze.Severity
	// Selection, if not nil, says that the Analyzer has only some sessions.
	Selection *Selection
	// Redactor, if not nil, replaces names and addresses.
	Redactor *Redactor
}

// Analysis is what a report says of sessions: an analyze.Analyzer's, or an
// analyze.Watch's.
type Analysis interface {
	Findings() []analyze.Finding
	Omitted() int
	Totals() analyze.Totals
	Sessions() []*decode.Session
}

// CaptureInput is one capture after it was read, or as far as it is by now.
type CaptureInput struct {
	Info  capture.Info
	Stats decode.Stats
	// Dropped, where not nil, is how many packets of a live capture the kernel dropped.
	Dropped *uint64
}

// Build makes the document of a run.
func Build(in Input) *Document {
	totals := in.Analyzer.Totals()
	hide := in.Redactor.naming(in.Captures)
	doc := &Document{
		Schema:   Schema,
		Tool:     Tool{Name: "mqttriage", Version: in.Version},
		Lang:     in.Lang,
		Captures: make([]Capture, 0, len(in.Captures)),
		Notes:    totals.Notes,
		Findings: []Finding{},
	}
	for _, c := range in.Captures {
		c.Info = hide.info(c.Info)
		doc.Captures = append(doc.Captures, captureOf(c))
	}
	doc.Totals, doc.Codes = totalsOf(totals)
	if in.Selection != nil {
		in.Selection.apply(doc, in.Redactor != nil)
	}
	if in.Sessions {
		doc.Sessions = recordsOf(in.Analyzer.Sessions(), hide)
	}
	answer := ""
	live := len(in.Captures) == 1 && in.Captures[0].Info.Format == liveFormat
	for _, f := range in.Analyzer.Findings() {
		if f.Severity < in.MinSeverity {
			doc.Hidden++
			continue
		}
		shown := hide.finding(f)
		advice := in.Base.ConsultShowing(f, shown.Facts)
		out, phrase := findingOf(&shown, advice, in.Lang)
		if live {
			out.asLive(&shown)
		}
		if len(doc.Findings) == 0 {
			answer = phrase
		}
		doc.Findings = append(doc.Findings, out)
	}
	doc.Totals.FindingsOmitted = in.Analyzer.Omitted()
	if w, ok := in.Analyzer.(interface{ Evicted() analyze.Evicted }); ok {
		doc.Totals.Evicted = evictedOf(w.Evicted())
	}
	doc.Answer = answerOf(doc, answer, in.Analyzer.Sessions)
	return doc
}

// liveFormat is the capture.Info.Format of what no file holds.
const liveFormat = "live"

// asLive names connections by what is found again in a file that was written meanwhile.
func (f *Finding) asLive(of *analyze.Finding) {
	for i := range f.Evidence {
		e := &f.Evidence[i]
		e.Port = int(of.Evidence[i].Session.Client.Port())
		e.Filter = fmt.Sprintf("tcp.port eq %d", e.Port)
	}
}

func captureOf(c CaptureInput) Capture {
	info := c.Info
	out := Capture{
		Name: info.Name, Format: info.Format, Compression: info.Compression,
		LinkTypes: make([]string, 0, len(info.LinkTypes)),
		Packets:   info.Packets, Bytes: info.Bytes,
		First: decode.Stamp(info.First), Last: decode.Stamp(info.Last),
		Cut: info.Cut, Evicted: c.Stats.Evicted, Problems: append([]string{}, info.Problems...),
		Undecoded: map[string]int64{}, Dropped: c.Dropped,
	}
	for _, l := range info.LinkTypes {
		out.LinkTypes = append(out.LinkTypes, fmt.Sprint(l))
	}
	for reason, n := range c.Stats.Undecoded {
		out.Undecoded[reason] = n
	}
	return out
}

// evictedOf is nil where nothing was forgotten.
func evictedOf(e analyze.Evicted) *Forgotten {
	if e == (analyze.Evicted{}) {
		return nil
	}
	return &Forgotten{Sessions: e.Sessions, ClientIDs: e.ClientIDs, Findings: e.Findings}
}

func totalsOf(t analyze.Totals) (Totals, []Code) {
	out := Totals{
		Connections: t.Connections, Sessions: t.Sessions,
		Accepted: t.Accepted, Rejected: t.Rejected, Unanswered: t.Unanswered, Refused: t.Refused,
		TLSFailed: t.TLSFailed, NotMQTT: t.NotMQTT, Unknown: t.Unknown,
		ClientIDs: t.ClientIDs, Clients: t.Clients, Brokers: t.Brokers, NotKept: t.NotKept,
		Encrypted: t.Encrypted,
	}
	if t.ConnackMaxMS > 0 {
		out.ConnackMedianMS, out.ConnackMaxMS = &t.ConnackMedianMS, &t.ConnackMaxMS
	}
	codes := make([]Code, 0, len(t.Codes))
	for _, c := range t.Codes {
		codes = append(codes, Code{Version: c.Version, Code: mqtt.FormatCode(c.Code), Name: c.Name, Count: c.Count})
	}
	return out, codes
}

// findingOf returns a finding with its advice, and what the report answers
// when it is the first one.
func findingOf(f *analyze.Finding, advice []kb.Advice, lang kb.Lang) (Finding, string) {
	said := describe(f, lang)
	out := Finding{
		Symptom: f.Symptom, Severity: f.Severity.String(),
		Title: said.title, Summary: said.summary,
		Broker:    f.Broker,
		ClientIDs: present(f.ClientIDs),
		Clients:   present(f.Clients),
		Codes:     present(f.Codes),
		Versions:  present(f.MQTTVersions),
		Sessions:  f.Sessions,
		First:     decode.Stamp(f.First), Last: decode.Stamp(f.Last),
		Evidence: make([]Evidence, 0, len(f.Evidence)),
		Facts:    f.Facts,
		Advice:   []Advice{},
	}
	if j := f.Joined; j != nil {
		out.Joined = &Joined{Sessions: j.Sessions, OtherBrokers: j.Brokers}
	}
	for _, e := range f.Evidence {
		s := e.Session
		out.Evidence = append(out.Evidence, Evidence{
			Session: s.ID(), Capture: s.Origin.Capture, Stream: int(s.Stream),
			Packets: append([]int{}, e.Packets...),
			Filter:  filterOf(s, e.Packets),
		})
	}
	for _, a := range advice {
		out.Advice = append(out.Advice, adviceOf(a, lang))
	}
	answer := said.answer
	// What a harmless finding needs is no fix.
	if f.Severity > analyze.Info {
		if next := firstFix(advice, lang); next != "" {
			answer += gap(lang) + sentence(next, lang)
		} else if n := openCauses(out.Advice); n > 1 {
			answer += gap(lang) + say(lang, answerOpen, values{"n": n})
		}
	}
	return out, answer
}

// present is a list that is never nil: the contract has no null in its place.
func present(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// firstFix is what to do first: what a client in the capture did with success,
// else the first fix that the facts recommend, in the order of the entries.
func firstFix(advice []kb.Advice, lang kb.Lang) string {
	first := ""
	for i, a := range advice {
		for _, f := range a.Fixes {
			switch {
			case f.Worked:
				return f.Text.In(lang)
			// The body spells out the top entry only.
			case i == 0 && f.Status == kb.Recommended && first == "":
				first = f.Text.In(lang)
			}
		}
	}
	return first
}

// openCauses is how many causes the top entry leaves possible when the facts
// support none.
func openCauses(advice []Advice) int {
	if len(advice) == 0 || len(supported(&advice[0])) > 0 {
		return 0
	}
	return len(withStatus(advice[0].Causes, func(c *Cause) kb.Status { return c.Status }, kb.Possible))
}

func adviceOf(a kb.Advice, lang kb.Lang) Advice {
	e := a.Entry
	out := Advice{
		Entry: e.ID, Title: e.Title.In(lang),
		Sources:  append([]string{}, e.Sources...),
		Causes:   make([]Cause, 0, len(a.Causes)),
		Fixes:    make([]Fix, 0, len(a.Fixes)),
		DeadEnds: make([]End, 0, len(a.DeadEnds)),
		LookNext: make([]Hint, 0, len(e.LookNext)),
	}
	if e.Published != nil {
		out.Confidence = e.Published.Confidence
	}
	if e.CannotTell != nil {
		out.CannotTell = e.CannotTell.In(lang)
	}
	for _, c := range a.Causes {
		out.Causes = append(out.Causes, Cause{ID: c.ID, Text: c.Text.In(lang), Status: c.Status, Because: c.Because.In(lang), Packets: c.Packets})
	}
	for _, f := range a.Fixes {
		fix := Fix{ID: f.ID, Text: f.Text.In(lang), Rate: f.Rate, Status: f.Status, Because: f.Because.In(lang), Packets: f.Packets, How: make([]Hint, 0, len(f.How))}
		for _, h := range f.How {
			fix.How = append(fix.How, Hint{For: h.For, Text: h.Text.In(lang)})
		}
		out.Fixes = append(out.Fixes, fix)
	}
	for _, d := range a.DeadEnds {
		out.DeadEnds = append(out.DeadEnds, End{ID: d.ID, Text: d.Text.In(lang), Rate: d.Rate, Why: d.Why.In(lang), Status: d.Status, Because: d.Because.In(lang), Packets: d.Packets})
	}
	for _, l := range a.LookNext {
		out.LookNext = append(out.LookNext, Hint{For: l.For, Text: l.Text.In(lang)})
	}
	return out
}

// gap is what stands between two sentences.
func gap(lang kb.Lang) string {
	if lang == kb.Chinese {
		return ""
	}
	return " "
}

// sentence makes a clause a sentence: a capital first letter and a full stop.
func sentence(s string, lang kb.Lang) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	s = capital(s)
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "。") || strings.HasSuffix(s, "?") || strings.HasSuffix(s, "？") {
		return s
	}
	return s + strings.TrimSpace(say(lang, fullStop, nil))
}

// capital makes the first letter a capital one.
func capital(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return strings.ToUpper(s[:1]) + s[1:]
	}
	return s
}
