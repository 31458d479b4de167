package slice

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// fragmented divides frames into IP fragments of some least length, which come in any order; parents
// says of which frame each is.
func fragmented(random *rand.Rand, frames [][]byte, least int) (parts [][]byte, parents []int) {
	for i, f := range frames {
		upper := f[34:]
		if len(upper) < 40 || random.IntN(2) == 0 {
			parts, parents = append(parts, f), append(parents, i)
			continue
		}
		var pieces [][]byte
		for at := 0; at < len(upper); {
			n := min(len(upper)-at, least+8*random.IntN(4))
			field := uint16(at / 8)
			if at+n < len(upper) {
				field |= 0x2000
			}
			piece := ethernet(ip([4]byte(f[26:]), [4]byte(f[30:]), f[23], upper[at:at+n], field))
			binary.BigEndian.PutUint16(piece[18:], uint16(i)) // the identification
			fixHeader(piece)
			pieces = append(pieces, piece)
			at += n
		}
		random.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
		for _, p := range pieces {
			parts, parents = append(parts, p), append(parents, i)
		}
	}
	return parts, parents
}

func fixHeader(frame []byte) {
	h := frame[14:34]
	h[10], h[11] = 0, 0
	binary.BigEndian.PutUint16(h[10:], ^sumAt(h, 0))
}

// joined puts the fragments of frames together again.
func joined(t *testing.T, parts [][]byte, parents []int, frames int) [][]byte {
	t.Helper()
	whole := make([][]byte, frames)
	for i, p := range parts {
		if sumAt(p[14:34], 0) != 0xffff {
			t.Fatalf("packet %d: the header's checksum is wrong", i+1)
		}
		at := 34 + int(binary.BigEndian.Uint16(p[20:])&0x1fff)*8
		w := &whole[parents[i]]
		if need := at + len(p) - 34; len(*w) < need {
			*w = append(*w, make([]byte, need-len(*w))...)
		}
		copy(*w, p[:34])
		copy((*w)[at:], p[34:])
	}
	for _, w := range whole {
		binary.BigEndian.PutUint16(w[16:], uint16(len(w)-14))
		w[20], w[21] = 0, 0
		fixHeader(w)
	}
	return whole
}

func packetsOf(t *testing.T, file []byte) (frames [][]byte) {
	t.Helper()
	source, err := fromBytes(file)()
	if err != nil {
		t.Fatal(err)
	}
	for {
		p, err := source.Next()
		if err != nil {
			return frames
		}
		frames = append(frames, bytes.Clone(p.Data))
	}
}

// Fragments are kept, without the secrets in them, and with right checksums, also
// where what is fragmented is a tunnel.
func TestFragments(t *testing.T) {
	for name, c := range map[string]struct {
		wrap  func([]byte) []byte
		least int
	}{"plain": {func(b []byte) []byte { return b }, 8}, "VXLAN": {vxlan, 104}} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(200) {
				random := rand.New(rand.NewPCG(seed, 2))
				said := connectScript(random, random.IntN(2) == 0)
				talk := converse(random, said, []byte("\x20\x02\x00\x05"), c.wrap)
				whole := talk.frames
				parts, parents := fragmented(random, whole, c.least)
				talk.frames = parts
				open := fromBytes(talk.file(t, 1<<16))
				a := analysed(t, "talk", open)
				if len(a.Findings()) == 0 {
					t.Fatalf("seed %d: nothing was found", seed)
				}
				out, _ := sliced(t, a, open, Choice{}, Options{})
				got := packetsOf(t, out)
				if len(got) != len(parts) {
					t.Fatalf("seed %d: %d packets of %d", seed, len(got), len(parts))
				}
				talk.frames = whole
				again := conversation{frames: joined(t, got, parents, len(whole)), isn: talk.isn}
				for i := range whole {
					whole[i] = bytes.Clone(whole[i])
					copy(whole[i][18:26], again.frames[i][18:26]) // the identification, and so the checksum
				}
				if err := talk.check(t, said, again.file(t, 1<<16), 1<<16); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				compare(t, a.Findings(), analysed(t, "slice", fromBytes(out)).Findings())
			}
		})
	}
}
