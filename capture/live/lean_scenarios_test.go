package live_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/capture"
)

// A talk is a capture in the making: what clients say to the broker 10.0.0.1:1883.
type talk struct {
	packets []capture.Packet
	now     time.Duration
}

// A call is one connection of it.
type call struct {
	*talk
	port, broker uint16
	sent         [2]uint32 // by the client and the broker, with SYN and FIN
}

func (t *talk) wait(d time.Duration) { t.now += d }

// opened opens a connection from a port of the client.
func (t *talk) opened(port, broker uint16) *call {
	c := &call{talk: t, port: port, broker: broker}
	c.send(0, syn, "")
	c.send(1, syn|ack, "")
	c.send(0, ack, "")
	return c
}

// send sends a segment from client (0) or broker (1).
func (c *call) send(from int, flags byte, payload string) {
	c.now += time.Millisecond
	ends := [2]uint16{c.port, c.broker}
	segment := tcpHeader(ends[from], ends[1-from], flags, 0, []byte(payload)...)
	put32(segment[4:], 1000*uint32(ends[from])+c.sent[from])
	if flags&ack != 0 {
		put32(segment[8:], 1000*uint32(ends[1-from])+c.sent[1-from])
	}
	segment[14] = 0xff // window
	hosts := header4{src: client4, dst: broker4, protocol: 6}
	if from == 1 {
		hosts.src, hosts.dst = broker4, client4
	}
	frame := inIPv4(hosts, segment)
	n := len(c.packets) + 1
	frame[4], frame[5] = byte(n>>8), byte(n)
	c.packets = append(c.packets, capture.Packet{Number: n, Nano: 1.7e18 + int64(c.now), Link: capture.LinkRaw, Length: len(frame), Data: frame})
	c.sent[from] += uint32(len(payload))
	if flags&(syn|fin) != 0 {
		c.sent[from]++
	}
}

func put32(b []byte, v uint32) {
	b[0], b[1], b[2], b[3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
}

// says and answers send each payload, which the other side acknowledges.
func (c *call) says(payloads ...string)    { c.each(0, payloads) }
func (c *call) answers(payloads ...string) { c.each(1, payloads) }

func (c *call) each(from int, payloads []string) {
	for _, p := range payloads {
		c.send(from, psh|ack, p)
		c.send(1-from, ack, "")
	}
}

// closes ends it from a side, and the other side ends it too.
func (c *call) closes(from int) {
	c.send(from, fin|ack, "")
	c.send(1-from, fin|ack, "")
	c.send(from, ack, "")
}

// connect is a CONNECT of version 3.1.1 with clean session and a keep-alive of 60 s.
func connect(id string) string {
	return "\x10" + string(rune(12+len(id))) + "\x00\x04MQTT\x04\x02\x00\x3c\x00" + string(rune(len(id))) + id
}

const (
	welcome    = "\x20\x02\x00\x00"
	publish    = "\x30\x05\x00\x01ahi"
	pingreq    = "\xc0\x00"
	pingresp   = "\xd0\x00"
	disconnect = "\xe0\x00"
)

// TestLeanScenarios plays what sessions do behind the handshake, which the lean filter does
// not see: it must not make findings of that.
func TestLeanScenarios(t *testing.T) {
	again := func(times int, every time.Duration, once func(t *talk, port uint16)) func(*talk) {
		return func(t *talk) {
			for i := range times {
				once(t, uint16(40000+i))
				t.wait(every)
			}
		}
	}
	scenarios := map[string]func(*talk){
		"PUBLISH, then DISCONNECT by itself": again(8, time.Minute, func(t *talk, port uint16) {
			c := t.opened(port, 1883)
			c.says(connect("sensor"))
			c.answers(welcome)
			c.says(publish, disconnect)
			c.closes(0)
		}),
		"PUBLISH and DISCONNECT in one segment, the client closes": again(8, time.Minute, func(t *talk, port uint16) {
			c := t.opened(port, 1883)
			c.says(connect("sensor"))
			c.answers(welcome)
			c.says(publish + disconnect)
			c.closes(0)
		}),
		"PUBLISH and DISCONNECT in one segment, the broker closes": again(8, time.Minute, func(t *talk, port uint16) {
			c := t.opened(port, 1883)
			c.says(connect("sensor"))
			c.answers(welcome)
			c.says(publish + disconnect)
			c.closes(1)
		}),
		"the same, and again after half a second": again(8, time.Second/2, func(t *talk, port uint16) {
			c := t.opened(port, 1883)
			c.says(connect("sensor"))
			c.answers(welcome)
			c.says(publish + disconnect)
			c.closes(1)
		}),
		"CONNECT, PUBLISH and DISCONNECT in one segment": again(8, time.Second/2, func(t *talk, port uint16) {
			c := t.opened(port, 1883)
			c.says(connect("sensor") + publish + disconnect)
			c.answers(welcome)
			c.closes(1)
		}),
		"DISCONNECT with FIN": again(8, time.Second/2, func(t *talk, port uint16) {
			c := t.opened(port, 1883)
			c.says(connect("sensor"))
			c.answers(welcome)
			c.says(publish)
			c.send(0, fin|psh|ack, disconnect)
			c.send(1, fin|ack, "")
		}),
		"the broker stops while the client pings": func(t *talk) {
			c := t.opened(40000, 1883)
			c.says(connect("pinger"))
			c.answers(welcome)
			t.wait(45 * time.Second)
			c.says(pingreq)
			c.answers(pingresp)
			t.wait(40 * time.Second)
			c.closes(1)
		},
		"the broker's host resets while the client pings": func(t *talk) {
			c := t.opened(40000, 1883)
			c.says(connect("pinger"))
			c.answers(welcome)
			t.wait(45 * time.Second)
			c.says(pingreq)
			c.answers(pingresp)
			t.wait(40 * time.Second)
			c.send(0, psh|ack, pingreq)
			c.send(1, rst, "")
		},
		"a reset with acknowledgment while the client pings": func(t *talk) {
			c := t.opened(40000, 1883)
			c.says(connect("pinger"))
			c.answers(welcome)
			t.wait(45 * time.Second)
			c.says(pingreq)
			c.answers(pingresp)
			t.wait(40 * time.Second)
			c.send(1, rst|ack, "")
		},
		"the client goes silent": func(t *talk) { // and here the finding is right
			c := t.opened(40000, 1883)
			c.says(connect("silent"))
			c.answers(welcome)
			t.wait(90 * time.Second)
			c.closes(1)
		},
		"a device restarts, and comes back with its ID": func(t *talk) {
			c := t.opened(40000, 1883)
			c.says(connect("device"))
			c.answers(welcome)
			c.says(publish, publish)
			t.wait(10 * time.Second)
			c.closes(0)
			c = t.opened(40001, 1883)
			c.says(connect("device"))
			c.answers(welcome)
		},
		"a session of a day, and a takeover": func(t *talk) {
			c := t.opened(40000, 1883)
			c.says(connect("twin"))
			c.answers(welcome)
			for range 25 * 60 {
				t.wait(time.Minute)
				c.says(pingreq)
				c.answers(pingresp)
			}
			d := t.opened(40001, 1883)
			d.says(connect("twin"))
			c.closes(1)
			d.answers(welcome)
		},
		"a takeover amid publishing": func(t *talk) {
			c := t.opened(40000, 1883)
			c.says(connect("twin"))
			c.answers(welcome)
			c.says(publish, publish)
			d := t.opened(40001, 1883)
			d.says(connect("twin"))
			c.closes(1)
			d.answers(welcome)
		},
		"a takeover after minutes of publishing": func(t *talk) {
			c := t.opened(40000, 1883)
			c.says(connect("twin"))
			c.answers(welcome)
			for range 20 {
				t.wait(10 * time.Second)
				c.says(publish)
			}
			d := t.opened(40001, 1883)
			d.says(connect("twin"))
			c.closes(1)
			d.answers(welcome)
		},
		"a device that said nothing for minutes takes itself over": func(t *talk) {
			c := t.opened(40000, 1883)
			c.says(connect("twin"))
			c.answers(welcome)
			t.wait(10 * time.Second)
			c.says(publish)
			t.wait(200 * time.Second)
			d := t.opened(40001, 1883)
			d.says(connect("twin"))
			c.closes(1)
			d.answers(welcome)
		},
		"CONNECT in pieces": again(5, time.Second, func(t *talk, port uint16) {
			c := t.opened(port, 1883)
			whole := connect("in-pieces")
			c.says(whole[:1], whole[1:5], whole[5:12], whole[12:])
			c.answers(welcome)
			c.says(publish + disconnect)
			c.closes(0)
		}),
		"CONNECT in pieces, refused": again(5, time.Second, func(t *talk, port uint16) {
			c := t.opened(port, 1883)
			whole := connect("in-pieces")
			c.says(whole[:10], whole[10:])
			c.answers("\x20\x02\x00\x05")
			c.closes(1)
		}),
		"CONNECT with a will of several segments": func(t *talk) {
			c := t.opened(40000, 1883)
			will := 2900
			body := "\x04MQTT\x04\x06\x00\x3c\x00\x04will\x00\x01w" + string([]byte{byte(will >> 8), byte(will)}) + strings.Repeat("x", will)
			n := 1 + len(body)
			body = string([]byte{0x10, byte(n&0x7f | 0x80), byte(n >> 7), 0}) + body
			c.says(body[:1460], body[1460:2920], body[2920:])
			c.answers(welcome)
			c.says(publish)
		},
		"CONNACK in two pieces": func(t *talk) {
			c := t.opened(40000, 1883)
			c.says(connect("patient"))
			c.send(1, psh|ack, welcome[:1])
			c.answers(welcome[1:])
			c.says(publish)
			t.wait(5 * time.Second)
			c.closes(1)
		},
		"PROXY protocol, by itself": func(t *talk) {
			c := t.opened(40000, 1883)
			c.says("PROXY TCP4 203.0.113.9 192.0.2.1 5555 1883\r\n", connect("far"))
			c.answers(welcome)
			c.says(publish)
			c.closes(1)
		},
		"PROXY protocol, in one segment": func(t *talk) {
			c := t.opened(40000, 1883)
			c.says("PROXY TCP4 203.0.113.9 192.0.2.1 5555 1883\r\n" + connect("far"))
			c.answers(welcome)
			c.says(publish)
			c.closes(1)
		},
		"a PUBLISH whose middle looks like CONNACK": func(t *talk) {
			c := t.opened(40000, 1883)
			c.says(connect("relay"))
			c.answers(welcome)
			c.answers("\x30\x90\x1c\x00\x01a"+strings.Repeat("x", 1400), "\x20\x02\x00\x05"+strings.Repeat("y", 1400), "\xe0\x00"+strings.Repeat("z", 700))
			c.says(publish)
			c.says("\x30\x90\x1c\x00\x01a"+strings.Repeat("x", 1400), connect("other")+strings.Repeat("y", 1400), "\xe0\x00"+strings.Repeat("z", 700))
			t.wait(time.Minute)
			c.says(disconnect)
			c.closes(0)
		},
		"a session from before the capture": func(t *talk) {
			c := &call{talk: t, port: 40000, broker: 1883}
			c.says(publish, publish)
			c.answers(publish)
			c.says(disconnect)
			c.closes(0)
		},
		"sessions from before the capture, closed by the broker": again(6, time.Second, func(t *talk, port uint16) {
			c := &call{talk: t, port: port, broker: 1883}
			c.says(publish, publish)
			c.answers(publish)
			c.closes(1)
		}),
		"TLS 1.2 without client certificate": func(t *talk) {
			c := t.opened(40000, 8883)
			c.says("\x16\x03\x01\x00\x04\x01\x00\x00\x00")
			c.answers("\x16\x03\x03\x00\x04\x02\x00\x00\x00\x16\x03\x03\x00\x04\x0e\x00\x00\x00")
			c.says("\x16\x03\x03\x00\x04\x10\x00\x00\x00\x14\x03\x03\x00\x01\x01\x16\x03\x03\x00\x20" + strings.Repeat("f", 32))
			c.answers("\x14\x03\x03\x00\x01\x01\x16\x03\x03\x00\x20" + strings.Repeat("f", 32))
			c.says("\x17\x03\x03\x00\x40" + strings.Repeat("c", 64))
			c.answers("\x17\x03\x03\x00\x20" + strings.Repeat("a", 32))
			t.wait(2 * time.Second)
			c.says("\x17\x03\x03\x00\x40"+strings.Repeat("p", 64), "\x15\x03\x03\x00\x1a"+strings.Repeat("n", 26))
			c.closes(1)
		},
		"other TCP on the broker's port": func(t *talk) {
			c := t.opened(40000, 1883)
			c.says("SSH-2.0-OpenSSH_9.9\r\n")
			c.answers("SSH-2.0-OpenSSH_9.9\r\n")
			c.closes(1)
		},
		"a probe that sends nothing": again(5, 10*time.Second, func(t *talk, port uint16) { t.opened(port, 1883).closes(0) }),
	}
	vms := leanMachines(t)
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		t.Run(name, func(t *testing.T) {
			capture := new(talk)
			scenarios[name](capture)
			through, _ := lean(t, vms, capture.packets)
			whole, left := findingsOf(capture.packets), findingsOf(through)
			t.Logf("%d of %d packets; findings %q, lean %q", len(through), len(capture.packets), slices.Sorted(maps.Keys(whole)), slices.Sorted(maps.Keys(left)))
			compareLean(t, name, whole, left)
		})
	}
}
