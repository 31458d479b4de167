package slice

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/decode/link"
)

// However the bytes of a CONNECT come, every secret byte is overwritten in every
// packet, no other one is, and all checksums stay right.
func TestNoSecretIsLeft(t *testing.T) {
	plain := func(b []byte) []byte { return b }
	const request = "GET /mqtt HTTP/1.1\r\nHost: broker\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n"
	const answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
	for name, c := range map[string]struct {
		wrap func([]byte) []byte
		web  bool
		snap int
	}{
		"plain": {plain, false, 1 << 16}, "VXLAN": {vxlan, false, 1 << 16}, "WebSocket": {plain, true, 1 << 16},
		"cut": {plain, false, 110},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(300) {
				random := rand.New(rand.NewPCG(seed, 1))
				said := connectScript(random, random.IntN(2) == 0)
				refusal := []byte("\x20\x02\x00\x05")
				if c.web {
					said = append(script{}.say(request+"Authorization: ", false).say("CANARY", true).say("\r\n\r\n", false), framed(random, said)...)
					refusal = append([]byte(answer), "\x82\x04\x20\x02\x00\x05"...)
				}
				talk := converse(random, said, refusal, c.wrap)
				open := fromBytes(talk.file(t, c.snap))
				a := analysed(t, "talk", open)
				if len(a.Findings()) == 0 {
					if c.snap < 1<<16 {
						continue
					}
					t.Fatalf("seed %d: nothing was found", seed)
				}
				out, _ := sliced(t, a, open, Choice{}, Options{})
				if err := talk.check(t, said, out, c.snap); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				compare(t, a.Findings(), analysed(t, "slice", fromBytes(out)).Findings())
			}
		})
	}
}

// check looks at every byte of the client's packets in a slice.
func (c conversation) check(t *testing.T, said script, out []byte, snap int) error {
	t.Helper()
	source, err := fromBytes(out)()
	if err != nil {
		return err
	}
	decoder := link.NewDecoder()
	for n := 0; ; n++ {
		p, err := source.Next()
		if err != nil {
			if n != len(c.frames) {
				return fmt.Errorf("%d packets of %d", n, len(c.frames))
			}
			return nil
		}
		var s link.Segment
		if reason := decoder.Decode(&p, &s); reason != link.OK {
			return fmt.Errorf("packet %d: %v", n+1, reason)
		}
		if len(p.Data) == p.Length && !rightChecksums(p.Data) {
			return fmt.Errorf("packet %d: a checksum is wrong", n+1)
		}
		if !bytes.Equal(p.Data[:40], c.frames[n][:40]) {
			return fmt.Errorf("packet %d: its headers changed", n+1)
		}
		if s.Src.Port != 40000 {
			continue
		}
		for i, b := range s.Payload {
			want := said[int(int32(s.Seq-c.isn-1))+i]
			if overwritten := strings.IndexByte("x"+digits, b^want.key) >= 0; want.secret != overwritten && want.secret || !want.secret && b != want.b && snap == 1<<16 {
				return fmt.Errorf("packet %d, byte %d: %q where %+v was said", n+1, i, b, want)
			}
		}
	}
}
