package http

import (
	"strings"
	"testing"
)

func TestHead(t *testing.T) {
	tests := []struct {
		name, head string
		want       Message
	}{
		{"upgrade", "GET /mqtt HTTP/1.1\r\nUpgrade: WebSocket\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n", Message{Method: "GET", Path: "/mqtt", Upgrade: true, MQTT: true}},
		{"without the subprotocol", "GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n", Message{Method: "GET", Path: "/", Upgrade: true}},
		{"another subprotocol", "GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqttv3.1\r\n\r\n", Message{Method: "GET", Path: "/", Upgrade: true}},
		{"request", "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", Message{Method: "GET", Path: "/x"}},
		{"answer", "HTTP/1.1 400 Bad Request\r\n\r\n", Message{Status: 400}},
		{"broken fields", "HTTP/1.1 101\r\n: :\r\n\r\n", Message{Status: 101}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var h Head
			for i := range len(test.head) - 1 {
				if m := h.Feed([]byte{test.head[i]}); m != nil {
					t.Fatalf("whole after %d bytes", i+1)
				}
			}
			m := h.Feed([]byte("\n"))
			if m == nil || *m != test.want {
				t.Errorf("%+v, want %+v", m, test.want)
			}
			if h.Feed([]byte("HTTP/1.1 200 OK\r\n\r\n")) != nil {
				t.Error("a second head was read")
			}
		})
	}
}

func FuzzHead(f *testing.F) {
	f.Add("GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
	f.Add(strings.Repeat("GET ", 3000))
	f.Add("\r\n\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		var h Head
		h.Feed([]byte(s))
		if len(h.b) > maxHead {
			t.Errorf("%d bytes kept", len(h.b))
		}
	})
}
