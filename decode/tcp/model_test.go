package tcp

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/decode/link"
)

// streams is how many random connections TestAgainstModel plays. They come in
// groups that share a 4-tuple.
const streams = 2000

// A model is what a random connection sent and what of it was captured.
type model struct {
	sent     [2][]byte
	captured [2][]bool
	isn      [2]uint32
}

// A checker follows one connection and compares with its model.
type checker struct {
	t     *testing.T
	model *model
	next  [2]int64
	gaps  [2]int64
	ended *int
}

func (k *checker) Data(c *Conn, from Side, p []byte, m Mark) {
	if len(p) == 0 {
		k.t.Fatal("empty data")
	}
	for i, b := range p {
		at := k.next[from] + int64(i)
		if at >= int64(len(k.model.sent[from])) || k.model.sent[from][at] != b {
			k.t.Fatalf("connection %d side %d: wrong byte at %d", c.Number, from, at)
		}
	}
	k.next[from] += int64(len(p))
}

func (k *checker) Gap(c *Conn, from Side, n int64, cut bool, m Mark) {
	if n <= 0 {
		k.t.Fatalf("gap of %d", n)
	}
	for at := k.next[from]; at < k.next[from]+n; at++ {
		if k.model.captured[from][at] {
			k.t.Fatalf("connection %d side %d: byte %d was captured, but passed over", c.Number, from, at)
		}
	}
	k.next[from] += n
	k.gaps[from] += n
}

func (k *checker) End(c *Conn) {
	for x := range Side(2) {
		st := &c.Sides[x]
		if k.next[x] != int64(len(k.model.sent[x])) {
			k.t.Fatalf("connection %d side %d: %d of %d bytes accounted for", c.Number, x, k.next[x], len(k.model.sent[x]))
		}
		if st.Next != k.next[x] || st.LastData.Seen() != (k.next[x] > k.gaps[x]) || st.ISN != k.model.isn[x] {
			k.t.Fatalf("connection %d side %d: %+v, handed over %d bytes and gaps of %d", c.Number, x, st, k.next[x], k.gaps[x])
		}
	}
	*k.ended++
}

// TestAgainstModel sends random connections through the table: random
// segmentation, order, repetition, overlap, loss, initial sequence numbers
// near the wrap, and reuse of the 4-tuple. Every byte that was captured must
// come out once, in order; every other must be reported missing.
func TestAgainstModel(t *testing.T) {
	for seed := range uint64(streams / 4) {
		r := rand.New(rand.NewPCG(seed, 1))
		models := make([]*model, 4)
		var opened, ended int
		table := NewTable(Options{Open: func(c *Conn) Handler {
			if opened == len(models) {
				t.Fatalf("seed %d: a connection too many", seed)
			}
			opened++
			return &checker{t: t, model: models[opened-1], ended: &ended}
		}})
		number := 0
		clock := time.Unix(1e9, 0)
		for i := range models {
			var packets []link.Segment
			models[i], packets = random(r)
			for j := range packets {
				number++
				clock = clock.Add(time.Duration(r.Int64N(int64(time.Millisecond))))
				table.Add(&packets[j], Mark{Number: number, Nano: clock.UnixNano()})
			}
			clock = clock.Add(time.Duration(r.Int64N(int64(4 * time.Second))))
		}
		table.Flush()
		if opened != len(models) || ended != len(models) {
			t.Fatalf("seed %d: %d opened, %d ended", seed, opened, ended)
		}
		if s := table.Stats(); s.Buffered != 0 || s.Stray != 0 {
			t.Fatalf("seed %d: %+v", seed, s)
		}
	}
}

// random makes a connection and its packets in the order of capture. It stays
// within the limits of the queue.
func random(r *rand.Rand) (*model, []link.Segment) {
	m := new(model)
	ends := [2]link.Endpoint{endA, endB}
	for x := range 2 {
		m.sent[x] = make([]byte, r.IntN(3000))
		for i := range m.sent[x] {
			m.sent[x][i] = byte(r.Uint32())
		}
		m.captured[x] = make([]bool, len(m.sent[x]))
		m.isn[x] = r.Uint32()
		if r.IntN(2) == 0 {
			m.isn[x] = -uint32(r.IntN(3000)) // wraps on the way
		}
	}
	segment := func(x int, off int, flags link.Flags) link.Segment {
		return link.Segment{Src: ends[x], Dst: ends[1-x], Seq: m.isn[x] + 1 + uint32(off), Ack: m.isn[1-x] + 1, Flags: flags | link.ACK}
	}
	syn := segment(0, -1, link.SYN)
	syn.Flags, syn.Ack = link.SYN, 0
	synack := segment(1, -1, link.SYN)
	handshake := []link.Segment{syn, synack}
	if r.IntN(4) == 0 {
		handshake = []link.Segment{synack, syn}
	}

	var body []link.Segment
	for x := range 2 {
		for at := 0; at < len(m.sent[x]); {
			n := min(1+r.IntN(150), len(m.sent[x])-at)
			from, to := at, at+n
			at = to
			if r.IntN(12) == 0 {
				continue // lost
			}
			for range 1 + max(0, r.IntN(6)-4) {
				s := segment(x, from, 0)
				s.Payload = m.sent[x][from:to]
				s.Length = len(s.Payload)
				if r.IntN(3) == 0 {
					s.Ack += uint32(r.IntN(len(m.sent[1-x]) + 1))
				}
				body = append(body, s)
				for i := from; i < to; i++ {
					m.captured[x][i] = true
				}
				// Should it come again, it may overlap its neighbours.
				from, to = max(0, from-r.IntN(40)), min(len(m.sent[x]), to+r.IntN(40))
			}
		}
		fin := segment(x, len(m.sent[x]), link.FIN)
		body = append(body, fin)
		if r.IntN(4) == 0 {
			body = append(body, fin)
		}
	}
	// Merge the two sides and disturb the order by a few packets.
	slices.SortStableFunc(body, func(a, b link.Segment) int {
		return int(a.Seq-m.isn[side(a)]) - int(b.Seq-m.isn[side(b)])
	})
	for i := range body {
		if r.IntN(3) == 0 {
			j := min(len(body)-1, i+r.IntN(6))
			body[i], body[j] = body[j], body[i]
		}
	}
	return m, append(handshake, body...)
}

func side(s link.Segment) int {
	if s.Src == endB {
		return 1
	}
	return 0
}

// TestCutAgainstModel cuts random streams at a snap length: what comes out must
// be the right bytes in the right places.
func TestCutAgainstModel(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		m, packets := random(r)
		for x := range m.captured {
			clear(m.captured[x]) // a cut byte may be passed over though another packet has it
		}
		ended := 0
		table := NewTable(Options{Open: func(*Conn) Handler { return &checker{t: t, model: m, ended: &ended} }})
		snap := r.IntN(100)
		for i := range packets {
			packets[i].Payload = packets[i].Payload[:min(snap, len(packets[i].Payload))]
			table.Add(&packets[i], Mark{Number: i + 1, Nano: 1e18 + int64(i)})
		}
		table.Flush()
		if ended != 1 {
			t.Fatalf("seed %d: %d connections", seed, ended)
		}
	}
}

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

func BenchmarkInOrder(b *testing.B) {
	for _, conns := range []int{1, 1000, 100_000, 400_000} {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) {
			var bytes counter
			table := NewTable(Options{Open: func(*Conn) Handler { return &bytes }})
			segments := make([]link.Segment, conns)
			payload := make([]byte, 50)
			for i := range segments {
				s := &segments[i]
				s.Src = link.EndpointOf(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 50000))
				s.Dst, s.Seq, s.Flags = endB, 100, link.SYN
				table.Add(s, Mark{Number: i + 1, Nano: 1})
				s.Flags, s.Seq, s.Ack, s.Payload, s.Length = link.ACK|link.PSH, 101, 501, payload, len(payload)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				s := &segments[i*7919%conns]
				table.Add(s, Mark{Number: conns + i, Nano: int64(i)})
				s.Seq += 50
			}
		})
	}
}

// BenchmarkOutOfOrder swaps every two segments.
func BenchmarkOutOfOrder(b *testing.B) {
	var bytes counter
	table := NewTable(Options{Open: func(*Conn) Handler { return &bytes }})
	payload := make([]byte, 1000)
	s := link.Segment{Src: endA, Dst: endB, Seq: 100, Flags: link.SYN}
	table.Add(&s, Mark{Number: 1, Nano: 1})
	s.Flags, s.Payload, s.Length = link.ACK, payload, len(payload)
	b.ReportAllocs()
	for i := range b.N {
		s.Seq = 101 + 1000*uint32(i^1)
		table.Add(&s, Mark{Number: i + 2, Nano: int64(i)})
	}
}

// BenchmarkStorm opens and closes connections, seven packets each.
func BenchmarkStorm(b *testing.B) {
	var bytes counter
	table := NewTable(Options{Open: func(*Conn) Handler { return &bytes }})
	payload := make([]byte, 20)
	b.ReportAllocs()
	number := 0
	for i := range b.N {
		client := link.EndpointOf(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 20), byte(i >> 12), byte(i >> 4)}), uint16(50000+i&15)))
		add := func(src, dst link.Endpoint, seq, ack uint32, flags link.Flags, p []byte) {
			number++
			table.Add(&link.Segment{Src: src, Dst: dst, Seq: seq, Ack: ack, Flags: flags, Payload: p, Length: len(p)}, Mark{Number: number, Nano: int64(i) * 100_000})
		}
		add(client, endB, 100, 0, link.SYN, nil)
		add(endB, client, 500, 101, link.SYN|link.ACK, nil)
		add(client, endB, 101, 501, link.ACK, payload)
		add(endB, client, 501, 121, link.ACK, payload[:4])
		add(endB, client, 505, 121, link.FIN|link.ACK, nil)
		add(client, endB, 121, 506, link.FIN|link.ACK, nil)
		add(endB, client, 506, 122, link.ACK, nil)
	}
}

type counter int64

func (n *counter) Data(_ *Conn, _ Side, p []byte, _ Mark) { *n += counter(len(p)) }
func (n *counter) Gap(*Conn, Side, int64, bool, Mark)     {}
func (n *counter) End(*Conn)                              {}
