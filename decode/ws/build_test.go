package ws

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"math/rand/v2"
)

// First bytes of frames.
const (
	fin  = 0x80
	rsv1 = 0x40
)

// frame builds a frame; first is its first byte, a key of 0 leaves it unmasked.
func frame(first byte, key uint32, payload []byte) []byte {
	b := []byte{first}
	mask := byte(0)
	if key != 0 {
		mask = 0x80
	}
	switch n := len(payload); {
	case n <= 125:
		b = append(b, mask|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(n))
	}
	if key == 0 {
		return append(b, payload...)
	}
	b = binary.BigEndian.AppendUint32(b, key)
	for i, c := range payload {
		b = append(b, c^byte(key>>(24-8*(i&3))))
	}
	return b
}

// deflater compresses messages as RFC 7692 §7.2.1 says.
type deflater struct {
	out       bytes.Buffer
	w         *flate.Writer
	noContext bool
}

func newDeflater(level int, noContext bool) *deflater {
	d := &deflater{noContext: noContext}
	d.w, _ = flate.NewWriter(&d.out, level)
	return d
}

// message compresses p. With last it ends with a block that says it is the
// last (§7.2.3.4), after which the compressor starts anew.
func (d *deflater) message(p []byte, last bool) []byte {
	d.out.Reset()
	if d.noContext {
		d.w.Reset(&d.out)
	}
	d.w.Write(p)
	if last {
		d.w.Close()
		d.w.Reset(&d.out)
		return append(bytes.Clone(d.out.Bytes()), 0)
	}
	d.w.Flush()
	return bytes.Clone(bytes.TrimSuffix(d.out.Bytes(), []byte(tail[:4])))
}

// scramble cuts b at random places.
func scramble(r *rand.Rand, b []byte, most int) [][]byte {
	var pieces [][]byte
	for len(b) > 0 {
		n := 1 + r.IntN(min(most, len(b)))
		pieces, b = append(pieces, b[:n]), b[n:]
	}
	return pieces
}

// read feeds the pieces to a Reader and returns what it hands on.
func read(r *Reader, pieces ...[]byte) []byte {
	var got []byte
	for _, p := range pieces {
		r.Feed(p, func(payload []byte) { got = append(got, payload...) })
	}
	return got
}
