package decode

import (
	"bytes"
	"compress/flate"
	"reflect"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/decode/ws"
)

const (
	webRequest  = "GET /mqtt?token=s3cret HTTP/1.1\r\nHost: b.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqttv3.1, mqtt\r\n\r\n"
	webResponse = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)

func webAnswer(fields string) string {
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" + fields + "\r\n\r\n"
}

// webFrame is a frame of at most 125 bytes; a client's is masked.
func webFrame(first byte, client bool, payload string) string {
	if !client {
		return string([]byte{first, byte(len(payload))}) + payload
	}
	key := "\x11\x22\x33\x44"
	b := []byte{first, 0x80 | byte(len(payload))}
	b = append(b, key...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return string(b)
}

// webDeflater makes compressed frames with one context.
func webDeflater() func(client bool, payload string) string {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.BestCompression)
	return func(client bool, payload string) string {
		out.Reset()
		w.Write([]byte(payload))
		w.Flush()
		return webFrame(0xc2, client, strings.TrimSuffix(out.String(), "\x00\x00\xff\xff"))
	}
}

func TestWeb(t *testing.T) {
	const client, server = true, false
	type step struct {
		client bool
		bytes  string
		hole   int64 // before the bytes
	}
	upgraded := HTTP{Method: "GET", Path: "/mqtt", Upgrade: true, Subprotocol: true, Protocols: []string{"mqttv3.1", "mqtt"}, Status: 101, Accepted: true, Protocol: "mqtt"}
	with := func(change func(*HTTP)) HTTP {
		h := upgraded
		change(&h)
		return h
	}
	connect, connack := webFrame(0x82, client, "CONNECT"), webFrame(0x82, server, "CONNACK")
	compress := webDeflater()
	compressed := []string{compress(client, "CONNECT"), compress(client, "CONNECT again")}
	alone := []string{webDeflater()(server, "CONNACK"), webDeflater()(server, "CONNACK again")}
	tests := []struct {
		name           string
		steps          []step
		client, server string // a hole is written as dots
		want           HTTP
		lost           bool
	}{
		{"upgrade", []step{{client, webRequest, 0}, {server, webResponse, 0}, {client, connect, 0}, {server, connack, 0}},
			"CONNECT", "CONNACK", upgraded, false},
		{"all at once", []step{{client, webRequest + connect, 0}, {server, webResponse + connack, 0}}, "CONNECT", "CONNACK", upgraded, false},
		{"answer captured first", []step{{server, webResponse + connack, 0}, {client, webRequest + connect, 0}}, "CONNECT", "CONNACK", upgraded, false},
		{"frames before the answer", []step{{client, webRequest, 0}, {client, connect[:3], 0}, {client, connect[3:], 0}, {server, webResponse, 0}, {client, connect, 0}},
			"CONNECTCONNECT", "", upgraded, false},
		{"interim answer", []step{{client, webRequest, 0}, {server, "HTTP/1.1 100 Continue\r\n\r\n" + webResponse, 0}, {client, connect, 0}},
			"CONNECT", "", upgraded, false},
		{"without the subprotocol", []step{{client, webRequest, 0}, {server, webAnswer("Server: x") + connack, 0}}, "", "CONNACK",
			with(func(h *HTTP) { h.Accepted, h.Protocol = false, "" }), false},
		{"another subprotocol", []step{{client, webRequest, 0}, {server, webAnswer("Sec-WebSocket-Protocol: mqttv3.1") + connack, 0}}, "", "CONNACK",
			with(func(h *HTTP) { h.Accepted, h.Protocol = false, "mqttv3.1" }), false},
		{"only the server's side", []step{{server, webResponse + connack, 0}}, "", "CONNACK", HTTP{Status: 101, Accepted: true, Protocol: "mqtt"}, false},
		{"only the client's side", []step{{client, webRequest + connect, 0}}, "", "",
			with(func(h *HTTP) { h.Status, h.Accepted, h.Protocol = 0, false, "" }), false},
		{"refused", []step{{client, webRequest + connect, 0}, {server, "HTTP/1.1 400 Bad Request\r\n\r\n" + connack, 0}, {client, connect, 0}, {server, "", 5}}, "", "",
			with(func(h *HTTP) { h.Status, h.Accepted, h.Protocol = 400, false, "" }), false},
		{"switched to another protocol", []step{{client, webRequest, 0}, {server, "HTTP/1.1 101 x\r\nUpgrade: h2c\r\n\r\n" + connack, 0}}, "", "",
			with(func(h *HTTP) { h.Accepted, h.Protocol = false, "" }), false},
		{"no upgrade", []step{{client, "POST /x HTTP/1.1\r\n\r\nbody", 0}, {client, "more", 5}, {server, "HTTP/1.1 200 OK\r\n\r\nbody", 0}}, "", "",
			HTTP{Method: "POST", Path: "/x", Status: 200}, false},

		{"close and text", []step{{client, webRequest, 0}, {server, webResponse, 0}, {client, webFrame(0x81, client, "CONNECT"), 0},
			{server, webFrame(0x88, server, "\x03\xeb"), 0}, {client, webFrame(0x88, client, "\x03\xe8"), 0}},
			"CONNECT", "", with(func(h *HTTP) { h.Text, h.CloseCode = true, 1003 }), false},
		{"compressed with the client's context", []step{{client, webRequest, 0}, {client, compressed[0], 0}, {server, webAnswer("Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover"), 0},
			{client, compressed[1], 0}, {server, alone[0] + alone[1], 0}},
			"CONNECTCONNECT again", "CONNACKCONNACK again", upgraded, false},
		{"compressed, but not agreed", []step{{client, webRequest, 0}, {server, webResponse, 0}, {client, compressed[0], 0}}, "", "", upgraded, true},

		{"hole in the request", []step{{client, webRequest[:50], 0}, {client, webRequest[60:] + connect, 10}, {server, webResponse + connack, 0}}, "", "CONNACK",
			HTTP{Status: 101, Accepted: true, Protocol: "mqtt"}, true},
		{"hole in the answer", []step{{client, webRequest + connect, 0}, {server, webResponse[10:] + connack, 10}, {client, connect, 0}}, "", "",
			with(func(h *HTTP) { h.Status, h.Accepted, h.Protocol = 0, false, "" }), true},
		{"hole in what is held", []step{{client, webRequest + connect, 0}, {client, connect, 5}, {server, webResponse + connack, 0}, {client, connect, 0}}, "CONNECT", "CONNACK", upgraded, true},
		{"hole in what is held, refused", []step{{client, webRequest + connect, 0}, {client, connect, 5}, {server, "HTTP/1.1 403 x\r\n\r\n", 0}}, "", "",
			with(func(h *HTTP) { h.Status, h.Accepted, h.Protocol = 403, false, "" }), false},
		{"more than is held", []step{{client, webRequest + connect, 0}, {client, strings.Repeat("x", maxWebHeld), 0}, {server, webResponse, 0}}, "CONNECT", "", upgraded, true},
		{"hole in a payload", []step{{client, webRequest, 0}, {server, webResponse, 0}, {client, connect[:8], 0}, {client, connect[12:], 4}},
			"CO....T", "", upgraded, false},
		{"hole between frames", []step{{client, webRequest, 0}, {server, webResponse, 0}, {client, connect, 0}, {client, connect, 4}, {server, connack, 0}},
			"CONNECT", "CONNACK", upgraded, true},
		{"endless answer", []step{{client, webRequest + connect, 0}, {server, "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n" + strings.Repeat("a: b\r\n", 20000), 0}}, "", "",
			with(func(h *HTTP) { h.Status, h.Accepted, h.Protocol = 0, false, "" }), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, size := range []int{1 << 20, 1, 2, 7} {
				w := newWeb(new(ws.Budget))
				var got [2]string
				yield := func(client bool, payload []byte) { got[direct(client)] += string(payload) }
				for _, s := range test.steps {
					if s.hole > 0 {
						w.skip(s.client, s.hole, func(n int64) { got[direct(s.client)] += strings.Repeat(".", int(n)) })
					}
					for b := []byte(s.bytes); len(b) > 0; {
						n := min(size, len(b))
						w.feed(s.client, b[:n], yield)
						b = b[n:]
					}
				}
				if got[fromClient] != test.client || got[fromServer] != test.server {
					t.Errorf("in pieces of %d: client %q, server %q", size, got[fromClient], got[fromServer])
				}
				for _, when := range []string{"before", "after"} {
					if !reflect.DeepEqual(w.out, test.want) || w.lost() != test.lost {
						t.Errorf("in pieces of %d, %s release: %+v, lost %v", size, when, w.out, w.lost())
					}
					w.release()
				}
				w.feed(client, []byte(connect), func(bool, []byte) { t.Error("followed when released") })
				w.skip(server, 1, func(int64) { t.Error("followed when released") })
			}
		})
	}
}

// What is held is the Budget's, and given back.
func TestWebHolds(t *testing.T) {
	budget := new(ws.Budget)
	frame := []byte(webFrame(0x82, true, strings.Repeat("x", 100)))
	ends := map[string]func(*web){
		"released":  (*web).release,
		"agreed to": func(w *web) { w.feed(false, []byte(webResponse), func(bool, []byte) {}) },
		"refused":   func(w *web) { w.feed(false, []byte("HTTP/1.1 400 x\r\n\r\n"), func(bool, []byte) {}) },
		"missed":    func(w *web) { w.skip(false, 1, nil) },
	}
	for name, end := range ends {
		w := newWeb(budget)
		w.feed(true, []byte(webRequest), nil)
		for range 1000 {
			w.feed(true, frame, nil)
		}
		held := w.held[:cap(w.held)]
		if len(held) < maxWebHeld-len(frame) || len(held) > maxWebHeld {
			t.Errorf("%s: %d bytes held", name, len(held))
		}
		end(w)
		if w.held != nil || len(bytes.Trim(held, "\x00")) > 0 {
			t.Errorf("%s: still held", name)
		}
	}
	// Whatever was not given back is missing now.
	all := 0
	for {
		w := newWeb(budget)
		w.feed(true, []byte(webRequest), nil)
		for range 150 {
			w.feed(true, frame, nil)
		}
		if w.heldGap {
			break
		}
		all += cap(w.held)
	}
	if all <= 32<<20-2*maxWebHeld {
		t.Errorf("%d bytes are all that can be held", all)
	}
}
