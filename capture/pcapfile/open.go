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

	"github.com/mqttriage/mqttriage/capture"
)

// Open opens a capture file. The path "-" is standard input, which is named
// "stdin". A file that is no capture gives a *capture.NotCaptureError.
func Open(path string, stdin io.Reader) (capture.Source, error) {
	if path == "-" {
		if stdin == nil {
			return nil, errors.New("read stdin: there is no standard input")
		}
		return NewReader("stdin", stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, describe(path, err)
	}
	if st, err := f.Stat(); err == nil && st.IsDir() {
		f.Close()
		return nil, fmt.Errorf("read %s: it is a directory; name the captures in it", path)
	}
	s, err := open(path, f, f.Close)
	if err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

// NewReader reads a capture from r, which it does not close. The name is for
// reports and errors.
func NewReader(name string, r io.Reader) (capture.Source, error) {
	return open(name, r, func() error { return nil })
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
	one   capture.Packet // what Next returns
	close func() error
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

func (s *source) Close() error {
	if s.close == nil {
		return nil
	}
	c := s.close
	s.close = nil
	return c()
}

func open(name string, r io.Reader, closeFile func() error) (capture.Source, error) {
	in, compression, release, err := expand(newStream(r))
	if err != nil {
		return nil, damagedStart(name, err)
	}
	found, err := recognise(name, in, compression)
	if err != nil {
		release()
		return nil, err
	}
	return &source{reader: found, in: in, close: func() error {
		release()
		return closeFile()
	}}, nil
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
