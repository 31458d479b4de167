package pcapfile

import (
	"errors"
	"io"

	"github.com/pierrec/lz4/v4"
)

// The LZ4 frame format, version 1.6.4, and the legacy frames of "lz4 -l"
// (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md).
const (
	lz4Magic       = "\x04\x22\x4d\x18"
	lz4LegacyMagic = "\x02\x21\x4c\x18"
)

// openLZ4 needs no bound on memory: a block is 4 MiB at most, 8 in legacy
// frames.
func openLZ4(in *stream) (io.Reader, func(), error) {
	z := lz4.NewReader(&lz4Input{in: in})
	return z, func() {}, z.Apply(lz4.ConcurrencyOption(1))
}

// lz4Input is what the decompressor reads. Legacy frames have no end mark, and
// the decompressor calls itself for each magic number that it finds instead of
// a block's size: a few kilobytes that unpack to nothing else overflow the
// stack, which no recover helps against.
type lz4Input struct {
	in     *stream
	legacy bool // a legacy frame has begun, and nothing followed yet
}

var errEmptyFrames = errors.New("empty legacy frames")

func (l *lz4Input) Read(p []byte) (int, error) {
	magic := false
	if len(p) == len(lz4LegacyMagic) {
		b, _ := l.in.peek(len(p))
		magic = string(b) == lz4LegacyMagic
	}
	if magic && l.legacy {
		return 0, errEmptyFrames
	}
	l.legacy = magic
	return l.in.Read(p)
}
