// Package http reads the head of the first HTTP request and response on a
// connection, as far as a WebSocket upgrade needs it (RFC 6455 §4).
package http

import (
	"bufio"
	"bytes"
	"net/textproto"
	"strconv"
	"strings"
)

// maxHead is how many bytes of a head are kept: more than browsers send, less
// than hurts.
const maxHead = 8 << 10

// Head gathers the first bytes of one direction until the head is whole. Its
// zero value is ready.
type Head struct {
	b    []byte
	done bool
}

// Feed takes the next bytes and returns the head's first line and fields, once,
// when it is whole or has reached maxHead; nil before and after.
func (h *Head) Feed(p []byte) *Message {
	if h.done {
		return nil
	}
	h.b = append(h.b, p[:min(len(p), maxHead-len(h.b))]...)
	end := bytes.Index(h.b, []byte("\r\n\r\n"))
	if end < 0 && len(h.b) < maxHead {
		return nil
	}
	m := parse(h.b)
	h.done, h.b = true, nil
	return m
}

// Message is the head of a request or of a response.
type Message struct {
	// Method and Path are a request's, Status is a response's.
	Method, Path string
	Status       int
	// Upgrade says that the Upgrade field names websocket, MQTT that
	// Sec-WebSocket-Protocol lists mqtt [MQTT-6.0.0-3].
	Upgrade, MQTT bool
}

func parse(b []byte) *Message {
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(b)))
	line, err := r.ReadLine()
	if err != nil {
		return &Message{}
	}
	m := &Message{}
	words := strings.SplitN(line, " ", 3)
	if strings.HasPrefix(line, "HTTP/") && len(words) > 1 {
		m.Status, _ = strconv.Atoi(words[1])
	} else if len(words) > 1 {
		m.Method, m.Path = words[0], words[1]
	}
	// What can be read of broken fields is used.
	fields, _ := r.ReadMIMEHeader()
	m.Upgrade = lists(fields, "Upgrade", "websocket")
	m.MQTT = lists(fields, "Sec-Websocket-Protocol", "mqtt")
	return m
}

// lists reports whether a comma-separated field has a token.
func lists(fields textproto.MIMEHeader, name, token string) bool {
	for _, value := range fields[name] {
		for _, t := range strings.Split(value, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}
