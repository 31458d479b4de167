package analyze

import (
	"slices"
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

// idleProbe separates a broker that turns a client away from one that tires of
// waiting: refusals without CONNACK come within milliseconds, the shortest
// timer for a missing CONNECT among brokers is 5 s (VerneMQ).
const idleProbe = 4 * time.Second

// turnedAway reports a connection that the broker ended without CONNACK, before a
// CONNECT or after it. FIN and RST mean the same here: the kernel sends RST when
// bytes were left unread.
func turnedAway(b *broker, s *session) bool {
	return closedUnanswered(s.Session) && !plainToTLS(b, s) && !upgradeFailed(b, s)
}

func closedBeforeConnack(_ *broker, ss []*session) []draft {
	turnedAway, idle := ss[:0], []*session(nil)
	for _, s := range ss {
		if !s.ConnectAt.Seen() && !s.ConnectBegan.Seen() && !s.ClientGap && (s.TLS == nil || s.TLS.Decrypted) && s.Closed.Sub(s.SynAck) >= idleProbe {
			idle = append(idle, s)
			continue
		}
		turnedAway = append(turnedAway, s)
	}
	return slices.Concat(one(Error, turnedAway, ending), one(Warning, idle, ending))
}

// minSilence is how long nothing must come back before it counts as no answer:
// the shortest connect timeout that a client is seen to use is 3 s, and a
// client that leaves earlier was stopped, not disappointed.
const minSilence = time.Second

// unanswered reports a CONNECT that arrived, by the broker's TCP, and was not
// answered until the client gave up or the capture ended.
func unanswered(b *broker, s *session) bool {
	if s.Outcome != decode.Unanswered || upgradeFailed(b, s) || s.ClosedBy == decode.Broker || !s.ConnectAcked {
		return false
	}
	return either(&s.Closed, &s.CaptureEnd).Sub(s.ConnectAt) >= minSilence
}

// slowAfter is when a CONNACK counts as slow: connect timeouts that people set
// begin at 3 s, so 2 s leaves one lost packet (RTO 1 s, RFC 6298 §2) of room.
const slowAfter = 2 * time.Second

// answeredLate reports a late answer.
func answeredLate(_ *broker, s *session) bool {
	return s.ConnectAt.Seen() && s.ConnackAt.Seen() && s.ConnackAt.Sub(s.ConnectAt) > slowAfter
}

// slowConnack finds late answers; those that the client no longer waited for
// make it an error.
func slowConnack(_ *broker, ss []*session) []draft {
	severity := Warning
	if slices.ContainsFunc(ss, func(s *session) bool { return s.Has(decode.NoteLateConnack) }) {
		severity = Error
	}
	return one(severity, ss, handshake)
}
