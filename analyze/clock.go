package analyze

import (
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

// ClockSet says that the clock by which sessions have their times was set by so much, and
// those that come from now on have theirs by the new one. What is kept moves with it, as if
// the clock had been right before: else a client that came back later might seem to have
// come before, and an ID that moved on to be open at two addresses. Sessions that Watch has
// given out change too.
func (w *Watch) ClockSet(by time.Duration) {
	moved := map[*decode.Session]bool{}
	move := func(s *decode.Session) {
		if !moved[s] {
			moved[s] = true
			s.ClockSet(by)
		}
	}
	for _, k := range w.all() {
		move(k.Session)
	}
	for _, s := range w.news.Ended { // those that only were answered are kept
		move(s)
	}
	for _, n := range w.ledger.lines {
		n.first, n.last = n.first.later(by), n.last.later(by)
		for _, e := range n.finding.Evidence {
			move(e.Session)
		}
		for _, s := range n.fresh {
			move(s)
		}
	}
	w.window = nil
}

// later is a moment so much later; no time stays none.
func (m moment) later(by time.Duration) moment {
	if m == 0 {
		return 0
	}
	return m + moment(by)
}
