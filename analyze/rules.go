package analyze

import "math/bits"

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
	ClosedInsideTLS     = "closed-inside-tls"
	WSUpgradeFailed     = "ws-upgrade-failed"
	KeepaliveTimeout    = "keepalive-timeout"
	SessionFlapping     = "session-flapping"
)

// A rule finds one symptom in the sessions of one broker. It fires on evidence
// in the packets and never reads silence as proof.
type rule struct {
	symptom string
	// shows reports that a session shows the symptom, or may: it is asked of
	// every session once. It is nil where only sessions together show it.
	shows func(*broker, *session) bool
	// find makes drafts of the sessions that show it, which are in order of
	// time. The list is its own. Without any it is not asked, unless shows is
	// nil.
	find func(*broker, []*session) []draft
}

// rules are in the order in which findings of one severity are worth reading:
// what explains others comes before what follows from it. So they run in this
// order too.
var rules = []rule{
	{ClientIDTakeover, endedByBroker, takeovers},
	{ClientIDShared, nil, sharedIDs},
	{ConnectionRefused, refusedByTCP, connectionRefused},
	{ConnectionTimeout, unansweredByTCP, connectionTimeout},
	{TLSToPlainPort, tlsToPlain, all(Error, spokenTo)},
	{PlainToTLSPort, plainToTLS, all(Error, ending)},
	{TLSAlert, alerted, tlsAlerts},
	{ClosedInsideTLS, answeredAndClosed, all(Warning, ending)},
	{HTTPOnMQTTPort, httpToMQTT, all(Error, spokenTo)},
	{WSUpgradeFailed, upgradeFailed, all(Error, spokenTo)},
	{MalformedConnect, malformed, malformedConnects},
	{VersionRefused, rejected([]byte{0x01}, []byte{0x84, 0x01}), all(Error, handshake)},
	{IdentifierRejected, rejected([]byte{0x02}, []byte{0x85}), rejectedIDs},
	{BadCredentials, rejected([]byte{0x04}, []byte{0x86, 0x8C}), all(Error, handshake)},
	{NotAuthorized, rejected([]byte{0x05}, []byte{0x87, 0x8A}), all(Error, handshake)},
	{ServerUnavailable, rejected([]byte{0x03}, []byte{0x88, 0x89, 0x97, 0x9F}), all(Error, handshake)},
	{ServerRedirect, redirected, all(Error, redirection)},
	{ConnackOther, rejectedOtherwise, otherRejections},
	{ClosedBeforeConnack, turnedAway, closedBeforeConnack},
	{NoConnack, unanswered, all(Error, ending)},
	{SlowConnack, answeredLate, slowConnack},
	{KeepaliveTimeout, timedOut, keepAliveTimeouts},
	{SessionFlapping, brief, flapping},
	{ClientIDChurn, leavesState, churn},
	{RetryStorm, failedConnect, retryStorm},
}

// Symptoms returns the ids of all symptoms that the rules find, in their order.
func Symptoms() []string {
	var ids []string
	for _, r := range rules {
		ids = append(ids, r.symptom)
	}
	return ids
}

// symptoms asks every rule whether the session shows its symptom.
func symptoms(b *broker, s *session) traits {
	var t traits
	for i := range rules {
		if ask := rules[i].shows; ask != nil && ask(b, s) {
			t |= shows << i
		}
	}
	return t
}

// drafts runs every rule on the broker's sessions.
func (b *broker) drafts() []draft {
	shown := b.shown()
	var found []draft
	for i, r := range rules {
		if r.shows != nil && len(shown[i]) == 0 {
			continue
		}
		for _, d := range r.find(b, shown[i]) {
			d.rule = i
			found = append(found, d)
		}
	}
	return found
}

// shown returns for every rule the sessions that show its symptom.
func (b *broker) shown() (lists [maxRules][]*session) {
	if b.traits < shows {
		return lists
	}
	var counts [maxRules]int
	for i := range b.sessions {
		for t := b.sessions[i].traits / shows; t != 0; t &= t - 1 {
			counts[bits.TrailingZeros32(uint32(t))]++
		}
	}
	for i, n := range counts {
		if n > 0 {
			lists[i] = make([]*session, 0, n)
		}
	}
	for i := range b.sessions {
		s := &b.sessions[i]
		for t := s.traits / shows; t != 0; t &= t - 1 {
			i := bits.TrailingZeros32(uint32(t))
			lists[i] = append(lists[i], s)
		}
	}
	return lists
}

// all makes the rule's finding of all sessions that show it.
func all(severity Severity, packets func(*session) []int) func(*broker, []*session) []draft {
	return func(_ *broker, ss []*session) []draft { return one(severity, ss, packets) }
}

// handshake is the usual evidence: the CONNECT and what answered it.
func handshake(s *session) []int {
	return []int{s.ConnectAt.Packet, s.ConnackAt.Packet}
}

// ending is the evidence where no answer came: the CONNECT, or the TCP
// handshake without one, and the end.
func ending(s *session) []int {
	if !s.ConnectAt.Seen() {
		return []int{s.SynAck.Packet, s.ConnectBegan.Packet, s.Closed.Packet}
	}
	return []int{s.ConnectAt.Packet, s.Closed.Packet}
}
