package analyze

import (
	"cmp"
	"slices"
	"time"

	"github.com/mqttriage/mqttriage/decode"
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
)

// takeover is one session ended by another.
type takeover struct {
	old, new *session // new is nil where only DISCONNECT 0x8E tells
}

// at is when the old session ended.
func (t takeover) at() decode.Event { return t.old.BrokerClosed }

func (t takeover) nano() int64 { return t.old.BrokerClosed.Nano }

// endedByBroker reports a session that may have been taken over: one that was
// accepted and that the broker ended, or whose client it told so.
func endedByBroker(_ *broker, s *session) bool { return s.is(dropped) || toldTaken(s) }

// toldTaken reports that the broker told the client with DISCONNECT 0x8E.
func toldTaken(s *session) bool {
	return s.DisconnectBy == decode.Broker && s.Disconnect.Code == takenOver
}

// takeoverGroups finds all takeovers among the sessions that the broker ended, one
// group a client ID or user name, and marks those that were taken over.
func (b *broker) takeoverGroups(ended []*session) [][]takeover {
	var groups [][]takeover
	add := func(group []takeover, marks traits) {
		if len(group) == 0 {
			return
		}
		groups = append(groups, group)
		for _, t := range group {
			t.old.traits |= marks
		}
	}
	for _, ss := range split(ended, &b.ix.idSet, (*session).id) {
		if id := ss[0].id(); id != 0 {
			add(takeoversIn(b.with(byID, id), takeoverAfter, nil), taken|ousted)
		}
	}
	slices.SortFunc(groups, func(x, y []takeover) int {
		return cmp.Compare(x[0].old.Connect.ClientID, y[0].old.Connect.ClientID)
	})
	for _, ss := range b.sessionsOfUsers(ended) {
		add(takeoversOfUser(ss), taken)
	}
	for _, group := range toldOnly(ended, &b.ix.idSet) {
		add(group, taken)
	}
	return groups
}

// takeoversIn pairs sessions that the broker ended with the session that it
// accepted at that moment. same, where given, asks further of a pair. Every
// session has at most one that ended it; the result is in order of time.
func takeoversIn(sessions []*session, window time.Duration, same func(old, new *session) bool) []takeover {
	ended := 0
	for _, s := range sessions {
		if s.is(dropped) {
			ended++
		}
	}
	if len(sessions) < 2 || ended == 0 {
		return nil
	}
	news := make([]*session, 0, len(sessions))
	for _, s := range sessions {
		if s.is(accepted) && s.ConnectAt.Seen() {
			news = append(news, s)
		}
	}
	sortByTime(news, func(s *session) int64 { return s.ConnackAt.Nano })
	found := make([]takeover, 0, ended)
	for _, old := range sessions {
		if !old.is(dropped) {
			continue
		}
		end := old.BrokerClosed.Nano
		i, _ := slices.BinarySearchFunc(news, end-int64(window), func(s *session, nano int64) int {
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
	sortByTime(found, takeover.nano)
	return found
}

// provoked reports that the broker ended the old session when it had heard of
// the new one: a session that ended before the newcomer's connection was open
// ended for another reason, however soon the client came back.
func provoked(old, new *session) bool {
	heard := either(&new.SynAck, &new.Opened)
	if old.Origin.Same(new.Origin) {
		return old.BrokerClosed.Packet > heard.Packet
	}
	return old.BrokerClosed.Nano >= heard.Nano
}

// sessionsOfUsers returns the accepted sessions of every user name of which the
// broker ended one that no takeover explains yet, in the order in which the users
// first come.
func (b *broker) sessionsOfUsers(ended []*session) [][]*session {
	users := numberUsers()
	hasUser := func(s *session) bool { return s.Connect != nil && s.Connect.UserTag != 0 }
	for _, s := range ended {
		if s.is(dropped) && !s.is(taken) && hasUser(s) {
			users.number(s.Connect.UserTag)
		}
	}
	if users.count() == 1 {
		return nil
	}
	var theirs []*session
	for i := range b.sessions {
		if s := &b.sessions[i]; s.is(accepted) && hasUser(s) && users.known(s.Connect.UserTag) != 0 {
			theirs = append(theirs, s)
		}
	}
	set := newNumberSet(users.count())
	return split(theirs, &set, func(s *session) uint32 { return users.known(s.Connect.UserTag) })
}

// takeoversOfUser finds takeovers between different client IDs under one user
// name: brokers can use the user name as client ID (use_username_as_clientid).
// A close by chance at the same moment looks alike, so other explanations must
// be absent: the old session was in good order and did not just time out, and
// no two sessions of the user stay open side by side.
func takeoversOfUser(ss []*session) []takeover {
	if sideBySide(ss) {
		return nil
	}
	return takeoversIn(ss, userTakeover, func(old, new *session) bool {
		return !old.is(taken) && old.Connect.ClientID != new.Connect.ClientID && !overdue(old) && !old.Rare().SecondConnect.Seen()
	})
}

// sideBySide reports that two of the sessions, which are accepted and in order
// of time, were open at once for longer than a takeover takes.
func sideBySide(sessions []*session) bool {
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
func overdue(s *session) bool {
	if s.Connect.KeepAlive == 0 {
		return false
	}
	return s.BrokerClosed.Sub(s.LastFromClient) >= time.Duration(s.Connect.KeepAlive)*time.Second
}

// toldOnly returns takeovers of which only the broker tells: the other session is
// not in the captures. One group a client ID.
func toldOnly(ended []*session, ids *numberSet) [][]takeover {
	var told []*session
	for _, s := range ended {
		if toldTaken(s) && !s.is(taken) {
			told = append(told, s)
		}
	}
	var groups [][]takeover
	for _, ss := range split(told, ids, (*session).id) {
		group := make([]takeover, 0, len(ss))
		for _, s := range ss {
			group = append(group, takeover{old: s})
		}
		groups = append(groups, group)
	}
	return groups
}
