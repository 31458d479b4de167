package tcp

import (
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/decode/link"
)

// seedFlag plays again what failed: go test -run TestAgainstModel -seed 17
var seedFlag = flag.Uint64("seed", 0, "play only the random connections of this seed")

// A model is what a side's bytes must come out as, kept as plainly as can be:
// a record of every position.
type model struct {
	at    []position // and one more for the FIN, one for the end
	next  int        // the first position that was not handed over nor passed over
	seen  int        // behind the last position seen
	fin   int        // position of the FIN, or -1
	base  int        // position of stream offset 0, or -1 while nothing tells it
	acked int
	acks  []ack // those that acknowledged more
	ones  int   // segments of one new byte in a row
}

// A position's first packet decides what is there.
type position struct {
	packet int32 // its number, or 0
	value  byte
	cut    bool
}

type ack struct {
	to   int
	nano int64
}

// A checker plays connections of one 4-tuple and compares the table with the
// model at every packet.
type checker struct {
	t           *testing.T
	seed        uint64
	table       *Table
	connections []*connection
	models      [][2]model
	traits      []traits
	played      []int  // packets of a connection
	marks       []Mark // by packet number
	ended       int
	now         Mark
	gaveUp      bool // in the present packet
	flushing    bool
	conn        *Conn // the latest that was opened
	playing     int   // index of the connection whose packet is added
}

func (k *checker) fatalf(c *Conn, format string, args ...any) {
	k.t.Helper()
	k.t.Fatalf("seed %d connection %d packet %d: "+format, append([]any{k.seed, c.Number, k.now.Number}, args...)...)
}

// of returns the model of a side, and which of the connection's sides it is.
func (k *checker) of(c *Conn, from Side) (*model, int) {
	i := int(c.Number) - 1
	if i >= len(k.models) {
		k.fatalf(c, "a connection too many")
	}
	x := 0
	if c.Endpoint(from) != k.connections[i].ends()[0] {
		x = 1
	}
	return &k.models[i][x], x
}

func (k *checker) Data(c *Conn, from Side, p []byte, m Mark) {
	d, x := k.of(c, from)
	if len(p) == 0 || d.base < 0 || c.Sides[from].Next != int64(d.next-d.base+len(p)) {
		k.fatalf(c, "side %d: %d bytes, offset then %d, at %d", x, len(p), c.Sides[from].Next, d.next-d.base)
	}
	for i, b := range p {
		at := &d.at[d.next+i]
		if at.packet == 0 || at.cut || at.value != b {
			k.fatalf(c, "side %d: wrong byte at %d: %#x, want %+v", x, d.next+i, b, *at)
		}
		// What a hole kept back is available when the hole is given up, or filled.
		if m != k.now && !(k.gaveUp && int(at.packet) == m.Number) {
			k.fatalf(c, "side %d: byte %d of packet %d is said to be of %d", x, d.next+i, at.packet, m.Number)
		}
	}
	if waited := k.now.Number - int(d.at[d.next].packet); !k.gaveUp && waited >= 20 {
		k.traits[c.Number-1].add(farOrder)
	} else if !k.gaveUp && 0 < waited && waited <= 7 {
		k.traits[c.Number-1].add(nearOrder)
	}
	d.next += len(p)
	if m != k.marks[m.Number] {
		k.fatalf(c, "side %d: mark %v, want %v", x, m, k.marks[m.Number])
	}
}

func (k *checker) Gap(c *Conn, from Side, n int64, cut bool, m Mark) {
	d, x := k.of(c, from)
	end := d.next + int(n)
	if n <= 0 || d.base < 0 || end >= len(d.at) || c.Sides[from].Next != int64(end-d.base) {
		k.fatalf(c, "side %d: gap of %d, offset then %d, at %d", x, n, c.Sides[from].Next, d.next-d.base)
	}
	for at := d.next; at < end; at++ {
		if captured := d.at[at].packet != 0; captured != cut || d.at[at].cut != cut {
			k.fatalf(c, "side %d: position %d passed over, cut %v: %+v", x, at, cut, d.at[at])
		}
	}
	if !cut {
		k.gaveUp = true
		k.giveUp(c, d, x, end)
	}
	d.next = end
}

// giveUp checks that there was a reason to pass over the hole before end.
func (k *checker) giveUp(c *Conn, d *model, x, end int) {
	i := int(c.Number) - 1
	if k.ending(c) {
		return
	}
	for _, a := range d.acks {
		// A clock that goes back a little makes a second no shorter than this.
		if a.to >= end && k.now.Nano-a.nano >= coveredWait*98/100 {
			k.traits[i].add(passedOver)
			return
		}
	}
	chunks, held := 0, 0
	for at := end; at < d.seen; at++ {
		p := d.at[at]
		if p.packet != 0 && (at == end || d.at[at-1].packet != p.packet || d.at[at-1].cut != p.cut) {
			chunks++
		}
		if p.packet != 0 && !p.cut {
			held++
		}
	}
	if chunks <= maxQueueChunks && held <= maxQueueBytes {
		k.fatalf(c, "side %d: given up at %d with %d chunks, %d bytes behind", x, d.next, chunks, held)
	}
	k.traits[i].add(queueFull)
}

// ending reports whether the connection is being ended: the table was flushed,
// the packet is of the next, or enough time passed.
func (k *checker) ending(c *Conn) bool {
	return k.flushing || k.playing != int(c.Number)-1 || c.closed && k.now.Nano-c.closedAt >= int64(k.table.opts.Linger)
}

func (k *checker) End(c *Conn) {
	i := int(c.Number) - 1
	if i != k.ended {
		k.fatalf(c, "ended as number %d", k.ended+1)
	}
	k.ended++
	was := k.connections[i]
	first := was.ends()[0]
	if was.habits.opening == midStream {
		first = was.packets[0].Src
	}
	if c.Endpoint(0) != first {
		k.fatalf(c, "opened by %v, want %v", c.Endpoint(0), first)
	}
	if counted := c.Sides[0].Packets + c.Sides[1].Packets + c.Copies; int(counted) != k.played[i] {
		k.fatalf(c, "%d packets counted, want %d", counted, k.played[i])
	}
	for s := range Side(2) {
		d, x := k.of(c, s)
		st := &c.Sides[s]
		end := max(d.seen, d.acked)
		if d.fin >= 0 {
			end = d.fin
		}
		if d.next != max(end, 0) || st.Next != int64(d.next-max(d.base, 0)) {
			k.fatalf(c, "side %d: ended at %d, offset %d; want %d, captured from %d on", x, d.next, st.Next, end, d.base)
		}
		known := was.habits.opening != midStream && (x == 0 || was.habits.opening != synAckLost)
		if st.HasISN != known || known && st.ISN != was.isn[x] {
			k.fatalf(c, "side %d: initial number %d, known %v; want %d, %v", x, st.ISN, st.HasISN, was.isn[x], known)
		}
		d.judge(&k.traits[i], was.isn[x])
	}
	if k.seed%2 == 0 {
		*c = Conn{}
		k.table.Reuse(c)
	}
}

// judge tells the features of what came out.
func (d *model) judge(has *traits, isn uint32) {
	for at := max(d.base, 0); at < d.seen; at++ {
		if d.at[at].packet == 0 {
			has.add(lost)
		}
	}
	if d.fin < 0 && d.acked == len(d.at)-1 {
		has.add(lostFIN)
	}
	if isn+4 <= 8 {
		has.add(edge)
	}
	first, last := isn+1+uint32(max(d.base, 0)), isn+uint32(d.seen)
	if d.seen > d.base+1 && first > last {
		has.add(wrapped)
	}
	if d.seen > d.base+1 && int32(first) > int32(last) {
		has.add(signWrapped)
	}
}

// take is what a packet does to the model of its side, by the book.
func (d *model) take(p *packet, now Mark, has *traits) {
	if p.Flags&link.RST != 0 {
		return
	}
	fin := p.Flags&link.FIN != 0
	if d.base < 0 && (p.Length > 0 || fin) {
		d.base, d.next, d.seen = p.off, p.off, p.off
	}
	if fin {
		d.fin = p.off + p.Length
	}
	if p.Length == 0 {
		return
	}
	fresh, old, other := 0, 0, false
	for i := range p.Length {
		at := &d.at[p.off+i]
		switch {
		case at.packet != 0 || p.off+i < d.next:
			old++
			other = other || i < len(p.Payload) && at.packet != 0 && !at.cut && at.value != p.Payload[i]
		case i < len(p.Payload):
			*at = position{packet: int32(now.Number), value: p.Payload[i]}
			fresh++
		default:
			*at = position{packet: int32(now.Number), cut: true}
			fresh++
		}
	}
	d.seen = max(d.seen, p.off+p.Length)
	switch {
	case fresh == 0 && p.note != keepAlive && p.note != copied:
		has.add(retransmitted)
	case fresh > 0 && old > 0:
		has.add(partial)
	}
	if other && p.note != keepAlive {
		has.add(conflicting)
	}
	if d.ones++; fresh != 1 || p.Length != 1 {
		d.ones = 0
	} else if d.ones == 8 {
		has.add(onebyte)
	}
	if len(p.Payload) < p.Length {
		has.add(snapped)
	}
}

// acknowledge takes the acknowledgment of the other side's bytes.
func (d *model) acknowledge(to int, now Mark) {
	if d.base >= 0 && to > d.acked {
		d.acked = to
		d.acks = append(d.acks, ack{to, now.Nano})
	}
}

// add plays a packet of connection i.
func (k *checker) add(i int, p *packet, skip bool) {
	k.now = Mark{Number: len(k.marks), Nano: k.now.Nano + int64(p.wait)}
	k.marks = append(k.marks, k.now)
	k.gaveUp, k.playing = false, i
	has, models := &k.traits[i], &k.models[i]
	alive := k.ended <= i
	if alive {
		has.note(p)
		models[p.side].take(p, k.now, has)
		if p.Flags&link.ACK != 0 {
			models[1-p.side].acknowledge(int(int32(p.Ack-k.connections[i].isn[1-p.side]-1)), k.now)
		}
	}
	k.table.AddAt(Place{}, &p.Segment, k.table.Hash(&p.Segment), skip, k.now)
	if !alive || k.ended > i {
		return
	}
	k.played[i]++
	if skip {
		k.skip(p)
	}
	for x := range models {
		d := &models[x]
		if d.base >= 0 && d.at[d.next].packet != 0 {
			k.t.Fatalf("seed %d connection %d packet %d: side %d: byte %d is kept back", k.seed, i+1, k.now.Number, x, d.next)
		}
	}
}

// skip looks whether the payload of a packet was skipped, and whether it might
// be: in order, and whole, and new.
func (k *checker) skip(p *packet) {
	c, d := k.conn, &k.models[k.playing][p.side]
	if c == nil || int(c.Number) != k.playing+1 {
		return
	}
	from := Side(0)
	if c.Endpoint(0) != p.Src {
		from = 1
	}
	if d.base < 0 || c.Sides[from].Next == int64(d.next-d.base) {
		return
	}
	if d.next != p.off || c.Sides[from].Next != int64(d.next-d.base+p.Length) || len(p.Payload) != p.Length {
		k.fatalf(c, "side %d: skipped %+v at %d", p.side, p, d.next)
	}
	for range p.Length {
		if d.at[d.next].packet != int32(k.now.Number) {
			k.fatalf(c, "side %d: skipped %+v, of which byte %d is not new", p.side, p, d.next)
		}
		d.next++
	}
	k.traits[k.playing].add(skipped)
}

// note tells the features of a packet by itself.
func (t *traits) note(p *packet) {
	syn, data := p.Flags&link.SYN != 0, p.Length > 0
	switch {
	case p.note == keepAlive && data:
		t.add(keepAliveByte)
	case p.note != none:
		t.add(p.note)
	}
	switch {
	case syn && data && p.Flags&link.ACK == 0:
		t.add(synData)
	case syn && data:
		t.add(synAckData)
	case p.Flags&link.FIN != 0 && data:
		t.add(finData)
	}
}

// reusing tells how a connection follows another on its 4-tuple.
func (t *traits) reusing(c, old *connection, wait time.Duration) {
	t.add(reused)
	switch {
	case !old.closed():
		t.add(reusedOpen)
	case old.reset():
		t.add(reusedAfterRST)
	default:
		t.add(reusedAfterFIN)
	}
	if wait <= time.Millisecond {
		t.add(reusedAtOnce)
	}
	back := c.reversed != old.reversed
	if back {
		t.add(reusedBack)
	}
	for x, isn := range c.isn {
		then := old.isn[x]
		if back {
			then = old.isn[1-x]
		}
		if isn == then {
			t.add(reusedSame)
		} else if near(isn, then) {
			t.add(reusedNear)
		}
	}
}

// perSeed is how many connections follow one another on a 4-tuple.
const perSeed = 4

// playSeed plays a seed's connections.
func playSeed(t *testing.T, seed uint64, counts *coverage) {
	r := rand.New(rand.NewPCG(seed, 1))
	k := &checker{
		t: t, seed: seed, connections: make([]*connection, perSeed), models: make([][2]model, perSeed),
		traits: make([]traits, perSeed), played: make([]int, perSeed),
		marks: make([]Mark, 1, 400), now: Mark{Nano: 1e18},
	}
	mayskip := one(r, 3)
	k.table = NewTable(Options{Thorough: one(r, 2), Open: func(c *Conn) Handler {
		k.conn = c
		c.Skip = [2]bool{mayskip, mayskip}
		return k
	}})
	for i := range k.connections {
		var old *connection
		if i > 0 {
			old = k.connections[i-1]
		}
		c := generate(r, anyHabits(r), old)
		k.connections[i] = c
		for x := range k.models[i] {
			k.models[i][x] = c.model(x)
		}
		has := &k.traits[i]
		switch c.habits.opening {
		case synLost:
			has.add(synMissing)
		case synAckLost:
			has.add(synAckMissing)
		case midStream:
			has.add(openingMissing)
		case inOrder:
		default:
			has.add(swappedOpening)
		}
		wait := time.Duration(r.Int64N(int64(5*time.Second))) * time.Duration(r.IntN(2))
		c.packets[0].wait += wait
		if old != nil {
			has.reusing(c, old, c.packets[0].wait)
		}
		for j := range c.packets {
			k.add(i, &c.packets[j], mayskip && one(r, 2))
		}
		if one(r, 3) {
			k.straggle(r, i)
		}
	}
	k.flushing = true
	k.table.Flush()
	if k.ended != len(k.connections) {
		t.Fatalf("seed %d: %d connections ended", seed, k.ended)
	}
	if s := k.table.Stats(); s.Buffered != 0 || s.Stray != 0 || s.Connections != perSeed {
		t.Fatalf("seed %d: %+v", seed, s)
	}
	for _, has := range k.traits {
		counts.count(has)
	}
}

// straggle plays packets of connection i again, some time later.
func (k *checker) straggle(r *rand.Rand, i int) {
	c := k.connections[i]
	wait := time.Duration(r.Int64N(int64(6 * time.Second)))
	has := straggler
	if wait >= 2*time.Second+400*time.Millisecond {
		has = lateStraggler
	}
	for range 1 + r.IntN(3) {
		p := c.packets[r.IntN(len(c.packets))]
		if p.Flags&(link.SYN|link.ACK) == link.SYN {
			continue // another connection once this one is closed
		}
		p.wait, wait = wait, 0
		k.traits[i].add(has)
		k.add(i, &p, false)
	}
}

// model is what nothing is known of yet.
func (c *connection) model(x int) model {
	m := model{at: make([]position, len(c.sent[x])+2), fin: -1, base: -1}
	if o := c.habits.opening; o != midStream {
		m.base = 0
	}
	return m
}

// reset reports whether the capture shows an RST.
func (c *connection) reset() bool {
	for i := range c.packets {
		if c.packets[i].Flags&link.RST != 0 {
			return true
		}
	}
	return false
}

// TestAgainstModel plays 100,000 random connections, each of two streams, with
// all that features lists. At every packet, what is captured must be handed
// over as far as it is in order, every byte once and as it first came; what is
// not must be reported missing, and not without a reason before the end.
func TestAgainstModel(t *testing.T) {
	seeds := uint64(100_000 / perSeed)
	if raced || testing.Short() {
		seeds /= 20
	}
	if *seedFlag != 0 {
		playSeed(t, *seedFlag, new(coverage))
		return
	}
	const workers = 4
	var counts coverage
	var mu sync.Mutex
	t.Run("seeds", func(t *testing.T) {
		for w := range uint64(workers) {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				var own coverage
				for seed := 1 + w; seed <= seeds; seed += workers {
					playSeed(t, seed, &own)
				}
				mu.Lock()
				counts.sum(&own)
				mu.Unlock()
			})
		}
	})
	t.Log(&counts)
	for _, f := range counts.missing() {
		t.Errorf("too rare: %s", f)
	}
}
