package analyze

import (
	"cmp"
	"slices"

	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// maxIDFindings bounds the findings a broker that stand for one client ID each;
// the IDs beyond it share one.
const maxIDFindings = 20

// sharedIDs finds one client ID in use from several addresses where no takeover
// shows it: sessions overlap in time, or the ID goes from one address to
// another and back. An ID that moves once, after its session ended, is only a
// client with a new address.
func sharedIDs(b *broker, _ []*session) []draft {
	var groups [][]*session
	for _, ss := range b.sharedGroups() {
		if slices.ContainsFunc(ss, func(s *session) bool { return s.is(ousted) }) {
			continue
		}
		if overlapping, alternating := sharing(ss, &b.ix.clientSet); overlapping || alternating {
			groups = append(groups, ss)
		}
	}
	sortByID(groups)
	slices.SortStableFunc(groups, func(x, y []*session) int { return cmp.Compare(len(y), len(x)) })
	if len(groups) > maxIDFindings {
		rest := slices.Concat(groups[maxIDFindings-1:]...)
		sortByTime(rest, (*session).openedAt)
		groups = append(groups[:maxIDFindings-1], rest)
	}
	var found []draft
	for _, ss := range groups {
		overlapping, _ := sharing(ss, &b.ix.clientSet)
		found = append(found, draft{
			severity: Warning, sessions: ss, packets: handshake,
			more: func(f *Finding) { f.Facts.Overlapping.Set(overlapping) },
		})
	}
	return found
}

// sharedGroups returns the broker's sessions of each client ID that several clients
// have.
func (b *broker) sharedGroups() (groups [][]*session) {
	ids := &b.ix.idSet
	ids.empty()
	for i := range b.sessions {
		id := b.sessions[i].id()
		if id == 0 || b.ix.homes[id] != 0 {
			continue
		}
		if _, fresh := ids.add(id); !fresh {
			continue
		}
		if ss := b.with(byID, id); severalClients(ss) {
			groups = append(groups, ss)
		}
	}
	return groups
}

func (s *session) openedAt() int64 { return s.opened }

func severalClients(ss []*session) bool {
	return slices.ContainsFunc(ss[1:], func(s *session) bool { return s.client() != ss[0].client() })
}

// sharing reports whether accepted sessions from different addresses overlap,
// and whether the sessions go from one address to another and back. The set, of
// clients, is only lent.
func sharing(ss []*session, left *numberSet) (overlapping, alternating bool) {
	left.empty()
	var open *session
	for i, s := range ss {
		if i > 0 && s.client() != ss[i-1].client() {
			left.add(ss[i-1].client())
			alternating = alternating || left.has(s.client())
		}
		if !s.is(accepted) {
			continue
		}
		if open != nil && open.client() != s.client() && open.lasts(s) {
			overlapping = true
		}
		if open == nil || !s.Closed.Seen() || open.Closed.Seen() && s.Closed.Nano > open.Closed.Nano {
			open = s
		}
	}
	return overlapping, alternating
}

// lasts reports that a session had not ended when another was let in. Of one that was open when
// its capture ended nothing is known after that, in the next file of a row.
func (s *session) lasts(until *session) bool {
	if s.Closed.Seen() {
		return s.Closed.Nano > until.ConnackAt.Nano
	}
	return s.Origin == until.Origin || s.CaptureEnd.Nano >= until.ConnackAt.Nano
}

// churnIDs is how many client IDs one client must go through: two can be a
// rename, three are a habit.
const churnIDs = 3

// leavesState reports an accepted session whose state the broker had not, and
// must keep when the connection ends.
func leavesState(_ *broker, s *session) bool {
	return s.is(accepted) && hasID(s.Session) && keepsState(s.Connect) && !s.Connack.SessionPresent
}

// keepsState reports that the broker must keep the session state when the
// connection ends: clean session off (3.x), or a session expiry interval
// above 0 (MQTT 5, section 3.1.2.11.2).
func keepsState(c *mqtt.Connect) bool {
	if c.Version == mqtt.V5 {
		return c.SessionExpiry != nil && *c.SessionExpiry > 0
	}
	return !c.CleanStart
}

// churn finds a client that uses a new ID for every connection and asks the
// broker to keep each one's session state. Many devices behind one address
// look different: their sessions overlap, their IDs come back, or their IDs do
// not look drawn at random.
func churn(b *broker, ss []*session) []draft {
	groups := split(ss, &b.ix.clientSet, (*session).client)
	groups = slices.DeleteFunc(groups, func(ss []*session) bool { return len(ss) < churnIDs })
	slices.SortFunc(groups, func(x, y []*session) int { return x[0].Client.Addr().Compare(y[0].Client.Addr()) })
	var all []*session
	for _, group := range groups {
		for _, run := range churnRuns(b.with(byClient, group[0].client()), &b.ix.idSet) {
			all = append(all, run...)
		}
	}
	sortByTime(all, (*session).openedAt)
	return one(Warning, all, handshake)
}

// churnRuns returns the runs of sessions of one client in which it goes through
// IDs. The set, of client IDs, is only lent.
func churnRuns(ss []*session, used *numberSet) (runs [][]*session) {
	used.empty()
	var run []*session
	flush := func() {
		if len(run) >= churnIDs {
			runs = append(runs, run)
		}
		run = nil
	}
	for _, s := range ss {
		if !s.is(accepted) || s.id() == 0 {
			continue
		}
		if _, fresh := used.add(s.id()); !fresh || !keepsState(s.Connect) || s.Connack.SessionPresent {
			flush()
			continue
		}
		if n := len(run); n > 0 && !succeeds(s, run[n-1]) {
			flush()
		}
		run = append(run, s)
	}
	flush()
	return runs
}

// succeeds reports that a session looks like the same client's next one after
// the last, under another ID.
func succeeds(s, last *session) bool {
	return last.Closed.Seen() && last.Closed.Nano <= s.ConnectAt.Nano && drawnAtRandom(last.Connect.ClientID, s.Connect.ClientID)
}
