package mqtt

import (
	"bytes"
	"unicode/utf8"
)

// span is where a field lies in a packet's body; from == 0 stands for absent,
// since no field with a length can begin there.
type span struct{ from, to int }

func (s span) of(b []byte) []byte { return b[s.from:s.to] }

// reader walks over a body. A read past its end sets short and yields nothing,
// as do all reads after it; nothing is ever made up.
type reader struct {
	b     []byte
	at    int
	short bool
}

// skip moves over n bytes.
func (r *reader) skip(n int) span {
	if r.short || n > len(r.b)-r.at {
		r.short = true
		return span{}
	}
	r.at += n
	return span{r.at - n, r.at}
}

// number reads n ≤ 4 bytes, most significant first.
func (r *reader) number(n int) (v uint32) {
	for _, digit := range r.skip(n).of(r.b) {
		v = v<<8 | uint32(digit)
	}
	return v
}

// field reads a string or binary data: two bytes of length, then as many bytes.
func (r *reader) field() span { return r.skip(int(r.number(2))) }

// varint reads a Variable Byte Integer of at most four bytes (5 section 1.5.5).
// minimal is false if it has more than it needs.
func (r *reader) varint() (v int, minimal bool) {
	for i := range 4 {
		digit := r.number(1)
		if r.short {
			return 0, true
		}
		v |= int(digit&0x7f) << (7 * i)
		if digit < 0x80 {
			return v, i == 0 || digit != 0
		}
	}
	r.short = true
	return 0, true
}

// checkString notes what the standards forbid in a string (3.1.1 section 1.5.3,
// 5 section 1.5.4).
func (p *problems) checkString(s []byte, field string) {
	if !utf8.Valid(s) {
		p.addFor(badUTF8, field)
	}
	if bytes.IndexByte(s, 0) >= 0 {
		p.addFor(nulInString, field)
	}
}
