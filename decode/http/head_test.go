package http

import (
	"reflect"
	"strings"
	"testing"
)

func TestHead(t *testing.T) {
	tests := []struct {
		name, head string
		want       Message
	}{
		{"upgrade", "GET /mqtt HTTP/1.1\r\nUpgrade: WebSocket\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
			Message{Method: "GET", Path: "/mqtt", Upgrade: true, MQTT: true, Protocols: []string{"mqtt"}}},
		{"every field", "GET /mqtt HTTP/1.1\r\nhost: b.example:8083\r\nUpgrade: h2c, websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqttv3.1,, mqtt\r\nSec-WebSocket-Protocol: x\r\n\r\n",
			Message{Method: "GET", Path: "/mqtt", Host: "b.example:8083", Version: "13", Upgrade: true, MQTT: true, Protocols: []string{"mqttv3.1", "mqtt", "x"}}},
		{"without the subprotocol", "GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n", Message{Method: "GET", Path: "/", Upgrade: true}},
		{"another subprotocol", "GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqttv3.1\r\n\r\n",
			Message{Method: "GET", Path: "/", Upgrade: true, Protocols: []string{"mqttv3.1"}}},
		{"request", "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", Message{Method: "GET", Path: "/x", Host: "a"}},
		{"line feeds alone", "GET /x HTTP/1.1\nUpgrade: websocket\n\n", Message{Method: "GET", Path: "/x", Upgrade: true}},
		{"empty line first", "\r\n\r\nGET /x HTTP/1.1\r\n\r\n", Message{Method: "GET", Path: "/x"}},
		{"secrets", "GET /mqtt?token=s3cret HTTP/1.1\r\nCookie: s3cret\r\nAuthorization: Bearer s3cret\r\nSec-WebSocket-Key: s3cret\r\n\r\n", Message{Method: "GET", Path: "/mqtt"}},
		{"path parameter", "GET /mqtt;jsessionid=s3cret HTTP/1.1\r\n\r\n", Message{Method: "GET", Path: "/mqtt"}},
		{"whole URL", "GET http://user:s3cret@b.example/mqtt HTTP/1.1\r\n\r\n", Message{Method: "GET", Path: "/mqtt"}},
		{"whole URL without a path", "GET http://user:s3cret@b.example HTTP/1.1\r\n\r\n", Message{Method: "GET", Path: "/"}},
		{"token as subprotocol", "GET / HTTP/1.1\r\nSec-WebSocket-Protocol: eyJhbGciOiJIUzI1NiIsInR5c, mqtt\r\n\r\n",
			Message{Method: "GET", Path: "/", MQTT: true, Protocols: []string{"eyJhbGci…", "mqtt"}}},
		{"many subprotocols", "GET / HTTP/1.1\r\nSec-WebSocket-Protocol: 1,2,3,4,5,6,7,8,9,mqtt\r\n\r\n",
			Message{Method: "GET", Path: "/", MQTT: true, Protocols: strings.Split("12345678", "")}},
		{"long texts", strings.Repeat("M", 500) + " /" + strings.Repeat("p", 400) + "\r\nHost: " + strings.Repeat("h", 5000) + "\r\nSec-WebSocket-Version: " + strings.Repeat("1", 99) + "\r\n\r\n",
			Message{Method: strings.Repeat("M", 16), Path: "/" + strings.Repeat("p", 255), Host: strings.Repeat("h", 256), Version: strings.Repeat("1", 16)}},
		{"long fields that do not matter", "GET /x HTTP/1.1\r\nCookie: " + strings.Repeat("c", 30000) + "\r\nUpgrade: websocket\r\n\r\n",
			Message{Method: "GET", Path: "/x", Upgrade: true}},
		{"an extension only asked for", "GET / HTTP/1.1\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", Message{Method: "GET", Path: "/"}},

		{"answer", "HTTP/1.1 400 Bad Request\r\n\r\n", Message{Status: 400}},
		{"broken fields", "HTTP/1.1 101\r\n: :\r\n\r\n", Message{Status: 101}},
		{"switch", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
			Message{Status: 101, Upgrade: true, MQTT: true, Protocol: "mqtt"}},
		{"interim", "HTTP/1.1 100 Continue\r\nUpgrade: x\r\n\r\nHTTP/1.1 103\r\n\r\nHTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n", Message{Status: 101, Upgrade: true}},
		{"status of four digits", "HTTP/1.1 1011 x\r\n\r\n", Message{}},
		{"status too low", "HTTP/1.1 -10 x\r\n\r\n", Message{}},
		{"deflate", "HTTP/1.1 101 x\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
			Message{Status: 101, Deflate: &Deflate{false, false, 15, 15}}},
		{"deflate with everything", "HTTP/1.1 101 x\r\nSec-WebSocket-Extensions: x; y=1, Permessage-Deflate ; server_no_context_takeover;client_no_context_takeover; server_max_window_bits=10 ;client_max_window_bits=\"12\"\r\n\r\n",
			Message{Status: 101, Deflate: &Deflate{true, true, 10, 12}}},
		{"deflate on the server's side", "HTTP/1.1 101 x\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n",
			Message{Status: 101, Deflate: &Deflate{true, false, 15, 15}}},
		{"deflate with broken windows", "HTTP/1.1 101 x\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7; client_max_window_bits\r\n\r\n",
			Message{Status: 101, Deflate: &Deflate{false, false, 15, 15}}},
		{"another extension", "HTTP/1.1 101 x\r\nSec-WebSocket-Extensions: permessage-deflated, x-webkit-deflate-frame\r\n\r\n", Message{Status: 101}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			whole := test.head + "\r\nbehind\r\n\r\n"
			for _, size := range []int{1, 2, 3, 7, 1000, len(whole)} {
				var h Head
				m, fed, rest := feed(t, &h, whole, size)
				if m == nil || !reflect.DeepEqual(*m, test.want) {
					t.Fatalf("in pieces of %d: %+v, want %+v", size, m, test.want)
				}
				if want := len(whole) - len("\r\nbehind\r\n\r\n"); fed-len(rest) != want {
					t.Errorf("in pieces of %d: ends after %d bytes, want %d", size, fed-len(rest), want)
				}
				if !strings.HasSuffix(whole[:fed], string(rest)) {
					t.Errorf("in pieces of %d: %q behind", size, rest)
				}
				if m, rest := h.Feed([]byte("HTTP/1.1 200 OK\r\n\r\n")); m != nil || rest != nil {
					t.Error("a second head was read")
				}
			}
		})
	}
}

// feed feeds s in pieces until a message comes, and says how much was fed.
func feed(t *testing.T, h *Head, s string, size int) (m *Message, fed int, rest []byte) {
	for fed < len(s) {
		piece := s[fed:min(fed+size, len(s))]
		fed += len(piece)
		if m, rest = h.Feed([]byte(piece)); m != nil {
			return m, fed, rest
		}
		if rest != nil {
			t.Fatal("bytes behind a head that is not whole")
		}
		if cap(h.line) > maxLine {
			t.Fatalf("%d bytes held", cap(h.line))
		}
	}
	return nil, fed, nil
}

// What is never a head is given up, however it comes.
func TestHeadWithoutEnd(t *testing.T) {
	for _, text := range []string{"GET /x HTTP/1.1\r\n" + strings.Repeat("a", 2*maxHead), "GET /x HTTP/1.1\r\n" + strings.Repeat("a: b\r\n", maxHead), strings.Repeat("\r\n", maxHead)} {
		for _, size := range []int{1, 1000, len(text)} {
			var h Head
			m, fed, rest := feed(t, &h, text, size)
			if m == nil || !m.Cut || rest != nil {
				t.Fatalf("%+v with %d bytes behind", m, len(rest))
			}
			if size < len(text) && fed > maxHead+size {
				t.Errorf("given up after %d bytes", fed)
			}
			if strings.HasPrefix(text, "GET") && m.Path != "/x" {
				t.Errorf("path %q", m.Path)
			}
		}
	}
}

// A line that came in pieces held a cookie, perhaps.
func TestHeadWipesLines(t *testing.T) {
	var h Head
	h.Feed([]byte("GET / HTTP/1.1\r\nCookie: s3c"))
	held := h.line[:cap(h.line)]
	if !strings.Contains(string(held), "s3c") {
		t.Fatal("not held there")
	}
	h.Feed([]byte("ret\r\n"))
	if strings.Trim(string(held), "\x00") != "" {
		t.Errorf("%q is left", held)
	}
}

func FuzzHead(f *testing.F) {
	f.Add("GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\x82\x00", 3)
	f.Add("HTTP/1.1 100 x\n\nHTTP/1.1 101 x\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\"9\"\r\n\r\n", 1)
	f.Add(strings.Repeat("GET ", 3000), 700)
	f.Add("\r\n\r\n", 1)
	f.Fuzz(func(t *testing.T, s string, size int) {
		size = max(size, 1)
		var one, pieces Head
		m, fed, rest := feed(t, &one, s, max(len(s), 1))
		n, fedPieces, restPieces := feed(t, &pieces, s, size)
		if m == nil && n == nil {
			return
		}
		if !reflect.DeepEqual(m, n) || !m.Cut && fed-len(rest) != fedPieces-len(restPieces) {
			t.Errorf("whole: %+v after %d; in pieces: %+v after %d", m, fed-len(rest), n, fedPieces-len(restPieces))
		}
		if len(m.Method)+len(m.Path)+len(m.Host)+len(m.Version) > maxMethod+2*maxText+maxVersion || len(m.Protocols) > maxProtocols || strings.Contains(m.Path, "?") {
			t.Errorf("%+v", m)
		}
	})
}
