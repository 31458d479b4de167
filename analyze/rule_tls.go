package analyze

import (
	"slices"

	"github.com/mqttriage/mqttriage/decode"
)

// tlsAlerts finds TLS handshakes that end in an alert, one finding an alert
// and sender: an unknown CA and a missing client certificate have nothing in
// common.
func tlsAlerts(b *broker) []Finding {
	type kind struct {
		alert string
		by    decode.Side
	}
	var order []kind
	groups := map[kind][]*decode.Session{}
	for _, s := range b.sessions {
		if s.TLS == nil || s.TLS.Alert == "" || s.Outcome != decode.TLSFailed {
			continue
		}
		k := kind{s.TLS.Alert, s.TLS.AlertBy}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], s)
	}
	var found []Finding
	for _, k := range order {
		found = append(found, newFinding(TLSAlert, Error, b, groups[k], func(s *decode.Session) []int {
			return []int{s.FirstFromClient.Packet, s.TLS.AlertAt.Packet, s.Closed.Packet}
		}))
	}
	return found
}

// plainToTLSPort finds MQTT in clear sent to a port that speaks TLS. Not every
// broker says so with an alert; many just close.
func plainToTLSPort(b *broker) []Finding {
	return one(PlainToTLSPort, Error, b, b.where(b.plainToTLS), ending)
}

// plainToTLS reports a CONNECT in clear to a TLS port: one where TLS was
// answered, or 8883 unless MQTT in clear was answered there.
func (b *broker) plainToTLS(s *decode.Session) bool {
	if s.First != decode.FirstMQTT || s.Connack != nil || s.Transport != decode.TCP || !s.BrokerClosed.Seen() {
		return false
	}
	return s.BrokerFirst == decode.FirstTLS ||
		s.BrokerFirst == decode.FirstNothing && !b.plain && (b.tls || b.endpoint.Port() == 8883)
}

// upgradesFailed finds WebSocket upgrades that were refused, ignored, or
// answered without the subprotocol mqtt [MQTT-6.0.0-3].
func upgradesFailed(b *broker) []Finding {
	return one(WSUpgradeFailed, Error, b, b.where(func(s *decode.Session) bool {
		if s.HTTP == nil || !s.HTTP.Upgrade {
			return false
		}
		switch s.HTTP.Status {
		case 0:
			return b.webPort() && s.BrokerClosed.Seen() && !s.BrokerGap && s.BrokerFirst == decode.FirstNothing
		case 101:
			return !s.HTTP.Accepted && s.BrokerFirst == decode.FirstHTTP
		}
		return true
	}), spokenTo)
}

func measureTLS(f *Facts, ss []*decode.Session) {
	encrypted := slices.ContainsFunc(ss, func(s *decode.Session) bool { return s.TLS != nil })
	if encrypted {
		same(&f.Encrypted, ss, func(s *decode.Session) (bool, bool) { return s.TLS != nil && !s.TLS.Decrypted, true })
		ofTLS := func(ask func(*decode.TLS) string) func(*decode.Session) (string, bool) {
			return func(s *decode.Session) (string, bool) {
				if s.TLS == nil {
					return "", false
				}
				return ask(s.TLS), true
			}
		}
		same(&f.SNI, ss, ofTLS(func(t *decode.TLS) string { return t.SNI }))
		same(&f.ALPN, ss, ofTLS(func(t *decode.TLS) string {
			if len(t.ALPN) == 0 {
				return ""
			}
			return t.ALPN[0]
		}))
		known := func(ask func(*decode.TLS) string) func(*decode.Session) (string, bool) {
			return func(s *decode.Session) (string, bool) {
				v, ok := ofTLS(ask)(s)
				return v, ok && v != ""
			}
		}
		same(&f.TLSVersion, ss, known(func(t *decode.TLS) string { return t.Version }))
		same(&f.TLSAlert, ss, known(func(t *decode.TLS) string { return t.Alert }))
		same(&f.TLSAlertBy, ss, known(func(t *decode.TLS) string { return t.AlertBy.String() }))
	} else {
		f.Encrypted.Set(false)
	}
	for _, s := range ss {
		if s.HTTP == nil {
			continue
		}
		f.WSUpgrade.Set(s.HTTP.Upgrade, s.FirstFromClient.Packet)
		f.WSProtocol.Set(s.HTTP.Subprotocol, s.FirstFromClient.Packet)
		first(&f.HTTPPath, s.HTTP.Path, s.FirstFromClient)
		if s.HTTP.Status != 0 {
			f.HTTPStatus.Set(s.HTTP.Status, s.LastFromBroker.Packet)
		}
	}
}
