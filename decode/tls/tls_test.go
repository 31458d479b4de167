package tls

import (
	"bytes"
	"reflect"
	"testing"
)

// record wraps a fragment.
func record(t ContentType, fragment []byte) []byte {
	return append([]byte{byte(t), 3, 3, byte(len(fragment) >> 8), byte(len(fragment))}, fragment...)
}

// scan runs bytes through a scanner in pieces of n.
func scan(b []byte, n int) (records []Record, lost bool) {
	var s Scanner
	for len(b) > 0 {
		piece := b[:min(n, len(b))]
		s.Feed(piece, func(r Record) {
			r.Body = bytes.Clone(r.Body)
			if len(r.Body) == 0 {
				r.Body = nil
			}
			records = append(records, r)
		})
		b = b[len(piece):]
	}
	return records, s.Lost()
}

func TestScannerInPieces(t *testing.T) {
	stream := bytes.Join([][]byte{
		record(Handshake, []byte("hello")), record(ChangeCipherSpec, []byte{1}),
		record(ApplicationData, make([]byte, 3000)), record(Alert, []byte{2, 48}),
	}, nil)
	want := []Record{
		{Type: Handshake, WireType: Handshake, Length: 5, Body: []byte("hello")},
		{Type: ChangeCipherSpec, WireType: ChangeCipherSpec, Length: 1},
		{Type: ApplicationData, WireType: ApplicationData, Length: 3000},
		{Type: Alert, WireType: Alert, Length: 2, Body: []byte{2, 48}},
	}
	for _, n := range []int{1, 2, 3, 7, 1000, len(stream)} {
		got, lost := scan(stream, n)
		if lost || !reflect.DeepEqual(got, want) {
			t.Errorf("in pieces of %d: %v, lost %v", n, got, lost)
		}
	}
}

func TestScannerLoses(t *testing.T) {
	for name, b := range map[string][]byte{
		"type":    {24, 3, 3, 0, 1, 0},
		"version": {22, 2, 0, 0, 1, 0},
		"length":  {22, 3, 3, 0xff, 0xff, 0},
	} {
		if _, lost := scan(b, 1); !lost {
			t.Errorf("%s: taken for TLS", name)
		}
	}
	var s Scanner
	s.Feed(record(ApplicationData, make([]byte, 100))[:50], func(Record) {})
	s.Skip(20)
	seen := 0
	s.Feed(make([]byte, 35), func(Record) { seen++ })
	if s.Lost() || seen != 1 {
		t.Errorf("a gap inside application data: lost %v, %d records", s.Lost(), seen)
	}
	s.Skip(5)
	if !s.Lost() {
		t.Error("a gap between records was not noticed")
	}
}

func FuzzParseHello(f *testing.F) {
	f.Add([]byte{1, 0, 0, 2, 3, 3})
	f.Add(append([]byte{1, 0, 0, 43, 3, 3}, make([]byte, 41)...))
	f.Add([]byte{2, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, _ := ParseHello(b); len(h.ALPN) > maxALPN || len(h.SNI) > len(b) {
			t.Errorf("%+v out of %d bytes", h, len(b))
		}
	})
}
