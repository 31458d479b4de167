package analyze

import (
	"slices"

	"github.com/mqttriage/mqttriage/decode"
)

// connectionRefused finds SYNs answered by RST: nothing listens there, or a
// firewall says so.
func connectionRefused(b *broker) []Finding {
	f := one(ConnectionRefused, Error, b, b.where(func(s *decode.Session) bool { return s.Rare().Refusal.Seen() }),
		func(s *decode.Session) []int { return []int{s.Syn.Packet, s.Rare().Refusal.Packet} })
	return withSyns(f, b, func(s *decode.Session) bool { return s.Rare().Refusal.Seen() })
}

// connectionTimeout finds SYNs that nothing answered.
func connectionTimeout(b *broker) []Finding {
	silent := func(s *decode.Session) bool {
		return s.Outcome == decode.Refused && !s.Rare().Refusal.Seen()
	}
	f := one(ConnectionTimeout, Error, b, b.where(silent),
		func(s *decode.Session) []int { return append([]int{s.Syn.Packet}, s.Rare().SynRetries...) })
	return withSyns(f, b, silent)
}

func withSyns(found []Finding, b *broker, ask func(*decode.Session) bool) []Finding {
	for i := range found {
		syns := 0
		for _, s := range b.where(ask) {
			syns += int(s.SynCount)
		}
		found[i].Facts.SynAttempts.Set(syns)
	}
	return found
}

// tlsToPlainPort finds TLS handshakes offered to a port where MQTT is spoken
// without TLS: one where plain MQTT was seen, or 1883.
func tlsToPlainPort(b *broker) []Finding {
	if !b.plain && b.endpoint.Port() != 1883 {
		return nil
	}
	return one(TLSToPlainPort, Error, b, b.where(func(s *decode.Session) bool {
		return s.First == decode.FirstTLS && s.BrokerFirst != decode.FirstTLS && s.ClosedBy == decode.Broker && !s.BrokerGap
	}), spokenTo)
}

// webPort reports that WebSockets may be expected at the endpoint: it is not
// known to speak MQTT itself.
func (b *broker) webPort() bool {
	return !b.plain && !decode.IsBrokerPort(b.endpoint.Port(), nil)
}

// httpOnMQTTPort finds HTTP requests to a broker that does not answer in HTTP.
// A WebSocket upgrade that goes unanswered counts here at MQTT's own ports: the
// packets do not tell a plain listener from one that wants a subprotocol.
func httpOnMQTTPort(b *broker) []Finding {
	return one(HTTPOnMQTTPort, Error, b, b.where(func(s *decode.Session) bool {
		return s.First == decode.FirstHTTP && s.BrokerFirst != decode.FirstHTTP && (!b.webPort() || s.HTTP == nil || !s.HTTP.Upgrade)
	}), spokenTo)
}

// spokenTo is the evidence for a wrong protocol: the first bytes, as far as
// they are known to a packet, and the end.
func spokenTo(s *decode.Session) []int {
	return slices.Concat([]int{s.FirstFromClient.Packet}, ending(s))
}
