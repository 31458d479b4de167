package pcapfile

import (
	"errors"
	"io"

	"github.com/mqttriage/mqttriage/capture"
)

const (
	// maxPacket is the largest captured length that is accepted, in bytes. It
	// is libpcap's MAXIMUM_SNAPLEN and Wireshark's limit.
	maxPacket = 256 << 10
	// bufferSize holds the largest packet with its headers and options at
	// once. A stream begins with firstBuffer, which holds most small captures
	// as a whole.
	bufferSize  = 512 << 10
	firstBuffer = 64 << 10
	// readSize is how much is asked for at once: enough to make system calls
	// cheap, little enough that the packets are still in the processor's cache
	// when they are decoded.
	readSize = 128 << 10
)

// stream is a window on a file that only moves forward. What peek returned
// stays valid until the next peek, so a packet needs no copy of its own.
type stream struct {
	r        io.Reader
	buf      []byte
	lent     bool  // buf is a batch's too
	sealed   bool  // what peek returned is still needed: nothing is read
	pos, end int   // unread bytes are buf[pos:end]
	base     int64 // where in the file buf[0] is
	err      error // what ended the file; io.EOF when nothing went wrong
}

func newStream(r io.Reader) *stream {
	return &stream{r: r, buf: make([]byte, firstBuffer)}
}

// peek returns the next n bytes without passing them, n up to bufferSize. At
// the end of the file it returns the fewer bytes that are left, and false.
func (s *stream) peek(n int) ([]byte, bool) {
	if s.end-s.pos >= n {
		return s.buf[s.pos : s.pos+n : s.pos+n], true
	}
	return s.fill(n)
}

// fill reads until n bytes are there, and no longer: a pipe may be slow.
func (s *stream) fill(n int) ([]byte, bool) {
	if s.sealed {
		return s.buf[s.pos:s.end:s.end], false
	}
	buf := s.buf
	if len(buf) < bufferSize && (n > len(buf) || s.end == len(buf)) {
		buf = make([]byte, bufferSize)
	}
	s.end = copy(buf, s.buf[s.pos:s.end])
	s.base += int64(s.pos)
	s.buf, s.pos = buf, 0
	for empty := 0; s.end < n && s.err == nil; {
		m, err := s.r.Read(s.buf[s.end:min(len(s.buf), s.end+readSize)])
		s.end += m
		s.err = err
		if m > 0 {
			empty = 0
		} else if empty++; empty == 100 && err == nil {
			s.err = io.ErrNoProgress
		}
	}
	if s.end < n {
		return s.buf[:s.end:s.end], false
	}
	return s.buf[:n:n], true
}

// move goes on in a batch's memory and takes the unread bytes along, so that
// what lies in another batch's memory stays as it is.
func (s *stream) move(memory []byte) {
	switch {
	case !s.lent:
		s.lent = true
	case memory != nil && &memory[0] == &s.buf[0]:
	default:
		if len(memory) < bufferSize {
			memory = make([]byte, bufferSize)
		}
		n := copy(memory, s.buf[s.pos:s.end])
		s.base += int64(s.pos)
		s.buf, s.pos, s.end = memory, 0, n
	}
}

// has reports whether n bytes can be peeked at without reading.
func (s *stream) has(n uint32) bool { return uint64(s.end-s.pos) >= uint64(n) }

// advance passes n bytes that peek has returned.
func (s *stream) advance(n int) { s.pos += n }

// skip passes n bytes, and reports whether there were that many.
func (s *stream) skip(n int64) bool {
	for n > 0 {
		b, _ := s.peek(int(min(n, bufferSize)))
		if len(b) == 0 {
			return false
		}
		s.advance(len(b))
		n -= int64(len(b))
	}
	return true
}

// cut is why bytes are missing that must be there.
func (s *stream) cut() error {
	if s.err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return s.err
}

// offset is where in the file the next byte is.
func (s *stream) offset() int64 { return s.base + int64(s.pos) }

// read is how many bytes were taken from the file so far.
func (s *stream) read() int64 { return s.base + int64(s.end) }

// Read makes a stream the input of a decompressor.
func (s *stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, _ := s.peek(1)
	if len(b) == 0 {
		return 0, s.err
	}
	n := copy(p, s.buf[s.pos:s.end])
	s.advance(n)
	return n, nil
}

// ended says how the file ended when the record at offset could not be read
// whole: io.EOF after the last record, or why the rest is missing. The
// record would have had packet number n.
func (s *stream) ended(offset int64, n int) error {
	switch {
	case s.err == io.EOF && s.read() == offset:
		return io.EOF
	case s.err == io.EOF, errors.Is(s.err, io.ErrUnexpectedEOF):
		return &capture.TruncatedError{Packet: n, Offset: offset}
	}
	return &capture.DamagedError{Packet: n, Offset: s.read(), Reason: s.err.Error()}
}
