package main

import (
	"cmp"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/report"
)

// Control sequences of ECMA-48 and xterm.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // another screen, no cursor
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	homeCursor  = "\x1b[H"
	clearLine   = "\x1b[2K"
)

// redrawScreen is how long a picture stands at least.
const redrawScreen = 400 * time.Millisecond

// display shows a live capture on a terminal, in place.
type display struct {
	terminal *os.File
	out      *outlet // to it
	v        *viewer
	color    bool
	// doc is the report as it was; changed says that it is another by now, due when it may be
	// made again.
	doc     *report.Document
	changed bool
	due     time.Time
	recent  []*decode.Session // oldest first
	notices []report.Notice   // newest first
	drawn   time.Time
	rates   rates
}

// rates are what goes on, smoothed over a few seconds.
type rates struct {
	at                             time.Time
	packets, bytes, connections    int64
	perPackets, perBits, perOpened float64
}

// smoothing is about how many seconds a rate is of.
const smoothing = 3.0

func (r *rates) update(n *news) {
	if !r.at.IsZero() {
		since := n.at.Sub(r.at).Seconds()
		if since <= 0 {
			return
		}
		part := min(since/smoothing, 1)
		for _, rate := range []struct {
			value *float64
			added float64
		}{
			{&r.perPackets, float64(n.info.Packets - r.packets)},
			{&r.perBits, 8 * float64(n.info.Bytes-r.bytes)},
			{&r.perOpened, float64(n.stats.Connections - r.connections)},
		} {
			*rate.value += part * (rate.added/since - *rate.value)
		}
	}
	r.at, r.packets, r.bytes, r.connections = n.at, n.info.Packets, n.info.Bytes, n.stats.Connections
}

func newDisplay(terminal *os.File, v *viewer, out *outlet) *display {
	return &display{terminal: terminal, out: out, v: v, color: tableOptions(&v.f.readFlags, terminal).Color}
}

func (c *display) enter() {
	c.v.shows.Store(true)
	c.write(enterScreen)
}

func (c *display) leave() {
	c.write(leaveScreen)
	c.v.shows.Store(false)
}

func (c *display) write(s string) { c.out.Write([]byte(s)) } //nolint:errcheck // it never fails

// notice keeps a notice for the picture, until one of the same subject takes its place.
// What was dropped or evicted stands at the foot.
func (c *display) notice(n report.Notice) {
	const few = 3
	if n.Event == report.EventDropped || n.Event == report.EventEvicted {
		return
	}
	same := func(old report.Notice) bool {
		return slices.Equal(old.Interfaces, n.Interfaces) && old.File == n.File
	}
	c.notices = slices.DeleteFunc(c.notices, same)
	if n.Event != report.EventInterfaceUp && n.Event != report.EventStarted {
		c.notices = append([]report.Notice{n}, c.notices...)
	}
	c.notices = c.notices[:min(len(c.notices), few)]
}

// notes are the sentences of the notices.
func (c *display) notes() (notes []string) {
	for _, n := range c.notices {
		notes = append(notes, n.At.UTC().Format("15:04:05")+" "+c.v.head.Say(n))
	}
	return notes
}

func (c *display) answered(sessions []*decode.Session) {
	slices.SortFunc(sessions, func(x, y *decode.Session) int { return cmp.Compare(when(x), when(y)) })
	c.recent = latest(c.recent, sessions)
}

// when is the time of what is final about a session.
func when(s *decode.Session) int64 {
	for _, e := range []decode.Event{s.ConnackAt, s.Closed, s.Last} {
		if e.Seen() {
			return e.Nano
		}
	}
	return 0
}

// draw draws the picture anew, if the last one has stood long enough and the terminal takes more:
// Ctrl-S stops it.
func (c *display) draw(w *watcher, now time.Time) {
	if now.Sub(c.drawn) < redrawScreen || c.out.Stalled() > 0 {
		return
	}
	c.drawn = now
	n := &w.last
	c.rates.update(n)
	if c.doc == nil || c.changed && !now.Before(c.due) {
		began := time.Now()
		c.doc, c.changed = w.document(*n), false
		c.due = now.Add(min(leisure*time.Since(began), maxLeisure))
	}
	newest := slices.Clone(c.recent)
	slices.Reverse(newest)
	picture := report.Watching{
		Doc: c.doc, Now: now, Started: c.v.started,
		PacketsPerSecond: c.rates.perPackets, BitsPerSecond: c.rates.perBits, ConnectsPerSecond: c.rates.perOpened,
		Open: w.watch.Open(), Recent: report.Recorded(newest, c.v.redactor), Evidence: c.v.head.FileName(n.evidence.Name), Notes: c.notes(),
		Evicted: map[string]uint64{},
	}
	evicted := w.watch.Evicted()
	for kind, n := range map[string]int{"connections": int(n.stats.Evicted), "sessions": evicted.Sessions, "client-ids": evicted.ClientIDs, "findings": evicted.Findings} {
		if n > 0 {
			picture.Evicted[kind] = uint64(n)
		}
	}
	for _, i := range n.kernel.Interfaces {
		picture.Interfaces = append(picture.Interfaces, report.WatchedInterface{
			Name: c.v.head.InterfaceName(i.Name), State: i.State.String(), Packets: i.Received + i.Dropped, Dropped: i.Dropped,
		})
	}
	columns, rows := sizeOf(c.terminal.Fd())
	text := report.Screen(picture, columns, rows, c.color)
	var b strings.Builder
	b.WriteString(homeCursor)
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteString("\r\n")
		}
		// A line that fills the width leaves the cursor on its last character.
		b.WriteString(clearLine)
		b.WriteString(line)
	}
	c.write(b.String())
}

// show leaves the screen for what write writes, which is then above it.
func (c *display) show(write func() error) error {
	c.leave()
	defer c.enter()
	c.drawn = time.Time{}
	return write()
}
