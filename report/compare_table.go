package report

import (
	"io"
	"strings"
)

// compareTable writes a comparison for a terminal.
func compareTable(w io.Writer, c *Comparison, opts TableOptions) error {
	width := opts.Width
	if width == 0 {
		width = 80
	}
	width = min(max(width, MinWidth), MaxWidth)
	t := &table{printer: printer{w: w}, lang: c.Lang, width: width, prose: min(width, maxProse), color: opts.Color}
	t.paragraph(0, c.Answer)
	t.print("\n")
	t.sides(c)
	for i := range c.Findings[:min(len(c.Findings), maxSpelledOut)] {
		t.print("\n")
		t.compared(&c.Findings[i])
	}
	if rest := len(c.Findings) - maxSpelledOut; rest > 0 {
		t.print("\n")
		t.paragraph(0, t.say(diffMoreFindings, values{"n": rest}))
	}
	if len(c.Notes) > 0 {
		t.print("\n")
	}
	for _, n := range c.Notes {
		t.paragraph(0, n)
	}
	return t.err
}

// sides writes what is known of the two reports, side by side.
func (t *table) sides(c *Comparison) {
	rows := append([][3]string{{"", t.say(diffBefore, nil), t.say(diffAfter, nil)}}, sideRows(c)...)
	const label = 12
	half := (t.prose - label - 2) / 2
	for i, row := range rows {
		before, after := apart(row[1], row[2], half-4)
		left, right := wrap(Escape(before), half), wrap(Escape(after), half)
		for n := range max(len(left), len(right)) {
			line := ""
			if n == 0 {
				line = row[0]
			}
			line = padded(line, label)
			if n < len(left) {
				line += left[n]
			}
			if n < len(right) {
				line = padded(line, label+half+2) + right[n]
			}
			line = strings.TrimRight(line, " ")
			if i == 0 {
				line = t.styled(bold, line)
			}
			t.print(line, "\n")
		}
	}
}

func padded(s string, width int) string {
	return s + strings.Repeat(" ", max(width-textWidth(s), 0))
}

// compared writes one finding.
func (t *table) compared(f *Compared) {
	status := f.Status.label(t.lang)
	used := textWidth(status) + 2
	symptom := wrap(Escape(f.Symptom), t.width-used)[0]
	t.print(t.styled(statusStyle(f), status), "  ", t.styled(bold, symptom))
	used += textWidth(symptom)
	broker := t.say(labelBroker, values{"broker": Escape(brokerOf(f))})
	if at := max(used+2, 38); at+textWidth(broker) <= t.width {
		t.print(strings.Repeat(" ", at-used), broker, "\n")
	} else {
		t.print("\n")
		t.paragraph(indent, broker)
	}
	title := f.Title
	if ids := idsInWords(f.ClientIDs, t.lang); ids != "" {
		title += t.say(colon, nil) + ids
	}
	t.paragraph(indent, title)
	t.paragraph(indent, figures(f, t.lang))
	t.paragraph(indent, f.Conclusion)
	t.row(entry{label: labelDo, style: green, text: f.Fix})
	t.fact(labelArticle, f.Entry)
}

func statusStyle(f *Compared) style {
	switch {
	case f.Status == Gone:
		return green
	case f.Severity == "info":
		return cyan
	case f.Status == Unproven || f.Severity != "error":
		return yellow
	}
	return red
}
