package analyze

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

const (
	// staleSilence is how long a session must have been silent to look
	// half-open: shorter than any common keep-alive, and twice the reconnect
	// delay of clients that fight over an ID at full speed (1 s).
	staleSilence = 2 * time.Second
	// loopLength is how many takeovers in a row make a loop: the ID goes
	// there, back and there again. loopPeriod bounds the time between them:
	// the longest default backoff among common clients is 120 s.
	loopLength = 3
	loopPeriod = 2 * time.Minute
)

// takeovers finds sessions that an accepted CONNECT with the same client ID
// ended [MQTT-3.1.4-2] (3.1.1), [MQTT-3.1.4-3] (5): one finding a client ID.
func takeovers(b *broker, ended []*session) []draft {
	groups := b.takeoverGroups(ended)
	slices.SortStableFunc(groups, func(x, y []takeover) int { return cmp.Compare(len(y), len(x)) })
	if len(groups) > maxIDFindings {
		rest := slices.Concat(groups[maxIDFindings-1:]...)
		sortByTime(rest, takeover.nano)
		groups = append(groups[:maxIDFindings-1], rest)
	}
	var found []draft
	for _, group := range groups {
		found = append(found, takeoverDraft(b, group))
	}
	return found
}

func takeoverDraft(b *broker, group []takeover) draft {
	c := follow(b, group)
	severity := Warning
	switch {
	case c.loop:
		severity = Error
	case c.stale:
		severity = Info
	}
	return draft{
		severity: severity, sessions: c.sessions(), packets: c.packets,
		more: func(f *Finding) { c.measure(&f.Facts, b) },
	}
}

// contest is the takeovers of one client ID or user name, in order of time, and
// what they are together.
type contest struct {
	group []takeover
	// moved counts those that go to another client address. idsDiffer: the
	// client IDs of two are not the same; told: the broker says so; unseen: of
	// one only the broker tells.
	moved                   int
	idsDiffer, told, unseen bool
	// back are the takeovers of a session that had itself just taken over.
	back packetList
	// loop: the sessions take each other over again and again; stale: it looks
	// like a device that replaced its own half-open connection.
	loop, stale bool
	// holed: what a client said last may be missing.
	holed bool
}

// follow follows the takeovers one after another.
func follow(b *broker, group []takeover) *contest {
	c := &contest{group: group}
	took := newBitSet(len(b.sessions))
	for _, t := range group {
		if t.new != nil {
			took.add(t.new.at - b.from)
		}
	}
	longest, run := 1, 1
	for i, t := range group {
		c.told = c.told || toldTaken(t.old)
		if t.new == nil {
			c.unseen = true
		} else {
			c.idsDiffer = c.idsDiffer || t.old.Connect.ClientID != t.new.Connect.ClientID
			if t.old.client() != t.new.client() {
				c.moved++
			}
		}
		// In a loop the session that took over is the next to be taken over.
		if i > 0 && took.has(t.old.at-b.from) && t.at().Sub(group[i-1].at()) <= loopPeriod {
			run++
			c.back.add(t.at())
		} else {
			run = 1
		}
		longest = max(longest, run)
	}
	c.loop = longest >= loopLength || returns(group)
	c.holed = slices.ContainsFunc(group, func(t takeover) bool { return t.old.ClientGap })
	c.stale = !c.loop && !c.unseen && c.moved == 0 && !c.idsDiffer && !c.holed && c.idle() >= staleSilence.Seconds()
	return c
}

// idle is the shortest time in seconds that an old session had been silent.
func (c *contest) idle() float64 {
	shortest := c.group[0].idle()
	for _, t := range c.group[1:] {
		shortest = min(shortest, t.idle())
	}
	return shortest
}

func (t takeover) idle() float64 {
	return seconds(t.at().Sub(either(&t.old.LastFromClient, &t.old.ConnackAt)))
}

// returns reports that an ID went from one address to another and back.
func returns(group []takeover) bool {
	for i := 1; i < len(group); i++ {
		x, y := group[i-1], group[i]
		if x.new != nil && y.new != nil && x.new == y.old &&
			x.old.client() != x.new.client() && y.new.client() == x.old.client() {
			return true
		}
	}
	return false
}

// sessions are those that were taken over and those that took over, in order of
// time.
func (c *contest) sessions() []*session {
	all := make([]*session, 0, 2*len(c.group))
	for _, t := range c.group {
		all = append(all, t.old)
		if t.new != nil {
			all = append(all, t.new)
		}
	}
	slices.SortFunc(all, func(x, y *session) int {
		switch {
		case x == y:
			return 0
		case x.opened != y.opened:
			return cmp.Compare(x.opened, y.opened)
		case x.Origin.Capture != y.Origin.Capture:
			return strings.Compare(x.Origin.Capture, y.Origin.Capture)
		}
		return strings.Compare(x.ID(), y.ID())
	})
	return slices.Compact(all)
}

// packets are the evidence: of a session that was taken over its end too.
func (c *contest) packets(s *session) []int {
	if slices.ContainsFunc(c.group, func(t takeover) bool { return t.old == s }) {
		return []int{s.ConnectAt.Packet, s.BrokerClosed.Packet}
	}
	return handshake(s)
}

func (c *contest) measure(f *Facts, b *broker) {
	var ends packetList
	periods, delays := make([]float64, 0, len(c.group)), make([]float64, 0, len(c.group))
	begin, last := c.group[0].at(), 0.0
	for i, t := range c.group {
		ends.add(t.at())
		if end := seconds(t.at().Sub(begin)); i > 0 {
			periods, last = append(periods, end-last), end
		}
		if t.new != nil {
			delays = append(delays, ms(t.at().Sub(t.new.ConnackAt).Abs()))
		}
	}
	ends.set(&f.Takeovers)
	c.back.set(&f.Alternations)
	f.AddressChanges.Set(c.moved)
	f.TakeoverLoop.Set(c.loop)
	if !c.unseen && !c.holed {
		f.StaleReconnect.Set(c.stale)
	}
	f.TakeoverTold.Set(c.told)
	f.IDsDiffer.Set(c.idsDiffer)
	// A capture without time stamps has an order and no durations.
	if timed := begin.Nano != 0; timed {
		if !c.holed {
			f.IdleBeforeS.Set(c.idle())
		}
		if len(periods) > 0 {
			f.TakeoverPeriodS.Set(median(periods))
		}
		if len(delays) > 0 {
			f.TakeoverDelayMS.Set(median(delays))
		}
	}
	c.measureReturns(f, b)
}

// measureReturns counts what the losers of takeovers do next: they come back,
// mostly with the same CONNECT.
func (c *contest) measureReturns(f *Facts, b *broker) {
	var retries, unchanged packetList
	delays := make([]float64, 0, len(c.group))
	var span float64
	for _, t := range c.group {
		n := b.next(t.old)
		if n == nil || n == t.new || n.Connect == nil || t.old.Connect == nil {
			continue
		}
		retries.add(n.ConnectAt)
		delays = append(delays, seconds(n.Opened.Sub(t.at())))
		span = max(span, seconds(n.Opened.Sub(c.group[0].at())))
		if n.Connect.Tag == t.old.Connect.Tag {
			unchanged.add(n.ConnectAt)
		}
	}
	retries.set(&f.Retries)
	unchanged.set(&f.RetriesUnchanged)
	if len(delays) > 0 {
		f.RetrySpanS.Set(span)
		f.RetryIntervalS.Set(median(delays))
	}
}
