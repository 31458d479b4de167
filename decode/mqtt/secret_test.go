package mqtt

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// overwrite fills what is secret with x.
func overwrite(p []byte, fr Frame, all bool) []byte {
	p = bytes.Clone(p)
	Privates(fr, func(f Private) {
		if all || f.Field <= UnreadField {
			for i := f.From; i < min(f.To, len(p)); i++ {
				p[i] = 'x'
			}
		}
	})
	return p
}

// frameOf frames a packet that is all there.
func frameOf(t testing.TB, p []byte) Frame {
	t.Helper()
	var f Framer
	_, fr, ok := f.Feed(p)
	if !ok {
		t.Fatalf("% x is no packet", p)
	}
	return fr
}

func TestPrivates(t *testing.T) {
	const body311 = "\x00\x04MQTT\x04\xee\x00\x3c" + "\x00\x02id" + "\x00\x01t\x00\x04WILL" + "\x00\x04USER" + "\x00\x04PASS"
	const body5 = "\x00\x04MQTT\x05\xc2\x00\x3c" + "\x12\x15\x00\x01m\x16\x00\x04DATA\x26\x00\x01n\x00\x01V" + "\x00\x02id\x00\x04USER\x00\x04PASS"
	for name, c := range map[string]struct{ packet, want string }{
		"3.1.1": {"\x10\x23" + body311,
			"\x10\x23\x00\x04MQTT\x04\xee\x00\x3c\x00\x02id\x00\x01t\x00\x04xxxx\x00\x04xxxx\x00\x04xxxx"},
		"5": {"\x10\x2d" + body5,
			"\x10\x2d\x00\x04MQTT\x05\xc2\x00\x3c\x12\x15\x00\x01m\x16\x00\x04xxxx\x26\x00\x01n\x00\x01x\x00\x02id\x00\x04xxxx\x00\x04xxxx"},
		"an ID length that swallows the password": {"\x10\x16\x00\x04MQTT\x04\xc2\x00\x3c\x00\x08PASSWORDZZ",
			"\x10\x16\x00\x04MQTT\x04\xc2\x00\x3c\x00\x08xxxxxxxxxx"},
		"trailing bytes":             {"\x10\x12\x00\x04MQTT\x04\x02\x00\x3c\x00\x02idSECR", "\x10\x12\x00\x04MQTT\x04\x02\x00\x3c\x00\x02idxxxx"},
		"unknown version, no layout": {"\x10\x10\x00\x04MQTX\x63\xc2\x00\x3cSECRET", "\x10\x10\x00\x04MQTX\x63xxxxxxxxx"},
		"AUTH":                       {"\xf0\x0a\x18\x08\x15\x00\x01m\x16\x00\x01S", "\xf0\x0a\x18\x08\x15\x00\x01m\x16\x00\x01x"},
		"CONNACK":                    {"\x20\x07\x00\x00\x04\x16\x00\x01S", "\x20\x07\x00\x00\x04\x16\x00\x01x"},
		"PUBLISH":                    {"\x30\x05\x00\x01tab", "\x30\x05\x00\x01tab"},
	} {
		p := []byte(c.packet)
		if got := overwrite(p, frameOf(t, p), false); string(got) != c.want {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, c.want)
		}
	}
}

// Wherever a CONNECT breaks off, no secret is left, and what it says of itself is
// what it said.
func TestPrivatesOfCutConnect(t *testing.T) {
	packet := []byte("\x10\x29\x00\x04MQTT\x04\xee\x00\x3c\x00\x02id\x00\x01t\x00\x06SECRET\x00\x06SECRET\x00\x06SECRET")
	for n := 2; n < len(packet); n++ {
		var f Framer
		f.Feed(packet[:n])
		fr, ok := f.Partial()
		if !ok {
			t.Fatalf("%d bytes: no packet has begun", n)
		}
		got := overwrite(packet[:n], fr, false)
		if bytes.ContainsAny(got, "SECR") {
			t.Errorf("%d bytes: %q", n, got)
		}
		want, errWant := ParseConnect(fr)
		fr.Body = got[2:]
		have, errHave := ParseConnect(fr)
		if (errWant == nil) != (errHave == nil) {
			t.Fatalf("%d bytes: %v, then %v", n, errWant, errHave)
		}
		if want != nil {
			want.Tag, want.UserTag, have.Tag, have.UserTag = 0, 0, 0, 0
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("%d bytes: %s", n, diff)
			}
		}
	}
}

// Parts lie in the packet, in order and apart; to overwrite them changes neither
// where the packet ends nor whether it can be parsed, nor where its parts are.
func FuzzPrivates(f *testing.F) {
	f.Add([]byte("\x10\x23\x00\x04MQTT\x04\xee\x00\x3c\x00\x02id\x00\x01t\x00\x04WILL\x00\x04USER\x00\x04PASS"))
	f.Add([]byte("\x10\x2d\x00\x04MQTT\x05\xc2\x00\x3c\x12\x15\x00\x01m\x16\x00\x04DATA\x26\x00\x01n\x00\x01V\x00\x02id\x00\x04USER\x00\x04PASS"))
	f.Add([]byte("\xf0\x0a\x18\x08\x15\x00\x01m\x16\x00\x01S"))
	f.Add([]byte("\x30\x05\x00\x01tab"))
	f.Add([]byte("\x10\x10\x00\x04MQTX\x63\xc2\x00\x3cSECRET"))
	f.Fuzz(func(t *testing.T, p []byte) {
		var framer Framer
		n, fr, ok := framer.Feed(p)
		if !ok {
			if fr, ok = framer.Partial(); !ok {
				return
			}
			n = min(len(p), fr.Length)
		}
		fr.Body = bytes.Clone(fr.Body)
		last := 0
		Privates(fr, func(f Private) {
			if f.From < last || f.To <= f.From || f.To > fr.Length {
				t.Fatalf("%+v behind %d in a packet of %d", f, last, fr.Length)
			}
			if f.Value != nil && !fr.NonMinimal && !bytes.Equal(f.Value, p[f.From:f.To]) {
				t.Fatalf("%+v is %q", f, p[f.From:f.To])
			}
			last = f.To
		})
		if fr.Type != TypeConnect || fr.Incomplete || fr.NonMinimal {
			return
		}
		masked := overwrite(p[:n], fr, false)
		var again Framer
		m, fr2, ok := again.Feed(masked)
		if m != n || !ok || fr2.Type != fr.Type {
			t.Fatalf("%q is a packet no more", masked)
		}
		a, errA := ParseConnect(fr)
		b, errB := ParseConnect(fr2)
		if (errA == nil) != (errB == nil) || a != nil && (a.ClientID != b.ClientID || a.Username != b.Username || a.KeepAlive != b.KeepAlive || a.IDUnknown != b.IDUnknown) {
			t.Fatalf("%q and %q are told apart:\n%+v\n%+v", p[:n], masked, a, b)
		}
	})
}

// A secret is found in a random CONNECT whatever it holds.
func TestPrivatesRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	field := func(s string) string { return string([]byte{byte(len(s) >> 8), byte(len(s))}) + s }
	for range 2000 {
		secret := make([]byte, 8+random.IntN(300))
		for i := range secret {
			secret[i] = byte(random.Uint32())
		}
		five := random.IntN(2) == 0
		body := "\x00\x04MQTT\x04\xc6\x00\x3c"
		if five {
			body = "\x00\x04MQTT\x05\xc6\x00\x3c"
			list := "\x16" + field(string(secret)) + "\x15" + field("m")
			body += string([]byte{byte(len(list)&0x7f | 0x80*b2i(len(list) > 127))})
			if len(list) > 127 {
				body += string([]byte{byte(len(list) >> 7)})
			}
			body += list
		}
		body += field("id")
		if five {
			body += "\x00"
		}
		body += field("t") + field(string(secret)) + field(string(secret)) + field(string(secret))
		p := []byte{0x10, byte(len(body)&0x7f | 0x80*b2i(len(body) > 127))}
		if len(body) > 127 {
			p = append(p, byte(len(body)>>7))
		}
		p = append(p, body...)
		if got := overwrite(p, frameOf(t, p), false); bytes.Contains(got, secret[:8]) {
			t.Fatalf("%x is left in %x", secret, got)
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
