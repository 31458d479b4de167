// Package decode turns packets into sessions: it undoes link layers, rebuilds
// TCP connections and follows each one's MQTT handshake.
package decode

import (
	"net/netip"
	"time"

	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// Outcome says how a session's handshake ended.
type Outcome string

// The outcomes. Anything that the capture does not show is Unknown.
const (
	Accepted   Outcome = "accepted"   // CONNACK with code 0
	Rejected   Outcome = "rejected"   // CONNACK with another code
	Unanswered Outcome = "unanswered" // CONNECT, but no CONNACK
	Refused    Outcome = "refused"    // TCP never opened
	TLSFailed  Outcome = "tls-failed" // the TLS handshake did not succeed
	NotMQTT    Outcome = "not-mqtt"   // something else is spoken on the connection
	Unknown    Outcome = "unknown"    // the capture does not show it
)

// Side is one end of a connection.
type Side string

// The sides; Nobody means still open, or not seen.
const (
	Nobody Side = ""
	Client Side = "client"
	Broker Side = "broker"
)

// Close says by what a connection or session ended.
type Close string

// The ways to end, and NoClose where none was seen.
const (
	NoClose         Close = ""
	CloseDisconnect Close = "disconnect" // an MQTT DISCONNECT came first
	CloseFIN        Close = "fin"
	CloseRST        Close = "rst"
)

// Note is a short kebab-case remark on how a session was seen.
type Note string

// The notes of a session record.
const (
	// NoteMidStream: the capture begins after the connection was opened.
	NoteMidStream Note = "mid-stream"
	// NoteGap: bytes are missing from a direction that was followed.
	NoteGap Note = "gap"
	// NoteCutPackets: a snap length cut bytes that were needed.
	NoteCutPackets Note = "cut-packets"
	// NoteRetransmitted: handshake bytes or SYNs were sent more than once.
	NoteRetransmitted Note = "retransmitted"
	// NoteBrokenLength: a CONNECT longer than 127 bytes with a one-byte
	// Remaining Length, as some old embedded clients send it.
	NoteBrokenLength Note = "broken-length"
	// NoteProxyProtocol: a PROXY protocol header preceded the CONNECT.
	NoteProxyProtocol Note = "proxy-protocol"
	// NoteOneSided: only one direction of the connection is in the capture.
	NoteOneSided Note = "one-sided"
	// NoteLateConnack: the CONNACK came after the client had closed.
	NoteLateConnack Note = "late-connack"
	// NoteSecondConnect: a second CONNECT on one connection [MQTT-3.1.0-2].
	NoteSecondConnect Note = "second-connect"
	// NoteDesync: the MQTT packet boundaries were lost.
	NoteDesync Note = "desync"
	// NoteDuplicate: the same conversation was captured more than once.
	NoteDuplicate Note = "captured-twice"
)

// First is what a connection's client, or if it sent nothing its broker, sent
// first, as recognised from content.
type First string

// The kinds of first bytes.
const (
	FirstNothing First = ""
	FirstMQTT    First = "mqtt"
	FirstTLS     First = "tls"
	FirstHTTP    First = "http"
	FirstOther   First = "other"
)

// Event is a moment in a session: the packet that shows it and its time.
// The zero Event means not seen. It is kept small, for there are millions.
type Event struct {
	// Packet is the packet's number in the capture, 0 when not seen.
	Packet int
	// Nano is the time in nanoseconds since 1970, UTC.
	Nano int64
}

// EventAt makes the event that a packet shows.
func EventAt(packet int, t time.Time) Event {
	if t.IsZero() {
		return Event{Packet: packet}
	}
	return Event{Packet: packet, Nano: t.UnixNano()}
}

// Seen reports whether the capture shows the event.
func (e Event) Seen() bool { return e.Packet != 0 }

// Time is when it happened, in UTC; zero when not seen, or when the capture
// does not say.
func (e Event) Time() time.Time {
	if e.Nano == 0 {
		return time.Time{}
	}
	return time.Unix(0, e.Nano).UTC()
}

// Before reports that e came before o: by time, and where that does not tell,
// by packet. Both must be seen, and in one capture where it is by packet.
func (e Event) Before(o Event) bool {
	return e.Nano < o.Nano || e.Nano == o.Nano && e.Packet < o.Packet
}

// Sub is the time from o to e; both must be seen.
func (e Event) Sub(o Event) time.Duration { return time.Duration(e.Nano - o.Nano) }

// Session is one connection's MQTT handshake story. The decoder emits one for
// every TCP connection; MQTT says whether it spoke MQTT. Nothing in it is a
// secret: no password, user name or will payload gets this far.
type Session struct {
	// ID is unique within a run: "c1.17" is connection 17 of capture 1.
	ID string
	// Capture is the name of the capture; Stream is Wireshark's tcp.stream
	// number in it. StreamUnsure says that its versions disagree on it.
	Capture      string
	Stream       int
	StreamUnsure bool

	Client, Broker netip.AddrPort
	// BrokerName is the broker's host name where the capture tells it.
	BrokerName string
	// RolesFrom says what decided which side is the broker: "syn", "mqtt" or
	// "port".
	RolesFrom string
	// Transport is "tcp", "tls", "ws" or "wss".
	Transport string
	// MQTT reports that MQTT packets were recognised in either direction.
	MQTT bool
	// First is what the client sent first; BrokerFirst what the broker did.
	First, BrokerFirst First

	// FirstPacket is the type of the client's first whole MQTT packet; a
	// client must begin with CONNECT [MQTT-3.1.0-1].
	FirstPacket mqtt.Type

	// Connect and Connack are the first of each on the connection; nil where
	// not seen. A CONNECT whose end is not seen is Incomplete, and ConnectAt is
	// not seen. Disconnect is the first of either side's.
	Connect    *mqtt.Connect
	Connack    *mqtt.Connack
	Disconnect *mqtt.Disconnect
	// DisconnectBy is who sent Disconnect.
	DisconnectBy Side
	// Auth is the last AUTH packet (MQTT 5 enhanced authentication).
	Auth *mqtt.Auth

	// TLS is what a TLS handshake shows; nil without one. HTTP is what an HTTP
	// request shows; nil without one.
	TLS  *TLS
	HTTP *HTTP

	Outcome Outcome

	// Opened is the first packet of the connection that the capture shows,
	// Syn and SynAck are the TCP handshake's. ConnectAt is the packet that
	// completes the CONNECT, ConnackAt the CONNACK. Closed is the packet that
	// first ends the session: DISCONNECT, FIN or RST. BrokerClosed is the
	// broker's own first DISCONNECT, FIN or RST, ClientClosed the client's;
	// both may be seen. Last is the connection's last packet.
	Opened, Syn, SynAck, ConnectAt, ConnackAt              Event
	DisconnectAt, Closed, BrokerClosed, ClientClosed, Last Event
	// SecondConnect is a second CONNECT on the connection [MQTT-3.1.0-2].
	SecondConnect Event
	// ConnectBegan is the packet with the CONNECT's first byte. It differs
	// from ConnectAt when the CONNECT spans packets, and is alone set when
	// the CONNECT is never complete.
	ConnectBegan Event
	// ConnectHave and ConnectWant are, for such a CONNECT, how many bytes of
	// how many were seen.
	ConnectHave, ConnectWant int
	// LastFromClient and LastFromBroker are the last packets that carried
	// bytes from each, before Closed.
	LastFromClient, LastFromBroker Event
	// FirstFromClient is the first packet with bytes from the client.
	FirstFromClient Event
	// Refusal is the RST that answered a SYN.
	Refusal Event

	ClosedBy Side
	Close    Close

	// SynCount counts the SYN packets, SynRetries their packet numbers after
	// the first (at most 8 kept).
	SynCount   int
	SynRetries []int
	// ConnectAcked reports that the broker's TCP acknowledged the CONNECT.
	ConnectAcked bool
	// ClientBytes and BrokerBytes count the stream bytes seen.
	ClientBytes, BrokerBytes int64
	// ClientISN and BrokerISN are the initial sequence numbers, valid when
	// HasISN: the same pair again is the same conversation seen again.
	ClientISN, BrokerISN uint32
	HasISN               bool
	// CaptureEnd is the latest packet of the capture when the session was
	// emitted, so that a rule knows how long silence lasted.
	CaptureEnd Event
	// ClientGap and BrokerGap report bytes missing from a direction before
	// the handshake was over: silence on it then proves nothing.
	ClientGap, BrokerGap bool

	Notes []Note
}

// TLS is what is visible of a TLS connection (RFC 5246, RFC 8446).
type TLS struct {
	// Version is the one agreed on, "1.0" to "1.3"; "" when the server did
	// not answer. SNI is the server name and ALPN the protocols that the
	// client asks for.
	Version string
	SNI     string
	ALPN    []string
	// Alert is the first fatal alert's name, "encrypted" when only its
	// presence shows; AlertBy who sent it, AlertAt the packet.
	Alert   string
	AlertBy Side
	AlertAt Event
	// Finished says that the handshake succeeded, for all that shows: the
	// broker sent data or a session ticket, or both sides changed to the
	// agreed cipher and the client sent data.
	Finished bool
	// FirstData is the client's first record of application data, which holds
	// the CONNECT. AnswerRecords counts the broker's records that could hold a
	// CONNACK: none proves that it sent none.
	FirstData     Event
	AnswerRecords int
	// Decrypted says that the MQTT inside was read.
	Decrypted bool
}

// HTTP is what an HTTP request on the connection says.
type HTTP struct {
	Method, Path string
	// Upgrade says that it asks for a WebSocket, Subprotocol that it offers
	// the subprotocol mqtt [MQTT-6.0.0-3].
	Upgrade, Subprotocol bool
	// Status is the answer's status code, 0 without an answer. Accepted says
	// that the answer agrees to the subprotocol mqtt.
	Status   int
	Accepted bool
}

// Has reports whether the session carries a note.
func (s *Session) Has(n Note) bool {
	for _, have := range s.Notes {
		if have == n {
			return true
		}
	}
	return false
}
