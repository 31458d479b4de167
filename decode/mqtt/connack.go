package mqtt

import (
	"errors"
	"strings"

	packets5 "github.com/eclipse/paho.golang/packets"
	packets3 "github.com/eclipse/paho.mqtt.golang/packets"
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
	} else if p, err := unpack3(packets3.Connack, body[:2]); err == nil {
		a.Code = p.(*packets3.ConnackPacket).ReturnCode
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
	l := layOutProperties(fr, 2, &inConnack, ps)
	if l.props.has(propServerKeepAlive) {
		seconds := l.props.serverKeepAlive
		a.ServerKeepAlive = &seconds
	}
	a.Properties = l.props.ids
	a.Reason = string(l.props.reason.of(fr.Body))
	a.AssignedID = string(l.props.assignedID.of(fr.Body))
	a.ServerReference = string(l.props.reference.of(fr.Body))
	a.AuthMethod = string(l.props.authMethod.of(fr.Body))
	if content, err := l.parse(packets5.CONNACK); err == nil {
		p := content.(*packets5.Connack)
		a.Code, a.ServerKeepAlive = p.ReasonCode, p.Properties.ServerKeepAlive
		a.Reason, a.AssignedID = p.Properties.ReasonString, p.Properties.AssignedClientID
		a.ServerReference, a.AuthMethod = p.Properties.ServerReference, p.Properties.AuthMethod
	}
}

// propertyLayout is a packet that ends in its properties.
type propertyLayout struct {
	props properties
	// blank is a copy of the whole body with its secrets zeroed; nil if the
	// body is not one that Paho may see.
	blank []byte
}

// layOutProperties reads the properties that begin at an offset of the body and
// should reach its end, and notes what is wrong with them.
func layOutProperties(fr Frame, at int, where *place, ps *problems) *propertyLayout {
	blank := append([]byte(nil), fr.Body...)
	r := reader{b: fr.Body, blank: blank, at: at}
	l := &propertyLayout{props: r.properties(where, ps, where == &inConnack)}
	switch {
	case r.short:
		if fr.complete() {
			ps.add(propertyLength)
		}
		return l
	case r.at < len(fr.Body):
		ps.add(trailingProperties)
	}
	if !l.props.broken {
		l.blank = blank
	}
	return l
}

var errNotWhole = errors.New("parse packet: its properties are incomplete")

// parse gives the packet to the parser proper.
func (l *propertyLayout) parse(t byte) (packets5.Packet, error) {
	if l.blank == nil {
		return nil, errNotWhole
	}
	return unpack5(t, l.blank)
}
