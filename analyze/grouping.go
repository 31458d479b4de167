package analyze

import (
	"slices"
	"sort"
)

// kind says by what sessions are grouped.
type kind int

const (
	byID kind = iota
	byClient
	groupings
)

// A grouping is the sessions by a number that they have. Those with the number 0
// are in no group.
type grouping struct {
	// sessions are in order of their number, of broker and of time.
	sessions []*session
	// from says where each number's begin; they end where the next one's begin.
	from []uint32
}

// member is where a session stands in a grouping: in which group, and at which
// place among the grouping's sessions.
type member struct{ group, place uint32 }

// group groups the sessions by the numbers that they were given, of which there
// are so many.
func (ix *index) group(k kind, numbers int) grouping {
	g := grouping{from: make([]uint32, numbers+1)}
	for i := range ix.all {
		g.from[ix.all[i].in[k].group+1]++
	}
	g.from[1] = 0
	for n := 1; n <= numbers; n++ {
		g.from[n] += g.from[n-1]
	}
	g.sessions = make([]*session, g.from[numbers])
	ends := slices.Clone(g.from)
	for i := range ix.all {
		s := &ix.all[i]
		if m := &s.in[k]; m.group != 0 {
			m.place = ends[m.group]
			ends[m.group]++
			g.sessions[m.place] = s
		}
	}
	return g
}

// with returns the broker's sessions of a group, in order of time.
func (b *broker) with(k kind, number uint32) []*session {
	g := &b.ix.groups[k]
	return b.own(g.sessions[g.from[number]:g.from[number+1]])
}

// behind returns those of a session's group that come after it.
func (b *broker) behind(k kind, s *session) []*session {
	g, m := &b.ix.groups[k], s.in[k]
	if m.group == 0 {
		return nil
	}
	return b.own(g.sessions[m.place+1 : g.from[m.group+1]])
}

// own returns the broker's part of a group.
func (b *broker) own(group []*session) []*session {
	if len(b.ix.brokers) == 1 {
		return group
	}
	from := sort.Search(len(group), func(i int) bool { return group[i].at >= b.from })
	to := sort.Search(len(group), func(i int) bool { return group[i].at >= b.to })
	return group[from:to]
}

// split divides sessions into groups of one number each, which keep their order;
// the groups come in the order in which they begin. The set is made for such
// numbers.
func split(sessions []*session, set *numberSet, number func(*session) uint32) [][]*session {
	if len(sessions) == 0 {
		return nil
	}
	set.empty()
	var counts []int
	for _, s := range sessions {
		place, fresh := set.add(number(s))
		if fresh {
			counts = append(counts, 0)
		}
		counts[place]++
	}
	if len(counts) == 1 {
		return [][]*session{sessions}
	}
	rest := make([]*session, len(sessions))
	groups := make([][]*session, len(counts))
	for i, n := range counts {
		groups[i], rest = rest[:0:n], rest[n:]
	}
	for _, s := range sessions {
		place, _ := set.add(number(s))
		groups[place] = append(groups[place], s)
	}
	return groups
}
