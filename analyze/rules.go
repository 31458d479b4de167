package analyze

import (
	"slices"

	"github.com/mqttriage/mqttriage/decode"
)

// The symptoms. The ids are part of the contract with readers and programs.
const (
	ClientIDTakeover    = "client-id-takeover"
	ClientIDShared      = "client-id-shared"
	ClientIDChurn       = "client-id-churn"
	IdentifierRejected  = "identifier-rejected"
	ServerUnavailable   = "server-unavailable"
	BadCredentials      = "bad-credentials"
	NotAuthorized       = "not-authorized"
	VersionRefused      = "version-refused"
	ConnackOther        = "connack-other"
	ServerRedirect      = "server-redirect"
	ClosedBeforeConnack = "closed-before-connack"
	NoConnack           = "no-connack"
	SlowConnack         = "slow-connack"
	ConnectionRefused   = "connection-refused"
	ConnectionTimeout   = "connection-timeout"
	RetryStorm          = "retry-storm"
	HTTPOnMQTTPort      = "http-on-mqtt-port"
	TLSToPlainPort      = "tls-to-plain-port"
	MalformedConnect    = "malformed-connect"
	PlainToTLSPort      = "plain-to-tls-port"
	TLSAlert            = "tls-alert"
	WSUpgradeFailed     = "ws-upgrade-failed"
	KeepaliveTimeout    = "keepalive-timeout"
	SessionFlapping     = "session-flapping"
)

// A rule finds one symptom in the sessions of one broker. It fires on evidence
// in the packets and never reads silence as proof.
type rule struct {
	symptom string
	find    func(*broker) []Finding
}

// rules are in the order in which findings of one severity are worth reading:
// what explains others comes before what follows from it.
var rules = []rule{
	{ClientIDTakeover, takeovers},
	{ClientIDShared, sharedIDs},
	{ConnectionRefused, connectionRefused},
	{ConnectionTimeout, connectionTimeout},
	{TLSToPlainPort, tlsToPlainPort},
	{PlainToTLSPort, plainToTLSPort},
	{TLSAlert, tlsAlerts},
	{HTTPOnMQTTPort, httpOnMQTTPort},
	{WSUpgradeFailed, upgradesFailed},
	{MalformedConnect, malformedConnects},
	{VersionRefused, rejections(VersionRefused, []byte{0x01}, []byte{0x84, 0x01})},
	{IdentifierRejected, rejectedIDs},
	{BadCredentials, rejections(BadCredentials, []byte{0x04}, []byte{0x86, 0x8C})},
	{NotAuthorized, rejections(NotAuthorized, []byte{0x05}, []byte{0x87, 0x8A})},
	{ServerUnavailable, rejections(ServerUnavailable, []byte{0x03}, []byte{0x88, 0x89, 0x97, 0x9F})},
	{ServerRedirect, redirects},
	{ConnackOther, otherRejections},
	{ClosedBeforeConnack, closedBeforeConnack},
	{NoConnack, noConnack},
	{SlowConnack, slowConnack},
	{KeepaliveTimeout, keepAliveTimeouts},
	{SessionFlapping, flapping},
	{ClientIDChurn, churn},
	{RetryStorm, retryStorm},
}

// Symptoms returns the ids of all symptoms that the rules find, in their order.
func Symptoms() []string {
	var ids []string
	for _, r := range rules {
		ids = append(ids, r.symptom)
	}
	return ids
}

func rank(symptom string) int {
	return slices.IndexFunc(rules, func(r rule) bool { return r.symptom == symptom })
}

// where returns the broker's sessions that a rule asks for.
func (b *broker) where(ask func(*decode.Session) bool) []*decode.Session {
	var found []*decode.Session
	for _, s := range b.sessions {
		if ask(s) {
			found = append(found, s)
		}
	}
	return found
}

// one wraps the finding over some sessions, if there are any.
func one(symptom string, severity Severity, b *broker, ss []*decode.Session, packets func(*decode.Session) []int) []Finding {
	if len(ss) == 0 {
		return nil
	}
	return []Finding{newFinding(symptom, severity, b, ss, packets)}
}

// handshake is the usual evidence: the CONNECT and what answered it.
func handshake(s *decode.Session) []int {
	return []int{s.ConnectAt.Packet, s.ConnackAt.Packet}
}

// ending is the evidence where no answer came: the CONNECT, or the TCP
// handshake without one, and the end.
func ending(s *decode.Session) []int {
	if !s.ConnectAt.Seen() {
		return []int{s.SynAck.Packet, s.ConnectBegan.Packet, s.Closed.Packet}
	}
	return []int{s.ConnectAt.Packet, s.Closed.Packet}
}
