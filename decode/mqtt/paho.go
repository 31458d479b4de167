package mqtt

import (
	"bytes"
	"fmt"
	"io"

	packets5 "github.com/eclipse/paho.golang/packets"
	packets3 "github.com/eclipse/paho.mqtt.golang/packets"
)

// Paho parses complete packets whose lengths have been checked, in a copy whose
// secrets have been zeroed. Neither of its packages is safe on anything else:
// both allocate what a length field claims, the one for 3.x takes a short read
// for a long string, and both keep passwords, which their String may print.

// strictReader fills the buffer or fails: the parser for 3.x ignores how much
// it was given.
type strictReader struct{ b []byte }

func (r *strictReader) Read(p []byte) (int, error) {
	if len(p) > len(r.b) {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, r.b)
	r.b = r.b[n:]
	return n, nil
}

// recovered turns a panic of the parser into an error.
func recovered(err *error) {
	if cause := recover(); cause != nil {
		*err = fmt.Errorf("parse packet: the parser failed: %v", cause)
	}
}

// unpack5 parses the body of a version 5 packet. The packet must have been made
// by NewControlPacket: parsing into a zero Connack panics.
func unpack5(t byte, body []byte) (content packets5.Packet, err error) {
	defer recovered(&err)
	packet := packets5.NewControlPacket(t)
	if err := packet.Content.Unpack(bytes.NewBuffer(body)); err != nil {
		return nil, err
	}
	return packet.Content, nil
}

// unpack3 parses the body of a 3.1 or 3.1.1 packet.
func unpack3(t byte, body []byte) (packet packets3.ControlPacket, err error) {
	defer recovered(&err)
	packet = packets3.NewControlPacket(t)
	if err := packet.Unpack(&strictReader{body}); err != nil {
		return nil, err
	}
	return packet, nil
}

// fillFromPaho sets what a whole CONNECT of a known version says.
func fillFromPaho(c *Connect, body []byte) error {
	if c.Version != V5 {
		packet, err := unpack3(packets3.Connect, body)
		if err != nil {
			return err
		}
		p := packet.(*packets3.ConnectPacket)
		c.ClientID, c.CleanStart, c.KeepAlive = p.ClientIdentifier, p.CleanSession, p.Keepalive
		c.Username, c.Password, c.Will = p.UsernameFlag, p.PasswordFlag, p.WillFlag
		c.WillQoS, c.WillRetain = p.WillQos, p.WillRetain
		return nil
	}
	content, err := unpack5(packets5.CONNECT, body)
	if err != nil {
		return err
	}
	p := content.(*packets5.Connect)
	c.ClientID, c.CleanStart, c.KeepAlive = p.ClientID, p.CleanStart, p.KeepAlive
	c.Username, c.Password, c.Will = p.UsernameFlag, p.PasswordFlag, p.WillFlag
	c.WillQoS, c.WillRetain = p.WillQOS, p.WillRetain
	c.AuthMethod, c.SessionExpiry = p.Properties.AuthMethod, p.Properties.SessionExpiryInterval
	return nil
}
