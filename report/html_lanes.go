package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

// chooseLanes takes the addresses with the most trouble, and puts them in the order
// in which they first come, but those side by side that take over from each other.
func (p *htmlPicture) chooseLanes() {
	lanes := make([]htmlLane, len(p.story.hosts))
	for i := range p.story.moments {
		m := &p.story.moments[i]
		l := &lanes[m.host]
		if l.all == 0 {
			l.host, l.firstAt = m.host, m.start
		}
		l.all++
		if m.outcome != decode.Accepted {
			l.Bad++
		}
		if m.endedBy >= 0 {
			l.Taken++
		}
	}
	if left := len(lanes) - maxLanes; left > 0 {
		lanes = p.worst(lanes)
		p.note(htmlLanesLeft, left)
	}
	group := p.groups(lanes)
	slices.SortFunc(lanes, func(a, b htmlLane) int {
		return cmp.Or(cmp.Compare(group[a.host], group[b.host]), cmp.Compare(a.firstAt, b.firstAt), cmp.Compare(a.host, b.host))
	})
	p.lanes = lanes
	for i, l := range lanes {
		p.at[l.host] = i
		p.lanes[i].ids = map[uint64]int32{}
	}
}

// groups says of each host when the first of those came that it takes over from,
// directly or through others.
func (p *htmlPicture) groups(lanes []htmlLane) map[int32]int64 {
	first := map[int32]int64{}
	for _, l := range lanes {
		first[l.host] = l.firstAt
	}
	pairs := map[[2]int32]bool{}
	for _, t := range p.story.takeovers {
		a, b := p.story.moments[t[0]].host, p.story.moments[t[1]].host
		if first[a] != 0 && first[b] != 0 && a != b {
			pairs[[2]int32{a, b}] = true
		}
	}
	for range lanes { // a time goes one step further in each round at least
		changed := false
		for pair := range pairs {
			if at := min(first[pair[0]], first[pair[1]]); first[pair[0]] != first[pair[1]] {
				first[pair[0]], first[pair[1]], changed = at, at, true
			}
		}
		if !changed {
			break
		}
	}
	return first
}

// worst are the maxLanes lanes with the most takeovers and failures. A takeover
// tells nothing without its other side, so that lanes come with their partners.
func (p *htmlPicture) worst(lanes []htmlLane) []htmlLane {
	partners := map[int32][]int32{}
	for _, t := range p.story.takeovers {
		a, b := p.story.moments[t[0]].host, p.story.moments[t[1]].host
		for _, pair := range [][2]int32{{a, b}, {b, a}} {
			if of := partners[pair[0]]; len(of) < maxLanes && !slices.Contains(of, pair[1]) {
				partners[pair[0]] = append(of, pair[1])
			}
		}
	}
	order := slices.Clone(lanes) // a host's lane is at its number
	slices.SortFunc(order, func(a, b htmlLane) int {
		return cmp.Or(cmp.Compare(b.Taken, a.Taken), cmp.Compare(b.Bad, a.Bad), cmp.Compare(b.all, a.all), cmp.Compare(a.host, b.host))
	})
	chosen := make([]htmlLane, 0, maxLanes)
	taken := map[int32]bool{}
	choose := func(host int32) {
		if len(chosen) < maxLanes && !taken[host] {
			taken[host] = true
			chosen = append(chosen, lanes[host])
		}
	}
	for _, l := range order {
		if len(chosen) == maxLanes {
			break
		}
		choose(l.host)
		for _, host := range partners[l.host] {
			choose(host)
		}
	}
	return chosen
}

// describe names a lane: the address, how many sessions, and the client ID where
// they all have one.
func (p *htmlPicture) describe(l *htmlLane) {
	v := values{"n": l.all}
	if l.Bad > 0 {
		v["bad"] = l.Bad
	}
	if l.Taken > 0 {
		v["taken"] = l.Taken
	}
	if len(l.ids) == 1 {
		for _, i := range l.ids {
			r := p.doc.Sessions.At(int(p.story.moments[i].record))
			v["id"] = `"` + Escape(shorten(htmlIDOf(&r))) + `"`
		}
	}
	l.Name = Escape(shorten(p.story.hosts[l.host]))
	l.Sessions = say(p.doc.Lang, htmlLaneOf, v)
	l.First = time.Unix(0, l.firstAt).UTC().Format("2006-01-02 15:04:05.000")
}
