package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

// Journal turns what happens in a live capture into lines for a log: one for each new
// finding, one for each later session that shows it, and one for each notice. A line is
//
//	TIME SEVERITY WHAT WHERE SENTENCE
//
// WHAT is a symptom or an event and WHERE a broker, an interface or "-"; neither has a
// space in it. TIME is when the packets show it: UTC, RFC 3339 with milliseconds. A line
// has no control character, and no colour unless that was asked for.
//
// So that a storm does not flood the log each finding has a budget of lines, and all have
// one together. What they leave no room for is told later in one line with its count, and
// what there is no room to remember in one a symptom: the counts of all lines add up to the
// sessions.
type Journal struct {
	head    LiveHead
	hide    *Redactor
	words   *table
	notices notices
	// findings are those of which something was told, least recent news first.
	findings []*journalled
	// forgotten are, by symptom, those that were forgotten before all of them was told. There
	// are as many as symptoms at most.
	forgotten []*journalled
	all       budget
}

// journalled is what was told of a finding, and what was not.
type journalled struct {
	id                        string
	symptom, severity, broker string
	budget                    budget
	// opening is the line of a new finding that was not told yet, and opened how many
	// sessions that tells.
	opening string
	opened  int
	// left counts the sessions that were not told, since when, and last is the newest of
	// them that is known, nil without one.
	left  int
	since time.Time
	last  *told
	// total is how many show it, 0 where that is not known.
	total int
}

// told is what a line tells of a session.
type told struct {
	at   time.Time
	text string
}

// How often lines are written: of one finding, and of all. The first half minute tells each
// session of a few devices; what goes on all night takes a line a minute.
var (
	findingLimits = limits{pacing{5, time.Second}, pacing{30, time.Minute}}
	journalLimits = limits{pacing{60, time.Second}, pacing{600, 10 * time.Second}}
)

// maxJournalled bounds the findings that are remembered: more than are kept by default.
const maxJournalled = 1024

// NewJournal makes a Journal of a capture that begins.
func NewJournal(head LiveHead, color bool) *Journal {
	return &Journal{head: head, hide: head.hide(), words: &table{lang: head.Lang, color: color}}
}

// Lines are the lines for what has happened and for what was held back before. It is to be
// called a few times a second, also where nothing happened. A line has no line break at its
// end.
func (j *Journal) Lines(happened []Happening, now time.Time) []string {
	var lines []string
	for i := range happened {
		lines = j.happened(lines, &happened[i], now)
	}
	return j.held(lines, now, false)
}

// Notice is the line for a notice, if it is time for one. Drops and evictions are told
// as counts since the start, as often as one likes: at once the first time, then at most
// once a minute and once an hour, and only where there are more.
func (j *Journal) Notice(n Notice) []string {
	var lines []string
	for _, n := range j.notices.tell(j.hide.notice(n)) {
		lines = append(lines, j.notice(n))
	}
	return lines
}

// Rest are the lines for all that was held back, at the end of the capture.
func (j *Journal) Rest(now time.Time) []string { return j.held(nil, now, true) }

// happened takes news of a finding and adds the lines that may be told at once.
func (j *Journal) happened(lines []string, h *Happening, now time.Time) []string {
	f := j.finding(h.ID)
	f.symptom, f.severity, f.broker, f.total = h.Finding.Symptom, h.Finding.Severity, h.Finding.Broker, h.Finding.Sessions
	// News twice of a finding that was given up meanwhile is told as one.
	if h.New && f.opening == "" && f.left == 0 {
		at := time.Time(h.Finding.Last)
		if at.IsZero() {
			at = now
		}
		line := j.line(at, f, j.sentence(h))
		if j.take(f, now) {
			return append(lines, line)
		}
		f.opening, f.opened, f.since = line, h.fresh(), now
		return lines
	}
	fresh := h.fresh()
	for i := range h.Sessions.Len() {
		// What waits is told before, together with this.
		if f.left > 0 || f.opening != "" || !j.take(f, now) {
			break
		}
		r := h.Sessions.At(i)
		lines = append(lines, j.session(f, j.told(&r, now), f.total-fresh+1))
		fresh--
	}
	if fresh == 0 {
		return lines
	}
	if f.left == 0 {
		f.since = now
	}
	f.left += fresh
	if n := h.Sessions.Len(); fresh > h.More {
		r := h.Sessions.At(n - 1)
		last := j.told(&r, now)
		f.last = &last
	}
	return lines
}

// finding is what was told of a finding, which from now on is the latest.
func (j *Journal) finding(id string) *journalled {
	f := &journalled{id: id}
	if i := slices.IndexFunc(j.findings, func(f *journalled) bool { return f.id == id }); i >= 0 {
		f = j.findings[i]
		j.findings = slices.Delete(j.findings, i, i+1)
	}
	j.findings = append(j.findings, f)
	return f
}

// take takes a line out of the budgets.
func (j *Journal) take(f *journalled, now time.Time) bool {
	before := f.budget
	if !f.budget.take(findingLimits, now) {
		return false
	}
	if !j.all.take(journalLimits, now) {
		f.budget = before
		return false
	}
	return true
}

// held adds the lines for what was held back and may be told by now, what waits longest
// first; or all of it.
func (j *Journal) held(lines []string, now time.Time, all bool) []string {
	waiting := slices.Concat(j.forgotten, slices.DeleteFunc(slices.Clone(j.findings), (*journalled).idle))
	slices.SortStableFunc(waiting, func(x, y *journalled) int { return x.since.Compare(y.since) })
	for _, f := range waiting {
		if f.opening != "" && (all || j.take(f, now)) {
			lines, f.opening = append(lines, f.opening), ""
		}
		if f.left > 0 && f.opening == "" && (all || j.take(f, now)) {
			lines = append(lines, j.rest(f, now))
			f.left, f.last = 0, nil
		}
	}
	j.forget()
	for _, n := range j.notices.due(now, all) {
		lines = append(lines, j.notice(n))
	}
	return lines
}

// idle reports that all is told of it.
func (f *journalled) idle() bool { return f.left == 0 && f.opening == "" }

// forget lets go of the findings that there is no room to remember: first those of which all
// is told, then those with the least recent news. What is left of these waits together with
// others of the symptom, under the same budgets: more findings must not make more lines.
func (j *Journal) forget() {
	over := len(j.findings) - maxJournalled
	if over <= 0 {
		return
	}
	order := slices.Clone(j.findings)
	slices.SortStableFunc(order, func(x, y *journalled) int {
		switch {
		case x.idle() == y.idle():
			return 0
		case x.idle():
			return -1
		}
		return 1
	})
	gone := make(map[*journalled]bool, over)
	for _, f := range order[:over] {
		gone[f] = true
		j.together(f)
	}
	j.findings = slices.DeleteFunc(j.findings, func(f *journalled) bool { return gone[f] })
}

// together adds what is left of a finding to what is left of the others of its symptom that
// were forgotten.
func (j *Journal) together(f *journalled) {
	if f.idle() {
		return
	}
	i := slices.IndexFunc(j.forgotten, func(g *journalled) bool { return g.symptom == f.symptom })
	if i < 0 {
		i = len(j.forgotten)
		j.forgotten = append(j.forgotten, &journalled{symptom: f.symptom})
	}
	g := j.forgotten[i]
	if g.left == 0 {
		g.since, g.severity = f.since, f.severity
	}
	if f.since.Before(g.since) {
		g.since = f.since
	}
	if severityRank[f.severity] > severityRank[g.severity] {
		g.severity = f.severity
	}
	g.left += f.left
	if f.opening != "" {
		g.left += f.opened
	}
	if f.last != nil {
		g.last = f.last
	}
}

// sentence is what a line says of a new finding: the finding, and what to do first.
func (j *Journal) sentence(h *Happening) string {
	v := values{"summary": Escape(cut(h.Finding.Summary, maxText))}
	v.has("do", Escape(cut(nextStep(h.Finding), maxText)))
	return say(j.head.Lang, journalNew, v)
}

// session is the line of one session, the n-th of a finding.
func (j *Journal) session(f *journalled, s told, n int) string {
	return j.line(s.at, f, say(j.head.Lang, journalMore, values{"n": max(n, 1), "session": s.text}))
}

// rest is the line of the sessions that were held back.
func (j *Journal) rest(f *journalled, now time.Time) string {
	if f.left == 1 && f.last != nil && f.total > 0 {
		return j.session(f, *f.last, f.total)
	}
	v := values{"n": f.left}
	if f.total > 0 {
		// Of what was held back some may not show the finding any more.
		v["n"], v["total"] = min(f.left, f.total), f.total
	}
	if span := now.Sub(f.since); span >= time.Second {
		v["span"] = wholeUnits(span, j.head.Lang)
	}
	if f.last != nil {
		v["session"] = f.last.text
	}
	return j.line(now, f, say(j.head.Lang, journalRest, v))
}

// told is what a line says of a session. Its time is now where the record has none.
func (j *Journal) told(r *decode.Record, now time.Time) told {
	v := values{"where": Escape(shorten(r.Client)), "what": Escape(outcomeOf(r, j.words, true))}
	v.has("who", Escape(shorten(quotedID(r))))
	s := told{at: whenOf(r), text: say(j.head.Lang, journalSession, v)}
	if s.at.IsZero() {
		s.at = now
	}
	return s
}

func (j *Journal) line(at time.Time, f *journalled, sentence string) string {
	return j.columns(at, f.severity, f.symptom, f.broker, sentence)
}

func (j *Journal) notice(n toldNotice) string {
	text := n.text(j.head.Lang)
	if n.left > 0 {
		text += " " + say(j.head.Lang, more, values{"n": n.left})
	}
	return j.columns(n.At, n.severity(), string(n.Event), n.subject(), text)
}

// columns is a line. All of it is escaped here but the sentence, which has been.
func (j *Journal) columns(at time.Time, severity, what, where, sentence string) string {
	word := oneWord(severity)
	if known, ok := severities[severity]; ok {
		word = j.words.styled(known.style, j.words.say(known.name, nil))
	}
	return strings.Join([]string{at.UTC().Format("2006-01-02T15:04:05.000Z"), word, oneWord(what), oneWord(where), sentence}, " ")
}

// oneWord is a name without spaces, "-" for none.
func oneWord(name string) string {
	return cmp.Or(strings.ReplaceAll(Escape(shorten(name)), " ", "_"), "-")
}
