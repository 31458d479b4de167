package decode

import (
	"bytes"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/mqttriage/mqttriage/bench/traffic"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode/tcp"
)

// The ways to decode one capture. All must give the same sessions in the same
// order: alone is what one processor does, ahead what several do, single takes
// packet by packet, and slowly takes no short way.
var ways = map[string]func(d *Decoder, source capture.Source) error{
	"ahead": func(d *Decoder, source capture.Source) error {
		d.settling = d.settleApart()
		return d.readAhead(source)
	},
	"single": func(d *Decoder, source capture.Source) error {
		for {
			p, err := source.Next()
			if err != nil {
				return err
			}
			d.Add(p)
		}
	},
	"slowly": func(d *Decoder, source capture.Source) error {
		d.table = tcp.NewTable(tcp.Options{Open: d.open, Thorough: true})
		for {
			p, err := source.Next()
			if err != nil {
				return err
			}
			var f frame
			d.frame(&p, &f)
			f.skipped = false
			d.follow(&f, tcp.Place{})
		}
	},
}

func TestWaysToRead(t *testing.T) {
	captures, err := filepath.Glob("../testdata/*/capture.*")
	if err != nil || len(captures) == 0 {
		t.Fatalf("no captures (%v)", err)
	}
	for _, path := range captures {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		compareWays(t, path, file)
	}
	for _, w := range traffic.Workloads() {
		for _, format := range []traffic.Format{traffic.Pcap, traffic.Pcapng} {
			var file bytes.Buffer
			if _, err := w.Write(&file, traffic.Options{Connections: min(300, w.Connections/100), Seed: 7, Format: format}); err != nil {
				t.Fatal(err)
			}
			compareWays(t, w.Name, file.Bytes())
		}
	}
}

// FuzzWaysToRead takes a capture file.
func FuzzWaysToRead(f *testing.F) {
	for _, w := range traffic.Workloads() {
		var file bytes.Buffer
		if _, err := w.Write(&file, traffic.Options{Connections: 3, Seed: 1}); err != nil {
			f.Fatal(err)
		}
		f.Add(file.Bytes()[:min(file.Len(), 20_000)])
	}
	f.Fuzz(func(t *testing.T, file []byte) { compareWays(t, "fuzz", file) })
}

func compareWays(t *testing.T, name string, file []byte) {
	t.Helper()
	want, wantStats, wantNames, wantErr := readBy(t, file, (*Decoder).readAlone)
	for way, read := range ways {
		got, stats, names, err := readBy(t, file, read)
		if !reflect.DeepEqual(err, wantErr) || !reflect.DeepEqual(stats, wantStats) || !maps.Equal(names, wantNames) {
			t.Fatalf("%s, %s: %v and %+v, alone %v and %+v", name, way, err, stats, wantErr, wantStats)
		}
		if len(got) != len(want) {
			t.Fatalf("%s, %s: %d sessions, alone %d", name, way, len(got), len(want))
		}
		for i := range got {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Fatalf("%s, %s: session %d is\n%+v, alone\n%+v", name, way, i, got[i].Record(), want[i].Record())
			}
		}
	}
}

func readBy(t *testing.T, file []byte, read func(*Decoder, capture.Source) error) (sessions []*Session, stats Stats, names map[netip.Addr]string, err error) {
	t.Helper()
	source, err := pcapfile.NewReader("file", bytes.NewReader(file))
	if err != nil {
		return nil, stats, nil, err
	}
	defer source.Close()
	d := New(Options{}, func(s *Session) {
		_ = s.BrokerName() // may be asked for at any time
		s.Origin = origin  // names are compared once, not for every session
		sessions = append(sessions, s)
	})
	err = read(d, source)
	if err == nil {
		err = io.ErrUnexpectedEOF // never: a source ends with an error
	}
	d.Close()
	return sessions, d.Stats(), d.origin.Names, err
}

var origin = &Origin{}
