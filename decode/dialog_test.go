package decode_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
)

// A dialog writes the packets of one TCP connection, in raw IPv4, as a test
// tells it to.
type dialog struct {
	client, broker netip.AddrPort
	seq            [2]uint32 // next sequence number of client and broker
	packets        []capture.Packet
	now            time.Time
}

const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
)

const (
	fromClient = 0
	fromBroker = 1
)

func newDialog() *dialog {
	return &dialog{
		client: netip.MustParseAddrPort("10.0.0.5:51234"), broker: netip.MustParseAddrPort("10.0.0.1:1883"),
		seq: [2]uint32{1000, 9000}, now: time.Date(2026, 3, 2, 22, 13, 20, 0, time.UTC),
	}
}

// opened is a dialog behind its three-way handshake.
func opened() *dialog {
	d := newDialog()
	d.send(fromClient, syn, nil)
	d.send(fromBroker, syn|ack, nil)
	d.send(fromClient, ack, nil)
	return d
}

// send adds one segment, a millisecond after the one before.
func (d *dialog) send(from int, flags byte, payload []byte) *dialog {
	d.packets = append(d.packets, d.segment(from, flags, payload))
	d.seq[from] += uint32(len(payload))
	if flags&(syn|fin) != 0 {
		d.seq[from]++
	}
	return d
}

// lose moves on as if the segment had been sent and not captured.
func (d *dialog) lose(from int, payload []byte) *dialog {
	d.seq[from] += uint32(len(payload))
	return d
}

func (d *dialog) wait(t time.Duration) *dialog {
	d.now = d.now.Add(t)
	return d
}

func (d *dialog) segment(from int, flags byte, payload []byte) capture.Packet {
	d.now = d.now.Add(time.Millisecond)
	src, dst := d.client, d.broker
	if from == fromBroker {
		src, dst = dst, src
	}
	b := make([]byte, 40, 40+len(payload))
	b[0], b[8], b[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(b[2:], uint16(40+len(payload)))
	copy(b[12:], src.Addr().AsSlice())
	copy(b[16:], dst.Addr().AsSlice())
	t := b[20:]
	binary.BigEndian.PutUint16(t, src.Port())
	binary.BigEndian.PutUint16(t[2:], dst.Port())
	binary.BigEndian.PutUint32(t[4:], d.seq[from])
	if flags&ack != 0 {
		binary.BigEndian.PutUint32(t[8:], d.seq[1-from])
	}
	t[12], t[13] = 5<<4, flags
	binary.BigEndian.PutUint16(t[14:], 65535)
	b = append(b, payload...)
	return capture.Packet{Nano: d.now.UnixNano(), Link: capture.LinkRaw, Length: len(b), Data: b}
}

// sessions decodes the packets so far.
func (d *dialog) sessions(t *testing.T, more ...*dialog) []*decode.Session {
	t.Helper()
	var out []*decode.Session
	decoder := decode.New(decode.Options{Capture: "test", Index: 1}, func(s *decode.Session) { out = append(out, s) })
	n := 0
	for _, d := range append([]*dialog{d}, more...) {
		for _, p := range d.packets {
			n++
			p.Number = n
			decoder.Add(p)
		}
	}
	decoder.Close()
	if got := decoder.Stats(); got.Packets != int64(n) || got.Segments != int64(n) {
		t.Fatalf("stats %+v, want %d packets, all TCP", got, n)
	}
	return out
}

// one decodes a single connection.
func (d *dialog) one(t *testing.T) *decode.Session {
	t.Helper()
	out := d.sessions(t)
	if len(out) != 1 {
		t.Fatalf("%d sessions, want 1", len(out))
	}
	return out[0]
}

// The secrets that no session may hold.
const (
	secretPassword = "pa55word-canary"
	secretWill     = "will-canary"
	secretUser     = "user-canary"
)

func field(s string) []byte {
	return append([]byte{byte(len(s) >> 8), byte(len(s))}, s...)
}

// connect is a 3.1.1 CONNECT with a will, user name and password.
func connect(id string) []byte {
	body := append(field("MQTT"), 4, 0xC6, 0, 60)
	for _, s := range []string{id, "will/topic", secretWill, secretUser, secretPassword} {
		body = append(body, field(s)...)
	}
	return append([]byte{0x10, byte(len(body))}, body...)
}

var (
	connackOK      = []byte{0x20, 2, 0, 0}
	connackRefused = []byte{0x20, 2, 0, 5}
	pingreq        = []byte{0xC0, 0}
	disconnect     = []byte{0xE0, 0}
)
