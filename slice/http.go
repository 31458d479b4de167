package slice

import (
	"bytes"
	"strconv"
)

// maxHTTPLine is how much of a line of an HTTP head is looked at; more than the decoder
// reads. Of a longer line the rest is overwritten.
const maxHTTPLine = 2 << 10

// httpScan finds in the head of an HTTP message what may be secret: all but the
// fields that a WebSocket upgrade is made of, and of those the tokens.
type httpScan struct {
	line []byte
	// at is the offset of the next byte, began that of the line under way.
	at, began int64
	first     bool // the first line has been read
	response  bool
	status    int
	upgrade   bool
	done      bool
}

// feed takes the bytes from an offset on, and returns those behind the head.
func (h *httpScan) feed(p []byte, off int64, to sink) (rest []byte, restAt int64) {
	if off != h.at && h.at != 0 {
		h.end(to)
		h.done = true
		to.unknown(h.at, endless)
	}
	h.at = off
	for len(p) > 0 && !h.done {
		if len(h.line) == 0 {
			h.began = h.at
		}
		end := bytes.IndexByte(p, '\n')
		n := end + 1
		if end < 0 {
			n = len(p)
		}
		h.line = append(h.line, p[:min(n, maxHTTPLine-len(h.line))]...)
		h.at += int64(n)
		p = p[n:]
		if end >= 0 {
			h.endLine(to)
		}
	}
	return p, h.at
}

// end takes a line that has begun and not ended.
func (h *httpScan) end(to sink) {
	if len(h.line) > 0 {
		to.unknown(h.began, h.at)
	}
	h.drop()
}

// drop wipes the line: it may have held a password.
func (h *httpScan) drop() {
	clear(h.line)
	h.line = h.line[:0]
}

func (h *httpScan) endLine(to sink) {
	long := h.began+int64(len(h.line)) < h.at
	line := bytes.TrimRight(h.line, "\r\n")
	switch {
	case len(line) > 0 && !h.first:
		h.first = true
		h.firstLine(line, to)
	case len(line) > 0:
		h.field(line, to)
	case h.first && h.response && h.status/100 == 1 && h.status != 101:
		// Another response follows (RFC 9110 §15.2).
		h.first, h.upgrade = false, false
	case h.first:
		h.done = true
	}
	if long {
		// Not the line's end.
		to.unknown(h.began+int64(len(h.line)), h.at-2)
	}
	h.drop()
}

// firstLine reads a request line or a status line (RFC 9112 §3 and §4).
func (h *httpScan) firstLine(line []byte, to sink) {
	word, rest, _ := bytes.Cut(line, []byte(" "))
	if h.response = bytes.HasPrefix(word, []byte("HTTP/")); h.response {
		code, _, _ := bytes.Cut(rest, []byte(" "))
		h.status, _ = strconv.Atoi(string(code)) // 0 for what is no number
		return
	}
	target, _, _ := bytes.Cut(rest, []byte(" "))
	from := h.began + int64(len(word)) + 1
	if scheme := bytes.Index(target, []byte("://")); scheme >= 0 {
		// A user name and a password may stand before the host.
		host := target[scheme+3:]
		if slash := bytes.IndexByte(host, '/'); slash >= 0 {
			host = host[:slash]
		}
		if user := bytes.LastIndexByte(host, '@'); user >= 0 {
			to.unknown(from+int64(scheme)+3, from+int64(scheme)+3+int64(user))
		}
	}
	path := target
	if at := bytes.IndexAny(target, "?;#"); at >= 0 {
		to.unknown(from+int64(at)+1, from+int64(len(target)))
		path = target[:at]
	}
	to.name(from, path)
}

// field reads a field line. Those that are known to hold no secret stay.
func (h *httpScan) field(line []byte, to sink) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	at := h.began + int64(len(name)) + 1
	switch string(bytes.ToLower(name)) {
	case "upgrade":
		h.upgrade = h.upgrade || bytes.Contains(bytes.ToLower(value), []byte("websocket"))
	case "sec-websocket-protocol":
		// Scripts in browsers offer their bearer token as a subprotocol.
		h.tokens(value, at, to)
	case "host":
		skipped := len(value) - len(bytes.TrimLeft(value, " \t"))
		to.name(at+int64(skipped), value[skipped:])
	case "connection", "sec-websocket-version", "sec-websocket-extensions", "sec-websocket-key", "sec-websocket-accept",
		"server", "user-agent", "date", "content-length", "content-type", "transfer-encoding":
	default:
		if skipped := len(value) - len(bytes.TrimLeft(value, " \t")); skipped < len(value) {
			to.unknown(at+int64(skipped), at+int64(len(value)))
		}
	}
}

// maxToken is as long as the names of subprotocols are; of what is longer the
// beginning stays, as in reports.
const (
	maxToken   = 20
	tokenStart = 8
)

func (h *httpScan) tokens(value []byte, at int64, to sink) {
	for token := range bytes.SplitSeq(value, []byte(",")) {
		trimmed := bytes.TrimLeft(token, " \t")
		if len(bytes.TrimSpace(trimmed)) > maxToken {
			from := at + int64(len(token)-len(trimmed))
			to.unknown(from+tokenStart, from+int64(len(bytes.TrimRight(trimmed, " \t"))))
		}
		at += int64(len(token)) + 1
	}
}
