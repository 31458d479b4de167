package decode_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

func TestOutcomes(t *testing.T) {
	silence := 5 * time.Second
	tests := []struct {
		name    string
		dialog  *dialog
		outcome decode.Outcome
		by      decode.Side
		close   decode.Close
		notes   []decode.Note
	}{
		{"accepted, client disconnects",
			opened().send(fromClient, psh|ack, connect("a")).send(fromBroker, psh|ack, connackOK).
				send(fromClient, psh|ack, disconnect).send(fromBroker, fin|ack, nil).send(fromClient, fin|ack, nil),
			decode.Accepted, decode.Client, decode.CloseDisconnect, nil},
		{"accepted and still open",
			opened().send(fromClient, psh|ack, connect("a")).send(fromBroker, psh|ack, connackOK),
			decode.Accepted, decode.Nobody, decode.NoClose, nil},
		{"rejected, broker closes",
			opened().send(fromClient, psh|ack, connect("a")).send(fromBroker, psh|ack, connackRefused).send(fromBroker, fin|ack, nil),
			decode.Rejected, decode.Broker, decode.CloseFIN, nil},
		{"broker resets after CONNECT",
			opened().send(fromClient, psh|ack, connect("a")).send(fromBroker, rst|ack, nil),
			decode.Unanswered, decode.Broker, decode.CloseRST, nil},
		{"client gives up",
			opened().send(fromClient, psh|ack, connect("a")).send(fromBroker, ack, nil).wait(silence).send(fromClient, fin|ack, nil),
			decode.Unanswered, decode.Client, decode.CloseFIN, nil},
		{"CONNACK after the client gave up",
			opened().send(fromClient, psh|ack, connect("a")).send(fromBroker, ack, nil).wait(silence).
				send(fromClient, fin|ack, nil).send(fromBroker, psh|ack, connackOK),
			decode.Accepted, decode.Client, decode.CloseFIN, []decode.Note{decode.NoteLateConnack}},
		{"the capture ends right after the CONNECT",
			opened().send(fromClient, psh|ack, connect("a")).send(fromBroker, ack, nil),
			decode.Unknown, decode.Nobody, decode.NoClose, nil},
		{"SYN answered by RST",
			newDialog().send(fromClient, syn, nil).send(fromBroker, rst|ack, nil),
			decode.Refused, decode.Broker, decode.CloseRST, nil},
		{"SYN again and again",
			func() *dialog {
				d := newDialog().send(fromClient, syn, nil).wait(time.Second)
				d.seq[fromClient]--
				return d.send(fromClient, syn, nil)
			}(),
			decode.Refused, decode.Nobody, decode.NoClose, []decode.Note{decode.NoteRetransmitted}},
		{"a SYN at the very end of the capture",
			newDialog().send(fromClient, syn, nil),
			decode.Unknown, decode.Nobody, decode.NoClose, nil},
		{"the CONNACK is not in the capture",
			opened().send(fromClient, psh|ack, connect("a")).lose(fromBroker, connackOK).
				send(fromBroker, psh|ack, []byte{0x90, 3, 0, 1, 0}).wait(silence).send(fromClient, fin|ack, nil).send(fromBroker, fin|ack, nil),
			decode.Unknown, decode.Client, decode.CloseFIN, []decode.Note{decode.NoteGap}},
		{"only the client's packets were captured",
			newDialog().send(fromClient, syn, nil).lose(fromBroker, []byte{0}).send(fromClient, psh|ack, connect("a")).
				wait(silence).send(fromClient, fin|ack, nil),
			decode.Unknown, decode.Client, decode.CloseFIN, []decode.Note{decode.NoteOneSided}},
		{"HTTP to a broker",
			opened().send(fromClient, psh|ack, []byte("GET /mqtt HTTP/1.1\r\n\r\n")).send(fromBroker, fin|ack, nil),
			decode.NotMQTT, decode.Broker, decode.CloseFIN, nil},
		{"TLS to a broker that does not speak it",
			opened().send(fromClient, psh|ack, []byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03")).send(fromBroker, rst|ack, nil),
			decode.TLSFailed, decode.Broker, decode.CloseRST, nil},
		{"opened and never used",
			opened().wait(silence).send(fromBroker, fin|ack, nil),
			decode.Unknown, decode.Broker, decode.CloseFIN, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := test.dialog.one(t)
			if s.Outcome != test.outcome || s.ClosedBy != test.by || s.Close != test.close || !slices.Equal(s.Notes.List(), test.notes) {
				t.Errorf("%s, closed by %q with %q, notes %q; want %s, %q, %q, %q",
					s.Outcome, s.ClosedBy, s.Close, s.Notes.List(), test.outcome, test.by, test.close, test.notes)
			}
			if s.Client != test.dialog.client || s.Broker != test.dialog.broker {
				t.Errorf("client %v and broker %v are the wrong way round", s.Client, s.Broker)
			}
		})
	}
}

// A CONNECT may be cut at any byte, its length bytes included, or arrive with
// what follows it in one segment.
func TestConnectInPieces(t *testing.T) {
	body := append(field("MQTT"), 4, 2, 0, 60)
	body = append(body, field(strings.Repeat("long-id", 20))...)
	whole := append([]byte{0x10, byte(len(body)) | 0x80, byte(len(body) >> 7)}, body...)
	want := opened().send(fromClient, psh|ack, whole).send(fromBroker, psh|ack, connackOK).one(t)
	if want.Connect == nil || len(want.Connect.ClientID) != 140 {
		t.Fatalf("CONNECT in one piece: %+v", want.Connect)
	}
	for cut := 1; cut < len(whole); cut++ {
		s := opened().send(fromClient, psh|ack, whole[:cut]).send(fromClient, psh|ack, whole[cut:]).send(fromBroker, psh|ack, connackOK).one(t)
		if !reflect.DeepEqual(s.Connect, want.Connect) || s.Outcome != decode.Accepted {
			t.Fatalf("cut at %d: %+v, %s", cut, s.Connect, s.Outcome)
		}
		if s.ConnectBegan.Packet != 4 || s.ConnectAt.Packet != 5 {
			t.Fatalf("cut at %d: CONNECT from packet %d to %d, want 4 to 5", cut, s.ConnectBegan.Packet, s.ConnectAt.Packet)
		}
	}
	d := opened()
	for i := range whole {
		d.send(fromClient, psh|ack, whole[i:i+1])
	}
	if s := d.send(fromBroker, psh|ack, connackOK).one(t); !reflect.DeepEqual(s.Connect, want.Connect) {
		t.Errorf("one byte a segment: %+v", s.Connect)
	}
	// CONNECT, SUBSCRIBE and PUBLISH in one segment.
	batch := slices.Concat(whole, []byte{0x82, 6, 0, 1, 0, 1, 't', 0}, []byte{0x30, 3, 0, 1, 't'})
	if s := opened().send(fromClient, psh|ack, batch).send(fromBroker, psh|ack, connackOK).one(t); !reflect.DeepEqual(s.Connect, want.Connect) {
		t.Errorf("with other packets behind it: %+v", s.Connect)
	}
}

func TestBrokenLength(t *testing.T) {
	body := append(field("MQTT"), 4, 2, 0, 60)
	body = append(body, field(strings.Repeat("x", 150))...)
	s := opened().send(fromClient, psh|ack, append([]byte{0x10, byte(len(body))}, body...)).send(fromBroker, fin|ack, nil).one(t)
	if !s.Has(decode.NoteBrokenLength) || s.Connect == nil || len(s.Connect.ClientID) != 150 {
		t.Errorf("notes %v, CONNECT %+v", s.Notes.List(), s.Connect)
	}
	if p, bad := s.Connect.Malformed(); !bad || p.ID != "broken-length" {
		t.Errorf("problem %+v, want broken-length", p)
	}
}

func TestIncompleteConnect(t *testing.T) {
	s := opened().send(fromClient, psh|ack, connect("a")[:12]).wait(6*time.Second).send(fromClient, fin|ack, nil).one(t)
	if s.ConnectAt.Seen() || s.Rare().ConnectHave != 12 || s.Rare().ConnectWant != len(connect("a")) || s.ConnectBegan.Packet != 4 {
		t.Errorf("CONNECT at %v, %d of %d bytes, began in %d", s.ConnectAt, s.Rare().ConnectHave, s.Rare().ConnectWant, s.ConnectBegan.Packet)
	}
	if s.Connect == nil || s.Connect.HasID() || s.Connect.KeepAlive != 60 {
		t.Errorf("CONNECT %+v: the keep-alive arrived, the client ID did not", s.Connect)
	}
	if r := s.Record(); r.ClientID != nil {
		t.Errorf("the record claims client ID %q", *r.ClientID)
	}
}

// Who is the broker: the SYN says, else the packets, else the port.
func TestRoles(t *testing.T) {
	odd := func(d *dialog) *dialog {
		d.broker = netip.AddrPortFrom(d.broker.Addr(), 17501)
		return d
	}
	tests := []struct {
		name   string
		dialog *dialog
		from   string
	}{
		{"SYN", odd(newDialog()).send(fromClient, syn, nil).send(fromBroker, syn|ack, nil), "syn"},
		{"SYN/ACK only", newDialog().lose(fromClient, []byte{0}).send(fromBroker, syn|ack, nil).send(fromClient, psh|ack, connect("a")), "syn"},
		{"CONNECT in mid-stream", odd(newDialog()).send(fromBroker, ack, nil).send(fromClient, psh|ack, connect("a")), "mqtt"},
		{"CONNACK in mid-stream", odd(newDialog()).send(fromBroker, psh|ack, connackOK), "mqtt"},
		{"PINGREQ in mid-stream", newDialog().send(fromBroker, ack, nil).send(fromClient, psh|ack, pingreq), "mqtt"},
		{"port 1883", newDialog().send(fromBroker, psh|ack, []byte{0x30, 3, 0, 1, 't'}), "port"},
		{"the lower port", odd(newDialog()).send(fromBroker, psh|ack, []byte("?")), "port"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := test.dialog.one(t)
			if s.RolesFrom.String() != test.from || s.Broker.Port() > s.Client.Port() {
				t.Errorf("broker %v by %s, want it by %s", s.Broker, s.RolesFrom, test.from)
			}
		})
	}
}

func TestMidStreamConnack(t *testing.T) {
	s := newDialog().send(fromBroker, psh|ack, connackRefused).send(fromBroker, fin|ack, nil).one(t)
	if s.Outcome != decode.Rejected || s.Connack.Code != 5 || s.Version() != mqtt.VersionUnknown || !s.Has(decode.NoteMidStream) {
		t.Errorf("%s, %+v, version %q, notes %v", s.Outcome, s.Connack, s.Version(), s.Notes.List())
	}
}

func TestCutPackets(t *testing.T) {
	d := opened().send(fromClient, psh|ack, connect("a"))
	last := &d.packets[len(d.packets)-1]
	last.Data = last.Data[:40+20]
	s := d.send(fromBroker, psh|ack, connackOK).one(t)
	// The first 20 bytes of the CONNECT have the client ID, and its length says
	// where it ends.
	if s.Outcome != decode.Accepted || !slices.Equal(s.Notes.List(), []decode.Note{decode.NoteCutPackets}) || s.ConnectAt.Packet != 4 {
		t.Errorf("%s, notes %v, CONNECT at %v", s.Outcome, s.Notes, s.ConnectAt)
	}
	if s.Connect == nil || s.Connect.ClientID != "a" || !s.Connect.Incomplete || !s.Connect.Password {
		t.Errorf("CONNECT %+v", s.Connect)
	}
	if _, bad := s.Connect.Malformed(); bad {
		t.Errorf("what the snap length cut off counts against the client: %+v", s.Connect.Problems)
	}
}

func TestLostConnect(t *testing.T) {
	s := opened().lose(fromClient, connect("a")).send(fromBroker, psh|ack, connackOK).
		send(fromClient, psh|ack, pingreq).wait(2*time.Second).send(fromClient, fin|ack, nil).send(fromBroker, fin|ack, nil).one(t)
	if s.Outcome != decode.Accepted || !s.Has(decode.NoteGap) || s.Connect != nil {
		t.Errorf("%s, notes %v, CONNECT %+v", s.Outcome, s.Notes.List(), s.Connect)
	}
}

// The first DISCONNECT ends the session; a polite answer does not.
func TestDisconnectAnswered(t *testing.T) {
	s := opened().send(fromClient, psh|ack, connect("a")).send(fromBroker, psh|ack, connackOK).
		send(fromBroker, psh|ack, []byte{0xE0, 2, 0x8E, 0}).send(fromClient, psh|ack, disconnect).one(t)
	if s.ClosedBy != decode.Broker || s.DisconnectBy != decode.Broker {
		t.Errorf("closed by %q, DISCONNECT by %q", s.ClosedBy, s.DisconnectBy)
	}
}

func TestPacketsFromTheWrongSide(t *testing.T) {
	s := opened().send(fromClient, psh|ack, connackOK).send(fromClient, psh|ack, connect("a")).send(fromBroker, fin|ack, nil).one(t)
	if s.Outcome == decode.Accepted || s.Connack != nil {
		t.Errorf("a CONNACK from the client counts: %s", s.Outcome)
	}
}

func TestWithoutTimes(t *testing.T) {
	d := opened().send(fromClient, psh|ack, connect("a")).send(fromBroker, psh|ack, connackOK)
	for i := range d.packets {
		d.packets[i].Nano = 0
	}
	r := d.one(t).Record()
	if !r.Opened.IsZero() || !r.Connack.IsZero() || r.ConnackMS != nil {
		t.Errorf("the record claims times: %+v", r)
	}
}

func TestReusedPorts(t *testing.T) {
	first := opened().send(fromClient, psh|ack, connect("a")).send(fromBroker, psh|ack, connackRefused).
		send(fromBroker, fin|ack, nil).send(fromClient, fin|ack, nil).send(fromBroker, ack, nil)
	second := newDialog().wait(time.Second)
	second.seq = [2]uint32{50000, 70000}
	second.send(fromClient, syn, nil).send(fromBroker, syn|ack, nil).send(fromClient, psh|ack, connect("b")).send(fromBroker, psh|ack, connackOK)
	out := first.sessions(t, second)
	if len(out) != 2 || out[0].Connect.ClientID != "a" || out[1].Connect.ClientID != "b" || out[1].Outcome != decode.Accepted {
		t.Fatalf("%d sessions: %+v", len(out), out)
	}
	if out[0].ID() == out[1].ID() || out[0].Stream != 0 || out[1].Stream != 1 {
		t.Errorf("ids %s and %s, streams %d and %d", out[0].ID(), out[1].ID(), out[0].Stream, out[1].Stream)
	}
}

// A load balancer says in front of the CONNECT whom it speaks for.
func TestProxyProtocol(t *testing.T) {
	header := "PROXY TCP4 192.0.2.5 10.0.0.1 40123 1883\r\n"
	for cut := 1; cut <= len(header); cut++ {
		whole := header + string(connect("a"))
		s := opened().send(fromClient, psh|ack, []byte(whole[:cut])).send(fromClient, psh|ack, []byte(whole[cut:])).
			send(fromBroker, psh|ack, connackOK).one(t)
		if s.Connect == nil || s.Connect.ClientID != "a" || s.Client.String() != "192.0.2.5:40123" || !s.Has(decode.NoteProxyProtocol) {
			t.Fatalf("cut at %d: client %v, CONNECT %+v, notes %v", cut, s.Client, s.Connect, s.Notes.List())
		}
	}
}

func TestSecondConnect(t *testing.T) {
	s := opened().send(fromClient, psh|ack, connect("a")).send(fromBroker, psh|ack, connackOK).
		send(fromClient, psh|ack, connect("b")).send(fromBroker, fin|ack, nil).one(t)
	if s.Connect.ClientID != "a" || s.Rare().SecondConnect.Packet != 6 || !s.Has(decode.NoteSecondConnect) {
		t.Errorf("CONNECT of %q, second at %v, notes %v", s.Connect.ClientID, s.Rare().SecondConnect, s.Notes.List())
	}
}

func TestConnectAcknowledged(t *testing.T) {
	c := connect("a")
	if s := opened().send(fromClient, psh|ack, c).send(fromBroker, ack, nil).one(t); !s.ConnectAcked {
		t.Error("the acknowledgement of the CONNECT was not seen")
	}
	d := opened().send(fromClient, psh|ack, c)
	d.seq[fromClient] -= uint32(len(c))
	if s := d.send(fromBroker, ack, nil).one(t); s.ConnectAcked {
		t.Error("an older acknowledgement counts as one of the CONNECT")
	}
}

// No password, user name or will payload gets into a session, nor into what is
// written of it.
func TestNoSecrets(t *testing.T) {
	for _, d := range []*dialog{
		opened().send(fromClient, psh|ack, connect("a")).send(fromBroker, psh|ack, connackOK),
		opened().send(fromClient, psh|ack, connect("a")[:60]).send(fromClient, psh|ack, connect("a")[60:]).send(fromBroker, psh|ack, connackOK),
		opened().send(fromClient, psh|ack, connect("a")[:70]).send(fromBroker, fin|ack, nil),
	} {
		s := d.one(t)
		text := fmt.Sprintf("%+v %+v %+v", s, s.Connect, s.Record())
		walkStrings(reflect.ValueOf(s), func(found string) { text += " " + found })
		for _, secret := range []string{secretPassword, secretWill, secretUser} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in the session", secret)
			}
		}
	}
}

// walkStrings calls yield for every string and byte slice that can be reached.
func walkStrings(v reflect.Value, yield func(string)) {
	switch v.Kind() {
	case reflect.String:
		yield(v.String())
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			walkStrings(v.Elem(), yield)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			walkStrings(v.Field(i), yield)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			yield(string(v.Bytes()))
			return
		}
		for i := range v.Len() {
			walkStrings(v.Index(i), yield)
		}
	}
}
