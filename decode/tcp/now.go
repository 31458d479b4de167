package tcp

// Advance says that it is a time, in nanoseconds since 1970, although no packet came:
// what closed long enough ago ends. A time before that of the last packet does nothing.
func (t *Table) Advance(nano int64) {
	if nano > t.now {
		t.now = nano
	}
	if t.now >= t.due {
		t.expire()
	}
}

// Each calls do for every connection that has not ended, with its Handler; that is nil
// where none was asked for yet. do must not change the table but by Follow.
func (t *Table) Each(do func(*Conn, Handler)) {
	for _, l := range []*list{&t.alone, &t.open, &t.closing} {
		for c := l.head; c != nil; c = c.next {
			do(c, c.handler)
		}
	}
}

// Follow returns a connection's Handler, which it asks for where it has not.
func (t *Table) Follow(c *Conn) Handler { return t.follow(c) }

// Whole reports that no bytes are known to be missing so far: none wait behind a hole,
// and none of those are that were sent before a FIN.
func (c *Conn) Whole() bool {
	for i := range c.Sides {
		st := &c.Sides[i]
		if st.queue != nil && len(st.queue.chunks) > 0 || st.ended && st.offset(st.finSeq) > st.Next || st.Acked > st.Next {
			return false
		}
	}
	return true
}

// Handler is who follows the connection; nil as long as nobody was asked.
func (c *Conn) Handler() Handler { return c.handler }
