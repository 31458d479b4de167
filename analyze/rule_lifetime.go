package analyze

import (
	"time"

	"github.com/mqttriage/mqttriage/decode"
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
func keepAliveTimeouts(b *broker) []Finding {
	taken := b.taken()
	ss := b.where(func(s *decode.Session) bool { return !taken[s] && timedOut(s) })
	found := one(KeepaliveTimeout, Warning, b, ss, func(s *decode.Session) []int {
		return []int{s.LastFromClient.Packet, s.BrokerClosed.Packet}
	})
	for i := range found {
		var silences, factors []float64
		for _, s := range ss {
			silence := s.BrokerClosed.Sub(s.LastFromClient)
			silences = append(silences, seconds(silence))
			factors = append(factors, float64(silence)/float64(keepAlive(s)))
		}
		found[i].Facts.SilenceS.Set(median(silences))
		found[i].Facts.SilenceFactor.Set(float64(int(median(factors)*100)) / 100)
	}
	return found
}

// keepAlive is the one in force: the broker's where it orders one
// [MQTT-3.2.2-21]; 0 means off.
func keepAlive(s *decode.Session) time.Duration {
	if s.Connack != nil && s.Connack.ServerKeepAlive != nil {
		return time.Duration(*s.Connack.ServerKeepAlive) * time.Second
	}
	return time.Duration(s.Connect.KeepAlive) * time.Second
}

func timedOut(s *decode.Session) bool {
	if !accepted(s) || s.Connect == nil || s.ClosedBy != decode.Broker || !s.LastFromClient.Seen() || s.ClientGap {
		return false
	}
	if s.Disconnect != nil && s.DisconnectBy == decode.Broker && s.Disconnect.HasCode {
		return s.Disconnect.Code == keepAliveTimeout
	}
	limit := keepAlive(s)
	silence := s.BrokerClosed.Sub(s.LastFromClient)
	return limit > 0 && silence >= time.Duration(keepAliveFloor*float64(limit)) &&
		silence <= time.Duration(keepAliveCeil*float64(limit))+keepAlivePoll
}

// taken is the broker's sessions that a takeover ended.
func (b *broker) taken() map[*decode.Session]bool {
	if b.takenOver == nil {
		b.takenOver = map[*decode.Session]bool{}
		for _, group := range b.takeoverGroups() {
			for _, t := range group {
				b.takenOver[t.old] = true
			}
		}
	}
	return b.takenOver
}

// flapping finds client IDs whose sessions are accepted and end within seconds,
// again and again, without takeover. A client that says DISCONNECT has done
// what it came for.
func flapping(b *broker) []Finding {
	taken := b.taken()
	var found []Finding
	for _, id := range b.ids {
		var short []*decode.Session
		for _, s := range b.byID[id] {
			if accepted(s) && s.Closed.Seen() && !taken[s] && !timedOut(s) && !s.Rare().SecondConnect.Seen() &&
				s.Closed.Sub(s.ConnackAt) <= flapLength && !s.Has(decode.NoteLateConnack) &&
				(s.Close != decode.CloseDisconnect || s.ClosedBy == decode.Broker) {
				short = append(short, s)
			}
		}
		if len(short) < flapCount {
			continue
		}
		f := newFinding(SessionFlapping, Warning, b, short, func(s *decode.Session) []int {
			return []int{s.ConnackAt.Packet, s.Closed.Packet}
		})
		var lengths []float64
		for _, s := range short {
			lengths = append(lengths, seconds(s.Closed.Sub(s.ConnackAt)))
		}
		f.Facts.SessionLengthS.Set(median(lengths))
		f.Facts.Flaps.Set(len(short))
		same(&f.Facts.FlapsClosedBy, short, func(s *decode.Session) (string, bool) { return s.ClosedBy.String(), true })
		found = append(found, f)
	}
	return found
}
