package report

import (
	"bufio"
	"bytes"
	"encoding/binary"
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
	if err := sessionsApart(visible{b}, doc); err != nil {
		return err
	}
	return b.Flush()
}

// sessionsApart encodes the sessions one by one, where there are any:
// encoding/json holds the whole of a value in memory, twice when it indents.
func sessionsApart(w visible, doc *Document) error {
	frame := *doc
	frame.Sessions = Records{}
	var text bytes.Buffer
	if err := encoder(&text, "").Encode(&frame); err != nil {
		return err
	}
	if doc.Sessions.Len() == 0 {
		if !doc.Sessions.IsZero() {
			return encoder(w, "").Encode(doc)
		}
		_, err := w.Write(text.Bytes())
		return err
	}
	// Text in JSON holds no line break, so this stands only where it is a key
	// of the document itself.
	before, after, _ := bytes.Cut(text.Bytes(), []byte("\n  \"findings\""))
	w.Write(before)                              //nolint:errcheck // the bufio.Writer keeps its error
	w.Write([]byte("\n  \"sessions\": [\n    ")) //nolint:errcheck
	var record bytes.Buffer
	records := encoder(&record, "    ")
	for i := range doc.Sessions.Len() {
		record.Reset()
		if err := records.Encode(doc.Sessions.At(i)); err != nil {
			return err
		}
		separator := ",\n    "
		if i == doc.Sessions.Len()-1 {
			separator = "\n  ],\n  \"findings\""
		}
		w.Write(append(bytes.TrimSuffix(record.Bytes(), []byte("\n")), separator...)) //nolint:errcheck
	}
	_, err := w.Write(after)
	return err
}

func encoder(w io.Writer, prefix string) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent(prefix, "  ")
	return enc
}

// visible escapes hidden characters in JSON text on its way to w, which keeps
// its errors or has none. It relies on encoding/json writing a whole value with
// one Write.
type visible struct{ w io.Writer }

func (v visible) Write(b []byte) (int, error) {
	if allASCII(b) && bytes.IndexByte(b, 0x7f) < 0 {
		return v.w.Write(b) // JSON has escaped the other control characters
	}
	done := 0
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf && b[i] != 0x7f {
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if hidden(r) {
			v.w.Write(b[done:i]) //nolint:errcheck // the last Write fails too
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

// allASCII looks at eight bytes at once: most lines have nothing to escape.
func allASCII(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&0x8080808080808080 != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
