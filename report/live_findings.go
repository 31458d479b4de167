package report

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Columns of the findings: those that have one width.
const (
	symptomColumns = 22 // the longest is 21
	countColumns   = 5
	lastColumns    = 7
	brokerColumns  = 21 // an IPv4 address and a port
)

// whoColumns are the most that names get: columns that are far apart are hard to read
// along.
const whoColumns = 36

// maxName is how many characters of an endpoint are looked at: an IPv6 address and a port
// have less.
const maxName = 64

// findingLayout is how many columns the parts of a finding get, 0 where there is no room.
type findingLayout struct {
	mark, severity, symptom, who, broker int
	// at is the broker of all findings, which then has no column.
	at string
}

func (s *screen) findingLayout() findingLayout {
	l := findingLayout{mark: 2, symptom: symptomColumns, at: s.Doc.Findings[0].Broker}
	for _, f := range s.Doc.Findings {
		if f.Broker != l.at {
			l.at = ""
		}
	}
	for _, known := range severities {
		l.severity = max(l.severity, cells(s.say(known.name, nil)))
	}
	if s.columns < 64 {
		l.mark, l.severity = 1, 1
		if wide := s.say(severityError, nil); wide[0] >= utf8.RuneSelf {
			l.severity = 2
		}
	}
	rest := s.columns - l.mark - l.severity - 1 - countColumns - 1 - lastColumns - 1
	l.symptom = max(min(rest, l.symptom), 0)
	rest -= l.symptom + 1
	switch {
	case l.at == "" && rest >= brokerColumns+1+8:
		l.broker = brokerColumns
		l.who = min(rest-l.broker-1, whoColumns)
	case l.at == "" && rest >= brokerColumns:
		l.broker = rest
	case rest >= 8:
		l.who = min(rest, whoColumns)
	}
	return l
}

// title is the heading over severity and symptom: how many findings, and where.
func (s *screen) title(room int, at string) string {
	v := values{"n": len(s.Doc.Findings), "broker": ""}
	if left := room - cells(s.say(liveFindingsAt, v)); at != "" && (left >= brokerColumns || cells(Escape(at)) <= left) {
		v["broker"] = fitName(Escape(cut(at, maxName)), left)
		return s.say(liveFindingsAt, v)
	}
	return fit(s.say(liveFindings, v), room)
}

// findings are so many lines of findings at most, below their heading.
func (s *screen) findings(room, extra int) []row {
	l := s.findingLayout()
	first := l.mark + l.severity + 1 + l.symptom
	heading := []cell{{aligned(s.title(first, l.at), first, false), bold}}
	for _, c := range []struct {
		head  message
		width int
		right bool
	}{{headClientID, l.who, false}, {headBroker, l.broker, false}, {liveCount, countColumns, true}, {liveLast, lastColumns, true}} {
		if c.width > 0 {
			heading = append(heading, cell{aligned(fit(s.say(c.head, nil), c.width), c.width, c.right), dim})
		}
	}
	lines := section(spaced(heading...), extra)
	numbers := s.shown(room)
	newest := s.newest()
	var steps map[int]string
	if extra == 2 {
		steps = s.steps(numbers, room)
	}
	for _, i := range numbers {
		lines = append(lines, s.finding(&s.Doc.Findings[i], l, i == newest))
		if step := steps[i]; step != "" {
			at := l.mark + l.severity + 1
			lines = append(lines, row{{strings.Repeat(" ", at) + "→ " + step, ""}})
		}
	}
	return lines
}

// steps are what to do first about findings, where all of them have room; the answer says
// the first one's.
func (s *screen) steps(numbers []int, room int) map[int]string {
	steps := map[int]string{}
	if len(numbers) < len(s.Doc.Findings) {
		return nil
	}
	for _, i := range numbers {
		step := sentence(nextStep(&s.Doc.Findings[i]), s.lang)
		if step != "" && !strings.Contains(s.Doc.Answer, step) {
			steps[i] = Escape(cut(step, maxText))
		}
	}
	if len(numbers)+len(steps) > room {
		return nil
	}
	return steps
}

func (s *screen) finding(f *Finding, l findingLayout, newest bool) row {
	word, look := Escape(shorten(f.Severity)), style("")
	if known, ok := severities[f.Severity]; ok {
		word, look = s.say(known.name, nil), known.style
	}
	if l.severity <= 2 {
		_, size := utf8.DecodeRuneInString(word)
		word = word[:size]
	}
	mark, name := "", style("")
	if s.isNew(time.Time(f.Last)) {
		mark = "»"
		if newest {
			name = bold
		}
	}
	last := ""
	if t := time.Time(f.Last); !t.IsZero() {
		last = wholeUnits(max(s.Now.Sub(t), 0), s.lang)
	}
	line := []cell{
		{aligned(fit(word, l.severity), l.severity, false), look},
		{aligned(fitName(Escape(shorten(f.Symptom)), l.symptom), l.symptom, false), name},
	}
	if l.who > 0 {
		line = append(line, cell{aligned(s.who(f, l.who), l.who, false), ""})
	}
	if l.broker > 0 {
		line = append(line, cell{aligned(fitName(Escape(cut(f.Broker, maxName)), l.broker), l.broker, false), ""})
	}
	line = append(line, cell{aligned(amount(float64(f.Sessions)), countColumns, true), ""}, cell{aligned(last, lastColumns, true), ""})
	return append(row{{aligned(mark, l.mark, false), bold}}, spaced(line...)...)
}

// who is the first client ID of a finding, else the first client, and how many more.
func (s *screen) who(f *Finding, room int) string {
	names, quote := named(f.ClientIDs), `"`
	if len(names) == 0 {
		names, quote = f.Clients, ""
	}
	if len(names) == 0 {
		return ""
	}
	rest := ""
	if len(names) > 1 {
		rest = " +" + strconv.Itoa(len(names)-1)
	}
	return quote + fitName(Escape(shorten(names[0])), room-cells(rest)-2*len(quote)) + quote + rest
}

// newest is the finding that changed last, -1 without one.
func (s *screen) newest() int {
	at, last := -1, time.Time{}
	for i, f := range s.Doc.Findings {
		if t := time.Time(f.Last); t.After(last) {
			at, last = i, t
		}
	}
	return at
}

// shown are the numbers of so many findings that are shown: the first, and in place of
// up to half of them those that changed just now.
func (s *screen) shown(most int) []int {
	n := min(most, len(s.Doc.Findings))
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	changed := func(i int) time.Time { return time.Time(s.Doc.Findings[i].Last) }
	var news []int
	for i := n; i < len(s.Doc.Findings); i++ {
		if s.isNew(changed(i)) {
			news = append(news, i)
		}
	}
	slices.SortStableFunc(news, func(x, y int) int { return changed(y).Compare(changed(x)) })
	for at := n - 1; at >= (n+1)/2 && len(news) > 0; at-- {
		if s.isNew(changed(at)) {
			continue
		}
		numbers[at], news = news[0], news[1:]
	}
	slices.Sort(numbers)
	return numbers
}

// newsFor is how long a change is news.
const newsFor = 10 * time.Second

func (s *screen) isNew(t time.Time) bool { return !t.IsZero() && s.Now.Sub(t) < newsFor }
