package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// connackBuckets are limits in seconds: a broker nearby answers within a
// millisecond, one beyond a satellite within two seconds, which is where an answer
// is found to be slow; and clients give up within thirty.
var connackBuckets = []float64{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30}

// connackCodes are the codes that a CONNACK may carry: those of MQTT 3.1 and 3.1.1
// (3.1.1 section 3.2.2.3) and of 5 (section 3.2.2.2). Brokers send either in the shape of
// the other; any other code was made up.
const connackCodes = "\x00\x01\x02\x03\x04\x05" +
	"\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8c\x90\x95\x97\x99\x9a\x9b\x9c\x9d\x9f"

// codeWords has the label for each code.
var codeWords = func() (words [256]string) {
	for i := range words {
		words[i] = other
	}
	for _, code := range []byte(connackCodes) {
		words[code] = mqtt.FormatCode(code)
	}
	return words
}()

func newSessions() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: namespace + "sessions_total", Help: "MQTT sessions by how the handshake ended: outcome, CONNACK code, MQTT version, transport.",
	}, []string{"outcome", "code", "version", "transport"})
}

func newConnack() prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: namespace + "connack_seconds", Help: "Time from CONNECT to CONNACK, of accepted and rejected sessions.",
		Buckets: connackBuckets,
	})
}

// Session counts a session whose outcome is final, or whose connection has ended:
// once, and only one that counts as an MQTT session.
func (m *Metrics) Session(s *decode.Session) {
	answered := (s.Outcome == decode.Accepted || s.Outcome == decode.Rejected) && s.Connack != nil
	code := "none"
	if answered {
		code = codeWords[s.Connack.Code]
	}
	m.sessions.WithLabelValues(outcomeWord(s.Outcome), code, versionWord(s), transportWord(s.Transport)).Inc()
	if !answered || !s.ConnectAt.Seen() || !s.ConnackAt.Seen() {
		return
	}
	// A clock that was set back between them tells nothing.
	if d := s.ConnackAt.Sub(s.ConnectAt); d >= 0 {
		m.connack.Observe(d.Seconds())
	}
}

func outcomeWord(o decode.Outcome) string {
	if o > decode.NotMQTT {
		return other
	}
	return o.String()
}

func transportWord(t decode.Transport) string {
	if t > decode.WSS {
		return other
	}
	return t.String()
}

// versionWord is the version of the CONNECT, or where none was seen of the shape that
// the CONNACK has.
func versionWord(s *decode.Session) string {
	v := mqtt.VersionUnknown
	switch {
	case s.Connect != nil:
		v = s.Connect.Version
	case s.Connack != nil:
		v = s.Connack.Version
	}
	if word := v.String(); word != "" {
		return word
	}
	return "unknown"
}
