package traffic

// lossyWire loses, repeats and delays packets, each connection's for itself.
type lossyWire struct {
	*generator
	spare [][]byte
}

// late is a frame that is captured after some more of its connection.
type late struct {
	frame []byte
	after int
}

// maxLate is the farthest that a packet is displaced.
const maxLate = 8

func (w *lossyWire) packet(c *conversation, frame []byte) {
	earlier := len(c.late)
	switch n := w.rng.IntN(100); {
	case n < 1:
		w.summary.Missing++
	case n < 2:
		w.summary.Repeated++
		w.capture(frame)
		w.hold(c, frame)
	case n < 5:
		w.summary.Displaced++
		w.hold(c, frame)
	default:
		w.capture(frame)
	}
	// The new frame went past those that were held before it.
	kept := c.late[:0]
	for i, l := range c.late {
		if i < earlier {
			l.after--
		}
		if l.after == 0 {
			w.release(l)
		} else {
			kept = append(kept, l)
		}
	}
	c.late = kept
}

// ended captures what is still held.
func (w *lossyWire) ended(c *conversation) {
	for _, l := range c.late {
		w.release(l)
	}
	c.late = c.late[:0]
}

func (w *lossyWire) hold(c *conversation, frame []byte) {
	var b []byte
	if n := len(w.spare); n > 0 {
		b = w.spare[n-1]
		w.spare = w.spare[:n-1]
	}
	c.late = append(c.late, late{append(b[:0], frame...), 1 + w.rng.IntN(maxLate)})
}

func (w *lossyWire) release(l late) {
	w.capture(l.frame)
	w.spare = append(w.spare, l.frame)
}
