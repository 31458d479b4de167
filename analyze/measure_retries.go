package analyze

import (
	"time"

	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// retries is what became of the failed sessions: each one's next attempt by the
// same client.
type retries struct {
	all, unchanged, newID, clean, keepAlive, down, dropped, added packetList
	// compared counts those with a CONNECT before and after.
	compared int
	// intervals are the times between attempts, span the longest since a
	// client's first, in seconds.
	intervals []float64
	span      float64
	// begun is when each client's first failed session was opened.
	begun []int64
}

// notBegun stands for a client without a failed session.
const notBegun = -1 << 63

// reset forgets all, and keeps the memory of the times.
func (a *retries) reset() { *a = retries{intervals: a.intervals[:0], begun: a.begun[:0]} }

func (a *retries) add(v *visit) {
	if !v.is(failed) {
		return
	}
	for v.client >= len(a.begun) {
		a.begun = append(a.begun, notBegun)
	}
	if a.begun[v.client] == notBegun {
		a.begun[v.client] = v.opened
	}
	n := v.next
	if n == nil {
		return
	}
	at := either(&n.ConnectAt, &n.Opened)
	a.all.add(at)
	a.intervals = append(a.intervals, seconds(n.since(v.session)))
	a.span = max(a.span, seconds(time.Duration(n.opened-a.begun[v.client])))
	if v.Connect == nil || n.Connect == nil {
		return
	}
	a.compared++
	x, y := v.Connect, n.Connect
	if x.Tag == y.Tag {
		a.unchanged.add(at)
		return
	}
	if y.Version != mqtt.VersionUnknown && y.Version < x.Version {
		a.down.add(at)
	}
	if n.is(accepted) {
		return // what worked is no dead end
	}
	note := func(list *packetList, changed bool) {
		if changed {
			list.add(at)
		}
	}
	note(&a.newID, x.ClientID != y.ClientID)
	note(&a.clean, x.CleanStart != y.CleanStart)
	note(&a.keepAlive, x.KeepAlive != y.KeepAlive)
	note(&a.dropped, x.Username && !y.Username || x.Password && !y.Password)
	note(&a.added, !x.Username && y.Username || !x.Password && y.Password)
}

func (a *retries) set(f *Facts) {
	a.all.set(&f.Retries)
	// Retries without a CONNECT in sight, as behind TLS, say nothing.
	if a.compared > 0 || a.all.count == 0 {
		a.unchanged.set(&f.RetriesUnchanged)
		a.newID.set(&f.RetriesNewID)
		a.clean.set(&f.RetriesCleanStart)
		a.keepAlive.set(&f.RetriesKeepAlive)
		a.down.set(&f.RetriesDowngraded)
		a.dropped.set(&f.RetriesCredsDropped)
		a.added.set(&f.RetriesCredsAdded)
	}
	if a.all.count == 0 {
		return
	}
	f.RetrySpanS.Set(a.span)
	if len(a.intervals) >= 3 {
		f.RetryBackoff.Set(backsOff(a.intervals))
	}
	f.RetryIntervalS.Set(median(a.intervals))
}

// backsOff reports that intervals grow: the last third is at least half as
// long again as the first.
func backsOff(intervals []float64) bool {
	third := max(1, len(intervals)/3)
	mean := func(v []float64) (sum float64) {
		for _, x := range v {
			sum += x
		}
		return sum / float64(len(v))
	}
	return mean(intervals[len(intervals)-third:]) >= 1.5*mean(intervals[:third])
}
