package analyze

import (
	"slices"

	"github.com/mqttriage/mqttriage/decode"
)

// malformed reports a CONNECT that breaks the standard, a second CONNECT on a
// connection [MQTT-3.1.0-2], or one that was begun and never finished.
func malformed(_ *broker, s *session) bool { return connectProblem(s) != "" }

// malformedConnects makes one finding a problem. A broker that let it pass is
// laxer than the next one may be: that is a warning only.
func malformedConnects(_ *broker, ss []*session) []draft {
	var order []string
	byProblem := map[string][]*session{}
	for _, s := range ss {
		id := connectProblem(s)
		if byProblem[id] == nil {
			order = append(order, id)
		}
		byProblem[id] = append(byProblem[id], s)
	}
	var found []draft
	for _, id := range order {
		found = append(found, malformedConnect(id, byProblem[id])...)
	}
	return found
}

func malformedConnect(id string, ss []*session) []draft {
	severity := Error
	refused := func(s *session) bool { return !s.is(accepted) || s.ClosedBy == decode.Broker }
	if id == problemIncomplete || !slices.ContainsFunc(ss, refused) {
		severity = Warning
	}
	found := one(severity, ss, func(s *session) []int {
		return []int{s.ConnectAt.Packet, s.Rare().SecondConnect.Packet, s.ConnackAt.Packet, s.Closed.Packet}
	})
	found[0].more = func(f *Finding) {
		f.Facts.Malformed.Set(true)
		switch id {
		case problemSecond:
			f.Facts.ConnectProblem.Set(id, ss[0].Rare().SecondConnect.Packet)
			f.Facts.ConnectClause.Set("MQTT-3.1.0-2", ss[0].Rare().SecondConnect.Packet)
		case problemIncomplete:
			f.Facts.ConnectProblem.Set(id, ss[0].ConnectBegan.Packet)
		}
	}
	return found
}

// Problems of a connection rather than of one packet.
const (
	problemSecond     = "second-connect"
	problemIncomplete = "incomplete"
)

// connectProblem names the first way in which a session's CONNECT breaks the
// standard; "" when it does not.
func connectProblem(s *session) string {
	rare := s.Rare()
	if rare.ConnectWant > 0 {
		// Bytes that the capture lost are not missing from the CONNECT, nor are
		// those that the broker did not wait for.
		if s.ClientGap || s.ClosedBy != decode.Client {
			return ""
		}
		return problemIncomplete
	}
	if s.Connect == nil {
		return ""
	}
	if p, bad := s.Connect.Malformed(); bad {
		return p.ID
	}
	// After a refusal the broker no longer listens [MQTT-3.1.4-5].
	if rare.SecondConnect.Seen() && s.Outcome != decode.Rejected && (!s.Closed.Seen() || rare.SecondConnect.Packet < s.Closed.Packet) {
		return problemSecond
	}
	return ""
}
