package traffic

// scheduler keeps conversations open and interleaves them.
type scheduler struct {
	*generator
	// open is how many conversations there are at once.
	open int
	// begin makes of c the next conversation, and reports false when there
	// are no more.
	begin func(c *conversation) bool
	// done is told of each conversation that ended; may be nil.
	done func(c *conversation)

	ready []*conversation
	// waiting are the conversations that hold until they are ousted, by
	// device. They do not count as open, for nothing happens in them.
	waiting map[uint32]*conversation
	spare   []*conversation
}

// run lets all conversations happen.
func (s *scheduler) run() {
	for s.step() {
	}
}

// step performs the next step of a random conversation, and reports false when
// all have ended.
func (s *scheduler) step() bool {
	s.fill()
	if len(s.ready) == 0 || s.file.err != nil {
		return false
	}
	i := s.rng.IntN(len(s.ready))
	c := s.ready[i]
	st := s.say(c)
	switch {
	case c.at == len(c.script):
		s.wire.ended(c)
		if s.done != nil {
			s.done(c)
		}
		s.leave(i)
		s.spare = append(s.spare, c)
	case st.holds:
		s.leave(i)
		s.waiting[c.device] = c
	case st.ousts:
		s.oust(c.device)
	}
	return true
}

// fill begins conversations until enough are open.
func (s *scheduler) fill() {
	for len(s.ready) < s.open {
		c := s.take()
		if !s.begin(c) {
			s.open = 0
			return
		}
		s.ready = append(s.ready, c)
	}
}

// take returns a conversation that can be written over.
func (s *scheduler) take() *conversation {
	if n := len(s.spare); n > 0 {
		c := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return c
	}
	return new(conversation)
}

// leave takes a conversation out of those that are stepped.
func (s *scheduler) leave(i int) {
	last := len(s.ready) - 1
	s.ready[i] = s.ready[last]
	s.ready = s.ready[:last]
}

// oust goes on with the conversation that waits under a device's client ID, at
// once: "the Server MUST disconnect the existing Client" [MQTT-3.1.4-2].
func (s *scheduler) oust(device uint32) {
	c := s.waiting[device]
	if c == nil {
		return
	}
	delete(s.waiting, device)
	s.say(c)
	s.summary.Takeovers++
	s.ready = append(s.ready, c)
}
