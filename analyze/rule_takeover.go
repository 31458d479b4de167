package analyze

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

const (
	// takenOver is DISCONNECT's "session taken over" (MQTT 5, section 3.14.2.1).
	takenOver = 0x8E
	// takeoverAfter is how long after the new CONNACK the broker's close of
	// the old session still belongs to it. Brokers take 0.1 to 1 ms; a remote
	// session store takes longer.
	takeoverAfter = 2 * time.Second
	// userTakeover is takeoverAfter where only the user names are equal. All
	// else may be chance, so it is the time that brokers need, with room for a
	// slow one.
	userTakeover = 50 * time.Millisecond
	// maxCandidates bounds how many sessions are tried as the one that took a
	// session over: beyond it there is no telling which it was.
	maxCandidates = 64
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

// takeover is one session ended by another.
type takeover struct {
	old, new *decode.Session // new is nil where only DISCONNECT 0x8E tells
}

// at is when the old session ended.
func (t takeover) at() decode.Event { return t.old.BrokerClosed }

// takeovers finds sessions that an accepted CONNECT with the same client ID
// ended [MQTT-3.1.4-2] (3.1.1), [MQTT-3.1.4-3] (5): one finding a client ID.
func takeovers(b *broker) []Finding {
	groups := b.takeoverGroups()
	slices.SortStableFunc(groups, func(x, y []takeover) int { return cmp.Compare(len(y), len(x)) })
	if len(groups) > maxIDFindings {
		rest := slices.Concat(groups[maxIDFindings-1:]...)
		slices.SortStableFunc(rest, func(x, y takeover) int { return cmp.Compare(x.at().Nano, y.at().Nano) })
		groups = append(groups[:maxIDFindings-1], rest)
	}
	var found []Finding
	for _, group := range groups {
		found = append(found, takeoverFinding(b, group))
	}
	return found
}

// takeoverGroups finds all takeovers, one group a client ID or user name.
func (b *broker) takeoverGroups() [][]takeover {
	var groups [][]takeover
	told := map[*decode.Session]bool{}
	for _, id := range b.ids {
		if group := takeoversIn(b.byID[id], takeoverAfter, nil); len(group) > 0 {
			groups = append(groups, group)
			for _, t := range group {
				told[t.old] = true
			}
		}
	}
	groups = append(groups, takeoversByUser(b, told)...)
	return append(groups, takeoversToldOnly(b, told)...)
}

// takeoversIn pairs sessions that the broker ended with the session that it
// accepted at that moment. same, where given, asks further of a pair. Every
// session has at most one that ended it; the result is in order of time.
func takeoversIn(sessions []*decode.Session, window time.Duration, same func(old, new *decode.Session) bool) []takeover {
	var news []*decode.Session
	for _, s := range sessions {
		if accepted(s) && s.ConnectAt.Seen() {
			news = append(news, s)
		}
	}
	slices.SortStableFunc(news, func(x, y *decode.Session) int { return cmp.Compare(x.ConnackAt.Nano, y.ConnackAt.Nano) })
	var found []takeover
	for _, old := range sessions {
		if !accepted(old) || old.ClosedBy != decode.Broker {
			continue
		}
		end := old.BrokerClosed.Nano
		i, _ := slices.BinarySearchFunc(news, end-int64(window), func(s *decode.Session, nano int64) int {
			return cmp.Compare(s.ConnackAt.Nano, nano)
		})
		for _, s := range news[i:min(len(news), i+maxCandidates)] {
			if s.ConnackAt.Nano > end+int64(window) {
				break
			}
			if s != old && old.ConnackAt.Before(s.ConnackAt) && provoked(old, s) && (same == nil || same(old, s)) {
				found = append(found, takeover{old, s})
				break
			}
		}
	}
	slices.SortStableFunc(found, func(x, y takeover) int { return cmp.Compare(x.at().Nano, y.at().Nano) })
	return found
}

// provoked reports that the broker ended the old session when it had heard of
// the new one: a session that ended before the newcomer's connection was open
// ended for another reason, however soon the client came back.
func provoked(old, new *decode.Session) bool {
	heard := cmp.Or(new.SynAck, new.Opened)
	if *old.Origin == *new.Origin {
		return old.BrokerClosed.Packet > heard.Packet
	}
	return old.BrokerClosed.Nano >= heard.Nano
}

// takeoversByUser finds takeovers between different client IDs under one user
// name: brokers can use the user name as client ID (use_username_as_clientid).
// A close by chance at the same moment looks alike, so other explanations must
// be absent: the old session was in good order and did not just time out, and
// no two sessions of the user stay open side by side.
func takeoversByUser(b *broker, told map[*decode.Session]bool) [][]takeover {
	byUser := map[mqtt.Tag][]*decode.Session{}
	var order []mqtt.Tag
	for _, s := range b.sessions {
		if accepted(s) && s.Connect != nil && s.Connect.UserTag != 0 {
			if byUser[s.Connect.UserTag] == nil {
				order = append(order, s.Connect.UserTag)
			}
			byUser[s.Connect.UserTag] = append(byUser[s.Connect.UserTag], s)
		}
	}
	var groups [][]takeover
	for _, user := range order {
		if sideBySide(byUser[user]) {
			continue
		}
		group := takeoversIn(byUser[user], userTakeover, func(old, new *decode.Session) bool {
			return !told[old] && old.Connect.ClientID != new.Connect.ClientID && !overdue(old) && !old.Rare().SecondConnect.Seen()
		})
		if len(group) > 0 {
			groups = append(groups, group)
			for _, t := range group {
				told[t.old] = true
			}
		}
	}
	return groups
}

// sideBySide reports that two of the sessions, which are accepted and in order
// of time, were open at once for longer than a takeover takes.
func sideBySide(sessions []*decode.Session) bool {
	const open = int64(1<<63 - 1)
	end := int64(0)
	for i, s := range sessions {
		if i > 0 && end > s.ConnackAt.Nano+int64(userTakeover) {
			return true
		}
		if !s.Closed.Seen() {
			end = open
		} else {
			end = max(end, s.Closed.Nano)
		}
	}
	return false
}

// overdue reports that a session ended when its client had been silent for its
// keep-alive [MQTT-3.1.2-24]: the broker had a reason of its own to end it.
func overdue(s *decode.Session) bool {
	if s.Connect.KeepAlive == 0 {
		return false
	}
	return s.BrokerClosed.Sub(s.LastFromClient) >= time.Duration(s.Connect.KeepAlive)*time.Second
}

// takeoversToldOnly finds DISCONNECT 0x8E whose other session is not in the
// captures, one group a client ID.
func takeoversToldOnly(b *broker, told map[*decode.Session]bool) [][]takeover {
	byID := map[string][]takeover{}
	var order []string
	for _, s := range b.sessions {
		if s.DisconnectBy != decode.Broker || s.Disconnect.Code != takenOver || told[s] {
			continue
		}
		id := ""
		if s.Connect != nil {
			id = s.Connect.ClientID
		}
		if byID[id] == nil {
			order = append(order, id)
		}
		byID[id] = append(byID[id], takeover{old: s})
	}
	var groups [][]takeover
	for _, id := range order {
		groups = append(groups, byID[id])
	}
	return groups
}

func takeoverFinding(b *broker, group []takeover) Finding {
	var sessions []*decode.Session
	taken := map[*decode.Session]takeover{}
	took := map[*decode.Session]bool{}
	for _, t := range group {
		taken[t.old] = t
		sessions = append(sessions, t.old)
		if t.new != nil {
			took[t.new] = true
			sessions = append(sessions, t.new)
		}
	}
	slices.SortStableFunc(sessions, func(x, y *decode.Session) int {
		return cmp.Or(cmp.Compare(x.Opened.Nano, y.Opened.Nano), cmp.Compare(x.Origin.Capture, y.Origin.Capture), strings.Compare(x.ID(), y.ID()))
	})
	sessions = slices.Compact(sessions)

	var ends, idles, delays, periods []float64
	var packets, back []int
	moved, idsDiffer, tells, unseen := 0, false, false, false
	longest, run := 1, 1
	for i, t := range group {
		packets = append(packets, t.at().Packet)
		tells = tells || t.old.Disconnect != nil && t.old.DisconnectBy == decode.Broker && t.old.Disconnect.Code == takenOver
		idles = append(idles, seconds(t.at().Sub(cmp.Or(t.old.LastFromClient, t.old.ConnackAt))))
		if t.new != nil {
			delays = append(delays, ms(t.at().Sub(t.new.ConnackAt).Abs()))
			idsDiffer = idsDiffer || t.old.Connect.ClientID != t.new.Connect.ClientID
			if t.old.Client.Addr() != t.new.Client.Addr() {
				moved++
			}
		} else {
			unseen = true
		}
		ends = append(ends, seconds(t.at().Sub(group[0].at())))
		if i == 0 {
			continue
		}
		periods = append(periods, ends[i]-ends[i-1])
		// In a loop the session that took over is the next to be taken over.
		if took[t.old] && t.at().Sub(group[i-1].at()) <= loopPeriod {
			run++
			back = append(back, t.at().Packet)
		} else {
			run = 1
		}
		longest = max(longest, run)
	}
	loop := longest >= loopLength || returns(group)
	stale := !loop && !unseen && moved == 0 && !idsDiffer && slices.Min(idles) >= staleSilence.Seconds()

	severity := Warning
	switch {
	case loop:
		severity = Error
	case stale:
		severity = Info
	}
	f := newFinding(ClientIDTakeover, severity, b, sessions, func(s *decode.Session) []int {
		if t, old := taken[s]; old {
			return []int{s.ConnectAt.Packet, t.at().Packet}
		}
		return handshake(s)
	})
	facts := &f.Facts
	facts.Takeovers.Set(len(group), clip(packets)...)
	facts.Alternations.Set(len(back), clip(back)...)
	facts.AddressChanges.Set(moved)
	facts.TakeoverLoop.Set(loop)
	if !unseen {
		facts.StaleReconnect.Set(stale)
	}
	facts.TakeoverTold.Set(tells)
	facts.IDsDiffer.Set(idsDiffer)
	// A capture without time stamps has an order and no durations.
	if timed := group[0].at().Nano != 0; timed {
		facts.IdleBeforeS.Set(slices.Min(idles))
		if len(periods) > 0 {
			facts.TakeoverPeriodS.Set(median(periods))
		}
		if len(delays) > 0 {
			facts.TakeoverDelayMS.Set(median(delays))
		}
	}
	measureReturns(facts, b, group)
	return f
}

// returns reports that an ID went from one address to another and back.
func returns(group []takeover) bool {
	for i := 1; i < len(group); i++ {
		x, y := group[i-1], group[i]
		if x.new != nil && y.new != nil && x.new == y.old &&
			x.old.Client.Addr() != x.new.Client.Addr() && y.new.Client.Addr() == x.old.Client.Addr() {
			return true
		}
	}
	return false
}

// measureReturns counts what the losers of takeovers do next: they come back,
// mostly with the same CONNECT.
func measureReturns(f *Facts, b *broker, group []takeover) {
	var retries, unchanged []int
	var delays []float64
	var span float64
	for _, t := range group {
		n := b.next(t.old)
		if n == nil || n == t.new || n.Connect == nil || t.old.Connect == nil {
			continue
		}
		retries = append(retries, n.ConnectAt.Packet)
		delays = append(delays, seconds(n.Opened.Sub(t.at())))
		span = max(span, seconds(n.Opened.Sub(group[0].at())))
		if n.Connect.Tag == t.old.Connect.Tag {
			unchanged = append(unchanged, n.ConnectAt.Packet)
		}
	}
	f.Retries.Set(len(retries), clip(retries)...)
	f.RetriesUnchanged.Set(len(unchanged), clip(unchanged)...)
	if len(delays) > 0 {
		f.RetrySpanS.Set(span)
		f.RetryIntervalS.Set(median(delays))
	}
}
