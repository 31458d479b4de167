package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"
)

// JSON writes the document as one indented object. Characters that a terminal
// obeys or does not show are written as \u escapes, which are the same value to
// a program. Bytes that are no UTF-8 become U+FFFD, as JSON cannot hold them.
func JSON(w io.Writer, doc *Document) error {
	b := bufio.NewWriterSize(w, 1<<16)
	enc := json.NewEncoder(visible{b})
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return err
	}
	return b.Flush()
}

// visible escapes hidden characters in JSON text on its way to w. It relies on
// encoding/json writing a whole value with one Write.
type visible struct{ w *bufio.Writer }

func (v visible) Write(b []byte) (int, error) {
	done := 0
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf && b[i] != 0x7f {
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if hidden(r) {
			v.w.Write(b[done:i]) //nolint:errcheck // a bufio.Writer keeps its error
			if r > 0xffff {      // RFC 8259 section 7: a surrogate pair
				fmt.Fprintf(v.w, `\u%04x\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
			} else {
				fmt.Fprintf(v.w, `\u%04x`, r)
			}
			done = i + size
		}
		i += size
	}
	if _, err := v.w.Write(b[done:]); err != nil {
		return 0, err
	}
	return len(b), nil
}
