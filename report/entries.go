package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/mqttriage/mqttriage/kb"
)

// EntryList is the entries as kb list gives them in JSON.
func EntryList(entries []*kb.Entry, lang kb.Lang) []EntrySummary {
	list := make([]EntrySummary, 0, len(entries))
	for _, e := range entries {
		list = append(list, EntrySummary{ID: e.ID, Title: e.Title.In(lang), Symptoms: e.Symptoms})
	}
	return list
}

// ListEntries writes the entries for a terminal: id, title and symptoms of each.
func ListEntries(w io.Writer, entries []*kb.Entry, lang kb.Lang, width int) error {
	p := newPage(lang, width)
	for _, e := range entries {
		p.text(0, 0, e.ID)
		p.text(indent, 0, e.Title.In(lang))
		p.text(indent, 0, p.say(headSymptoms, nil)+p.say(colon, nil)+strings.Join(e.Symptoms, ", "))
	}
	return p.write(w)
}

// ShowEntry writes the whole of an entry for a terminal.
func ShowEntry(w io.Writer, e *kb.Entry, lang kb.Lang, width int) error {
	p := newPage(lang, width)
	p.text(0, 0, e.ID)
	p.text(0, 0, e.Title.In(lang))
	p.blank()
	p.text(0, 0, e.Summary.In(lang))
	p.blank()
	p.whole(labelSymptoms, strings.Join(e.Symptoms, ", "))
	if e.When != nil {
		p.whole(labelApplies, strings.Join(strings.Fields(e.When.String()), " "))
	}
	if pub := e.Published; pub != nil {
		v := values{"source": pub.Source}
		v.has("date", pub.FirstSeen)
		if pub.Confidence != nil {
			v["confidence"] = percent(*pub.Confidence)
		}
		if pub.FixRate != nil {
			v["rate"] = percent(*pub.FixRate)
		}
		p.whole(labelPublished, p.say(publishedFigures, v))
	}
	for i, version := range e.Versions {
		text := version.Name
		if version.Note != nil {
			text += p.say(colon, nil) + version.Note.In(lang)
		}
		p.nth(labelVersions, i, text)
	}
	p.conditions(labelCauses, e)
	p.fixes(e)
	p.deadEnds(e)
	if e.CannotTell != nil {
		p.blank()
		p.whole(labelCannotTell, e.CannotTell.In(lang))
	}
	for i, l := range e.LookNext {
		p.nth(labelLook, i, inTermsOf(Hint{l.For, l.Text.In(lang)}))
	}
	for i, s := range e.Sources {
		p.nth(labelSources, i, s)
	}
	return p.write(w)
}

// whole is a row of any length.
func (p *page) whole(label message, text string) { p.row(p.say(label, nil), 0, text) }

// nth is a row of a list, of which only the first has the label.
func (p *page) nth(label message, i int, text string) {
	if i == 0 {
		p.whole(label, text)
		return
	}
	p.row("", 0, text)
}

func (p *page) conditions(label message, e *kb.Entry) {
	p.blank()
	for i, c := range e.Causes {
		p.nth(label, i, c.Text.In(p.lang))
		p.when(kb.Contradicted, c.Contradicted)
		p.when(kb.Supported, c.Supported)
	}
}

// when is a status and the condition under which it is given.
func (p *page) when(s kb.Status, c *kb.Condition) {
	if c != nil {
		p.row("", 0, fmt.Sprintf("  %s: %s", s, strings.Join(strings.Fields(c.String()), " ")))
	}
}

func (p *page) fixes(e *kb.Entry) {
	p.blank()
	for i, f := range e.Fixes {
		text := f.Text.In(p.lang)
		if f.SuccessRate != nil {
			text += " · " + p.say(tagRate, values{"rate": percent(*f.SuccessRate)})
		}
		p.nth(labelFixes, i, text)
		p.when(kb.InPlace, f.InPlace)
		p.when(kb.NotApplicable, f.NotApplicable)
		p.when(kb.Recommended, f.Recommended)
		for _, h := range f.How {
			p.row("", 0, "  "+inTermsOf(Hint{h.For, h.Text.In(p.lang)}))
		}
	}
}

func (p *page) deadEnds(e *kb.Entry) {
	if len(e.DeadEnds) > 0 {
		p.blank()
	}
	for i, d := range e.DeadEnds {
		text := d.Text.In(p.lang)
		if d.FailRate != nil {
			text += " · " + p.say(tagFails, values{"rate": percent(*d.FailRate)})
		}
		p.nth(labelDeadEnds, i, text)
		p.row("", 0, "  "+d.Why.In(p.lang))
		p.when(kb.Seen, d.Seen)
	}
}

// EntriesMarkdown writes entries as one Markdown document.
func EntriesMarkdown(w io.Writer, entries []*kb.Entry, lang kb.Lang) error {
	out := &markdown{printer: printer{w: w}, lang: lang}
	for i, e := range entries {
		if i > 0 {
			out.print("\n")
		}
		out.entry(e)
	}
	return out.err
}

// markdown writes the texts of entries, in which backquotes mark code.
type markdown struct {
	printer
	lang kb.Lang
}

func (m *markdown) heading(level int, text string) {
	m.print(strings.Repeat("#", level), " ", markdownText(text), "\n\n")
}

func (m *markdown) item(depth int, text string) {
	m.print(strings.Repeat("  ", depth), "- ", markdownText(text), "\n")
}

func (m *markdown) section(label message) { m.print("\n"); m.heading(3, say(m.lang, label, nil)) }

func (m *markdown) entry(e *kb.Entry) {
	say := func(l message, v values) string { return say(m.lang, l, v) }
	m.heading(2, e.Title.In(m.lang))
	m.print("`", e.ID, "`\n\n", markdownText(e.Summary.In(m.lang)), "\n\n")
	m.print(say(labelSymptoms, nil), say(colon, nil), "`", strings.Join(e.Symptoms, "`, `"), "`\n")
	m.section(labelCauses)
	for _, c := range e.Causes {
		m.item(0, c.Text.In(m.lang))
	}
	m.section(labelFixes)
	for _, f := range e.Fixes {
		text := f.Text.In(m.lang)
		if f.SuccessRate != nil {
			text += " · " + say(tagRate, values{"rate": percent(*f.SuccessRate)})
		}
		m.item(0, text)
		for _, h := range f.How {
			m.item(1, inTermsOf(Hint{h.For, h.Text.In(m.lang)}))
		}
	}
	if len(e.DeadEnds) > 0 {
		m.section(labelDeadEnds)
	}
	for _, d := range e.DeadEnds {
		text := trimStop(d.Text.In(m.lang))
		if d.FailRate != nil {
			text += " · " + say(tagFails, values{"rate": percent(*d.FailRate)})
		}
		m.item(0, text+say(fullStop, nil)+d.Why.In(m.lang))
	}
	if e.CannotTell != nil {
		m.section(labelCannotTell)
		m.print(markdownText(e.CannotTell.In(m.lang)), "\n")
	}
	if len(e.LookNext) > 0 {
		m.section(labelLook)
	}
	for _, l := range e.LookNext {
		m.item(0, inTermsOf(Hint{l.For, l.Text.In(m.lang)}))
	}
	m.section(labelSources)
	for _, s := range e.Sources {
		m.item(0, s)
	}
}

// markdownText makes one line of a text. Code in backquotes stays as it is; in the
// rest, what Markdown would read as HTML or emphasis is escaped.
func markdownText(s string) string {
	parts := strings.Split(Escape(strings.Join(strings.Fields(s), " ")), "`")
	code := "`"
	for i := range parts {
		// Where a backquote stands alone, nothing is code.
		if i%2 == 0 || len(parts)%2 == 0 {
			parts[i] = plainMarkdown.Replace(parts[i])
		}
	}
	if len(parts)%2 == 0 {
		code = "\\`"
	}
	return strings.Join(parts, code)
}

var plainMarkdown = strings.NewReplacer(`\`, `\\`, "<", "&lt;", "*", `\*`, "#", `\#`, "|", `\|`)
