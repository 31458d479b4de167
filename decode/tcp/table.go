package tcp

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/mqttriage/mqttriage/decode/link"
)

// Options bounds a Table. Zero values mean the defaults.
type Options struct {
	// Open is called once for a connection, when it first has bytes or ends, and
	// returns who follows it;
	// nil, or returning nil, nobody does.
	Open func(*Conn) Handler
	// MaxConns is how many connections are kept that have not ended; beyond
	// it one is evicted. Default 1<<17.
	MaxConns int
	// MaxAlone is how many of them may be such that only one side was heard,
	// like those that a flood of SYNs opens. Default 1<<15.
	MaxAlone int
	// MaxEnded is how many ended 4-tuples are remembered, to know their
	// stragglers. Default 1<<16: a minute's where a thousand end each second.
	MaxEnded int
	// MaxBuffered is how many bytes may wait behind holes in all connections
	// together. Default 16 MiB.
	MaxBuffered int
	// MaxClosed is how many closed connections wait for late segments;
	// beyond it the longest closed ends early. Default 1<<14: more only wait
	// where thousands close each second.
	MaxClosed int
	// Thorough leaves out the short way for plain segments, which changes
	// nothing but the time; for tests.
	Thorough bool
	// Linger is how long a closed connection waits for late segments, in
	// capture time. Default 2 s: a packet that overtook another in the
	// network or in the capture is out by milliseconds, a lost last segment
	// comes back within two retransmission timeouts of a second at the most
	// (RFC 6298 §2), and few stacks give a port out again so soon.
	Linger time.Duration
}

// Stats counts what a Table saw and holds.
type Stats struct {
	// Connections were seen in all; Evicted of them were ended early to make room.
	Connections, Evicted int64
	// Open have not ended.
	Open int
	// Late segments belonged to connections that had ended.
	Late int64
	// Stray segments did not fit their connection, such as an RST outside the
	// window, and were ignored for it.
	Stray int64
	// Buffered bytes wait behind holes.
	Buffered int
	// Remembered is the number of ended 4-tuples that are remembered.
	Remembered int
}

// Table tells connections apart and reassembles their streams. Time goes by
// the packets' marks and may jump either way. It is not safe for concurrent
// use.
type Table struct {
	opts   Options
	tuples tuples
	// A connection is in one of three lists: alone and open are in order of opening,
	// but for the eviction hand, closing in order of closing.
	alone, open, closing list
	spare                *Conn
	queues               []*queue // empty ones
	copies               copies
	// flushing: no connection is begun any more, and none kept to be reused.
	flushing bool

	// due is when expire has something to do, in capture time; 0 for at once.
	due     int64
	streams uint32
	// unsure: from here on, versions of Wireshark number streams differently.
	unsure bool
	stats  Stats
	now    int64
}

// NewTable returns an empty table.
func NewTable(o Options) *Table {
	if o.MaxConns <= 0 {
		o.MaxConns = 1 << 17
	}
	if o.MaxAlone <= 0 {
		o.MaxAlone = 1 << 15
	}
	if o.MaxEnded <= 0 {
		o.MaxEnded = 1 << 16
	}
	if o.MaxClosed <= 0 {
		o.MaxClosed = 1 << 14
	}
	if o.MaxBuffered <= 0 {
		o.MaxBuffered = 16 << 20
	}
	if o.Linger <= 0 {
		o.Linger = 2 * time.Second
	}
	return &Table{opts: o, tuples: newTuples()}
}

// Connections is how many connections were seen.
func (t *Table) Connections() int64 { return t.stats.Connections }

// Stats counts what was seen so far.
func (t *Table) Stats() Stats {
	s := t.stats
	s.Open = t.held()
	s.Remembered = t.tuples.ended.n
	return s
}

// A Place is where a Table may have what it knows of a segment's 4-tuple. The
// zero Place is nowhere.
type Place struct {
	tuple *tuple
	warm  uint32 // means nothing: what was loaded on the way has to go somewhere
}

// Look finds the Place for a segment of a Hash, and makes the processor load
// what AddAt will need there. It changes nothing: looking for several segments
// before any is added lets their loads overlap.
func (t *Table) Look(hash uint32) (p Place) {
	slot := t.tuples.slots[hash&uint32(len(t.tuples.slots)-1)]
	if slot.ref == 0 {
		return p
	}
	p.tuple = t.tuples.at(slot.ref)
	if c := p.tuple.conn; c != nil {
		p.warm = c.Sides[0].Packets + c.Sides[1].Packets + uint32(c.Last.Number)
	}
	return p
}

// Hash is the hash of a segment's endpoints. It may be called by any goroutine.
func (t *Table) Hash(s *link.Segment) uint32 { return t.tuples.hash(s) }

// Add takes the next segment of the capture. m.Number must be above 0.
func (t *Table) Add(s *link.Segment, m Mark) { t.AddAt(Place{}, s, t.Hash(s), false, m) }

// AddAt is Add for a segment whose Hash is known, perhaps its Place too, and
// whose payload may be skipped or not; see Conn.Skip.
func (t *Table) AddAt(p Place, s *link.Segment, hash uint32, skip bool, m Mark) {
	if m.Nano != 0 {
		if m.Nano < t.now {
			t.due = 0 // the clock was set back
		}
		t.now = m.Nano
	}
	if t.now >= t.due {
		t.expire()
	}

	tp, dir := p.tuple.is(s, hash)
	if tp == nil {
		tp, dir = t.tuples.find(s, hash)
	}
	fresh := tp == nil
	if fresh {
		tp = t.tuples.insert(s, hash)
	}
	c := tp.conn
	if c != nil && tp.conv.settled() && !t.opts.Thorough && c.plain(dir, s, skip, m) {
		return
	}
	t.unsure = t.unsure || tp.conv.unsure(dir, s)
	tp.conv.observe(dir, s, fresh, &t.streams)
	// A copy of an acknowledgment does no harm.
	tells := s.Flags&(link.SYN|link.FIN|link.RST) != 0 || s.Length > 0 && (c == nil || c.repeatTells(c.side(dir), s))
	if tells && m.Nano != 0 && t.copies.repeats(tp, dir, s, t.now) && !fresh {
		if c != nil {
			c.Copies++
		}
		return
	}
	if c == nil && !fresh && tp.straggler(dir, s) {
		t.stats.Late++
		return
	}
	if c != nil && s.Flags&link.SYN != 0 && c.reusedBy(c.side(dir), s) {
		t.end(c)
		c = nil
	}
	if c == nil {
		c = t.begin(tp, dir, fresh, s, m)
	}
	t.segment(c, c.side(dir), s, skip, m)
}

// Flush ends every connection, in order of appearance.
func (t *Table) Flush() {
	t.flushing, t.spare = true, nil
	all := make([]*Conn, 0, t.held())
	for _, l := range []*list{&t.alone, &t.open, &t.closing} {
		for c := l.head; c != nil; c = c.next {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b *Conn) int { return cmp.Compare(a.Number, b.Number) })
	for i, c := range all {
		t.end(c)
		all[i] = nil // let go of it: sessions need the memory
	}
	t.flushing, t.copies = false, copies{}
}

// begin makes the connection that a segment opens.
func (t *Table) begin(tp *tuple, dir uint8, fresh bool, s *link.Segment, m Mark) *Conn {
	if !fresh {
		t.tuples.revive(tp)
	}
	switch {
	case t.alone.n >= t.opts.MaxAlone:
		t.evict(&t.alone)
	case t.held() < t.opts.MaxConns:
	case t.closing.n > 0:
		t.stats.Evicted++
		t.end(t.closing.head)
	case t.alone.n > 0:
		t.evict(&t.alone)
	default:
		t.evict(&t.open)
	}
	c := t.allocate()
	t.stats.Connections++
	c.Number, c.Stream, c.StreamUnsure = uint32(t.stats.Connections), tp.conv.stream, t.unsure
	c.First, c.tuple, c.dir0 = m, tp, dir
	if s.Flags&(link.SYN|link.ACK|link.RST) == link.SYN|link.ACK {
		c.turn()
	}
	tp.conn, c.alone = c, true
	t.alone.push(c)
	return c
}

// held is how many connections have not ended.
func (t *Table) held() int { return t.alone.n + t.open.n + t.closing.n }

// heard moves a connection to the others once both sides were.
func (t *Table) heard(c *Conn) {
	if c.alone && c.Sides[0].Packets > 0 && c.Sides[1].Packets > 0 {
		t.listOf(c).remove(c)
		c.alone = false
		t.listOf(c).push(c)
	}
}

// listOf is the list that a connection is in.
func (t *Table) listOf(c *Conn) *list {
	switch {
	case c.closed:
		return &t.closing
	case c.alone:
		return &t.alone
	}
	return &t.open
}

// follow returns the connection's handler, which is asked for when it is first
// needed: a flood of SYNs must not cost one each.
func (t *Table) follow(c *Conn) Handler {
	if c.handler == nil && t.opts.Open != nil {
		c.handler = t.opts.Open(c)
	}
	if c.handler == nil {
		c.handler = nobody{}
	}
	return c.handler
}

// end finishes a connection and leaves its tuple to stragglers.
func (t *Table) end(c *Conn) {
	t.finish(c, 0)
	t.finish(c, 1)
	tp := c.tuple
	for dir := range uint8(2) {
		st := &c.Sides[c.side(dir)]
		tp.known[dir] = st.started
		tp.first[dir] = st.base
		tp.last[dir] = st.base + uint32(st.Next)
	}
	tp.conn = nil
	t.tuples.retire(tp)
	if t.tuples.ended.n > t.opts.MaxEnded {
		old := t.tuples.at(t.tuples.ended.head)
		t.tuples.revive(old)
		t.tuples.remove(old)
	}
	t.listOf(c).remove(c)
	t.follow(c).End(c)
}

// Reuse takes back a Conn, zeroed, that its Handler has no more use for.
func (t *Table) Reuse(c *Conn) {
	if !t.flushing {
		c.next = t.spare
		t.spare = c
	}
}

// expire ends the connections that closed long enough ago.
func (t *Table) expire() {
	for c := t.closing.head; c != nil; c = t.closing.head {
		if t.now < c.closedAt { // the clock was set back
			c.closedAt = t.now
		}
		if t.due = c.closedAt + int64(t.opts.Linger); t.now < t.due && t.closing.n <= t.opts.MaxClosed {
			return
		}
		t.end(c)
	}
	t.due = math.MaxInt64
}

// evict ends one connection of a list to make room: the least recently used as
// far as one bit tells (the CLOCK algorithm), which costs packets nothing.
func (t *Table) evict(l *list) {
	t.stats.Evicted++
	for l.head.touched {
		c := l.head
		c.touched = false
		l.remove(c)
		l.push(c)
	}
	t.end(l.head)
}

// close moves a connection to those that wait for stragglers only.
func (t *Table) close(c *Conn) {
	if c.closed {
		return
	}
	t.listOf(c).remove(c)
	c.closed, c.closedAt = true, t.now
	t.closing.push(c)
	if t.due = min(t.due, t.now+int64(t.opts.Linger)); t.closing.n > t.opts.MaxClosed {
		t.due = 0
	}
}

// allocate takes a connection that ended before, if there is one.
func (t *Table) allocate() *Conn {
	c := t.spare
	if c == nil {
		return new(Conn)
	}
	t.spare = c.next
	c.next = nil
	return c
}

// nobody follows a connection.
type nobody struct{}

func (nobody) Data(*Conn, Side, []byte, Mark)     {}
func (nobody) Gap(*Conn, Side, int64, bool, Mark) {}
func (nobody) End(*Conn)                          {}

// list is a list of connections through their prev and next.
type list struct {
	head, tail *Conn
	n          int
}

func (l *list) push(c *Conn) {
	c.prev, c.next = l.tail, nil
	if l.tail != nil {
		l.tail.next = c
	} else {
		l.head = c
	}
	l.tail = c
	l.n++
}

func (l *list) remove(c *Conn) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		l.head = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		l.tail = c.prev
	}
	c.prev, c.next = nil, nil
	l.n--
}
