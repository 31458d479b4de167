package http

import (
	"bytes"
	"strconv"
)

// Deflate is what a response agrees to of permessage-deflate (RFC 7692 §7.1).
type Deflate struct {
	// ServerNoContext and ClientNoContext say that each message of that side
	// is compressed by itself.
	ServerNoContext, ClientNoContext bool
	// ServerWindowBits and ClientWindowBits are how far back each side's
	// compression refers, as a power of two: 8 to 15.
	ServerWindowBits, ClientWindowBits int
}

// parseDeflate finds permessage-deflate in a Sec-WebSocket-Extensions field; nil
// without it.
func parseDeflate(value []byte) *Deflate {
	for extension := range bytes.SplitSeq(value, []byte(",")) {
		name, params, _ := bytes.Cut(extension, []byte(";"))
		if !is(bytes.TrimSpace(name), "permessage-deflate") {
			continue
		}
		d := &Deflate{ServerWindowBits: 15, ClientWindowBits: 15}
		for param := range bytes.SplitSeq(params, []byte(";")) {
			d.agree(param)
		}
		return d
	}
	return nil
}

func (d *Deflate) agree(param []byte) {
	name, value, _ := bytes.Cut(param, []byte("="))
	name = bytes.TrimSpace(name)
	switch {
	case is(name, "server_no_context_takeover"):
		d.ServerNoContext = true
	case is(name, "client_no_context_takeover"):
		d.ClientNoContext = true
	case is(name, "server_max_window_bits"):
		d.ServerWindowBits = windowBits(value)
	case is(name, "client_max_window_bits"):
		d.ClientWindowBits = windowBits(value)
	}
}

// windowBits reads a number that may be quoted (RFC 7692 §7.1.2), 15 where it is
// none.
func windowBits(value []byte) int {
	n, err := strconv.Atoi(string(bytes.Trim(value, " \t\"")))
	if err != nil || n < 8 || n > 15 {
		return 15
	}
	return n
}
