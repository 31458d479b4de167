package report

import (
	"strconv"
	"time"

	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// How much is drawn: more is neither seen nor quick to show.
const (
	maxLanes  = 24
	maxBars   = 2500
	maxArrows = 2500
	maxStack  = 8 // bars above each other in a lane
	maxTicks  = 6
	// columns is how finely the picture tells times apart: sessions that begin
	// and end in the same columns with the same outcome share a bar.
	columns = 1000
)

// The heights in the picture, in CSS pixels.
const (
	axisHeight  = 26
	laneName    = 18
	barHeight   = 14
	barGap      = 4
	arrowedGap  = 12 // between bars that arrows run between
	laneGap     = 12
	namedWidth  = 7.0 // a bar this wide, in per cent, has room for a client ID
	codeWidth   = 5.5 // a code needs this much, a letter that
	letterWidth = 1.6
	// roomy is what a label needs on a narrow screen, where the style hides the
	// others.
	roomy = 12.0
)

// htmlTimeline is the picture of the sessions over time, one lane for each client
// address. Across, everything is in per cent, so that it fits any screen without
// text being scaled; down, in pixels.
type htmlTimeline struct {
	Alt, Axis, How string
	Height         int
	Ticks          []htmlTick
	Lanes          []htmlLane
	Arrows         []htmlArrow
	Notes          []string
}

// htmlTick is a time on the axis; Tight ones have room on a wide screen only.
type htmlTick struct {
	X, Anchor, Text string
	Tight           bool
}

// htmlLane is the sessions of one client address.
type htmlLane struct {
	Name, Sessions   string
	First            string
	Bad, Taken       int
	TextY, LineY     int
	Bars             []htmlBar
	all              int
	host             int32
	firstAt          int64
	ids              map[uint64]int32 // a moment of each client ID, two at most
	rows, top, pitch int
}

// htmlBar is a session, or some that look alike.
type htmlBar struct {
	Class, X, W            string
	Y                      int
	Wait                   string // the width of the wait for the CONNACK
	Name, NameX, NameW     string
	BaseY                  int    // the base line of text in it and beside it
	Label, LabelX, LabelBy string // beside the bar; where, and from which end
	LabelDX                int
	Tight                  bool // there is room for the label on a wide screen only
	Title                  string

	m          *htmlMoment
	place      int32
	start, end int64
	count      int
	x, right   float64
	lane       int
	row        int
}

// htmlArrow goes from the session that ended another to the one that was ended.
type htmlArrow struct {
	X1, X2 string
	Y1, Y2 int
	Title  string
}

// htmlPicture is a timeline in the making.
type htmlPicture struct {
	*htmlTimeline
	doc   *Document
	story *htmlStory
	lanes []htmlLane
	at    map[int32]int // a host's lane
	bars  []htmlBar
	of    map[int32]int // the bar of a session that has to do with a takeover
}

// htmlTimelineOf draws the sessions, nil where no time is known of any.
func htmlTimelineOf(doc *Document, story *htmlStory) *htmlTimeline {
	if len(story.moments) == 0 {
		return nil
	}
	p := &htmlPicture{htmlTimeline: &htmlTimeline{}, doc: doc, story: story, at: map[int32]int{}, of: map[int32]int{}}
	p.chooseLanes()
	p.makeBars()
	p.stack()
	p.place()
	p.arrows()
	p.axis()
	if story.untimed > 0 {
		p.note(htmlUntimed, story.untimed)
	}
	for i := range p.lanes {
		p.describe(&p.lanes[i])
	}
	p.Lanes = p.lanes
	return p.htmlTimeline
}

func (p *htmlPicture) note(m message, n int) {
	p.Notes = append(p.Notes, say(p.doc.Lang, m, values{"n": n}))
}

// across is where a time lies, in per cent. A little room is left at both ends.
func (p *htmlPicture) across(nano int64) float64 {
	return 0.5 + 99*float64(nano-p.story.first)/float64(p.story.last-p.story.first)
}

func percentage(x float64) string { return strconv.FormatFloat(x, 'f', 3, 64) + "%" }

// place gives everything its coordinates.
func (p *htmlPicture) place() {
	y := axisHeight
	for i := range p.lanes {
		l := &p.lanes[i]
		l.LineY, l.TextY = y, y+laneName-3
		l.top = y + laneName + 4
		y = l.top + (l.rows-1)*l.pitch + barHeight + laneGap
	}
	p.Height = y
	type row struct{ lane, row int }
	next := map[row]float64{}          // where the bar to the right begins
	before := make([]int, len(p.bars)) // the bar to the left, or -1
	last := map[row]int{}
	for i, b := range p.bars {
		before[i] = -1
		if k, ok := last[row{b.lane, b.row}]; ok {
			before[i] = k
		}
		last[row{b.lane, b.row}] = i
	}
	for i := len(p.bars) - 1; i >= 0; i-- {
		b := &p.bars[i]
		l := &p.lanes[b.lane]
		b.x, b.right = p.across(b.start), p.across(b.end)
		b.X, b.W = percentage(b.x), percentage(max(b.right-b.x, 0.05))
		b.Y = l.top + b.row*l.pitch
		b.BaseY = b.Y + barHeight - 3
		b.Class = htmlClasses[b.m.outcome]
		if b.m.open {
			b.Class += " open"
		}
		wait := 0.0
		if b.m.connack != 0 && b.count == 1 {
			if w := p.across(min(b.m.connack, b.m.end)) - b.x; w > 0.3 {
				wait, b.Wait = w, percentage(w)
			}
		}
		at := row{b.lane, b.row}
		right, left := 100.0, 0.0
		if x, ok := next[at]; ok {
			right = x
		}
		if k := before[i]; k >= 0 {
			left = p.across(p.bars[k].end) + codeWidth
		}
		next[at] = b.x
		b.label(right-b.right, b.x-left)
		if b.right-b.x-wait >= namedWidth {
			b.NameX, b.NameW = percentage(b.x+wait), percentage(b.right-b.x-wait)
		}
		b.describe(p)
	}
	for _, b := range p.bars {
		p.lanes[b.lane].Bars = append(p.lanes[b.lane].Bars, b)
	}
}

// label marks a session that was not accepted with its letter and CONNACK code:
// to its right, or where there is no room to its left.
func (b *htmlBar) label(right, left float64) {
	letter := htmlLetters[b.m.outcome]
	text, need := letter, letterWidth
	if b.m.code != 0 {
		text, need = letter+" "+mqtt.FormatCode(b.m.code), codeWidth
	}
	switch {
	case letter == "":
	case right >= need:
		b.Label, b.LabelX, b.LabelBy, b.LabelDX, b.Tight = text, percentage(b.right), "start", 4, right < roomy
	case left >= need:
		b.Label, b.LabelX, b.LabelBy, b.LabelDX, b.Tight = text, percentage(b.x), "end", -4, left < roomy
	}
}

// arrows point from a session to the one that it ended.
func (p *htmlPicture) arrows() {
	type pair struct{ from, to int }
	drawn := map[pair]bool{}
	left := 0
	for _, t := range p.story.takeovers {
		from, ok := p.of[t[0]]
		to, there := p.of[t[1]]
		if _, lane := p.at[p.story.moments[t[1]].host]; !lane {
			continue
		}
		if !ok || !there {
			left++
			continue
		}
		a, b := &p.bars[from], &p.bars[to]
		if a.Y == b.Y || drawn[pair{from, to}] {
			continue
		}
		if len(p.Arrows) == maxArrows {
			left++
			continue
		}
		drawn[pair{from, to}] = true
		newer, older := &p.story.moments[t[0]], &p.story.moments[t[1]]
		arrow := htmlArrow{X1: percentage(p.across(newer.connack)), X2: percentage(p.across(older.end)), Y1: a.Y, Y2: b.Y + barHeight + 2}
		if b.Y > a.Y {
			arrow.Y1, arrow.Y2 = a.Y+barHeight, b.Y-2
		}
		arrow.Title = say(p.doc.Lang, htmlArrowTitle, values{
			"new": Escape(shorten(p.doc.Sessions.At(int(newer.record)).ID)), "old": Escape(shorten(p.doc.Sessions.At(int(older.record)).ID)),
			"at": time.Unix(0, older.end).UTC().Format("15:04:05.000"),
		})
		p.Arrows = append(p.Arrows, arrow)
	}
	if left > 0 {
		p.note(htmlArrowsLeft, left)
	}
}
