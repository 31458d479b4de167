package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

// liveParts is what ReadSaved knows of the streams of live captures in a file. Each is a
// part: its captures have their numbers anew.
type liveParts struct {
	// on says that the part is a stream, over that its end was seen.
	on, over bool
	// from is the first of the part's captures, base what is added to their numbers, and
	// most the highest number so far.
	from, base, most int
	// reach is how far the sessions of each capture go, by its name.
	reach map[string]*reach
}

// reach is how far a capture went at least.
type reach struct {
	packets     int
	first, last time.Time
}

// notOver is the problem of a stream that has not come to its end.
const notOver = "the end of the live capture is not in the saved records"

func parseLive(line []byte) error {
	var l liveLine
	if err := json.Unmarshal(line, &l); err != nil {
		return inLine(lineLive, err)
	}
	if l.Schema != Schema {
		return fmt.Errorf("live: field schema: it is not %s", Schema)
	}
	return nil
}

// addLive takes a line that a live capture wrote, and reports whether it was one.
func (s *savedReader) addLive(l *savedLine) bool {
	switch {
	case l.err != nil:
		return false
	case l.typ == lineLive:
		if s.sessions > 0 || len(s.inputs) > 0 {
			s.endPart()
			// Its hashes have a key of their own.
			s.remaker, s.origins = decode.NewRemaker(), map[int]*decode.Origin{}
		}
		s.live = liveParts{on: true, from: len(s.inputs), base: s.live.most, most: s.live.most}
	case l.typ == lineHappening:
		s.live.on = true
	case l.typ == lineNotice:
		s.live.on, s.live.over = true, s.live.over || l.over
	case l.typ == lineSummary && l.summary.Live:
		s.live.on = true
	case l.typ == lineCapture && s.live.on:
		// The latest says most.
		part := s.inputs[s.live.from:]
		i := slices.IndexFunc(part, func(c CaptureInput) bool { return c.Info.Name == l.input.Info.Name })
		if i < 0 {
			return false
		}
		part[i] = l.input
	default:
		return false
	}
	return true
}

// number is that of a capture in the file, which is to fit into the ID of a session.
func (p *liveParts) number(index int) (int, error) {
	number := p.base + index
	if p.base > 0 && number > math.MaxInt32 {
		return 0, errors.New("field id: no run has so many captures")
	}
	p.most = max(p.most, number)
	return number, nil
}

// saw notes how far a session reaches.
func (p *liveParts) saw(s *decode.Session) {
	if p.reach == nil {
		p.reach = map[string]*reach{}
	}
	r := p.reach[s.Origin.Capture]
	if r == nil {
		r = &reach{}
		p.reach[s.Origin.Capture] = r
	}
	r.packets = max(r.packets, s.CaptureEnd.Packet, s.Last.Packet)
	if first := s.Opened.Time(); !first.IsZero() && (r.first.IsZero() || first.Before(r.first)) {
		r.first = first
	}
	// The time of CaptureEnd may be later than any packet: a live capture's clock goes on.
	if last := s.Last.Time(); last.After(r.last) {
		r.last = last
	}
}

// complete adds to the captures of a stream what their own lines do not say yet.
func (p *liveParts) complete(captures []CaptureInput) {
	if !p.on {
		return
	}
	for i := range captures {
		c := &captures[i]
		if r := p.reach[c.Info.Name]; r != nil {
			c.Info.Packets = max(c.Info.Packets, int64(r.packets))
			c.Stats.Packets = c.Info.Packets
			if c.Info.First.IsZero() || !r.first.IsZero() && r.first.Before(c.Info.First) {
				c.Info.First = r.first
			}
			if r.last.After(c.Info.Last) {
				c.Info.Last = r.last
			}
		}
		if !p.over {
			c.Info.Problems = append(slices.Clip(c.Info.Problems), notOver)
		}
	}
}
