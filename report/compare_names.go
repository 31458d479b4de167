package report

import "unicode/utf8"

// apart shortens two file names so that what differs stays in sight: they often
// lie in folders of one name, or have one name in two folders.
func apart(a, b string, most int) (string, string) {
	fit := func(a, b string) bool {
		return utf8.RuneCountInString(a) <= most && utf8.RuneCountInString(b) <= most
	}
	if a == b || fit(a, b) {
		return cut(a, most), cut(b, most)
	}
	from := commonHead(a, b)
	a, b = a[from:], b[from:]
	dots := ""
	if from > 0 {
		dots = "…"
	}
	if fit(dots+a, dots+b) {
		return dots + a, dots + b
	}
	to := commonTail(a, b)
	a, b = a[:len(a)-to], b[:len(b)-to]
	tail := ""
	if to > 0 {
		tail = "…"
	}
	// What is left may still be long; the dots are part of its width.
	left := most - len([]rune(dots+tail))
	return dots + cut(a, left) + tail, dots + cut(b, left) + tail
}

// maxWord is how much of the same text is kept beside a difference to show the
// word in which it is, in bytes.
const maxWord = 12

// commonHead is the length of what a and b begin with, up to the last separator
// before they differ.
func commonHead(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	for i := n - 1; i >= 0 && i >= n-maxWord; i-- {
		if separates(a[i]) {
			return i
		}
	}
	for n > 0 && (n < len(a) && !utf8.RuneStart(a[n]) || n < len(b) && !utf8.RuneStart(b[n])) {
		n--
	}
	return n
}

// commonTail is the length of what a and b end with, from the first separator
// after they differ.
func commonTail(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	for i := n - 1; i >= 0 && i >= n-maxWord; i-- {
		if separates(a[len(a)-1-i]) {
			return i
		}
	}
	for n > 0 && !utf8.RuneStart(a[len(a)-n]) {
		n--
	}
	return n
}

// separates reports ASCII that is neither letter nor digit. It is never a part of
// another character in UTF-8.
func separates(c byte) bool {
	return c < utf8.RuneSelf && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z')
}
