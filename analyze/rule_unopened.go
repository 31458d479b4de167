package analyze

import (
	"slices"

	"github.com/mqttriage/mqttriage/decode"
)

// refusedByTCP reports a SYN answered by RST: nothing listens there, or a
// firewall says so.
func refusedByTCP(_ *broker, s *session) bool { return s.Rare().Refusal.Seen() }

func connectionRefused(_ *broker, ss []*session) []draft {
	return withSyns(ss, func(s *session) []int { return []int{s.Syn.Packet, s.Rare().Refusal.Packet} })
}

// unansweredByTCP reports a SYN that nothing answered.
func unansweredByTCP(_ *broker, s *session) bool {
	return s.Outcome == decode.Refused && !s.Rare().Refusal.Seen()
}

func connectionTimeout(_ *broker, ss []*session) []draft {
	return withSyns(ss, func(s *session) []int { return append([]int{s.Syn.Packet}, s.Rare().SynRetries...) })
}

// withSyns makes a draft that counts the SYNs.
func withSyns(ss []*session, packets func(*session) []int) []draft {
	found := one(Error, ss, packets)
	for i := range found {
		found[i].more = func(f *Finding) {
			syns := 0
			for _, s := range ss {
				syns += int(s.SynCount)
			}
			f.Facts.SynAttempts.Set(syns)
		}
	}
	return found
}

// tlsToPlain reports a TLS handshake offered to a port where MQTT is spoken
// without TLS: one where plain MQTT was seen, or 1883.
func tlsToPlain(b *broker, s *session) bool {
	return s.First == decode.FirstTLS && s.BrokerFirst != decode.FirstTLS && s.ClosedBy == decode.Broker && !s.BrokerGap &&
		(b.plain || b.endpoint.Port() == 1883)
}

// webPort reports that WebSockets may be expected at the endpoint: it is not
// known to speak MQTT itself.
func (b *broker) webPort() bool {
	return !b.plain && !decode.IsBrokerPort(b.endpoint.Port(), nil)
}

// httpToMQTT reports an HTTP request to a broker that does not answer in HTTP.
// A WebSocket upgrade that goes unanswered counts here at MQTT's own ports: the
// packets do not tell a plain listener from one that wants a subprotocol.
func httpToMQTT(b *broker, s *session) bool {
	return s.Inner == decode.FirstHTTP && s.BrokerInner != decode.FirstHTTP && (!b.webPort() || s.HTTP == nil || !s.HTTP.Upgrade)
}

// spokenTo is the evidence for a wrong protocol: the first bytes, as far as
// they are known to a packet, and the end.
func spokenTo(s *session) []int {
	return slices.Concat([]int{s.FirstFromClient.Packet}, ending(s))
}
