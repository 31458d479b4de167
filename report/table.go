package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

// The narrowest and the widest terminal that a report is laid out for.
const (
	MinWidth = 40
	MaxWidth = 200
)

// maxProse is how wide text runs: longer lines are hard to read.
const maxProse = 120

// TableOptions are the terminal's properties.
type TableOptions struct {
	// Width is the number of columns, kept within MinWidth and MaxWidth. 0
	// stands for 80.
	Width int
	// Color allows ANSI colours.
	Color bool
}

// Table writes the report for a terminal: the answer, the findings, the
// totals. No line is wider than the width, and everything that came from the
// wire is escaped.
func Table(w io.Writer, doc *Document, opts TableOptions) error {
	width := opts.Width
	if width == 0 {
		width = 80
	}
	width = min(max(width, MinWidth), MaxWidth)
	t := &table{
		printer: printer{w: w}, doc: doc, lang: doc.Lang,
		width: width, prose: min(width, maxProse), color: opts.Color,
		said: map[string]int{},
	}
	t.paragraph(0, doc.Answer)
	for i := range doc.Findings[:min(len(doc.Findings), maxSpelledOut)] {
		t.print("\n")
		t.finding(i+1, &doc.Findings[i])
	}
	if rest := len(doc.Findings) - maxSpelledOut; rest > 0 {
		t.print("\n")
		t.paragraph(0, t.say(moreFindings, values{"n": rest}))
	}
	t.print("\n")
	t.sessions()
	t.totals()
	return t.err
}

// table is a report on its way to a terminal.
type table struct {
	printer
	doc          *Document
	lang         kb.Lang
	width, prose int
	color        bool
	// said holds where each fix and dead end was last spelled out: the number
	// of the finding, by the text.
	said map[string]int
	// rates holds the published success rates of a finding's fixes, by id.
	rates map[string]*float64
	// useless holds the ids of the fixes that were named as of no use to it.
	useless map[string]bool
}

// maxSpelledOut is how many findings are spelled out: nobody reads on after that,
// and the most severe come first.
const maxSpelledOut = 25

const (
	indent     = 3
	labelWidth = 12
)

// style is an ANSI SGR parameter (ECMA-48 section 8.3.117).
type style string

const (
	bold   style = "1"
	dim    style = "2"
	red    style = "1;31"
	yellow style = "1;33"
	green  style = "32"
	cyan   style = "36"
)

func (t *table) styled(s style, text string) string {
	if !t.color || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

func (t *table) say(m message, v values) string { return say(t.lang, m, v) }

// paragraph writes text from a column on.
func (t *table) paragraph(column int, text string) {
	for _, line := range wrap(Escape(cut(text, maxText)), t.prose-column) {
		t.print(strings.Repeat(" ", column), line, "\n")
	}
}

// finding writes one finding, numbered from 1.
func (t *table) finding(n int, f *Finding) {
	t.heading(n, f)
	t.paragraph(indent, f.Summary)
	if len(f.ClientIDs) > 3 || len(f.Clients) > 4 { // the summary counts them
		t.fact(labelWho, t.who(f))
	}
	t.fact(labelWhen, t.when(f))
	t.evidence(f)
	t.advice(n, f)
}

var severities = map[string]struct {
	name  message
	style style
}{
	"error":   {severityError, red},
	"warning": {severityWarning, yellow},
	"info":    {severityInfo, cyan},
}

func (t *table) heading(n int, f *Finding) {
	s := severities[f.Severity]
	number, severity := fmt.Sprintf("%-*d", indent, n), t.say(s.name, nil)
	used := indent + textWidth(severity) + 2
	symptom := wrap(Escape(f.Symptom), t.width-used)[0]
	broker := t.say(labelBroker, values{"broker": Escape(shorten(f.Broker))})
	t.print(t.styled(bold, number), t.styled(s.style, severity), "  ", t.styled(bold, symptom))
	used += textWidth(symptom)
	if at := max(used+2, 38); at+textWidth(broker) <= t.width {
		t.print(strings.Repeat(" ", at-used), broker, "\n")
		return
	}
	t.print("\n")
	t.paragraph(indent, broker)
}

// entry is a row of a finding: a label and, beside it, text that hangs from it.
type entry struct {
	label message
	style style
	// tag stands at the right end of the first line, or after the text where
	// there is no room for it.
	text, tag string
	// lines is how many lines the text may have; 0 is no limit.
	lines int
	// unlabelled continues the row above.
	unlabelled bool
}

func (t *table) row(e entry) {
	if e.text == "" {
		return
	}
	const column = indent + labelWidth
	if e.unlabelled {
		t.print(strings.Repeat(" ", column))
	} else {
		name := t.say(e.label, nil)
		t.print(strings.Repeat(" ", indent), t.styled(e.style, name), strings.Repeat(" ", max(labelWidth-textWidth(name), 1)))
	}
	room := t.prose - column
	textRoom := room
	if e.tag != "" {
		textRoom -= textWidth(e.tag) + 2
	}
	if e.tag != "" && textRoom < 28 { // too narrow to share a line
		textRoom = room
		e.text, e.tag = e.text+" · "+e.tag, ""
	}
	for i, line := range limited(wrap(Escape(cut(e.text, maxText)), textRoom), e.lines, textRoom) {
		if i > 0 {
			t.print(strings.Repeat(" ", column))
		}
		t.print(line)
		if i == 0 && e.tag != "" {
			t.print(strings.Repeat(" ", room-textWidth(line)-textWidth(e.tag)), t.styled(dim, e.tag))
		}
		t.print("\n")
	}
}

// limited keeps the first lines and marks that there were more.
func limited(lines []string, most, width int) []string {
	if most == 0 || len(lines) <= most {
		return lines
	}
	last := wrap(lines[most-1], width-2)[0]
	return append(lines[:most-1:most-1], strings.TrimRight(last, " ,.;，。；")+" …")
}

// fact writes a row unless there is nothing to say.
func (t *table) fact(label message, text string) {
	if text != "" {
		t.row(entry{label: label, style: dim, text: text})
	}
}

// who is the client IDs and addresses, as many as fit on about a line each.
func (t *table) who(f *Finding) string {
	room := t.prose - indent - labelWidth
	var parts []string
	if ids := named(f.ClientIDs); len(ids) > 0 {
		quoted := make([]string, 0, min(len(ids), maxListed))
		for _, id := range ids[:min(len(ids), maxListed)] {
			quoted = append(quoted, `"`+Escape(shorten(id))+`"`)
		}
		parts = append(parts, t.say(whoIDs, values{"ids": t.list(quoted, len(ids), room-10)}))
	}
	if len(f.Clients) > 0 {
		shown := f.Clients[:min(len(f.Clients), maxListed)]
		parts = append(parts, t.say(whoAt, values{"who": t.list(shown, len(f.Clients), room-4)}))
	}
	return strings.Join(parts, gap(t.lang))
}

// maxListed bounds the work for a list of which a line or two is shown.
const maxListed = 64

// list joins the items that fit into room columns and counts the rest; all is
// how many there are.
func (t *table) list(items []string, all, room int) string {
	var b strings.Builder
	used := 0
	for i, item := range items {
		sep := ""
		if i > 0 {
			sep = ", "
		}
		rest := ""
		if i+1 < all {
			rest = " " + t.say(more, values{"n": all - i - 1})
		}
		w := textWidth(sep) + textWidth(item)
		if i > 0 && used+w+textWidth(rest) > room {
			return b.String() + " " + t.say(more, values{"n": all - i})
		}
		b.WriteString(sep + item)
		used += w
	}
	if len(items) < all {
		return b.String() + " " + t.say(more, values{"n": all - len(items)})
	}
	return b.String()
}

func (t *table) when(f *Finding) string {
	first, last := time.Time(f.First), time.Time(f.Last)
	if first.IsZero() {
		return ""
	}
	if last.Sub(first) < time.Millisecond {
		return t.say(whenOnce, values{"first": first.UTC().Format("2006-01-02 15:04:05.000"), "n": f.Sessions})
	}
	layout, from := "15:04:05", "2006-01-02 15:04:05"
	if last.Sub(first) < time.Minute {
		layout, from = layout+".000", from+".000"
	}
	if first.UTC().YearDay() != last.UTC().YearDay() || first.UTC().Year() != last.UTC().Year() {
		layout = from
	}
	return t.say(whenSpan, values{
		"first": first.UTC().Format(from), "last": last.UTC().Format(layout),
		"span": duration(last.Sub(first), t.lang), "n": f.Sessions,
	})
}

// evidence writes packets and a Wireshark filter for each capture of a
// finding.
func (t *table) evidence(f *Finding) {
	sites := sitesOf(f)
	for i, p := range sites {
		if i == maxSites {
			t.row(entry{text: t.say(more, values{"n": len(sites) - maxSites}), unlabelled: true})
			break
		}
		where := t.where(p)
		room := t.prose - indent - labelWidth - textWidth(where)
		if list := t.packets(p.packets, room); list != "" {
			t.fact(labelPackets, where+list)
		}
		t.fact(labelWireshark, where+t.filter(p, room))
	}
}

// maxSites is how many captures are shown of a finding's.
const maxSites = 3

// site is the evidence in one capture; stream and packet numbers mean
// something in one capture only, and nothing where it was live: ports are the clients' then.
type site struct {
	capture                 string
	packets, streams, ports []int
}

func sitesOf(f *Finding) []site {
	var sites []site
	at := map[string]int{}
	for _, e := range f.Evidence {
		i, ok := at[e.Capture]
		if !ok {
			i = len(sites)
			at[e.Capture] = i
			sites = append(sites, site{capture: e.Capture})
		}
		if e.Port != 0 {
			sites[i].ports = append(sites[i].ports, e.Port)
			continue
		}
		sites[i].packets = append(sites[i].packets, e.Packets...)
		sites[i].streams = append(sites[i].streams, e.Stream)
	}
	return sites
}

// where names the capture of a site, where there are several.
func (t *table) where(p site) string {
	if len(t.doc.Captures) < 2 {
		return ""
	}
	return t.say(inCapture, values{"name": shorten(Escape(p.capture))})
}

// packets lists packet numbers.
func (t *table) packets(numbers []int, room int) string {
	numbers = slices.DeleteFunc(distinct(numbers), func(n int) bool { return n <= 0 })
	items := make([]string, 0, len(numbers))
	for _, n := range numbers {
		items = append(items, strconv.Itoa(n))
	}
	return t.list(items, len(items), room)
}

// filter is a Wireshark display filter for some connections. Wireshark 4 takes
// set elements only with commas between them.
func (t *table) filter(p site, room int) string {
	field, streams := "tcp.stream", distinct(p.streams)
	if len(p.ports) > 0 {
		field, streams = "tcp.port", distinct(p.ports)
	}
	if len(streams) == 1 {
		return fmt.Sprintf("%s eq %d", field, streams[0])
	}
	// A filter is to be copied: it is left whole or cut between streams.
	kept := field + " in {"
	for i, s := range streams {
		item := strconv.Itoa(s)
		if i > 0 {
			item = ", " + item
		}
		if rest := len(streams) - i; len(kept)+len(item)+1 > room-12 && rest > 1 {
			return kept + "} " + t.say(more, values{"n": rest})
		}
		kept += item
	}
	return kept + "}"
}

func distinct(numbers []int) []int {
	sorted := slices.Clone(numbers)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

// percent is a published rate as a whole number of per cent.
func percent(rate float64) string { return strconv.FormatFloat(rate*100, 'f', 0, 64) }

// totals writes what was analysed, and what was lost or cut.
func (t *table) totals() {
	losses := t.losses()
	t.paragraph(0, t.totalLine(len(losses) == 0))
	if len(t.doc.Codes) > maxNamedCodes {
		t.print("\n")
		t.codes()
		t.print("\n")
	}
	for _, l := range losses {
		t.paragraph(0, l)
	}
}

// totalLine is what was analysed, and that nothing was lost where that is so.
func (t *table) totalLine(clean bool) string {
	doc := t.doc
	v := values{"sessions": doc.Totals.Sessions, "brokers": doc.Totals.Brokers, "connections": doc.Totals.Connections}
	head := totalSessions
	if doc.Totals.Sessions == 0 {
		head = totalConnections
	}
	line := t.say(head, v)
	if outcomes := outcomesInWords(doc); outcomes != "" {
		line += t.say(colon, nil) + outcomes
	}
	line += strings.TrimSpace(t.say(fullStop, nil))
	packets := int64(0)
	var first, last time.Time
	for _, c := range doc.Captures {
		packets += c.Packets
		if f := time.Time(c.First); !f.IsZero() && (first.IsZero() || f.Before(first)) {
			first = f
		}
		if l := time.Time(c.Last); l.After(last) {
			last = l
		}
	}
	rest := values{"clients": doc.Totals.Clients, "packets": packets}
	if n := doc.Totals.ClientIDs; n > 0 {
		rest["ids"] = n
	}
	if last.After(first) {
		rest["span"] = duration(last.Sub(first), t.lang)
	}
	if nothingMatches(doc) {
		rest["n"] = doc.Totals.FilteredOut
		line = t.say(totalNoMatch, rest)
	} else {
		line += gap(t.lang) + t.say(totalRest, rest)
	}
	if clean {
		line += gap(t.lang) + t.say(totalClean, nil)
	}
	return line
}

// lossNotes are the notes that mean missing knowledge, in the order in which
// they are reported.
var lossNotes = []struct {
	note decode.Note
	text message
}{
	{decode.NoteMidStream, noteMidStream},
	{decode.NoteGap, noteGap},
	{decode.NoteCutPackets, noteCut},
	{decode.NoteOneSided, noteOneSided},
	{decode.NoteDesync, noteDesync},
	{decode.NoteUnread, noteUnread},
	{decode.NoteDuplicate, noteTwice},
}

// losses are sentences about what the captures do not show.
func (t *table) losses() []string {
	var out []string
	if f := filteredInWords(t.doc); f != "" && hasProblem(t.doc) { // else the answer says it
		out = append(out, f)
	}
	for _, c := range t.doc.Captures {
		name := shorten(c.Name)
		for i, p := range c.Problems {
			if i == 3 {
				out = append(out, t.say(more, values{"n": len(c.Problems) - i}))
				break
			}
			out = append(out, t.say(captureProblem, values{"name": name, "problem": captureProblemIn(strings.TrimSuffix(p, "."), t.lang)}))
		}
		if c.Cut > 0 {
			out = append(out, t.say(captureCut, values{"name": name, "n": c.Cut}))
		}
		if c.Evicted > 0 {
			out = append(out, t.say(lossEvicted, values{"name": name, "n": c.Evicted}))
		}
		if c.Dropped != nil && *c.Dropped > 0 {
			out = append(out, t.say(lossDropped, values{"name": name, "n": *c.Dropped}))
		}
		lost := map[string]int64{}
		for reason, n := range c.Undecoded {
			if !harmless[reason] {
				lost[reason] = n
			}
		}
		if list := reasonsInWords(lost, 1, t.lang); list != "" {
			out = append(out, t.say(captureUndecoded, values{"name": name, "list": list}))
		}
	}
	if n := t.doc.Totals.NotKept; n > 0 {
		out = append(out, t.say(lossNotKept, values{"n": n}))
	}
	if e := t.doc.Totals.Evicted; e != nil {
		v := values{"sessions": e.Sessions}
		for name, n := range map[string]int{"ids": e.ClientIDs, "findings": e.Findings} {
			if n > 0 {
				v[name] = n
			}
		}
		out = append(out, t.say(lossForgotten, v))
	}
	if n := t.doc.Totals.FindingsOmitted; n > 0 {
		out = append(out, t.say(lossOmitted, values{"n": n}))
	}
	for _, l := range lossNotes {
		if n := t.doc.Notes[l.note]; n > 0 {
			out = append(out, t.say(l.text, values{"n": n}))
		}
	}
	if n := t.doc.Totals.Encrypted; n > 0 && n < t.doc.Totals.Sessions {
		out = append(out, t.say(encryptedRest, values{"n": n}))
	}
	return out
}
