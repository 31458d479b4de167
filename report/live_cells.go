package report

import (
	"slices"
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// cell is text of one style, row a line of them.
type cell struct {
	text  string
	style style
}

type row []cell

// spaced puts a space between cells.
func spaced(cells ...cell) row {
	for i := range cells[:max(len(cells)-1, 0)] {
		cells[i].text += " "
	}
	return cells
}

// render makes a line of a terminal of a row: what goes beyond the columns is cut.
func (r row) render(columns int, color bool) string {
	var b strings.Builder
	end := 0 // behind the last character that shows
	for _, c := range r {
		text := fit(c.text, columns)
		columns -= cells(text)
		shown := strings.TrimRight(text, " ")
		if color && c.style != "" && shown != "" {
			b.WriteString("\x1b[" + string(c.style) + "m" + shown + "\x1b[0m")
		} else {
			b.WriteString(shown)
		}
		if shown != "" {
			end = b.Len()
		}
		b.WriteString(text[len(shown):])
	}
	return b.String()[:end]
}

// cells is how many columns a text takes at most. Terminals disagree on sequences such as
// flags, which some draw as one character and some as several.
func cells(text string) int {
	if isPlain(text) {
		return len(text)
	}
	n := 0
	for g := displaywidth.StringGraphemes(text); g.Next(); {
		n += cluster(g.Value(), g.Width())
	}
	return n
}

// cluster is how many columns a sequence takes at most that may be drawn as one.
func cluster(text string, joined int) int {
	apart := 0
	for _, r := range text {
		apart += displaywidth.Rune(r)
	}
	return max(joined, apart)
}

// fit cuts the end off a text that takes more columns.
func fit(text string, columns int) string {
	if cells(text) <= columns {
		return text
	}
	if columns < 1 {
		return ""
	}
	head, _ := split(text, columns-1, 0)
	return head + "…"
}

// fitName takes the middle out of a name that takes more columns: addresses and generated
// names differ at either end.
func fitName(name string, columns int) string {
	if cells(name) <= columns {
		return name
	}
	if columns < 1 {
		return ""
	}
	head, tail := split(name, columns/2, (columns-1)/2)
	return head + "…" + tail
}

// split is the beginning and the end of a text that take so many columns at most. It is
// for texts that take more than both.
func split(text string, first, last int) (head, tail string) {
	type part struct{ from, to, cells int }
	var parts []part
	for g := displaywidth.StringGraphemes(text); g.Next(); {
		from := 0
		if len(parts) > 0 {
			from = parts[len(parts)-1].to
		}
		parts = append(parts, part{from, from + len(g.Value()), cluster(g.Value(), g.Width())})
	}
	for _, p := range parts {
		if first -= p.cells; first < 0 {
			break
		}
		head = text[:p.to]
	}
	for _, p := range slices.Backward(parts) {
		if last -= p.cells; last < 0 {
			break
		}
		tail = text[p.from:]
	}
	return head, tail
}

// aligned is a text with spaces to so many columns, before it where it is right.
func aligned(text string, columns int, right bool) string {
	spaces := strings.Repeat(" ", max(columns-cells(text), 0))
	if right {
		return spaces + text
	}
	return text + spaces
}
