package slice

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"sort"
	"unicode/utf8"
)

// A span is a run of bytes of one direction of a connection, by stream offset,
// that is overwritten in every packet that carries them.
type span struct {
	from, to int64
	// value is how many bytes the whole value has of which this is a part, and
	// at where in it the part begins.
	at, value uint32
	// tag tells this value from others; 0 for x alone.
	tag uint32
	// key is what the bytes are masked with in a WebSocket frame, the byte for
	// from first (RFC 6455 §5.3).
	key [4]byte
	// text, where not "", is what stands in the value's place.
	text  string
	wrong wrong
}

// wrong is in which ways a string breaks the standard, which it must go on to
// do: findings depend on it.
type wrong uint8

const (
	notUTF8 wrong = 1 << iota
	withNUL
)

func wrongs(value []byte) (w wrong) {
	if !utf8.Valid(value) {
		w |= notUTF8
	}
	if bytes.IndexByte(value, 0) >= 0 {
		w |= withNUL
	}
	return w
}

// endless is the end of a span that goes on for as long as the stream does.
const endless = math.MaxInt64

// A tagger makes tags under a key that is drawn for the run or given by the
// user: equal values have equal tags, so that a slice still shows who is who, and a tag
// tells nothing else to those who do not have the key.
type tagger struct{ key []byte }

func (t *tagger) sum(value []byte) [sha256.Size]byte {
	h := hmac.New(sha256.New, t.key)
	h.Write(value) // a hash takes everything
	return [sha256.Size]byte(h.Sum(nil))
}

func (t *tagger) tag(value []byte) uint32 {
	sum := t.sum(value)
	return max(1, binary.BigEndian.Uint32(sum[:]))
}

// digits are those of tags. An x is none, so that nobody takes it for one.
const digits = "0123456789abcdefghijklmnopqrstuv"

// tagDigits is how many of them a tag has.
const tagDigits = 6

// fill is the byte at an offset within the span.
func (s *span) fill(i int64) byte {
	b := byte('x')
	place := int64(s.at) + i
	fromEnd := int64(s.value) - 1 - place
	switch {
	case s.text != "" && place < int64(len(s.text)):
		b = s.text[place]
	case s.tag == 0:
	case place == 0 && s.wrong&notUTF8 != 0:
		b = 0xff
	case place == 0 && s.wrong&withNUL != 0, place == 1 && s.wrong == notUTF8|withNUL:
		b = 0
	case place > 0 && fromEnd >= 0 && fromEnd < tagDigits:
		b = digits[s.tag>>(5*fromEnd)&31]
	}
	return b ^ s.key[i&3]
}

// spans are apart and in order.
type spans []span

// settle puts spans in order, and takes away what two of them cover. The one that
// begins first counts.
func (l spans) settle() spans {
	slices.SortStableFunc(l, func(x, y span) int { return cmp.Compare(x.from, y.from) })
	kept := l[:0]
	end := int64(math.MinInt64)
	for _, s := range l {
		if over := end - s.from; end > s.from {
			s.from += over
			s.at += uint32(over)
			for range over & 3 {
				s.key = [4]byte{s.key[1], s.key[2], s.key[3], s.key[0]}
			}
		}
		if s.from < s.to {
			kept = append(kept, s)
			end = s.to
		}
	}
	return slices.Clip(kept)
}

// overwrite overwrites in p, which are the bytes of the stream from an offset on,
// what lies in a span. It reports whether anything is different now.
func (l spans) overwrite(p []byte, off int64) (changed bool) {
	end := off + int64(len(p))
	i := sort.Search(len(l), func(i int) bool { return l[i].to > off })
	for ; i < len(l) && l[i].from < end; i++ {
		s := &l[i]
		for at := max(s.from, off); at < min(s.to, end); at++ {
			b := s.fill(at - s.from)
			changed = changed || p[at-off] != b
			p[at-off] = b
		}
	}
	return changed
}
