package report

import "time"

// pace lets through some at once and then one a time: it fills up again by one every so
// long. Its zero value is full when first asked.
type pace struct {
	left  float64
	asked time.Time
}

// pacing is how many a pace lets through at once, and how long each takes to come again.
type pacing struct {
	burst int
	every time.Duration
}

// fill adds what came again meanwhile. A clock that was set back adds nothing.
func (p *pace) fill(r pacing, now time.Time) {
	if p.asked.IsZero() {
		p.left = float64(r.burst)
	} else if since := now.Sub(p.asked); since > 0 {
		p.left = min(p.left+float64(since)/float64(r.every), float64(r.burst))
	}
	p.asked = now
}

// budget is a pace for a moment and one for a day: what goes on all night is told now and
// then.
type budget struct{ soon, long pace }

// limits are the pacings of a budget; the second one may be zero for none.
type limits struct{ soon, long pacing }

// take takes one out of the budget, or reports that there is none left.
func (b *budget) take(l limits, now time.Time) bool {
	b.soon.fill(l.soon, now)
	if l.long.burst == 0 {
		b.long.left = 1
	} else {
		b.long.fill(l.long, now)
	}
	// A float that was filled in parts may lack the last bit of one.
	const one = 1 - 1e-9
	if b.soon.left < one || b.long.left < one {
		return false
	}
	b.soon.left--
	b.long.left--
	return true
}
