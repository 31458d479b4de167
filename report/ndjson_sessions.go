package report

import (
	"bytes"
	"encoding/json"
	"io"
	"sync"
)

// batchSize is how many session lines are made at once: some 300 KB.
const batchSize = 256

// writeSessions writes a line for every record. To encode them is most of the
// work of a report, and each is by itself: so batches are encoded at the same
// time, and written in their order.
func writeSessions(w io.Writer, records Records) error {
	type batch struct {
		text *bytes.Buffer
		err  error
	}
	spare := sync.Pool{New: func() any { return new(bytes.Buffer) }}
	from := 0
	next := func() (func() batch, bool) {
		first := from
		from = min(first+batchSize, records.Len())
		last := from
		return func() batch {
			text := spare.Get().(*bytes.Buffer)
			text.Reset()
			return batch{text, encodeSessions(text, records, first, last)}
		}, first < last
	}
	return inOrder(next, func(b batch) error {
		if b.err != nil {
			return b.err
		}
		_, err := w.Write(b.text.Bytes())
		spare.Put(b.text)
		return err
	})
}

func encodeSessions(text *bytes.Buffer, records Records, from, to int) error {
	lines := json.NewEncoder(visible{text})
	lines.SetEscapeHTML(false)
	for i := from; i < to; i++ {
		if err := lines.Encode(sessionLine{lineSession, records.Traced(i)}); err != nil {
			return err
		}
	}
	return nil
}
