package report

import (
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// textWidth is the number of terminal columns of s.
func textWidth(s string) int { return displaywidth.String(s) }

// Punctuation that must not begin or must not end a line where there is no
// space to break at.
const (
	noLineStart = "，。、；：！？）》」』】”’…,.;:!?)]}%"
	noLineEnd   = "（《「『【“‘([{"
)

// wrap breaks text into lines of at most width columns: between words, and
// between wide characters, which need no space. A word wider than a line is
// broken where the line ends. It always returns at least one line.
func wrap(text string, width int) []string {
	width = max(width, 2) // a wide character needs two columns
	var lines []string
	var line strings.Builder
	column := 0
	flush := func() {
		lines = append(lines, strings.TrimRight(line.String(), " "))
		line.Reset()
		column = 0
	}
	for _, p := range pieces(text) {
		w := textWidth(p.text)
		if column > 0 && column+p.space+w > width {
			flush()
		}
		if column > 0 {
			line.WriteString(strings.Repeat(" ", p.space))
			column += p.space
		}
		if w <= width {
			line.WriteString(p.text)
			column += w
			continue
		}
		for _, r := range p.text {
			rw := displaywidth.Rune(r)
			if column+rw > width {
				flush()
			}
			line.WriteRune(r)
			column += rw
		}
	}
	if line.Len() > 0 || len(lines) == 0 {
		flush()
	}
	return lines
}

// piece is text without a place to break, and the spaces before it.
type piece struct {
	space int
	text  string
}

func pieces(text string) []piece {
	var out []piece
	begin, space := 0, 0 // of the last piece
	joined, wasWide := false, false
	var last rune
	for i, r := range text {
		if r == ' ' {
			if joined {
				out[len(out)-1].text = text[begin:i]
				space, joined = 0, false
			}
			space++
			continue
		}
		w := displaywidth.Rune(r)
		if joined && (w == 2 || wasWide) && w != 0 &&
			!strings.ContainsRune(noLineStart, r) && !strings.ContainsRune(noLineEnd, last) {
			out[len(out)-1].text = text[begin:i]
			space, joined = 0, false
		}
		if !joined {
			out = append(out, piece{space: space})
			begin, joined = i, true
		}
		wasWide, last = w == 2, r
	}
	if joined {
		out[len(out)-1].text = text[begin:]
	}
	return out
}
