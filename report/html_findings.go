package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/mqttriage/mqttriage/kb"
)

// How much of a finding the page holds. JSON has it whole.
const (
	maxHTMLOpen     = 3  // findings that are unfolded from the start
	maxHTMLNamed    = 50 // findings beyond maxSpelledOut that are named
	maxHTMLItems    = 8  // causes, fixes, dead ends and hints of each kind
	maxHTMLEvidence = 20 // connections that are named one by one
	maxHTMLPackets  = 24 // packet numbers in a row
	maxHTMLStreams  = 40 // connections in a display filter
)

// htmlFinding is a finding on the page.
type htmlFinding struct {
	Number                 int
	Class, Severity        string
	Title, Symptom, Broker string
	Open                   bool
	Summary                []htmlSpan
	Who, When              string
	Evidence               []htmlEvidence
	Connections            []htmlEvidence // each one of them
	ConnectionsLeft        string
	As                     string // "as in 1": the advice was given there
	Do, Could              []htmlItem
	Causes, RuledOut       []htmlItem
	NoUse, Beside          []htmlItem // what is in place already, and what is beside the point
	DeadEnds, AlsoDead     []htmlItem // what was tried, and what was not
	CannotTell             []htmlSpan
	Look                   []htmlItem
	Entries                []htmlEntry
	Sources                []htmlSource
}

// htmlEvidence is packets to look at in one capture.
type htmlEvidence struct{ Where, Packets, Filter, More string }

// htmlItem is one cause, fix, dead end or hint.
type htmlItem struct {
	Text       []htmlSpan
	Tag, Class string
	Notes      [][]htmlSpan
	How        []htmlItem // in terms of products
	For        string
}

// htmlItems are items under a label.
type htmlItems struct {
	Name  string
	Items []htmlItem
}

// htmlEntry names a knowledge-base entry.
type htmlEntry struct{ ID, Title, Tag string }

// htmlSource is where an entry has it from. Only what is an address becomes a
// link.
type htmlSource struct{ Text, Address string }

// htmlFindingsOf are the findings that are spelled out, and those that are only
// named after them.
func htmlFindingsOf(doc *Document) (spelled, named []htmlFinding) {
	t := &table{doc: doc, lang: doc.Lang, prose: maxProse, said: map[string]int{}}
	for i := range doc.Findings[:min(len(doc.Findings), maxSpelledOut+maxHTMLNamed)] {
		f := &doc.Findings[i]
		out := htmlFinding{
			Number: i + 1, Open: i < maxHTMLOpen, Class: htmlSeverities[f.Severity],
			Severity: say(doc.Lang, severities[f.Severity].name, nil),
			Title:    Escape(cut(f.Title, 200)), Symptom: Escape(shorten(f.Symptom)), Broker: say(doc.Lang, labelBroker, values{"broker": Escape(shorten(f.Broker))}),
			Summary: htmlText(f.Summary),
		}
		if i >= maxSpelledOut {
			named = append(named, out)
			continue
		}
		if len(f.ClientIDs) > 3 || len(f.Clients) > 4 { // the summary counts them
			out.Who = Escape(cut(t.who(f), maxText))
		}
		out.When = t.when(f)
		out.evidence(f, doc)
		out.advice(f, t)
		spelled = append(spelled, out)
	}
	return spelled, named
}

var htmlSeverities = map[string]string{"error": "error", "warning": "warning", "info": "info"}

// evidence gathers the packets of each capture and a display filter that finds
// them: stream and packet numbers mean something in one capture only.
func (out *htmlFinding) evidence(f *Finding, doc *Document) {
	var names []string
	of := map[string][]Evidence{}
	for _, e := range f.Evidence {
		if !slices.Contains(names, e.Capture) && len(names) < maxHTMLEvidence {
			names = append(names, e.Capture)
		}
		of[e.Capture] = append(of[e.Capture], e)
	}
	several := len(doc.Captures) > 1
	for _, name := range names {
		var row htmlEvidence
		if several {
			row.Where = Escape(shorten(name))
		}
		var packets []int
		for _, e := range of[name] {
			packets = append(packets, e.Packets...)
		}
		row.Packets = htmlPackets(packets, doc.Lang)
		var left int
		if row.Filter, left = htmlFilterOf(of[name]); left > 0 {
			row.More = say(doc.Lang, more, values{"n": left})
		}
		out.Evidence = append(out.Evidence, row)
	}
	if len(f.Evidence) < 2 {
		return
	}
	for _, e := range f.Evidence[:min(len(f.Evidence), maxHTMLEvidence)] {
		out.Connections = append(out.Connections, htmlEvidence{
			Where: Escape(shorten(e.Session)), Packets: htmlPackets(e.Packets, doc.Lang), Filter: Escape(cut(e.Filter, 200)),
		})
	}
	if left := f.Sessions - len(out.Connections); left > 0 {
		out.ConnectionsLeft = say(doc.Lang, more, values{"n": left})
	}
}

// htmlFilterOf is one display filter for connections, whole as it is to be
// copied, and how many connections are left out of it.
func htmlFilterOf(evidence []Evidence) (filter string, left int) {
	streams, in := "tcp.stream eq ", "tcp.stream in {"
	if len(evidence) > 0 && evidence[0].Port != 0 {
		streams, in = "tcp.port eq ", "tcp.port in {"
	}
	var numbers []int
	var others []string
	for _, e := range evidence {
		if n, err := strconv.Atoi(strings.TrimPrefix(e.Filter, streams)); err == nil && strings.HasPrefix(e.Filter, streams) {
			numbers = append(numbers, n)
		} else if len(e.Filter) <= 200 && !slices.Contains(others, e.Filter) {
			others = append(others, e.Filter)
		}
	}
	numbers = distinct(numbers)
	var parts []string
	if len(numbers) == 1 {
		parts = append(parts, streams+strconv.Itoa(numbers[0]))
	} else if len(numbers) > 1 {
		shown := numbers[:min(len(numbers), maxHTMLStreams)]
		left += len(numbers) - len(shown)
		// Wireshark 4 takes set elements only with commas between them.
		texts := make([]string, 0, len(shown))
		for _, n := range shown {
			texts = append(texts, strconv.Itoa(n))
		}
		parts = append(parts, in+strings.Join(texts, ", ")+"}")
	}
	shown := others[:min(len(others), maxHTMLItems)]
	left += len(others) - len(shown)
	return Escape(strings.Join(append(parts, shown...), " or ")), left
}

// htmlPackets lists packet numbers, which begin at 1.
func htmlPackets(numbers []int, lang kb.Lang) string {
	numbers = slices.DeleteFunc(distinct(numbers), func(n int) bool { return n <= 0 })
	texts := make([]string, 0, maxHTMLPackets)
	for _, n := range numbers[:min(len(numbers), maxHTMLPackets)] {
		texts = append(texts, strconv.Itoa(n))
	}
	list := strings.Join(texts, ", ")
	if left := len(numbers) - len(texts); left > 0 {
		list += " " + say(lang, more, values{"n": left})
	}
	return list
}

// advice is the most specific entry whole, and of the others what the packets
// support or show being tried.
func (out *htmlFinding) advice(f *Finding, t *table) {
	if len(f.Advice) == 0 {
		return
	}
	top, others := &f.Advice[0], f.Advice[1:]
	for i := range f.Advice[:min(len(f.Advice), maxHTMLItems)] {
		a := &f.Advice[i]
		e := htmlEntry{ID: Escape(cut(a.Entry, 100)), Title: Escape(cut(a.Title, 200))}
		if a.Confidence != nil {
			e.Tag = t.say(tagConfidence, values{"rate": percent(*a.Confidence)})
		}
		out.Entries = append(out.Entries, e)
	}
	if first, ok := t.said[adviceKey(top)]; ok {
		out.As = t.say(asIn, values{"n": first})
		return
	}
	t.said[adviceKey(top)] = out.Number
	t.published(f.Advice)
	out.causes(top, others, t)
	out.fixes(top, others, t)
	out.deadEnds(top, others, t)
	out.CannotTell = htmlText(top.CannotTell)
	out.Look = htmlHints(top.LookNext)
	for i := range f.Advice {
		out.source(f.Advice[i].Sources)
	}
}

func (out *htmlFinding) causes(a *Advice, others []Advice, t *table) {
	list := func(causes []*Cause, tag message, class string) []htmlItem {
		var items []htmlItem
		for _, c := range causes[:min(len(causes), maxHTMLItems)] {
			item := htmlItem{Text: htmlText(c.Text), Tag: t.say(tag, nil), Class: class}
			if c.Because != "" {
				v := values{"because": trimStop(c.Because)}
				if len(c.Packets) > 0 {
					v["n"], v["list"] = len(c.Packets), htmlPackets(c.Packets, t.lang)
				}
				item.note(t.say(supportedBy, v))
			}
			items = append(items, item)
		}
		return items
	}
	status := func(c *Cause) kb.Status { return c.Status }
	out.Causes = append(list(sureCauses(a, others), tagSupported, "yes"), list(withStatus(a.Causes, status, kb.Possible), tagPossible, "maybe")...)
	out.RuledOut = list(withStatus(a.Causes, status, kb.Contradicted), htmlContradicted, "no")
}

// note adds a line below the item.
func (item *htmlItem) note(text string) {
	if text != "" {
		item.Notes = append(item.Notes, htmlText(text))
	}
}

func (out *htmlFinding) fixes(a *Advice, others []Advice, t *table) {
	status := func(f *Fix) kb.Status { return f.Status }
	list := func(fixes []*Fix, because func(*Fix) string) []htmlItem {
		var items []htmlItem
		for _, f := range fixes[:min(len(fixes), maxHTMLItems)] {
			item := htmlItem{Text: htmlText(f.Text), Tag: t.successTag(f), How: htmlHints(f.How)}
			item.note(because(f))
			items = append(items, item)
		}
		return items
	}
	because := func(f *Fix) string { return sentence(f.Because, t.lang) }
	out.Do = list(withStatus(a.Fixes, status, kb.Recommended), because)
	out.Could = list(withStatus(a.Fixes, status, kb.Possible), because)
	useless, _ := uselessFixes(a, others)
	t.useless = map[string]bool{}
	beside := slices.IndexFunc(useless, func(f *Fix) bool { return f.Status == kb.NotApplicable })
	if beside < 0 {
		beside = len(useless)
	}
	for _, f := range useless {
		t.useless[f.ID] = true
	}
	out.NoUse, out.Beside = list(useless[:beside], t.whyNoUse), list(useless[beside:], t.whyNoUse)
	for _, items := range [][]htmlItem{out.NoUse, out.Beside} {
		for i := range items {
			items[i].How = nil
		}
	}
}

func (out *htmlFinding) deadEnds(a *Advice, others []Advice, t *table) {
	list := func(ends []*End) []htmlItem {
		var items []htmlItem
		for _, d := range ends[:min(len(ends), maxHTMLItems)] {
			item := htmlItem{Text: htmlText(d.Text)}
			if d.Rate != nil {
				item.Tag = t.say(tagFails, values{"rate": percent(*d.Rate)})
			}
			if d.Status == kb.Seen {
				item.note(t.whereTried(d))
			}
			item.note(d.Why)
			items = append(items, item)
		}
		return items
	}
	out.DeadEnds = list(triedEnds(a, others, t.useless))
	out.AlsoDead = list(withStatus(a.DeadEnds, func(d *End) kb.Status { return d.Status }, kb.NotSeen, kb.NotVisible))
}

func htmlHints(hints []Hint) []htmlItem {
	var items []htmlItem
	for _, h := range hints[:min(len(hints), maxHTMLItems)] {
		items = append(items, htmlItem{For: Escape(shorten(h.For)), Text: htmlText(h.Text)})
	}
	return items
}

func (out *htmlFinding) source(sources []string) {
	for _, s := range sources {
		source := htmlSource{Text: Escape(cut(s, 120))}
		if strings.HasPrefix(s, "https://") && len(s) <= 500 {
			source.Address = s
		}
		if len(out.Sources) < maxHTMLItems && !slices.ContainsFunc(out.Sources, func(have htmlSource) bool { return have.Text == cmp.Or(source.Text, s) }) {
			out.Sources = append(out.Sources, source)
		}
	}
}
