package analyze

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// sharedIDs finds one client ID in use from several addresses where no takeover
// shows it: sessions overlap in time, or the ID goes from one address to
// another and back. An ID that moves once, after its session ended, is only a
// client with a new address.
func sharedIDs(b *broker) []Finding {
	var groups [][]*decode.Session
	for _, id := range b.ids {
		ss := b.byID[id]
		if overlapping, alternating := sharing(ss); (overlapping || alternating) && len(takeoversIn(ss, takeoverAfter, nil)) == 0 {
			groups = append(groups, ss)
		}
	}
	slices.SortStableFunc(groups, func(x, y []*decode.Session) int { return cmp.Compare(len(y), len(x)) })
	if len(groups) > maxIDFindings {
		rest := slices.Concat(groups[maxIDFindings-1:]...)
		slices.SortStableFunc(rest, func(x, y *decode.Session) int { return cmp.Compare(x.Opened.Nano, y.Opened.Nano) })
		groups = append(groups[:maxIDFindings-1], rest)
	}
	var found []Finding
	for _, ss := range groups {
		f := newFinding(ClientIDShared, Warning, b, ss, handshake)
		overlapping, _ := sharing(ss)
		f.Facts.Overlapping.Set(overlapping)
		found = append(found, f)
	}
	return found
}

// maxIDFindings bounds the findings a broker that stand for one client ID each;
// the IDs beyond it share one.
const maxIDFindings = 20

// sharing reports whether accepted sessions from different addresses overlap,
// and whether the sessions go from one address to another and back.
func sharing(ss []*decode.Session) (overlapping, alternating bool) {
	var open *decode.Session
	left := map[netip.Addr]bool{}
	for i, s := range ss {
		if i > 0 && s.Client.Addr() != ss[i-1].Client.Addr() {
			left[ss[i-1].Client.Addr()] = true
			alternating = alternating || left[s.Client.Addr()]
		}
		if !accepted(s) {
			continue
		}
		if open != nil && open.Client.Addr() != s.Client.Addr() && (!open.Closed.Seen() || open.Closed.Nano > s.ConnackAt.Nano) {
			overlapping = true
		}
		if open == nil || !s.Closed.Seen() || open.Closed.Seen() && s.Closed.Nano > open.Closed.Nano {
			open = s
		}
	}
	return overlapping, alternating
}

// churnIDs is how many client IDs one client must go through: two can be a
// rename, three are a habit.
const churnIDs = 3

// churn finds a client that uses a new ID for every connection and asks the
// broker to keep each one's session state. Many devices behind one address
// look different: their sessions overlap, their IDs come back, or their IDs do
// not look drawn at random.
func churn(b *broker) []Finding {
	var all []*decode.Session
	for _, addr := range b.clients {
		var run []*decode.Session
		used := map[string]bool{}
		flush := func() {
			if len(run) >= churnIDs {
				all = append(all, run...)
			}
			run = nil
		}
		for _, s := range b.byClient[addr] {
			if !accepted(s) || s.Connect == nil || s.Connect.ClientID == "" {
				continue
			}
			id := s.Connect.ClientID
			if used[id] || !keepsState(s.Connect) || s.Connack.SessionPresent {
				flush()
				used[id] = true
				continue
			}
			if n := len(run); n > 0 && (!run[n-1].Closed.Seen() || run[n-1].Closed.Nano > s.ConnectAt.Nano || !drawnAtRandom(run[n-1].Connect.ClientID, id)) {
				flush()
			}
			used[id] = true
			run = append(run, s)
		}
		flush()
	}
	slices.SortStableFunc(all, func(x, y *decode.Session) int { return cmp.Compare(x.Opened.Nano, y.Opened.Nano) })
	return one(ClientIDChurn, Warning, b, all, handshake)
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
