// Package http reads the head of the first HTTP request and response on a
// connection, as far as a WebSocket upgrade needs it (RFC 6455 §4).
package http

import "bytes"

const (
	// maxHead is how far the end of a head is searched for: more than any
	// browser sends, cookies and all.
	maxHead = 64 << 10
	// maxLine is what is read of one line: the fields of an upgrade are short,
	// and of a request line only the path is wanted.
	maxLine = 1 << 10
)

// Head reads the first bytes of one direction until the head is whole. Its zero
// value is ready. It holds no more than the line under way, at most maxLine
// bytes of it, and wipes it: fields carry cookies and passwords.
type Head struct {
	m     Message
	line  []byte
	size  int
	begun bool // the first line has been read
	done  bool
}

// Feed takes the next bytes. Once, when the head is whole or has reached
// maxHead, it returns what the head says, and the bytes of p that follow it;
// nil before and after.
func (h *Head) Feed(p []byte) (m *Message, rest []byte) {
	for len(p) > 0 && !h.done {
		within := p[:min(len(p), maxHead-h.size)]
		end := bytes.IndexByte(within, '\n')
		if end < 0 {
			h.size += len(within)
			h.keep(within)
			p = p[len(within):]
		} else {
			h.size += end + 1
			h.done = h.endLine(p[:end])
			p = p[end+1:]
		}
		if h.size >= maxHead && !h.done {
			h.done, h.m.Cut, p = true, true, nil
		}
		if h.done {
			clear(h.line)
			h.line = nil
			return &h.m, p
		}
	}
	return nil, nil
}

// endLine takes the last bytes of a line, and reports whether it ends the head.
func (h *Head) endLine(p []byte) bool {
	line := p[:min(len(p), maxLine)]
	if len(h.line) > 0 {
		h.keep(p)
		line = h.line
	}
	ends := h.read(bytes.TrimSuffix(line, []byte("\r")))
	clear(h.line)
	h.line = h.line[:0]
	return ends
}

// read takes a line without its end, and reports whether it ends the head.
func (h *Head) read(line []byte) bool {
	switch {
	case len(line) > 0 && !h.begun:
		h.begun = true
		h.m.first(line)
	case len(line) > 0:
		h.m.field(line)
	case h.begun && h.m.interim():
		h.m, h.begun = Message{}, false
	default:
		// Empty lines before the first are no head (RFC 9112 §2.2).
		return h.begun
	}
	return false
}

// keep adds to the line under way, in memory that is made once so that growing
// leaves no copies.
func (h *Head) keep(p []byte) {
	if h.line == nil {
		h.line = make([]byte, 0, maxLine)
	}
	h.line = append(h.line, p[:min(len(p), maxLine-len(h.line))]...)
}
