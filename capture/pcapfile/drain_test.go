package pcapfile

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/capture"
)

// drained is everything a source gave.
type drained struct {
	packets []capture.Packet // with copied data
	info    capture.Info
	err     error // what ended it
}

// drain reads a capture to its end and checks what holds for every source.
func drain(t testing.TB, data []byte) drained {
	t.Helper()
	s, err := NewReader("test", bytes.NewReader(data))
	if err != nil {
		t.Fatalf("NewReader: %v", err)
	}
	return drainSource(t, s)
}

func drainSource(t testing.TB, s capture.Source) drained {
	t.Helper()
	var d drained
	var first, last time.Time
	var size int64
	cut, number := 0, 0
	for {
		p, err := s.Next()
		if err != nil {
			d.err = err
			break
		}
		if p.Number <= number {
			t.Fatalf("packet %d follows packet %d", p.Number, number)
		}
		number = p.Number
		if len(p.Data) > maxPacket || p.Length < len(p.Data) {
			t.Fatalf("packet %d: length %d, captured %d", p.Number, p.Length, len(p.Data))
		}
		if p.Nano < 0 {
			t.Fatalf("packet %d: time %v", p.Number, p.Time())
		}
		if p.Interface < 0 {
			t.Fatalf("packet %d: interface %d", p.Number, p.Interface)
		}
		if !p.Time().IsZero() {
			if first.IsZero() || p.Time().Before(first) {
				first = p.Time()
			}
			if p.Time().After(last) {
				last = p.Time()
			}
		}
		if len(p.Data) < p.Length {
			cut++
		}
		size += int64(len(p.Data))
		p.Data = bytes.Clone(p.Data)
		d.packets = append(d.packets, p)
	}
	if _, err := s.Next(); err != d.err {
		t.Fatalf("Next after the end: %v, first %v", err, d.err)
	}
	d.info = s.Info()
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("second Close: %v", err)
	}

	i := d.info
	if int(i.Packets) != len(d.packets) || i.Bytes != size || int(i.Cut) != cut || !i.First.Equal(first) || !i.Last.Equal(last) {
		t.Fatalf("Info = %+v, want %d packets, %d bytes, %d cut, %v to %v", i, len(d.packets), size, cut, first, last)
	}
	for _, p := range d.packets {
		if !slices.Contains(i.LinkTypes, p.Link) {
			t.Fatalf("link type %v of packet %d is not in %v", p.Link, p.Number, i.LinkTypes)
		}
	}
	if len(i.Problems) > int(troubles)+1 {
		t.Fatalf("%d problems", len(i.Problems))
	}
	var truncated *capture.TruncatedError
	var damaged *capture.DamagedError
	switch {
	case d.err == io.EOF:
	case errors.As(d.err, &truncated):
		if truncated.Packet <= number {
			t.Fatalf("cut short in packet %d after packet %d", truncated.Packet, number)
		}
	case errors.As(d.err, &damaged):
		if damaged.Packet <= number || damaged.Reason == "" {
			t.Fatalf("%v after packet %d", damaged, number)
		}
	default:
		t.Fatalf("ended by %T %v", d.err, d.err)
	}
	if d.err != io.EOF && (len(i.Problems) == 0 || i.Problems[len(i.Problems)-1] != d.err.Error()) {
		t.Fatalf("problems %q do not end with %q", i.Problems, d.err)
	}
	return d
}

func wantPackets(t *testing.T, got, want []capture.Packet) {
	t.Helper()
	for n := range max(len(got), len(want)) {
		switch {
		case n >= len(got):
			t.Errorf("packet missing: %+v", want[n])
		case n >= len(want):
			t.Errorf("packet too many: %+v", got[n])
		case !reflect.DeepEqual(got[n], want[n]):
			t.Errorf("packet\n got %+v\nwant %+v", got[n], want[n])
		}
	}
}

func wantProblems(t *testing.T, i capture.Info, want ...string) {
	t.Helper()
	if !slices.Equal(i.Problems, want) {
		t.Errorf("problems %q, want %q", i.Problems, want)
	}
}
