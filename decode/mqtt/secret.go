package mqtt

import "unicode/utf8"

// Field says what a part of a packet is that others should not see.
type Field uint8

// The fields. The first ones are secrets, those from ClientIDField on tell who
// somebody is, and what about.
const (
	UserNameField Field = iota
	PasswordField
	WillPayloadField
	AuthDataField
	// UserPropertyField is the value of a user property, which may be a token.
	UserPropertyField
	// UnreadField is what cannot be told from a secret: the rest of a packet that
	// breaks off, that does not keep to the standard, or that is not all there.
	UnreadField
	ClientIDField
	// TopicField is a will topic or a response topic.
	TopicField
	// TextField is a reason string, a server reference or the like.
	TextField
	// BodyField is what a PUBLISH, SUBSCRIBE or UNSUBSCRIBE says.
	BodyField
)

// A Private is a part of a packet: its bytes from From up to To, counted from the
// packet's first one. Value is what they are, nil for UnreadField and BodyField.
type Private struct {
	Field    Field
	From, To int
	Value    []byte
}

// Privates calls yield for the parts of a packet that others should not see, in
// the order in which they lie. What is left over is certain to be of use: types, lengths,
// flags, codes, names of methods.
func Privates(fr Frame, yield func(Private)) {
	s := &secrets{head: headerLength(fr), whole: !fr.Oversize && !fr.Incomplete, yield: yield}
	s.r.b = fr.Body
	if fr.NonMinimal && !s.whole {
		// How long the header is, and so where the fields lie, is not told.
		if fr.Length > maxFixedHeader {
			yield(Private{Field: UnreadField, From: maxFixedHeader, To: fr.Length})
		}
		return
	}
	switch fr.Type {
	case TypeConnect:
		s.connect()
	case TypeConnack:
		s.r.skip(2)
		s.rest()
	case TypeAuth, TypeDisconnect:
		s.r.skip(1)
		s.rest()
	case TypePublish:
		s.body(fr, 2) // the length of the topic
		return
	case TypeSubscribe, TypeUnsubscribe:
		s.body(fr, 4) // the packet identifier, the length of the first filter
		return
	default:
		return
	}
	if end := s.head + len(fr.Body); end < fr.Length && fr.Type == TypeConnect {
		yield(Private{Field: UnreadField, From: end, To: fr.Length})
	}
}

// maxFixedHeader is the longest fixed header: a type and four bytes of length.
const maxFixedHeader = 5

// headerLength is how long a packet's fixed header is.
func headerLength(fr Frame) int {
	switch {
	case fr.Body != nil && !fr.Oversize && !fr.Incomplete:
		return fr.Length - len(fr.Body)
	case fr.BrokenLength:
		return 2
	case fr.NonMinimal:
		return maxFixedHeader
	}
	n := 2
	for limit := 128; n < maxFixedHeader && fr.Length-n >= limit; limit *= 128 {
		n++
	}
	return n
}

// secrets walks over a body.
type secrets struct {
	r     reader
	head  int
	whole bool
	yield func(Private)
}

func (s *secrets) field(f Field, at span) {
	if at.to > at.from {
		s.yield(Private{Field: f, From: s.head + at.from, To: s.head + at.to, Value: at.of(s.r.b)})
	}
}

// unread gives up: all from a place on may be anything.
func (s *secrets) unread(from int) {
	if from < len(s.r.b) {
		s.yield(Private{Field: UnreadField, From: s.head + from, To: s.head + len(s.r.b)})
	}
}

func (s *secrets) body(fr Frame, keep int) {
	if from := headerLength(fr) + keep; from < fr.Length {
		s.yield(Private{Field: BodyField, From: from, To: fr.Length})
	}
}

// connect walks over a CONNECT as [connectLayout] does.
func (s *secrets) connect() {
	r := &s.r
	name := r.field()
	level := byte(r.number(1))
	if r.short {
		s.unread(min(len(r.b), name.to))
		return
	}
	version, _ := versionOf(string(name.of(r.b)), level)
	five := version == V5
	if version == VersionUnknown {
		var ok bool
		if five, ok = s.guess(level); !ok {
			s.unread(r.at)
			return
		}
	}
	var l connectLayout
	l.layOut(r.b, r.at, five, !s.whole, &problems{version: version})
	s.fields(&l, five)
}

// guess finds the layout of a CONNECT of no known version, as [connectLayout.find]
// does.
func (s *secrets) guess(level byte) (five, ok bool) {
	if !s.whole {
		return false, false
	}
	fits := func(v Version) bool {
		var l connectLayout
		l.layOut(s.r.b, s.r.at, v == V5, false, &problems{version: v})
		return l.reached == stageEnd && !l.trailing && !l.props.broken && utf8.Valid(l.id.of(s.r.b))
	}
	if level >= 5 && fits(V5) {
		return true, true
	}
	return false, fits(V311)
}

// fields gives the fields of a CONNECT up to where it breaks off.
func (s *secrets) fields(l *connectLayout, five bool) {
	r := &s.r
	r.skip(1 + 2) // flags, keep-alive
	if five && l.reached > stageHeader {
		s.properties()
	}
	stopped := func() bool {
		if r.short {
			s.stop()
		}
		return r.short
	}
	if l.reached == stageHeader {
		s.unread(r.at)
		return
	}
	if stopped() {
		return
	}
	id := s.take()
	// As for [Connect].IDUnknown: a length too large may have swallowed a password.
	swallowed := s.whole && (l.flags&flagUsername != 0 && l.reached <= stageUser || l.flags&(flagUsername|flagPassword) == flagPassword && l.reached <= stagePassword)
	if swallowed {
		s.field(UnreadField, id)
	} else {
		s.field(ClientIDField, id)
	}
	if l.flags&flagWill != 0 && !r.short {
		if five {
			s.properties()
		}
		s.field(TopicField, s.take())
		s.field(WillPayloadField, s.take())
	}
	if l.flags&flagUsername != 0 {
		s.field(UserNameField, s.take())
	}
	if l.flags&flagPassword != 0 {
		s.field(PasswordField, s.take())
	}
	if !stopped() {
		s.unread(r.at) // bytes behind the last field
	}
}

// take reads a field with its length. Where it does not fit, the reader stays in
// front of it.
func (s *secrets) take() span {
	if s.r.short {
		return span{}
	}
	at := s.r.at
	f := s.r.field()
	if s.r.short {
		s.r.at = at
	}
	return f
}

// stop gives up at a field that does not fit. Of a packet that is not all there
// its length stays, so that it still does not fit; else even that may be
// anything.
func (s *secrets) stop() {
	at := s.r.at
	if !s.whole {
		at += 2
	}
	s.unread(at)
}

// rest is the properties that a packet ends with.
func (s *secrets) rest() {
	if s.r.short || s.r.at == len(s.r.b) {
		return
	}
	if s.properties(); s.r.short {
		s.unread(s.r.at)
		return
	}
	s.unread(s.r.at)
}

// properties walks over a property list. One that does not fit leaves the
// reader in front of it.
func (s *secrets) properties() {
	if s.r.short {
		return
	}
	at := s.r.at
	length, _ := s.r.varint()
	list := s.r.skip(length)
	if s.r.short {
		s.r.at = at
		return
	}
	in := reader{b: s.r.b[:list.to], at: list.from}
	for in.at < list.to {
		first := in.at
		id, _ := in.varint()
		if in.short || id >= len(propertyTable) || propertyTable[id].shape == noProperty || !s.property(&in, byte(id)) {
			// Its identifier stays, so that it breaks the list as before.
			s.field(UnreadField, span{min(first+1, list.to), list.to})
			return
		}
	}
}

// property gives what a property's value holds; false where it does not fit.
func (s *secrets) property(in *reader, id byte) bool {
	switch propertyTable[id].shape {
	case oneByte:
		in.skip(1)
	case twoBytes:
		in.skip(2)
	case fourBytes:
		in.skip(4)
	case varByte:
		in.varint()
	case text, binaryData:
		value := in.field()
		if in.short {
			return false
		}
		switch id {
		case propAuthData:
			s.field(AuthDataField, value)
		case propAssignedID:
			s.field(ClientIDField, value)
		case propResponseTopic, propResponseInformation:
			s.field(TopicField, value)
		case propReason, propServerReference, propCorrelation:
			s.field(TextField, value)
		}
	case textPair:
		in.field()
		value := in.field()
		if in.short {
			return false
		}
		s.field(UserPropertyField, value)
	}
	return !in.short
}

// Further properties (5 section 2.2.2.2).
const (
	propResponseTopic       = 0x08
	propCorrelation         = 0x09
	propResponseInformation = 0x1a
)
