package pcapfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"testing/iotest"

	"github.com/ulikunitz/xz"

	"github.com/mqttriage/mqttriage/capture"
)

// pcapSeeds and pcapngSeeds hold one input of each kind that has crashed or
// bloated a reader, and sound files in all shapes.
func pcapSeeds() [][]byte {
	return [][]byte{
		littleEndian().pcap(pcapMicro, 1).record(1, 2, 3, "abc").b,
		bigEndian().pcap(pcapNano, 276).record(1, 2, 30, "abc").record(1, 2, 0, "").b,
		littleEndian().u32(pcapMicro).u16(2, 3).u32(0, 0, 65535, 1, 1, 2, 9, 3).raw('a', 'b', 'c').b,
		littleEndian().pcap(pcapMicro, 1).u32(0, 0, 0x80000000, 0x80000000).b, // 40 bytes that claim 2 GiB
		bigEndian().pcap(pcapMicro, 1).u32(0, 0, 0xffffffff, 0xffffffff).b,
		littleEndian().pcap(pcapMicro, 1).record(1, 2, 3, "abc").b[:41],
		littleEndian().pcap(pcapMicro, 1).b[:10],
	}
}

func pcapngSeeds() [][]byte {
	sound := func(f *file) *file {
		return f.section().
			iface(1, 0, option(optionName, []byte("eth0")...), option(optionResolution, 9), option(optionOffset, 0, 0, 0, 0, 0, 0, 0, 1), option(optionEnd)).
			enhanced(0, 1e18, 60, "abc").obsolete(0, 1, 3, "abc").simple(3, "abc").
			block(blockNames, func(b *file) { b.u16(recordIPv4, 6).raw(10, 0, 0, 1, 'n', 0).pad().u16(0, 0) }).
			secrets(secretsTLS, "CLIENT_RANDOM 00 11\n").
			block(blockCustom, func(b *file) { b.u32(32473) })
	}
	start := func() *file { return littleEndian().section().iface(1, 0) }
	return [][]byte{
		sound(littleEndian()).b,
		sound(bigEndian()).b,
		append(sound(littleEndian()).b, sound(bigEndian()).b...),
		sound(littleEndian()).b[:150],
		start().u32(6, 0x80000020, 0, 0, 0, 0x80000000, 0x80000000).b, // 2 GiB, in the block's length as well
		start().u32(6, 36, 0, 0, 0, 0x80000000, 0x80000000, 0, 36).b,  // 2 GiB, in the captured length only
		littleEndian().section().iface(1, 0, option(optionResolution, 0xff)).enhanced(0, 1<<64-1, 1, "x").b,
		littleEndian().section().iface(1, 0, option(optionResolution, 0x7f)).enhanced(0, 1<<64-1, 1, "x").b,
		start().u32(6, 0, 0).b,
		start().u32(6, 33).raw(make([]byte, 40)...).b,
		start().u32(blockSecrets, 0xfffffffc, secretsTLS, 0xffffffe0, 0).b,
		littleEndian().section().block(blockInterface, func(b *file) {}).simple(1, "x").b,
		littleEndian().section().b[:20],
	}
}

// readers that hand out the same bytes in different pieces must lead to the
// same packets and the same end.
func fuzzSource(t *testing.T, data []byte) {
	s, err := NewReader("test", bytes.NewReader(data))
	pieces, pieceErr := NewReader("test", iotest.OneByteReader(bytes.NewReader(data)))
	if err != nil {
		var e *capture.NotCaptureError
		if !errors.As(err, &e) || e.Reason == "" {
			t.Fatalf("NewReader: %T %v", err, err)
		}
		if pieceErr == nil || pieceErr.Error() != err.Error() {
			t.Fatalf("NewReader: %v, byte by byte: %v", err, pieceErr)
		}
		return
	}
	if pieceErr != nil {
		t.Fatalf("NewReader byte by byte: %v", pieceErr)
	}
	d, p := drainSource(t, s), drainSource(t, pieces)
	if !reflect.DeepEqual(d, p) {
		t.Fatalf("byte by byte\n got %+v\nwant %+v", p, d)
	}
}

// plainPcap reads a whole pcap file at once, as simply as the format allows:
// the packets' data, and whether the file ended behind a whole record.
func plainPcap(data []byte) (packets [][]byte, whole bool) {
	o := order(data[0] == 0xa1)
	swapped := o.u16(data[4:]) == 2 && o.u16(data[6:]) < 3 || o.u16(data[4:]) == 543
	either := o.u16(data[4:]) == 2 && o.u16(data[6:]) == 3
	for data = data[24:]; len(data) > 0; {
		if len(data) < 16 {
			return packets, false
		}
		n, m := uint64(o.u32(data[8:])), uint64(o.u32(data[12:]))
		if swapped || either && n > m {
			n = m
		}
		if n > maxPacket || uint64(len(data)-16) < n {
			return packets, false
		}
		packets = append(packets, data[16:16+n])
		data = data[16+n:]
	}
	return packets, true
}

func FuzzPcap(f *testing.F) {
	for _, seed := range pcapSeeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 4 {
			return
		}
		switch order(data[0] == 0xa1).u32(data) {
		case pcapMicro, pcapNano:
		default:
			return
		}
		s, err := newPcap(newStream(bytes.NewReader(data)), newTally("test", "pcap", ""))
		if err != nil {
			if len(data) >= pcapHeader {
				t.Fatalf("newPcap: %v", err)
			}
			return
		}
		d := drainSource(t, &source{reader: s})
		want, whole := plainPcap(data)
		if len(d.packets) != len(want) || whole != (d.err == io.EOF) {
			t.Fatalf("%d packets, ended by %v; want %d, whole %v", len(d.packets), d.err, len(want), whole)
		}
		for i, p := range d.packets {
			if p.Number != i+1 || !bytes.Equal(p.Data, want[i]) {
				t.Fatalf("packet %d: %+v, want %x", i+1, p, want[i])
			}
		}
	})
}

func FuzzPcapng(f *testing.F) {
	for _, seed := range pcapngSeeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !bytes.HasPrefix(data, littleEndian().u32(blockSection).b) {
			return
		}
		s, err := newPcapng(newStream(bytes.NewReader(data)), newTally("test", "pcapng", ""))
		if err != nil {
			return
		}
		d := drainSource(t, &source{reader: s})
		if n := len(data) / minBlock; len(d.packets) > n {
			t.Fatalf("%d packets in %d bytes", len(d.packets), len(data))
		}
		// A second section of the same bytes starts again: as many packets,
		// numbered on, from the interfaces behind the first ones.
		if d.err != io.EOF || len(data) > 1<<16 {
			return
		}
		twice := drain(t, append(bytes.Clone(data), data...))
		if len(twice.packets) != 2*len(d.packets) || twice.err != io.EOF {
			t.Fatalf("%d packets, twice %d, ended by %v", len(d.packets), len(twice.packets), twice.err)
		}
		for i, p := range d.packets {
			q := twice.packets[len(d.packets)+i]
			if !bytes.Equal(p.Data, q.Data) || p.Link != q.Link || p.Length != q.Length || p.Nano != q.Nano || q.Number <= p.Number {
				t.Fatalf("packet %+v, again %+v", p, q)
			}
		}
	})
}

func FuzzNewReader(f *testing.F) {
	for _, seed := range append(pcapSeeds(), pcapngSeeds()...) {
		f.Add(seed)
		f.Add(gzipped(f, seed))
		f.Add(zstandard(f, seed))
		f.Add(lz4ed(f, seed))
		f.Add(xzed(f, seed, xz.WriterConfig{}))
	}
	for _, packed := range []string{"testdata/xz/*", "testdata/lz4/*"} {
		files, err := filepath.Glob(packed)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range files {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add(gzipped(f, zstandard(f, pcapSeeds()[0])))
	f.Add(append([]byte{0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff}, bytes.Repeat([]byte{0}, 30)...)) // extra field of 64 KiB
	f.Add(gzipped(f, make([]byte, 1<<20))[:500])
	f.Add(hugeWindow)
	f.Add(hugeDictionary)
	f.Add([]byte(lz4LegacyMagic + lz4LegacyMagic))
	for _, foreign := range foreigners {
		f.Add([]byte(fmt.Sprintf("%*s%s", foreign.offset, "", foreign.magic)))
	}
	f.Fuzz(fuzzSource)
}
