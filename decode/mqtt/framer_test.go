package mqtt

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

// clone is a frame that outlives the framer's buffer; all empty bodies are alike.
func clone(fr Frame) Frame {
	if len(fr.Body) == 0 {
		fr.Body = nil
	} else {
		fr.Body = bytes.Clone(fr.Body)
	}
	return fr
}

// feedAll feeds a stream in pieces, and checks what holds for any call.
func feedAll(t testing.TB, f *Framer, pieces ...[]byte) (frames []Frame) {
	t.Helper()
	for _, p := range pieces {
		for len(p) > 0 {
			before := f.InPacketHave()
			n, fr, ok := f.Feed(p)
			if n < 0 || n > len(p) || n == 0 && !ok {
				t.Fatalf("Feed of %d bytes consumed %d, ok %v", len(p), n, ok)
			}
			if !ok && n != len(p) {
				t.Fatalf("Feed left %d bytes without yielding a packet", len(p)-n)
			}
			if f.Buffered() > MaxConnect+maxHeader {
				t.Fatalf("%d bytes are buffered", f.Buffered())
			}
			if ok {
				if fr.Type == 0 || fr.Length < 2 || len(fr.Body) > fr.Length {
					t.Fatalf("impossible frame %+v", fr)
				}
				if f.Lost() {
					t.Fatal("a lost framer yields a packet")
				}
			} else if !f.Lost() && f.InPacketHave() < before {
				t.Fatal("bytes of the packet in progress went away")
			}
			if ok {
				frames = append(frames, clone(fr))
			}
			p = p[n:]
		}
	}
	return frames
}

// InPacketHave is how much of the packet in progress has been seen.
func (f *Framer) InPacketHave() int {
	_, have, _ := f.InPacket()
	return have
}

func TestFramer(t *testing.T) {
	type want struct {
		typ    Type
		length int
		body   string // hexadecimal, as unhex reads it
		marks  string // letters: B broken length, N non-minimal, O oversize
	}
	cases := []struct {
		name   string
		stream string
		frames []want
		lost   bool
	}{
		{"connect", "100e0004'MQTT'0402003c0002'n1'", []want{{TypeConnect, 16, "0004'MQTT'0402003c0002'n1'", ""}}, false},
		{"connect, subscribe, publish in one segment",
			"100e0004'MQTT'0402003c0002'n1' 8206 0001 0001'a'00 3004 0001'a'7a",
			[]want{{TypeConnect, 16, "0004'MQTT'0402003c0002'n1'", ""}, {TypeSubscribe, 8, "", ""}, {TypePublish, 6, "", ""}}, false},
		{"connack", "20020100", []want{{TypeConnack, 4, "0100", ""}}, false},
		{"connack with non-minimal length", "2082000000", []want{{TypeConnack, 5, "0000", "N"}}, false},
		{"connack with four length bytes", "208280800000 00", []want{{TypeConnack, 7, "0000", "N"}}, false},
		{"five length bytes [section 1.5.5]", "20ffffffff0f", nil, true},
		{"five length bytes that end in 80", "2080808080 00", nil, true},
		{"disconnect without body", "e000", []want{{TypeDisconnect, 2, "", ""}}, false},
		{"disconnect with code", "e0018e", []want{{TypeDisconnect, 3, "8e", ""}}, false},
		{"auth", "f00a 18 08 15 0005'SCRAM'", []want{{TypeAuth, 12, "18 08 15 0005'SCRAM'", ""}}, false},
		{"ping", "c000d000", []want{{TypePingreq, 2, "", ""}, {TypePingresp, 2, "", ""}}, false},
		{"ping with bytes swapped", "0ac0c000", []want{{TypePingreq, 2, "", ""}, {TypePingreq, 2, "", ""}}, false},
		{"ping with length", "c001 00", nil, true},
		{"type 0", "0000", nil, true},
		{"type 0 after a packet", "c00000", []want{{TypePingreq, 2, "", ""}}, true},
		{"GET", "'GET / HTTP/1.1'0d0a", nil, true},
		{"tls client hello", "16030100c8010000c40303", nil, true},
		{"connect with header flags [MQTT-2.2.2-2]", "130e0004'MQTT'0402003c0002'n1'",
			[]want{{TypeConnect, 16, "0004'MQTT'0402003c0002'n1'", ""}}, false},
		{"3.1 subscribe with dup", "8a06 0001 0001'a'00", []want{{TypeSubscribe, 8, "", ""}}, false},
		{"publish with qos 3", "3604 0001'a'7a", []want{{TypePublish, 6, "", ""}}, false},
		{"auth with flags", "f100", nil, true},
		{"empty connect, then garbage", "100004", []want{{TypeConnect, 2, "", ""}}, true},
		{"non-minimal connect of 14 bytes", "108e000004'MQTT'0402003c0002'n1'",
			[]want{{TypeConnect, 17, "0004'MQTT'0402003c0002'n1'", "N"}}, false},
		{"non-minimal empty connect", "108000c000", []want{{TypeConnect, 3, "", "N"}, {TypePingreq, 2, "", ""}}, false},
		{"neither a broken nor a non-minimal length", "108e0004'MQXX'", nil, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			stream := unhex(t, c.stream)
			for _, pieces := range [][][]byte{{stream}, bytewise(stream)} {
				var f Framer
				got := feedAll(t, &f, pieces...)
				if f.Lost() != c.lost {
					t.Errorf("lost %v, want %v", f.Lost(), c.lost)
				}
				if len(got) != len(c.frames) {
					t.Fatalf("%d frames %+v, want %d", len(got), got, len(c.frames))
				}
				for i, w := range c.frames {
					fr := got[i]
					if fr.Type != w.typ || fr.Length != w.length || !bytes.Equal(fr.Body, unhex(t, w.body)) || marks(fr) != w.marks {
						t.Errorf("frame %d: %+v, want %+v", i, fr, w)
					}
				}
			}
		})
	}
}

func marks(fr Frame) (s string) {
	for _, m := range []struct {
		set    bool
		letter string
	}{{fr.BrokenLength, "B"}, {fr.NonMinimal, "N"}, {fr.Oversize, "O"}, {fr.Incomplete, "I"}} {
		if m.set {
			s += m.letter
		}
	}
	return s
}

func bytewise(p []byte) (pieces [][]byte) {
	for i := range p {
		pieces = append(pieces, p[i:i+1])
	}
	return pieces
}

// brokenConnect is what an encoder with one length byte makes of a CONNECT with
// this identifier.
func brokenConnect(name string, level byte, id string) []byte {
	body := append(field(name), level, 2, 0, 60)
	body = append(body, field(id)...)
	if len(body) < 128 || len(body) > 255 {
		panic("not a length that the encoder breaks")
	}
	return append([]byte{0x10, byte(len(body))}, body...)
}

func TestFramerBrokenLength(t *testing.T) {
	for _, stream := range [][]byte{
		brokenConnect("MQTT", 4, strings.Repeat("x", 116)),
		brokenConnect("MQTT", 4, strings.Repeat("x", 243)),
		brokenConnect("MQTT", 5, strings.Repeat("x", 200)),
		brokenConnect("MQIsdp", 3, strings.Repeat("x", 200)),
	} {
		stream = append(stream, 0xc0, 0)
		var f Framer
		whole := feedAll(t, &f, stream)
		if len(whole) != 2 || !whole[0].BrokenLength || whole[0].NonMinimal || whole[1].Type != TypePingreq {
			t.Fatalf("frames %+v", whole)
		}
		if want := len(stream) - 2; whole[0].Length != want || len(whole[0].Body) != want-2 {
			t.Errorf("length %d, body %d, want %d and %d", whole[0].Length, len(whole[0].Body), want, want-2)
		}
		for i := range stream {
			var f Framer
			if got := feedAll(t, &f, stream[:i], stream[i:]); !reflect.DeepEqual(got, whole) {
				t.Errorf("split at %d: %+v", i, got)
			}
		}
	}
	// The CONNECT that such a length byte could also begin, done right.
	right := packet(0x10, field("MQTT"), []byte{4, 2, 0, 60}, field(strings.Repeat("x", 200)))
	var f Framer
	if got := feedAll(t, &f, right); len(got) != 1 || marks(got[0]) != "" {
		t.Errorf("a right CONNECT of %d bytes: %+v", len(right), got)
	}
}

// TestFramerSplits: however a stream is cut, the packets are the same.
func TestFramerSplits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var stream []byte
		for range 1 + r.IntN(6) {
			switch r.IntN(6) {
			case 0, 1:
				stream = append(stream, randomConnect(r).encode()...)
			case 2:
				stream = append(stream, packet(0x30, field("t"), make([]byte, r.IntN(40000)))...)
			case 3:
				stream = append(stream, 0xe0, 0)
			case 4:
				stream = append(stream, packet(0x20, []byte{0, 0, 0})...)
			case 5:
				stream = append(stream, packet(0x20, make([]byte, MaxOther-2+r.IntN(5)))...)
			}
		}
		if r.IntN(4) == 0 {
			stream = append(stream, 0)
		}
		var f Framer
		whole := feedAll(t, &f, stream)
		lost := f.Lost()
		for range 10 {
			var pieces [][]byte
			for rest := stream; len(rest) > 0; {
				n := 1 + r.IntN(len(rest))
				if r.IntN(2) == 0 {
					n = min(n, 1+r.IntN(20))
				}
				pieces = append(pieces, rest[:n])
				rest = rest[n:]
			}
			var f Framer
			if got := feedAll(t, &f, pieces...); !reflect.DeepEqual(got, whole) || f.Lost() != lost {
				t.Fatalf("stream % x in %d pieces differs", stream[:min(len(stream), 60)], len(pieces))
			}
		}
	}
}

// TestConnectSplitAtEveryByte: a CONNECT with everything in it, cut anywhere.
func TestConnectSplitAtEveryByte(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		stream := randomConnect(r).encode()
		want, err := ParseConnect(oneFrame(t, stream))
		if err != nil {
			t.Fatal(err)
		}
		check := func(cut string, pieces ...[]byte) {
			var f Framer
			for _, p := range pieces {
				n, fr, ok := f.Feed(p)
				if n != len(p) {
					t.Fatalf("%s: %d of %d bytes consumed", cut, n, len(p))
				}
				if ok {
					got, err := ParseConnect(fr)
					if err != nil || !reflect.DeepEqual(got, want) {
						t.Fatalf("%s: %+v, %v, want %+v", cut, got, err, want)
					}
					return
				}
			}
			t.Fatalf("%s: no packet", cut)
		}
		for i := 1; i < len(stream); i++ {
			check(fmt.Sprint("cut at ", i), stream[:i], stream[i:])
		}
		check("byte by byte", bytewise(stream)...)
	}
}

func TestFramerOversize(t *testing.T) {
	for _, c := range []struct {
		first byte
		limit int
	}{{0x10, MaxConnect}, {0x20, MaxOther}, {0xe0, MaxOther}, {0xf0, MaxOther}} {
		for _, size := range []int{c.limit - 1, c.limit, c.limit + 1, 3 * c.limit} {
			body := make([]byte, size)
			for i := range body {
				body[i] = byte(i * 7)
			}
			body[0], body[1] = 1, 0 // nothing like a protocol name
			stream := append(packet(c.first, body), 0xc0, 0)
			for _, step := range []int{len(stream), 1460, 7} {
				var f Framer
				var pieces [][]byte
				for rest := stream; len(rest) > 0; rest = rest[min(step, len(rest)):] {
					pieces = append(pieces, rest[:min(step, len(rest))])
				}
				got := feedAll(t, &f, pieces...)
				if len(got) != 2 || got[1].Type != TypePingreq {
					t.Fatalf("%#x of %d bytes in steps of %d: %d frames", c.first, size, step, len(got))
				}
				fr := got[0]
				if fr.Oversize != (size > c.limit) || !bytes.Equal(fr.Body, body[:min(size, c.limit)]) || fr.Length != len(stream)-2 {
					t.Errorf("%#x of %d bytes in steps of %d: oversize %v, %d of %d bytes",
						c.first, size, step, fr.Oversize, len(fr.Body), fr.Length)
				}
			}
		}
	}
}

// TestFramerMemory: the buffer follows what arrives, not what a packet claims.
func TestFramerMemory(t *testing.T) {
	if size := unsafe.Sizeof(Framer{}); size > 64 {
		t.Errorf("an idle framer has %d bytes", size)
	}
	for _, claim := range []string{"10ffffff7f", "20ffffff7f", "e0ffffff7f", "f0ffffff7f", "30ffffff7f"} {
		var f Framer
		feedAll(t, &f, unhex(t, claim), []byte{1, 2, 3})
		if f.Lost() || cap(f.buf) > 256 {
			t.Errorf("%s: lost %v, %d bytes allocated for 3", claim, f.Lost(), cap(f.buf))
		}
		if typ, have, want := f.InPacket(); typ == 0 || have != 8 || want != 5+1<<28-1 {
			t.Errorf("%s: in packet %v, %d of %d", claim, typ, have, want)
		}
		chunk := make([]byte, 4096)
		for range 100 {
			feedAll(t, &f, chunk)
		}
		if cap(f.buf) > 2*MaxConnect {
			t.Errorf("%s: %d bytes allocated", claim, cap(f.buf))
		}
	}
}

func TestFramerSkip(t *testing.T) {
	publish := packet(0x30, field("topic"), make([]byte, 1000))
	ping := []byte{0xc0, 0}
	connect := (&modelConnect{version: V311, id: "abc", clean: true}).encode()

	t.Run("inside a skipped packet", func(t *testing.T) {
		for _, before := range []int{3, 10, 500} {
			var f Framer
			feedAll(t, &f, publish[:before])
			f.Skip(int64(len(publish) - before - 7))
			got := feedAll(t, &f, publish[len(publish)-7:], ping)
			if len(got) != 2 || got[0].Length != len(publish) || got[1].Type != TypePingreq {
				t.Errorf("gap after %d bytes: %+v", before, got)
			}
		}
	})
	t.Run("up to the end of a skipped packet", func(t *testing.T) {
		var f Framer
		feedAll(t, &f, publish[:100])
		f.Skip(int64(len(publish) - 100))
		if got := feedAll(t, &f, ping); len(got) != 2 || got[0].Type != TypePublish || got[1].Type != TypePingreq {
			t.Errorf("frames %+v", got)
		}
	})
	t.Run("in the part of an oversize connect that is skipped", func(t *testing.T) {
		big := packet(0x10, field("MQTT"), []byte{4, 2, 0, 60}, field("a"), make([]byte, 100000))
		var f Framer
		feedAll(t, &f, big[:80000])
		f.Skip(1000)
		if got := feedAll(t, &f, big[81000:], ping); len(got) != 2 || !got[0].Oversize || len(got[0].Body) != MaxConnect {
			t.Errorf("%d frames", len(got))
		}
	})
	t.Run("in a connect", func(t *testing.T) {
		var f Framer
		feedAll(t, &f, connect[:8])
		f.Skip(1)
		got := feedAll(t, &f, connect[9:], ping)
		if len(got) != 2 || !got[0].Incomplete || !bytes.Equal(got[0].Body, connect[2:8]) || got[0].Length != len(connect) {
			t.Errorf("frames %+v, want the connect up to the hole and what follows", got)
		}
	})
	for name, c := range map[string]struct {
		before []byte
		gap    int64
	}{
		"between packets":                {ping, 10},
		"at the start":                   {nil, 1},
		"in a header":                    {[]byte{0x30}, 1},
		"beyond a body that is kept":     {connect[:8], int64(len(connect))},
		"beyond a skipped packet":        {publish[:100], int64(len(publish))},
		"beyond any packet":              {publish[:100], 1 << 62},
		"in a connect of unknown length": {[]byte{0x10}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			var f Framer
			feedAll(t, &f, c.before)
			f.Skip(c.gap)
			if !f.Lost() {
				t.Error("not lost")
			}
			if got := feedAll(t, &f, connect, ping); len(got) != 0 || f.Buffered() != 0 {
				t.Errorf("a lost framer yields %+v, holds %d bytes", got, f.Buffered())
			}
		})
	}
	t.Run("of nothing", func(t *testing.T) {
		var f Framer
		feedAll(t, &f, connect[:8])
		f.Skip(0)
		f.Skip(-5)
		if got := feedAll(t, &f, connect[8:]); len(got) != 1 {
			t.Errorf("frames %+v", got)
		}
	})
}

func TestFramerPartial(t *testing.T) {
	m := &modelConnect{version: V311, id: "gateway-7", clean: true, keepAlive: 30, will: true, willTopic: "t", willPayload: strings.Repeat("w", 300)}
	stream := m.encode()
	for cut := range stream {
		var f Framer
		feedAll(t, &f, stream[:cut])
		typ, have, want := f.InPacket()
		fr, ok := f.Partial()
		switch {
		case cut == 0:
			if typ != 0 || have != 0 || want != 0 || ok {
				t.Errorf("nothing yet: %v %d %d %v", typ, have, want, ok)
			}
			continue
		case typ != TypeConnect || have != cut || want != 0 && want != len(stream):
			t.Errorf("after %d bytes: %v, %d of %d", cut, typ, have, want)
		}
		if ok != (want != 0) {
			t.Errorf("after %d bytes: partial %v, length %d", cut, ok, want)
		}
		if !ok {
			continue
		}
		if !fr.Incomplete || fr.Length != len(stream) {
			t.Errorf("after %d bytes: %+v", cut, fr)
		}
		c, err := ParseConnect(fr)
		if (err == nil) != (cut >= 3+7) {
			t.Errorf("after %d bytes: %v", cut, err)
		}
		if err != nil {
			continue
		}
		if !c.Incomplete || len(c.Problems) != 0 {
			t.Errorf("after %d bytes: %+v", cut, c)
		}
		if whole := cut >= 3+10+2+len(m.id); (c.ClientID == m.id) != whole || !whole && c.ClientID != "" {
			t.Errorf("after %d bytes: client identifier %q", cut, c.ClientID)
		}
	}
	var f Framer
	feedAll(t, &f, []byte{0x0a})
	if typ, have, want := f.InPacket(); typ != TypePingreq || have != 1 || want != 2 {
		t.Errorf("half a swapped ping: %v, %d of %d", typ, have, want)
	}
}

// TestFramerWipes: no byte of a password is left in a buffer after its packet.
func TestFramerWipes(t *testing.T) {
	secret := strings.Repeat("S3CRET", 200)
	user := "u"
	stream := (&modelConnect{version: V5, id: "a", clean: true, user: &user, password: &secret}).encode()
	after := map[string]func(*Framer){
		"the next packet":      func(f *Framer) { f.Feed([]byte{0xc0, 0}) },
		"the next empty bytes": func(f *Framer) { f.Feed(nil) },
		"a gap":                func(f *Framer) { f.Skip(1) },
		"a reset":              func(f *Framer) { f.Reset() },
		"garbage":              func(f *Framer) { f.Feed([]byte{0, 0}) },
	}
	for name, next := range after {
		t.Run(name, func(t *testing.T) {
			var f Framer
			var buffers [][]byte
			note := func() {
				if b := f.buf; b != nil && (len(buffers) == 0 || &buffers[len(buffers)-1][0] != &b[:1][0]) {
					buffers = append(buffers, b[:cap(b)])
				}
			}
			yielded := false
			for _, p := range bytewise(stream) {
				_, fr, ok := f.Feed(p)
				note()
				if ok {
					yielded = bytes.Contains(fr.Body, []byte("S3CRET"))
				}
			}
			if !yielded || len(buffers) < 3 {
				t.Fatalf("the packet was not seen (%v) or not buffered (%d buffers)", yielded, len(buffers))
			}
			next(&f)
			for i, b := range buffers {
				if bytes.Contains(b, []byte("S3")) {
					t.Errorf("buffer %d of %d holds the password", i, len(buffers))
				}
			}
			if f.buf != nil {
				t.Error("the buffer is kept")
			}
		})
	}
	t.Run("a gap in the packet", func(t *testing.T) {
		var f Framer
		feedAll(t, &f, stream[:len(stream)-5])
		b := f.buf[:cap(f.buf)]
		if !bytes.Contains(b, []byte("S3CRET")) {
			t.Fatal("the password is not buffered")
		}
		f.Skip(5)
		f.Feed(nil)
		f.Feed(nil)
		if bytes.Contains(b, []byte("S3")) || f.buf != nil {
			t.Error("the buffer holds the password")
		}
	})
}

// FuzzFramer holds the framer against itself cut into pieces, and against what
// any frame must be.
func FuzzFramer(f *testing.F) {
	for _, seed := range crashClasses {
		f.Add(unhex(f, seed), uint16(3), uint16(0))
	}
	f.Add(brokenConnect("MQTT", 4, strings.Repeat("x", 150)), uint16(5), uint16(0))
	f.Add((&modelConnect{version: V5, id: "a", authMethod: "m"}).encode(), uint16(1), uint16(2))
	f.Fuzz(func(t *testing.T, stream []byte, cut, gap uint16) {
		var a, b, c Framer
		whole := feedAll(t, &a, stream)
		if got := feedAll(t, &b, bytewise(stream)...); !reflect.DeepEqual(got, whole) || a.Lost() != b.Lost() {
			t.Fatalf("byte by byte: %+v, want %+v", got, whole)
		}
		at := min(int(cut), len(stream))
		feedAll(t, &c, stream[:at])
		if fr, ok := c.Partial(); ok && !fr.Incomplete {
			t.Fatal("a partial frame is not marked")
		}
		c.Skip(int64(gap))
		feedAll(t, &c, stream[at:])
		consumed := 0
		for _, fr := range whole {
			againstPaho(t, fr, nil)
			consumed += fr.Length
			if want := min(keep(fr.Type), fr.Length); len(fr.Body) > want {
				t.Fatalf("%v has %d body bytes", fr.Type, len(fr.Body))
			}
			if body := fr.Length - headerSize(fr); fr.Oversize != (keep(fr.Type) > 0 && body > keep(fr.Type)) {
				t.Fatalf("oversize %v of %d bytes", fr.Oversize, fr.Length)
			}
		}
		if consumed > len(stream) {
			t.Fatalf("frames of %d bytes from %d", consumed, len(stream))
		}
		if _, have, _ := a.InPacket(); !a.Lost() && consumed+have != len(stream) {
			t.Fatalf("%d bytes framed, %d in progress, of %d", consumed, have, len(stream))
		}
	})
}

// headerSize is the size of the fixed header of a frame with minimal length;
// fuzzing does not reach the sizes at which another header would matter.
func headerSize(fr Frame) int {
	for size := 2; size < 5; size++ {
		if fr.Length-size < 1<<(7*(size-1)) {
			return size
		}
	}
	return 5
}

func BenchmarkFramerPublish(b *testing.B) {
	var stream []byte
	for range 1000 {
		stream = append(stream, packet(0x30, field("sensors/7/temperature"), []byte("21.5"))...)
	}
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		var f Framer
		n := 0
		for p := stream; len(p) > 0; {
			used, _, ok := f.Feed(p)
			if ok {
				n++
			}
			p = p[used:]
		}
		if n != 1000 {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/packet")
}

// BenchmarkFramerSegments is a stream in TCP segments that cut its packets.
func BenchmarkFramerSegments(b *testing.B) {
	var stream []byte
	for range 1000 {
		stream = append(stream, packet(0x30, field("sensors/7/temperature"), make([]byte, 300))...)
	}
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		var f Framer
		for at := 0; at < len(stream); at += 1448 {
			for p := stream[at:min(at+1448, len(stream))]; len(p) > 0; {
				used, _, _ := f.Feed(p)
				p = p[used:]
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/packet")
}
