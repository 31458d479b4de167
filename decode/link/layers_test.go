package link

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
)

// agree holds the layers of a frame to what a Decoder makes of it.
func agree(t *testing.T, p *capture.Packet, s *Segment, r Reason) {
	t.Helper()
	list := Layers(p, nil)
	last := 0
	for _, l := range list {
		if l.From < last || l.Behind < l.From || l.To < l.Behind || l.To > len(p.Data) {
			t.Fatalf("%+v behind %d in a frame of %d", l, last, len(p.Data))
		}
		last = l.Behind
	}
	if r != OK || s.Fragments > 0 {
		return
	}
	at := cap(p.Data) - cap(s.Payload)
	if len(list) == 0 {
		t.Fatalf("no layers, but a segment at %d of % x", at, p.Data)
	}
	if l := list[len(list)-1]; l.Kind != LayerTCP || l.Behind != at || l.To != at+len(s.Payload) {
		t.Fatalf("layers %+v, but the segment's payload is at %d", list, at)
	}
}

// Wherever a Decoder finds a segment, its layers lead there.
func TestLayersOfCaptures(t *testing.T) {
	paths, _ := filepath.Glob("../../testdata/*/capture.*")
	more, _ := filepath.Glob("../../testdata/recordings/*/*.pcap*")
	segments := 0
	for _, path := range append(paths, more...) {
		source, err := pcapfile.Open(path, nil)
		if err != nil {
			continue
		}
		d := NewDecoder()
		for {
			p, err := source.Next()
			if err != nil {
				break
			}
			var s Segment
			r := d.Decode(&p, &s)
			agree(t, &p, &s, r)
			if r == OK {
				segments++
			}
		}
		source.Close()
	}
	if segments == 0 {
		t.Fatal("no segments: nothing was compared")
	}
}

// Nor do they go elsewhere in frames that are made up.
func FuzzLayers(f *testing.F) {
	for _, path := range []string{"../../testdata/no-broker_connection-refused/capture.pcap"} {
		if b, err := os.ReadFile(path); err == nil && len(b) > 150 {
			f.Add(uint16(1), 0, b[40:150])
		}
	}
	for _, link := range []capture.LinkType{0, 1, 9, 50, 51, 101, 104, 105, 108, 113, 127, 228, 229, 239, 276} {
		f.Add(uint16(link), 10, bytes.Repeat([]byte{0x45, 0, 0, 40, 8, 0, 6}, 20))
	}
	f.Fuzz(func(t *testing.T, link uint16, more int, b []byte) {
		p := capture.Packet{Number: 1, Link: capture.LinkType(link), Length: len(b) + max(0, more%100), Data: bytes.Clone(b)}
		var s Segment
		agree(t, &p, &s, NewDecoder().Decode(&p, &s))
	})
}

// Nor in any tunnel, wherever a frame is cut.
func TestLayersOfTunnels(t *testing.T) {
	d := NewDecoder()
	for _, tt := range tunnelFrames() {
		for n := 1; n <= len(tt.data); n++ {
			p := capture.Packet{Link: tt.link, Length: len(tt.data), Data: bytes.Clone(tt.data[:n])}
			var s Segment
			r := d.Decode(&p, &s)
			agree(t, &p, &s, r)
		}
	}
}
