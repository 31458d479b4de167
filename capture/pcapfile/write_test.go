package pcapfile

import (
	"bytes"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mqttriage/mqttriage/capture"
)

// What is written is read back: packets, interfaces, names.
func TestWriterReader(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, "mqttriage")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range []capture.LinkType{capture.LinkEN10MB, capture.LinkLinuxSLL2} {
		if _, err := w.Interface(link, "eth"+string('0'+rune(link%10))); err != nil {
			t.Fatal(err)
		}
	}
	broker := netip.MustParseAddr("2001:db8::1")
	if err := w.Name(broker, "broker.example"); err != nil {
		t.Fatal(err)
	}
	want := []capture.Packet{
		{Number: 1, Nano: 1_700_000_000_123_456_789, Link: capture.LinkEN10MB, Length: 60, Interface: 0, Data: []byte("hello")},
		{Number: 2, Nano: 0, Link: capture.LinkLinuxSLL2, Length: 3, Interface: 1, Data: []byte("abc")},
		{Number: 3, Nano: maxSecond * 1e9, Link: capture.LinkEN10MB, Length: 1500, Interface: 0, Data: []byte{}},
		{Number: 4, Nano: 5, Link: capture.LinkEN10MB, Length: maxPacket, Interface: 0, Data: bytes.Repeat([]byte{7}, maxPacket)},
	}
	for i := range want {
		comment := ""
		if i%2 == 0 {
			comment = strings.Repeat("é", maxComment)
		}
		if err := w.Packet(&want[i], comment); err != nil {
			t.Fatal(err)
		}
	}
	source, err := NewReader("test", bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	var got []capture.Packet
	for {
		p, err := source.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		p.Data = bytes.Clone(p.Data)
		if p.Data == nil {
			p.Data = []byte{}
		}
		got = append(got, p)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-) and got (+) differ:\n%s", diff)
	}
	info := source.Info()
	if diff := cmp.Diff([]string{"eth1", "eth6"}, info.Interfaces); diff != "" {
		t.Error(diff)
	}
	if info.Names[broker] != "broker.example" || len(info.Problems) > 0 {
		t.Errorf("names %v, problems %q", info.Names, info.Problems)
	}
}

// What a reader would not take is not written.
func TestWriterRefuses(t *testing.T) {
	w, err := NewWriter(io.Discard, "mqttriage")
	if err != nil {
		t.Fatal(err)
	}
	if w.Packet(&capture.Packet{}, "") == nil {
		t.Error("a packet of no interface was written")
	}
	for range maxInterfaces {
		if _, err := w.Interface(capture.LinkRaw, ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Interface(capture.LinkRaw, ""); err == nil {
		t.Error("more interfaces were written than are read")
	}
	if w.Packet(&capture.Packet{Data: make([]byte, maxPacket+1)}, "") == nil {
		t.Error("a packet was written that is too large to be read")
	}
	if w.Packet(&capture.Packet{Nano: -1}, "") == nil {
		t.Error("a packet of before 1970 was written")
	}
	if w.Name(netip.MustParseAddr("192.0.2.1"), strings.Repeat("a", maxName+1)) == nil {
		t.Error("a name was written that is too long to be read")
	}
}

// A failed write is told again by all that follow it.
func TestWriterFails(t *testing.T) {
	if _, err := NewWriter(failing{}, "mqttriage"); err != io.ErrShortWrite {
		t.Errorf("got %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// Whatever a packet and its comment are, the reader gets the packet.
func FuzzWriter(f *testing.F) {
	f.Add(int64(1_700_000_000_000_000_000), 100, []byte("data"), "a comment")
	f.Add(int64(0), 0, []byte{}, "")
	f.Add(int64(maxSecond)*1e9, -5, []byte{0, 0, 0, 6}, "\xff\x00\n")
	f.Fuzz(func(t *testing.T, nano int64, length int, data []byte, comment string) {
		var out bytes.Buffer
		w, err := NewWriter(&out, "mqttriage")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Interface(capture.LinkRaw, comment); err != nil {
			t.Fatal(err)
		}
		if err := w.Packet(&capture.Packet{Nano: nano, Length: length, Data: data}, comment); err != nil {
			return
		}
		source, err := NewReader("fuzz", &out)
		if err != nil {
			t.Fatal(err)
		}
		p, err := source.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(p.Data, data) || nano <= maxSecond*1e9 && p.Nano != nano {
			t.Errorf("wrote %d %x, read %d %x", nano, data, p.Nano, p.Data)
		}
		if _, err := source.Next(); err != io.EOF {
			t.Errorf("behind the packet: %v", err)
		}
	})
}
