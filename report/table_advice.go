package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mqttriage/mqttriage/kb"
)

// How much of an entry is spelled out: a finding is to fit on a screen. JSON
// has it whole.
const (
	maxCauses = 3
	maxFixes  = 3
	maxUses   = 2
)

// advice writes the most specific entry, and of the others what the facts
// support and the packets show.
func (t *table) advice(n int, f *Finding) {
	if len(f.Advice) == 0 {
		return
	}
	t.print("\n")
	top, others := &f.Advice[0], f.Advice[1:]
	t.published(f.Advice)
	if first, ok := t.said[adviceKey(top)]; ok {
		t.row(entry{label: labelAdvice, style: bold, text: t.say(asIn, values{"n": first})})
	} else {
		t.said[adviceKey(top)] = n
		t.causes(top, others)
		t.fixes(n, top, others)
		t.deadEnds(top, others)
		t.unseen(top)
		t.look(top)
	}
	tag := ""
	if top.Confidence != nil {
		tag = t.say(tagConfidence, values{"rate": percent(*top.Confidence)})
	}
	ids := make([]string, 0, len(f.Advice))
	for _, a := range f.Advice {
		ids = append(ids, Escape(a.Entry))
	}
	t.row(entry{label: labelArticle, style: dim, text: t.list(ids, len(ids), 2*(t.prose-indent-labelWidth)), tag: tag})
}

// adviceKey tells two applications of an entry apart by what is said in them.
func adviceKey(a *Advice) string {
	var b strings.Builder
	b.WriteString(a.Entry)
	for _, c := range a.Causes {
		fmt.Fprintf(&b, "\x00%s %s %s", c.ID, c.Status, c.Because)
	}
	for _, f := range a.Fixes {
		fmt.Fprintf(&b, "\x00%s %s %s", f.ID, f.Status, f.Because)
	}
	for _, d := range a.DeadEnds {
		fmt.Fprintf(&b, "\x00%s %s %s", d.ID, d.Status, d.Because)
	}
	return b.String()
}

func supported(a *Advice) []*Cause {
	return withStatus(a.Causes, func(c *Cause) kb.Status { return c.Status }, kb.Supported)
}

// withStatus are the elements of one status, in their order.
func withStatus[T any](all []T, status func(*T) kb.Status, want ...kb.Status) []*T {
	var out []*T
	for i := range all {
		if slices.Contains(want, status(&all[i])) {
			out = append(out, &all[i])
		}
	}
	return out
}

// sureCauses are the supported causes of the top entry, or those that another one
// supports where the top entry can say nothing for sure.
func sureCauses(a *Advice, others []Advice) []*Cause {
	sure := supported(a)
	for i := range others {
		if len(sure) == 0 {
			sure = supported(&others[i])
		}
	}
	return sure
}

func (t *table) causes(a *Advice, others []Advice) {
	status := func(c *Cause) kb.Status { return c.Status }
	sure := sureCauses(a, others)
	for i, c := range sure {
		e := entry{label: labelCause, style: green, text: c.Text, tag: t.say(tagSupported, nil), unlabelled: i > 0}
		if i > 0 {
			e.lines = 1
		}
		t.row(e)
		if i == 0 {
			t.row(t.because(*c))
		}
	}
	possible := withStatus(a.Causes, status, kb.Possible)
	if len(sure) > 0 {
		// What the packets leave open, so that nothing seems proven that is not.
		t.row(entry{label: labelOrCause, lines: 3, text: joinTexts(possible, func(c *Cause) string { return c.Text }, t.say(semicolon, nil))})
	} else {
		for i, c := range possible[:min(len(possible), maxCauses)] {
			t.row(entry{label: labelCause, style: bold, text: t.counted(c.Text, i, maxCauses, len(possible)), tag: t.say(tagPossible, nil), unlabelled: i > 0})
		}
	}
	contradicted := withStatus(a.Causes, status, kb.Contradicted)
	t.row(entry{label: labelNotCause, style: dim, lines: 1, text: joinTexts(contradicted, func(c *Cause) string { return c.Text }, t.say(semicolon, nil))})
}

// because is the row for what supports a cause.
func (t *table) because(c Cause) entry {
	v := values{}
	v.has("because", trimStop(c.Because))
	if len(c.Packets) > 0 {
		v["n"], v["list"] = len(c.Packets), t.packets(c.Packets, 24)
	}
	if c.Because == "" {
		return entry{}
	}
	return entry{text: t.say(supportedBy, v), unlabelled: true}
}

// counted says after the last text that is shown how many are not.
func (t *table) counted(text string, i, shown, all int) string {
	if i == shown-1 && all > shown {
		return text + " " + t.say(more, values{"n": all - shown})
	}
	return text
}

// joinTexts makes one text of several.
func joinTexts[T any](items []*T, text func(*T) string, separator string) string {
	texts := make([]string, 0, len(items))
	for _, item := range items {
		texts = append(texts, trimStop(text(item)))
	}
	return strings.Join(texts, separator)
}

// trimStop takes the full stop off a text that is to go on.
func trimStop(s string) string { return strings.TrimRight(s, ".。 ") }

// published gathers the success rates that any entry has for a fix, by its id:
// an article with figures stands beside the entry that says what to do.
func (t *table) published(all []Advice) {
	t.rates = map[string]*float64{}
	for i := range all {
		for j := range all[i].Fixes {
			if f := &all[i].Fixes[j]; f.Rate != nil {
				t.rates[f.ID] = f.Rate
			}
		}
	}
}

func (t *table) fixes(n int, a *Advice, others []Advice) {
	status := func(f *Fix) kb.Status { return f.Status }
	recommended := withStatus(a.Fixes, status, kb.Recommended)
	t.doFixes(n, labelDo, recommended)
	possible := withStatus(a.Fixes, status, kb.Possible)
	if len(recommended) == 0 {
		t.doFixes(n, labelCould, possible)
	} else {
		t.row(entry{label: labelCould, style: dim, lines: 1, text: joinTexts(possible, func(f *Fix) string { return f.Text }, t.say(semicolon, nil))})
	}
	useless, shown := uselessFixes(a, others)
	t.useless = map[string]bool{}
	for i, f := range useless[:shown] {
		t.useless[f.ID] = true
		text := sentence(f.Text, t.lang) + gap(t.lang) + t.whyNoUse(f)
		t.row(entry{label: labelNoUse, style: dim, text: t.counted(text, i, shown, len(useless)), lines: 3, tag: t.successTag(f), unlabelled: i > 0})
	}
}

// uselessFixes are the fixes that would change nothing, and how many of them are
// worth showing. What is in place already is what people would try next; of what
// is beside the point one is enough.
func uselessFixes(a *Advice, others []Advice) (useless []*Fix, shown int) {
	status := func(f *Fix) kb.Status { return f.Status }
	useless = withStatus(a.Fixes, status, kb.InPlace)
	for i := range others {
		for _, f := range withStatus(others[i].Fixes, status, kb.InPlace) {
			// Beside the top entry only what that speaks of as well.
			spoken := slices.ContainsFunc(a.DeadEnds, func(d End) bool { return d.ID == f.ID })
			if f.Rate != nil && spoken && !slices.ContainsFunc(useless, func(have *Fix) bool { return have.ID == f.ID }) {
				useless = append(useless, f)
			}
		}
	}
	shown = max(min(len(useless), maxUses), 1)
	useless = append(useless, withStatus(a.Fixes, status, kb.NotApplicable)...)
	return useless, min(shown, len(useless))
}

// whyNoUse says why a fix would change nothing.
func (t *table) whyNoUse(f *Fix) string {
	m := inPlace
	if f.Status == kb.NotApplicable {
		m = notApplicable
	}
	v := values{}
	v.has("because", trimStop(f.Because))
	return t.say(m, v)
}

// doFixes writes fixes, and how to do the first; one that was spelled out under
// an earlier finding is only named.
func (t *table) doFixes(n int, label message, fixes []*Fix) {
	for i, f := range fixes[:min(len(fixes), maxFixes)] {
		e := entry{label: label, style: green, text: t.counted(f.Text, i, maxFixes, len(fixes)), tag: t.successTag(f), unlabelled: i > 0}
		first, ok := t.said[f.Text]
		if ok && first != n {
			e.tag, e.lines = t.say(asIn, values{"n": first}), 1
		}
		t.said[f.Text] = n
		t.row(e)
		if i < maxUses && !ok && len(f.How) > 0 {
			t.row(entry{text: t.counted(inTermsOf(f.How[0]), 0, 1, len(f.How)), unlabelled: true})
		}
	}
}

func (t *table) successTag(f *Fix) string {
	rate := cmp.Or(f.Rate, t.rates[f.ID])
	if rate == nil {
		return ""
	}
	return t.say(tagRate, values{"rate": percent(*rate)})
}

// triedEnds are the dead ends that the packets show being tried, by any entry,
// without those that were named as in place and of no use.
func triedEnds(a *Advice, others []Advice, named map[string]bool) []*End {
	status := func(d *End) kb.Status { return d.Status }
	tried := withStatus(a.DeadEnds, status, kb.Seen)
	for i := range others {
		for _, d := range withStatus(others[i].DeadEnds, status, kb.Seen) {
			if !slices.ContainsFunc(tried, func(have *End) bool { return have.Text == d.Text }) {
				tried = append(tried, d)
			}
		}
	}
	return slices.DeleteFunc(tried, func(d *End) bool { return named[d.ID] })
}

// deadEnds writes what not to do: first what was tried.
func (t *table) deadEnds(a *Advice, others []Advice) {
	status := func(d *End) kb.Status { return d.Status }
	for i, d := range triedEnds(a, others, t.useless) {
		t.deadEnd(d, i == 0)
	}
	untried := withStatus(a.DeadEnds, status, kb.NotSeen, kb.NotVisible)
	t.row(entry{label: labelAlsoDead, style: red, lines: 2, text: joinTexts(untried, func(d *End) string {
		if d.Rate == nil {
			return d.Text
		}
		return t.say(failsShort, values{"text": trimStop(d.Text), "rate": percent(*d.Rate)})
	}, t.say(semicolon, nil))})
}

// deadEnd writes one that was tried, and why it does not help.
func (t *table) deadEnd(d *End, why bool) {
	tag := ""
	if d.Rate != nil {
		tag = t.say(tagFails, values{"rate": percent(*d.Rate)})
	}
	t.row(entry{label: labelDeadEnd, style: red, text: d.Text, tag: tag})
	t.row(entry{text: t.whereTried(d), unlabelled: true})
	if why {
		t.row(entry{text: d.Why, unlabelled: true, lines: 2})
	}
}

// whereTried says where the packets show a dead end being tried.
func (t *table) whereTried(d *End) string {
	v := values{}
	v.has("because", trimStop(d.Because))
	if len(d.Packets) > 0 {
		v["n"], v["list"] = len(d.Packets), t.packets(d.Packets, 24)
	}
	return t.say(seen, v)
}

// unseen writes what no packet shows: in full where no cause is supported.
func (t *table) unseen(a *Advice) {
	e := entry{label: labelCannotTell, style: dim, text: a.CannotTell}
	if len(supported(a)) > 0 {
		e.lines = 2
	}
	t.row(e)
}

func (t *table) look(a *Advice) {
	if len(a.LookNext) > 0 {
		t.row(entry{label: labelLook, style: dim, text: t.counted(inTermsOf(a.LookNext[0]), 0, 1, len(a.LookNext))})
	}
}

// inTermsOf is advice with the product that it is for.
func inTermsOf(h Hint) string {
	if h.For == "" {
		return h.Text
	}
	return h.For + ": " + h.Text
}
