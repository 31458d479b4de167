package ws

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func TestReader(t *testing.T) {
	tests := []struct {
		name, hex string
		inflate   bool
		want      string
		lost      bool
		code      int
	}{
		// RFC 6455 §5.7.
		{"unmasked", "81 05 48 65 6c 6c 6f", false, "Hello", false, 0},
		{"masked", "81 85 37 fa 21 3d 7f 9f 4d 51 58", false, "Hello", false, 0},
		{"fragmented", "01 03 48 65 6c 80 02 6c 6f", false, "Hello", false, 0},
		{"ping and masked pong", "89 05 48 65 6c 6c 6f 8a 85 37 fa 21 3d 7f 9f 4d 51 58", false, "", false, 0},
		{"length of 16 bits", "82 7e 01 00" + strings.Repeat("61", 256), false, strings.Repeat("a", 256), false, 0},
		{"length of 64 bits", "82 7f 00 00 00 00 00 01 00 00" + strings.Repeat("61", 65536), false, strings.Repeat("a", 65536), false, 0},
		// RFC 7692 §7.2.3.
		{"compressed", "c1 07 f2 48 cd c9 c9 07 00", true, "Hello", false, 0},
		{"compressed and fragmented", "41 03 f2 48 cd 80 04 c9 c9 07 00", true, "Hello", false, 0},
		{"shared window", "c1 07 f2 48 cd c9 c9 07 00 c1 05 f2 00 11 00 00", true, "HelloHello", false, 0},
		{"stored", "c1 0b 00 05 00 fa ff 48 65 6c 6c 6f 00", true, "Hello", false, 0},
		{"last block", "c1 08 f3 48 cd c9 c9 07 00 00", true, "Hello", false, 0},
		{"two blocks", "c1 0d f2 48 05 00 00 00 ff ff ca c9 c9 07 00", true, "Hello", false, 0},
		{"empty and compressed", "c1 01 00 c1 07 f2 48 cd c9 c9 07 00", true, "Hello", false, 0},

		{"last block without the byte behind", "c1 07 f3 48 cd c9 c9 07 00", true, "Hello", false, 0},
		{"last blocks, then others", "c1 0f f3 48 cd c9 c9 07 00 f3 00 11 00 f2 48 05 00 00", true, "HelloHelloHe", false, 0},
		{"not compressed though agreed", "82 02 48 69 c1 07 f2 48 cd c9 c9 07 00 82 02 48 69", true, "HiHelloHi", false, 0},
		{"ping within a compressed message", "41 03 f2 48 cd 89 01 2a 80 04 c9 c9 07 00", true, "Hello", false, 0},
		{"ping within a message", "02 03 48 65 6c 89 80 01 02 03 04 80 02 6c 6f", false, "Hello", false, 0},
		{"empty frames", "02 00 00 00 00 80 00 00 00 00 80 00 82 02 48 69", false, "Hi", false, 0},
		{"length longer than needed", "82 7e 00 02 48 69 82 7f 00 00 00 00 00 00 00 02 48 69", false, "HiHi", false, 0},

		{"close", "88 02 03 e8 82 02 48 69", false, "", false, 1000},
		{"masked close with a reason", "82 02 48 69 88 84 00 00 00 01 03 ea 41 43", false, "Hi", false, 1002},
		{"close without a code", "88 00 ff ff ff", false, "", false, 1005},
		{"close with half a code", "88 01 03", false, "", false, 1005},
		{"close under way", "88 02 03", false, "", false, 0},

		{"compressed but not agreed", "82 02 48 69 c2 02 48 69 82 02 48 69", false, "Hi", true, 0},
		{"RSV2", "a2 02 48 69", true, "", true, 0},
		{"RSV3", "92 02 48 69", true, "", true, 0},
		{"reserved opcode", "83 02 48 69", false, "", true, 0},
		{"reserved control opcode", "8b 00", false, "", true, 0},
		{"fragmented control frame", "09 00", false, "", true, 0},
		{"long control frame", "89 7e 00 7e" + strings.Repeat("00", 126), false, "", true, 0},
		{"control frame with a long length", "89 7e 00 00", false, "", true, 0},
		{"compressed control frame", "c9 00", true, "", true, 0},
		{"continuation of nothing", "80 02 48 69", false, "", true, 0},
		{"continuation of a whole message", "82 02 48 69 80 02 48 69", false, "Hi", true, 0},
		{"message within a message", "02 02 48 69 82 02 48 69", false, "Hi", true, 0},
		{"compressed continuation", "42 01 f2 c0 06 48 cd c9 c9 07 00", true, "", true, 0},
		{"negative length", "82 7f 80 00 00 00 00 00 00 00", false, "", true, 0},
		{"not DEFLATE", "c2 04 ff ff ff ff 82 02 48 69", true, "", true, 0},
		{"DEFLATE cut off", "c2 03 f2 48 cd 82 02 48 69", true, "", true, 0},
		{"reference to before the window", "c1 05 f2 00 11 00 00", true, "", true, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := unhex(test.hex)
			before := bytes.Clone(in)
			sizes := []int{len(in), 1, 2, 3, 5, 4096}
			for _, size := range sizes {
				r := NewReader(Options{Inflate: test.inflate})
				got := read(r, slices.Collect(slices.Chunk(in, size))...)
				// What is handed on of a message that turns out to be broken depends
				// on where.
				if !strings.HasPrefix(string(got), test.want) || !test.lost && string(got) != test.want || r.Lost() != test.lost {
					t.Errorf("in pieces of %d: %q, lost %v; want %q, %v", size, got, r.Lost(), test.want, test.lost)
				}
				code, ok := r.Closed()
				if int(code) != test.code || ok != (test.code != 0) {
					t.Errorf("closed with %d, %v; want %d", code, ok, test.code)
				}
				if !bytes.Equal(in, before) {
					t.Fatal("the caller's bytes were changed")
				}
				r.Release()
				checkReleased(t, r)
			}
		})
	}
}

// checkReleased checks that nothing is held for a Reader alone with its Budget.
func checkReleased(t *testing.T, r *Reader) {
	t.Helper()
	if r.message != nil || r.history != nil || r.budget.held != cap(r.budget.scratch) {
		t.Errorf("%d bytes held when released", r.budget.held-cap(r.budget.scratch))
	}
	for _, b := range [][]byte{r.budget.out[:], r.budget.scratch[:cap(r.budget.scratch)]} {
		if len(bytes.Trim(b, "\x00")) > 0 {
			t.Errorf("%q is left", b)
		}
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]bool{"81 00": true, "82 01 61": false, "89 00 82 00 01 00 80 00": true} {
		r := NewReader(Options{})
		read(r, unhex(in))
		if r.Text() != want {
			t.Errorf("%s: text %v", in, !want)
		}
	}
}

// traffic is one direction and what it carries.
type traffic struct {
	options       Options
	wire, payload []byte
}

// randomTraffic makes a direction with everything that a peer may do.
func randomTraffic(r *rand.Rand) traffic {
	var x traffic
	x.options = Options{Inflate: r.IntN(2) == 0, NoContext: r.IntN(2) == 0}
	masked := r.IntN(2) == 0
	key := func() uint32 {
		if masked {
			return r.Uint32() | 1
		}
		return 0
	}
	compress := newDeflater(r.IntN(12)-2, x.options.NoContext)
	words := []byte("temperature humidity ")
	for range r.IntN(30) {
		message := make([]byte, r.IntN(1<<r.IntN(17)))
		for i := range message {
			message[i] = words[r.IntN(len(words))]
			if r.IntN(50) == 0 {
				copy(message[i:], message)
			}
		}
		x.payload = append(x.payload, message...)
		opcode := byte(opBinary)
		if x.options.Inflate && r.IntN(4) > 0 {
			// Only a compressor without a context can start anew.
			message = compress.message(message, x.options.NoContext && r.IntN(3) == 0)
			opcode |= rsv1
		}
		pieces := scramble(r, message, 1+r.IntN(100000))
		for range r.IntN(3) {
			pieces = slices.Insert(pieces, r.IntN(len(pieces)+1), nil)
		}
		if len(pieces) == 0 {
			pieces = [][]byte{nil}
		}
		for i, piece := range pieces {
			if r.IntN(5) == 0 {
				control := make([]byte, r.IntN(maxControl+1))
				x.wire = append(x.wire, frame(fin|opPing+byte(r.IntN(2)), key(), control)...)
			}
			first := opcode
			if i > 0 {
				first = opContinuation
			}
			if i == len(pieces)-1 {
				first |= fin
			}
			x.wire = append(x.wire, frame(first, key(), piece)...)
		}
	}
	return x
}

func TestRandomTraffic(t *testing.T) {
	budget := new(Budget)
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 1))
		x := randomTraffic(random)
		x.options.Budget = budget
		r := NewReader(x.options)
		got := read(r, scramble(random, x.wire, 1+random.IntN(3000))...)
		if r.Lost() || !bytes.Equal(got, x.payload) {
			t.Fatalf("seed %d: %+v: %d of %d bytes, lost %v", seed, x.options, len(got), len(x.payload), r.Lost())
		}
		r.Release()
		checkReleased(t, r)
	}
}

// Whoever holds nothing of a stream hands on what he gets.
func TestUncompressedHoldsNothing(t *testing.T) {
	r := NewReader(Options{Inflate: true})
	wire := frame(opBinary, 0x01020304, make([]byte, 1<<20))
	for i, b := range wire {
		got := read(r, []byte{b})
		if i >= len(wire)-1<<20 && len(got) != 1 {
			t.Fatalf("%d bytes for byte %d", len(got), i)
		}
	}
	if r.budget.held != 0 {
		t.Errorf("%d bytes held", r.budget.held)
	}
}

// Many directions at once, each with a context of its own, and one inflater.
func TestSharedBudget(t *testing.T) {
	budget := new(Budget)
	random := rand.New(rand.NewPCG(7, 7))
	type direction struct {
		traffic
		r      *Reader
		pieces [][]byte
		got    []byte
	}
	var all []*direction
	for range 20 {
		d := &direction{traffic: randomTraffic(random)}
		d.options.Budget = budget
		d.r, d.pieces = NewReader(d.options), scramble(random, d.wire, 2000)
		all = append(all, d)
	}
	for len(all) > 0 {
		i := random.IntN(len(all))
		d := all[i]
		if len(d.pieces) > 0 {
			d.got = append(d.got, read(d.r, d.pieces[0])...)
			d.pieces = d.pieces[1:]
			continue
		}
		if d.r.Lost() || !bytes.Equal(d.got, d.payload) {
			t.Fatalf("%d of %d bytes, lost %v", len(d.got), len(d.payload), d.r.Lost())
		}
		d.r.Release()
		all = slices.Delete(all, i, i+1)
	}
	if budget.held != cap(budget.scratch) {
		t.Errorf("%d bytes held at the end", budget.held)
	}
}

func TestSkip(t *testing.T) {
	tests := []struct {
		name, before string
		n            int64
		after        string
		inflate      bool
		want         string // a hole is written as dots
		lost         bool
		code         int // -1: closed with the code 0
	}{
		{"within a payload", "82 85 00 01 02 03 48", 3, "6f", false, "H...o", false, 0},
		{"the end of a payload", "82 05 48", 4, "82 02 48 69", false, "H....Hi", false, 0},
		{"a whole payload", "82 05", 5, "82 02 48 69", false, ".....Hi", false, 0},
		{"the end of a fragment", "02 02 48", 1, "80 01 69", false, "H.i", false, 0},
		{"within a ping", "89 02", 1, "00 82 02 48 69", false, "Hi", false, 0},
		{"within a ping within a compressed message", "41 03 f2 48 cd 89 02", 2, "80 04 c9 c9 07 00", true, "Hello", false, 0},
		{"within a reason", "88 05 03 e9 41", 2, "", false, "", false, 1001},
		{"within a close code", "88 02 03", 1, "", false, "", false, -1},
		{"behind a close", "88 02 03 e8", 1000, "00", false, "", false, 1000},
		{"more than the payload", "82 05 48", 5, "82 02 48 69", false, "H", true, 0},
		{"between frames", "82 02 48 69", 5, "82 02 48 69", false, "Hi", true, 0},
		{"within a header", "82 7e 01", 1, "61", false, "", true, 0},
		{"within a compressed message", "c1 07 f2", 1, "cd c9 c9 07 00", true, "", true, 0},
		{"nothing", "82 02 48", 0, "69", false, "Hi", false, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := NewReader(Options{Inflate: test.inflate})
			got := read(r, unhex(test.before))
			r.Skip(test.n, func(n int64) { got = append(got, strings.Repeat(".", int(n))...) })
			got = append(got, read(r, unhex(test.after))...)
			if string(got) != test.want || r.Lost() != test.lost {
				t.Errorf("%q, lost %v; want %q, %v", got, r.Lost(), test.want, test.lost)
			}
			code, ok := r.Closed()
			if int(code) != max(test.code, 0) || ok != (test.code != 0) {
				t.Errorf("closed with %d, %v", code, ok)
			}
		})
	}
}

// A hole anywhere within a masked payload leaves the key in step.
func TestSkipKeepsTheKey(t *testing.T) {
	payload := []byte("0123456789abcdef")
	wire := frame(fin|opBinary, 0xa1b2c3d4, payload)
	head := len(wire) - len(payload)
	for from := range len(payload) {
		for to := from + 1; to <= len(payload); to++ {
			r := NewReader(Options{})
			got := read(r, wire[:head+from])
			r.Skip(int64(to-from), func(n int64) { got = append(got, payload[from:from+int(n)]...) })
			got = append(got, read(r, wire[head+to:], frame(fin|opBinary, 5, []byte("!")))...)
			if string(got) != string(payload)+"!" {
				t.Fatalf("hole from %d to %d: %q", from, to, got)
			}
		}
	}
}

func TestUnmask(t *testing.T) {
	src := make([]byte, 40)
	for i := range src {
		src[i] = byte(i * 7)
	}
	key := [4]byte{1, 2, 4, 8}
	for n := range src {
		dst := make([]byte, n)
		next := unmask(dst, src[:n], key)
		for i := range dst {
			if dst[i] != src[i]^key[i%4] {
				t.Fatalf("byte %d of %d", i, n)
			}
		}
		if want := [4]byte{key[n%4], key[(n+1)%4], key[(n+2)%4], key[(n+3)%4]}; next != want || turn(key, int64(n)) != want {
			t.Fatalf("key behind %d bytes: %v, want %v", n, next, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(unhex("c1 07 f2 48 cd c9 c9 07 00 c1 05 f2 00 11 00 00 88 02 03 e8"), true, false, uint16(3))
	f.Add(unhex("41 03 f2 48 cd 89 01 2a 80 04 c9 c9 07 00"), true, true, uint16(1))
	f.Add(unhex("81 85 37 fa 21 3d 7f 9f 4d 51 58"), false, false, uint16(2))
	f.Add(unhex("82 7f 00 00 00 00 00 01 00 00 61"), false, false, uint16(7))
	f.Add(append(unhex("c2 09"), newDeflater(flate.BestCompression, true).message(make([]byte, 4000), false)...), true, false, uint16(1))
	f.Fuzz(func(t *testing.T, in []byte, inflate, noContext bool, size uint16) {
		options := Options{Inflate: inflate, NoContext: noContext}
		one, pieces := NewReader(options), NewReader(options)
		whole := read(one, in)
		parts := read(pieces, slices.Collect(slices.Chunk(in, int(size)+1))...)
		if !bytes.Equal(whole, parts) || fmt.Sprint(one.state, one.text, one.code) != fmt.Sprint(pieces.state, pieces.text, pieces.code) {
			t.Errorf("whole: %d bytes, state %d; in pieces: %d bytes, state %d", len(whole), one.state, len(parts), pieces.state)
		}
		if len(whole) > maxInflated+(maxRatio+1)*len(in) {
			t.Errorf("%d bytes of %d", len(whole), len(in))
		}
		one.Release()
		checkReleased(t, one)
	})
}

func BenchmarkUncompressed(b *testing.B) {
	for _, size := range []int{20, 1000, 100000} {
		for _, key := range []uint32{0, 0x01020304} {
			b.Run(fmt.Sprintf("frames of %d, masked %v", size, key != 0), func(b *testing.B) {
				wire := bytes.Repeat(frame(fin|opBinary, key, make([]byte, size)), max(1, 100000/size))
				r := NewReader(Options{})
				b.SetBytes(int64(len(wire)))
				b.ReportAllocs()
				for b.Loop() {
					for p := range slices.Chunk(wire, 1460) {
						r.Feed(p, func([]byte) {})
					}
				}
			})
		}
	}
}

func BenchmarkCompressed(b *testing.B) {
	d := newDeflater(6, false)
	var wire []byte
	for i := range 1000 {
		wire = append(wire, frame(fin|rsv1|opBinary, 1, d.message(fmt.Appendf(nil, `{"temperature": %d, "humidity": 50, "device": "sensor-17"}`, i), false))...)
	}
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(Options{Inflate: true})
		for p := range slices.Chunk(wire, 1460) {
			r.Feed(p, func([]byte) {})
		}
		if r.Lost() {
			b.Fatal("lost")
		}
	}
}
