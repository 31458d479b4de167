package decode

import (
	"path/filepath"
	"testing"

	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode/link"
)

// A Tracer puts every packet that a session names into the connection that has the
// session's number.
func TestTracer(t *testing.T) {
	captures, err := filepath.Glob("../testdata/*/capture.*")
	if err != nil || len(captures) == 0 {
		t.Fatalf("no captures (%v)", err)
	}
	for _, path := range captures {
		source, err := pcapfile.Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		numbers := map[int]uint32{}
		tracer := NewTracer(Options{}, nil)
		for {
			p, err := source.Next()
			if err != nil {
				break
			}
			if traced := tracer.Add(&p); traced.Reason == link.OK && traced.Conn != nil {
				numbers[p.Number] = traced.Conn.Number
			}
		}
		tracer.Close()
		source.Close()
		if source, err = pcapfile.Open(path, nil); err != nil {
			t.Fatal(err)
		}
		New(Options{}, func(s *Session) {
			for _, e := range []Event{s.Opened, s.Syn, s.SynAck, s.ConnectAt, s.ConnackAt, s.Closed, s.Last} {
				if e.Seen() && numbers[e.Packet] != s.Number {
					t.Errorf("%s: packet %d of connection %d was put into %d", path, e.Packet, s.Number, numbers[e.Packet])
				}
			}
		}).Read(source) //nolint:errcheck // as far as it goes
		source.Close()
	}
}
