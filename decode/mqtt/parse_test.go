package mqtt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// TestConnectRoundTrip: what a straightforward encoder writes is what is read.
func TestConnectRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		m := randomConnect(r)
		stream := m.encode()
		fr := oneFrame(t, stream)
		c, err := ParseConnect(fr)
		if err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
		againstPaho(t, fr, nil)
		want := &Connect{
			Name: "MQTT", Level: 4, Version: m.version, Bridge: m.bridge,
			ClientID: m.id, CleanStart: m.clean, KeepAlive: m.keepAlive,
			Username: m.user != nil, Password: m.password != nil,
			Will: m.will, WillQoS: m.willQoS, WillRetain: m.willRetain,
			AuthMethod: m.authMethod, SessionExpiry: m.sessionExpiry,
			Length: len(stream), Tag: c.Tag, UserTag: c.UserTag,
		}
		switch m.version {
		case V31:
			want.Name, want.Level = "MQIsdp", 3
		case V5:
			want.Level = 5
		}
		if m.bridge {
			want.Level |= 0x80
		}
		if !reflect.DeepEqual(c, want) {
			t.Fatalf("% x\n got %+v\nwant %+v", stream, c, want)
		}
		if c.Tag == 0 || (c.UserTag != 0) != (m.user != nil) {
			t.Fatalf("tags %v %v of %+v", c.Tag, c.UserTag, m)
		}
	}
}

func TestTags(t *testing.T) {
	parse := func(change func(*modelConnect)) *Connect {
		user, password := "user", "password"
		m := &modelConnect{version: V311, id: "a", clean: true, user: &user, password: &password}
		change(m)
		c, err := ParseConnect(oneFrame(t, m.encode()))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	one := parse(func(*modelConnect) {})
	if two := parse(func(*modelConnect) {}); two.Tag != one.Tag || two.UserTag != one.UserTag {
		t.Error("the same packet has another tag")
	}
	other := "passwort"
	if two := parse(func(m *modelConnect) { m.password = &other }); two.Tag == one.Tag || two.UserTag != one.UserTag {
		t.Error("another password: the packet's tag must change, the user's not")
	}
	if two := parse(func(m *modelConnect) { m.user = &other }); two.Tag == one.Tag || two.UserTag == one.UserTag {
		t.Error("another user name: both tags must change")
	}
	empty := ""
	if two := parse(func(m *modelConnect) { m.user = &empty }); two.UserTag == 0 || !two.Username {
		t.Error("an empty user name is one")
	}
}

// ids lists problems as "id clause", with "?" where they are only refusable.
func ids(list []Problem) (s []string) {
	for _, p := range list {
		if p.Text == "" || p.Text != strings.ToLower(p.Text[:1])+p.Text[1:] {
			s = append(s, "bad text "+p.Text)
		}
		id := p.ID + " " + p.Clause
		if p.Refusable {
			id += "?"
		}
		s = append(s, id)
	}
	return s
}

func TestConnectProblems(t *testing.T) {
	v5 := func(flags, props, payload string) string { return "0004'MQTT'05" + flags + "003c" + props + payload }
	cases := []struct {
		name     string
		first    byte
		body     string
		version  Version
		id       string
		problems []string
	}{
		{"mosquitto client", 0x10, "0004'MQTT'0402003c0002'n1'", V311, "n1", nil},
		{"bridge bit 0x84", 0x10, "0004'MQTT'8402003c0002'br'", V311, "br", nil},
		{"bridge bit 0x83", 0x10, "0006'MQIsdp'8302003c0002'br'", V31, "br", nil},
		{"bridge bit is none in 5", 0x10, "0004'MQTT'8502003c000002'br'", VersionUnknown, "br", []string{"unknown-protocol-level MQTT-3.1.2-2?"}},
		{"v5 auth method", 0x10, v5("02", "0e15000b'SCRAM-SHA-1'", "0003'em1'"), V5, "em1", nil},
		{"v5 password without user name is allowed", 0x10, v5("42", "00", "0001'a'0001'p'"), V5, "a", nil},
		{"v5 empty id without clean start is allowed", 0x10, v5("00", "00", "0000"), V5, "", nil},
		{"v5 repeated user property is allowed", 0x10, v5("02", "0e 26 0001'a'0001'b' 26 0001'a'0001'b'", "0001'a'"), V5, "a", nil},

		{"MQTT-3.1.2-2 level 6 (MQTT 3.x layout)", 0x10, "0004'MQTT'0602003c0002'l6'", VersionUnknown, "l6", []string{"unknown-protocol-level MQTT-3.1.2-2?"}},
		{"MQTT-3.1.2-2 level 6 (MQTT 5 layout)", 0x10, "0004'MQTT'0602003c000002'l6'", VersionUnknown, "l6", []string{"unknown-protocol-level MQTT-3.1.2-2?"}},
		{"MQTT-3.1.2-2 name MQTT, level 3", 0x10, "0004'MQTT'0302003c0002'l3'", VersionUnknown, "l3", []string{"unknown-protocol-level MQTT-3.1.2-2?"}},
		{"MQTT-3.1.2-2 name MQIsdp, level 4", 0x10, "0006'MQIsdp'0402003c0002'l3'", VersionUnknown, "l3", []string{"unknown-protocol-level MQTT-3.1.2-2?"}},
		{"MQTT-3.1.2-1 name MQTX", 0x10, "0004'MQTX'0402003c0002'n1'", VersionUnknown, "n1", []string{"unknown-protocol-name MQTT-3.1.2-1"}},
		{"MQTT-3.1.2-1 name MQTX, and another layout", 0x10, "0004'MQTX'0402003c'some text'", VersionUnknown, "", []string{"unknown-protocol-name MQTT-3.1.2-1"}},
		{"MQTT-3.1.2-1 name MQTX, reserved flag", 0x10, "0004'MQTX'0403003c0002'n1'", VersionUnknown, "n1", []string{"unknown-protocol-name MQTT-3.1.2-1", "reserved-flag MQTT-3.1.2-3"}},

		{"MQTT-2.2.2-2 header flags", 0x12, "0004'MQTT'0402003c0002'n1'", V311, "n1", []string{"header-flags MQTT-2.2.2-2"}},
		{"MQTT-2.1.3-1 header flags", 0x12, v5("02", "00", "0002'n1'"), V5, "n1", []string{"header-flags MQTT-2.1.3-1"}},
		{"3.1 does not use header flags", 0x12, "0006'MQIsdp'0302003c0002'n1'", V31, "n1", nil},
		{"MQTT-3.1.2-3 reserved flag, 3.1.1", 0x10, "0004'MQTT'0403003c0002'r1'", V311, "r1", []string{"reserved-flag MQTT-3.1.2-3"}},
		{"MQTT-3.1.2-3 reserved flag, 5", 0x10, v5("03", "00", "0002'r1'"), V5, "r1", []string{"reserved-flag MQTT-3.1.2-3"}},
		{"MQTT-3.1.2-14 will qos 3, 3.1.1", 0x10, "0004'MQTT'041e003c0001'a'0001't'0001'w'", V311, "a", []string{"will-qos-3 MQTT-3.1.2-14"}},
		{"MQTT-3.1.2-12 will qos 3, 5", 0x10, v5("1e", "00", "0001'a'00 0001't'0001'w'"), V5, "a", []string{"will-qos-3 MQTT-3.1.2-12"}},
		{"MQTT-3.1.2-13 -15 will bits without will, 3.1.1", 0x10, "0004'MQTT'0432003c0001'a'", V311, "a", []string{"will-qos-without-will MQTT-3.1.2-13", "will-retain-without-will MQTT-3.1.2-15"}},
		{"MQTT-3.1.2-11 -13 will bits without will, 5", 0x10, v5("2a", "00", "0001'a'"), V5, "a", []string{"will-qos-without-will MQTT-3.1.2-11", "will-retain-without-will MQTT-3.1.2-13"}},
		{"MQTT-3.1.2-22 password without user name", 0x10, "0004'MQTT'0442003c0001'a'0001'p'", V311, "a", []string{"password-without-username MQTT-3.1.2-22"}},
		{"3.1 password without user name", 0x10, "0006'MQIsdp'0342003c0001'a'0001'p'", V31, "a", []string{"password-without-username section 3.1"}},

		{"MQTT-3.1.3-7 empty id without clean session", 0x10, "0004'MQTT'0400003c0000", V311, "", []string{"empty-client-id MQTT-3.1.3-7?"}},
		{"empty id with clean session", 0x10, "0004'MQTT'0402003c0000", V311, "", nil},
		{"3.1 empty id", 0x10, "0006'MQIsdp'0302003c0000", V31, "", []string{"empty-client-id section 3.1?"}},
		{"3.1 id of 24 characters", 0x10, "0006'MQIsdp'0302003c0018'yyyyyyyyyyyyyyyyyyyyyyyy'", V31, strings.Repeat("y", 24), []string{"long-client-id section 3.1?"}},
		{"3.1 id of 23 characters", 0x10, "0006'MQIsdp'0302003c0017'yyyyyyyyyyyyyyyyyyyyyyy'", V31, strings.Repeat("y", 23), nil},
		{"3.1.1 id of 24 characters", 0x10, "0004'MQTT'0402003c0018'yyyyyyyyyyyyyyyyyyyyyyyy'", V311, strings.Repeat("y", 24), nil},

		{"MQTT-1.5.3-1 id is not UTF-8", 0x10, "0004'MQTT'0402003c0002fffe", V311, "\xff\xfe", []string{"invalid-utf-8 MQTT-1.5.3-1"}},
		{"MQTT-1.5.4-1 id is not UTF-8", 0x10, v5("02", "00", "0002fffe"), V5, "\xff\xfe", []string{"invalid-utf-8 MQTT-1.5.4-1"}},
		{"MQTT-1.5.3-1 id with a surrogate", 0x10, "0004'MQTT'0402003c0003eda080", V311, "\xed\xa0\x80", []string{"invalid-utf-8 MQTT-1.5.3-1"}},
		{"MQTT-1.5.3-2 id with a null", 0x10, "0004'MQTT'0402003c0003'a'00'b'", V311, "a\x00b", []string{"null-character MQTT-1.5.3-2"}},
		{"MQTT-1.5.4-2 user name with a null", 0x10, v5("82", "00", "0001'a'000100"), V5, "a", []string{"null-character MQTT-1.5.4-2"}},
		{"MQTT-1.5.3-1 will topic is not UTF-8", 0x10, "0004'MQTT'0406003c0001'a'0001ff0000", V311, "a", []string{"invalid-utf-8 MQTT-1.5.3-1"}},
		{"binary fields need not be UTF-8", 0x10, "0004'MQTT'04c6003c0001'a'0001't'0002ff00 0001'u'0002ff00", V311, "a", nil},

		{"MQTT-3.1.3-1 trailing bytes", 0x10, "0004'MQTT'0402003c0001'a''junk'", V311, "a", []string{"trailing-bytes MQTT-3.1.3-1"}},
		{"MQTT-3.1.3-1 trailing bytes, 5", 0x10, v5("02", "00", "0001'a'00"), V5, "a", []string{"trailing-bytes MQTT-3.1.3-1"}},
		{"MQTT-3.1.4-1 nothing after the level", 0x10, "0004'MQTT'04", V311, "", []string{"short-packet MQTT-3.1.4-1"}},
		{"MQTT-3.1.4-1 half a keep alive", 0x10, "0004'MQTT'040200", V311, "", []string{"short-packet MQTT-3.1.4-1"}},
		{"MQTT-3.1.3-3 no id", 0x10, "0004'MQTT'0402003c", V311, "", []string{"short-packet MQTT-3.1.3-3"}},
		{"MQTT-3.1.3-3 id beyond the packet", 0x10, "0004'MQTT'0402003cffff'n1'", V311, "", []string{"short-packet MQTT-3.1.3-3"}},
		{"MQTT-3.1.2-9 will beyond the packet", 0x10, "0004'MQTT'0406003c0001'a'0001't'0009'w'", V311, "a", []string{"short-packet MQTT-3.1.2-9"}},
		{"MQTT-3.1.2-19 user name missing, 3.1.1", 0x10, "0004'MQTT'0482003c0001'a'", V311, "", []string{"short-packet MQTT-3.1.2-19"}},
		{"MQTT-3.1.2-19 an ID length that swallows user name and password", 0x10, "0004'MQTT'04c2003c0009'a'0001'u'0003'pwd'", V311, "", []string{"null-character MQTT-1.5.3-2", "short-packet MQTT-3.1.2-19"}},
		{"MQTT-3.1.2-17 user name missing, 5", 0x10, v5("82", "00", "0001'a'"), V5, "", []string{"short-packet MQTT-3.1.2-17"}},
		{"MQTT-3.1.2-21 password missing, 3.1.1", 0x10, "0004'MQTT'04c2003c0001'a'0001'u'", V311, "a", []string{"short-packet MQTT-3.1.2-21"}},
		{"MQTT-3.1.2-19 password missing, 5", 0x10, v5("c2", "00", "0001'a'0001'u'"), V5, "a", []string{"short-packet MQTT-3.1.2-19"}},

		{"5 section 3.1.2.11.2 session expiry twice", 0x10, v5("02", "0a11000000011100000001", "0002'dp'"), V5, "dp", []string{"duplicate-property section 3.1.2.11.2"}},
		{"5 section 3.1.2.11.3 receive maximum 0", 0x10, v5("02", "03210000", "0003'rm0'"), V5, "rm0", []string{"property-value section 3.1.2.11.3"}},
		{"5 section 3.1.2.11.4 maximum packet size 0", 0x10, v5("02", "052700000000", "0001'a'"), V5, "a", []string{"property-value section 3.1.2.11.4"}},
		{"5 section 3.1.2.11.7 request problem information 2", 0x10, v5("02", "021702", "0001'a'"), V5, "a", []string{"property-value section 3.1.2.11.7"}},
		{"5 section 3.1.2.11.10 auth data without method", 0x10, v5("02", "0416 0001'x'", "0001'a'"), V5, "a", []string{"auth-data-without-method section 3.1.2.11.10"}},
		{"5 section 2.2.2.2 will property in the connect list", 0x10, v5("02", "051800000001", "0001'a'"), V5, "a", []string{"property-not-allowed section 2.2.2.2"}},
		{"5 section 2.2.2.2 topic alias", 0x10, v5("02", "03230001", "0001'a'"), V5, "a", []string{"property-not-allowed section 2.2.2.2"}},
		{"5 section 2.2.2.2 connect property in the will's list", 0x10, v5("06", "00", "0001'a' 03210001 0001't'0000"), V5, "a", []string{"property-not-allowed section 2.2.2.2"}},
		{"5 section 2.2.2.2 undefined property", 0x10, v5("02", "020400", "0001'a'"), V5, "a", []string{"property-not-allowed section 2.2.2.2"}},
		{"5 section 3.1.3.2.2 will delay twice", 0x10, v5("06", "00", "0001'a' 0a18000000011800000001 0001't'0000"), V5, "a", []string{"duplicate-property section 3.1.3.2.2"}},
		{"5 section 2.2.2.1 property length beyond the packet", 0x10, v5("02", "7f", "0001'a'"), V5, "", []string{"property-length section 2.2.2.1"}},
		{"5 section 2.2.2.1 property length of five bytes", 0x10, v5("02", "8080808000", "0001'a'"), V5, "", []string{"property-length section 2.2.2.1"}},
		{"5 section 2.2.2.1 property longer than the list", 0x10, v5("02", "03150005'SCRAM'", ""), V5, "", []string{"property-length section 2.2.2.1", "short-packet MQTT-3.1.3-3"}},
		{"5 MQTT-1.5.5-1 property length with spare bytes", 0x10, v5("02", "8000", "0001'a'"), V5, "a", []string{"non-minimal-length MQTT-1.5.5-1"}},
		{"5 MQTT-1.5.4-1 user property is not UTF-8", 0x10, v5("02", "0726 0001ff 0001'b'", "0001'a'"), V5, "a", []string{"invalid-utf-8 MQTT-1.5.4-1"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			fr := oneFrame(t, packet(c.first, unhex(t, c.body)))
			got, err := ParseConnect(fr)
			if err != nil {
				t.Fatal(err)
			}
			againstPaho(t, fr, nil)
			if got.Version != c.version || got.ClientID != c.id {
				t.Errorf("version %v, client identifier %q, want %v, %q", got.Version, got.ClientID, c.version, c.id)
			}
			if have := ids(got.Problems); !reflect.DeepEqual(have, c.problems) {
				t.Errorf("problems %q, want %q", have, c.problems)
			}
			if c.id != "" && (got.KeepAlive != 60 || got.Tag == 0) {
				t.Errorf("keep alive %d, tag %d", got.KeepAlive, got.Tag)
			}
		})
	}
}

func TestConnectLengths(t *testing.T) {
	body := unhex(t, "0004'MQTT'0402003c0002'n1'")
	for _, c := range []struct {
		name   string
		stream []byte
		want   []string
	}{
		{"non-minimal, 3.1.1", append([]byte{0x10, 0x8e, 0}, body...), []string{"non-minimal-length section 2.2.3?"}},
		{"non-minimal, 5", unhex(t, "108f00 0004'MQTT'0502003c000002'n1'"), []string{"non-minimal-length MQTT-1.5.5-1"}},
		{"broken, 3.1", brokenConnect("MQIsdp", 3, "a"+strings.Repeat("\u00e9", 70)), []string{"broken-length section 2.1", "long-client-id section 3.1?"}},
		{"broken, 3.1.1", brokenConnect("MQTT", 4, strings.Repeat("x", 120)), []string{"broken-length section 2.2.3"}},
	} {
		fr := oneFrame(t, c.stream)
		got, err := ParseConnect(fr)
		if err != nil {
			t.Fatal(err)
		}
		againstPaho(t, fr, nil)
		if have := ids(got.Problems); !reflect.DeepEqual(have, c.want) {
			t.Errorf("%s: problems %q, want %q", c.name, have, c.want)
		}
		if got.ClientID == "" || got.Length != len(c.stream) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestConnectErrors(t *testing.T) {
	for _, body := range []string{"", "00", "0004", "0004'MQT'", "0004'MQTT'", "ffff'MQTT'04"} {
		fr := Frame{Type: TypeConnect, Body: unhex(t, body)}
		if c, err := ParseConnect(fr); err == nil {
			t.Errorf("%s: %+v", body, c)
		}
		againstPaho(t, fr, nil)
	}
	frames := map[Type]Frame{}
	for typ := Type(0); typ < 16; typ++ {
		frames[typ] = Frame{Type: typ, Length: 16, Body: unhex(t, "0004'MQTT'0402003c0002'n1'")}
	}
	for typ, fr := range frames {
		againstPaho(t, fr, nil)
		_, e1 := ParseConnect(fr)
		_, e2 := ParseConnack(fr, nil)
		_, e3 := ParseDisconnect(fr)
		_, e4 := ParseAuth(fr)
		for want, err := range map[Type]error{TypeConnect: e1, TypeConnack: e2, TypeDisconnect: e3, TypeAuth: e4} {
			if (err == nil) != (typ == want) {
				t.Errorf("%v parsed as %v: %v", typ, want, err)
			}
		}
	}
}

// TestConnectOversize: the prefix of a huge CONNECT is parsed as far as it goes.
func TestConnectOversize(t *testing.T) {
	user := strings.Repeat("u", 10)
	password := strings.Repeat("p", 60000)
	m := &modelConnect{version: V5, id: "jwt-device", clean: true, keepAlive: 7, will: true, willTopic: "t",
		willPayload: strings.Repeat("w", 20000), user: &user, password: &password, authMethod: "JWT", authData: "x"}
	c, err := ParseConnect(oneFrame(t, m.encode()))
	if err != nil {
		t.Fatal(err)
	}
	if !c.Incomplete || c.ClientID != "jwt-device" || c.KeepAlive != 7 || c.AuthMethod != "JWT" || !c.Username || !c.Password || !c.Will {
		t.Errorf("%+v", c)
	}
	if c.UserTag == 0 || len(c.Problems) != 0 || c.Length != len(m.encode()) {
		t.Errorf("user tag %v, problems %v, length %d", c.UserTag, c.Problems, c.Length)
	}
}

func TestConnack(t *testing.T) {
	connect := func(v Version, id string, clean bool) *Connect {
		return &Connect{Version: v, ClientID: id, CleanStart: clean}
	}
	keepAlive := uint16(60)
	cases := []struct {
		name     string
		connect  *Connect
		stream   string
		want     Connack
		problems []string
	}{
		{"3.1.1 accepted", connect(V311, "a", true), "20020000", Connack{Version: V311}, nil},
		{"3.1.1 session present", connect(V311, "a", false), "20020100", Connack{Version: V311, SessionPresent: true}, nil},
		{"3.1.1 identifier rejected", connect(V311, "a", true), "20020002", Connack{Version: V311, Code: 2}, nil},
		{"3.1 reserved byte", connect(V31, "a", true), "20020100", Connack{Version: V311}, nil},
		{"aedes code 6", connect(V311, "a", true), "20020006", Connack{Version: V311, Code: 6}, []string{"reserved-code section 3.2.2.3"}},
		{"mochi reason code in two bytes", connect(V311, "a", true), "20020082", Connack{Version: V311, Code: 0x82}, []string{"reserved-code section 3.2.2.3"}},
		{"3.x broker refuses a 5 client with 1", connect(V5, "a", true), "20020001", Connack{Version: V311, Code: 1}, nil},
		{"3.x broker refuses a 5 client with 0x84", connect(V5, "a", true), "20020084", Connack{Version: V311, Code: 0x84}, []string{"reserved-code section 3.2.2.3"}},
		{"no connect, two bytes", nil, "20020005", Connack{Version: V311, Code: 5}, nil},
		{"no connect, properties", nil, "2003008700", Connack{Version: V5, Code: 0x87}, nil},
		{"mosquitto 2.1.2 answers level 6", connect(VersionUnknown, "l6", true), "2003008400", Connack{Version: V5, Code: 0x84}, nil},
		{"mosquitto 2.0 answers level 6", connect(VersionUnknown, "l6", true), "20020001", Connack{Version: V311, Code: 1}, nil},
		{"3.1.1 client, shape of 5", connect(V311, "a", true), "2003000000", Connack{Version: V5}, []string{"connack-length section 3.2.1"}},
		{"3.1.1 client, other length", connect(V311, "a", true), "20030005ff", Connack{Version: V311, Code: 5}, []string{"connack-length section 3.2.1"}},
		{"non-minimal length", connect(V311, "a", true), "2082000000", Connack{Version: V311}, []string{"non-minimal-length section 2.2.3?"}},

		{"mosquitto 2.0 accepts", connect(V5, "a", true), "200900000622000a210014",
			Connack{Version: V5, Properties: []byte{0x22, 0x21}}, nil},
		{"mosquitto server keep alive", connect(V5, "ka1", true), "200c00000922000a13003c210014",
			Connack{Version: V5, ServerKeepAlive: &keepAlive, Properties: []byte{0x22, 0x13, 0x21}}, nil},
		{"mochi assigned identifier", connect(V5, "", true), "201d00001a 12 0014'dc3ciel0123456789abc' 210400",
			Connack{Version: V5, AssignedID: "dc3ciel0123456789abc", Properties: []byte{0x12, 0x21}}, nil},
		{"mochi reason string", connect(V5, "a", true), "202100861e 1f 001b'bad username or password...'",
			Connack{Version: V5, Code: 0x86, Reason: "bad username or password...", Properties: []byte{0x1f}}, nil},
		{"use another server", connect(V5, "redir", true), "201f009c1c1c0019'broker-b.example.net:1883'",
			Connack{Version: V5, Code: 0x9c, ServerReference: "broker-b.example.net:1883", Properties: []byte{0x1c}}, nil},
		{"authentication method", connect(V5, "a", true), "200d0000 0a 15 0003'ABC' 16 0001'x'",
			Connack{Version: V5, AuthMethod: "ABC", Properties: []byte{0x15, 0x16}}, nil},

		{"3.1.1 section 3.2.2.1 reserved bits", connect(V311, "a", true), "20028000", Connack{Version: V311}, []string{"reserved-ack-flags section 3.2.2.1"}},
		{"MQTT-3.2.2-1 reserved bits", connect(V5, "a", true), "2003020000", Connack{Version: V5}, []string{"reserved-ack-flags MQTT-3.2.2-1"}},
		{"MQTT-3.2.2-4 session present with an error", connect(V311, "a", false), "20020105", Connack{Version: V311, SessionPresent: true, Code: 5}, []string{"session-present-with-error MQTT-3.2.2-4"}},
		{"MQTT-3.2.2-6 session present with an error", connect(V5, "a", false), "2003018700", Connack{Version: V5, SessionPresent: true, Code: 0x87}, []string{"session-present-with-error MQTT-3.2.2-6"}},
		{"MQTT-3.2.2-1 session present after clean session", connect(V311, "a", true), "20020100", Connack{Version: V311, SessionPresent: true}, []string{"session-present-after-clean-start MQTT-3.2.2-1"}},
		{"MQTT-3.2.2-2 session present after clean start", connect(V5, "a", true), "2003010000", Connack{Version: V5, SessionPresent: true}, []string{"session-present-after-clean-start MQTT-3.2.2-2"}},
		{"MQTT-3.2.2-8 undefined reason code", connect(V5, "a", true), "2003000200", Connack{Version: V5, Code: 2}, []string{"reserved-code MQTT-3.2.2-8"}},
		{"MQTT-3.2.2-16 identifier not told", connect(V5, "", true), "2003000000", Connack{Version: V5}, []string{"no-assigned-client-id MQTT-3.2.2-16"}},
		{"5 section 3.2.2.3.3 receive maximum 0 and twice", connect(V5, "a", true), "200900000621000021 0001",
			Connack{Version: V5, Properties: []byte{0x21, 0x21}}, []string{"property-value section 3.2.2.3.3", "duplicate-property section 3.2.2.3.3"}},
		{"5 section 2.2.2.1 property over-read", connect(V5, "a", true), "2006000003 1fffff",
			Connack{Version: V5}, []string{"property-length section 2.2.2.1"}},
		{"5 section 2.2.2.1 property length beyond the packet", connect(V5, "a", true), "20030000ff",
			Connack{Version: V5}, []string{"property-length section 2.2.2.1"}},
		{"5 section 2.2.2 bytes after the properties", connect(V5, "a", true), "200400000000",
			Connack{Version: V5}, []string{"trailing-bytes section 2.2.2"}},
		{"MQTT-2.1.3-1 header flags", connect(V5, "a", true), "21020000", Connack{Version: V311}, []string{"header-flags MQTT-2.2.2-2"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			fr := oneFrame(t, unhex(t, c.stream))
			got, err := ParseConnack(fr, c.connect)
			if err != nil {
				t.Fatal(err)
			}
			againstPaho(t, fr, c.connect)
			if have := ids(got.Problems); !reflect.DeepEqual(have, c.problems) {
				t.Errorf("problems %q, want %q", have, c.problems)
			}
			got.Problems = nil
			if !reflect.DeepEqual(*got, c.want) {
				t.Errorf("got %+v, want %+v", *got, c.want)
			}
		})
	}
	for _, stream := range []string{"2000", "200100"} {
		fr := oneFrame(t, unhex(t, stream))
		if a, err := ParseConnack(fr, nil); err == nil {
			t.Errorf("%s: %+v", stream, a)
		}
		againstPaho(t, fr, nil)
	}
}

// TestConnackRoundTrip holds CONNACKs of version 5 against a straightforward
// encoder.
func TestConnackRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 3000 {
		want := Connack{Version: V5, SessionPresent: r.IntN(2) == 0, Code: byte(r.IntN(256))}
		var props []byte
		text := func(id byte, to *string) {
			if r.IntN(2) == 0 {
				return
			}
			*to = randomText(r, 40)
			props = append(append(props, id), field(*to)...)
			want.Properties = append(want.Properties, id)
		}
		text(0x1f, &want.Reason)
		if r.IntN(2) == 0 {
			seconds := uint16(r.Uint32())
			want.ServerKeepAlive = &seconds
			props = binary.BigEndian.AppendUint16(append(props, 0x13), seconds)
			want.Properties = append(want.Properties, 0x13)
		}
		for range r.IntN(4) {
			props = append(append(props, 0x26, 0, 1, 'k'), field(randomText(r, 9))...)
			want.Properties = append(want.Properties, 0x26)
		}
		text(0x12, &want.AssignedID)
		text(0x15, &want.AuthMethod)
		text(0x1c, &want.ServerReference)
		var flags byte
		if want.SessionPresent {
			flags = 1
		}
		stream := packet(0x20, []byte{flags, want.Code}, varint(len(props)), props)
		fr := oneFrame(t, stream)
		got, err := ParseConnack(fr, &Connect{Version: V5, ClientID: "a"})
		if err != nil {
			t.Fatal(err)
		}
		againstPaho(t, fr, nil)
		got.Problems = nil
		if !reflect.DeepEqual(*got, want) {
			t.Fatalf("% x\n got %+v\nwant %+v", stream, *got, want)
		}
	}
}

func TestDisconnect(t *testing.T) {
	for _, c := range []struct {
		name, stream string
		want         Disconnect
		problems     []string
	}{
		{"3.x", "e000", Disconnect{}, nil},
		{"mosquitto takeover", "e0018e", Disconnect{Code: 0x8e, HasCode: true}, nil},
		{"code 0", "e00100", Disconnect{HasCode: true}, nil},
		{"no properties", "e0028e00", Disconnect{Code: 0x8e, HasCode: true}, nil},
		{"reason", "e00a 8e 08 1f 0005'taken'", Disconnect{Code: 0x8e, HasCode: true, Reason: "taken"}, nil},
		{"server reference", "e008 9d 06 1c 0003'b:1'", Disconnect{Code: 0x9d, HasCode: true, ServerReference: "b:1"}, nil},
		{"5 section 3.14.2.2.3 reason twice", "e00c 8e 0a 1f 0002'aa' 1f 0002'bb'",
			Disconnect{Code: 0x8e, HasCode: true, Reason: "bb"}, []string{"duplicate-property section 3.14.2.2.3"}},
		{"5 section 2.2.2.1 over-read", "e006 8e 04 1fffff 00",
			Disconnect{Code: 0x8e, HasCode: true}, []string{"property-length section 2.2.2.1"}},
		{"5 section 2.2.2.1 length", "e002 8e7f", Disconnect{Code: 0x8e, HasCode: true}, []string{"property-length section 2.2.2.1"}},
		{"5 section 2.2.2.2 property of another packet", "e005 8e 03 210001",
			Disconnect{Code: 0x8e, HasCode: true}, []string{"property-not-allowed section 2.2.2.2"}},
		{"MQTT-2.2.2-2 header flags", "e100", Disconnect{}, []string{"header-flags MQTT-2.2.2-2"}},
	} {
		fr := oneFrame(t, unhex(t, c.stream))
		got, err := ParseDisconnect(fr)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		againstPaho(t, fr, nil)
		if have := ids(got.Problems); !reflect.DeepEqual(have, c.problems) {
			t.Errorf("%s: problems %q, want %q", c.name, have, c.problems)
		}
		got.Problems = nil
		if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: got %+v, want %+v", c.name, *got, c.want)
		}
	}
}

func TestAuth(t *testing.T) {
	for _, c := range []struct {
		name, stream string
		want         Auth
		problems     []string
	}{
		{"success without body", "f000", Auth{}, nil},
		{"code alone", "f00118", Auth{Code: 0x18}, nil},
		{"continue", "f00a 18 08 15 0005'SCRAM'", Auth{Code: 0x18, Method: "SCRAM"}, nil},
		{"continue with data", "f00e 19 0c 15 0005'SCRAM' 16 0001'x'", Auth{Code: 0x19, Method: "SCRAM"}, nil},
		{"5 section 2.2.2.1 over-read", "f006 18 04 15ffff'a'", Auth{Code: 0x18}, []string{"property-length section 2.2.2.1"}},
	} {
		fr := oneFrame(t, unhex(t, c.stream))
		got, err := ParseAuth(fr)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		againstPaho(t, fr, nil)
		if have := ids(got.Problems); !reflect.DeepEqual(have, c.problems) {
			t.Errorf("%s: problems %q, want %q", c.name, have, c.problems)
		}
		got.Problems = nil
		if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: got %+v, want %+v", c.name, *got, c.want)
		}
	}
}

// TestNothingAliasesOrLeaks: what is returned survives the frame being
// overwritten, and holds no byte of a secret.
func TestNothingAliasesOrLeaks(t *testing.T) {
	secret, user := "canary-PASSWORD", "canary-USER"
	for _, v := range []Version{V31, V311, V5} {
		for _, cut := range []int{0, 4} { // whole, and malformed
			m := &modelConnect{version: v, id: "the-client", clean: true, keepAlive: 9, will: true,
				willTopic: "canary-TOPIC", willPayload: "canary-WILL", user: &user, password: &secret}
			if v == V5 {
				m.authMethod, m.authData = "the-method", "canary-AUTH"
			}
			stream := m.encode()
			stream = stream[:len(stream)-cut]
			_, size := stream[0], len(varint(len(stream)))
			fr := Frame{Type: TypeConnect, Length: len(stream), Body: bytes.Clone(stream[1+size:])}
			c, err := ParseConnect(fr)
			if err != nil {
				t.Fatal(err)
			}
			if (len(c.Problems) > 0) != (cut > 0) || !c.Password || c.UserTag == 0 {
				t.Fatalf("%v cut %d: %+v", v, cut, c)
			}
			before := walk(reflect.ValueOf(c))
			for i := range fr.Body {
				fr.Body[i] = '!'
			}
			after := walk(reflect.ValueOf(c))
			if before != after || c.ClientID != "the-client" {
				t.Errorf("%v: the result changed with the buffer:\n%s\n%s", v, before, after)
			}
			if strings.Contains(before, "canary") {
				t.Errorf("%v: a secret is in %s", v, before)
			}
		}
	}
	body := unhex(t, "0000 1e 15 0003'ABC' 16 000b'canary-AUTH' 1f 0007'because'")
	fr := Frame{Type: TypeConnack, Length: len(body) + 2, Body: body}
	a, err := ParseConnack(fr, nil)
	if err != nil {
		t.Fatal(err)
	}
	before := walk(reflect.ValueOf(a))
	clear(body)
	if after := walk(reflect.ValueOf(a)); before != after || strings.Contains(before, "canary") || a.Reason != "because" {
		t.Errorf("%s\n%s", before, after)
	}
}

// walk writes every value that is reachable, exported or not.
func walk(v reflect.Value) string {
	var b strings.Builder
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				visit(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				fmt.Fprintf(&b, "%s:", v.Type().Field(i).Name)
				visit(v.Field(i))
			}
		case reflect.Slice, reflect.Array:
			if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
				v = v.Slice3(0, v.Len(), v.Cap()).Slice(0, v.Cap())
				fmt.Fprintf(&b, "%q ", v.Bytes())
				return
			}
			for i := range v.Len() {
				visit(v.Index(i))
			}
		case reflect.String:
			fmt.Fprintf(&b, "%q ", v.String())
		case reflect.Bool:
			fmt.Fprint(&b, v.Bool(), " ")
		default:
			if v.CanUint() {
				fmt.Fprint(&b, v.Uint(), " ")
			} else {
				fmt.Fprint(&b, v.Int(), " ")
			}
		}
	}
	visit(v)
	return b.String()
}

// FuzzParse gives every parser any body.
func FuzzParse(f *testing.F) {
	for _, seed := range crashClasses {
		if p := unhex(f, seed); len(p) > 2 {
			f.Add(p[0], p[2:], byte(3), false)
		}
	}
	r := rand.New(rand.NewPCG(9, 10))
	for range 10 {
		p := randomConnect(r).encode()
		f.Add(p[0], p[1+len(varint(len(p))):], byte(0), r.IntN(2) == 0)
	}
	f.Fuzz(func(t *testing.T, first byte, body []byte, version byte, oversize bool) {
		fr := Frame{Type: Type(first >> 4), Flags: first & 15, Length: len(body) + 2, Body: body, Oversize: oversize}
		original := bytes.Clone(body)
		fr.Type = TypeConnect
		c, err := ParseConnect(fr)
		if err == nil {
			if c.Tag == 0 || c.ClientID != "" && !bytes.Contains(body, []byte(c.ClientID)) ||
				!bytes.Contains(body, []byte(c.AuthMethod)) || len(c.Problems) > 200 {
				t.Fatalf("% x: %+v", body, c)
			}
		}
		againstPaho(t, fr, nil)
		if c == nil {
			c = &Connect{Version: Version(version & 3)}
		}
		fr.Type = TypeConnack
		for _, connect := range []*Connect{nil, c, {Version: Version(version & 3)}} {
			againstPaho(t, fr, connect)
			a, err := ParseConnack(fr, connect)
			if (err == nil) != (len(body) >= 2) {
				t.Fatalf("% x: %v", body, err)
			}
			if err != nil {
				continue
			}
			if a.Code != body[1] || a.Version != V5 && a.Version != V311 {
				t.Fatalf("% x: %+v", body, a)
			}
			for _, s := range []string{a.Reason, a.AssignedID, a.ServerReference, a.AuthMethod} {
				if !bytes.Contains(body, []byte(s)) {
					t.Fatalf("% x: %q is made up", body, s)
				}
			}
		}
		fr.Type = TypeDisconnect
		if d, err := ParseDisconnect(fr); err != nil || d.HasCode != (len(body) > 0) || d.HasCode && d.Code != body[0] {
			t.Fatalf("% x: %+v, %v", body, d, err)
		}
		againstPaho(t, fr, nil)
		fr.Type = TypeAuth
		if a, err := ParseAuth(fr); err != nil || len(body) > 0 && a.Code != body[0] {
			t.Fatalf("% x: %+v, %v", body, a, err)
		}
		againstPaho(t, fr, nil)
		if !bytes.Equal(body, original) {
			t.Fatal("a parser changed its input")
		}
	})
}

// TestParseAllocations: a packet without problems costs what is returned, and
// its strings.
func TestParseAllocations(t *testing.T) {
	user, password := "user", "password"
	connect := func(v Version) []byte {
		return (&modelConnect{version: v, id: "gateway-0007", user: &user, password: &password}).encode()
	}
	for _, c := range []struct {
		name   string
		stream []byte
		most   float64
	}{
		{"CONNECT 3.1", connect(V31), 2},
		{"CONNECT 3.1.1", connect(V311), 2},
		{"CONNECT 5", connect(V5), 2},
		{"CONNACK 3.1.1", unhex(t, "20020005"), 1},
		{"CONNACK 5", unhex(t, "2003008700"), 1},
		{"CONNACK 5 with properties", unhex(t, "201100860e 22000a 13003c 1f 0005'taken'"), 4},
		{"DISCONNECT 3.1.1", unhex(t, "e000"), 1},
		{"DISCONNECT 5", unhex(t, "e0028e00"), 1},
		{"DISCONNECT 5 with a reason", unhex(t, "e00a 8e 08 1f 0005'taken'"), 2},
		{"AUTH", unhex(t, "f00a 18 08 15 0005'SCRAM'"), 2},
	} {
		fr := oneFrame(t, c.stream)
		var problems []Problem
		var err error
		n := testing.AllocsPerRun(100, func() {
			switch fr.Type {
			case TypeConnect:
				var p *Connect
				p, err = ParseConnect(fr)
				problems = p.Problems
			case TypeConnack:
				var p *Connack
				p, err = ParseConnack(fr, nil)
				problems = p.Problems
			case TypeDisconnect:
				var p *Disconnect
				p, err = ParseDisconnect(fr)
				problems = p.Problems
			case TypeAuth:
				var p *Auth
				p, err = ParseAuth(fr)
				problems = p.Problems
			}
		})
		if err != nil || len(problems) > 0 || n > c.most {
			t.Errorf("%s: %v allocations, want at most %v; problems %v, %v", c.name, n, c.most, problems, err)
		}
	}
}

func BenchmarkParseConnect(b *testing.B) {
	user, password := "user", "password"
	for _, v := range []Version{V311, V5} {
		b.Run(v.String(), func(b *testing.B) {
			m := &modelConnect{version: v, id: "gateway-0007", clean: true, keepAlive: 60, user: &user, password: &password}
			fr := oneFrame(b, m.encode())
			b.ReportAllocs()
			for b.Loop() {
				if c, err := ParseConnect(fr); err != nil || c.ClientID == "" {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseConnack(b *testing.B) {
	for _, c := range []struct{ name, stream string }{
		{"3.1.1", "20020005"},
		{"5", "200c00000922000a13003c210014"},
		{"5 text", "202100861e 1f 001b'bad username or password...'"},
	} {
		b.Run(c.name, func(b *testing.B) {
			fr := oneFrame(b, unhex(b, c.stream))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseConnack(fr, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseDisconnect(b *testing.B) {
	for _, c := range []struct{ name, stream string }{
		{"3.1.1", "e000"},
		{"5", "e0018e"},
		{"5 text", "e00a 8e 08 1f 0005'taken'"},
	} {
		b.Run(c.name, func(b *testing.B) {
			fr := oneFrame(b, unhex(b, c.stream))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseDisconnect(fr); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
