package ws

import (
	"bytes"
	"cmp"
	"io"
)

// maxHeld is how many bytes the Readers of one Budget hold in all. A Reader
// holds nothing of what is not compressed; of what is, the message under way
// and what the next one may refer back to. It is the default of a Budget.
const maxHeld = 32 << 20

// Budget is what the Readers of many connections share: a limit on the memory
// that they hold, the inflater, and the buffer that bytes are handed on in. It
// belongs to one goroutine, as do its Readers. Its zero value is ready.
type Budget struct {
	// Limit is how many bytes the Readers hold in all; 0 means 32 MiB.
	Limit    int
	held     int
	source   bytes.Reader
	inflater io.ReadCloser
	scratch  window // of messages that stand alone
	out      [4 << 10]byte
}

// Grow appends p to s, which counts as held with its capacity. It doubles s
// with what arrives, up to limit bytes, and leaves no copy behind; it reports
// false where s would exceed the limit or the Budget.
func (b *Budget) Grow(s *[]byte, p []byte, limit int) bool {
	need := len(*s) + len(p)
	if need > limit {
		return false
	}
	if need > cap(*s) {
		size := min(max(need, 2*cap(*s), 128), limit)
		if size > cmp.Or(b.Limit, maxHeld)-b.held {
			return false
		}
		b.held += size
		grown := make([]byte, len(*s), size)
		copy(grown, *s)
		b.Drop(s)
		*s = grown
	}
	*s = append(*s, p...)
	return true
}

// Drop wipes s, which only Grow has made, and gives it back: it may hold a
// password.
func (b *Budget) Drop(s *[]byte) {
	b.held -= cap(*s)
	clear((*s)[:cap(*s)])
	*s = nil
}
