package pcapfile

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mqttriage/mqttriage/capture"
)

// readBatches reads a capture into a number of batches in turn, as a pipeline
// does. It returns the secrets in order, how many of them were known at each
// packet, and how many batches there were.
func readBatches(t *testing.T, r io.Reader, turns int) (secrets [][]byte, known []int, batches int) {
	t.Helper()
	s := mustOpen(t, r)
	ring := make([]capture.Batch, turns)
	number := 0
	for {
		b := &ring[batches%turns]
		if err := s.Read(b); err != nil {
			if err != io.EOF || len(b.Packets) != 0 || b.Secrets != nil {
				t.Fatalf("ended by %v, %d packets, %d secrets", err, len(b.Packets), len(b.Secrets))
			}
			return secrets, known, batches
		}
		batches++
		secrets = append(secrets, b.Secrets...)
		for _, p := range b.Packets {
			if p.Number != number+1 || string(p.Data) != fmt.Sprint("packet ", p.Number) {
				t.Fatalf("packet %d, %q follows packet %d", p.Number, p.Data, number)
			}
			number++
			known = append(known, len(secrets))
		}
	}
}

// secretsFile is a random file, with the secrets in order and how many come
// before each packet.
func secretsFile(r *rand.Rand) (data []byte, secrets [][]byte, before []int) {
	f := littleEndian().section().iface(1, 0)
	for range r.IntN(300) {
		switch r.IntN(20) {
		case 0, 1, 2:
			body := fmt.Sprint("CLIENT_RANDOM ", len(secrets), strings.Repeat("0", r.IntN(100)))
			f.secrets(secretsTLS, body)
			secrets = append(secrets, []byte(body))
		case 3:
			body := strings.Repeat("x", bufferSize+r.IntN(100)) // more than any buffer
			if r.IntN(20) == 0 {
				f.secrets(secretsTLS, body)
				secrets = append(secrets, []byte(body))
			}
		case 4:
			f.secrets(secretsTLS, "")
		case 5:
			f.secrets(0x57474b4c, "WireGuard")
		case 6:
			f.section().iface(1, 0)
		case 7:
			f.block(blockSecrets, func(b *file) { b.u32(secretsTLS) })
		default:
			data := fmt.Sprint("packet ", len(before)+1)
			f.enhanced(0, 1, uint32(len(data)), data)
			before = append(before, len(secrets))
		}
	}
	return f.b, secrets, before
}

// Each packet has exactly the secrets that stand before it, however the bytes
// come and however many batches there are; no later read changes them.
func TestSecretsInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		data, want, before := secretsFile(r)
		for name, in := range map[string]io.Reader{
			"at once": bytes.NewReader(data),
			"half":    iotest.HalfReader(bytes.NewReader(data)),
			"bytes":   iotest.OneByteReader(bytes.NewReader(data)),
			"gzip":    bytes.NewReader(gzipped(t, data)),
		} {
			got, known, _ := readBatches(t, in, 1+r.IntN(3))
			if !slices.Equal(known, before) {
				t.Fatalf("%s: secrets known at each packet\n got %v\nwant %v", name, known, before)
			}
			// Those behind the last packet serve nothing.
			if len(before) > 0 {
				want = want[:before[len(before)-1]]
			} else {
				want = nil
			}
			if !slices.EqualFunc(got, want, bytes.Equal) {
				t.Fatalf("%s: %d secrets, want %d, or not the same", name, len(got), len(want))
			}
		}
	}
}

// A batch costs more than a block, so that only so many blocks may end one.
func TestSecretsEndFewBatches(t *testing.T) {
	const packets = 100_000
	for name, c := range map[string]struct {
		block   func(f *file)
		batches int
	}{
		"secrets":   {func(f *file) { f.secrets(secretsTLS, "x") }, maxSecretBlocks},
		"empty":     {func(f *file) { f.secrets(secretsTLS, "") }, maxSecretBlocks},
		"too long":  {func(f *file) { f.block(blockSecrets, func(b *file) { b.u32(secretsTLS, 99) }) }, maxSecretBlocks},
		"too short": {func(f *file) { f.block(blockSecrets, func(b *file) { b.u32(secretsTLS) }) }, 0},
		"others":    {func(f *file) { f.secrets(0x57474b4c, "x") }, 0},
	} {
		f := littleEndian().section().iface(1, 0)
		for i := range packets {
			data := fmt.Sprint("packet ", i+1)
			c.block(f)
			f.enhanced(0, 1, uint32(len(data)), data)
		}
		secrets, _, batches := readBatches(t, bytes.NewReader(f.b), 2)
		if most := c.batches + packets/maxBatch + 2*len(f.b)/firstBuffer + 2; batches > most {
			t.Errorf("%s: %d batches, want %d at most", name, batches, most)
		}
		if name == "secrets" && len(secrets) != maxSecretBlocks {
			t.Errorf("%d secrets, want %d", len(secrets), maxSecretBlocks)
		}
	}
}
