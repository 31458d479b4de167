// Package pcapfile reads pcap and pcapng files, plain or compressed with gzip,
// zstd, lz4 or xz.
//
// It knows files by their first bytes and never by their names. Files are
// taken to be hostile: memory is bounded whatever they claim, and what is
// damaged is reported.
//
// Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng (both at
// https://datatracker.ietf.org/), RFC 1952 (gzip), RFC 8878 (zstd); those
// of lz4 and xz are named with their readers.
package pcapfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"

	"github.com/mqttriage/mqttriage/capture"
)

// Open opens a capture file. The path "-" is standard input, which is named
// "stdin". A file that is no capture gives a *capture.NotCaptureError.
func Open(path string, stdin io.Reader) (capture.Source, error) {
	s, _, err := openPath(path, stdin, false)
	return s, err
}

// OpenText is Open for what may be a capture or JSON text, as the program saves
// it: one of both is returned.
func OpenText(path string, stdin io.Reader) (capture.Source, *Text, error) {
	return openPath(path, stdin, true)
}

func openPath(path string, stdin io.Reader, mayBeText bool) (capture.Source, *Text, error) {
	name, r, closeFile, err := openFile(path, stdin)
	if err != nil {
		return nil, nil, err
	}
	s, text, err := openEither(name, r, closeFile, mayBeText)
	if err != nil {
		closeFile() //nolint:errcheck // read only, and there is an error to report
	}
	return s, text, err
}

// openFile opens a file by the path that the user gave. Its name is for reports
// and errors.
func openFile(path string, stdin io.Reader) (name string, r io.Reader, closeFile func() error, err error) {
	if path == "-" {
		if stdin == nil {
			return "", nil, nil, errors.New("read stdin: there is no standard input")
		}
		return "stdin", stdin, keepOpen, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", nil, nil, describe(path, err)
	}
	if st, err := f.Stat(); err == nil && st.IsDir() {
		f.Close()
		return "", nil, nil, fmt.Errorf("read %s: it is a directory; name the captures in it", path)
	}
	return path, f, f.Close, nil
}

// keepOpen closes nothing.
func keepOpen() error { return nil }

// NewReader reads a capture from r, which it does not close. The name is for
// reports and errors.
func NewReader(name string, r io.Reader) (capture.Source, error) {
	return open(name, r, keepOpen)
}

// reader is what both formats' readers are. While the stream is sealed, next
// ends with errSealed where it would have to read on, or where secrets are that
// the next packets need; it can be called again.
type reader interface {
	next(p *capture.Packet) error
	// takeSecrets returns those that were read since it was called last.
	takeSecrets() [][]byte
	Info() capture.Info
}

// errSealed ends a batch.
var errSealed = errors.New("the stream is sealed")

// maxBatch bounds the packets of a batch, so that one fits into a processor's
// cache with what is made of it.
const maxBatch = 1024

// source is an open capture with what must be closed behind it.
type source struct {
	reader
	in    *stream
	file  *counted
	one   capture.Packet // what Next returns
	close func() error
}

// counted counts the bytes that were read of a file, compressed as they are.
type counted struct {
	r io.Reader
	n atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// Read fills a batch; see [capture.Source].
func (s *source) Read(b *capture.Batch) error {
	if cap(b.Packets) < maxBatch {
		b.Packets = make([]capture.Packet, 0, maxBatch)
	}
	packets := b.Packets[:maxBatch]
	s.in.move(b.Memory)
	err := s.next(&packets[0])
	b.Packets, b.Memory, b.Secrets = packets[:0], s.in.buf, nil
	if err != nil {
		return err
	}
	b.Secrets = s.takeSecrets()
	// From here on the stream must not move under the packets.
	s.in.sealed = true
	n := 1
	for n < maxBatch && s.next(&packets[n]) == nil {
		n++ // an error comes again
	}
	s.in.sealed = false
	b.Packets = packets[:n]
	return nil
}

// Next returns the next packet; see [capture.Source].
func (s *source) Next() (capture.Packet, error) {
	err := s.next(&s.one)
	return s.one, err
}

// Offset is how many bytes of the file were read so far, compressed as they are.
// It may be called at any time, from any goroutine.
func (s *source) Offset() int64 { return s.file.n.Load() }

func (s *source) Close() error {
	if s.close == nil {
		return nil
	}
	c := s.close
	s.close = nil
	return c()
}

func open(name string, r io.Reader, closeFile func() error) (capture.Source, error) {
	s, _, err := openEither(name, r, closeFile, false)
	return s, err
}

// openEither opens a capture or, where it may be that, JSON text.
func openEither(name string, r io.Reader, closeFile func() error, mayBeText bool) (capture.Source, *Text, error) {
	file := &counted{r: r}
	in, compression, release, err := expand(newStream(file))
	if err != nil {
		return nil, nil, damagedStart(name, err)
	}
	closeAll := func() error {
		release()
		return closeFile()
	}
	// No capture begins so; and only one byte may be waited for.
	if h, ok := in.peek(1); mayBeText && ok && h[0] == '{' {
		return nil, &Text{name, compression, in, file, closeAll}, nil
	}
	found, err := recognise(name, in, compression)
	if err != nil {
		release()
		return nil, nil, err
	}
	return &source{reader: found, in: in, file: file, close: closeAll}, nil, nil
}

// recognise chooses the format by the magic number.
func recognise(name string, in *stream, compression string) (reader, error) {
	// Only these four bytes may be waited for: a live pipe may begin with
	// no more than a file header.
	if h, ok := in.peek(4); ok {
		switch little, big := order(false).u32(h), order(true).u32(h); {
		case little == pcapMicro, big == pcapMicro, little == pcapNano, big == pcapNano:
			return orNil(newPcap(in, newTally(name, "pcap", compression)))
		case little == blockSection:
			return orNil(newPcapng(in, newTally(name, "pcapng", compression)))
		}
	}
	h, ok := in.peek(refusalSize)
	switch {
	case ok || in.err == io.EOF:
		return nil, refuse(name, h, compression)
	case compression == "":
		return nil, describe(name, in.err)
	}
	return nil, damagedStart(name, in.err)
}

// damagedStart refuses a compressed file that gives no capture at all.
func damagedStart(name string, err error) error {
	e := &capture.NotCaptureError{Name: name}
	demanding := (*unsupported)(nil)
	switch {
	case errors.As(err, &demanding):
		e.Reason, e.Hint = demanding.reason, unpack+demanding.remedy
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.Reason = "its compressed data are cut short at the start"
	default:
		e.Reason = "its compressed data are damaged: " + err.Error()
	}
	return e
}

// orNil keeps a nil pointer from becoming a reader that is not nil.
func orNil[R reader](r R, err error) (reader, error) {
	if err != nil {
		return nil, err
	}
	return r, nil
}

// describe words an error of opening or reading a file in one line.
func describe(name string, err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("read %s: %w", name, err)
}
