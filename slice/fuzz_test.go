package slice

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
)

// everything is the plan that keeps all sessions.
func everything(t testing.TB, open func() (capture.Source, error)) *Plan {
	t.Helper()
	source, err := open()
	if err != nil {
		t.Skip(err)
	}
	defer source.Close()
	p := &Plan{marks: map[*decode.Session][]mark{}}
	decode.New(decode.Options{Capture: "fuzz", Index: 1}, func(s *decode.Session) { p.Sessions = append(p.Sessions, s) }).Read(source)
	return p
}

// Whatever a client says in whatever pieces, a slice is written and can be read, with as many
// packets, and a slice of it is the same again.
func FuzzStream(f *testing.F) {
	f.Add(uint64(1), []byte("\x10\x23\x00\x04MQTT\x04\xee\x00\x3c\x00\x02id\x00\x01t\x00\x04WILL\x00\x04USER\x00\x04PASS"), false)
	f.Add(uint64(2), []byte("GET /mqtt?token=SECRET HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nCookie: SECRET\r\n\r\n\x82\x85abcd\x71\x40\x63\x64\x61"), false)
	f.Add(uint64(3), []byte("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02id"), true)
	f.Add(uint64(4), []byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"), true)
	f.Add(uint64(5), []byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x0a\x00\x00\x01\x0a\x00\x00\x02\x00\x01\x00\x02\x10\x0e"), true)
	f.Fuzz(func(t *testing.T, seed uint64, said []byte, redact bool) {
		if len(said) == 0 || len(said) > 4096 {
			return
		}
		random := rand.New(rand.NewPCG(seed, 5))
		talk := converse(random, script{}.say(string(said), true), []byte("HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n\x82\x04\x20\x02\x00\x05"), func(b []byte) []byte { return b })
		open := fromBytes(talk.file(t, 1<<16))
		o := Options{Redact: redact, Key: []byte("a key for tests")}
		var once, twice bytes.Buffer
		if _, err := Write(&once, everything(t, open), []Input{{1, open}}, o); err != nil {
			t.Fatal(err)
		}
		for i, p := range packetsOf(t, once.Bytes()) {
			if !rightChecksums(p) {
				t.Fatalf("packet %d: a checksum is wrong", i+1)
			}
		}
		again := fromBytes(once.Bytes())
		if _, err := Write(&twice, everything(t, again), []Input{{1, again}}, Options{Key: o.Key}); err != nil {
			t.Fatal(err)
		}
		if a, b := len(packetsOf(t, once.Bytes())), len(packetsOf(t, twice.Bytes())); a != len(talk.frames) || b != a {
			t.Fatalf("%d packets, then %d, then %d", len(talk.frames), a, b)
		}
	})
}

// Nor does a capture of any bytes stop it.
func FuzzCapture(f *testing.F) {
	for seed := range uint64(3) {
		random := rand.New(rand.NewPCG(seed, 6))
		talk := converse(random, connectScript(random, true), []byte("\x20\x02\x00\x05"), vxlan)
		talk.frames, _ = fragmented(random, talk.frames, 8)
		f.Add(talk.file(f, 300), seed == 1)
	}
	f.Fuzz(func(t *testing.T, file []byte, redact bool) {
		open := fromBytes(file)
		if _, err := open(); err != nil {
			return
		}
		var out bytes.Buffer
		if _, err := Write(&out, everything(t, open), []Input{{1, open}}, Options{Redact: redact}); err != nil {
			return
		}
		packetsOf(t, out.Bytes())
	})
}
