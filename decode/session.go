// Package decode turns packets into sessions: it undoes link layers, rebuilds
// TCP connections and follows each one's MQTT handshake.
package decode

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/decode/tls"
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

// Origin is a capture as the place that sessions come from.
type Origin struct {
	// Capture is its name, Index its number in the run, from 1.
	Capture string
	Index   int
	// Names are addresses' host names where the capture tells them, complete
	// when it has been read.
	Names map[netip.Addr]string
}

// Same reports whether both are the same capture of a run.
func (o *Origin) Same(p *Origin) bool { return o == p || o.Capture == p.Capture && o.Index == p.Index }

// Session is one connection's MQTT handshake story. The decoder emits one for
// every TCP connection; MQTT says whether it spoke MQTT. Nothing in it is a
// secret: no password, user name or will payload gets this far.
//
// There may be hundreds of thousands, so it is laid out to be small, and what
// few of them have is in Rare.
type Session struct {
	Origin *Origin

	// Connect and Connack are the first of each on the connection; nil where
	// not seen. A CONNECT whose end is not seen is Incomplete, and ConnectAt is
	// not seen. Disconnect is the first of either side's. Sessions share them:
	// they must not be changed.
	Connect    *mqtt.Connect
	Connack    *mqtt.Connack
	Disconnect *mqtt.Disconnect

	// TLS is what a TLS handshake shows; nil without one. HTTP is what an HTTP
	// request shows; nil without one.
	TLS  *TLS
	HTTP *HTTP
	rare *Rare

	Client, Broker netip.AddrPort

	// Opened is the first packet of the connection that the capture shows,
	// Syn and SynAck are the TCP handshake's. ConnectAt is the packet that
	// completes the CONNECT, ConnackAt the CONNACK. Closed is the packet that
	// first ends the session: DISCONNECT, FIN or RST. BrokerClosed is the
	// broker's own first DISCONNECT, FIN or RST, ClientClosed the client's;
	// both may be seen. Last is the connection's last packet.
	Opened, Syn, SynAck, ConnectAt, ConnackAt              Event
	DisconnectAt, Closed, BrokerClosed, ClientClosed, Last Event
	// ConnectBegan is the packet with the CONNECT's first byte. It differs
	// from ConnectAt when the CONNECT spans packets, and is alone set when
	// the CONNECT is never complete.
	ConnectBegan Event
	// LastFromClient and LastFromBroker are the last packets that carried
	// bytes from each, before Closed.
	LastFromClient, LastFromBroker Event
	// FirstFromClient is the first packet with bytes from the client.
	FirstFromClient Event
	// CaptureEnd is the latest packet of the capture when the session was
	// emitted, so that a rule knows how long silence lasted.
	CaptureEnd Event

	// Number is the connection's number in the capture, from 1. Stream is
	// Wireshark's tcp.stream number in it; StreamUnsure says that Wireshark's
	// versions disagree on it.
	Number, Stream uint32
	// SynCount counts the SYN packets.
	SynCount uint32
	// ClientISN and BrokerISN are the initial sequence numbers, valid when
	// HasISN: the same pair again is the same conversation seen again.
	ClientISN, BrokerISN uint32
	HasISN               bool
	StreamUnsure         bool

	// MQTT reports that MQTT packets were recognised in either direction.
	MQTT      bool
	Outcome   Outcome
	Transport Transport
	RolesFrom Roles
	// First is what the client sent first on the connection; BrokerFirst what the
	// broker did. Inner and BrokerInner are the same of the innermost stream
	// that could be read: inside TLS, inside a WebSocket.
	First, BrokerFirst First
	Inner, BrokerInner First
	// FirstPacket is the type of the client's first whole MQTT packet; a
	// client must begin with CONNECT [MQTT-3.1.0-1].
	FirstPacket mqtt.Type
	// DisconnectBy is who sent Disconnect.
	DisconnectBy Side
	ClosedBy     Side
	Close        Close
	// ConnectAcked reports that the broker's TCP acknowledged the CONNECT.
	ConnectAcked bool
	// AuthPending reports that the last AUTH packet asks for another (MQTT 5,
	// section 3.15).
	AuthPending bool
	// ClientGap and BrokerGap report bytes missing from a direction: silence on it
	// then proves nothing. Those that a snap length cut off behind the handshake do
	// not count.
	ClientGap, BrokerGap bool

	Notes Notes
}

// Rare is what few sessions have.
type Rare struct {
	// Refusal is the RST that answered a SYN.
	Refusal Event
	// SecondConnect is a second CONNECT on the connection [MQTT-3.1.0-2].
	SecondConnect Event
	// ConnectHave and ConnectWant are, for a CONNECT that is never complete,
	// how many bytes of how many were seen.
	ConnectHave, ConnectWant int
	// SynRetries are the packet numbers of the SYNs after the first, at most
	// 8.
	SynRetries []int
}

// Rare returns what few sessions have, the zero value for most.
func (s *Session) Rare() Rare {
	if s.rare == nil {
		return Rare{}
	}
	return *s.rare
}

// MakeRare returns the session's Rare to be filled.
func (s *Session) MakeRare() *Rare {
	if s.rare == nil {
		s.rare = new(Rare)
	}
	return s.rare
}

// BrokerName is the broker's host name, "" where the capture does not tell it:
// what a TLS client asks for, else what the capture calls the address.
func (s *Session) BrokerName() string {
	if s.TLS != nil && s.TLS.SNI != "" {
		return s.TLS.SNI
	}
	return s.Origin.Names[s.Broker.Addr()]
}

// ID is unique within a run: "c1.17" is connection 17 of capture 1.
func (s *Session) ID() string {
	b := make([]byte, 0, 24)
	b = append(b, 'c')
	b = strconv.AppendInt(b, int64(s.Origin.Index), 10)
	b = append(b, '.')
	b = strconv.AppendUint(b, uint64(s.Number), 10)
	return string(b)
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
	// DataRecords counts the client's records of application data, as far as they
	// are known from those of the handshake.
	FirstData                  Event
	DataRecords, AnswerRecords int
	// Decrypted says that records were opened with the connection's secrets.
	Decrypted bool
	// Random is the beginning of the client's random value, which no other
	// connection has.
	Random uint64
	// Certificate is the broker's, ClientCertificate the client's; nil where
	// they are not visible, as in TLS 1.3 without its secrets.
	Certificate, ClientCertificate *tls.Certificate
}

// HTTP is what an HTTP request on the connection says.
type HTTP struct {
	Method, Path string
	// Upgrade says that it asks for a WebSocket, Subprotocol that it offers
	// the subprotocol mqtt [MQTT-6.0.0-3].
	Upgrade, Subprotocol bool
	// Protocols are the subprotocols that it offers, the first few of them.
	Protocols []string
	// Status is the answer's status code, 0 without an answer. Accepted says
	// that the answer agrees to the subprotocol mqtt; Protocol is the one that it
	// agrees to.
	Status   int
	Accepted bool
	Protocol string
	// Text says that MQTT came in text frames [MQTT-6.0.0-1]. CloseCode is the
	// status code of the first Close frame (RFC 6455 §7.4), 0 without one.
	Text      bool
	CloseCode uint16
}

// Has reports whether the session carries a note.
func (s *Session) Has(n Note) bool { return s.Notes.Has(n) }
