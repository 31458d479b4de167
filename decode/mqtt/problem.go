package mqtt

// rule is one demand of the standards on a packet. Its clauses are those of MQTT
// 3.1, of 3.1.1 and of 5: a numbered statement, or the section of a demand that
// has no number; "" where the version does not demand it.
type rule struct {
	id            string
	v31, v311, v5 string
	text          string
	refusable     bool
}

// clause is the rule's in the version; packets of no known version are held to
// 3.1.1.
func (r *rule) clause(v Version) string {
	switch v {
	case V31:
		return r.v31
	case V5:
		return r.v5
	}
	return r.v311
}

// problems collects the ways in which one packet breaks the standard.
type problems struct {
	version Version
	list    []Problem
}

// add notes that the rule is broken, if it is one of the packet's version.
func (p *problems) add(r rule) { p.addFor(r, "") }

// addFor does so for one of the packet's fields, whose name begins the text. A
// packet may break a rule a thousand times, with a thousand copies of one
// property; the first is noted.
func (p *problems) addFor(r rule, field string) {
	clause := r.clause(p.version)
	if clause == "" {
		return
	}
	found := Problem{ID: r.id, Clause: clause, Text: field + r.text, Refusable: r.refusable}
	for _, have := range p.list {
		if have == found {
			return
		}
	}
	p.list = append(p.list, found)
}

// Rules of every packet.
var (
	headerFlags = rule{id: "header-flags", v311: "MQTT-2.2.2-2", v5: "MQTT-2.1.3-1",
		text: "the reserved flags of the fixed header do not have the prescribed value"}
	brokenLengthRule = rule{id: "broken-length", v31: "section 2.1", v311: "section 2.2.3", v5: "section 1.5.5",
		text: "the remaining length is one byte although the packet is longer than 127 bytes"}
	// Only version 5 demands the shortest form; the earlier ones just show it.
	nonMinimal5 = rule{id: "non-minimal-length", v5: "MQTT-1.5.5-1",
		text: " has more bytes than it needs"}
	nonMinimal3 = rule{id: "non-minimal-length", v31: "section 2.1", v311: "section 2.2.3",
		text: " has more bytes than it needs", refusable: true}
	badUTF8 = rule{id: "invalid-utf-8", v31: "section 2.5", v311: "MQTT-1.5.3-1", v5: "MQTT-1.5.4-1",
		text: " is not well-formed UTF-8"}
	nulInString = rule{id: "null-character", v311: "MQTT-1.5.3-2", v5: "MQTT-1.5.4-2",
		text: " contains the null character"}
)

// Rules of CONNECT. In 3.1 the connect flags that do not apply are "not used",
// and may have any value.
var (
	protocolName = rule{id: "unknown-protocol-name", v31: "MQTT-3.1.2-1", v311: "MQTT-3.1.2-1", v5: "MQTT-3.1.2-1",
		text: "the protocol name is neither MQTT nor MQIsdp"}
	protocolLevel = rule{id: "unknown-protocol-level", v31: "MQTT-3.1.2-2", v311: "MQTT-3.1.2-2", v5: "MQTT-3.1.2-2",
		text: "no version of MQTT has this protocol level with this protocol name", refusable: true}
	reservedFlag = rule{id: "reserved-flag", v311: "MQTT-3.1.2-3", v5: "MQTT-3.1.2-3",
		text: "the reserved connect flag is set"}
	willQoS3 = rule{id: "will-qos-3", v31: "section 3.1", v311: "MQTT-3.1.2-14", v5: "MQTT-3.1.2-12",
		text: "the will QoS is 3"}
	willQoSAlone = rule{id: "will-qos-without-will", v311: "MQTT-3.1.2-13", v5: "MQTT-3.1.2-11",
		text: "a will QoS is set without the will flag"}
	willRetainAlone = rule{id: "will-retain-without-will", v311: "MQTT-3.1.2-15", v5: "MQTT-3.1.2-13",
		text: "will retain is set without the will flag"}
	passwordAlone = rule{id: "password-without-username", v31: "section 3.1", v311: "MQTT-3.1.2-22",
		text: "the password flag is set without the user name flag"}
	// The broker answers with 0x02 [MQTT-3.1.3-8], or is lenient.
	emptyID = rule{id: "empty-client-id", v311: "MQTT-3.1.3-7",
		text: "the client identifier is empty although clean session is 0", refusable: true}
	emptyID31 = rule{id: "empty-client-id", v31: "section 3.1",
		text: "the client identifier is empty", refusable: true}
	longID31 = rule{id: "long-client-id", v31: "section 3.1",
		text: "the client identifier is longer than 23 characters", refusable: true}
	trailingBytes = rule{id: "trailing-bytes", v31: "section 3.1", v311: "MQTT-3.1.3-1", v5: "MQTT-3.1.3-1",
		text: "bytes follow the last field"}

	authDataAlone = rule{id: "auth-data-without-method", v5: "section 3.1.2.11.10",
		text: "authentication data is there without an authentication method"}

	shortHeader   = short("MQTT-3.1.4-1", "MQTT-3.1.4-1", "the packet ends before its connect flags and keep alive are complete")
	shortID       = short("MQTT-3.1.3-3", "MQTT-3.1.3-3", "the packet ends before its client identifier is complete")
	shortWill     = short("MQTT-3.1.2-9", "MQTT-3.1.2-9", "the packet ends before its will is complete")
	shortUser     = short("MQTT-3.1.2-19", "MQTT-3.1.2-17", "the packet ends before its user name is complete")
	shortPassword = short("MQTT-3.1.2-21", "MQTT-3.1.2-19", "the packet ends before its password is complete")
)

func short(v311, v5, text string) rule {
	return rule{id: "short-packet", v31: "section 3.1", v311: v311, v5: v5, text: text}
}

// Rules of the other handshake packets.
var (
	ackFlags = rule{id: "reserved-ack-flags", v311: "section 3.2.2.1", v5: "MQTT-3.2.2-1",
		text: "reserved bits of the connect acknowledge flags are set"}
	presentRejected = rule{id: "session-present-with-error", v311: "MQTT-3.2.2-4", v5: "MQTT-3.2.2-6",
		text: "session present is set although the connection is refused"}
	presentClean = rule{id: "session-present-after-clean-start", v311: "MQTT-3.2.2-1", v5: "MQTT-3.2.2-2",
		text: "session present is set although the client asked for a clean start"}
	reservedCode = rule{id: "reserved-code", v31: "section 3.2", v311: "section 3.2.2.3", v5: "MQTT-3.2.2-8",
		text: "the standard does not define the code for a CONNACK"}
	noAssignedID = rule{id: "no-assigned-client-id", v5: "MQTT-3.2.2-16",
		text: "the client sent no client identifier and is not told the assigned one"}
	connackLength = rule{id: "connack-length", v31: "section 3.2", v311: "section 3.2.1",
		text: "the length does not fit the client's version"}
	trailingProperties = rule{id: "trailing-bytes", v5: "section 2.2.2",
		text: "bytes follow the properties"}
)
