package analyze

import (
	"slices"
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

const (
	// The broker must end a session whose client was silent for one and a half
	// keep-alives [MQTT-3.1.2-24]. Brokers differ: NanoMQ can be set to 1.25
	// times, and Mosquitto looks only every 5 s.
	keepAliveFloor = 1.2
	keepAliveCeil  = 1.5
	keepAlivePoll  = 6 * time.Second
	// keepAliveTimeout is DISCONNECT's "keep alive timeout".
	keepAliveTimeout = 0x8D

	// flapLength is how long a session may last to count as one that came to
	// nothing, flapCount how many of them make a pattern.
	flapLength = 10 * time.Second
	flapCount  = 4
)

// keepAliveTimeouts finds sessions that the broker ended because their client
// had been silent for too long.
func keepAliveTimeouts(_ *broker, ss []*session) []draft {
	ss = slices.DeleteFunc(ss, func(s *session) bool { return s.is(taken) })
	found := one(Warning, ss, func(s *session) []int {
		return []int{s.LastFromClient.Packet, s.BrokerClosed.Packet}
	})
	for i := range found {
		found[i].more = func(f *Finding) { measureSilence(&f.Facts, ss) }
	}
	return found
}

func measureSilence(f *Facts, ss []*session) {
	var silences, factors []float64
	for _, s := range ss {
		silence := s.BrokerClosed.Sub(s.LastFromClient)
		silences = append(silences, seconds(silence))
		factors = append(factors, float64(silence)/float64(keepAlive(s)))
	}
	f.SilenceS.Set(median(silences))
	f.SilenceFactor.Set(float64(int(median(factors)*100)) / 100)
}

// keepAlive is the one in force: the broker's where it orders one
// [MQTT-3.2.2-21]; 0 means off.
func keepAlive(s *session) time.Duration {
	if s.Connack != nil && s.Connack.ServerKeepAlive != nil {
		return time.Duration(*s.Connack.ServerKeepAlive) * time.Second
	}
	return time.Duration(s.Connect.KeepAlive) * time.Second
}

// timedOut reports that the broker ended a session because its keep-alive had run
// out, for all that the session itself shows.
func timedOut(_ *broker, s *session) bool {
	if !s.is(dropped) || s.Connect == nil || !s.LastFromClient.Seen() || s.ClientGap {
		return false
	}
	if s.Disconnect != nil && s.DisconnectBy == decode.Broker && s.Disconnect.HasCode {
		return s.Disconnect.Code == keepAliveTimeout
	}
	if s.BrokerGap && s.Disconnect == nil && s.Connect.Version == mqtt.V5 {
		return false // it may have said why ([MQTT-3.14.2.1])
	}
	limit := keepAlive(s)
	silence := s.BrokerClosed.Sub(s.LastFromClient)
	return limit > 0 && silence >= time.Duration(keepAliveFloor*float64(limit)) &&
		silence <= time.Duration(keepAliveCeil*float64(limit))+keepAlivePoll
}

// brief reports a session that was accepted and ended within seconds. A client
// that says DISCONNECT has done what it came for; behind a hole, or where a snap length cut a
// packet, it may have said so.
func brief(b *broker, s *session) bool {
	return s.is(accepted) && hasID(s.Session) && s.Closed.Seen() && s.Closed.Sub(s.ConnackAt) <= flapLength &&
		(s.Close != decode.CloseDisconnect || s.ClosedBy == decode.Broker) && (!s.ClientGap && !s.Has(decode.NoteDesync) || s.DisconnectBy == decode.Broker) &&
		!s.Has(decode.NoteLateConnack) && !s.Rare().SecondConnect.Seen() && !timedOut(b, s)
}

// flapping finds client IDs whose sessions are brief again and again, without
// takeover.
func flapping(b *broker, ss []*session) []draft {
	ss = slices.DeleteFunc(ss, func(s *session) bool { return s.is(taken) })
	groups := split(ss, &b.ix.idSet, (*session).id)
	groups = slices.DeleteFunc(groups, func(short []*session) bool { return len(short) < flapCount })
	sortByID(groups)
	var found []draft
	for _, short := range groups {
		found = append(found, draft{
			severity: Warning, sessions: short,
			packets: func(s *session) []int { return []int{s.ConnackAt.Packet, s.Closed.Packet} },
			more:    func(f *Finding) { measureFlaps(&f.Facts, short) },
		})
	}
	return found
}

func measureFlaps(f *Facts, short []*session) {
	var lengths []float64
	var closedBy agreed[decode.Side]
	for _, s := range short {
		lengths = append(lengths, seconds(s.Closed.Sub(s.ConnackAt)))
		closedBy.add(s.ClosedBy)
	}
	f.SessionLengthS.Set(median(lengths))
	f.Flaps.Set(len(short))
	if by, ok := closedBy.get(); ok {
		f.FlapsClosedBy.Set(by.String())
	}
}

// sortByID orders groups of one client ID each by that.
func sortByID(groups [][]*session) {
	slices.SortFunc(groups, func(x, y []*session) int {
		return strings.Compare(x[0].Connect.ClientID, y[0].Connect.ClientID)
	})
}
