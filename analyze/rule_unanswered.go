package analyze

import (
	"cmp"
	"slices"
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

// idleProbe separates a broker that turns a client away from one that tires of
// waiting: refusals without CONNACK come within milliseconds, the shortest
// timer for a missing CONNECT among brokers is 5 s (VerneMQ).
const idleProbe = 4 * time.Second

// closedBeforeConnack finds connections that the broker ended without CONNACK,
// before a CONNECT or after it. FIN and RST mean the same here: the kernel
// sends RST when bytes were left unread.
func closedBeforeConnack(b *broker) []Finding {
	var turnedAway, idle []*decode.Session
	for _, s := range b.where(closedUnanswered) {
		if b.plainToTLS(s) {
			continue
		}
		if !s.ConnectAt.Seen() && !s.ConnectBegan.Seen() && s.TLS == nil && s.Closed.Sub(s.SynAck) >= idleProbe {
			idle = append(idle, s)
			continue
		}
		turnedAway = append(turnedAway, s)
	}
	return slices.Concat(
		one(ClosedBeforeConnack, Error, b, turnedAway, ending),
		one(ClosedBeforeConnack, Warning, b, idle, ending),
	)
}

// minSilence is how long nothing must come back before it counts as no answer:
// the shortest connect timeout that a client is seen to use is 3 s, and a
// client that leaves earlier was stopped, not disappointed.
const minSilence = time.Second

// noConnack finds CONNECTs that arrived, by the broker's TCP, and were not
// answered until the client gave up or the capture ended.
func noConnack(b *broker) []Finding {
	return one(NoConnack, Error, b, b.where(func(s *decode.Session) bool {
		if s.Outcome != decode.Unanswered || s.ClosedBy == decode.Broker || !s.ConnectAcked {
			return false
		}
		return cmp.Or(s.Closed, s.CaptureEnd).Sub(s.ConnectAt) >= minSilence
	}), ending)
}

// slowAfter is when a CONNACK counts as slow: connect timeouts that people set
// begin at 3 s, so 2 s leaves one lost packet (RTO 1 s, RFC 6298 §2) of room.
const slowAfter = 2 * time.Second

// slowConnack finds late answers; those that the client no longer waited for
// make it an error.
func slowConnack(b *broker) []Finding {
	ss := b.where(func(s *decode.Session) bool {
		return s.ConnectAt.Seen() && s.ConnackAt.Seen() && s.ConnackAt.Sub(s.ConnectAt) > slowAfter
	})
	severity := Warning
	if slices.ContainsFunc(ss, func(s *decode.Session) bool { return s.Has(decode.NoteLateConnack) }) {
		severity = Error
	}
	return one(SlowConnack, severity, b, ss, handshake)
}
