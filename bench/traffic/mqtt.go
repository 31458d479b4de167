package traffic

// The MQTT packets. Remaining Length is one byte, but for PUBLISH two.

// connect is a CONNECT with a clean session (or start) and a keep-alive of a
// minute; in MQTT 5 with a Session Expiry Interval of 0.
func connect(b []byte, c *conversation) []byte {
	at := len(b)
	b = append(b, 0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60)
	if c.v5 {
		b[at+8] = 5
		b = append(b, 5, 0x11, 0, 0, 0, 0)
	}
	b = append(b, 0, idSize)
	b = appendID(b, c.device)
	b[at+1] = byte(len(b) - at - 2)
	return b
}

// connack accepts.
func connack(b []byte, c *conversation) []byte { return appendConnack(b, c, 0) }

// notAuthorized rejects: the code is 5 in MQTT 3.1.1 and 0x87 in MQTT 5.
func notAuthorized(b []byte, c *conversation) []byte {
	if c.v5 {
		return appendConnack(b, c, 0x87)
	}
	return appendConnack(b, c, 5)
}

func appendConnack(b []byte, c *conversation, code byte) []byte {
	if c.v5 {
		return append(b, 0x20, 3, 0, code, 0)
	}
	return append(b, 0x20, 2, 0, code)
}

// publish is a reading at QoS 0, 194 bytes in all.
func publish(b []byte, c *conversation) []byte {
	at := len(b)
	b = append(b, 0x30, 0, 0, 0, 0)
	b = append(b, "plant/"...)
	b = appendID(b, c.device)
	b = append(b, "/telemetry"...)
	b[at+4] = byte(len(b) - at - 5)
	r := c.random()
	b = append(b, `{"sequence":`...)
	b = appendDigits(b, uint32(c.at), 6)
	b = append(b, `,"temperature_celsius":`...)
	b = appendDigits(b, uint32(r&0xffff), 5)
	b = append(b, `,"relative_humidity":`...)
	b = appendDigits(b, uint32(r>>16&0xffff), 5)
	b = append(b, `,"air_pressure_pascal":`...)
	b = appendDigits(b, uint32(r>>32&0xffff), 5)
	b = append(b, `,"battery_millivolt":`...)
	b = appendDigits(b, uint32(r>>48), 5)
	b = append(b, `,"state":"idle","charging":false}`...)
	n := len(b) - at - 3
	b[at+1], b[at+2] = byte(n)|0x80, byte(n>>7)
	return b
}

// disconnect is the client's.
func disconnect(b []byte, _ *conversation) []byte { return append(b, 0xe0, 0) }

// takenOver is the broker's DISCONNECT to a client whose session another took
// over. A broker sends none before MQTT 5.
func takenOver(b []byte, c *conversation) []byte {
	if c.v5 {
		return append(b, 0xe0, 2, 0x8e, 0)
	}
	return b
}

const idSize = byte(len("device-0001234"))

func appendID(b []byte, device uint32) []byte {
	return appendDigits(append(b, "device-"...), device, 7)
}

// appendDigits appends the last n digits of v.
func appendDigits(b []byte, v uint32, n int) []byte {
	end := len(b) + n
	b = b[:end]
	for i := end - 1; i >= end-n; i-- {
		b[i] = byte('0' + v%10)
		v /= 10
	}
	return b
}
