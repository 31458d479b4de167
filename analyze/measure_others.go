package analyze

import "slices"

// others finds the accepted sessions of a finding's clients that are not part of
// the finding. A client is an address and a client ID, or an address alone where
// the ID is empty or not known.
type others struct {
	// clients are those under one client ID, ids those of one client that are in
	// the finding.
	clients, ids numberSet
	spans        []span
	// before and later are the places of sessions that were opened before a
	// client's first one in the finding, and after its last.
	before, later []uint32
}

// span is when a client's first and last session in the finding were opened.
type span struct{ first, last int64 }

func newOthers(ix *index) others {
	return others{clients: newNumberSet(ix.clients.count()), ids: newNumberSet(ix.ids.count())}
}

// measureOthers says whether clients of the finding were let in before or later.
func (m *measurer) measureOthers(f *Facts, d *draft) {
	o := &m.others
	o.before, o.later = o.before[:0], o.later[:0]
	for _, id := range m.ids.list {
		if id != 0 {
			o.withID(d.broker.with(byID, id), m.mine)
		}
	}
	if m.ids.has(0) {
		for _, client := range m.clients.list {
			o.ofClient(d.broker.with(byClient, client), m.mine)
		}
	}
	f.AcceptedBefore.Set(len(o.before) > 0, m.connacks(o.before)...)
	f.AcceptedLater.Set(len(o.later) > 0, m.connacks(o.later)...)
}

// withID looks at the sessions with one client ID.
func (o *others) withID(ss []*session, mine bitSet) {
	if !slices.ContainsFunc(ss, func(s *session) bool { return s.is(accepted) && !mine.has(s.at) }) {
		return
	}
	o.clients.empty()
	o.spans = o.spans[:0]
	for _, s := range ss {
		if mine.has(s.at) {
			place, fresh := o.clients.add(s.client())
			if fresh {
				o.spans = append(o.spans, span{first: s.opened})
			}
			o.spans[place].last = s.opened
		}
	}
	for _, s := range ss {
		if s.is(accepted) && !mine.has(s.at) && o.clients.has(s.client()) {
			own := o.spans[o.clients.places[s.client()]]
			o.sort(s, own, true)
		}
	}
}

// ofClient looks at the sessions of a client of which some in the finding have no
// ID.
func (o *others) ofClient(ss []*session, mine bitSet) {
	o.ids.empty()
	own, without := span{}, false
	for _, s := range ss {
		switch {
		case !mine.has(s.at):
		case s.id() != 0:
			o.ids.add(s.id())
		case !without:
			own, without = span{s.opened, s.opened}, true
		default:
			own.last = s.opened
		}
	}
	if !without {
		return
	}
	for _, s := range ss {
		if s.is(accepted) && !mine.has(s.at) && !o.ids.has(s.id()) {
			o.sort(s, own, s.id() == 0)
		}
	}
}

// sort notes a session that lies outside the span. One with another ID than those
// in the finding proves nothing by coming before.
func (o *others) sort(s *session, own span, sameID bool) {
	switch {
	case s.opened > own.last:
		o.later = append(o.later, s.at)
	case s.opened < own.first && sameID:
		o.before = append(o.before, s.at)
	}
}

// connacks returns the packets of the first CONNACKs of sessions at such places.
func (m *measurer) connacks(places []uint32) []int {
	slices.Sort(places)
	packets := make([]int, 0, min(len(places), maxPackets))
	for _, at := range places[:cap(packets)] {
		packets = append(packets, m.ix.all[at].ConnackAt.Packet)
	}
	return packets
}
