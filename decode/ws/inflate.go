package ws

import (
	"compress/flate"
	"io"
)

// What a peer may ask for by few bytes.
const (
	// maxCompressed and maxInflated are the most of one message. MQTT packets
	// may be larger, but not those of a handshake.
	maxCompressed = 256 << 10
	maxInflated   = 1 << 20
	// maxRatio bounds how much all messages of a direction make of their bytes,
	// beyond the first maxInflated. DEFLATE can make 1,032 of one; telemetry
	// that repeats itself makes some tens.
	maxRatio = 128
	// maxFinal is how many blocks of one message may say that they are the
	// last: an encoder that cannot flush otherwise writes one a message.
	maxFinal = 16
)

// tail ends a message: the four bytes that a sender takes away (RFC 7692
// §7.2.2), and a last block, empty, so that the inflater ends without an error.
const tail = "\x00\x00\xff\xff" + "\x01\x00\x00\xff\xff"

// inflate hands on what a compressed message holds; b is the message and the
// tail. It reports false where the bytes are not DEFLATE or ask for too much;
// what came before has been handed on then.
func (r *Reader) inflate(b []byte, yield func([]byte)) bool {
	history := &r.history
	if r.noContext {
		history = &r.budget.scratch
		defer history.empty()
	}
	r.deflated += int64(len(b))
	source := &r.budget.source
	source.Reset(b)
	defer source.Reset(nil)
	size := 0
	for range maxFinal {
		inflater := r.budget.startInflater(history.last())
		for {
			n, err := inflater.Read(r.budget.out[:])
			p := r.budget.out[:n]
			size += n
			r.inflated += int64(n)
			ok := size <= maxInflated && r.inflated <= maxInflated+maxRatio*r.deflated && history.add(r.budget, p)
			if ok && n > 0 {
				yield(p)
			}
			clear(p)
			if !ok || err != nil && err != io.EOF {
				return false
			}
			if err == io.EOF {
				break
			}
		}
		// A block that says it is the last may be followed by others of the
		// message (RFC 7692 §7.2.1), but none may reach into the tail.
		if left := source.Len(); left <= len(tail) {
			return left == 0 || left == len(tail)
		}
	}
	return false
}

// startInflater makes the inflater read the source, with what it may refer back
// to.
func (b *Budget) startInflater(history []byte) io.Reader {
	if b.inflater == nil {
		b.inflater = flate.NewReaderDict(&b.source, history)
	} else {
		// It implements Resetter, and Reset never fails.
		_ = b.inflater.(flate.Resetter).Reset(&b.source, history)
	}
	return b.inflater
}

// wipeInflater overwrites what the inflater remembers.
func (b *Budget) wipeInflater() {
	if b.inflater != nil {
		b.startInflater(zeros[:])
	}
}

var zeros [windowSize]byte

const (
	// windowSize is how far DEFLATE refers back at most (RFC 1951 §2).
	windowSize = 32 << 10
	// windowRoom is how much a window grows before its older bytes go, so that
	// they need not be moved for every few.
	windowRoom = 16 << 10
)

// window is what was inflated last, windowSize bytes of it or more.
type window []byte

// add remembers p, which is no longer than windowRoom. It reports false where
// the Budget does not allow it.
func (w *window) add(budget *Budget, p []byte) bool {
	if len(*w)+len(p) > windowSize+windowRoom {
		*w = (*w)[:copy(*w, w.last())]
	}
	return budget.Grow((*[]byte)(w), p, windowSize+windowRoom)
}

// last is what may be referred back to.
func (w window) last() []byte { return w[max(0, len(w)-windowSize):] }

// empty forgets, but keeps the memory.
func (w *window) empty() {
	clear((*w)[:cap(*w)])
	*w = (*w)[:0]
}
