package report

import "io"

// compareMarkdown writes a comparison for a ticket on GitHub or GitLab,
// compareJira for one in Jira.
func compareMarkdown(w io.Writer, c *Comparison) error { return compareTicket(w, gfm{}, c) }
func compareJira(w io.Writer, c *Comparison) error     { return compareTicket(w, wiki{}, c) }

func compareTicket(w io.Writer, s syntax, c *Comparison) error {
	t := &ticket{printer: printer{w: w}, syntax: s, lang: c.Lang}
	text := func(s string) string { return t.plain(cut(s, maxText)) }
	t.print(t.syntax.answer(text(c.Answer)), "\n")
	t.print(t.tableHead([]string{text(t.say(diffTitle, nil)), text(t.say(diffBefore, nil)), text(t.say(diffAfter, nil))}))
	for _, row := range sideRows(c) {
		before, after := apart(row[1], row[2], maxShown)
		t.print(t.tableRow([]string{text(row[0]), text(before), text(after)}))
	}
	for i := range c.Findings[:min(len(c.Findings), maxSpelledOut)] {
		f := &c.Findings[i]
		t.print("\n", t.heading(text(f.Status.label(c.Lang)+t.say(colon, nil)+f.Title)), "\n")
		where := f.Symptom + t.say(listComma, nil) + t.say(labelBroker, values{"broker": brokerOf(f)})
		if ids := idsInWords(f.ClientIDs, c.Lang); ids != "" {
			where += t.say(listComma, nil) + ids
		}
		for _, line := range []string{where, figures(f, c.Lang), f.Conclusion} {
			t.print(t.bullet(text(line)))
		}
		if f.Fix != "" {
			t.print(t.bullet(t.labelled(labelDo, t.text(f.Fix))))
		}
		if f.Entry != "" {
			t.print(t.bullet(t.labelled(labelArticle, t.code("mqttriage explain "+f.Entry))))
		}
	}
	if rest := len(c.Findings) - maxSpelledOut; rest > 0 {
		t.paragraph(text(t.say(diffMoreFindings, values{"n": rest})))
	}
	for _, n := range c.Notes {
		t.paragraph(text(n))
	}
	return t.err
}
