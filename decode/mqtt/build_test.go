package mqtt

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// unhex reads bytes written as hexadecimal digits and spaces; 'text' stands for
// its own bytes.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	var b []byte
	for i, part := range strings.Split(s, "'") {
		if i%2 == 1 {
			b = append(b, part...)
			continue
		}
		digits, err := hex.DecodeString(strings.ReplaceAll(part, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, digits...)
	}
	return b
}

// oneFrame is the packet that p is.
func oneFrame(t testing.TB, p []byte) Frame {
	t.Helper()
	var f Framer
	n, fr, ok := f.Feed(p)
	if !ok || n != len(p) {
		t.Fatalf("Feed(% x) = %d, %+v, %v; want one whole packet", p, n, fr, ok)
	}
	return fr
}

// field encodes a string or binary data.
func field(s string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...)
}

// varint encodes a Variable Byte Integer.
func varint(n int) (b []byte) {
	for n >= 128 {
		b = append(b, byte(n&127)|128)
		n >>= 7
	}
	return append(b, byte(n))
}

// packet puts a fixed header before a body.
func packet(first byte, body ...[]byte) []byte {
	var all []byte
	for _, part := range body {
		all = append(all, part...)
	}
	return append(append([]byte{first}, varint(len(all))...), all...)
}

// modelConnect is a CONNECT to encode; it is what its encoding must decode to.
type modelConnect struct {
	version       Version
	bridge        bool
	clean         bool
	keepAlive     uint16
	id            string
	will          bool
	willQoS       byte
	willRetain    bool
	willTopic     string
	willPayload   string
	user          *string
	password      *string
	sessionExpiry *uint32
	authMethod    string
	authData      string
	userProps     int
}

func (m *modelConnect) encode() []byte {
	name, level := "MQTT", byte(4)
	switch m.version {
	case V31:
		name, level = "MQIsdp", 3
	case V5:
		level = 5
	}
	if m.bridge {
		level |= 0x80
	}
	var flags byte
	if m.clean {
		flags |= 1 << 1
	}
	if m.will {
		flags |= 1<<2 | m.willQoS<<3
		if m.willRetain {
			flags |= 1 << 5
		}
	}
	if m.password != nil {
		flags |= 1 << 6
	}
	if m.user != nil {
		flags |= 1 << 7
	}
	body := append(field(name), level, flags)
	body = binary.BigEndian.AppendUint16(body, m.keepAlive)
	if m.version == V5 {
		var props []byte
		if m.sessionExpiry != nil {
			props = binary.BigEndian.AppendUint32(append(props, 0x11), *m.sessionExpiry)
		}
		for i := range m.userProps {
			props = append(props, 0x26)
			props = append(props, field(fmt.Sprint("name", i))...)
			props = append(props, field("value")...)
		}
		if m.authMethod != "" {
			props = append(append(props, 0x15), field(m.authMethod)...)
			props = append(append(props, 0x16), field(m.authData)...)
		}
		body = append(append(body, varint(len(props))...), props...)
	}
	body = append(body, field(m.id)...)
	if m.will {
		if m.version == V5 {
			props := []byte{0x18, 0, 0, 0, 9, 0x01, 1}
			props = append(append(props, 0x09), field(m.willPayload)...)
			body = append(append(body, varint(len(props))...), props...)
		}
		body = append(append(body, field(m.willTopic)...), field(m.willPayload)...)
	}
	if m.user != nil {
		body = append(body, field(*m.user)...)
	}
	if m.password != nil {
		body = append(body, field(*m.password)...)
	}
	return packet(0x10, body)
}

// randomText is valid in any string field.
func randomText(r *rand.Rand, max int) string {
	alphabet := []rune("abcXYZ019-_/|<é中😀 ")
	var b strings.Builder
	for range r.IntN(max + 1) {
		b.WriteRune(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

// randomConnect is a valid CONNECT.
func randomConnect(r *rand.Rand) *modelConnect {
	m := &modelConnect{
		version:   []Version{V31, V311, V5}[r.IntN(3)],
		clean:     r.IntN(2) == 0,
		keepAlive: uint16(r.Uint32()),
		id:        randomText(r, 60),
	}
	if m.version == V31 {
		m.id = "i" + randomText(r, 22)
	}
	if m.id == "" {
		m.clean = true
	}
	m.bridge = m.version != V5 && r.IntN(8) == 0
	if r.IntN(2) == 0 {
		m.will, m.willQoS, m.willRetain = true, byte(r.IntN(3)), r.IntN(2) == 0
		m.willTopic, m.willPayload = "t"+randomText(r, 20), randomText(r, 300)
	}
	if r.IntN(2) == 0 {
		user := randomText(r, 30)
		m.user = &user
	}
	if (m.user != nil || m.version == V5) && r.IntN(2) == 0 {
		password := randomText(r, 200)
		m.password = &password
	}
	if m.version == V5 {
		if r.IntN(2) == 0 {
			n := r.Uint32()
			m.sessionExpiry = &n
		}
		if r.IntN(3) == 0 {
			m.authMethod, m.authData = "SCRAM", randomText(r, 40)
		}
		m.userProps = r.IntN(3)
	}
	if !utf8.ValidString(m.id) {
		panic("the alphabet is broken")
	}
	return m
}
