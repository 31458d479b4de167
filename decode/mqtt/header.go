package mqtt

// typeNames are the names of the control packets, as the standards write them.
var typeNames = [16]string{
	"reserved", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP",
	"SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
}

// String is the packet's name as the standards write it, "CONNECT".
func (t Type) String() string { return typeNames[t&15] }

// fixedFlags are the header flags that the standards prescribe for each type
// (3.1.1 table 2.2, 5 table 2-2); PUBLISH uses its flags.
var fixedFlags = [16]byte{TypePubrel: 2, TypeSubscribe: 2, TypeUnsubscribe: 2}

// verdict is what some first bytes decide.
type verdict uint8

const (
	undecided verdict = iota // more bytes are needed
	yes
	no
)

// header is a fixed header (3.1.1 section 2.2, 5 section 2.1).
type header struct {
	first byte // type and flags
	size  int  // bytes of the header itself
	body  int  // Remaining Length

	brokenLength, nonMinimal bool
}

func (h *header) typ() Type { return Type(h.first >> 4) }

// maxHeader is the most that readHeader needs to see: type, length byte and the
// name that shows a broken length.
const maxHeader = 2 + len("\x00\x06MQIsdp")

// readHeader reads the fixed header at the start of b. It decides no later than
// with maxHeader bytes; no means that no packet can start with b.
func readHeader(b []byte, h *header) verdict {
	if len(b) < 2 {
		if len(b) == 1 && b[0]>>4 == 0 && b[0] != swappedPing[0] {
			return no
		}
		return undecided
	}
	*h = header{first: b[0], size: 2, body: int(b[1])}
	if h.typ() == 0 {
		if b[0] == swappedPing[0] && b[1] == swappedPing[1] {
			*h = header{first: byte(TypePingreq) << 4, size: 2}
			return yes
		}
		return no
	}
	if b[1] >= 0x80 {
		if v := readLongLength(b, h); v != yes {
			return v
		}
	}
	if !plausibleLength(h) {
		return no
	}
	return yes
}

// swappedPing is how some old encoders write PINGREQ.
const swappedPing = "\x0a\xc0"

// readLongLength reads a Remaining Length whose first byte has the continuation
// bit.
func readLongLength(b []byte, h *header) verdict {
	if h.typ() == TypeConnect {
		switch v := brokenLength(b[2:]); {
		case v == yes:
			h.brokenLength = true
			return yes
		case v == undecided:
			return undecided
		case len(b) > 3 && b[2] == 0 && (b[3] == 4 || b[3] == 6):
			return no // by either reading no protocol name follows
		}
	}
	h.body = 0
	for i := range 4 {
		if 1+i == len(b) {
			return undecided
		}
		digit := b[1+i]
		h.body |= int(digit&0x7f) << (7 * i)
		if digit < 0x80 {
			h.size, h.nonMinimal = 2+i, digit == 0
			return yes
		}
	}
	// A fifth length byte: 20 ff ff ff ff 0f costs a trusting reader 4 GiB
	// (3.1.1 section 2.2.3, 5 section 1.5.5 allow four).
	return no
}

// brokenLength reports whether rest, which follows a first length byte of 0x80
// or more, shows that this byte is the whole length: a CONNECT of more than 127
// bytes from an encoder that knows only one length byte. Read by the standard,
// the 00 would end the length, and the packet of at most 127 bytes would begin
// with a protocol name of more than 1,024.
func brokenLength(rest []byte) verdict {
	if v := hasPrefix(rest, "\x00\x04MQTT"); v != no {
		return v
	}
	return hasPrefix(rest, "\x00\x06MQIsdp")
}

// hasPrefix is undecided while b is itself the beginning of the prefix.
func hasPrefix(b []byte, prefix string) verdict {
	if len(b) >= len(prefix) {
		if string(b[:len(prefix)]) == prefix {
			return yes
		}
		return no
	}
	if string(b) == prefix[:len(b)] {
		return undecided
	}
	return no
}

// plausibleLength reports whether a packet of this type can have this length. A
// header with forbidden flags is a packet only at a length that this type has
// in version 3.1, whose senders leave rubbish in flags "not used"; anything
// else is the middle of other bytes.
func plausibleLength(h *header) bool {
	t := h.typ()
	if t == TypePingreq || t == TypePingresp {
		return h.body == 0
	}
	if t == TypePublish || h.first&15 == fixedFlags[t] {
		return true
	}
	switch t {
	case TypeConnect:
		return h.body >= 10
	case TypeConnack, TypePuback, TypePubrec, TypePubrel, TypePubcomp, TypeUnsuback:
		return h.body == 2
	case TypeSubscribe:
		return h.body >= 6
	case TypeUnsubscribe:
		return h.body >= 5
	case TypeSuback:
		return h.body >= 3
	case TypeDisconnect:
		return h.body == 0
	}
	return false // AUTH is new in version 5, which forbids other flags
}
