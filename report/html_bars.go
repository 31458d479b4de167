package report

import (
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

// makeBars makes a bar of each session or of several that would look alike, and
// thins them where they are too many.
func (p *htmlPicture) makeBars() {
	type look struct {
		lane       int
		start, end int
		outcome    decode.Outcome
		code       uint8
		taken      bool
	}
	taking := map[int32]bool{}
	for _, t := range p.story.takeovers {
		taking[t[0]] = true
	}
	seen := map[look]int{}
	shared := 0
	for i := range p.story.moments {
		m := &p.story.moments[i]
		lane, ok := p.at[m.host]
		if !ok {
			continue
		}
		l := &p.lanes[lane]
		if _, have := l.ids[m.id]; !have && len(l.ids) < 2 && m.id != 0 {
			l.ids[m.id] = int32(i)
		}
		involved := m.endedBy >= 0 || taking[int32(i)]
		key := look{lane, p.column(m.start), p.column(m.end), m.outcome, m.code, involved}
		at, have := seen[key]
		if !have {
			at = len(p.bars)
			seen[key] = at
			p.bars = append(p.bars, htmlBar{m: m, place: int32(i), start: m.start, end: m.end, lane: lane})
		} else {
			shared++
		}
		b := &p.bars[at]
		b.count++
		b.end = max(b.end, m.end)
		if involved {
			p.of[int32(i)] = at
		}
	}
	if shared > 0 {
		p.note(htmlShared, shared)
	}
	if len(p.bars) > maxBars {
		p.thin()
	}
}

func (p *htmlPicture) column(nano int64) int {
	return int(columns * float64(nano-p.story.first) / float64(p.story.last-p.story.first))
}

// thin keeps maxBars bars: both sides of takeovers, then what was not accepted,
// then the rest, evenly spread over those of one kind.
func (p *htmlPicture) thin() {
	keep := make([]bool, len(p.bars))
	room := maxBars
	take := func(bar int) {
		if !keep[bar] && room > 0 {
			keep[bar], room = true, room-1
		}
	}
	var pairs [][2]int
	for _, t := range p.story.takeovers {
		from, ok := p.of[t[0]]
		to, there := p.of[t[1]]
		if ok && there {
			pairs = append(pairs, [2]int{from, to})
		}
	}
	for pair := range spread(pairs, room/2) {
		take(pair[0])
		take(pair[1])
	}
	for _, accepted := range []bool{false, true} {
		var rest []int
		for i := range p.bars {
			if !keep[i] && (p.bars[i].m.outcome == decode.Accepted) == accepted {
				rest = append(rest, i)
			}
		}
		for bar := range spread(rest, room) {
			take(bar)
		}
	}
	kept := p.bars[:0:0]
	moved := map[int]int{}
	left := 0
	for i, b := range p.bars {
		if keep[i] {
			moved[i] = len(kept)
			kept = append(kept, b)
		} else {
			left += b.count
		}
	}
	p.bars = kept
	p.follow(moved)
	p.note(htmlBarsLeft, left)
}

// spread are at most so many of the elements, evenly spaced.
func spread[T any](all []T, most int) iter.Seq[T] {
	return func(yield func(T) bool) {
		n := min(len(all), most)
		for k := range n {
			if !yield(all[k*len(all)/n]) {
				return
			}
		}
	}
}

// follow changes the bars that the arrows run between.
func (p *htmlPicture) follow(moved map[int]int) {
	for session, bar := range p.of {
		if to, ok := moved[bar]; ok {
			p.of[session] = to
		} else {
			delete(p.of, session)
		}
	}
}

// stack puts bars that overlap in time above each other.
func (p *htmlPicture) stack() {
	ends := make([][]int64, len(p.lanes))
	kept := p.bars[:0:0]
	moved := map[int]int{}
	left := 0
	for i, b := range p.bars { // in order of their begin
		rows := ends[b.lane]
		row := slices.IndexFunc(rows, func(end int64) bool { return end <= b.start })
		switch {
		case row >= 0:
			rows[row] = b.end
		case len(rows) < maxStack:
			row, ends[b.lane] = len(rows), append(rows, b.end)
		default:
			left += b.count
			continue
		}
		b.row = row
		moved[i] = len(kept)
		kept = append(kept, b)
	}
	p.bars = kept
	p.follow(moved)
	if left > 0 {
		p.note(htmlStackLeft, left)
	}
	for i := range p.lanes {
		p.lanes[i].rows = max(len(ends[i]), 1)
		p.lanes[i].pitch = barHeight + barGap
	}
	for _, t := range p.story.takeovers {
		for _, s := range t {
			if bar, ok := p.of[s]; ok {
				p.lanes[p.bars[bar].lane].pitch = barHeight + arrowedGap
			}
		}
	}
}

// describe is what is said of a bar when one points at it, and the client ID in
// it where there is room.
func (b *htmlBar) describe(p *htmlPicture) {
	lang := p.doc.Lang
	r := p.doc.Sessions.At(int(b.m.record))
	id := htmlIDOf(&r)
	if b.NameX != "" && b.count == 1 && id != "" {
		b.Name = Escape(cut(id, 24))
	}
	lines := []string{strings.TrimSpace(r.ID + "  " + r.Client + " → " + r.Broker)}
	if b.count > 1 {
		lines = []string{say(lang, htmlBarOfMany, values{"n": b.count}), r.ID + "  " + r.Client + " …"}
	}
	if id != "" {
		lines = append(lines, say(lang, whoIDs, values{"ids": `"` + shorten(id) + `"`}))
	}
	outcome := say(lang, outcomeMessages[r.Outcome], nil)
	if r.Code != "" {
		outcome += " " + r.Code + " " + codeName(Code{Version: r.MQTTVersion, Code: r.Code, Name: r.CodeName}, lang)
	}
	if r.ConnackMS != nil {
		outcome += ", CONNACK " + millis(*r.ConnackMS, lang)
	}
	lines = append(lines, outcome, htmlClock(b.m.start, b.m.end, lang)+" · "+htmlEnd(&r, lang))
	if b.m.endedBy >= 0 {
		newer := p.doc.Sessions.At(int(p.story.moments[b.m.endedBy].record))
		lines = append(lines, say(lang, htmlTakenOverBy, values{"id": newer.ID}))
	}
	for i := range lines {
		lines[i] = Escape(cut(lines[i], 200))
	}
	b.Title = strings.Join(lines, "\n")
}

// htmlClock is from when to when.
func htmlClock(start, end int64, lang kb.Lang) string {
	const layout = "15:04:05.000"
	return say(lang, htmlFromTo, values{
		"from": time.Unix(0, start).UTC().Format(layout), "to": time.Unix(0, end).UTC().Format(layout),
	}) + " (" + duration(time.Duration(end-start), lang) + ")"
}

// htmlEnd says by whom and how a session ended.
func htmlEnd(r *decode.Record, lang kb.Lang) string {
	how := map[decode.Close]string{decode.CloseDisconnect: "DISCONNECT", decode.CloseFIN: "FIN", decode.CloseRST: "RST"}[r.Close]
	if r.DisconnectCode != "" {
		how += " " + r.DisconnectCode
	}
	who := ""
	switch {
	case r.ClosedBy == decode.Client:
		who = say(lang, htmlByClient, nil)
	case r.ClosedBy == decode.Broker:
		who = say(lang, htmlByBroker, nil)
	case r.Closed.IsZero():
		return say(lang, htmlStillOpen, nil)
	}
	if who == "" || how == "" {
		return who + how
	}
	return who + say(lang, listComma, nil) + how
}
