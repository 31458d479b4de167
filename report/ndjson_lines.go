package report

import (
	"fmt"
	"slices"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

// The types of lines, in the order in which they come.
const (
	lineSummary = "summary"
	lineCapture = "capture"
	lineSession = "session"
	lineEntry   = "entry"
	lineFinding = "finding"
)

var lineTypes = []string{lineSession, lineSummary, lineCapture, lineEntry, lineFinding, lineLive, lineHappening, lineNotice}

// summaryLine is the document but for what has lines of its own, which hide the
// document's fields of the same names.
type summaryLine struct {
	Type string `json:"type"`
	*Document
	Captures *struct{}  `json:"captures,omitempty"`
	Sessions *struct{}  `json:"sessions,omitempty"`
	Findings *struct{}  `json:"findings,omitempty"`
	Lines    lineCounts `json:"lines"`
	// Live says that the report is one of the stream of a live capture, in which the
	// sessions have lines of their own.
	Live bool `json:"live,omitempty"`
}

// lineCounts is how many lines of each type there are. Sessions is nil where
// they were not asked for.
type lineCounts struct {
	Captures int  `json:"captures"`
	Sessions *int `json:"sessions,omitempty"`
	Entries  int  `json:"entries"`
	Findings int  `json:"findings"`
}

type captureLine struct {
	Type string `json:"type"`
	Capture
}

type sessionLine struct {
	Type string `json:"type"`
	decode.Record
}

// entryLine is what all advice from one entry has in common.
type entryLine struct {
	Type       string      `json:"type"`
	Entry      string      `json:"entry"`
	Title      string      `json:"title"`
	Confidence *float64    `json:"confidence,omitempty"`
	Sources    []string    `json:"sources"`
	Causes     []entryText `json:"causes"`
	Fixes      []entryText `json:"fixes"`
	DeadEnds   []entryText `json:"dead_ends"`
	LookNext   []Hint      `json:"look_next"`
	CannotTell string      `json:"cannot_tell,omitempty"`
}

// entryText is a cause, a fix or a dead end of an entry.
type entryText struct {
	ID       string   `json:"id"`
	Text     string   `json:"text"`
	Success  *float64 `json:"success_rate,omitempty"`
	FailRate *float64 `json:"fail_rate,omitempty"`
	Why      string   `json:"why,omitempty"`
	How      []Hint   `json:"how,omitzero"`
}

// findingLine is a finding whose advice is without the texts of the entries.
type findingLine struct {
	Type string `json:"type"`
	*Finding
	Advice []adviceLine `json:"advice"`
}

// adviceLine is what advice says of one finding: LookNext is the order of the
// entry's hints, from 0, where it is not that of the entry.
type adviceLine struct {
	Entry    string       `json:"entry"`
	Causes   []statusLine `json:"causes"`
	Fixes    []statusLine `json:"fixes"`
	DeadEnds []statusLine `json:"dead_ends"`
	LookNext []int        `json:"look_next,omitzero"`
}

// statusLine is what it says of a cause, fix or dead end of the entry; How is
// the order of its hints, as above.
type statusLine struct {
	ID      string    `json:"id"`
	Status  kb.Status `json:"status"`
	Because string    `json:"because,omitempty"`
	Packets []int     `json:"packets,omitempty"`
	How     []int     `json:"how,omitzero"`
}

func entryOf(a *Advice) entryLine {
	e := entryLine{
		Type: lineEntry, Entry: a.Entry, Title: a.Title, Confidence: a.Confidence, Sources: a.Sources,
		Causes: []entryText{}, Fixes: []entryText{}, DeadEnds: []entryText{}, LookNext: a.LookNext, CannotTell: a.CannotTell,
	}
	for _, c := range a.Causes {
		e.Causes = append(e.Causes, entryText{ID: c.ID, Text: c.Text})
	}
	for _, f := range a.Fixes {
		e.Fixes = append(e.Fixes, entryText{ID: f.ID, Text: f.Text, Success: f.Rate, How: f.How})
	}
	for _, d := range a.DeadEnds {
		e.DeadEnds = append(e.DeadEnds, entryText{ID: d.ID, Text: d.Text, FailRate: d.Rate, Why: d.Why})
	}
	return e
}

// adviceIn is what advice says beside its entry's texts.
func adviceIn(a *Advice, e *entryLine) adviceLine {
	out := adviceLine{
		Entry: a.Entry, Causes: []statusLine{}, Fixes: []statusLine{}, DeadEnds: []statusLine{},
		LookNext: orderOf(a.LookNext, e.LookNext),
	}
	for _, c := range a.Causes {
		out.Causes = append(out.Causes, statusLine{ID: c.ID, Status: c.Status, Because: c.Because, Packets: c.Packets})
	}
	for _, f := range a.Fixes {
		line := statusLine{ID: f.ID, Status: f.Status, Because: f.Because, Packets: f.Packets}
		if text, err := textOf(e.Fixes, f.ID); err == nil {
			line.How = orderOf(f.How, text.How)
		}
		out.Fixes = append(out.Fixes, line)
	}
	for _, d := range a.DeadEnds {
		out.DeadEnds = append(out.DeadEnds, statusLine{ID: d.ID, Status: d.Status, Because: d.Because, Packets: d.Packets})
	}
	return out
}

// orderOf tells where in the entry's list hints stand, nil for in its order.
func orderOf(hints, entry []Hint) []int {
	if slices.Equal(hints, entry) {
		return nil
	}
	order := make([]int, len(hints))
	for i, h := range hints {
		order[i] = slices.Index(entry, h)
	}
	return order
}

// with is the advice with its entry's texts.
func (l *adviceLine) with(e *entryLine) (Advice, error) {
	a := Advice{
		Entry: e.Entry, Title: e.Title, Confidence: e.Confidence, Sources: e.Sources,
		Causes: []Cause{}, Fixes: []Fix{}, DeadEnds: []End{}, CannotTell: e.CannotTell,
	}
	var err error
	if a.LookNext, err = hintsIn(e.LookNext, l.LookNext); err != nil {
		return a, err
	}
	for _, s := range l.Causes {
		t, err := textOf(e.Causes, s.ID)
		if err != nil {
			return a, err
		}
		a.Causes = append(a.Causes, Cause{ID: s.ID, Text: t.Text, Status: s.Status, Because: s.Because, Packets: s.Packets})
	}
	for _, s := range l.Fixes {
		t, err := textOf(e.Fixes, s.ID)
		if err != nil {
			return a, err
		}
		how, err := hintsIn(t.How, s.How)
		if err != nil {
			return a, err
		}
		a.Fixes = append(a.Fixes, Fix{ID: s.ID, Text: t.Text, Rate: t.Success, Status: s.Status, Because: s.Because, Packets: s.Packets, How: how})
	}
	for _, s := range l.DeadEnds {
		t, err := textOf(e.DeadEnds, s.ID)
		if err != nil {
			return a, err
		}
		a.DeadEnds = append(a.DeadEnds, End{ID: s.ID, Text: t.Text, Rate: t.FailRate, Why: t.Why, Status: s.Status, Because: s.Because, Packets: s.Packets})
	}
	return a, nil
}

func textOf(texts []entryText, id string) (*entryText, error) {
	i := slices.IndexFunc(texts, func(t entryText) bool { return t.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("the entry has no %q", id)
	}
	return &texts[i], nil
}

// hintsIn is the entry's hints in the order that a finding's advice has.
func hintsIn(hints []Hint, order []int) ([]Hint, error) {
	if order == nil {
		return hints, nil
	}
	out := make([]Hint, 0, len(order))
	for _, i := range order {
		if i < 0 || i >= len(hints) {
			return nil, fmt.Errorf("the entry has no hint %d", i)
		}
		out = append(out, hints[i])
	}
	return out, nil
}
