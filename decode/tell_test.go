package decode_test

import (
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
)

// watching is a decoder of a capture that goes on, and what it told.
type watching struct {
	decoder *decode.Decoder
	packets int
	early   []*decode.Session
	ended   []*decode.Session
}

func watch(bounds decode.Bounds) *watching {
	w := &watching{}
	w.decoder = decode.New(decode.Options{
		Capture: "live", Index: 1, Bounds: bounds, Early: func(s *decode.Session) { w.early = append(w.early, s) },
	}, func(s *decode.Session) { w.ended = append(w.ended, s) })
	return w
}

func (w *watching) add(packets []capture.Packet) {
	for i := range packets {
		w.packets++
		packets[i].Number = w.packets
	}
	w.decoder.AddBatch(&capture.Batch{Packets: packets})
}

// after adds packets and asks what is known a while after the last one, as often as it is
// asked in that time.
func (w *watching) after(packets []capture.Packet, while time.Duration) []*decode.Session {
	w.add(packets)
	last := packets[len(packets)-1].Nano
	w.early = nil
	for t := time.Duration(0); t <= while; t += 200 * time.Millisecond {
		w.decoder.Tell(last+int64(t), false)
	}
	return w.early
}

func TestTell(t *testing.T) {
	connack := []byte{0x20, 2, 0, 0}
	refused := []byte{0x20, 2, 0, 5}
	const soon = time.Second
	for _, test := range []struct {
		name   string
		dialog *dialog
		while  time.Duration
		told   bool
		want   decode.Outcome
		by     decode.Side
	}{
		{"nothing but a SYN", newDialog().send(fromClient, syn, nil), soon, false, 0, decode.Nobody},
		{"a SYN that nobody answers", newDialog().send(fromClient, syn, nil), 11 * time.Second, true, decode.Refused, decode.Nobody},
		{"an open connection", opened(), soon, false, 0, decode.Nobody},
		{"a CONNECT", opened().send(fromClient, ack, connect("a")), soon, false, 0, decode.Nobody},
		{"a CONNECT that nobody answers", opened().send(fromClient, ack, connect("a")).send(fromBroker, ack, nil), 31 * time.Second, true, decode.Unanswered, decode.Nobody},
		{"accepted", opened().send(fromClient, ack, connect("a")).send(fromBroker, ack, connack), soon, true, decode.Accepted, decode.Nobody},
		{"rejected, and still open", opened().send(fromClient, ack, connect("a")).send(fromBroker, ack, refused), soon, true, decode.Rejected, decode.Nobody},
		{"closed without CONNACK", opened().send(fromClient, ack, connect("a")).send(fromBroker, fin|ack, nil), soon, true, decode.Unanswered, decode.Broker},
		{
			"closed, and what was sent before is still on its way",
			opened().send(fromClient, ack, connect("a")).lose(fromBroker, connack).send(fromBroker, fin|ack, nil), soon, false, 0, decode.Nobody,
		},
		{"refused", newDialog().send(fromClient, syn, nil).send(fromBroker, rst|ack, nil), soon, true, decode.Refused, decode.Broker},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := watch(decode.Bounds{})
			told := w.after(test.dialog.packets, test.while)
			if !test.told {
				if len(told) > 0 {
					t.Errorf("told %d sessions, the first %s; want none", len(told), told[0].Outcome)
				}
				return
			}
			if len(told) != 1 {
				t.Fatalf("told %d sessions, want one", len(told))
			}
			if s := told[0]; s.Outcome != test.want || s.ClosedBy != test.by {
				t.Errorf("told %s, closed by %q; want %s, %q", s.Outcome, s.ClosedBy, test.want, test.by)
			}
		})
	}
}

// What comes later is told with the same number, and what was told stays as it was.
func TestTellAgain(t *testing.T) {
	w := watch(decode.Bounds{})
	d := opened().send(fromClient, ack, connect("a")).send(fromBroker, ack, []byte{0x20, 2, 0, 0})
	first := w.after(d.packets, time.Second)
	d.packets = nil
	d.wait(time.Minute).send(fromBroker, fin|ack, nil)
	second := w.after(d.packets, time.Second)
	if len(first) != 1 || len(second) != 1 {
		t.Fatalf("told %d and %d sessions, want one each", len(first), len(second))
	}
	if first[0].Number != second[0].Number || first[0] == second[0] || first[0].Closed.Seen() || !second[0].Closed.Seen() {
		t.Errorf("told %+v, then %+v", first[0], second[0])
	}
	d.packets = nil
	d.send(fromClient, fin|ack, nil)
	w.after(d.packets, 3*time.Second)
	if len(w.ended) != 1 || w.ended[0].Number != first[0].Number || w.ended[0].ClosedBy != decode.Broker {
		t.Errorf("%d sessions ended without a further packet, want the one", len(w.ended))
	}
}

// A flood of connections gives up the oldest, and says how many.
func TestBounds(t *testing.T) {
	w := watch(decode.Bounds{Connections: 100, Memory: 1 << 20})
	for i := range 1000 {
		d := opened()
		for j := range d.packets {
			p := &d.packets[j]
			if j%2 == 0 { // from the client
				p.Data[20], p.Data[21] = byte(i>>8)|0x80, byte(i)
			} else {
				p.Data[22], p.Data[23] = byte(i>>8)|0x80, byte(i)
			}
		}
		w.add(d.packets)
	}
	if n := w.decoder.Stats().Evicted; n != 900 || len(w.ended) != 900 {
		t.Errorf("%d connections were given up and %d sessions emitted, want 900 of 1,000", n, len(w.ended))
	}
}

// A clock that was set back does not keep anything from being told.
func TestTellClockSetBack(t *testing.T) {
	w := watch(decode.Bounds{})
	d := opened().send(fromClient, ack, connect("a")).send(fromBroker, ack, []byte{0x20, 2, 0, 5})
	w.add(d.packets)
	w.decoder.Tell(d.now.Add(-time.Hour).UnixNano(), false)
	if len(w.early) != 1 || w.early[0].Outcome != decode.Rejected {
		t.Errorf("told %d sessions, want the rejected one", len(w.early))
	}
}
