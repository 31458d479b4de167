package mqtt

import (
	"strconv"
	"strings"
)

// The MQTT 5 properties that are looked at (5 section 2.2.2.2).
const (
	propSessionExpiry   = 0x11
	propAssignedID      = 0x12
	propServerKeepAlive = 0x13
	propAuthMethod      = 0x15
	propAuthData        = 0x16
	propProblemInfo     = 0x17
	propResponseInfo    = 0x19
	propServerReference = 0x1c
	propReason          = 0x1f
	propReceiveMaximum  = 0x21
	propMaximumQoS      = 0x24
	propRetainAvailable = 0x25
	propUser            = 0x26
	propMaximumPacket   = 0x27
	propWildcard        = 0x28
	propSubscriptionID  = 0x29
	propShared          = 0x2a
)

// shape is how a property's value is encoded.
type shape uint8

const (
	noProperty shape = iota
	oneByte
	twoBytes
	fourBytes
	varByte
	text
	binaryData
	textPair
)

// property is a row of 5 section 2.2.2.2, table 2-4.
type property struct {
	name  string
	shape shape
}

var propertyTable = [...]property{
	0x01: {"the payload format indicator", oneByte},
	0x02: {"the message expiry interval", fourBytes},
	0x03: {"the content type", text},
	0x08: {"the response topic", text},
	0x09: {"the correlation data", binaryData},
	0x0b: {"the subscription identifier", varByte},
	0x11: {"the session expiry interval", fourBytes},
	0x12: {"the assigned client identifier", text},
	0x13: {"the server keep alive", twoBytes},
	0x15: {"the authentication method", text},
	0x16: {"the authentication data", binaryData},
	0x17: {"request problem information", oneByte},
	0x18: {"the will delay interval", fourBytes},
	0x19: {"request response information", oneByte},
	0x1a: {"the response information", text},
	0x1c: {"the server reference", text},
	0x1f: {"the reason string", text},
	0x21: {"the receive maximum", twoBytes},
	0x22: {"the topic alias maximum", twoBytes},
	0x23: {"the topic alias", twoBytes},
	0x24: {"the maximum QoS", oneByte},
	0x25: {"retain available", oneByte},
	0x26: {"a user property", textPair},
	0x27: {"the maximum packet size", fourBytes},
	0x28: {"wildcard subscription available", oneByte},
	0x29: {"subscription identifier available", oneByte},
	0x2a: {"shared subscription available", oneByte},
}

// place is one of the property lists: the section of the standard that lists
// its properties, and their identifiers in the order of the subsections, of
// which the first is .2 (.1 is the property length).
type place struct {
	section string
	ids     string
}

var (
	inConnect    = place{"3.1.2.11", "\x11\x21\x27\x22\x19\x17\x26\x15\x16"}
	inWill       = place{"3.1.3.2", "\x18\x01\x02\x03\x08\x09\x26"}
	inConnack    = place{"3.2.2.3", "\x11\x21\x24\x25\x27\x12\x22\x1f\x26\x28\x29\x2a\x13\x1a\x1c\x15\x16"}
	inDisconnect = place{"3.14.2.2", "\x11\x1f\x26\x1c"}
	inAuth       = place{"3.15.2.2", "\x15\x16\x1f\x26"}
)

// rule makes a rule of a property's own subsection.
func (p *place) rule(problem string, index int, text string) rule {
	return rule{id: problem, v5: "section " + p.section + "." + strconv.Itoa(index+2), text: text}
}

// Rules of all property lists.
var (
	propertyLength = rule{id: "property-length", v5: "section 2.2.2.1",
		text: "the property length is larger than the packet, or no valid number"}
	propertyOverrun = rule{id: "property-length", v5: "section 2.2.2.1",
		text: " is longer than the property length allows"}
	propertyUnknown = rule{id: "property-not-allowed", v5: "section 2.2.2.2",
		text: "a property identifier is not defined"}
	propertyNotHere = rule{id: "property-not-allowed", v5: "section 2.2.2.2",
		text: " is not allowed in this place"}
)

// properties is what a property list says. The spans lie in the packet's body;
// of a duplicate the last counts.
type properties struct {
	seen            uint64 // bit n: property n was there
	sessionExpiry   uint32
	serverKeepAlive uint16

	authMethod, assignedID, reason, reference span
	// broken: the list is not what its length says.
	broken bool
	// ids are all identifiers in order, collected where asked for.
	ids []byte
}

func (p *properties) has(id byte) bool { return p.seen>>id&1 != 0 }

// properties reads a property list. A list that is wrong inside is left where
// its length says that it ends; one that does not fit sets short.
func (r *reader) properties(where *place, ps *problems, keepIDs bool) (p properties) {
	length, minimal := r.varint()
	list := r.skip(length)
	if r.short {
		return p
	}
	if !minimal {
		ps.addFor(nonMinimal5, "the property length")
	}
	in := reader{b: r.b[:list.to], at: list.from}
	for in.at < list.to {
		id, minimal := in.varint()
		if in.short {
			ps.add(propertyUnknown)
			p.broken = true
			return p
		}
		if !minimal {
			ps.addFor(nonMinimal5, "a property identifier")
		}
		if id >= len(propertyTable) || propertyTable[id].shape == noProperty {
			ps.add(propertyUnknown)
			p.broken = true
			return p
		}
		if !p.read(&in, byte(id), where, ps) {
			ps.addFor(propertyOverrun, propertyTable[id].name)
			p.broken = true
			return p
		}
		if keepIDs {
			p.ids = append(p.ids, byte(id))
		}
	}
	return p
}

// read reads one property's value, and reports whether it fits.
func (p *properties) read(in *reader, id byte, where *place, ps *problems) bool {
	prop := &propertyTable[id]
	var number uint32
	var value span
	switch prop.shape {
	case oneByte:
		number = in.number(1)
	case twoBytes:
		number = in.number(2)
	case fourBytes:
		number = in.number(4)
	case varByte:
		in.varint()
	case text:
		value = in.field()
		if !in.short {
			ps.checkString(value.of(in.b), prop.name)
		}
	case binaryData:
		in.field()
	case textPair:
		name, value := in.field(), in.field()
		if !in.short {
			ps.checkString(name.of(in.b), prop.name)
			ps.checkString(value.of(in.b), prop.name)
		}
	}
	if in.short {
		return false
	}
	index := strings.IndexByte(where.ids, id)
	if index < 0 {
		ps.addFor(propertyNotHere, prop.name)
		return true
	}
	if p.has(id) && id != propUser {
		ps.add(where.rule("duplicate-property", index, prop.name+" is there more than once"))
	}
	p.seen |= 1 << id
	switch id {
	case propSessionExpiry:
		p.sessionExpiry = number
	case propServerKeepAlive:
		p.serverKeepAlive = uint16(number)
	case propAuthMethod:
		p.authMethod = value
	case propAssignedID:
		p.assignedID = value
	case propReason:
		p.reason = value
	case propServerReference:
		p.reference = value
	case propReceiveMaximum, propMaximumPacket:
		if number == 0 {
			ps.add(where.rule("property-value", index, prop.name+" is 0"))
		}
	case propProblemInfo, propResponseInfo, propMaximumQoS, propRetainAvailable,
		propWildcard, propSubscriptionID, propShared:
		if number > 1 {
			ps.add(where.rule("property-value", index, prop.name+" is neither 0 nor 1"))
		}
	}
	return true
}
