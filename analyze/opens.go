package analyze

import (
	"cmp"
	"slices"

	"github.com/mqttriage/mqttriage/decode"
)

// opens counts a broker's accepted sessions that were open, at the moments that
// were asked for.
type opens struct {
	// moments are in order; counts are as many.
	moments []int64
	counts  []int
}

// countOpens counts for every broker of drafts, at the moments when the sessions
// that are named as evidence asked to be let in. To count for each of them would
// be to walk over all sessions each time.
func countOpens(drafts []draft) map[*broker]*opens {
	of := map[*broker]*opens{}
	for i := range drafts {
		d := &drafts[i]
		o := of[d.broker]
		if o == nil {
			o = &opens{}
			of[d.broker] = o
		}
		for _, s := range d.evidence() {
			o.moments = append(o.moments, asked(s).Nano)
		}
	}
	for b, o := range of {
		slices.Sort(o.moments)
		o.moments = slices.Compact(o.moments)
		o.count(b.sessions)
	}
	return of
}

func (o *opens) count(sessions []session) {
	// First by how much the count changes from moment to moment.
	changes := make([]int, len(o.moments)+1)
	var from, to [together]int64
	for batch := range slices.Chunk(sessions, together) {
		n := 0
		for i := range batch {
			if s := &batch[i]; s.is(accepted) {
				from[n], to[n] = s.open()
				n++
			}
		}
		for i := range n {
			first, _ := slices.BinarySearch(o.moments, from[i])
			behind, _ := slices.BinarySearch(o.moments, to[i])
			if first < behind {
				changes[first]++
				changes[behind]--
			}
		}
	}
	for i := 1; i < len(changes); i++ {
		changes[i] += changes[i-1]
	}
	o.counts = changes
}

// at counts the sessions that were open when s asked to be let in, and does not
// count s itself.
func (o *opens) at(s *session) int {
	at := asked(s).Nano
	i, _ := slices.BinarySearch(o.moments, at)
	if s.isOpen(at) {
		return o.counts[i] - 1
	}
	return o.counts[i]
}

// asked is when a session asked to be let in.
func asked(s *session) decode.Event { return cmp.Or(s.ConnectAt, s.Closed, s.Opened) }

// open returns from when on an accepted session counts as open, and until when: it
// was opened before, and the CONNACK has come.
func (s *session) open() (from, to int64) {
	const forever = 1<<63 - 1
	to = forever
	if s.Closed.Seen() {
		to = s.Closed.Nano
	}
	return max(s.ConnackAt.Nano, s.opened+1), to
}

// isOpen reports that a session was accepted and is open at a moment.
func (s *session) isOpen(at int64) bool {
	if !s.is(accepted) {
		return false
	}
	from, to := s.open()
	return from <= at && at < to
}

// anyOpen reports that one of the sessions, in order of time, was open when s,
// another one, asked to be let in.
func anyOpen(sessions []*session, s *session) bool {
	at := asked(s).Nano
	for _, o := range sessions {
		if o.opened >= at {
			break
		}
		if o != s && o.isOpen(at) {
			return true
		}
	}
	return false
}
