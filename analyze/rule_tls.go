package analyze

import "github.com/mqttriage/mqttriage/decode"

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
		return !s.HTTP.Accepted && s.Connack == nil
	}
	return true
}
