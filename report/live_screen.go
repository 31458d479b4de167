package report

import (
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/kb"
)

// Watching is what is known of a live capture at a moment.
type Watching struct {
	// Doc is as Build makes it, redacted already where that was asked for.
	Doc          *Document
	Now, Started time.Time
	Interfaces   []WatchedInterface
	// PacketsPerSecond, BitsPerSecond and ConnectsPerSecond are of the last seconds.
	PacketsPerSecond, BitsPerSecond, ConnectsPerSecond float64
	// Open is how many connections are open.
	Open int
	// Recent are the last handshakes, newest first; see Recorded.
	Recent Records
	// Evicted counts what was given up to stay small, by the kinds of Evicted.
	Evicted map[string]uint64
	// Evidence is the name of the file that packets are kept in, "" without one.
	Evidence string
	// Notes are sentences about what hinders the capture, most urgent first; see
	// LiveHead.Say.
	Notes []string
}

// WatchedInterface is an interface that is captured.
type WatchedInterface struct {
	Name string
	// State is "up", "down" or "gone".
	State string
	// Packets are all that the kernel saw there, Dropped those of them that it dropped.
	Packets, Dropped uint64
}

// Screen is what a person sees while a capture runs: text of as many lines as there are
// rows, none wider than the columns and none with spaces at its end. There is nothing in
// it that moves the cursor, and where color is false no escape sequence at all. What came
// from the wire is escaped.
//
// What matters comes first: the answer, what stands in the way of the capture, the
// findings, the last handshakes; at the foot what was lost, and how much goes on.
func Screen(w Watching, columns, rows int, color bool) string {
	if columns < 1 || rows < 1 {
		return ""
	}
	s := &screen{Watching: w, words: &table{doc: w.Doc, lang: w.Doc.Lang}, lang: w.Doc.Lang, columns: columns, rows: rows}
	foot, notes := s.foot(), s.notes()
	lines := append([]row{s.head()}, s.answer(rows-1-len(notes)-len(foot))...)
	lines = append(lines, notes...)
	lines = append(lines, s.body(rows-len(lines)-len(foot))...)
	// On a screen of a few lines the answer is worth more than the foot.
	lines = lines[:min(len(lines), max(rows-len(foot), min(rows, 2)))]
	for len(lines)+len(foot) < rows {
		lines = append(lines, nil)
	}
	lines = append(lines, foot...)[:rows]
	text := make([]string, rows)
	for i, line := range lines {
		text[i] = line.render(columns, color)
	}
	return strings.Join(text, "\n")
}

// screen is a screen that is made.
type screen struct {
	Watching
	words         *table // finds words, as it does for the report
	lang          kb.Lang
	columns, rows int
}

func (s *screen) say(m message, v values) string { return say(s.lang, m, v) }

// byRows chooses a number by how many rows there are.
func (s *screen) byRows(tiny, small, usual, tall int) int {
	switch {
	case s.rows < 9:
		return tiny
	case s.rows < 20:
		return small
	case s.rows < 32:
		return usual
	}
	return tall
}

// head is what is captured, since when, and how to end it.
func (s *screen) head() row {
	right := s.Now.UTC().Format("15:04:05")
	if s.columns >= 64 {
		right += " UTC"
	}
	if since := s.Now.Sub(s.Started); since > 0 {
		right = wholeUnits(since, s.lang) + "  " + right
	}
	if hint := s.say(liveStop, nil); s.columns >= 72 {
		right = hint + "  " + right
	}
	title := "mqttriage live  "
	if s.columns < 56 {
		title = "mqttriage  "
	}
	room := s.columns - cells(title) - cells(right) - 2
	names, look := s.interfaces(room)
	if room < 4 {
		names = ""
	}
	gap := max(s.columns-cells(title)-cells(names)-cells(right), 1)
	return row{{title, bold}, {names, look}, {strings.Repeat(" ", gap), ""}, {right, dim}}
}

// wholeUnits is a duration in whole units of two digits where there are such: they do not
// flicker.
func wholeUnits(d time.Duration, lang kb.Lang) string {
	unit, n := seconds, d/time.Second
	switch {
	case d >= 100*time.Hour:
		unit, n = days, d/(24*time.Hour)
	case d >= 100*time.Minute:
		unit, n = hours, d/time.Hour
	case d >= 100*time.Second:
		unit, n = minutes, d/time.Minute
	}
	return say(lang, unit, values{"n": max(int64(n), 0)})
}

// interfaces lists the interfaces, those first that do not work.
func (s *screen) interfaces(room int) (string, style) {
	var down, up []string
	for _, i := range s.Interfaces {
		name := Escape(shorten(i.Name))
		switch i.State {
		case "down":
			down = append(down, s.say(liveDown, values{"name": name}))
		case "gone":
			down = append(down, s.say(liveGone, values{"name": name}))
		default:
			up = append(up, name)
		}
	}
	look := style("")
	if len(down) > 0 {
		look = yellow
	}
	all := append(down, up...)
	if len(all) == 0 {
		return "", look
	}
	return fit(s.words.list(all, len(all), max(room, 1)), max(room, 0)), look
}

// maxAnswer is how many lines of an answer are read at a glance.
const maxAnswer = 6

// answer is the answer, in as many of the lines as there are beside what is least to be
// said of findings and handshakes.
func (s *screen) answer(room int) []row {
	text, look := s.Doc.Answer, style("")
	if hasProblem(s.Doc) {
		look = bold
	} else if waiting := s.waiting(); waiting != "" {
		text = waiting
	}
	extra := s.extra()
	room -= min(len(s.Doc.Findings), 3) + extra + min(s.Recent.Len(), 2) + extra
	most := max(min(room, maxAnswer), s.byRows(1, 2, 3, 4))
	var lines []row
	for _, line := range limited(wrap(Escape(cut(text, maxText)), s.columns), most, s.columns) {
		lines = append(lines, row{{line, look}})
	}
	return lines
}

// patience is how long no packet is no news.
const patience = 10 * time.Second

// waiting says that nothing has come yet, "" where something has.
func (s *screen) waiting() string {
	names := make([]string, 0, len(s.Interfaces))
	for _, c := range s.Doc.Captures {
		if c.Packets > 0 {
			return ""
		}
	}
	for _, i := range s.Interfaces {
		names = append(names, i.Name)
	}
	v := values{}
	v.has("names", inWords(escaped(names), 3, s.lang))
	if since := s.Now.Sub(s.Started); since >= patience {
		v["span"] = wholeUnits(since, s.lang)
		return s.say(liveSilent, v)
	}
	return s.say(liveWaiting, v)
}

// notes are what stands in the way.
func (s *screen) notes() []row {
	most := s.byRows(1, 1, 2, 4)
	var lines []row
	for i, note := range s.Notes {
		rest := ""
		if i == most-1 && len(s.Notes) > most {
			rest = " " + s.say(more, values{"n": len(s.Notes) - most})
		}
		text := fit("! "+Escape(cut(note, maxText)), s.columns-cells(rest))
		lines = append(lines, row{{text + rest, yellow}})
		if i == most-1 {
			break
		}
	}
	return lines
}

// body is the findings and the last handshakes, in so many lines at most.
func (s *screen) body(room int) []row {
	extra := s.extra()
	shake := min(s.Recent.Len(), max(room/4, 2))
	if shake > 0 {
		shake += extra
	}
	var lines []row
	if n := len(s.Doc.Findings); n > 0 && room > extra {
		lines = s.findings(max(room-extra-shake, 1), extra)
	}
	if room -= len(lines) + extra; room > 0 && s.Recent.Len() > 0 {
		lines = append(lines, s.handshakes(room, extra)...)
	}
	return lines
}

// extra is how many lines a section has beside its own: an empty one and the heading.
func (s *screen) extra() int {
	switch {
	case s.rows < 14:
		return 0
	case s.rows < 20:
		return 1
	}
	return 2
}

// section is a heading, with an empty line before it where there is room for one.
func section(heading row, extra int) []row {
	switch extra {
	case 0:
		return nil
	case 1:
		return []row{heading}
	}
	return []row{nil, heading}
}
