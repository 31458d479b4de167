package analyze

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/mqttriage/mqttriage/decode"
)

// endpoints are the brokers by endpoint.
type endpoints struct {
	brokers map[netip.AddrPort]*broker
	// last is the one asked for last: mostly it is the next one too.
	last *broker
}

// endpoints finds which endpoints are brokers'.
func (a *Analyzer) endpoints() *endpoints {
	known := &endpoints{brokers: map[netip.AddrPort]*broker{}}
	for _, s := range a.sessions {
		if !s.MQTT && !decode.IsBrokerPort(s.Broker.Port(), a.opts.Ports) && !a.known[s.Broker] && !saysMQTT(s) {
			continue
		}
		b := known.of(s)
		if b == nil {
			b = &broker{endpoint: s.Broker, number: uint32(len(known.brokers))}
			known.brokers[s.Broker] = b
		}
		b.plain = b.plain || s.BrokerFirst == decode.FirstMQTT && s.Transport == decode.TCP
		b.tls = b.tls || s.BrokerFirst == decode.FirstTLS && s.First == decode.FirstTLS
	}
	return known
}

// of returns a session's broker, nil where its endpoint is none.
func (e *endpoints) of(s *decode.Session) *broker {
	if e.last == nil || e.last.endpoint != s.Broker {
		b := e.brokers[s.Broker]
		if b == nil {
			return nil
		}
		e.last = b
	}
	return e.last
}

// saysMQTT reports that a TLS client asks for MQTT by ALPN, or for a host that
// is a known broker's or is called after MQTT; or that an HTTP client asks for
// MQTT in a WebSocket.
func saysMQTT(s *decode.Session) bool {
	if s.HTTP != nil && s.HTTP.Upgrade && s.HTTP.Subprotocol {
		return true
	}
	if s.TLS == nil {
		return false
	}
	says := func(p string) bool { return strings.Contains(strings.ToLower(p), "mqtt") }
	return slices.ContainsFunc(s.TLS.ALPN, says) || says(s.TLS.SNI) || vendorOfHost(s.TLS.SNI) != ""
}
