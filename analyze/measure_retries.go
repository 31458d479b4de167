package analyze

import (
	"cmp"
	"net/netip"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// maxPackets caps the packet numbers kept with a fact.
const maxPackets = 50

func clip(packets []int) []int { return packets[:min(len(packets), maxPackets)] }

// measureRetries looks at each failed session's next attempt by the same
// client.
func measureRetries(f *Facts, b *broker, ss []*decode.Session) {
	var retries, unchanged, newID, clean, keepAlive, down, dropped, added []int
	compared := 0
	var intervals []float64
	var span float64
	starts := map[netip.Addr]decode.Event{}
	for _, s := range ss {
		if !failed(s) {
			continue
		}
		if _, known := starts[s.Client.Addr()]; !known {
			starts[s.Client.Addr()] = s.Opened
		}
		n := b.next(s)
		if n == nil {
			continue
		}
		at := cmp.Or(n.ConnectAt, n.Opened)
		retries = append(retries, at.Packet)
		intervals = append(intervals, seconds(n.Opened.Sub(s.Opened)))
		span = max(span, seconds(n.Opened.Sub(starts[s.Client.Addr()])))
		if s.Connect == nil || n.Connect == nil {
			continue
		}
		compared++
		x, y := s.Connect, n.Connect
		if x.Tag == y.Tag {
			unchanged = append(unchanged, at.Packet)
			continue
		}
		note := func(list *[]int, changed bool) {
			if changed {
				*list = append(*list, at.Packet)
			}
		}
		note(&down, y.Version != mqtt.VersionUnknown && y.Version < x.Version)
		if accepted(n) {
			continue // what worked is no dead end
		}
		note(&newID, x.ClientID != y.ClientID)
		note(&clean, x.CleanStart != y.CleanStart)
		note(&keepAlive, x.KeepAlive != y.KeepAlive)
		note(&dropped, x.Username && !y.Username || x.Password && !y.Password)
		note(&added, !x.Username && y.Username || !x.Password && y.Password)
	}
	f.Retries.Set(len(retries), clip(retries)...)
	for _, c := range []struct {
		fact    *Fact[int]
		packets []int
	}{
		{&f.RetriesUnchanged, unchanged}, {&f.RetriesNewID, newID},
		{&f.RetriesCleanStart, clean}, {&f.RetriesKeepAlive, keepAlive}, {&f.RetriesDowngraded, down},
		{&f.RetriesCredsDropped, dropped}, {&f.RetriesCredsAdded, added},
	} {
		// Retries without a CONNECT in sight, as behind TLS, say nothing.
		if compared > 0 || len(retries) == 0 {
			c.fact.Set(len(c.packets), clip(c.packets)...)
		}
	}
	if len(retries) == 0 {
		return
	}
	f.RetrySpanS.Set(span)
	if len(intervals) >= 3 {
		f.RetryBackoff.Set(backsOff(intervals))
	}
	f.RetryIntervalS.Set(median(intervals))
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
