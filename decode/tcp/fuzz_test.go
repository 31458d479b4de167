package tcp

import (
	"slices"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/decode/link"
)

// An auditor checks what holds for any input whatsoever.
type auditor struct {
	t     testing.TB
	next  [2]int64
	live  *int
	ended bool
}

func (a *auditor) advance(c *Conn, from Side, n int64) {
	a.next[from] += n
	if a.ended || n <= 0 || c.Sides[from].Next != a.next[from] {
		a.t.Fatalf("connection %d side %d: %d more bytes, offset %d, want %d, ended %v", c.Number, from, n, c.Sides[from].Next, a.next[from], a.ended)
	}
}

func (a *auditor) Data(c *Conn, from Side, p []byte, m Mark) { a.advance(c, from, int64(len(p))) }
func (a *auditor) Gap(c *Conn, from Side, n int64, cut bool, m Mark) {
	a.advance(c, from, n)
}

func (a *auditor) End(c *Conn) {
	if a.ended {
		a.t.Fatalf("connection %d ended twice", c.Number)
	}
	a.ended = true
	*a.live--
}

// FuzzTable makes segments of any bytes, ten each.
func FuzzTable(f *testing.F) {
	packet := func(tuple byte, flags link.Flags, seq, ack uint16, n, cut, wait byte) []byte {
		return []byte{tuple, byte(flags), byte(seq >> 8), byte(seq), byte(ack >> 8), byte(ack), n, cut, wait, 0}
	}
	const a, b = 0, 1
	f.Add(slices.Concat(
		packet(a, link.SYN, 100, 0, 0, 0, 0), packet(b, link.SYN|link.ACK, 500, 101, 0, 0, 0),
		packet(a, link.ACK, 104, 501, 9, 0, 0), packet(a, link.ACK, 101, 501, 5, 2, 0),
		packet(a, link.FIN|link.ACK, 113, 501, 0, 0, 0), packet(b, link.FIN|link.ACK, 501, 114, 0, 0, 3),
		packet(a, link.ACK, 114, 502, 0, 0, 200), packet(a, link.SYN, 9, 0, 0, 0, 0)))
	f.Add(slices.Concat(packet(b, link.SYN|link.ACK, 0xffff, 0, 0, 0, 0), packet(a, link.RST, 0, 0, 0, 0, 0), packet(a, link.SYN, 0, 0, 3, 0, 0)))
	// A hole that nothing fills, and ever more behind it.
	var flood []byte
	for i := range 200 {
		flood = append(flood, packet(a, link.ACK, uint16(101+300*i), 0, 255, 0, 0)...)
	}
	f.Add(flood)
	f.Fuzz(func(t *testing.T, in []byte) {
		live, number := 0, 0
		clock := time.Unix(1e9, 0)
		payload := make([]byte, 1024)
		table := NewTable(Options{MaxConns: 3, MaxEnded: 2, MaxBuffered: 2000, Open: func(*Conn) Handler {
			live++
			return &auditor{t: t, live: &live}
		}})
		for ; len(in) >= 10; in = in[10:] {
			number++
			s := link.Segment{Src: endA, Dst: endB, Flags: link.Flags(in[1] & 0x1f)}
			s.Src.Port = uint16(in[0] >> 1 & 7)
			if in[0]>>4&7 == 7 {
				s.Src = s.Dst // a land attack
			}
			if in[0]&1 == 1 {
				s.Src, s.Dst = s.Dst, s.Src
			}
			s.Seq = uint32(in[2])<<8 | uint32(in[3]) | uint32(in[9])<<24
			s.Ack = uint32(in[4])<<8 | uint32(in[5]) | uint32(in[9])<<28
			s.Payload = payload[:int(in[6])*4]
			s.Length = len(s.Payload) + int(in[7])*4
			clock = clock.Add(time.Duration(int8(in[8])) * 100 * time.Millisecond)
			table.Add(&s, Mark{Number: number, Nano: clock.UnixNano()})
			st := table.Stats()
			if live > st.Open || st.Open > 3 || st.Remembered > 2 || table.tuples.used > 5 || st.Buffered < 0 || st.Buffered > 2000 {
				t.Fatalf("after %d packets: %+v, %d live, %d tuples", number, st, live, table.tuples.used)
			}
		}
		table.Flush()
		if st := table.Stats(); live != 0 || st.Open != 0 || st.Buffered != 0 {
			t.Fatalf("after Flush: %+v, %d live", st, live)
		}
	})
}
