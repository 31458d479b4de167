package mqtt

import "strconv"

// returnCodes are the CONNACK return codes of MQTT 3.1 and 3.1.1 (3.1.1 section
// 3.2.2.3, table 3.1).
var returnCodes = [...]string{
	0: "connection accepted",
	1: "unacceptable protocol version",
	2: "identifier rejected",
	3: "server unavailable",
	4: "bad user name or password",
	5: "not authorized",
}

// reasonCodes are the reason codes of MQTT 5 that CONNACK, DISCONNECT and AUTH
// carry (5 section 2.4, table 2-6).
var reasonCodes = [256]string{
	0x00: "success",
	0x04: "disconnect with will message",
	0x18: "continue authentication",
	0x19: "re-authenticate",
	0x80: "unspecified error",
	0x81: "malformed packet",
	0x82: "protocol error",
	0x83: "implementation specific error",
	0x84: "unsupported protocol version",
	0x85: "client identifier not valid",
	0x86: "bad user name or password",
	0x87: "not authorized",
	0x88: "server unavailable",
	0x89: "server busy",
	0x8a: "banned",
	0x8b: "server shutting down",
	0x8c: "bad authentication method",
	0x8d: "keep alive timeout",
	0x8e: "session taken over",
	0x8f: "topic filter invalid",
	0x90: "topic name invalid",
	0x93: "receive maximum exceeded",
	0x94: "topic alias invalid",
	0x95: "packet too large",
	0x96: "message rate too high",
	0x97: "quota exceeded",
	0x98: "administrative action",
	0x99: "payload format invalid",
	0x9a: "retain not supported",
	0x9b: "QoS not supported",
	0x9c: "use another server",
	0x9d: "server moved",
	0x9e: "shared subscriptions not supported",
	0x9f: "connection rate exceeded",
	0xa0: "maximum connect time",
	0xa1: "subscription identifiers not supported",
	0xa2: "wildcard subscriptions not supported",
}

// connackReasons are the reason codes that a CONNACK may carry (5 section
// 3.2.2.2, table 3-1) [MQTT-3.2.2-8].
const connackReasons = "\x00\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8c\x90\x95\x97\x99\x9a\x9b\x9c\x9d\x9f"

// CodeName is the standard's name of a CONNACK return code (3.1, 3.1.1) or of a
// CONNACK, DISCONNECT or AUTH reason code (5), in lower case: "identifier
// rejected". Pass the version of the shape in which the code came. Codes that
// the version does not define are "non-standard code 6"; brokers do send such.
// Code 0 of version 5 is "success", also where a DISCONNECT uses it.
// VersionUnknown takes 0 to 5 as return codes and others as reason codes.
func CodeName(v Version, code byte) string {
	switch {
	case v != V5 && int(code) < len(returnCodes):
		return returnCodes[code]
	case (v == V5 || v == VersionUnknown) && reasonCodes[code] != "":
		return reasonCodes[code]
	}
	return "non-standard code " + strconv.Itoa(int(code))
}

// FormatCode writes a code as the reports do: "0x02".
func FormatCode(code byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{'0', 'x', digits[code>>4], digits[code&15]})
}
