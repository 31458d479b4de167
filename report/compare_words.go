package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/kb"
)

var statusMessages = map[Status]message{
	More: diffMore, Still: diffStill, Less: diffLess, New: diffNew, Unproven: diffUnproven, Gone: diffGone,
}

// conclusion is the status with its reason.
func (j *judge) conclusion(c *Compared) string {
	v := values{"k": c.Before.Sessions, "n": c.After.Sessions}
	scope := func(doc *Document) {
		v["attempts"] = attempts(doc, c.Symptom)
		v["span"] = duration(observed(doc), j.lang)
	}
	if c.Chance != nil {
		v["chance"] = chanceInWords(*c.Chance, j.lang)
	}
	m := diffSaysStill
	switch {
	case c.Status == Gone && c.Basis == "accepted":
		m = diffSaysAccepted
	case c.Status == Gone:
		scope(j.after)
		m = diffSaysGone
	case c.Status == Unproven && c.Basis == "absent":
		m = diffSaysAbsent
	case c.Status == Unproven && c.Basis == "hidden":
		m = diffSaysHidden
	case c.Status == Unproven && c.Basis == "order":
		m = diffSaysOrder
	case c.Status == Unproven:
		scope(j.after)
		v["needspan"] = duration(c.Needed.observed(), j.lang)
		v["need"] = c.Needed.Attempts
		m = c.lacks.message(diffSaysUnproven, diffSaysShort, diffSaysFew)
	case c.Status == New && c.Basis == "hidden":
		m = diffSaysNewHidden
	case c.Status == New:
		scope(j.before)
		m = c.lacks.message(diffSaysNewUnproven, diffSaysNewShort, diffSaysNewFew)
		if *c.Chance <= maxChance {
			m = diffSaysNew
		}
	case c.Status == More:
		m = diffSaysMore
	case c.Status == Less:
		m = diffSaysLess
	}
	return say(j.lang, m, v)
}

// message chooses what names only that which is lacking.
func (l lack) message(both, short, few message) message {
	switch {
	case !l.attempts:
		return short
	case !l.time:
		return few
	}
	return both
}

func (n *Needed) observed() time.Duration {
	return time.Duration(min(n.ObservedMS, float64(maxObserved.Milliseconds())) * float64(time.Millisecond))
}

// chanceInWords is a probability in per cent.
func chanceInWords(p float64, lang kb.Lang) string {
	switch {
	case p < 0.001:
		return "< 0.1 %"
	case p < 0.1:
		return strconv.FormatFloat(p*100, 'f', 1, 64) + " %"
	}
	return strconv.FormatFloat(p*100, 'f', 0, 64) + " %"
}

// compareNotes are what limits the whole comparison.
func compareNotes(before, after *Document, lang kb.Lang) []string {
	var notes []string
	begins, ends := edges(after)
	first, last := edges(before)
	if !begins.IsZero() && !first.IsZero() && !begins.After(last) && !ends.Before(first) && !reversed(before, after) {
		notes = append(notes, say(lang, diffNoteOverlap, nil))
	}
	if !slices.Equal(before.Filters, after.Filters) {
		notes = append(notes, say(lang, diffNoteFilters, nil))
	}
	if n := after.Totals.Encrypted; n > 0 && n == after.Totals.Unknown && attempts(after, "") == 0 {
		notes = append(notes, say(lang, diffNoteEncrypted, nil))
	}
	return notes
}

// reversed reports that the later document's captures ended before the earlier's
// began, as when the two files are exchanged. Files that a capture program fills
// in turn may share an instant.
func reversed(before, after *Document) bool {
	begins, ends := edges(after)
	first, _ := edges(before)
	return !begins.IsZero() && begins.Before(first) && !ends.After(first)
}

// edges are when the captures of a document begin and end.
func edges(doc *Document) (first, last time.Time) {
	for _, c := range doc.Captures {
		if f := time.Time(c.First); !f.IsZero() && (first.IsZero() || f.Before(first)) {
			first = f
		}
		if l := time.Time(c.Last); l.After(last) {
			last = l
		}
	}
	return first, last
}

// answers are the parts of the first sentence, by what they say, in their order.
var answers = []struct {
	head     message
	statuses []Status
}{
	{diffAnswerThere, []Status{More, Still, Less}},
	{diffAnswerNew, []Status{New}},
	{diffAnswerUnproven, []Status{Unproven}},
	{diffAnswerGone, []Status{Gone}},
}

// maxAnswered is how many findings the first sentence names of each kind.
const maxAnswered = 3

// compareAnswer is the first line. Remarks (severity info) are not what anybody
// compares captures for; they are counted.
func compareAnswer(c *Comparison) string {
	var parts []string
	if c.Reversed {
		parts = append(parts, say(c.Lang, diffAnswerOrder, nil))
	}
	found, remarks := false, 0
	for _, f := range c.Findings {
		if f.Severity == "info" {
			remarks++
		}
	}
	for _, a := range answers {
		list := subjects(c, a.statuses)
		if len(list) == 0 {
			continue
		}
		v := values{"list": strings.Join(list[:min(len(list), maxAnswered)], say(c.Lang, semicolon, nil))}
		if n := len(list) - maxAnswered; n > 0 {
			v["n"] = n
		}
		head := a.head
		switch {
		case head == diffAnswerUnproven && c.Reversed:
			head = diffAnswerNotIn
		case head == diffAnswerUnproven && found:
			head = diffAnswerUnseen
		}
		found = true
		parts = append(parts, say(c.Lang, head, v))
	}
	if !found {
		parts = append(parts, say(c.Lang, diffAnswerNothing, nil))
	}
	if remarks > 0 {
		parts = append(parts, say(c.Lang, answerRemark, values{"n": remarks}))
	}
	return strings.Join(parts, gap(c.Lang))
}

// subjects names the findings of some statuses: what, and who has it or where it
// is. Several with one title are one item.
func subjects(c *Comparison, statuses []Status) []string {
	var first []*Compared
	count := map[string]int{}
	for i := range c.Findings {
		f := &c.Findings[i]
		if f.Severity == "info" || !slices.Contains(statuses, f.Status) {
			continue
		}
		if count[f.Title]++; count[f.Title] == 1 {
			first = append(first, f)
		}
	}
	list := make([]string, 0, len(first))
	for _, f := range first {
		v := values{"title": f.Title, "who": cmp.Or(idsInWords(f.ClientIDs, c.Lang), brokerOf(f))}
		if n := count[f.Title]; n > 1 {
			v["n"] = n
		}
		list = append(list, say(c.Lang, diffSubject, v))
	}
	return list
}

// idsInWords quotes the first client IDs and counts the rest.
func idsInWords(ids []string, lang kb.Lang) string {
	ids = named(ids)
	quoted := make([]string, len(ids))
	for i := range min(len(ids), 3) { // more are only counted
		quoted[i] = `"` + shorten(ids[i]) + `"`
	}
	return inWords(quoted, 2, lang)
}

// figures is a finding's numbers in both reports, in a line.
func figures(c *Compared, lang kb.Lang) string {
	v := values{"sessions": arrow(strconv.Itoa(c.Before.Sessions), strconv.Itoa(c.After.Sessions))}
	if b, a := c.Before.PerHour, c.After.PerHour; b != nil || a != nil {
		v["rate"] = arrow(rate(b), rate(a))
	}
	if b, a := c.Before.Share, c.After.Share; b != nil || a != nil {
		v["share"] = arrow(portion(b), portion(a))
	}
	return say(lang, diffFigures, v)
}

func arrow(before, after string) string { return before + " → " + after }

// rate is a number an hour, "?" where it is unknown.
func rate(perHour *float64) string {
	switch {
	case perHour == nil:
		return "?"
	case *perHour == 0 || *perHour >= 9.95:
		return strconv.FormatFloat(*perHour, 'f', 0, 64)
	}
	return strconv.FormatFloat(*perHour, 'g', 2, 64)
}

// portion is a share in per cent, "?" where it is unknown.
func portion(share *float64) string {
	switch {
	case share == nil:
		return "?"
	case *share == 0 || *share >= 0.0995:
		return percent(*share) + " %"
	}
	return strconv.FormatFloat(*share*100, 'g', 2, 64) + " %"
}

// sideRows are what is known of the two sides: a label and two values.
func sideRows(c *Comparison) [][3]string {
	row := func(label message, value func(*Side) string) [3]string {
		return [3]string{say(c.Lang, label, nil), value(&c.Before), value(&c.After)}
	}
	return [][3]string{
		row(diffFile, func(s *Side) string { return s.Name }),
		row(diffObserved, func(s *Side) string { return duration(s.observed(), c.Lang) }),
		row(diffAttempts, func(s *Side) string { return strconv.Itoa(s.Attempts) }),
		row(diffAccepted, func(s *Side) string {
			if s.AcceptedRate == nil {
				return "0"
			}
			return strconv.Itoa(s.Accepted) + " (" + portion(s.AcceptedRate) + ")"
		}),
	}
}

// brokerOf is where a finding was, and where it is now if that differs.
func brokerOf(c *Compared) string {
	if c.BrokerAfter != "" {
		return arrow(shorten(c.Broker), shorten(c.BrokerAfter))
	}
	return shorten(c.Broker)
}

// label is a status in words.
func (s Status) label(lang kb.Lang) string { return say(lang, statusMessages[s], nil) }
