package pcapfile

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/capture"
)

func TestPcap(t *testing.T) {
	for name, f := range map[string]*file{"little": littleEndian(), "big": bigEndian()} {
		for _, c := range []struct {
			magic  uint32
			second uint32
			nano   int64
			unit   int64
		}{{pcapMicro, 999_999, 999_999_000, 1000}, {pcapNano, 999_999_999, 999_999_999, 1}} {
			t.Run(fmt.Sprintf("%s %x", name, c.magic), func(t *testing.T) {
				g := &file{AppendByteOrder: f.AppendByteOrder}
				g.pcap(c.magic, 276).
					record(1_700_000_001, c.second, 60, "abc").
					record(1_700_000_000, 0, 0, "").
					record(0xffffffff, 1, 5, "hello")
				d := drain(t, g.b)
				wantPackets(t, d.packets, []capture.Packet{
					{Number: 1, Nano: at(1_700_000_001, c.nano), Link: capture.LinkLinuxSLL2, Length: 60, Data: []byte("abc")},
					{Number: 2, Nano: at(1_700_000_000, 0), Link: capture.LinkLinuxSLL2, Data: []byte{}},
					{Number: 3, Nano: at(0xffffffff, c.unit), Link: capture.LinkLinuxSLL2, Length: 5, Data: []byte("hello")},
				})
				if d.err != io.EOF || d.info.Format != "pcap" || d.info.Name != "test" || d.info.Compression != "" || len(d.info.LinkTypes) != 1 {
					t.Errorf("ended by %v, info %+v", d.err, d.info)
				}
				wantProblems(t, d.info)
			})
		}
	}
}

// The upper half of the link type field says how long the frame check
// sequence is; files of the tcpdump group carry such values.
func TestPcapFCSBits(t *testing.T) {
	d := drain(t, littleEndian().pcap(pcapMicro, 0x44000001).record(1, 2, 4, "data").b)
	if len(d.packets) != 1 || d.packets[0].Link != capture.LinkEN10MB {
		t.Fatalf("packets %+v", d.packets)
	}
}

// Before version 2.3 the original length came first.
func TestPcapOldVersions(t *testing.T) {
	for _, c := range []struct {
		major, minor uint16
		first        uint32
		second       uint32
		problem      string
	}{
		{2, 2, 60, 3, ""},
		{2, 3, 60, 3, ""},
		{2, 3, 3, 60, ""},
		{543, 0, 60, 3, ""},
		{2, 4, 3, 60, ""},
		{7, 1, 3, 60, "pcap version 7.1 is not known; read as 2.4"},
	} {
		f := littleEndian().u32(pcapMicro).u16(c.major, c.minor).u32(0, 0, 65535, 1).
			u32(1, 2, c.first, c.second).raw('a', 'b', 'c')
		d := drain(t, f.b)
		if len(d.packets) != 1 || d.packets[0].Length != 60 || string(d.packets[0].Data) != "abc" {
			t.Errorf("version %d.%d: packets %+v", c.major, c.minor, d.packets)
		}
		if got := strings.Join(d.info.Problems, ";"); got != c.problem {
			t.Errorf("version %d.%d: problems %q", c.major, c.minor, got)
		}
	}
}

// A record longer than the snap length, or than the frame ever was, is read.
func TestPcapOddLengths(t *testing.T) {
	long := strings.Repeat("x", maxPacket)
	f := littleEndian().u32(pcapMicro).u16(2, 4).u32(0, 0, 68, 1).
		record(1, 0, 3, "abcdef").record(2, 0, 0xffffffff, "a").record(3, 0, maxPacket, long)
	d := drain(t, f.b)
	wantPackets(t, d.packets, []capture.Packet{
		{Number: 1, Nano: at(1, 0), Link: 1, Length: 6, Data: []byte("abcdef")},
		{Number: 2, Nano: at(2, 0), Link: 1, Length: 0x7fffffff, Data: []byte("a")},
		{Number: 3, Nano: at(3, 0), Link: 1, Length: maxPacket, Data: []byte(long)},
	})
}

// A file may end after every byte.
func TestPcapCut(t *testing.T) {
	whole := littleEndian().pcap(pcapMicro, 1).record(1, 0, 3, "abc").record(2, 0, 0, "").record(3, 0, 5, "hello").b
	ends := []int{24, 24 + 19, 24 + 19 + 16, len(whole)}
	for n := pcapHeader; n <= len(whole); n++ {
		d := drain(t, whole[:n])
		packets, at := 0, 0
		for i, end := range ends {
			if n >= end {
				packets, at = i, end
			}
		}
		if len(d.packets) != packets {
			t.Errorf("%d bytes: %d packets, want %d", n, len(d.packets), packets)
		}
		if n == at {
			if d.err != io.EOF {
				t.Errorf("%d bytes: ended by %v", n, d.err)
			}
			continue
		}
		var e *capture.TruncatedError
		if !errors.As(d.err, &e) || e.Packet != packets+1 || e.Offset != int64(at) {
			t.Errorf("%d bytes: ended by %#v", n, d.err)
		}
		wantProblems(t, d.info, fmt.Sprintf("cut short in packet %d", packets+1))
	}
}

func TestPcapHeaderCut(t *testing.T) {
	whole := bigEndian().pcap(pcapNano, 1).b
	for n := 4; n < len(whole); n++ {
		_, err := NewReader("x", strings.NewReader(string(whole[:n])))
		want := fmt.Sprintf("read x: not a capture: it is cut short in its header, after %d of 24 bytes", n)
		if err == nil || err.Error() != want {
			t.Errorf("%d bytes: %v, want %q", n, err, want)
		}
	}
}

func TestPcapDamaged(t *testing.T) {
	f := littleEndian().pcap(pcapMicro, 1).record(1, 0, 3, "abc").
		u32(2, 0, maxPacket+1, maxPacket+1).raw(make([]byte, maxPacket+1)...)
	d := drain(t, f.b)
	want := capture.DamagedError{Packet: 2, Offset: 43, Reason: "a record claims 262145 bytes, more than 262144"}
	var e *capture.DamagedError
	if len(d.packets) != 1 || !errors.As(d.err, &e) || *e != want {
		t.Errorf("%d packets, ended by %#v", len(d.packets), d.err)
	}
	wantProblems(t, d.info, "damaged before packet 2: a record claims 262145 bytes, more than 262144 (byte 43)")
}
