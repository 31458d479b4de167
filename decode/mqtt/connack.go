package mqtt

import (
	"errors"
	"strings"
)

// ParseConnack reads a CONNACK (3.1.1 and 5 section 3.2). Which of its two
// shapes it has depends on the CONNECT that it answers; connect is nil where
// that was not seen. Brokers also answer in the shape of another version: a
// broker that knows no version 5 refuses it with two bytes, Mosquitto 2.1
// refuses an unknown level in the shape of 5. The error is for a packet of less
// than two bytes. Nothing that is returned aliases the frame.
func ParseConnack(fr Frame, connect *Connect) (*Connack, error) {
	if fr.Type != TypeConnack {
		return nil, errWrongType(fr, TypeConnack)
	}
	body := fr.Body
	if len(body) < 2 {
		return nil, errors.New("parse CONNACK: the packet ends before the return code")
	}
	var asked Version
	if connect != nil {
		asked = connect.Version
	}
	a := &Connack{
		Version: connackShape(fr, asked),
		// In 3.1 the byte is "not used".
		SessionPresent: body[0]&1 != 0 && asked != V31,
		Code:           body[1],
	}
	ps := &problems{version: a.Version}
	if asked == V31 || asked == V311 {
		ps.version = asked
	}
	checkFrame(fr, ps)
	if ps.version != V5 && (len(body) > 2 || !fr.complete()) {
		ps.add(connackLength)
	}
	checkConnack(a, body[0], connect, ps)
	if a.Version == V5 {
		a.readProperties(fr, ps)
		if fr.complete() && a.Code == 0 && a.AssignedID == "" && asked == V5 &&
			connect.ClientID == "" && !connect.Incomplete {
			ps.add(noAssignedID)
		}
	}
	a.Problems = ps.list
	return a, nil
}

// complete reports that the body is the whole of it.
func (fr *Frame) complete() bool { return !fr.Oversize && !fr.Incomplete }

// connackShape is V311 for two bytes, V5 for properties.
func connackShape(fr Frame, asked Version) Version {
	switch {
	case len(fr.Body) == 2 && fr.complete():
		return V311
	case asked == V31 || asked == V311:
		// Too long for the client's version. What has the shape of 5 exactly
		// comes from a broker, or a proxy, that forgot whom it answers.
		if !fr.complete() || !fitsConnack5(fr.Body) {
			return V311
		}
	}
	return V5
}

// fitsConnack5 reports whether a body of at least three bytes is a CONNACK of
// version 5: a code that 5 may know, and properties that reach its end.
func fitsConnack5(body []byte) bool {
	r := reader{b: body, at: 2}
	length, _ := r.varint()
	return (body[1] == 0 || body[1] >= 0x80) && !r.short && r.at+length == len(body)
}

// checkConnack notes what is wrong with the first two bytes.
func checkConnack(a *Connack, flags byte, connect *Connect, ps *problems) {
	if flags&^1 != 0 {
		ps.add(ackFlags)
	}
	switch {
	case !a.SessionPresent:
	case a.Code != 0:
		ps.add(presentRejected)
	case connect != nil && connect.CleanStart:
		ps.add(presentClean)
	}
	if ps.version == V5 && strings.IndexByte(connackReasons, a.Code) < 0 ||
		ps.version != V5 && int(a.Code) >= len(returnCodes) {
		ps.add(reservedCode)
	}
}

// readProperties reads what follows the reason code.
func (a *Connack) readProperties(fr Frame, ps *problems) {
	props := propertiesAt(fr, 2, &inConnack, ps)
	if props.has(propServerKeepAlive) {
		seconds := props.serverKeepAlive
		a.ServerKeepAlive = &seconds
	}
	a.Properties = props.ids
	a.Reason = string(props.reason.of(fr.Body))
	a.AssignedID = string(props.assignedID.of(fr.Body))
	a.ServerReference = string(props.reference.of(fr.Body))
	a.AuthMethod = string(props.authMethod.of(fr.Body))
}

// propertiesAt reads the properties that begin at an offset of the body and
// should reach its end, and notes what is wrong with them.
func propertiesAt(fr Frame, at int, where *place, ps *problems) properties {
	r := reader{b: fr.Body, at: at}
	props := r.properties(where, ps, where == &inConnack)
	switch {
	case r.short:
		if fr.complete() {
			ps.add(propertyLength)
		}
	case r.at < len(fr.Body):
		ps.add(trailingProperties)
	}
	return props
}
