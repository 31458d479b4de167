package analyze

import (
	"slices"

	"github.com/mqttriage/mqttriage/decode"
)

// malformedConnects finds CONNECTs that break the standard, a second CONNECT
// on a connection [MQTT-3.1.0-2], and CONNECTs that were begun and never
// finished. A broker that let it pass is laxer than the next one may be: that
// is a warning only.
func malformedConnects(b *broker) []Finding {
	var order []string
	byProblem := map[string][]*decode.Session{}
	for _, s := range b.sessions {
		id := connectProblem(s)
		if id == "" {
			continue
		}
		if byProblem[id] == nil {
			order = append(order, id)
		}
		byProblem[id] = append(byProblem[id], s)
	}
	var found []Finding
	for _, id := range order {
		ss := byProblem[id]
		severity := Error
		refused := func(s *decode.Session) bool { return !accepted(s) || s.ClosedBy == decode.Broker }
		if id == problemIncomplete || !slices.ContainsFunc(ss, refused) {
			severity = Warning
		}
		f := newFinding(MalformedConnect, severity, b, ss, func(s *decode.Session) []int {
			return []int{s.ConnectAt.Packet, s.Rare().SecondConnect.Packet, s.ConnackAt.Packet, s.Closed.Packet}
		})
		f.Facts.Malformed.Set(true)
		switch id {
		case problemSecond:
			f.Facts.ConnectProblem.Set(id, ss[0].Rare().SecondConnect.Packet)
			f.Facts.ConnectClause.Set("MQTT-3.1.0-2", ss[0].Rare().SecondConnect.Packet)
		case problemIncomplete:
			f.Facts.ConnectProblem.Set(id, ss[0].ConnectBegan.Packet)
		}
		found = append(found, f)
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
func connectProblem(s *decode.Session) string {
	if s.Rare().ConnectWant > 0 {
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
	if s.Rare().SecondConnect.Seen() && s.Outcome != decode.Rejected && (!s.Closed.Seen() || s.Rare().SecondConnect.Packet < s.Closed.Packet) {
		return problemSecond
	}
	return ""
}
