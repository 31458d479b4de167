package slice

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/capture"
)

// Whatever a client says in whatever pieces, and whenever it must be written, evidence is a capture
// with right checksums, and lets go of all that it held.
func FuzzEvidence(f *testing.F) {
	f.Add(uint64(1), []byte("\x10\x23\x00\x04MQTT\x04\xee\x00\x3c\x00\x02id\x00\x01t\x00\x04WILL\x00\x04USER\x00\x04PASS"), false)
	f.Add(uint64(2), []byte("GET /mqtt?token=SECRET HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nCookie: SECRET\r\n\r\n\x82\x85abcd\x71\x40\x63\x64\x61"), false)
	f.Add(uint64(3), []byte("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02id"), true)
	f.Add(uint64(4), []byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"), true)
	f.Add(uint64(5), []byte("\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02id\x30\x05\x00\x01tSECRET\xe0\x00"), false)
	f.Fuzz(func(t *testing.T, seed uint64, said []byte, redact bool) {
		if len(said) == 0 || len(said) > 4096 {
			return
		}
		random := rand.New(rand.NewPCG(seed, 5))
		talk := converse(random, script{}.say(string(said), true), []byte("HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n\x82\x04\x20\x02\x00\x05"), func(b []byte) []byte { return b })
		now := time.Unix(1_700_000_000, 0)
		e, err := NewEvidence(EvidenceOptions{
			File: filepath.Join(t.TempDir(), "e.pcapng"), Redact: redact, MaxSize: 1 << 20, Key: []byte("a key for tests"),
			Memory: 1 + random.IntN(64<<10), Hold: time.Duration(1 + random.IntN(20_000_000)), now: func() time.Time { return now },
		})
		if err != nil {
			t.Fatal(err)
		}
		e.files.sync = func(*os.File) error { return nil }
		for _, b := range talk.frames {
			now = now.Add(time.Millisecond)
			e.Add(&capture.Packet{Nano: now.UnixNano(), Link: capture.LinkEN10MB, Length: len(b), Data: b})
			if random.IntN(3) == 0 {
				if err := e.Tick(now); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if e.survey.held != 0 || e.survey.taken != 0 || e.queue.len() != 0 || e.queue.bytes != 0 || e.parted != 0 {
			t.Fatalf("%d bytes, %d spans, %d packets are left, %d connections are parted", e.survey.held, e.survey.taken, e.queue.len(), e.parted)
		}
		s := e.Stats()
		if s.Packets == 0 || s.GivenUp > 0 {
			t.Fatalf("%+v", s)
		}
		source, err := fromFile(s.Name)()
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		for {
			p, err := source.Next()
			if err != nil {
				return
			}
			if len(p.Data) == p.Length && !rightChecksums(p.Data) {
				t.Fatal("a checksum is wrong")
			}
		}
	})
}
