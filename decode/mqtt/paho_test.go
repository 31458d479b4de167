package mqtt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	packets5 "github.com/eclipse/paho.golang/packets"
	packets3 "github.com/eclipse/paho.mqtt.golang/packets"
)

// Paho's parsers are the oracle of these tests, and nothing that ships runs
// them. They get complete bodies of bounded length: both packages allocate what
// a length field claims, the one for 3.x takes a short read for a long string,
// and both keep passwords, which their String may print.

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

var errTooLarge = errors.New("parse packet: it is larger than is kept")

// unpack5 parses the body of a version 5 packet; rest is how much of it the
// parser did not read. The packet must have been made by NewControlPacket:
// parsing into a zero Connack panics.
func unpack5(t byte, body []byte) (content packets5.Packet, rest int, err error) {
	defer recovered(&err)
	if len(body) > MaxConnect {
		return nil, 0, errTooLarge
	}
	packet, r := packets5.NewControlPacket(t), bytes.NewBuffer(bytes.Clone(body))
	err = packet.Content.Unpack(r)
	return packet.Content, r.Len(), err
}

// unpack3 parses the body of a 3.1 or 3.1.1 packet.
func unpack3(t byte, body []byte) (packet packets3.ControlPacket, rest int, err error) {
	defer recovered(&err)
	if len(body) > MaxConnect {
		return nil, 0, errTooLarge
	}
	packet, r := packets3.NewControlPacket(t), &strictReader{bytes.Clone(body)}
	err = packet.Unpack(r)
	return packet, len(r.b), err
}

func TestPanicBecomesError(t *testing.T) {
	if _, _, err := unpack5(0, nil); err == nil {
		t.Error("a packet of no type is parsed")
	}
	if _, _, err := unpack3(0, nil); err == nil {
		t.Error("a packet of no type is parsed")
	}
}

// A pahoParser gives what Paho reads in a body, in those fields that it knows,
// and how many bytes it leaves.
type pahoParser func(body []byte) (packet any, rest int, err error)

func pahoConnect3(body []byte) (any, int, error) {
	packet, rest, err := unpack3(packets3.Connect, body)
	if err != nil {
		return nil, rest, err
	}
	p := packet.(*packets3.ConnectPacket)
	return Connect{
		Name: p.ProtocolName, Level: p.ProtocolVersion,
		ClientID: p.ClientIdentifier, CleanStart: p.CleanSession, KeepAlive: p.Keepalive,
		Username: p.UsernameFlag, Password: p.PasswordFlag, UserTag: userTag(p.UsernameFlag, p.Username),
		Will: p.WillFlag, WillQoS: p.WillQos, WillRetain: p.WillRetain,
	}, rest, nil
}

func pahoConnect5(body []byte) (any, int, error) {
	content, rest, err := unpack5(packets5.CONNECT, body)
	if err != nil {
		return nil, rest, err
	}
	p := content.(*packets5.Connect)
	return Connect{
		Name: p.ProtocolName, Level: p.ProtocolVersion,
		ClientID: p.ClientID, CleanStart: p.CleanStart, KeepAlive: p.KeepAlive,
		Username: p.UsernameFlag, Password: p.PasswordFlag, UserTag: userTag(p.UsernameFlag, p.Username),
		Will: p.WillFlag, WillQoS: p.WillQOS, WillRetain: p.WillRetain,
		AuthMethod: p.Properties.AuthMethod, SessionExpiry: p.Properties.SessionExpiryInterval,
	}, rest, nil
}

func userTag(present bool, user string) Tag {
	if !present {
		return 0
	}
	return tagOf([]byte(user))
}

func pahoConnack3(body []byte) (any, int, error) {
	packet, rest, err := unpack3(packets3.Connack, body)
	if err != nil {
		return nil, rest, err
	}
	p := packet.(*packets3.ConnackPacket)
	return Connack{SessionPresent: p.SessionPresent, Code: p.ReturnCode}, rest, nil
}

func pahoConnack5(body []byte) (any, int, error) {
	content, rest, err := unpack5(packets5.CONNACK, body)
	if err != nil {
		return nil, rest, err
	}
	p := content.(*packets5.Connack)
	return Connack{
		SessionPresent: p.SessionPresent, Code: p.ReasonCode,
		Reason: p.Properties.ReasonString, AssignedID: p.Properties.AssignedClientID,
		ServerReference: p.Properties.ServerReference, AuthMethod: p.Properties.AuthMethod,
		ServerKeepAlive: p.Properties.ServerKeepAlive, Properties: pahoProperties(p.Properties),
	}, rest, nil
}

// pahoProperties are the identifiers of what Paho found in a CONNACK, sorted;
// an empty text is none to it, so no texts.
func pahoProperties(p *packets5.Properties) (ids []byte) {
	for id, there := range [...]bool{
		0x11: p.SessionExpiryInterval != nil,
		0x13: p.ServerKeepAlive != nil,
		0x21: p.ReceiveMaximum != nil,
		0x22: p.TopicAliasMaximum != nil,
		0x24: p.MaximumQOS != nil,
		0x25: p.RetainAvailable != nil,
		0x27: p.MaximumPacketSize != nil,
		0x28: p.WildcardSubAvailable != nil,
		0x29: p.SubIDAvailable != nil,
		0x2a: p.SharedSubAvailable != nil,
	} {
		if there {
			ids = append(ids, byte(id))
		}
	}
	return append(ids, bytes.Repeat([]byte{propUser}, len(p.User))...)
}

// likePaho gives identifiers as pahoProperties does.
func likePaho(all []byte) (ids []byte) {
	for _, id := range all {
		switch propertyTable[id].shape {
		case oneByte, twoBytes, fourBytes:
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	users := bytes.Count(all, []byte{propUser})
	return append(slices.Compact(ids), bytes.Repeat([]byte{propUser}, users)...)
}

func pahoDisconnect3(body []byte) (any, int, error) {
	_, rest, err := unpack3(packets3.Disconnect, body)
	return Disconnect{}, rest, err
}

func pahoDisconnect5(body []byte) (any, int, error) {
	content, rest, err := unpack5(packets5.DISCONNECT, body)
	if err != nil {
		return nil, rest, err
	}
	p := content.(*packets5.Disconnect)
	return Disconnect{
		HasCode: true, Code: p.ReasonCode,
		Reason: p.Properties.ReasonString, ServerReference: p.Properties.ServerReference,
	}, rest, nil
}

func pahoAuth(body []byte) (any, int, error) {
	content, rest, err := unpack5(packets5.AUTH, body)
	if err != nil {
		return nil, rest, err
	}
	p := content.(*packets5.Auth)
	return Auth{Code: p.ReasonCode, Method: p.Properties.AuthMethod}, rest, nil
}

// againstPaho holds what is read here in a whole packet against what Paho reads;
// connect is what a CONNACK answers, or nil.
func againstPaho(t testing.TB, fr Frame, connect *Connect) {
	t.Helper()
	if !fr.complete() || len(fr.Body) > MaxConnect {
		return
	}
	var problem string
	switch fr.Type {
	case TypeConnect:
		problem = connectAgainstPaho(fr)
	case TypeConnack:
		problem = connackAgainstPaho(fr, connect)
	case TypeDisconnect:
		d, err := ParseDisconnect(fr)
		if err != nil {
			t.Fatal(err)
		}
		noted, paho := d.Problems, pahoDisconnect5
		if d.Problems = nil; len(fr.Body) == 0 {
			paho = pahoDisconnect3
		}
		problem = compare(fr.Body, *d, noted, paho)
	case TypeAuth:
		a, err := ParseAuth(fr)
		if err != nil {
			t.Fatal(err)
		}
		noted := a.Problems
		a.Problems = nil
		problem = compare(fr.Body, *a, noted, pahoAuth)
	}
	if problem != "" {
		t.Fatalf("%v % x: %s", fr.Type, fr.Body, problem)
	}
}

func connectAgainstPaho(fr Frame) string {
	c, err := ParseConnect(fr)
	if err != nil {
		return refused(fr.Body, err, pahoConnect3, pahoConnect5)
	}
	ours := *c
	ours.Version, ours.Bridge, ours.Tag, ours.Length, ours.Problems = 0, false, 0, 0, nil
	switch c.Version {
	case V31, V311:
		return compare(fr.Body, ours, c.Problems, pahoConnect3)
	case V5:
		return compare(fr.Body, ours, c.Problems, pahoConnect5)
	}
	if c.IDUnknown {
		return "" // it has the layout of no version
	}
	problem := compare(fr.Body, ours, c.Problems, pahoConnect5)
	if problem != "" {
		problem = compare(fr.Body, ours, c.Problems, pahoConnect3)
	}
	return problem
}

func connackAgainstPaho(fr Frame, connect *Connect) string {
	a, err := ParseConnack(fr, connect)
	if err != nil {
		return refused(fr.Body, err, pahoConnack3, pahoConnack5)
	}
	ours := *a
	ours.Version, ours.Properties, ours.Problems = 0, likePaho(a.Properties), nil
	if connect != nil && connect.Version == V31 {
		ours.SessionPresent = fr.Body[0]&1 != 0 // "not used" in 3.1
	}
	if a.Version == V311 {
		// What is longer is noted as that.
		return compare(fr.Body[:2], ours, nil, pahoConnack3)
	}
	// An answer to 3.x in the shape of 5 is held to no rule of 5.
	alone, err := ParseConnack(fr, nil)
	if err != nil {
		return err.Error()
	}
	return compare(fr.Body, ours, alone.Problems, pahoConnack5)
}

// refused says what is wrong if a parser reads what is an error here.
func refused(body []byte, because error, parsers ...pahoParser) string {
	for _, paho := range parsers {
		if theirs, _, err := paho(body); err == nil {
			return fmt.Sprintf("%v, but Paho reads %+v", because, theirs)
		}
	}
	return ""
}

// compare says what is wrong: Paho must read what has no problem that it minds,
// and in what is whole it must read the same, to the same end.
func compare(body []byte, ours any, noted []Problem, paho pahoParser) string {
	var minds, short, trailing bool
	for _, p := range noted {
		switch p.ID {
		case "short-packet":
			short = true
		case "property-length":
			// Paho takes the end of the packet for that of its properties.
			short = short || p.Text == propertyLength.text
			minds = true
		case "property-not-allowed":
			minds = true
		case "non-minimal-length":
			// To Paho an identifier is one byte.
			minds = minds || strings.HasPrefix(p.Text, "a property identifier")
		case "trailing-bytes":
			trailing = true
		}
	}
	theirs, rest, err := paho(body)
	switch {
	case err != nil && !minds && !short:
		return fmt.Sprintf("problems %v, but Paho: %v", noted, err)
	case err != nil || short:
		return ""
	case !reflect.DeepEqual(ours, theirs):
		return fmt.Sprintf("\nours %+v\nPaho %+v", ours, theirs)
	case (rest > 0) != trailing:
		return fmt.Sprintf("problems %v, but Paho leaves %d bytes", noted, rest)
	}
	return ""
}

// randomProperties is a property list for a place, now and then a wrong one.
func randomProperties(r *rand.Rand, where *place) (list []byte) {
	rarely := func() bool { return r.IntN(25) == 0 }
	for range r.IntN(6) {
		id := where.ids[r.IntN(len(where.ids))]
		if rarely() {
			id = byte(r.IntN(len(propertyTable)))
		}
		if list = append(list, id); rarely() {
			list[len(list)-1] |= 0x80
			list = append(list, 0)
		}
		value := binary.BigEndian.AppendUint32(nil, r.Uint32()*r.Uint32N(2))
		switch propertyTable[id].shape {
		case oneByte:
			list = append(list, byte(r.IntN(2)))
		case twoBytes:
			list = append(list, value[:2]...)
		case fourBytes:
			list = append(list, value...)
		case varByte:
			list = append(list, varint(r.IntN(1<<21))...)
		case text, binaryData:
			list = append(list, field(randomText(r, 6))...)
		case textPair:
			list = append(append(list, field(randomText(r, 6))...), field(randomText(r, 6))...)
		}
	}
	length := varint(len(list))
	switch {
	case rarely():
		length = varint(max(0, len(list)+r.IntN(5)-2))
	case rarely():
		length[len(length)-1] |= 0x80
		length = append(length, 0)
	}
	return append(length, list...)
}

// TestPropertiesAgainstPaho holds packets of version 5 against Paho that have
// every property, often more than once, and now and then a mistake.
func TestPropertiesAgainstPaho(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 20_000 {
		will := slices.Concat(randomProperties(r, &inWill), field("topic"), field("payload"))
		for _, fr := range []Frame{
			{Type: TypeConnect, Body: slices.Concat(field("MQTT"), []byte{5, flagWill, 0, 60},
				randomProperties(r, &inConnect), field(randomText(r, 9)), will)},
			{Type: TypeConnack, Body: append([]byte{byte(r.IntN(2)), byte(r.Uint32())}, randomProperties(r, &inConnack)...)},
			{Type: TypeDisconnect, Body: append([]byte{byte(r.Uint32())}, randomProperties(r, &inDisconnect)...)},
			{Type: TypeAuth, Body: append([]byte{byte(r.Uint32())}, randomProperties(r, &inAuth)...)},
		} {
			switch r.IntN(20) {
			case 0:
				fr.Body = fr.Body[:r.IntN(len(fr.Body))]
			case 1:
				fr.Body = append(fr.Body, 0)
			}
			againstPaho(t, fr, nil)
		}
	}
}

// TestCapturesAgainstPaho holds every handshake packet of real brokers and
// clients against Paho.
func TestCapturesAgainstPaho(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../../testdata/*/*.pcap", brokerCaptures + "/*.pcap"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	packets := map[Type]int{}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			for _, s := range readStreams(t, file) {
				var connect *Connect
				for _, stream := range [][]byte{s.client, s.broker} {
					var f Framer
					for len(stream) > 0 {
						n, fr, ok := f.Feed(stream)
						stream = stream[n:]
						if !ok || keep(fr.Type) == 0 {
							continue
						}
						againstPaho(t, fr, connect)
						againstPaho(t, fr, nil)
						if c, err := ParseConnect(fr); err == nil && connect == nil {
							connect = c
						}
						packets[fr.Type]++
					}
				}
			}
		})
	}
	for _, typ := range []Type{TypeConnect, TypeConnack, TypeDisconnect, TypeAuth} {
		if packets[typ] == 0 {
			t.Errorf("no %v was compared", typ)
		}
	}
	t.Log(packets)
}
