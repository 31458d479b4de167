package slice

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode/link"
)

// publishScript is a PUBLISH of which the topic and the payload are not to be seen.
func publishScript(random *rand.Rand) script {
	body := make([]byte, 1+random.IntN(300))
	for i := range body {
		body[i] = byte('A' + random.IntN(26))
	}
	s := script{}.say("\x30"+varint(2+len(body))+"\x00\x01", false)
	return s.say(string(body), true)
}

// sayings are what clients say, with canaries, and how it is wrapped.
func sayings(random *rand.Rand, kind string) (said script, answers []byte, wrap func([]byte) []byte) {
	const request = "GET /mqtt HTTP/1.1\r\nHost: broker\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n"
	const answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
	wrap = func(b []byte) []byte { return b }
	said = connectScript(random, random.IntN(2) == 0)
	for range random.IntN(4) {
		said = append(said, publishScript(random)...)
	}
	answers = []byte("\x20\x02\x00\x05")
	switch kind {
	case "VXLAN":
		wrap = vxlan
	case "WebSocket":
		said = append(script{}.say(request+"Authorization: ", false).say("CANARY", true).say("\r\n\r\n", false), framed(random, said)...)
		answers = append([]byte(answer), "\x82\x04\x20\x02\x00\x05"...)
	}
	return said, answers, wrap
}

// However the bytes of a CONNECT come, and however early they must be written, every secret byte is
// overwritten in every packet, and all checksums stay right.
func TestEvidenceHasNoSecret(t *testing.T) {
	for _, kind := range []string{"plain", "VXLAN", "WebSocket", "cut"} {
		t.Run(kind, func(t *testing.T) {
			kept := 0
			for seed := range uint64(300) {
				random := rand.New(rand.NewPCG(seed, 7))
				said, answers, wrap := sayings(random, kind)
				talk := converse(random, said, answers, wrap)
				snap := 1 << 16
				if kind == "cut" {
					snap = 110
				}
				o := EvidenceOptions{File: filepath.Join(t.TempDir(), "e.pcapng"), Redact: false}
				patient := random.IntN(2) == 0
				if !patient {
					// Packets must be written before what they are parts of is whole.
					o.Hold = time.Duration(1 + random.IntN(10_000_000))
					o.Memory = 1 + random.IntN(64<<10)
				}
				var now time.Time
				o.now = func() time.Time { return now }
				now = time.Unix(0, 1_700_000_000e9)
				e, err := NewEvidence(o)
				if err != nil {
					t.Fatal(err)
				}
				e.files.sync = func(*os.File) error { return nil }
				for i, f := range talk.frames {
					now = time.Unix(0, 1_700_000_000e9+int64(i)*1e6)
					b := bytes.Clone(f[:min(len(f), snap)])
					e.Add(&capture.Packet{Nano: now.UnixNano(), Link: capture.LinkEN10MB, Length: len(f), Data: b})
					clear(b)
					if random.IntN(3) == 0 {
						if err := e.Tick(now); err != nil {
							t.Fatal(err)
						}
					}
				}
				e.Close()
				n, err := talk.checkEvidence(said, e.Stats().Name, kind == "cut")
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				if kept += n; patient && kind != "cut" && n < len(talk.frames)-1 {
					// All but the straggler.
					t.Fatalf("seed %d: %d packets of %d", seed, n, len(talk.frames))
				}
			}
			if kept < 3000 {
				t.Errorf("only %d packets were written", kept)
			}
		})
	}
}

// checkEvidence looks at every byte of the client's packets in a file, and counts
// the packets.
func (c conversation) checkEvidence(said script, path string, cut bool) (int, error) {
	source, err := fromFile(path)()
	if err != nil {
		return 0, err
	}
	defer source.Close()
	decoder := link.NewDecoder()
	for n := 0; ; n++ {
		p, err := source.Next()
		if err != nil {
			return n, nil
		}
		if len(p.Data) == 0 {
			continue
		}
		i := int((p.Nano - 1_700_000_000e9) / 1e6)
		var s link.Segment
		if reason := decoder.Decode(&p, &s); reason != link.OK {
			return n, fmt.Errorf("packet %d: %v", i, reason)
		}
		if len(p.Data) == p.Length && !rightChecksums(p.Data) {
			return n, fmt.Errorf("packet %d: a checksum is wrong", i)
		}
		if !bytes.Equal(p.Data[:40], c.frames[i][:40]) {
			return n, fmt.Errorf("packet %d: its headers changed", i)
		}
		if s.Src.Port != 40000 {
			continue
		}
		for at, b := range s.Payload {
			want := said[int(int32(s.Seq-c.isn-1))+at]
			if want.secret && strings.IndexByte("x"+digits, b^want.key) < 0 && b != 'x' {
				return n, fmt.Errorf("packet %d, byte %d: %q where %+v was said", i, at, b, want)
			}
		}
	}
}

// Publish traffic leaves nothing in the files but that it was there.
func TestEvidenceHasNoPublish(t *testing.T) {
	path := filepath.Join(t.TempDir(), "e.pcapng")
	e, err := NewEvidence(EvidenceOptions{File: path})
	if err != nil {
		t.Fatal(err)
	}
	traffic := newTraffic(e, 10)
	// One in another's retransmission, one with a FIN, one behind a hole.
	packets := traffic.publishes(1000)
	for i := range packets {
		if i%97 != 0 {
			e.Add(&packets[i])
		}
	}
	client := [4]byte{10, 1, 0, 0}
	for _, more := range []string{publish + "\xe0\x00", publish[:20], publish[20:] + "\xe0\x00"} {
		b := frame(client, brokerAddr, 40000, 1883, traffic.seq[0]-uint32(len(publish)), 82, 0x19, []byte(publish+more))
		e.Add(&capture.Packet{Nano: traffic.nano, Link: capture.LinkEN10MB, Length: len(b), Data: b})
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	out := read(t, e.Stats().Name)
	for _, secret := range []string{"CANARY", "sensor", "temper", "humid"} {
		if bytes.Contains(out, []byte(secret)) {
			t.Errorf("%s is in the file", secret)
		}
	}
	if n := len(packetsOf(t, out)); n < 41 || n > 60+10*maxEarly {
		t.Errorf("%d packets", n)
	}
}
