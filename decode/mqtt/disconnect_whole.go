package mqtt

// IsDisconnect reports whether p is one whole DISCONNECT, and nothing else: without a
// body, or with a reason code that a DISCONNECT may have and properties of the right length (MQTT 5,
// section 3.14.2).
func IsDisconnect(p []byte) bool {
	const header, most = 2, 0x7f // longer ones have another length byte
	if len(p) < header || p[0] != byte(TypeDisconnect)<<4 || p[1] > most || int(p[1]) != len(p)-header {
		return false
	}
	switch body := p[header:]; {
	case len(body) == 0:
		return true
	case body[0] != 0 && body[0] != 4 && body[0] < 0x80:
		return false
	case len(body) == 1:
		return true
	default:
		return int(body[1]) == len(body)-2
	}
}
