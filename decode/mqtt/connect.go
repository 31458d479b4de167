package mqtt

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// errWrongType is for a frame of another type.
func errWrongType(fr Frame, want Type) error {
	return fmt.Errorf("parse %v: the packet is a %v", want, fr.Type)
}

// ParseConnect reads a CONNECT (3.1.1 and 5 section 3.1). A packet that breaks
// the standard yields what is certain, and Problems; so does one of which only
// the beginning is there. Username, Password and Will are what the connect
// flags say. The error is for a packet without a whole protocol name and level.
//
// Nothing that is returned aliases the frame, and no password, user name or
// will is in it.
func ParseConnect(fr Frame) (*Connect, error) {
	if fr.Type != TypeConnect {
		return nil, errWrongType(fr, TypeConnect)
	}
	r := reader{b: fr.Body}
	name := r.field()
	level := byte(r.number(1))
	if r.short {
		return nil, errors.New("parse CONNECT: the protocol name and level are incomplete")
	}
	c := &Connect{
		Name: protocolNameOf(name.of(fr.Body)), Level: level,
		Length:     fr.Length,
		Incomplete: fr.Oversize || fr.Incomplete,
		Tag:        packetTag(fr),
		IDUnknown:  true,
	}
	c.Version, c.Bridge = versionOf(c.Name, level)
	ps := &problems{version: c.Version}
	checkFrame(fr, ps)
	checkProtocol(c, ps)

	var l connectLayout
	if l.find(c, fr.Body, r.at, ps) {
		l.fill(c, fr.Body)
	}
	c.Problems = ps.list
	return c, nil
}

// protocolNameOf is a string of the protocol name, and no new one of a known
// name.
func protocolNameOf(name []byte) string {
	switch string(name) {
	case "MQTT":
		return "MQTT"
	case "MQIsdp":
		return "MQIsdp"
	}
	return string(name)
}

// versionOf is the version that a protocol name and level mean, and whether the
// level has the bit by which the bridges of Mosquitto and RSMB show themselves.
func versionOf(name string, level byte) (v Version, bridge bool) {
	switch {
	case name == "MQIsdp" && level&0x7f == 3:
		return V31, level >= 0x80
	case name == "MQTT" && level&0x7f == 4:
		return V311, level >= 0x80
	case name == "MQTT" && level == 5:
		return V5, false
	}
	return VersionUnknown, false
}

// checkFrame notes what is wrong with the fixed header.
func checkFrame(fr Frame, ps *problems) {
	if fr.Flags != fixedFlags[fr.Type&15] {
		ps.add(headerFlags)
	}
	if fr.BrokenLength {
		ps.add(brokenLengthRule)
	}
	if fr.NonMinimal {
		ps.addFor(nonMinimal5, "the remaining length")
		if ps.version != V5 {
			ps.addFor(nonMinimal3, "the remaining length")
		}
	}
}

func checkProtocol(c *Connect, ps *problems) {
	switch {
	case c.Version != VersionUnknown:
	case c.Name == "MQTT" || c.Name == "MQIsdp":
		ps.add(protocolLevel)
	default:
		ps.checkString([]byte(c.Name), "the protocol name")
		ps.add(protocolName)
	}
}

// connectLayout says where the fields of a CONNECT lie.
type connectLayout struct {
	flags     byte
	keepAlive uint16
	props     properties
	id, user  span
	// reached is the stage that the packet does not complete.
	reached stage
	// trailing: bytes follow the last field.
	trailing bool
}

// stage is a part of a CONNECT, in packet order.
type stage uint8

const (
	stageHeader stage = iota // connect flags and keep alive
	stageProperties
	stageID
	stageWill
	stageUser
	stagePassword
	stageEnd
)

// shortAt are the rules that a packet breaks by ending within a stage.
var shortAt = [stageEnd]*rule{&shortHeader, &propertyLength, &shortID, &shortWill, &shortUser, &shortPassword}

// The connect flags (3.1.1 and 5 section 3.1.2.3).
const (
	flagReserved   = 0x01
	flagCleanStart = 0x02
	flagWill       = 0x04
	flagWillRetain = 0x20
	flagPassword   = 0x40
	flagUsername   = 0x80
)

func willQoS(flags byte) byte { return flags >> 3 & 3 }

// find finds the fields after the protocol level. Of a packet of no known
// version it tries the layouts of the known ones, and returns false unless one
// fits exactly: what only might be a field is not reported.
func (l *connectLayout) find(c *Connect, body []byte, at int, ps *problems) bool {
	if c.Version != VersionUnknown {
		l.layOut(body, at, c.Version == V5, c.Incomplete, ps)
		return true
	}
	if c.Incomplete {
		return false
	}
	for _, v := range [...]Version{V5, V311} {
		if v == V5 && c.Level < 5 {
			continue
		}
		trial := &problems{version: v}
		l.layOut(body, at, v == V5, false, trial)
		if l.reached == stageEnd && !l.trailing && !l.props.broken && utf8.Valid(l.id.of(body)) {
			ps.list = append(ps.list, trial.list...)
			return true
		}
	}
	return false
}

// layOut walks over the fields, in the layout of version 5 or in the earlier
// one, and notes what is wrong with them.
func (l *connectLayout) layOut(body []byte, at int, five, incomplete bool, ps *problems) {
	*l = connectLayout{}
	r := reader{b: body, at: at}
	l.walk(&r, five, ps)
	switch {
	case l.reached == stageEnd && r.at < len(body):
		l.trailing = true
		ps.add(trailingBytes)
	case l.reached < stageEnd && !incomplete:
		ps.add(*shortAt[l.reached])
	}
}

func (l *connectLayout) walk(r *reader, five bool, ps *problems) {
	l.flags = byte(r.number(1))
	l.keepAlive = uint16(r.number(2))
	if r.short {
		return
	}
	checkFlags(l.flags, ps)

	l.reached = stageProperties
	if five {
		l.props = r.properties(&inConnect, ps, false)
		if r.short {
			return
		}
		if l.props.has(propAuthData) && !l.props.has(propAuthMethod) {
			ps.add(authDataAlone)
		}
	}

	l.reached = stageID
	if l.id = r.field(); r.short {
		return
	}
	checkID(l.id.of(r.b), l.flags, ps)

	l.reached = stageWill
	if l.flags&flagWill != 0 {
		if five {
			r.properties(&inWill, ps, false)
		}
		topic := r.field()
		if r.field(); r.short {
			return
		}
		ps.checkString(topic.of(r.b), "the will topic")
	}

	l.reached = stageUser
	if l.flags&flagUsername != 0 {
		if l.user = r.field(); r.short {
			return
		}
		ps.checkString(l.user.of(r.b), "the user name")
	}

	l.reached = stagePassword
	if l.flags&flagPassword != 0 {
		if r.field(); r.short {
			return
		}
	}
	l.reached = stageEnd
}

func checkFlags(flags byte, ps *problems) {
	if flags&flagReserved != 0 {
		ps.add(reservedFlag)
	}
	switch {
	case flags&flagWill == 0 && willQoS(flags) != 0:
		ps.add(willQoSAlone)
	case flags&flagWill != 0 && willQoS(flags) == 3:
		ps.add(willQoS3)
	}
	if flags&flagWill == 0 && flags&flagWillRetain != 0 {
		ps.add(willRetainAlone)
	}
	if flags&flagUsername == 0 && flags&flagPassword != 0 {
		ps.add(passwordAlone)
	}
}

func checkID(id []byte, flags byte, ps *problems) {
	ps.checkString(id, "the client identifier")
	if len(id) == 0 {
		ps.add(emptyID31)
		if flags&flagCleanStart == 0 {
			ps.add(emptyID)
		}
	}
	if len(id) > 23 && utf8.RuneCount(id) > 23 {
		ps.add(longID31)
	}
}

// fill takes over what the packet says as far as it goes.
func (l *connectLayout) fill(c *Connect, body []byte) {
	if l.reached == stageHeader {
		return
	}
	c.CleanStart = l.flags&flagCleanStart != 0
	c.KeepAlive = l.keepAlive
	c.Username = l.flags&flagUsername != 0
	c.Password = l.flags&flagPassword != 0
	c.Will = l.flags&flagWill != 0
	c.WillQoS = willQoS(l.flags)
	c.WillRetain = l.flags&flagWillRetain != 0
	c.AuthMethod = string(l.props.authMethod.of(body))
	if l.props.has(propSessionExpiry) {
		seconds := l.props.sessionExpiry
		c.SessionExpiry = &seconds
	}
	c.ClientID = string(l.id.of(body))
	// Where the credentials that the flags promise are missing, an ID length
	// too large may have swallowed them: a password must not pass for an ID.
	swallowed := c.Username && l.reached <= stageUser || c.Password && !c.Username && l.reached <= stagePassword
	c.IDUnknown = l.reached <= stageID || swallowed && !c.Incomplete
	if c.IDUnknown {
		c.ClientID = ""
	}
	if c.Username && l.reached > stageUser {
		c.UserTag = tagOf(l.user.of(body))
	}
}
