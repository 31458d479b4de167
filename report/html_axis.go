package report

import (
	"fmt"
	"strings"
	"time"
)

// steps are the distances between ticks that people read off easily.
var steps = []time.Duration{
	100 * time.Microsecond, 200 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	day, 2 * day, 7 * day, 14 * day, 30 * day, 90 * day, 180 * day, 365 * day, 730 * day, 1825 * day, 3650 * day, 7300 * day, 18250 * day,
}

const day = 24 * time.Hour

// decimalsOf is how many digits of a second a step below one needs.
func decimalsOf(step time.Duration) int {
	n := 1
	for unit := 100 * time.Millisecond; step < unit; unit /= 10 {
		n++
	}
	return n
}

// axis makes the ticks, at round times in UTC.
func (p *htmlPicture) axis() {
	first, last := time.Unix(0, p.story.first).UTC(), time.Unix(0, p.story.last).UTC()
	step := steps[len(steps)-1]
	for _, s := range steps {
		if int64(last.Sub(first)/s) < maxTicks {
			step = s
			break
		}
	}
	oneDay := first.Format(time.DateOnly) == last.Format(time.DateOnly)
	layout := "15:04:05"
	switch {
	case step < time.Second:
		layout = "15:04:05." + strings.Repeat("0", decimalsOf(step))
	case step >= day:
		layout = time.DateOnly
	case !oneDay:
		layout = "01-02 15:04"
	case step >= time.Minute:
		layout = "15:04"
	}
	for at := first.Truncate(step); !at.After(last); at = at.Add(step) {
		if at.Before(first) {
			continue
		}
		x := p.across(at.UnixNano())
		tick := htmlTick{X: percentage(x), Anchor: "middle", Text: at.Format(layout)}
		if x < 8 {
			tick.Anchor = "start"
		} else if x > 92 {
			tick.Anchor = "end"
		}
		tick.Tight = len(p.Ticks)%2 == 1
		p.Ticks = append(p.Ticks, tick)
	}
	p.Axis = say(p.doc.Lang, htmlAxis, values{"date": first.Format(time.DateOnly)})
	if !oneDay {
		p.Axis = say(p.doc.Lang, htmlAxis, values{"date": fmt.Sprintf("%s – %s", first.Format(time.DateOnly), last.Format(time.DateOnly))})
	}
	v := values{
		"addresses": len(p.lanes), "n": len(p.story.moments), "span": htmlSpanOf(first, last, p.doc.Lang),
		"outcomes": outcomesInWords(p.doc),
	}
	if n := len(p.story.takeovers); n > 0 {
		v["taken"] = n
	}
	p.Alt = Escape(cut(say(p.doc.Lang, htmlTimelineAlt, v), maxText))
}
