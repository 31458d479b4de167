package analyze

import (
	"slices"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// rejected makes the question for CONNACK codes of one meaning: v3 in a 3.x
// table, v5 in version 5's.
func rejected(v3, v5 []byte) func(*broker, *session) bool {
	return func(_ *broker, s *session) bool { return codeIs(s, v3, v5) }
}

// codeIs reports a CONNACK code by the table it belongs to.
func codeIs(s *session, v3, v5 []byte) bool {
	if s.Outcome != decode.Rejected {
		return false
	}
	if s.CodeVersion() == mqtt.V5 {
		return slices.Contains(v5, s.Connack.Code)
	}
	return slices.Contains(v3, s.Connack.Code)
}

// rejectedIDs finds CONNACK 0x02 and 0x85. Empty and non-empty client IDs are
// refused for reasons that have nothing in common, so they are two findings.
func rejectedIDs(_ *broker, ss []*session) []draft {
	empty, other := []*session(nil), ss[:0]
	for _, s := range ss {
		if s.Connect != nil && s.Connect.HasID() && s.Connect.ClientID == "" {
			empty = append(empty, s)
		} else {
			other = append(other, s)
		}
	}
	return slices.Concat(one(Error, empty, handshake), one(Error, other, handshake))
}

// redirectCodes are "use another server" and "server moved" (MQTT 5, 4.11).
var redirectCodes = []byte{0x9C, 0x9D}

// redirected reports a broker that sends a client elsewhere, with CONNACK or with
// DISCONNECT.
func redirected(_ *broker, s *session) bool {
	return codeIs(s, nil, redirectCodes) ||
		s.DisconnectBy == decode.Broker && slices.Contains(redirectCodes, s.Disconnect.Code)
}

// redirection is the evidence for it.
func redirection(s *session) []int { return append(handshake(s), s.DisconnectAt.Packet) }

// The codes that other rules have, in a 3.x table and in version 5's.
var (
	named3 = []byte{0x01, 0x02, 0x03, 0x04, 0x05}
	named5 = []byte{0x01, 0x84, 0x85, 0x86, 0x8C, 0x87, 0x8A, 0x88, 0x89, 0x97, 0x9F, 0x9C, 0x9D}
)

// rejectedOtherwise reports a code that no other rule has.
func rejectedOtherwise(_ *broker, s *session) bool {
	return s.Outcome == decode.Rejected && !codeIs(s, named3, named5)
}

// otherRejections finds those codes, one finding a code: they have nothing in
// common.
func otherRejections(_ *broker, ss []*session) []draft {
	var byCode [256][]*session
	for _, s := range ss {
		byCode[s.Connack.Code] = append(byCode[s.Connack.Code], s)
	}
	var found []draft
	for _, ss := range byCode {
		found = append(found, one(Error, ss, handshake)...)
	}
	return found
}
