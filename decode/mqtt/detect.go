package mqtt

import (
	"encoding/binary"
	"strings"
)

// Kind is what the first bytes of one direction of a stream are.
type Kind uint8

// The kinds.
const (
	// KindNeedMore: the bytes so far are the beginning of several kinds.
	KindNeedMore Kind = iota
	// KindConnect: an MQTT CONNECT, also one with a broken length.
	KindConnect
	// KindConnectLike: what a CONNECT would be if its protocol name were one
	// of MQTT's, such as MQTX.
	KindConnectLike
	// KindConnack: an MQTT CONNACK in either shape.
	KindConnack
	// KindOtherMQTT: a whole plausible header of another control packet, as
	// where a capture begins in mid-stream. Weak: a few random bytes can look
	// the same.
	KindOtherMQTT
	// KindTLS: a TLS record with a handshake message or an alert.
	KindTLS
	// KindHTTP: an HTTP request or response.
	KindHTTP
	// KindOther: none of these.
	KindOther
)

func (k Kind) String() string {
	switch k {
	case KindNeedMore:
		return "need-more"
	case KindConnect:
		return "connect"
	case KindConnectLike:
		return "connect-like"
	case KindConnack:
		return "connack"
	case KindOtherMQTT:
		return "other-mqtt"
	case KindTLS:
		return "tls"
	case KindHTTP:
		return "http"
	}
	return "other"
}

// maxDetect is how many bytes always suffice: a CONNECT's header, two bytes of
// name length and a name of maxName bytes.
const maxDetect = 32

// The length of a protocol name that is not a known one.
const (
	minName = 2
	maxName = 23
)

// httpStarts are how HTTP/1 begins, and the preface of HTTP/2 (RFC 9113 §3.4).
// "GET " read as MQTT is a PUBACK of 69 bytes with forbidden flags.
var httpStarts = [...]string{
	"GET ", "POST ", "PUT ", "HEAD ", "OPTIONS ", "DELETE ", "PATCH ", "CONNECT ", "TRACE ", "PRI * HTTP/2", "HTTP/",
}

// Detect says what begins with p, the first bytes of a direction: bytes that
// follow the TCP handshake, or that a capture happens to start with. It decides
// as soon as it can, at the latest with 32 bytes.
func Detect(p []byte) Kind {
	if len(p) == 0 {
		return KindNeedMore
	}
	waiting := false
	for _, start := range httpStarts {
		if p[0] != start[0] {
			continue
		}
		switch hasPrefix(p, start) {
		case yes:
			return KindHTTP
		case undecided:
			waiting = true
		}
	}
	switch detectTLS(p) {
	case yes:
		return KindTLS
	case undecided:
		return KindNeedMore
	}
	if waiting {
		return KindNeedMore
	}
	return detectMQTT(p)
}

// detectTLS recognises the records that a side can begin with: handshake (22)
// and alert (21), of any version from SSL 3.0 to TLS 1.3 (RFC 8446 §5.1). The
// first two bytes read as MQTT are a CONNECT of 3 bytes with forbidden flags.
func detectTLS(p []byte) verdict {
	switch {
	case p[0] != 0x16 && p[0] != 0x15:
		return no
	case len(p) < 2:
		return undecided
	case p[1] != 3:
		return no
	case len(p) < 3:
		return undecided
	case p[2] <= 4:
		return yes
	}
	return no
}

func detectMQTT(p []byte) Kind {
	var h header
	switch readHeader(p, &h) {
	case undecided:
		return KindNeedMore
	case no:
		return KindOther
	}
	if h.brokenLength {
		return KindConnect
	}
	// What is seen of this packet, without what follows it.
	seen := p[min(h.size, len(p)):min(h.size+h.body, len(p), maxDetect)]
	v, kind := no, KindOtherMQTT
	switch t := h.typ(); {
	case t == TypeConnect:
		return detectConnect(&h, seen)
	case t == TypePublish:
		v = plausiblePublish(&h, seen)
	case h.first&15 != fixedFlags[t]:
	case t == TypeConnack:
		v, kind = plausibleConnack(&h, seen), KindConnack
	default:
		v = plausibleOther(&h, seen)
	}
	switch v {
	case yes:
		return kind
	case undecided:
		return KindNeedMore
	}
	return KindOther
}

// detectConnect looks at the protocol name.
func detectConnect(h *header, seen []byte) Kind {
	for _, name := range [...]string{"\x00\x04MQTT", "\x00\x06MQIsdp"} {
		switch hasPrefix(seen, name) {
		case yes:
			return KindConnect
		case undecided:
			if len(seen) < h.body {
				return KindNeedMore
			}
		}
	}
	if h.first&15 != 0 {
		return KindOther
	}
	if len(seen) < 2 {
		return more(h, seen)
	}
	// After the name come at least a level, flags, keep alive and the length
	// of the client identifier.
	name := int(binary.BigEndian.Uint16(seen))
	if name < minName || name > maxName || h.body < 2+name+6 {
		return KindOther
	}
	for _, c := range seen[2:min(2+name, len(seen))] {
		if c <= ' ' || c > '~' {
			return KindOther
		}
	}
	if len(seen) < 2+name {
		return KindNeedMore
	}
	return KindConnectLike
}

// more is for a decision that needs bytes beyond those seen.
func more(h *header, seen []byte) Kind {
	if len(seen) < h.body {
		return KindNeedMore
	}
	return KindOther
}

// fits5 reports whether the bytes from at on are the properties of version 5
// that reach, or leave at least after bytes to, the end of a body: their length
// must fit, and the first identifier be one of ids.
func fits5(h *header, seen []byte, at, after int, ids string) verdict {
	r := reader{b: seen, at: at}
	length, minimal := r.varint()
	switch {
	case r.short && len(seen) < h.body && len(seen) < at+4:
		return undecided
	case r.short || !minimal:
		return no
	case after == 0 && r.at+length != h.body, r.at+length+after > h.body:
		return no
	case length == 0:
		return yes
	}
	if r.at == len(seen) {
		return undecided
	}
	if strings.IndexByte(ids, seen[r.at]) < 0 {
		return no
	}
	return yes
}

// plausibleConnack takes any code for one: brokers send more than there are.
func plausibleConnack(h *header, seen []byte) verdict {
	switch {
	case h.body < 2:
		return no
	case len(seen) > 0 && seen[0] > 1:
		return no
	case len(seen) < 2:
		return undecided
	case h.body == 2:
		return yes
	case seen[1] != 0 && seen[1] < 0x80:
		return no
	}
	return fits5(h, seen, 2, 0, inConnack.ids)
}

// plausiblePublish looks at the beginning of the topic.
func plausiblePublish(h *header, seen []byte) verdict {
	const enough = 8 // bytes of topic
	qos, dup := h.first>>1&3, h.first&8 != 0
	if qos == 3 || dup && qos == 0 || h.nonMinimal || h.body < 3 {
		return no // [MQTT-3.3.1-4], [MQTT-3.3.1-2]
	}
	if len(seen) < 2 {
		return undecided
	}
	id := 0
	if qos > 0 {
		id = 2
	}
	topic := int(binary.BigEndian.Uint16(seen))
	if topic == 0 || 2+topic+id > h.body {
		return no
	}
	want := min(topic, enough)
	for _, c := range seen[2:min(2+want, len(seen))] {
		if c < ' ' || c == '#' || c == '+' || c == 0x7f {
			return no // [MQTT-3.3.2-2]
		}
	}
	if len(seen) < 2+want {
		return undecided
	}
	return yes
}

// Properties that packets after the handshake may carry first.
const (
	ackProperties         = "\x1f\x26"
	subscribeProperties   = "\x0b\x26"
	unsubscribeProperties = "\x26"
)

// plausibleOther looks at the packets that begin with a packet identifier, and
// at DISCONNECT and AUTH.
func plausibleOther(h *header, seen []byte) verdict {
	t := h.typ()
	switch t {
	case TypePingreq, TypePingresp:
		return yes
	case TypeDisconnect:
		return plausibleEnd(h, seen, &inDisconnect)
	case TypeAuth:
		return plausibleEnd(h, seen, &inAuth)
	}
	if h.nonMinimal || h.body < 2 {
		return no
	}
	if len(seen) < 2 {
		return undecided
	}
	if seen[0] == 0 && seen[1] == 0 {
		return no // a packet identifier is not 0: 3.1.1 and 5 section 2.3.1 / 2.2.1
	}
	switch t {
	case TypeSubscribe:
		return plausibleFilters(h, seen, 1, subscribeProperties)
	case TypeUnsubscribe:
		return plausibleFilters(h, seen, 0, unsubscribeProperties)
	case TypeSuback:
		return plausibleCodes(h, seen, true)
	case TypeUnsuback:
		if h.body == 2 {
			return yes
		}
		return plausibleCodes(h, seen, false)
	}
	// PUBACK, PUBREC, PUBREL, PUBCOMP
	switch {
	case h.body == 2:
		return yes
	case len(seen) < 3:
		return undecided
	case !isAckReason(seen[2]):
		return no
	case h.body == 3:
		return yes
	}
	return fits5(h, seen, 3, 0, ackProperties)
}

// isAckReason knows success, "no matching subscribers" and the failures (5
// section 2.4).
func isAckReason(code byte) bool {
	return code == 0 || code == 0x10 || code >= 0x80 && code <= 0xa2
}

// plausibleEnd looks at DISCONNECT and AUTH: nothing, a code, or a code and
// properties.
func plausibleEnd(h *header, seen []byte, where *place) verdict {
	switch {
	case h.body == 0:
		return yes
	case len(seen) == 0:
		return undecided
	case reasonCodes[seen[0]] == "":
		return no
	case h.body == 1:
		return yes
	}
	return fits5(h, seen, 1, 0, where.ids)
}

// plausibleFilters looks at the first topic filter of SUBSCRIBE and UNSUBSCRIBE,
// in the shape of 3.x or, after properties, of 5; options is the number of bytes
// after each filter.
func plausibleFilters(h *header, seen []byte, options int, ids string) verdict {
	const enough = 4 // bytes of filter
	filter := func(at int) verdict {
		if len(seen) < at+2 {
			if h.body < at+2 {
				return no
			}
			return undecided
		}
		length := int(binary.BigEndian.Uint16(seen[at:]))
		if length == 0 || at+2+length+options > h.body {
			return no
		}
		want := min(length, enough)
		for _, c := range seen[at+2 : min(at+2+want, len(seen))] {
			if c < ' ' || c == 0x7f {
				return no
			}
		}
		if len(seen) < at+2+want {
			return undecided
		}
		return yes
	}
	if v := filter(2); v != no {
		return v
	}
	v := fits5(h, seen, 2, 3+options, ids)
	if v == yes && seen[2] == 0 {
		return filter(3)
	}
	return v
}

// plausibleCodes looks at SUBACK and UNSUBACK: one code a filter, in version 5
// after properties. codes3 says that there are codes without properties too.
func plausibleCodes(h *header, seen []byte, codes3 bool) verdict {
	const enough = 2 // codes
	end := min(h.body, 2+enough)
	if len(seen) < end {
		return undecided
	}
	if codes3 && h.body > 2 {
		fits := true
		for _, code := range seen[2:end] {
			fits = fits && (code <= 2 || code == 0x80)
		}
		if fits {
			return yes
		}
	}
	return fits5(h, seen, 2, 1, ackProperties)
}
