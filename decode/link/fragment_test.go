package link

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/capture"
)

// split makes fragments of an IP packet, with the payload cut at the offsets.
func split(p packet, at ...int) []packet {
	header := ipv6Header
	if p.kind == '4' {
		header = int(p.data[0]&15) * 4
	}
	payload := p.data[header:]
	var all []packet
	start := 0
	for _, end := range append(slices.Clone(at), len(payload)) {
		more := 0
		if end < len(payload) {
			more = 1
		}
		b := slices.Clone(p.data[:header])
		if p.kind == '4' {
			binary.BigEndian.PutUint16(b[2:], uint16(header+end-start))
			binary.BigEndian.PutUint16(b[6:], uint16(b[6]&0x40)<<8|uint16(more<<13|start/8))
		} else {
			binary.BigEndian.PutUint16(b[4:], uint16(8+end-start))
			b = append(b, unhex(hex.EncodeToString(b[6:7]), "00", hex16(start|more), "0000abcd")...)
			b[6] = protoFragment
		}
		all = append(all, packet{p.kind, append(b, payload[start:end]...)})
		start = end
	}
	return all
}

// long4 and long6 are segments with n bytes of payload.
func long4(n int) packet {
	b := unhex("4500", hex16(40+n), "1234 0000 4006 0000 c0000201 c0000202", tcp20)
	return packet{'4', append(b, pattern(n)...)}
}

func long6(n int) packet {
	return packet{'6', append(unhex(ip6(6, 20+n), tcp20), pattern(n)...)}
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// feed decodes IP packets, a millisecond apart, and returns what the last one
// gave and the reasons of all.
func feed(d *Decoder, s *Segment, packets ...packet) (Reason, []Reason) {
	var all []Reason
	for i, p := range packets {
		p = inIP(p)
		all = append(all, d.Decode(&capture.Packet{Nano: int64(i) * 1e6, Link: capture.LinkRaw, Length: len(p.data), Data: p.data}, s))
	}
	return all[len(all)-1], all
}

func TestFragments(t *testing.T) {
	in := func(name string, packets ...packet) []packet {
		for _, tunnel := range tunnels {
			if tunnel.name == name {
				var all []packet
				for _, p := range packets {
					all = append(all, tunnel.in(p))
				}
				return all
			}
		}
		panic(name)
	}
	reversed := func(p []packet) []packet { slices.Reverse(p); return p }
	options := packet{'4', unhex("4600", hex16(44+300), "1234 0000 4006 0000 c0000201 c0000202 94040000", tcp20, hex.EncodeToString(pattern(300)))}
	df := long4(300)
	df.data[6] = 0x40
	routed := func(p packet) packet { // a routing header before the fragment header
		b := slices.Concat(p.data[:40], unhex(hex.EncodeToString(p.data[6:7]), "00 04 00 00000000"), p.data[40:])
		b[6] = protoRouting
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
		return packet{'6', b}
	}
	var routedAll []packet
	for _, p := range split(long6(300), 64, 128) {
		routedAll = append(routedAll, routed(p))
	}
	destination := packet{'6', slices.Concat(unhex(ip6(protoDestination, 328), "06 00 010400000000", tcp20), pattern(300))}
	// Each fragment of the inner packet comes in fragments of the outer.
	var both []packet
	for _, p := range split(long4(300), 160) {
		both = append(both, split(over4(protoIPv4, p.String()), 80)...)
	}
	for i := range both {
		both[i].data[5] += byte(i / 2) // an ID for each outer datagram
	}
	for _, tt := range []struct {
		name      string
		packets   []packet
		fragments int
	}{
		{"IPv4", split(long4(300), 160), 2},
		{"IPv4, in the TCP header", split(long4(300), 8, 16, 24), 4},
		{"IPv4, reversed", reversed(split(long4(300), 8, 16, 160)), 4},
		{"IPv4, may not be fragmented", split(df, 160), 2},
		{"IPv4 with options", split(options, 160), 2},
		{"IPv4, the most fragments", split(long4(2000), multiples(8, maxPieces-1)...), maxPieces},
		{"IPv4, the longest", split(long4(0xffff-40), multiples(1480, 44)...), 45},
		{"IPv6", split(long6(300), 160), 2},
		{"IPv6, reversed", reversed(split(long6(300), 8, 16, 160)), 4},
		{"IPv6, routing header", routedAll, 3},
		{"IPv6, destination options in the first", split(destination, 8, 16), 3},
		{"VXLAN in fragments", split(in("VXLAN", long4(300))[0], 8, 16, 64), 4},
		{"GRE in fragments, reversed", reversed(split(in("GRE", long6(300))[0], 64, 128)), 3},
		{"fragments in VXLAN", in("VXLAN", split(long4(300), 160)...), 2},
		{"fragments in PPPoE", in("PPPoE", split(long6(300), 160)...), 2},
		{"fragments of fragments", both, 4},
		{"captured twice", []packet{split(long4(300), 160)[0], split(long4(300), 160)[0], split(long4(300), 160)[1]}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := Segment{Fragments: 77}
			d := NewDecoder()
			last, all := feed(d, &s, tt.packets...)
			if last != OK {
				t.Fatal(all)
			}
			for _, r := range all[:len(all)-1] {
				if r != Fragment {
					t.Fatal(all)
				}
			}
			want := pattern(s.Length)
			if s.Length < 300 || !bytes.Equal(s.Payload, want) || s.Seq != 101 || int(s.Fragments) != tt.fragments {
				t.Errorf("length %d, %d captured, sequence number %d, %d fragments", s.Length, len(s.Payload), s.Seq, s.Fragments)
			}
			v4 := s.Src.AddrPort() == v4Source
			if id := uint16(0x1234); !v4 && s.Src.AddrPort() != v6Source || v4 && s.ID != id || !v4 && s.ID != 0 {
				t.Errorf("from %v, ID %#x", s.Src.AddrPort(), s.ID)
			}
			// What is captured again says nothing new.
			if r, _ := feed(d, &s, tt.packets[len(tt.packets)-1]); r != Fragment {
				t.Errorf("the last one again: %v", r)
			}
		})
	}
}

func multiples(n, count int) []int {
	var all []int
	for i := range count {
		all = append(all, n*(i+1))
	}
	return all
}

func TestFragmentsOfUDP(t *testing.T) {
	p := over4(protoUDP, overUDP(9999, hex.EncodeToString(pattern(100))))
	var s Segment
	if r, all := feed(NewDecoder(), &s, split(p, 8, 64)...); r != UDP || s.Dst.Port != 9999 || s.Fragments != 3 || !bytes.Equal(s.Payload, pattern(100)) {
		t.Errorf("%v, %+v", all, s)
	}
}

// What contradicts itself is refused for good, the other way around as well.
func TestOverlap(t *testing.T) {
	whole := split(long4(300), 160)
	// The bytes of whole from an offset to an end.
	part := func(from, to int, more bool) packet {
		p := split(long4(300), multiples(8, 39)...)[0]
		b := append(slices.Clone(p.data[:20]), long4(300).data[20+from:20+to]...)
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		offset := uint16(from / 8)
		if more {
			offset |= 1 << 13
		}
		binary.BigEndian.PutUint16(b[6:], offset)
		return packet{'4', b}
	}
	other := packet{'4', slices.Clone(whole[0].data)}
	other.data[60] ^= 1
	for _, tt := range []struct {
		name string
		a, b packet
	}{
		{"other bytes", whole[0], other},
		// RFC 3128: the second fragment rewrites the flags of the first.
		{"in the header", whole[0], part(8, 16, true)},
		{"the same bytes, shorter", whole[0], part(0, 80, true)},
		{"the same bytes, longer", whole[0], part(0, 168, true)},
		{"the same bytes, beginning before", part(80, 160, true), part(72, 88, true)},
		{"within", part(0, 80, true), part(40, 48, true)},
		{"around", part(40, 48, true), part(0, 80, true)},
		{"last, and not last", part(160, 240, true), part(160, 240, false)},
		{"two ends", part(160, 200, false), part(200, 320, false)},
		{"behind the end", part(160, 200, false), part(240, 280, true)},
	} {
		for _, pair := range [][]packet{{tt.a, tt.b}, {tt.b, tt.a}} {
			var s Segment
			_, all := feed(NewDecoder(), &s, append(pair, whole...)...)
			if !slices.Equal(all, []Reason{Fragment, Overlap, Overlap, Overlap}) {
				t.Errorf("%s: %v", tt.name, all)
			}
		}
	}
}

// A datagram of more fragments than any is never whole, and does not begin anew
// with those that follow.
func TestTooManyFragments(t *testing.T) {
	var s Segment
	d := NewDecoder()
	_, all := feed(d, &s, split(long4(4000), multiples(8, 400)...)...)
	for i, r := range all {
		if r != Fragment {
			t.Fatalf("fragment %d: %v", i, r)
		}
	}
	if d.fragments.held != pendingCost {
		t.Errorf("%d bytes held", d.fragments.held)
	}
}

// Fragments that were cut give what lies before the first missing byte.
func TestCutFragments(t *testing.T) {
	whole := split(long4(1000), 400, 800) // the TCP header is 20 bytes of the first
	for _, tt := range []struct {
		keep [3]int // bytes of payload captured of each fragment
		want Reason
		body int
	}{
		{[3]int{400, 400, 220}, OK, 1000},
		{[3]int{400, 400, 0}, OK, 780},
		{[3]int{400, 100, 220}, OK, 480},
		{[3]int{100, 400, 220}, OK, 80},
		{[3]int{20, 0, 0}, OK, 0},
		{[3]int{19, 400, 220}, Cut, 0},
		{[3]int{0, 400, 220}, Cut, 0},
	} {
		for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
			d := NewDecoder()
			var s Segment
			var r Reason
			for _, i := range order {
				b := whole[i].data
				r = d.Decode(&capture.Packet{Link: capture.LinkRaw, Length: len(b), Data: b[:20+tt.keep[i]]}, &s)
			}
			if r != tt.want || r == OK && (s.Length != 1000 || !bytes.Equal(s.Payload, pattern(tt.body)) || s.Fragments != 3) {
				t.Errorf("%v in order %v: %v, %d of %d bytes, %d fragments", tt.keep, order, r, len(s.Payload), s.Length, s.Fragments)
			}
		}
	}
}

// Payloads are used when later packets have been decoded; the memory of packets
// is used again before the next one is.
func TestFragmentsStayValid(t *testing.T) {
	d := NewDecoder()
	memory := make([]byte, 2000)
	var kept [][]byte
	for i := range 200 {
		p := long4(1000)
		p.data[5] = byte(i) // ID
		p.data[40] = byte(i)
		var s Segment
		var r Reason
		for _, piece := range split(p, 400, 800) {
			clear(memory)
			n := copy(memory, piece.data)
			r = d.Decode(&capture.Packet{Link: capture.LinkRaw, Length: n, Data: memory[:n]}, &s)
		}
		if r != OK {
			t.Fatal(r)
		}
		kept = append(kept, s.Payload)
	}
	for i, b := range kept {
		want := pattern(1000)
		want[0] = byte(i)
		if !bytes.Equal(b, want) {
			t.Fatalf("payload %d was overwritten", i)
		}
	}
}

func TestFragmentTimeLimit(t *testing.T) {
	second := int64(time.Second)
	for _, tt := range []struct {
		p     packet
		first int64
		then  int64
		want  Reason
	}{
		{long4(300), 0, 0, OK},
		{long4(300), 5 * second, 35 * second, OK},
		{long4(300), 5 * second, 35*second + 1, Fragment},
		{long4(300), 35 * second, 5 * second, OK},
		{long4(300), 35*second + 1, 5 * second, Fragment},
		{long6(300), 5 * second, 65 * second, OK},
		{long6(300), 5 * second, 65*second + 1, Fragment},
		{long4(300), math.MinInt64, math.MaxInt64, Fragment},
		{long4(300), math.MaxInt64, math.MinInt64, Fragment},
	} {
		d, parts := NewDecoder(), split(tt.p, 160)
		var s Segment
		d.Decode(&capture.Packet{Nano: tt.first, Link: capture.LinkRaw, Length: len(parts[0].data), Data: parts[0].data}, &s)
		r := d.Decode(&capture.Packet{Nano: tt.then, Link: capture.LinkRaw, Length: len(parts[1].data), Data: parts[1].data}, &s)
		if r != tt.want {
			t.Errorf("%c: %v, then %v: %v, want %v", tt.p.kind, time.Duration(tt.first), time.Duration(tt.then), r, tt.want)
		}
		if r == Fragment && len(d.fragments.pending) != 1 {
			t.Errorf("%d datagrams are pending", len(d.fragments.pending))
		}
	}
}

// The oldest goes first.
func TestFragmentEviction(t *testing.T) {
	var r reassembler
	add := func(id, offset, n int, more bool) Reason {
		_, reason := r.add(fragmentKey{id: uint32(id)}, fragment{frame: frame{make([]byte, n), n}, offset: offset, more: more}, 0)
		return reason
	}
	for id := range maxPending + 1 {
		add(id, 0, 8, true)
	}
	if got := add(1, 8, 8, false); got != OK {
		t.Errorf("the second: %v", got)
	}
	if got := add(0, 8, 8, false); got != Fragment {
		t.Errorf("the first: %v", got)
	}
	r = reassembler{}
	for id := range 80 {
		add(id, 0, 60000, true)
	}
	if got := add(79, 60000, 8, false); got != OK {
		t.Errorf("the newest: %v", got)
	}
	if got := add(0, 60000, 8, false); got != Fragment {
		t.Errorf("the oldest: %v", got)
	}
	check(t, &r)
}

// check holds that the books are right and the bounds kept.
func check(t *testing.T, r *reassembler) {
	t.Helper()
	held, n := 0, 0
	var older *pending
	for p := r.oldest; p != nil; older, p = p, p.newer {
		if p.older != older || r.pending[p.key] != p {
			t.Fatal("the list is broken")
		}
		cost := pendingCost
		for i := range p.pieces {
			cost += pieceCost + len(p.pieces[i].data)
		}
		if cost != p.cost {
			t.Fatalf("a datagram costs %d, not %d", cost, p.cost)
		}
		held += cost
		n++
	}
	if r.newest != older || n != len(r.pending) || held != r.held {
		t.Fatalf("%d datagrams of %d, %d bytes held of %d", n, len(r.pending), held, r.held)
	}
	if n > maxPending || held > maxHeld {
		t.Fatalf("%d datagrams, %d bytes held", n, held)
	}
}

// TestFragmentFlood holds the bounds, of the true memory too, and that time goes
// with the fragments: were it with their square, this would take hours.
func TestFragmentFlood(t *testing.T) {
	const n = 300_000
	for _, tt := range []struct {
		name string
		make func(i int) (id, offset, length int, more bool)
	}{
		{"tiny, each of its own", func(i int) (int, int, int, bool) { return i, 8, 8, true }},
		{"tiny, many of one", func(i int) (int, int, int, bool) { return i / 100, 8 * (i % 100), 8, true }},
		{"tiny, reversed", func(i int) (int, int, int, bool) { return i / 127, 8 * (1000 - i%127), 8, true }},
		{"tiny, all of one, reversed", func(i int) (int, int, int, bool) { return 0, 8 * (8000 - i%8000), 8, true }},
		{"of one byte", func(i int) (int, int, int, bool) { return i, 65528, 1, false }},
		{"overlapping", func(i int) (int, int, int, bool) { return i / 2, 8 * (i % 2), 16, true }},
		{"large", func(i int) (int, int, int, bool) { return i, 8, 60000, true }},
		{"whole", func(i int) (int, int, int, bool) { return i / 2, 8 * (i % 2), 8, i%2 == 0 }},
		{"two times", func(i int) (int, int, int, bool) { return i % (maxPending + 1), 8 * (i / maxPending % 100), 8, true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r reassembler
			data := make([]byte, 65535)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			count := n
			if tt.name == "large" {
				count = n / 100
			}
			for i := range count {
				id, offset, length, more := tt.make(i)
				r.add(fragmentKey{id: uint32(id)}, fragment{frame: frame{data[:length], length}, offset: offset, more: more}, int64(i))
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			check(t, &r)
			if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > maxHeld*5/4 {
				t.Errorf("%d bytes in use, counted %d", used, r.held)
			}
			runtime.KeepAlive(&r)
		})
	}
}

// model is a reassembler that is slow and plain: every byte is looked at.
type model struct {
	all []*modelled // oldest first
}

type modelled struct {
	key     fragmentKey
	since   int64
	parts   []fragment
	bytes   map[int]byte
	total   int
	whole   bool
	refused Reason
}

func (m *model) add(k fragmentKey, f fragment, now int64) ([]byte, Reason) {
	old := func(d *modelled) bool {
		wait := 30 * time.Second
		if d.key.version == 6 {
			wait = 60 * time.Second
		}
		return time.Duration(now-d.since).Abs() > wait
	}
	for len(m.all) > 0 && old(m.all[0]) {
		m.all = m.all[1:]
	}
	m.all = slices.DeleteFunc(m.all, func(d *modelled) bool { return d.key == k && old(d) })
	i := slices.IndexFunc(m.all, func(d *modelled) bool { return d.key == k })
	if i >= 0 && m.all[i].refused != OK {
		return nil, m.all[i].refused
	}
	if i >= 0 {
		for _, part := range m.all[i].parts {
			if part.offset == f.offset && part.more == f.more && bytes.Equal(part.data, f.data) {
				return nil, Fragment
			}
		}
		if m.all[i].whole {
			m.all = slices.Delete(m.all, i, i+1)
			i = -1
		}
	}
	if i < 0 {
		i = len(m.all)
		m.all = append(m.all, &modelled{key: k, since: now, bytes: map[int]byte{}, total: -1})
	}
	d := m.all[i]
	overlap := false
	for n := range f.data {
		if _, seen := d.bytes[f.offset+n]; seen {
			overlap = true
		}
	}
	for at := range d.bytes {
		if !f.more && at >= f.offset {
			overlap = true
		}
	}
	if d.total >= 0 && (!f.more || f.offset+len(f.data) > d.total) {
		overlap = true
	}
	if overlap {
		d.refused = Overlap
		return nil, Overlap
	}
	if len(d.parts) == 128 {
		d.refused = Fragment
		return nil, Fragment
	}
	d.parts = append(d.parts, f)
	for n, c := range f.data {
		d.bytes[f.offset+n] = c
	}
	if !f.more {
		d.total = f.offset + len(f.data)
	}
	if d.total < 0 {
		return nil, Fragment
	}
	var whole []byte
	for at := range d.total {
		c, seen := d.bytes[at]
		if !seen {
			return nil, Fragment
		}
		whole = append(whole, c)
	}
	d.whole = true
	return whole, OK
}

// TestFragmentsLikeModel sends datagrams in random fragments, in any order,
// again, and with some that contradict.
func TestFragmentsLikeModel(t *testing.T) {
	counts := map[Reason]int{}
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var sent []fragmentOp
		for id := range 1 + rng.IntN(6) {
			units := 1 + rng.IntN(60)
			data := make([]byte, units*8-rng.IntN(8))
			for i := range data {
				data[i] = byte(rng.IntN(256))
			}
			k := fragmentKey{id: uint32(id), version: []uint8{4, 6}[rng.IntN(2)]}
			for start := 0; start < units; {
				end := start + 1 + rng.IntN(min(8, units-start))
				from, to := start*8, min(end*8, len(data))
				sent = append(sent, fragmentOp{k, from, data[from:to], end < units})
				if rng.IntN(4) == 0 {
					sent = append(sent, sent[len(sent)-1])
				}
				start = end
			}
			if rng.IntN(4) == 0 { // one that may contradict
				from := rng.IntN(units) * 8
				length := min(8+8*rng.IntN(4), 2000)
				b := make([]byte, length)
				copy(b, data[from:])
				sent = append(sent, fragmentOp{k, from, b, rng.IntN(3) > 0})
			}
		}
		switch rng.IntN(4) {
		case 0:
			slices.Reverse(sent)
		case 1, 2:
			rng.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
		}
		var r reassembler
		var m model
		now := int64(0)
		for i, op := range sent {
			now += rng.Int64N(int64(3 * time.Second))
			if rng.IntN(30) == 0 {
				now -= int64(time.Minute)
			}
			counts[same(t, fmt.Sprintf("seed %d, fragment %d", seed, i), &r, &m, op, now)]++
		}
		check(t, &r)
	}
	if counts[OK] < 100 || counts[Overlap] < 100 || counts[Fragment] < 1000 {
		t.Errorf("the test tests little: %v", counts)
	}
}

type fragmentOp struct {
	key    fragmentKey
	offset int
	data   []byte
	more   bool
}

// same gives a fragment to both, and holds that they say the same.
func same(t *testing.T, at string, r *reassembler, m *model, op fragmentOp, now int64) Reason {
	t.Helper()
	f := fragment{frame: frame{op.data, len(op.data)}, offset: op.offset, more: op.more, packets: 1}
	whole, got := r.add(op.key, f, now)
	data, want := m.add(op.key, f, now)
	if got != want || got == OK && (!bytes.Equal(whole.data, data) || whole.wire != len(data)) {
		t.Fatalf("%s: %v with %d bytes, the model says %v with %d", at, got, len(whole.data), want, len(data))
	}
	return got
}

// FuzzFragments makes fragments of its input, eight bytes of it each: datagram,
// offset, length, whether more follow, filling, time since the one before.
func FuzzFragments(f *testing.F) {
	f.Add(unhex("00 00 00 02 01 aa 00 00", "00 02 00 02 01 aa 00 00", "00 04 00 03 00 aa 00 00"))
	f.Add(unhex("01 02 00 02 00 aa 00 00", "01 00 00 02 01 aa 00 00", "01 00 00 02 01 aa 00 00"))
	f.Add(unhex("00 00 00 02 01 aa 00 00", "00 01 00 02 01 aa 00 00", "00 02 00 02 00 aa 7f ff"))
	f.Add(unhex("00 00 00 01 01 aa 00 00", "00 01 00 01 00 aa 80 00", "00 00 00 01 01 aa 00 01"))
	f.Fuzz(func(t *testing.T, input []byte) {
		var r reassembler
		var m model
		now := int64(0)
		for i := 0; len(input) >= 8; i, input = i+1, input[8:] {
			b := input[:8]
			now += int64(int16(binary.BigEndian.Uint16(b[6:]))) * int64(10*time.Millisecond)
			n := max(1, int(b[3])) // units of eight, or bytes of the last one
			more := b[4]&1 != 0
			if more {
				n *= 8
			}
			offset := int(binary.BigEndian.Uint16(b[1:])) * 8
			if offset+n > maxWhole {
				continue
			}
			k := fragmentKey{id: uint32(b[0] >> 1), version: 4 + b[0]&1*2}
			same(t, fmt.Sprint("fragment ", i), &r, &m, fragmentOp{k, offset, bytes.Repeat([]byte{b[5]}, n), more}, now)
		}
		check(t, &r)
	})
}

// BenchmarkFragments is of a datagram in two.
func BenchmarkFragments(b *testing.B) {
	d, parts := NewDecoder(), split(long4(1600), 1480)
	b.ReportAllocs()
	for i := range b.N {
		var s Segment
		var r Reason
		for _, p := range parts {
			binary.BigEndian.PutUint16(p.data[4:], uint16(i))
			r = d.Decode(&capture.Packet{Nano: int64(i) * 1e6, Link: capture.LinkRaw, Length: len(p.data), Data: p.data}, &s)
		}
		if r != OK {
			b.Fatal(r)
		}
	}
}

// BenchmarkTinyFragments is of the cost of one, when there are as many as may be.
func BenchmarkTinyFragments(b *testing.B) {
	var r reassembler
	data := make([]byte, 8)
	for i := range b.N {
		r.add(fragmentKey{id: uint32(i / maxPieces)}, fragment{frame: frame{data, 8}, offset: 8 * (maxPieces - i%maxPieces), more: true}, 0)
	}
}
