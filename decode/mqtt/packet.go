// Package mqtt finds MQTT control packets in a byte stream and parses those of
// the handshake: CONNECT, CONNACK, DISCONNECT and AUTH. Everything else is
// skipped by count.
package mqtt

// Version is an MQTT protocol version; its String is "3.1", "3.1.1", "5" or
// "" when unknown.
type Version uint8

// The versions.
const (
	VersionUnknown Version = iota
	V31
	V311
	V5
)

func (v Version) String() string {
	switch v {
	case V31:
		return "3.1"
	case V311:
		return "3.1.1"
	case V5:
		return "5"
	}
	return ""
}

// Type is the control packet type, the high four bits of the first byte
// (MQTT 3.1.1 and 5, section 2.2.1 / 2.1.2).
type Type uint8

// The control packet types.
const (
	TypeConnect     Type = 1
	TypeConnack     Type = 2
	TypePublish     Type = 3
	TypePuback      Type = 4
	TypePubrec      Type = 5
	TypePubrel      Type = 6
	TypePubcomp     Type = 7
	TypeSubscribe   Type = 8
	TypeSuback      Type = 9
	TypeUnsubscribe Type = 10
	TypeUnsuback    Type = 11
	TypePingreq     Type = 12
	TypePingresp    Type = 13
	TypeDisconnect  Type = 14
	TypeAuth        Type = 15
)

// Tag stands for a value that must not be kept, such as a user name: equal
// values have equal tags within one run of the program, and a tag says nothing
// else (it is a hash under a random key of the process). 0 stands for absent.
type Tag uint64

// HasID reports that the client ID is known, empty or not: the packet may have
// ended before it, or have no layout that fits.
func (c *Connect) HasID() bool { return !c.IDUnknown }

// Malformed returns the first problem that makes the CONNECT malformed.
func (c *Connect) Malformed() (Problem, bool) {
	for _, p := range c.Problems {
		if !p.Refusable {
			return p, true
		}
	}
	return Problem{}, false
}

// Problem is one way in which a packet breaks the standard.
type Problem struct {
	// ID is a stable kebab-case name, such as "reserved-flag".
	ID string
	// Clause is the normative statement, such as "MQTT-3.1.2-3".
	Clause string
	// Text is a lower-case clause in English, such as "the reserved connect
	// flag is set".
	Text string
	// Refusable says that the packet is well formed and asks for something
	// that a broker may refuse with a code, such as an empty client ID with
	// clean session off. It does not make a CONNECT malformed.
	Refusable bool
}

// Connect is what a CONNECT says, less its secrets. A site has thousands: the
// small fields stand together, so that they take no more than they need.
type Connect struct {
	// Name and Level are the protocol name and level as sent; Version is what
	// they mean, VersionUnknown where they mean none. Bridge is the 0x80 bit
	// of the level, which Mosquitto and RSMB bridges set.
	Name    string
	Level   byte
	Version Version
	Bridge  bool

	// IDUnknown says that ClientID could not be read.
	IDUnknown  bool
	CleanStart bool

	// Username, Password and Will say that one was present.
	Username, Password, Will bool
	WillQoS                  byte
	WillRetain               bool

	// Incomplete says that only the beginning was parsed: the packet is larger
	// than is kept.
	Incomplete bool
	// KeepAlive is in seconds; 0 turns it off.
	KeepAlive uint16

	// ClientID is as sent.
	ClientID string
	// UserTag stands for the user name, Tag for the whole packet.
	UserTag, Tag Tag

	// AuthMethod is the MQTT 5 Authentication Method, "" without one.
	AuthMethod string
	// SessionExpiry is the MQTT 5 Session Expiry Interval in seconds; nil
	// when absent.
	SessionExpiry *uint32

	// Length is the packet's whole length in bytes.
	Length int
	// Problems are the ways in which it breaks the standard, in packet order.
	Problems []Problem
}

// Connack is what a CONNACK says.
type Connack struct {
	// Version is the shape it has: V5 with properties, V311 with two bytes.
	Version        Version
	SessionPresent bool
	// Code is the return code (3.x) or reason code (5).
	Code byte
	// The MQTT 5 properties that matter; empty or nil when absent.
	Reason          string
	AssignedID      string
	ServerReference string
	AuthMethod      string
	ServerKeepAlive *uint16
	// Properties are the identifiers of all properties in the order sent: a
	// hint to which broker this is.
	Properties []byte
	// Problems are the ways in which it breaks the standard, in packet order.
	Problems []Problem
}

// Disconnect is what a DISCONNECT says. Code is 0 for 3.x.
type Disconnect struct {
	Code byte
	// HasCode says that a reason code was sent.
	HasCode         bool
	Reason          string
	ServerReference string
	// Problems are the ways in which it breaks the standard, in packet order.
	Problems []Problem
}

// Auth is what an AUTH packet says (MQTT 5, section 3.15).
type Auth struct {
	Code   byte
	Method string
	// Problems are the ways in which it breaks the standard, in packet order.
	Problems []Problem
}
