package mqttriage_test

import (
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
)

var hostileMiB = flag.Int("hostile", 8, "how many `MiB` of each kind of worst-case traffic TestHostileTraffic reads; 1024 is what was measured by hand")

// maxHostile is what worst-case traffic may make the program hold, in bytes.
const maxHostile = 256 << 20

// A flood is worst-case traffic: frame i, appended to b, which has room.
type flood struct {
	name  string
	frame func(b []byte, i int) []byte
}

var floods = []flood{
	{"half-open connections", func(b []byte, i int) []byte {
		return tcpFrame(b, client(i), i, 0x02, uint32(i), 0, nil)
	}},
	{"half-open connections, answered", func(b []byte, i int) []byte {
		if i%2 == 1 {
			return fromBroker(tcpFrame(b, client(i/2), i, 0x12, 7, uint32(i/2)+1, nil))
		}
		return tcpFrame(b, client(i/2), i, 0x02, uint32(i/2), 0, nil)
	}},
	{"one byte of CONNECT on ever more connections", func(b []byte, i int) []byte {
		return tcpFrame(b, client(i), i, 0x18, 1, 1, []byte{0x10})
	}},
	{"CONNECTs of 256 MiB, fed in turn", func(b []byte, i int) []byte {
		const connections = 20000
		if i < connections {
			return tcpFrame(b, client(i), i, 0x18, 1, 1, []byte("\x10\xff\xff\xff\x7f\x00\x04MQTT\x04\x02\x00\x3c\xff\xff"))
		}
		return tcpFrame(b, client(i%connections), i, 0x18, 1+17+uint32((i/connections-1)*len(letters)), 1, letters)
	}},
	{"every segment behind a hole", func(b []byte, i int) []byte {
		const connections = 5000
		return tcpFrame(b, client(i%connections), i, 0x18, 100+uint32(i/connections)*400, 1, letters[:200])
	}},
	{"one byte a segment, backwards", func(b []byte, i int) []byte {
		const connections = 1000
		return tcpFrame(b, client(i%connections), i, 0x18, 1<<30-uint32(i/connections)*2, 1, letters[:1])
	}},
	{"first fragments", func(b []byte, i int) []byte {
		return fragment(tcpFrame(b, client(i), i, 0x18, 1, 1, letters[:60]), i, 0x2000)
	}},
	{"fragments of eight bytes, backwards", func(b []byte, i int) []byte {
		const pieces = 8000
		return fragment(tcpFrame(b, client(i/pieces), i, 0x18, 1, 1, nil)[:14+20+8], i/pieces, 0x2000|uint16(pieces-i%pieces))
	}},
	{"fragments with holes", func(b []byte, i int) []byte {
		return fragment(tcpFrame(b, client(i/4000), i, 0x18, 1, 1, nil)[:14+20+8], i/4000, 0x2000|uint16(i%4000*2+1))
	}},
	{"PROXY headers without end", endless([]byte("PROXY TCP4 1"), []byte("11111111111111111111111111111111"))},
	{"PROXY headers of version 2 without end", endless([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff"), letters)},
	{"HTTP heads without end", endless([]byte("GET / HTTP/1.1\r\nUpgrade: websocket\r\n"), []byte("x-filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"))},
	{"HTTP heads of one line", endless([]byte("GET /"), letters)},
	{"ClientHellos without end", endless([]byte("\x16\x03\x01\x40\x00\x01\x00\xff\xff\x03\x03"), letters)},
	{"TLS handshake messages without end", endless([]byte("\x16\x03\x01\x00\x04\x0b\xff\xff\xff"), []byte("\x16\x03\x03\x00\x20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"))},
	{"TLS records of one byte", endless([]byte("\x16\x03\x01\x00\x01\x01"), []byte("\x17\x03\x03\x00\x01a\x17\x03\x03\x00\x01a\x17\x03\x03\x00\x01a"))},
	{"certificates that end nowhere, on ever more connections", func(b []byte, i int) []byte {
		if i%4 == 0 {
			return tcpFrame(b, client(i/4), i, 0x18, 1, 1, []byte("\x16\x03\x01\x00\x04\x01\x00\x00\x00"))
		}
		return fromBroker(tcpFrame(b, client(i/4), i, 0x18, 1+uint32(i%4-1)*uint32(len(certificate)), 10, certificate))
	}},
	{"half a record on ever more connections", func(b []byte, i int) []byte {
		return tcpFrame(b, client(i), i, 0x18, 1, 1, certificate[:8<<10])
	}},
	{"server names of 16 KB", func(b []byte, i int) []byte {
		return tcpFrame(b, client(i), i, 0x18, 1, 1, longName)
	}},
	{"WebSocket pings", webSocket("", []byte("\x89\x80abcd\x89\x80abcd\x89\x80abcd"))},
	{"WebSocket fragments of nothing", webSocket("", []byte("\x02\x80abcd\x00\x80abcd\x00\x80abcd\x00\x80abcd"))},
	{"compressed WebSocket messages without end", webSocket("; ", append([]byte("\x42\xfe\x01\x00abcd"), letters[:256]...))},
	{"answers from DNS", func(b []byte, i int) []byte {
		return udpFrame(b, i, 53, 40000, dnsAnswer(i))
	}},
	{"tunnels in tunnels", func(b []byte, i int) []byte {
		b = append(b, ethernetHeader...)
		for range 60 { // IP in IP
			b = append(b, 0x45, 0, 0x04, 0xb0, 0, 0, 0, 0, 64, 4, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2)
		}
		return b
	}},
	{"VXLAN in VXLAN", func(b []byte, i int) []byte {
		b = append(b, ethernetHeader...)
		for range 25 {
			b = append(b, 0x45, 0, 0x04, 0xb0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
				0x12, 0xb5, 0x12, 0xb5, 0x04, 0x00, 0, 0, 8, 0, 0, 0, 0, 0, 1, 0)
			b = append(b, ethernetHeader...)
		}
		return b
	}},
}

// maxFrame is larger than any frame here.
const maxFrame = 20 << 10

var letters = func() []byte {
	b := make([]byte, 1200)
	for i := range b {
		b[i] = 'a' + byte(i*7%26)
	}
	return b
}()

// certificate is a record of 16 KB that begins a Certificate message of 64 KB.
var certificate = append([]byte("\x16\x03\x03\x40\x00\x0b\x00\xff\xf0\x00\xff\xed\x00\x3f\xf0"), make([]byte, 16384-10)...)

// longName is a ClientHello that asks for a server with a name of 15,000 bytes.
var longName = func() []byte {
	name := make([]byte, 15000)
	for i := range name {
		name[i] = 'a'
	}
	u16 := func(n int) []byte { return []byte{byte(n >> 8), byte(n)} }
	list := slices.Concat([]byte{0}, u16(len(name)), name)
	extension := slices.Concat([]byte{0, 0}, u16(len(list)+2), u16(len(list)), list)
	body := slices.Concat([]byte{3, 3}, make([]byte, 32), []byte{0, 0, 2, 0x13, 1, 1, 0}, u16(len(extension)), extension)
	return slices.Concat([]byte{22, 3, 1}, u16(len(body)+4), []byte{1, 0}, u16(len(body)), body)
}()

// endless starts 20,000 connections with start, and feeds them more in turn.
func endless(start, more []byte) func([]byte, int) []byte {
	const connections = 20000
	return func(b []byte, i int) []byte {
		if i < connections {
			return tcpFrame(b, client(i), i, 0x18, 1, 1, start)
		}
		return tcpFrame(b, client(i%connections), i, 0x18, 1+uint32(len(start)+(i/connections-1)*len(more)), 1, more)
	}
}

// webSocket opens 5,000 WebSockets, with compression if so, and feeds frames.
func webSocket(compress string, frames []byte) func([]byte, int) []byte {
	const connections = 5000
	request := []byte("GET /mqtt HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
	answer := []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
	if compress != "" {
		answer = []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
	}
	return func(b []byte, i int) []byte {
		switch c := client(i % connections); i / connections {
		case 0:
			return tcpFrame(b, c, i, 0x18, 1, 1, request)
		case 1:
			return fromBroker(tcpFrame(b, c, i, 0x18, 1, uint32(1+len(request)), answer))
		default:
			return tcpFrame(b, c, i, 0x18, uint32(1+len(request)+(i/connections-2)*len(frames)), 1, frames)
		}
	}
}

func client(i int) [6]byte {
	return [6]byte{10, byte(i >> 16), byte(i >> 8), byte(i), byte(0xc0 | i>>24), byte(i >> 3)}
}

var ethernetHeader = []byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00")

// tcpFrame is a frame from a client, an address and a port, to the broker.
func tcpFrame(b []byte, from [6]byte, id int, flags byte, seq, ack uint32, payload []byte) []byte {
	b = append(b, ethernetHeader...)
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(40+len(payload)))
	b = binary.BigEndian.AppendUint16(b, uint16(id))
	b = append(b, 0, 0, 64, 6, 0, 0, from[0], from[1], from[2], from[3], 192, 0, 2, 1, from[4], from[5], 0x07, 0x5b)
	b = binary.BigEndian.AppendUint32(b, seq)
	b = binary.BigEndian.AppendUint32(b, ack)
	b = append(b, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0)
	return append(b, payload...)
}

// fromBroker turns a frame around.
func fromBroker(b []byte) []byte {
	ip, tcp := b[14:], b[34:]
	for i := range 4 {
		ip[12+i], ip[16+i] = ip[16+i], ip[12+i]
	}
	tcp[0], tcp[1], tcp[2], tcp[3] = tcp[2], tcp[3], tcp[0], tcp[1]
	return b
}

// fragment makes a frame an IP fragment.
func fragment(b []byte, id int, flagsAndOffset uint16) []byte {
	binary.BigEndian.PutUint16(b[14+2:], uint16(len(b)-14))
	binary.BigEndian.PutUint16(b[14+4:], uint16(id))
	binary.BigEndian.PutUint16(b[14+6:], flagsAndOffset)
	return b
}

func udpFrame(b []byte, id int, from, to uint16, payload []byte) []byte {
	b = append(b, ethernetHeader...)
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(28+len(payload)))
	b = binary.BigEndian.AppendUint16(b, uint16(id))
	b = append(b, 0, 0, 64, 17, 0, 0, 192, 0, 2, 53, 10, 0, 0, 1)
	b = binary.BigEndian.AppendUint16(b, from)
	b = binary.BigEndian.AppendUint16(b, to)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	b = append(b, 0, 0)
	return append(b, payload...)
}

// dnsAnswer gives an address of its own a name of its own.
func dnsAnswer(i int) []byte {
	name := fmt.Sprintf("%010d", i)
	b := []byte("\x00\x01\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x0a" + name + "\x07example\x00\x00\x01\x00\x01")
	b = append(b, "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04"...)
	return binary.BigEndian.AppendUint32(b, uint32(i))
}

// flooding is a capture that consists of a flood.
type flooding struct {
	flood
	i          int
	left, half int64
	// began is when the first half was over, peak the most that the heap held.
	began, turned time.Time
	peak          uint64
}

func (f *flooding) Info() capture.Info                  { return capture.Info{Name: f.name} }
func (f *flooding) Close() error                        { return nil }
func (f *flooding) Next() (p capture.Packet, err error) { return p, io.EOF }

func (f *flooding) Read(b *capture.Batch) error {
	b.Packets, b.Memory = b.Packets[:0], b.Memory[:0]
	if f.left <= 0 {
		return io.EOF
	}
	if f.began.IsZero() {
		f.began = time.Now()
	}
	if f.turned.IsZero() && f.left <= f.half {
		f.turned = time.Now()
	}
	if b.Memory == nil {
		b.Memory = make([]byte, 0, 512<<10)
	}
	for len(b.Packets) < 256 && f.left > 0 && cap(b.Memory)-len(b.Memory) > maxFrame {
		at := len(b.Memory)
		frame := f.frame(b.Memory[at:at], f.i)
		b.Memory = b.Memory[:at+len(frame)]
		f.i++
		// A packet is 16 bytes more in a file.
		f.left -= int64(len(frame)) + 16
		b.Packets = append(b.Packets, capture.Packet{Number: f.i, Nano: 1e18 + int64(f.i)*1000, Link: capture.LinkEN10MB, Length: len(frame), Data: frame})
	}
	if f.i%(1<<16) < 256 {
		f.measure()
	}
	return nil
}

func (f *flooding) measure() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f.peak = max(f.peak, m.HeapInuse+m.StackInuse)
}

// TestHostileTraffic reads worst-case traffic for each parser: what is held must
// stay within bounds, and twice as much take twice as long.
func TestHostileTraffic(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute of worst-case traffic")
	}
	for _, kind := range floods {
		t.Run(kind.name, func(t *testing.T) {
			runtime.GC()
			bytes := int64(*hostileMiB) << 20
			f := &flooding{flood: kind, left: bytes, half: bytes / 2}
			analyzer := analyze.New(analyze.Options{})
			decoder := decode.New(decode.Options{Capture: kind.name, Index: 1}, analyzer.Add)
			if err := decoder.Read(f); err != io.EOF {
				t.Fatal(err)
			}
			f.measure()
			read := time.Now()
			findings := len(analyzer.Findings())
			f.measure()
			first, second := f.turned.Sub(f.began), read.Sub(f.turned)
			t.Logf("%d MiB, %d packets, %v (%v and %v), analysis %v, %d findings, peak %d MiB, %v",
				*hostileMiB, f.i, read.Sub(f.began).Round(time.Millisecond), first.Round(time.Millisecond), second.Round(time.Millisecond),
				time.Since(read).Round(time.Millisecond), findings, f.peak>>20, decoder.Stats().Undecoded)
			if f.peak > maxHostile {
				t.Errorf("%d MiB were held, want at most %d", f.peak>>20, maxHostile>>20)
			}
			if *hostileMiB >= 256 && second > 2*first+time.Second {
				t.Errorf("the second half took %v, the first %v", second, first)
			}
		})
	}
}
