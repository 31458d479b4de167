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
	name  string
	known func(h []byte) bool
	open  func(in *stream) (io.Reader, func(), error)
}

var compressions = []compression{
	{"gzip", func(h []byte) bool { return bytes.HasPrefix(h, []byte{0x1f, 0x8b, 8}) }, openGzip},
	{"zstd", isZstd, openZstd},
}

// isZstd knows a frame, or a skippable frame (RFC 8878 §3.1.2), with which
// parallel compressors begin.
func isZstd(h []byte) bool {
	if len(h) < 4 {
		return false
	}
	magic := order(false).u32(h)
	return magic == 0xfd2fb528 || magic&^0xf == 0x184d2a50
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
	case errors.Is(err, io.ErrUnexpectedEOF):
		return n, io.ErrUnexpectedEOF
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return n, errWindow
	}
	return n, l.damage(err)
}

// damage names the compression in an error that may do so already.
func (l *layer) damage(err error) error {
	return errors.New(l.name + ": " + strings.TrimPrefix(err.Error(), l.name+": "))
}

// errWindow refuses a zstd frame that needs much memory to read.
var errWindow = fmt.Errorf("zstd: it needs a window of more than %d MiB", maxWindow>>20)

// expand unwraps compression. It returns the plain stream, the name of the
// outermost layer or "", and what releases the decompressors.
func expand(in *stream) (plain *stream, outermost string, release func(), err error) {
	file := in
	release = func() {}
	for range maxLayers {
		h, _ := in.peek(4)
		found := (*compression)(nil)
		for i := range compressions {
			if compressions[i].known(h) {
				found = &compressions[i]
			}
		}
		if found == nil {
			break
		}
		r, closeLayer, err := found.open(in)
		if err != nil {
			release()
			return nil, "", nil, err
		}
		closeInner := release
		release = func() { closeLayer(); closeInner() }
		if outermost == "" {
			outermost = found.name
		}
		in = newStream(&layer{name: found.name, r: r, file: file})
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
