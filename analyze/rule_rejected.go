package analyze

import (
	"slices"

	"github.com/mqttriage/mqttriage/decode"
)

// rejections makes the rule for CONNACK codes of one meaning: v3 in a 3.x
// table, v5 in version 5's.
func rejections(symptom string, v3, v5 []byte) func(*broker) []Finding {
	return func(b *broker) []Finding {
		return one(symptom, Error, b, b.where(func(s *decode.Session) bool { return codeIs(s, v3, v5) }), handshake)
	}
}

// rejectedIDs finds CONNACK 0x02 and 0x85. Empty and non-empty client IDs are
// refused for reasons that have nothing in common, so they are two findings.
func rejectedIDs(b *broker) []Finding {
	var empty, other []*decode.Session
	for _, s := range b.sessions {
		switch {
		case !codeIs(s, []byte{0x02}, []byte{0x85}):
		case s.Connect != nil && s.Connect.HasID() && s.Connect.ClientID == "":
			empty = append(empty, s)
		default:
			other = append(other, s)
		}
	}
	return slices.Concat(
		one(IdentifierRejected, Error, b, empty, handshake),
		one(IdentifierRejected, Error, b, other, handshake),
	)
}

// redirectCodes are "use another server" and "server moved" (MQTT 5, 4.11).
var redirectCodes = []byte{0x9C, 0x9D}

// redirects finds a broker that sends clients elsewhere, with CONNACK or with
// DISCONNECT.
func redirects(b *broker) []Finding {
	ss := b.where(func(s *decode.Session) bool {
		return codeIs(s, nil, redirectCodes) ||
			s.DisconnectBy == decode.Broker && slices.Contains(redirectCodes, s.Disconnect.Code)
	})
	return one(ServerRedirect, Error, b, ss, func(s *decode.Session) []int {
		return append(handshake(s), s.DisconnectAt.Packet)
	})
}

// otherRejections finds the codes that no other rule has, one finding a code:
// they have nothing in common.
func otherRejections(b *broker) []Finding {
	named3 := []byte{0x01, 0x02, 0x03, 0x04, 0x05}
	named5 := []byte{0x01, 0x84, 0x85, 0x86, 0x8C, 0x87, 0x8A, 0x88, 0x89, 0x97, 0x9F, 0x9C, 0x9D}
	byCode := map[byte][]*decode.Session{}
	var codes []byte
	for _, s := range b.sessions {
		if s.Outcome != decode.Rejected || codeIs(s, named3, named5) {
			continue
		}
		if byCode[s.Connack.Code] == nil {
			codes = append(codes, s.Connack.Code)
		}
		byCode[s.Connack.Code] = append(byCode[s.Connack.Code], s)
	}
	slices.Sort(codes)
	var found []Finding
	for _, code := range codes {
		found = append(found, newFinding(ConnackOther, Error, b, byCode[code], handshake))
	}
	return found
}
