package decode

import "fmt"

// Outcome says how a session's handshake ended.
type Outcome uint8

// The outcomes. Anything that the capture does not show is Unknown.
const (
	Unknown    Outcome = iota // the capture does not show it
	Accepted                  // CONNACK with code 0
	Rejected                  // CONNACK with another code
	Unanswered                // CONNECT, but no CONNACK
	Refused                   // TCP never opened
	TLSFailed                 // the TLS handshake did not succeed
	NotMQTT                   // something else is spoken on the connection
)

var outcomeWords = []string{"unknown", "accepted", "rejected", "unanswered", "refused", "tls-failed", "not-mqtt"}

// Side is one end of a connection.
type Side uint8

// The sides; Nobody means still open, or not seen.
const (
	Nobody Side = iota
	Client
	Broker
)

var sideWords = []string{"", "client", "broker"}

// Close says by what a connection or session ended.
type Close uint8

// The ways to end, and NoClose where none was seen.
const (
	NoClose         Close = iota
	CloseDisconnect       // an MQTT DISCONNECT came first
	CloseFIN
	CloseRST
)

var closeWords = []string{"", "disconnect", "fin", "rst"}

// First is what a connection's client, or if it sent nothing its broker, sent
// first, as recognised from content.
type First uint8

// The kinds of first bytes.
const (
	FirstNothing First = iota
	FirstMQTT
	FirstTLS
	FirstHTTP
	FirstOther
)

var firstWords = []string{"", "mqtt", "tls", "http", "other"}

// Transport is what carries the MQTT packets.
type Transport uint8

// The transports; a WebSocket is WS or, inside TLS, WSS.
const (
	TCP Transport = iota
	TLSTransport
	WS
	WSS
)

var transportWords = []string{"tcp", "tls", "ws", "wss"}

// Roles says what decided which side is the broker.
type Roles uint8

// The ways to tell: from the TCP handshake, from packets that only one side
// sends, from the port.
const (
	RolesUnknown Roles = iota
	RolesFromSYN
	RolesFromMQTT
	RolesFromPort
)

var rolesWords = []string{"", "syn", "mqtt", "port"}

// Note is a remark on how a session was seen.
type Note uint8

// The notes of a session record.
const (
	noNote Note = iota
	// NoteMidStream: the capture begins after the connection was opened.
	NoteMidStream
	// NoteGap: bytes are missing from a direction that was followed.
	NoteGap
	// NoteCutPackets: a snap length cut bytes that were needed.
	NoteCutPackets
	// NoteRetransmitted: handshake bytes or SYNs were sent more than once.
	NoteRetransmitted
	// NoteBrokenLength: a CONNECT longer than 127 bytes with a one-byte
	// Remaining Length, as some old embedded clients send it.
	NoteBrokenLength
	// NoteProxyProtocol: a PROXY protocol header preceded the CONNECT.
	NoteProxyProtocol
	// NoteOneSided: only one direction of the connection is in the capture.
	NoteOneSided
	// NoteLateConnack: the CONNACK came after the client had closed.
	NoteLateConnack
	// NoteSecondConnect: a second CONNECT on one connection [MQTT-3.1.0-2].
	NoteSecondConnect
	// NoteDesync: the MQTT packet boundaries were lost.
	NoteDesync
	// NoteDuplicate: the same conversation was captured more than once.
	NoteDuplicate
	// NoteUnread: some of what TLS or a WebSocket carried could not be read.
	NoteUnread
)

var noteWords = []string{
	"", "mid-stream", "gap", "cut-packets", "retransmitted", "broken-length", "proxy-protocol",
	"one-sided", "late-connack", "second-connect", "desync", "captured-twice", "unread",
}

// Notes is a list of up to twelve different notes in the order in which they
// were made, five bits each: a slice would be larger than most sessions' notes.
type Notes uint64

const (
	noteBits = 5
	noteMask = 1<<noteBits - 1
	maxNotes = 12
)

// Has reports whether n is in the list.
func (l Notes) Has(n Note) bool {
	for ; l != 0; l >>= noteBits {
		if Note(l&noteMask) == n {
			return true
		}
	}
	return false
}

// Add appends n unless it is there, or the list is full.
func (l *Notes) Add(n Note) {
	for i := range maxNotes {
		switch Note(*l >> (i * noteBits) & noteMask) {
		case n:
			return
		case noNote:
			*l |= Notes(n) << (i * noteBits)
			return
		}
	}
}

// List returns the notes in the order in which they were made; never nil.
func (l Notes) List() []Note {
	list := []Note{}
	for ; l != 0; l >>= noteBits {
		list = append(list, Note(l&noteMask))
	}
	return list
}

// word returns a value's word, for values from a newer program too.
func word[T ~uint8](words []string, v T) string {
	if int(v) < len(words) {
		return words[v]
	}
	return fmt.Sprint(uint8(v))
}

// parse sets v to the value of a word.
func parse[T ~uint8](words []string, text []byte, v *T) error {
	for i, w := range words {
		if w == string(text) {
			*v = T(i)
			return nil
		}
	}
	return fmt.Errorf("parse session record: unknown word %q", text)
}

// The words as records and reports have them.

func (o Outcome) String() string   { return word(outcomeWords, o) }
func (s Side) String() string      { return word(sideWords, s) }
func (c Close) String() string     { return word(closeWords, c) }
func (f First) String() string     { return word(firstWords, f) }
func (t Transport) String() string { return word(transportWords, t) }
func (r Roles) String() string     { return word(rolesWords, r) }
func (n Note) String() string      { return word(noteWords, n) }

// MarshalText gives the outcome's word.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText takes an outcome's word.
func (o *Outcome) UnmarshalText(b []byte) error { return parse(outcomeWords, b, o) }

// MarshalText gives the side's word.
func (s Side) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes a side's word.
func (s *Side) UnmarshalText(b []byte) error { return parse(sideWords, b, s) }

// MarshalText gives the word of a way to end.
func (c Close) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText takes the word of a way to end.
func (c *Close) UnmarshalText(b []byte) error { return parse(closeWords, b, c) }

// MarshalText gives the transport's word.
func (t Transport) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText takes a transport's word.
func (t *Transport) UnmarshalText(b []byte) error { return parse(transportWords, b, t) }

// MarshalText gives the note's word.
func (n Note) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText takes a note's word.
func (n *Note) UnmarshalText(b []byte) error { return parse(noteWords, b, n) }
