package slice

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/capture"
)

// Whatever comes, what is held stays within bounds, and so does what is written of connections
// that say nothing.
func TestEvidenceFloods(t *testing.T) {
	connect := "\x10\xff\xff\x7f\x00\x04MQTT\x04\xc2\x00\x3c\x00\x02id\x00\x04USER\x00\x50"
	for name, c := range map[string]struct {
		packet func(n uint32, from [4]byte) []byte
		// most of the packets are written at most.
		most uint64
	}{
		"SYN": {func(n uint32, from [4]byte) []byte { return frame(from, brokerAddr, 40000, 1883, n, 0, 2, nil) }, muteAtOnce + 3*mutePerSecond},
		"SYN and RST": {func(n uint32, from [4]byte) []byte {
			if n%2 == 1 {
				from[3]--
				return frame(brokerAddr, from, 1883, 40000, 0, n, 0x14, nil)
			}
			return frame(from, brokerAddr, 40000, 1883, n, 0, 2, nil)
		}, muteAtOnce + 3*mutePerSecond},
		"half CONNECTs": {func(n uint32, from [4]byte) []byte {
			return frame(from, brokerAddr, 40000, 1883, n, 1, 0x18, []byte(connect))
		}, 1 << 20},
		"behind holes": {func(n uint32, from [4]byte) []byte {
			return frame([4]byte{10, 0, 0, byte(n)}, brokerAddr, 40000, 1883, n*977, 1, 0x18, bytes.Repeat([]byte("\x10"), 1400))
		}, 1 << 20},
		"WebSockets": {func(n uint32, from [4]byte) []byte {
			return frame(from, brokerAddr, 40000, 1883, n, 1, 0x18, []byte("GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nCookie: "))
		}, 1 << 20},
		"other protocols": {func(n uint32, from [4]byte) []byte {
			return frame(from, brokerAddr, 40000, 443, n, 1, 0x18, bytes.Repeat([]byte("\x17\x03\x03\x05\x73"), 250))
		}, 0},
		"fragments": {func(n uint32, from [4]byte) []byte {
			return ethernet(ip(from, brokerAddr, 6, bytes.Repeat([]byte{7}, 800), 0x2000))
		}, 0},
		"noise": {func(n uint32, from [4]byte) []byte {
			random := rand.New(rand.NewPCG(uint64(n), 1))
			b := frame([4]byte{10, 0, 0, byte(n)}, brokerAddr, 40000+uint16(n%3), 1883, random.Uint32(), random.Uint32(), byte(n), []byte(connect))
			b[14+20+12] = byte(random.Uint32())
			return b
		}, 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			const memory = 1 << 20
			e, err := NewEvidence(EvidenceOptions{
				File: filepath.Join(t.TempDir(), "e.pcapng"), Memory: memory, Connections: 1 << 10, MaxSize: 1 << 20, MaxFiles: 2,
			})
			if err != nil {
				t.Fatal(err)
			}
			now := e.started
			largest := 0
			for n := range uint32(30_000) {
				var from [4]byte
				binary.BigEndian.PutUint32(from[:], 0x0a000000+n)
				b := c.packet(n, from)
				e.Add(&capture.Packet{Nano: now.UnixNano(), Link: capture.LinkEN10MB, Length: len(b), Data: b})
				largest = max(largest, e.queue.bytes)
				if n%2000 == 0 {
					now = now.Add(200 * time.Millisecond)
					if err := e.Tick(now); err != nil {
						t.Fatal(err)
					}
				}
			}
			if largest > memory+2000 {
				t.Errorf("%d bytes were held", largest)
			}
			if e.survey.held > memory || e.survey.taken*spanSize > memory {
				t.Errorf("%d bytes and %d spans", e.survey.held, e.survey.taken)
			}
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			if m.HeapAlloc > 24<<20 {
				t.Errorf("%d bytes of heap", m.HeapAlloc)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			s := e.Stats()
			if s.Packets > c.most || c.most < 1<<20 && c.most > 0 && s.Packets < muteAtOnce {
				t.Errorf("%+v", s)
			}
			if c.most == 0 && name == "fragments" && s.GivenUp < 30_000 {
				t.Errorf("%+v", s)
			}
			if e.survey.held != 0 || e.survey.taken != 0 || e.queue.len() != 0 || e.queue.bytes != 0 || e.parted != 0 {
				t.Errorf("%d bytes, %d spans, %d packets are left, %d connections are parted", e.survey.held, e.survey.taken, e.queue.len(), e.parted)
			}
		})
	}
}

// Publish traffic costs no memory.
func TestEvidencePublishAllocates(t *testing.T) {
	e, err := NewEvidence(EvidenceOptions{File: filepath.Join(t.TempDir(), "e.pcapng")})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const sessions = 10
	traffic := newTraffic(e, sessions)
	warm := traffic.publishes(2 * sessions * (maxEarly + 2))
	for i := range warm {
		e.Add(&warm[i])
	}
	before := e.Stats().Packets
	packets := traffic.publishes(10_000)
	next := 0
	if n := testing.AllocsPerRun(9_000, func() { e.Add(&packets[next]); next++ }); n > 0 {
		t.Errorf("%v allocations a packet", n)
	}
	if err := e.Tick(time.Now()); err != nil || e.Stats().Packets != before+sessions*(4+maxEarly) {
		t.Errorf("%v, %+v", err, e.Stats())
	}
}

// What is left out of a long session leaves its end where it is, however long it is.
func TestEvidenceLongSession(t *testing.T) {
	path := filepath.Join(t.TempDir(), "e.pcapng")
	e, err := NewEvidence(EvidenceOptions{File: path})
	if err != nil {
		t.Fatal(err)
	}
	traffic := newTraffic(e, 1)
	client := [4]byte{10, 1, 0, 0}
	add := func(b []byte) {
		traffic.nano += 1e6
		e.Add(&capture.Packet{Nano: traffic.nano, Link: capture.LinkEN10MB, Length: len(b), Data: b})
	}
	body := make([]byte, 60_000)
	copy(body, "\x30\xdc\xd4\x03") // 59,996 bytes follow
	seq := traffic.seq[0]
	b := frame(client, brokerAddr, 40000, 1883, seq, 82, 0x18, body)
	for i := range 75_000 { // 4.5 GB: sequence numbers wrap, and offsets exceed 31 bits
		binary.BigEndian.PutUint32(b[14+20+4:], seq)
		add(b)
		seq += uint32(len(body))
		if i%5000 == 0 {
			if err := e.Tick(e.started.Add(time.Duration(i) * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
		}
	}
	last := traffic.nano
	add(frame(client, brokerAddr, 40000, 1883, seq, 82, 0x18, []byte("\xe0\x00")))
	add(frame(client, brokerAddr, 40000, 1883, seq+2, 82, 0x11, nil))
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if s := e.Stats(); s.Packets > 700 {
		t.Errorf("%+v", s)
	}
	sessions := analysed(t, "evidence", fromFile(e.Stats().Name)).Sessions()
	if len(sessions) != 1 {
		t.Fatalf("%d sessions", len(sessions))
	}
	s := sessions[0]
	if s.Connect == nil || s.Connect.ClientID != "gw-7" {
		t.Errorf("CONNECT is %+v", s.Connect)
	}
	if s.Disconnect == nil {
		t.Error("DISCONNECT is not read behind what is left out")
	}
	if s.ClientClosed.Nano == 0 || s.LastFromClient.Nano < last {
		t.Errorf("closed %v, last data %v, the last PUBLISH was %v", s.ClientClosed.Nano, s.LastFromClient.Nano, last)
	}
}
