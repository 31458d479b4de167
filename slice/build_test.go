package slice

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
)

// frame is Ethernet, IPv4 and TCP with right checksums.
func frame(src, dst [4]byte, sport, dport uint16, seq, ack uint32, flags byte, payload []byte) []byte {
	tcp := binary.BigEndian.AppendUint16(nil, sport)
	tcp = binary.BigEndian.AppendUint16(tcp, dport)
	tcp = binary.BigEndian.AppendUint32(tcp, seq)
	tcp = binary.BigEndian.AppendUint32(tcp, ack)
	tcp = append(tcp, 0x80, flags, 0x20, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1) // 12 bytes of options
	tcp = append(tcp, payload...)
	binary.BigEndian.PutUint16(tcp[16:], ^sumOver(src, dst, 6, tcp))
	return ethernet(ip(src, dst, 6, tcp, 0))
}

func sumOver(src, dst [4]byte, protocol byte, upper []byte) uint16 {
	pseudo := append(append(bytes.Clone(src[:]), dst[:]...), 0, protocol, byte(len(upper)>>8), byte(len(upper)))
	return sumAt(append(pseudo, upper...), 0)
}

// ip is an IPv4 packet, or with a fragment field a part of one.
func ip(src, dst [4]byte, protocol byte, upper []byte, fragment uint16) []byte {
	h := []byte{0x45, 0, 0, 0, 0x12, 0x34, byte(fragment >> 8), byte(fragment), 64, protocol, 0, 0}
	h = append(append(h, src[:]...), dst[:]...)
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(upper)))
	binary.BigEndian.PutUint16(h[10:], ^sumAt(h, 0))
	return append(h, upper...)
}

func ethernet(ip []byte) []byte {
	return append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}, ip...)
}

// vxlan wraps a frame.
func vxlan(inner []byte) []byte {
	src, dst := [4]byte{192, 0, 2, 1}, [4]byte{192, 0, 2, 2}
	udp := []byte{0xc0, 0, 0x12, 0xb5, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 7, 0}
	udp = append(udp, inner...)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	binary.BigEndian.PutUint16(udp[6:], ^sumOver(src, dst, 17, udp))
	return ethernet(ip(src, dst, 17, udp, 0))
}

// rightChecksums reports whether all checksums of such a frame are right.
func rightChecksums(b []byte) bool {
	b = b[14:]
	if sumAt(b[:20], 0) != 0xffff {
		return false
	}
	upper := b[20:binary.BigEndian.Uint16(b[2:])]
	right := sumOver([4]byte(b[12:]), [4]byte(b[16:]), b[9], upper) == 0xffff
	if b[9] == 17 {
		return right && rightChecksums(upper[16:])
	}
	return right
}

// told is a stream's byte: whether it is secret, and what masks it.
type told struct {
	b, key byte
	secret bool
}

type script []told

func (s script) say(text string, secret bool) script {
	for i := range len(text) {
		s = append(s, told{b: text[i], secret: secret})
	}
	return s
}

func field(text string) string { return string([]byte{byte(len(text) >> 8), byte(len(text))}) + text }

// connectScript is a CONNECT with canaries.
func connectScript(random *rand.Rand, five bool) script {
	canary := func() string {
		b := make([]byte, 1+random.IntN(60))
		for i := range b {
			b[i] = byte('A' + random.IntN(26))
		}
		return string(b)
	}
	var s script
	say := func(text string) { s = s.say(text, false) }
	secret := func() {
		c := canary()
		say(string([]byte{byte(len(c) >> 8), byte(len(c))}))
		s = s.say(c, true)
	}
	if five {
		say("\x00\x04MQTT\x05\xce\x00\x3c")
		at := len(s)
		say("\x15" + field("m") + "\x16")
		secret()
		say("\x26" + field("n"))
		secret()
		list := len(s) - at
		s = append(append(append(script{}, s[:at]...), script{}.say(varint(list), false)...), s[at:]...)
	} else {
		say("\x00\x04MQTT\x04\xce\x00\x3c")
	}
	say(field("gw-7"))
	if five {
		say("\x00")
	}
	say(field("t/will"))
	secret()
	secret()
	secret()
	return append(script{}.say("\x10"+varint(len(s)), false), s...)
}

func varint(n int) string {
	if n < 128 {
		return string([]byte{byte(n)})
	}
	return string([]byte{byte(n) | 0x80, byte(n >> 7)})
}

// framed puts a script into masked WebSocket frames of random lengths.
func framed(random *rand.Rand, s script) script {
	var out script
	for len(s) > 0 {
		n := min(len(s), 1+random.IntN(100))
		key := []byte{byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32())}
		out = out.say(string([]byte{0x82, 0x80 | byte(n)})+string(key), false)
		for i, c := range s[:n] {
			c.key = key[i&3]
			c.b ^= c.key
			out = append(out, c)
		}
		s = s[n:]
	}
	return out
}

func (s script) bytes() []byte {
	b := make([]byte, len(s))
	for i, c := range s {
		b[i] = c.b
	}
	return b
}

// A conversation is what is captured of a client that sends a script in random segments, and is refused.
type conversation struct {
	frames [][]byte
	isn    uint32
}

var clientAddr, brokerAddr = [4]byte{10, 77, 83, 91}, [4]byte{10, 99, 201, 113}

func converse(random *rand.Rand, s script, answers []byte, wrap func([]byte) []byte) conversation {
	c := conversation{isn: random.Uint32()}
	if random.IntN(4) == 0 {
		c.isn = -uint32(random.IntN(100)) // the numbers wrap within
	}
	const theirs = 77
	up := func(seq, ack uint32, flags byte, p []byte) {
		c.frames = append(c.frames, wrap(frame(clientAddr, brokerAddr, 40000, 1883, seq, ack, flags, p)))
	}
	down := func(seq, ack uint32, flags byte, p []byte) {
		c.frames = append(c.frames, wrap(frame(brokerAddr, clientAddr, 1883, 40000, seq, ack, flags, p)))
	}
	up(c.isn, 0, 2, nil)
	down(theirs, c.isn+1, 0x12, nil)
	up(c.isn+1, theirs+1, 0x10, nil)
	b := s.bytes()
	type segment struct{ from, to int }
	var segments []segment
	for at := 0; at < len(b); {
		n := 1 + random.IntN(1+random.IntN(80))
		to := min(len(b), at+n)
		segments = append(segments, segment{max(0, at-random.IntN(20)*random.IntN(2)), to})
		if random.IntN(3) == 0 {
			from := random.IntN(to)
			segments = append(segments, segment{from, from + 1 + random.IntN(to-from)})
		}
		at = to
	}
	if random.IntN(2) == 0 {
		random.Shuffle(len(segments), func(i, j int) { segments[i], segments[j] = segments[j], segments[i] })
	}
	for _, g := range segments {
		up(c.isn+1+uint32(g.from), theirs+1, 0x18, b[g.from:g.to])
	}
	down(theirs+1, c.isn+1+uint32(len(b)), 0x18, answers)
	down(theirs+1+uint32(len(answers)), c.isn+1+uint32(len(b)), 0x11, nil)
	up(c.isn+1+uint32(len(b)), theirs+2+uint32(len(answers)), 0x11, nil)
	// Sent again behind the end, as a straggler.
	up(c.isn+1, theirs+1, 0x18, b)
	return c
}

// file is the conversation's capture, cut to a snap length.
func (c conversation) file(t testing.TB, snap int) []byte {
	t.Helper()
	var packets []capture.Packet
	for i, f := range c.frames {
		packets = append(packets, capture.Packet{Nano: 1_700_000_000e9 + int64(i)*1e6, Length: len(f), Data: f[:min(len(f), snap)]})
	}
	return pcapng(t, packets)
}

// pcapng is a file of packets of one interface.
func pcapng(t testing.TB, packets []capture.Packet) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := pcapfile.NewWriter(&out, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Interface(capture.LinkEN10MB, "eth0"); err != nil {
		t.Fatal(err)
	}
	for i := range packets {
		if err := w.Packet(&packets[i], ""); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}
