package report

import (
	"io"
	"strings"

	"github.com/mqttriage/mqttriage/kb"
)

// PageLines is how many lines a page has at most: one screen of a terminal with
// 24 lines and its prompt.
const PageLines = 23

// page is a screen of labelled text, made line by line and cut to its length.
type page struct {
	lang  kb.Lang
	width int
	lines []string
}

func newPage(lang kb.Lang, width int) *page {
	if width == 0 {
		width = 80
	}
	return &page{lang: lang, width: min(max(width, MinWidth), maxProse)}
}

func (p *page) say(m message, v values) string { return say(p.lang, m, v) }

// text adds wrapped text from a column on, at most so many lines of it; 0 is no
// limit.
func (p *page) text(column, most int, text string) {
	width := p.width - column
	for _, line := range limited(wrap(Escape(cut(text, maxText)), width), most, width) {
		p.lines = append(p.lines, strings.Repeat(" ", column)+line)
	}
}

// row adds text beside a label.
func (p *page) row(label string, most int, text string) {
	const column = 14
	from := len(p.lines)
	p.text(column, most, text)
	if label = Escape(shorten(label)); label != "" {
		first := strings.TrimSpace(p.lines[from])
		pad := max(column-textWidth(label), 1)
		if textWidth(label)+pad+textWidth(first) > p.width { // a label as wide as that has its own line
			p.lines = append(p.lines[:from], append([]string{label}, p.lines[from:]...)...)
			return
		}
		p.lines[from] = label + strings.Repeat(" ", pad) + first
	}
}

// items adds as many rows as leave room for reserved lines below them, and counts
// the rest.
func (p *page) items(label string, n, reserved int, row func(i int) string) {
	for i := range n {
		mark := len(p.lines)
		name := ""
		if i == 0 {
			name = label
		}
		p.row(name, 2, row(i))
		last := i == n-1
		room := PageLines - reserved
		if !last {
			room-- // for the count of the rest
		}
		if len(p.lines) > room {
			p.lines = p.lines[:mark]
			if i == 0 {
				p.row(label, 1, p.say(more, values{"n": n}))
			} else {
				p.row("", 1, p.say(more, values{"n": n - i}))
			}
			return
		}
	}
}

func (p *page) blank() { p.lines = append(p.lines, "") }

// write writes the page.
func (p *page) write(w io.Writer) error {
	out := printer{w: w}
	for _, line := range p.lines {
		out.print(line, "\n")
	}
	return out.err
}
