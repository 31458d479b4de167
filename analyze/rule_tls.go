package analyze

import (
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

// alerted reports a TLS handshake that ended in an alert.
func alerted(_ *broker, s *session) bool {
	return s.TLS != nil && s.TLS.Alert != "" && s.Outcome == decode.TLSFailed
}

// tlsAlerts finds them, one finding an alert and sender: an unknown CA and a
// missing client certificate have nothing in common.
func tlsAlerts(_ *broker, ss []*session) []draft {
	type alert struct {
		name string
		by   decode.Side
	}
	var order []alert
	groups := map[alert][]*session{}
	for _, s := range ss {
		a := alert{s.TLS.Alert, s.TLS.AlertBy}
		if groups[a] == nil {
			order = append(order, a)
		}
		groups[a] = append(groups[a], s)
	}
	var found []draft
	for _, a := range order {
		found = append(found, one(Error, groups[a], func(s *session) []int {
			return []int{s.FirstFromClient.Packet, s.TLS.AlertAt.Packet, s.Closed.Packet}
		})...)
	}
	return found
}

// promptly is how soon a broker closes that has nothing more to say: those measured
// take less than a millisecond, and a client's next packet takes longer.
const promptly = time.Second

// answeredAndClosed reports a connection behind TLS of which nothing is known but
// this: the client sent one record, the broker answered with one that is no larger than a
// CONNACK, and closed at once. A CONNACK with an error looks so; so would a session that is
// taken over in the same second.
func answeredAndClosed(_ *broker, s *session) bool {
	t := s.TLS
	return t != nil && !t.Decrypted && t.Alert == "" && t.DataRecords == 1 && t.AnswerRecords == 1 &&
		s.ClosedBy == decode.Broker && s.Closed.Sub(t.FirstData) <= promptly &&
		// A client that is let in may say DISCONNECT, which is as long as an alert.
		(s.LastFromClient == t.FirstData || !s.LastFromClient.Before(s.BrokerClosed)) &&
		!s.ClientGap && !s.BrokerGap && !s.Has(decode.NoteDesync)
}

// plainToTLS reports a CONNECT in clear to a TLS port: one where TLS was
// answered, or 8883 unless MQTT in clear was answered there. Not every broker
// says so with an alert; many just close.
func plainToTLS(b *broker, s *session) bool {
	if s.First != decode.FirstMQTT || s.Connack != nil || s.Transport != decode.TCP || !s.BrokerClosed.Seen() {
		return false
	}
	return s.BrokerFirst == decode.FirstTLS ||
		s.BrokerFirst == decode.FirstNothing && !b.plain && (b.tls || b.endpoint.Port() == 8883)
}

// upgradeFailed reports a WebSocket upgrade that was refused, ignored, or
// answered without the subprotocol mqtt [MQTT-6.0.0-3], unless MQTT went on all
// the same.
func upgradeFailed(b *broker, s *session) bool {
	if s.HTTP == nil || !s.HTTP.Upgrade {
		return false
	}
	switch s.HTTP.Status {
	case 0:
		return b.webPort() && s.BrokerClosed.Seen() && !s.BrokerGap && s.BrokerInner == decode.FirstNothing
	case 101:
		// There are brokers that never name the subprotocol, and go on.
		return !s.HTTP.Accepted && s.Connack == nil && !s.BrokerGap && s.BrokerInner != decode.FirstMQTT &&
			(s.Closed.Seen() || s.CaptureEnd.Sub(s.LastFromClient) >= minSilence)
	}
	return true
}
