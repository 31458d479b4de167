package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape makes a string from the wire safe on a terminal: every control byte,
// escape sequence, invalid byte, bidirectional mark, invisible character and
// line break becomes visible as \x1b, \u202e or \U000e0041. Printable text,
// Chinese included, is unchanged, and so is a backslash: where it matters which
// bytes were sent, JSON tells.
func Escape(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !hidden(r):
			b.WriteString(s[i : i+size])
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += size
	}
	return b.String()
}

func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// hidden reports whether a character does something to a terminal, or is not
// seen on it. Default-ignorable letters and marks count: "gw-7" followed by a
// Hangul filler or a variation selector is another client ID that looks the
// same.
func hidden(r rune) bool {
	return !unicode.IsPrint(r) ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) ||
		r == 0x2800 // BRAILLE PATTERN BLANK is a symbol that shows nothing
}

// maxShown is how many characters of a value are shown in a sentence, maxText
// how many of a text. No text of ours is that long, but a text may quote one
// that is.
const (
	maxShown = 40
	maxText  = 1000
)

// shorten is cut for a value in a sentence.
func shorten(s string) string { return cut(s, maxShown) }

// cut takes the middle out of a long string and says how many bytes went, so
// that a 65,535-byte client ID does not push the sentence off the screen. Both
// ends stay: generated IDs differ at either.
func cut(s string, most int) string {
	// Bytes bound characters, and most values end here.
	if len(s) <= most || utf8.RuneCountInString(s) <= most {
		return s
	}
	head, tail := 0, len(s)
	for range most/2 - 2 {
		_, n := utf8.DecodeRuneInString(s[head:])
		head += n
		_, n = utf8.DecodeLastRuneInString(s[:tail])
		tail -= n
	}
	return fmt.Sprintf("%s…(+%d)…%s", s[:head], tail-head, s[tail:])
}
