package tcp

import (
	"math/rand/v2"
	"testing"

	"github.com/mqttriage/mqttriage/decode/link"
)

// TestFirstCopyCounts: where hosts, or who inserts segments between them, send
// two different bytes for one position, the one captured first counts, in
// whatever order segments come and wherever they wait.
func TestFirstCopyCounts(t *testing.T) {
	segments := []struct {
		at   int
		text string
	}{{0, "aaaa"}, {2, "bbbb"}, {5, "ccccc"}, {1, "dddddddd"}, {9, "ee"}}
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 4))
		want := make([]byte, 11)
		log := &transcript{}
		table := NewTable(Options{Thorough: seed%2 == 0, Open: func(*Conn) Handler { return log }})
		table.Add(&link.Segment{Src: endA, Dst: endB, Seq: 100, Flags: link.SYN}, Mark{Number: 1, Nano: 1})
		order := r.Perm(len(segments))
		for i, n := range order {
			s := segments[n]
			for j := range s.text {
				if want[s.at+j] == 0 {
					want[s.at+j] = s.text[j]
				}
			}
			table.Add(&link.Segment{
				Src: endA, Dst: endB, Seq: 101 + uint32(s.at), Flags: link.ACK, ID: uint16(i),
				Payload: []byte(s.text), Length: len(s.text),
			}, Mark{Number: 2 + i, Nano: 1})
		}
		table.Flush()
		if string(log.text) != string(want) {
			t.Errorf("order %v: %q, want %q", order, log.text, want)
		}
	}
}

// TestBeyondTheNumbers: a stream may be longer than there are sequence numbers.
func TestBeyondTheNumbers(t *testing.T) {
	const length = 65_000
	log := &transcript{}
	table := NewTable(Options{Open: func(*Conn) Handler { return log }})
	seq := uint32(1)
	packets := 0
	for sent := int64(0); sent < 3<<32; sent += length {
		packets++
		s := link.Segment{Src: endA, Dst: endB, Seq: seq, Flags: link.ACK, Payload: []byte{byte(packets)}, Length: length, ID: uint16(packets)}
		if packets%5 == 0 { // every fifth packet after the one that follows it
			s.Seq += length
		} else if packets%5 == 1 && packets > 1 {
			s.Seq -= length
		}
		seq += length
		table.Add(&s, Mark{Number: packets, Nano: 1e18 + int64(packets)})
	}
	table.Flush()
	if log.gap+int64(len(log.text)) != log.next || log.next < 3<<32 || len(log.text) != packets {
		t.Errorf("%d packets: offset %d, %d bytes, gaps of %d", packets, log.next, len(log.text), log.gap)
	}
	if s := table.Stats(); s.Stray != 0 || s.Connections != 1 {
		t.Errorf("%+v", s)
	}
}

// A transcript keeps side 0's bytes.
type transcript struct {
	text      []byte
	gap, next int64
}

func (l *transcript) Data(c *Conn, from Side, p []byte, _ Mark)      { l.text = append(l.text, p...) }
func (l *transcript) Gap(_ *Conn, _ Side, n int64, cut bool, _ Mark) { l.gap += n }
func (l *transcript) End(c *Conn)                                    { l.next = c.Sides[0].Next }
