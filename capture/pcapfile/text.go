package pcapfile

import "github.com/mqttriage/mqttriage/capture"

// Text is an open file, plain or compressed, that begins with '{' as JSON does
// and no capture.
type Text struct {
	name        string
	compression string
	in          *stream
	file        *counted
	close       func() error
}

// Name is the file's name for reports and errors.
func (t *Text) Name() string { return t.name }

// Refuse is the error of a text that nobody can use: what it is, and a hint,
// which may be empty.
func (t *Text) Refuse(reason, hint string) error {
	if t.compression != "" {
		reason = "inside " + t.compression + ", " + reason
	}
	return &capture.NotCaptureError{Name: t.name, Reason: reason, Hint: hint}
}

// Read reads the text, without its compression.
func (t *Text) Read(p []byte) (int, error) {
	have, _ := t.in.peek(1)
	if len(have) == 0 {
		return 0, t.in.err
	}
	n := copy(p, t.in.buf[t.in.pos:t.in.end])
	t.in.advance(n)
	return n, nil
}

// Offset is how many bytes of the file were read so far, compressed as they are.
// It may be called at any time, from any goroutine.
func (t *Text) Offset() int64 { return t.file.n.Load() }

// Close closes the file.
func (t *Text) Close() error { return t.close() }
