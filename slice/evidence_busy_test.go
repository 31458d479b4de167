package slice

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
)

// A deed is what one side of a session does: it sends bytes, with flags beside ACK, some time
// after the deed before.
type deed struct {
	broker bool
	flags  byte
	said   string
	after  int64 // nanoseconds
}

const (
	push, fin = 0x08, 0x01
	second    = int64(1e9)
)

var (
	hello    = deed{false, push, "\x10\x10\x00\x04MQTT\x04\x02\x00\x0a\x00\x04gw-7", 1e6} // keep-alive 10 s
	hello5   = deed{false, push, "\x10\x11\x00\x04MQTT\x05\x02\x00\x0a\x00\x00\x04gw-7", 1e6}
	welcome  = deed{true, push, "\x20\x02\x00\x00", 1e6}
	welcome5 = deed{true, push, "\x20\x03\x00\x00\x00", 1e6}
	goodbye  = "\xe0\x00"
	toldEnd  = "\xe0\x02\x8b\x00" // server shutting down
	reading  = "\x30\x0a\x00\x03a/bhello"
	stored   = "\x40\x02\x00\x07"
	ping     = "\xc0\x00"
)

// repeated is the capture of one client that does the same in several sessions.
func repeated(t testing.TB, sessions int, deeds []deed) []byte {
	t.Helper()
	var packets []capture.Packet
	nano := 1_700_000_000 * second
	for n := range sessions {
		port := uint16(40000 + n)
		seq := [2]uint32{1000, 77}
		send := func(d deed) {
			src, dst, sport, dport, side := clientAddr, brokerAddr, port, uint16(1883), 0
			if d.broker {
				src, dst, sport, dport, side = dst, src, dport, sport, 1
			}
			nano += d.after
			b := frame(src, dst, sport, dport, seq[side], seq[1-side], d.flags, []byte(d.said))
			packets = append(packets, capture.Packet{Nano: nano, Length: len(b), Data: b})
			seq[side] += uint32(len(d.said)) + uint32(d.flags&fin) + uint32(d.flags>>1&1)
		}
		send(deed{false, 0x02, "", second})
		send(deed{true, 0x12, "", 1e6})
		for _, d := range deeds {
			d.flags |= 0x10
			send(d)
		}
	}
	return pcapng(t, packets)
}

// symptoms are those that were found, in order.
func symptoms(a *analyze.Analyzer) []string {
	var list []string
	for _, f := range a.Findings() {
		list = append(list, fmt.Sprint(f.Symptom, f.Sessions))
	}
	slices.Sort(list)
	return list
}

// What is left out neither hides a DISCONNECT, nor, where it is little, what a session came to.
func TestEvidenceBehindTraffic(t *testing.T) {
	hangUp := []deed{{false, fin, "", 1e6}, {true, fin, "", 1e6}}
	thrown := []deed{{true, fin, "", 1e6}, {false, fin, "", 1e6}}
	silent := []deed{{true, fin, "", 15 * second}, {false, fin, "", 1e6}}
	client := func(said ...string) (deeds []deed) {
		for _, s := range said {
			deeds = append(deeds, deed{false, push, s, 1e6})
		}
		return deeds
	}
	began := []deed{hello, welcome}
	for name, c := range map[string]struct {
		deeds []deed
		want  []string
	}{
		"DISCONNECT behind a PUBLISH":             {slices.Concat(began, client(reading, reading+goodbye), hangUp), nil},
		"DISCONNECT behind a PUBLISH, behind two": {slices.Concat(began, client(reading+reading, reading+goodbye), hangUp), nil},
		"DISCONNECT behind the rest of a PUBLISH": {slices.Concat(began, client(reading[:5], reading[5:]+goodbye), hangUp), nil},
		"DISCONNECT with the FIN":                 {slices.Concat(began, client(reading+ping), []deed{{false, push | fin, reading + goodbye, 1e6}, {true, fin, "", 1e6}}), nil},
		"DISCONNECT alone, behind two":            {slices.Concat(began, client(reading+reading, goodbye), hangUp), nil},
		"no DISCONNECT":                           {slices.Concat(began, client(reading), thrown), []string{"session-flapping6"}},
		"no DISCONNECT behind several":            {slices.Concat(began, client(reading, ping, reading, stored, reading), thrown), []string{"session-flapping6"}},
		"the client was silent":                   {slices.Concat(began, client(reading+reading), silent), []string{"keepalive-timeout6"}},
		"the client was silent behind several":    {slices.Concat(began, client(reading, ping, reading, stored, reading), silent), []string{"keepalive-timeout6"}},
		"DISCONNECT of the broker in two segments": {[]deed{
			hello5, welcome5, {true, push, toldEnd[:2], 15 * second}, {true, push, toldEnd[2:], second / 2}, {true, fin, "", 1e6}, {false, fin, "", 1e6},
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			file := repeated(t, 6, c.deeds)
			if got := symptoms(analysed(t, "capture", fromBytes(file))); !slices.Equal(got, c.want) {
				t.Fatalf("the capture shows %v, not %v", got, c.want)
			}
			out, _ := written(t, fromBytes(file), EvidenceOptions{})
			if got := symptoms(analysed(t, "evidence", fromBytes(out))); !slices.Equal(got, c.want) {
				t.Errorf("evidence shows %v, not %v", got, c.want)
			}
		})
	}
}

// randomDeeds are a session with traffic: MQTT packets of both sides, cut into
// segments anywhere, or joined, and an end.
func randomDeeds(random *rand.Rand) []deed {
	deeds := []deed{hello, welcome}
	five := random.IntN(3) == 0
	if five {
		deeds = []deed{hello5, welcome5}
	}
	var said [2]string
	flush := func(broker bool, flags byte, after int64) {
		side := 0
		if broker {
			side = 1
		}
		b := said[side]
		said[side] = ""
		for len(b) > 0 && random.IntN(3) == 0 {
			n := 1 + random.IntN(len(b))
			deeds = append(deeds, deed{broker, push, b[:n], after})
			b, after = b[n:], 1e6
		}
		if len(b) > 0 || flags != 0 {
			deeds = append(deeds, deed{broker, push | flags, b, after})
		}
	}
	say := func(broker bool, s string) {
		side := 0
		if broker {
			side = 1
		}
		if said[side] += s; random.IntN(3) > 0 {
			flush(broker, 0, random.Int64N(second/5))
		}
	}
	for range random.IntN(2) * random.IntN(16) {
		broker := random.IntN(4) == 0
		say(broker, []string{reading, reading, stored, ping}[random.IntN(4-random.IntN(2))])
	}
	last := int64(1e6)
	if random.IntN(3) == 0 {
		last = 13*second + random.Int64N(4*second)
	}
	broker := random.IntN(2) == 0
	switch flags := byte(fin); {
	case !broker && random.IntN(2) == 0:
		say(false, goodbye)
		flush(false, byte(random.IntN(2)), 1e6)
		flush(false, fin, 1e6)
	case broker && five && random.IntN(2) == 0:
		flush(false, 0, 1e6)
		flush(true, 0, 1e6)
		// Behind a hole it is found where it is a segment.
		deeds = append(deeds, deed{true, push, toldEnd, last})
		flush(true, fin, 1e6)
	default:
		flush(!broker, 0, 1e6)
		if random.IntN(4) == 0 {
			flags = 0x04 // RST
		}
		flush(broker, flags, last)
		if flags != fin {
			return deeds
		}
	}
	return append(deeds, deed{!broker, fin, "", 1e6})
}

// Whatever was left out, evidence shows nothing that the capture does not.
func TestEvidenceShowsNothingElse(t *testing.T) {
	shown, hidden := map[string]int{}, 0
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 11))
		deeds := randomDeeds(random)
		file := repeated(t, 5, deeds)
		want := symptoms(analysed(t, "capture", fromBytes(file)))
		out, _ := written(t, fromBytes(file), EvidenceOptions{Redact: random.IntN(4) == 0})
		got := symptoms(analysed(t, "evidence", fromBytes(out)))
		for _, s := range got {
			shown[s]++
			if !slices.Contains(want, s) {
				t.Errorf("seed %d: evidence shows %v, the capture %v: %q", seed, got, want, fmt.Sprint(deeds))
			}
		}
		hidden += len(want) - len(got)
	}
	t.Logf("%v, %d hidden", shown, hidden)
	if shown["session-flapping5"] < 100 || shown["keepalive-timeout5"] < 30 {
		t.Errorf("only %v", shown)
	}
}
