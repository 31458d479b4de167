package tcp

import "time"

// ClockSet says that the clock that marks are from was set by so much, and is at now, in
// nanoseconds since 1970. What is held of connections that have not ended moves with it, as if
// the clock had been right before: what is a second old by the old clock is so by the new one.
// Next should come marks of the new clock.
func (t *Table) ClockSet(now int64, by time.Duration) {
	t.now, t.due = now, 0
	for i := range t.copies {
		for j := range t.copies[i].seen {
			t.copies[i].seen[j].nano += int64(by)
		}
	}
	t.Each(func(c *Conn, _ Handler) { c.clockSet(by) })
}

func (c *Conn) clockSet(by time.Duration) {
	for _, m := range []*Mark{&c.Last, &c.First, &c.Syn, &c.SynAck, &c.Refused} {
		m.clockSet(by)
	}
	for i := range c.Closings {
		c.Closings[i].FIN.clockSet(by)
		c.Closings[i].RST.clockSet(by)
	}
	for i := range c.Sides {
		st := &c.Sides[i]
		st.LastData.clockSet(by)
		if st.queue != nil {
			st.queue.clockSet(by)
		}
	}
	c.closedAt += int64(by)
}

func (q *queue) clockSet(by time.Duration) {
	q.since += int64(by)
	for i := range q.chunks {
		q.chunks[i].mark.clockSet(by)
	}
}

// clockSet leaves a mark without a time without one.
func (m *Mark) clockSet(by time.Duration) {
	if m.Nano != 0 {
		m.Nano += int64(by)
	}
}
