package ws

import (
	"bytes"
	"compress/flate"
	"runtime"
	"testing"
	"time"
)

// What few bytes may cost: memory that does not grow with the stream, and time
// that grows no faster than it.
func TestBombs(t *testing.T) {
	zeros := make([]byte, 1<<20)
	compress := newDeflater(flate.BestCompression, false)
	// One message of 1 GiB of zeros: every MiB but the first refers back alike.
	gigabyte := append(compress.message(zeros, false), tail[:4]...)
	gigabyte = append(gigabyte, bytes.Repeat(append(compress.message(zeros, false), tail[:4]...), 1023)...)
	alone := newDeflater(flate.BestCompression, true)
	megabyte := frame(fin|rsv1|opBinary, 1, alone.message(zeros[:maxInflated-1], false))
	tests := []struct {
		name string
		// first is fed once, then again and again.
		first, again []byte
		lost         bool
		most         int // of payload
	}{
		{"1 GiB of zeros", frame(fin|rsv1|opBinary, 1, gigabyte), nil, true, 0},
		{"1 GiB of zeros, cut short enough to be gathered", frame(fin|rsv1|opBinary, 1, gigabyte[:maxCompressed]), nil, true, maxInflated},
		{"just below the limit, again and again", nil, megabyte, true, 2 * maxInflated},
		{"messages of a byte", nil, frame(fin|opBinary, 1, []byte{0}), false, -1},
		{"empty frames", []byte{opBinary, 0}, []byte{opContinuation, 0}, false, 0},
		{"empty compressed frames", []byte{rsv1 | opBinary, 0}, []byte{opContinuation, 0}, false, 0},
		{"endless compressed message", []byte{rsv1 | opBinary, 0}, []byte{opContinuation, 1, 0}, true, 0},
		{"empty compressed messages", nil, []byte{fin | rsv1 | opBinary, 1, 0}, false, 0},
		{"compressed messages without bytes", nil, []byte{fin | rsv1 | opBinary, 0}, false, 0},
		{"last blocks", frame(fin|rsv1|opBinary, 0, bytes.Repeat([]byte{3, 0}, maxFinal+1)), nil, true, 0},
		{"pings", nil, frame(fin|opPing, 1, make([]byte, maxControl)), false, 0},
		{"a frame of 2^63-1 bytes", unhex("82 7f 7f ff ff ff ff ff ff ff"), make([]byte, 1000), false, -1},
		{"a compressed frame of 2^63-1 bytes", unhex("c2 7f 7f ff ff ff ff ff ff ff"), make([]byte, 1000), true, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := NewReader(Options{Inflate: true})
			out, held := 0, 0
			yield := func(p []byte) { out += len(p) }
			feed := func(p []byte) {
				for len(p) > 0 {
					n := min(len(p), 1460)
					r.Feed(p[:n], yield)
					held = max(held, r.budget.held)
					p = p[n:]
				}
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			feed(test.first)
			in := len(test.first)
			for len(test.again) > 0 && in < 2<<20 {
				feed(test.again)
				in += len(test.again)
			}
			runtime.ReadMemStats(&after)
			if r.Lost() != test.lost {
				t.Errorf("lost %v", r.Lost())
			}
			if test.most >= 0 && out > test.most {
				t.Errorf("%d bytes handed on", out)
			}
			if most := 2 * (maxCompressed + len(tail) + windowSize + windowRoom); held > most {
				t.Errorf("%d bytes held", held)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
				t.Errorf("%d bytes allocated for %d", got, in)
			}
			r.Release()
			checkReleased(t, r)
		})
	}
}

// A Budget is what all Readers may hold, and they hold it until they are
// released.
func TestBudget(t *testing.T) {
	budget := new(Budget)
	var readers []*Reader
	last := func() *Reader { return readers[len(readers)-1] }
	for {
		readers = append(readers, NewReader(Options{Inflate: true, Budget: budget}))
		read(last(), frame(rsv1|opBinary, 0, make([]byte, 100000)))
		if budget.held > maxHeld {
			t.Fatalf("%d bytes held", budget.held)
		}
		if last().Lost() {
			break
		}
	}
	if got := len(readers); got < maxHeld/100000/3 {
		t.Errorf("refused after %d", got)
	}
	for _, r := range readers {
		r.Release()
	}
	if budget.held != 0 {
		t.Errorf("%d bytes held at the end", budget.held)
	}
	r := NewReader(Options{Inflate: true, Budget: budget})
	if got := read(r, unhex("c1 07 f2 48 cd c9 c9 07 00")); string(got) != "Hello" {
		t.Errorf("%q when there is room again", got)
	}
}

// What the worst bytes cost: small messages that each need the whole window.
func BenchmarkWorst(b *testing.B) {
	compress := newDeflater(flate.BestCompression, false)
	first := frame(fin|rsv1|opBinary, 0, compress.message(make([]byte, 100000), false))
	for name, again := range map[string][]byte{
		"a byte a message": frame(fin|rsv1|opBinary, 0, unhex("62 00 00")),
		"last blocks":      frame(fin|rsv1|opBinary, 0, bytes.Repeat([]byte{3, 0}, maxFinal-2)),
	} {
		b.Run(name, func(b *testing.B) {
			r := NewReader(Options{Inflate: true})
			read(r, first)
			b.SetBytes(int64(len(again)))
			began := time.Now()
			for b.Loop() {
				r.Feed(again, func([]byte) {})
			}
			if r.Lost() {
				b.Fatal("lost")
			}
			b.ReportMetric(time.Since(began).Seconds()/float64(b.N*len(again))*1e9, "s/GB")
		})
	}
}
