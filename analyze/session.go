package analyze

import (
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

// session is a session as the rules see it: the decoder's, with what the index
// knows of it. The index holds them side by side, so that most questions are
// answered without a look at the decoder's, which lie far apart.
type session struct {
	*decode.Session
	// opened is Opened.Nano.
	opened int64
	// in is where it stands in each grouping.
	in [groupings]member
	// at is its place in the index.
	at     uint32
	traits traits
}

// id is the number of the client ID, 0 where that is empty or not known; client
// is the number of the client's address.
func (s *session) id() uint32     { return s.in[byID].group }
func (s *session) client() uint32 { return s.in[byClient].group }

// hasID reports that a client ID is known, and not empty.
func hasID(s *decode.Session) bool { return s.Connect != nil && s.Connect.ClientID != "" }

// traits is a set of what a session was found to be, and behind it of the rules
// whose symptom it shows.
type traits uint32

// maxRules is for how many rules there is room.
const maxRules = 27

const (
	// accepted: it was let in, and when is known.
	accepted traits = 1 << iota
	// failed: the handshake did not succeed.
	failed
	// dropped: it was accepted, and the broker ended it.
	dropped
	// taken: another session took it over; ousted: one with the same client ID.
	// The rule of takeovers finds that.
	taken
	ousted

	// shows is the trait of the first rule; those of the others follow.
	shows
)

// since is how long after another session it was opened.
func (s *session) since(o *session) time.Duration { return time.Duration(s.opened - o.opened) }

// either returns an event or, where it is none, another one. It takes them where
// they lie: a session's last events are not in the cache, and mostly not needed.
func either(x, y *decode.Event) decode.Event {
	if *x != (decode.Event{}) {
		return *x
	}
	return *y
}

func (s *session) is(t traits) bool { return s.traits&t != 0 }

// traitsOf are those that a session has by itself.
func traitsOf(s *decode.Session) traits {
	var t traits
	if s.Outcome == decode.Accepted && s.ConnackAt.Seen() {
		t |= accepted
		if s.ClosedBy == decode.Broker {
			t |= dropped
		}
	}
	if hasFailed(s) {
		t |= failed
	}
	return t
}

// hasFailed reports that the handshake did not succeed, by what the capture
// shows. A CONNACK that came too late for the client is a failure too.
func hasFailed(s *decode.Session) bool {
	switch s.Outcome {
	case decode.Rejected, decode.Unanswered, decode.Refused, decode.TLSFailed, decode.NotMQTT:
		return true
	case decode.Accepted:
		return s.Has(decode.NoteLateConnack)
	}
	return closedUnanswered(s)
}

// closedUnanswered reports that the broker ended an opened connection without
// a CONNACK, before a CONNECT or after it.
func closedUnanswered(s *decode.Session) bool {
	return s.Connack == nil && s.ClosedBy == decode.Broker && !s.Rare().Refusal.Seen() &&
		s.SynAck.Seen() && !s.BrokerGap && (!s.ClientGap || s.First != decode.FirstNothing) &&
		((s.Inner == decode.FirstNothing || s.Inner == decode.FirstMQTT) && (s.BrokerInner == decode.FirstNothing || s.DisconnectBy == decode.Broker || answeredInHTTP(s)) || closedInsideTLS(s))
}

// answeredInHTTP reports MQTT that was answered in HTTP.
func answeredInHTTP(s *decode.Session) bool {
	return s.Inner == decode.FirstMQTT && s.BrokerInner == decode.FirstHTTP
}

// closedInsideTLS reports the same of a connection behind TLS: the client sent
// application data, and no record of the broker after it could hold a CONNACK.
func closedInsideTLS(s *decode.Session) bool {
	return s.TLS != nil && !s.TLS.Decrypted && s.TLS.FirstData.Seen() && s.TLS.AnswerRecords == 0 && s.TLS.Alert == "" &&
		s.BrokerFirst == decode.FirstTLS && !s.ClientGap && !s.Has(decode.NoteDesync)
}
