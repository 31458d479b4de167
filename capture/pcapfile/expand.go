package pcapfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/readahead"
)

const (
	// maxLayers of compression are unwrapped: a capture that was compressed,
	// and then once more on its way here.
	maxLayers = 2
	// maxWindow is the largest zstd window, in bytes. RFC 8878 §3.1.1.1.2
	// recommends it to decoders and encoders; "zstd -19" needs all of it,
	// and only "--ultra" and "--long" more.
	maxWindow = 8 << 20
	// A compressed capture may grow to freeGrowth bytes, and beyond it only
	// maxGrowth-fold: else a few kilobytes, compressed twice, would keep the
	// reader busy for days.
	freeGrowth = 256 << 20
	maxGrowth  = 512
)

// aheadBuffers is how many buffers of readSize are decompressed ahead.
const aheadBuffers = 4

// compression is a layer of compression that can be unwrapped.
type compression struct {
	name, magic string
	// open returns the plain bytes, and what releases the decompressor.
	open func(in *stream) (io.Reader, func(), error)
	// skips says that skippable frames may come first.
	skips bool
}

var compressions = []compression{
	{name: "gzip", magic: "\x1f\x8b\x08", open: openGzip},
	{name: "zstd", magic: "\x28\xb5\x2f\xfd", open: openZstd, skips: true},
	{name: "lz4", magic: lz4Magic, open: openLZ4, skips: true},
	{name: "lz4", magic: lz4LegacyMagic, open: openLZ4, skips: true},
	{name: "xz", magic: xzMagic, open: openXZ},
}

// compressedBy tells by the first bytes how a stream is compressed; nil for
// not at all. Skippable frames are the same in zstd (RFC 8878 §3.1.2), whose
// parallel compressors begin with them, and in lz4: what follows them tells.
func compressedBy(in *stream) (*compression, error) {
	const frameHeader = 8
	skipped := false
	h, _ := in.peek(frameHeader)
	for len(h) >= 4 && order(false).u32(h)&^0xf == 0x184d2a50 {
		skipped = true
		if len(h) < frameHeader || !in.skip(frameHeader+int64(order(false).u32(h[4:]))) {
			return nil, in.cut()
		}
		h, _ = in.peek(frameHeader)
	}
	for i := range compressions {
		if c := &compressions[i]; bytes.HasPrefix(h, []byte(c.magic)) && (c.skips || !skipped) {
			return c, nil
		}
	}
	switch {
	case skipped && len(h) == 0:
		return nil, in.cut()
	case skipped:
		return nil, fmt.Errorf("skippable frames are followed by % x", h[:min(len(h), 4)])
	}
	return nil, nil
}

func openGzip(in *stream) (io.Reader, func(), error) {
	// The decompressor has a fast path for a bufio.Reader.
	z, err := gzip.NewReader(bufio.NewReaderSize(in, 64<<10))
	return z, func() {}, err
}

func openZstd(in *stream) (io.Reader, func(), error) {
	z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow))
	if err != nil {
		return nil, nil, err
	}
	return z, z.Close, nil
}

// layer reads one layer's plain bytes. It words the decompressor's errors,
// and stops data that grows beyond measure.
type layer struct {
	name  string
	r     io.Reader
	file  *stream // the outermost, compressed bytes
	grown int64
}

func (l *layer) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	l.grown += int64(n)
	switch {
	case l.grown > freeGrowth && l.grown > maxGrowth*l.file.read():
		return n, fmt.Errorf("the %s data grow more than %d-fold", l.name, maxGrowth)
	case err == nil, err == io.EOF:
		return n, err
	}
	return n, l.word(err)
}

// word words a decompressor's error, which may name the compression already.
func (l *layer) word(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return errWindow
	case errors.As(err, new(*unsupported)):
		return err
	}
	return errors.New(l.name + ": " + strings.TrimPrefix(err.Error(), l.name+": "))
}

// unsupported refuses sound data that would take too much memory to unpack, or
// a decompressor that is not here.
type unsupported struct {
	reason string
	remedy string // the command that unpacks them
}

func (e *unsupported) Error() string { return e.reason + "; " + unpack + e.remedy }

var errWindow = &unsupported{fmt.Sprintf("zstd: it needs a window of more than %d MiB", maxWindow>>20), "zstd -d --long=31 FILE"}

// expand unwraps compression. It returns the plain stream, the name of the
// outermost layer or "", and what releases the decompressors.
func expand(in *stream) (plain *stream, outermost string, release func(), err error) {
	file := in
	release = func() {}
	for range maxLayers {
		found, err := compressedBy(in)
		if err != nil {
			release()
			return nil, "", nil, err
		}
		if found == nil {
			break
		}
		unwrapped := &layer{name: found.name, file: file}
		r, closeLayer, err := found.open(in)
		if err != nil {
			release()
			return nil, "", nil, unwrapped.word(err)
		}
		unwrapped.r = r
		closeInner := release
		release = func() { closeLayer(); closeInner() }
		if outermost == "" {
			outermost = found.name
		}
		in = newStream(unwrapped)
	}
	if outermost != "" && runtime.GOMAXPROCS(0) > 1 {
		// Decompression is most of the work: it gets a goroutine of its own.
		ahead, err := readahead.NewReaderSize(in, aheadBuffers, readSize)
		if err != nil {
			release()
			return nil, "", nil, err
		}
		closeLayers := release
		// Not waited for: a pipe underneath may never give another byte.
		release = func() { go func() { ahead.Close(); closeLayers() }() }
		in = newStream(ahead)
	}
	return in, outermost, release, nil
}
