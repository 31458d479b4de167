package mqttriage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
)

// A talk is a capture in the making: connections of clients to the broker
// 192.0.2.1:1883, packet after packet, a millisecond apart.
type talk struct {
	frames [][]byte
	at     []int64
	now    int64
	port   uint16 // the broker's, 1883 when 0
}

// A call is one connection of a talk.
type call struct {
	*talk
	from [6]byte
	seq  [2]uint32
}

func (t *talk) add(frame []byte) {
	if t.port != 0 {
		for _, at := range []int{34, 36} {
			if frame[at] == 0x07 && frame[at+1] == 0x5b {
				frame[at], frame[at+1] = byte(t.port>>8), byte(t.port)
			}
		}
	}
	t.now += 1e6
	t.frames, t.at = append(t.frames, frame), append(t.at, t.now)
}

// opened opens a connection from a client's address and port.
func (t *talk) opened(host byte, port uint16) *call {
	c := &call{talk: t, from: [6]byte{10, 0, 0, host, byte(port >> 8), byte(port)}, seq: [2]uint32{uint32(port) * 1000, uint32(port) * 2000}}
	c.send(0, 0x02, "")
	c.send(1, 0x12, "")
	c.send(0, 0x10, "")
	return c
}

// send sends a segment from client (0) or broker (1).
func (c *call) send(from int, flags byte, payload string) {
	ack := uint32(0)
	if flags&0x10 != 0 {
		ack = c.seq[1-from]
	}
	frame := tcpFrame(nil, c.from, len(c.frames)+1, flags, c.seq[from], ack, []byte(payload))
	if from == 1 {
		frame = fromBroker(frame)
	}
	c.add(frame)
	c.seq[from] += uint32(len(payload))
	if flags&0x03 != 0 {
		c.seq[from]++
	}
}

func (c *call) says(payload ...string)    { c.sendAll(0, payload) }
func (c *call) answers(payload ...string) { c.sendAll(1, payload) }

func (c *call) sendAll(from int, payloads []string) {
	for _, p := range payloads {
		c.send(from, 0x18, p)
	}
}

func (c *call) closes(from int) { c.send(from, 0x11, "") }

// connect4 and connect5 are CONNECTs of 3.1.1 and 5, with clean session.
func connect4(id string) string {
	return "\x10" + string(rune(12+len(id))) + "\x00\x04MQTT\x04\x02\x00\x3c" + text16(id)
}

func connect5(id string) string {
	return "\x10" + string(rune(13+len(id))) + "\x00\x04MQTT\x05\x02\x00\x3c\x00" + text16(id)
}

func text16(s string) string { return string([]byte{byte(len(s) >> 8), byte(len(s))}) + s }

const welcome4, welcome5 = "\x20\x02\x00\x00", "\x20\x03\x00\x00\x00"

// read analyses the talk.
func (t *talk) read(test *testing.T, ports ...uint16) (sessions []decode.Record, findings []string) {
	test.Helper()
	analyzer := analyze.New(analyze.Options{Ports: ports})
	decoder := decode.New(decode.Options{Capture: "talk", Index: 1, Ports: ports}, analyzer.Add)
	for i, frame := range t.frames {
		decoder.Add(capture.Packet{Number: i + 1, Nano: 1.7e18 + t.at[i], Link: capture.LinkEN10MB, Length: len(frame), Data: frame})
	}
	decoder.Close()
	for _, s := range analyzer.Sessions() {
		sessions = append(sessions, s.Record())
	}
	for _, f := range analyzer.Findings() {
		findings = append(findings, fmt.Sprintf("%s %s %d", f.Severity, f.Symptom, f.Sessions))
	}
	return sessions, findings
}

// TestOrdinaryTraffic holds what other tools trip over: each is a few packets, what
// its sessions must say, and the findings, all of them.
func TestOrdinaryTraffic(t *testing.T) {
	long := "\x10\x8c\x01\x00\x04MQTT\x04\x02\x00\x3c" + text16(strings.Repeat("i", 128))
	for _, test := range []struct {
		name     string
		talk     func(t *talk)
		sessions []string // id, version, outcome, code, close
		findings []string
	}{
		{"Remaining Length split over segments", func(t *talk) {
			c := t.opened(2, 40001)
			c.says(long[:1], long[1:2], long[2:3], long[3:])
			c.answers(welcome4)
		}, []string{strings.Repeat("i", 128) + " 3.1.1 accepted"}, nil},
		{"CONNECT, SUBSCRIBE and PUBLISH in one segment", func(t *talk) {
			c := t.opened(2, 40001)
			c.says(connect4("one") + "\x82\x06\x00\x01\x00\x01a\x00" + "\x30\x04\x00\x01ab")
			c.answers(welcome4 + "\x90\x03\x00\x01\x00")
			c.says("\xe0\x00")
			c.closes(0)
		}, []string{"one 3.1.1 accepted client/disconnect"}, nil},
		{"PROXY protocol 1", func(t *talk) {
			c := t.opened(2, 40001)
			c.says("PROXY TCP4 203.0.113.9 192.0.2.1 5555 1883\r\n" + connect4("far"))
			c.answers(welcome4)
		}, []string{"far 3.1.1 accepted [proxy-protocol] from 203.0.113.9:5555"}, nil},
		{"PROXY protocol 2, in two segments", func(t *talk) {
			c := t.opened(2, 40001)
			header := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x09\xc0\x00\x02\x01\x15\xb3\x07\x5b"
			c.says(header[:9], header[9:]+connect4("far"))
			c.answers(welcome4)
		}, []string{"far 3.1.1 accepted [proxy-protocol] from 203.0.113.9:5555"}, nil},
		{"one length byte for 140 bytes", func(t *talk) {
			c := t.opened(2, 40001)
			c.says("\x10\x8c" + long[3:])
			c.closes(1)
		}, []string{strings.Repeat("i", 128) + " 3.1.1 unanswered broker/fin [broken-length]"},
			[]string{"error closed-before-connack 1", "error malformed-connect 1"}},
		{"a length of four bytes where one would do", func(t *talk) {
			c := t.opened(2, 40001)
			c.says(connect4("wide"))
			c.answers("\x20\x82\x00\x00\x00")
			c.says("\x0a\xc0", "\xc0\x00")
		}, []string{"wide 3.1.1 accepted"}, nil},
		{"a 3.x CONNACK for a version 5 client", func(t *talk) {
			c := t.opened(2, 40001)
			c.says(connect5("new"))
			c.answers("\x20\x02\x00\x01")
			c.closes(1)
			d := t.opened(2, 40002)
			d.says(connect5("new"))
			d.answers("\x20\x02\x00\x84")
			d.closes(1)
		}, []string{"new 5 rejected 0x01 broker/fin", "new 5 rejected 0x84 broker/fin"},
			[]string{"error version-refused 2"}},
		{"a CONNACK whose CONNECT was not captured", func(t *talk) {
			c := t.opened(2, 40001)
			c.seq[0] += 30
			c.answers("\x20\x02\x00\x05")
			c.closes(1)
		}, []string{"-  rejected 0x05 broker/fin [gap]"}, []string{"error not-authorized 1"}},
		{"HTTP", func(t *talk) {
			c := t.opened(2, 40001)
			c.says("GET / HTTP/1.1\r\nHost: broker\r\n\r\n")
			c.closes(1)
		}, []string{"-  not-mqtt broker/fin"}, []string{"error http-on-mqtt-port 1"}},
		{"a TLS ClientHello", func(t *talk) {
			c := t.opened(2, 40001)
			c.says("\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03" + strings.Repeat("r", 32) + "\x00\x00\x02\x13\x01\x01\x00\x00\x00")
			c.closes(1)
		}, []string{"-  tls-failed broker/fin"}, []string{"error tls-to-plain-port 1"}},
		{"in clear on 8883", func(t *talk) {
			t.port = 8883
			c := t.opened(2, 40001)
			c.says(connect4("clear"))
			c.closes(1)
		}, []string{"clear 3.1.1 unanswered broker/fin"}, []string{"error plain-to-tls-port 1"}},
		{"port 17501", func(t *talk) {
			t.port = 17501
			c := t.opened(2, 40001)
			c.says(connect4("odd"))
			c.answers("\x20\x02\x00\x05")
			c.closes(1)
		}, []string{"odd 3.1.1 rejected 0x05 broker/fin"}, []string{"error not-authorized 1"}},
		{"a frame boundary that is no packet boundary", func(t *talk) {
			t.port = 9001
			c := t.opened(2, 40001)
			c.says("GET /mqtt HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
			c.answers("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
			rest := connect4("framed")[1:]
			c.says("\x82\x81\x00\x00\x00\x00\x10" + "\x82" + string([]byte{0x80 | byte(len(rest))}) + "\x00\x00\x00\x00" + rest)
			c.answers("\x82\x02\x20\x02", "\x82\x02\x00\x00")
		}, []string{"framed 3.1.1 accepted ws"}, nil},
		{"a client ID with a bar", func(t *talk) {
			c := t.opened(2, 40001)
			c.says(connect4("mosqsub|878-raspberrypi"))
			c.answers(welcome4)
		}, []string{"mosqsub|878-raspberrypi 3.1.1 accepted"}, nil},
		{"empty client IDs by the hundred", func(t *talk) {
			for i := range 100 {
				c := t.opened(byte(2+i%2), 40001+uint16(i))
				c.says(connect4(""))
				c.answers(welcome4)
			}
		}, slices.Repeat([]string{" 3.1.1 accepted"}, 100), nil},
		{"an ID used again after DISCONNECT without FIN", func(t *talk) {
			c := t.opened(2, 40001)
			c.says(connect4("again"))
			c.answers(welcome4)
			c.says("\xe0\x00")
			d := t.opened(3, 40002)
			d.says(connect4("again"))
			d.answers(welcome4)
		}, []string{"again 3.1.1 accepted client/disconnect", "again 3.1.1 accepted"}, nil},
		{"a takeover by a bare FIN, in version 5", func(t *talk) {
			c := t.opened(2, 40001)
			c.says(connect5("twin"))
			c.answers(welcome5)
			d := t.opened(3, 40002)
			d.says(connect5("twin"))
			c.closes(1)
			d.answers(welcome5)
		}, []string{"twin 5 accepted broker/fin", "twin 5 accepted"}, []string{"warning client-id-takeover 2"}},
		{"a second CONNACK in mid-session", func(t *talk) {
			c := t.opened(2, 40001)
			c.says(connect4("twice"))
			c.answers(welcome4, "\x20\x02\x00\x05")
		}, []string{"twice 3.1.1 accepted"}, nil},
		{"a second CONNECT on one connection", func(t *talk) {
			c := t.opened(2, 40001)
			c.says(connect4("first"))
			c.answers(welcome4)
			c.says(connect4("second"))
			c.closes(1)
		}, []string{"first 3.1.1 accepted broker/fin [second-connect]"}, []string{"error malformed-connect 1"}},
		{"one packet captured nine times", func(t *talk) {
			c := t.opened(2, 40001)
			c.says(connect4("span"))
			c.answers(welcome4)
			once := t.frames
			t.frames, t.at = nil, nil
			for i, frame := range once {
				for range 9 {
					t.frames, t.at = append(t.frames, frame), append(t.at, int64(i)*1e6)
				}
			}
		}, []string{"span 3.1.1 accepted [captured-twice]"}, nil},
		{"before and after NAT, with any", func(t *talk) {
			c := t.opened(2, 40001)
			c.says(connect4("nat"))
			c.answers(welcome4)
			inside := t.frames
			t.frames, t.at = nil, nil
			for i, frame := range inside {
				outside := slices.Clone(frame)
				host, port := outside[26:30], outside[34:36]
				if outside[36] != 0x07 || outside[37] != 0x5b { // from the broker
					host, port = outside[30:34], outside[36:38]
				}
				copy(host, []byte{198, 51, 100, 1})
				copy(port, []byte{0xee, 0x00})
				t.frames, t.at = append(t.frames, frame, outside), append(t.at, int64(i)*1e6, int64(i)*1e6+50e3)
			}
		}, []string{"nat 3.1.1 accepted [captured-twice]"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			talk := new(talk)
			test.talk(talk)
			records, findings := talk.read(t, talk.port)
			var sessions []string
			for _, r := range records {
				sessions = append(sessions, inShort(&r))
			}
			if !slices.Equal(sessions, test.sessions) {
				t.Errorf("sessions\n got  %q\n want %q", sessions, test.sessions)
			}
			slices.Sort(findings)
			if !slices.Equal(findings, test.findings) {
				t.Errorf("findings\n got  %q\n want %q", findings, test.findings)
			}
		})
	}
}

// inShort is a session in one line.
func inShort(r *decode.Record) string {
	line := "-"
	if r.ClientID != nil {
		line = *r.ClientID
	}
	line += " " + r.MQTTVersion + " " + r.Outcome.String()
	if r.Code != "" {
		line += " " + r.Code
	}
	if r.ClosedBy != decode.Nobody {
		line += " " + r.ClosedBy.String() + "/" + r.Close.String()
	}
	if len(r.Notes) > 0 {
		line += fmt.Sprintf(" %v", r.Notes)
	}
	if r.Transport != decode.TCP && r.Transport != decode.TLSTransport {
		line += " " + r.Transport.String()
	}
	if !strings.HasPrefix(r.Client, "10.") {
		line += " from " + r.Client
	}
	return line
}
