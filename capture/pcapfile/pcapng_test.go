package pcapfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/capture"
)

// Sections in both byte orders, interfaces with their own clocks, and all
// packet blocks, numbered through.
func TestPcapng(t *testing.T) {
	f := littleEndian().section().
		iface(1, 0, option(optionName, []byte("eth0")...), option(optionResolution, 9), option(optionEnd)).
		iface(276, 4, option(12, []byte("Linux")...), option(optionOffset, 0, 202, 154, 59, 0, 0, 0, 0)).
		enhanced(0, 1_700_000_000_123_456_789, 60, "abc").
		block(5, func(b *file) { b.u32(0, 0, 0) }). // interface statistics
		enhanced(1, stamp(5, 6), 5, "hello").
		obsolete(0, 1_600_000_000_000_000_001, 9, "obsolete!").
		block(0x99999999, func(b *file) { b.raw(make([]byte, 2*bufferSize)...) }).
		simple(3, "sim")
	g := bigEndian().section().
		iface(113, 2, option(optionName, []byte("lo")...), option(optionResolution, 0x80|10)).
		simple(60, "sn").
		enhanced(0, 1_700_000_000<<10|512, 2, "xy")
	d := drain(t, append(f.b, g.b...))
	wantPackets(t, d.packets, []capture.Packet{
		{Number: 1, Nano: at(1_700_000_000, 123_456_789), Link: 1, Length: 60, Data: []byte("abc")},
		{Number: 2, Nano: at(1_000_000_005, 6000), Link: 276, Length: 5, Interface: 1, Data: []byte("hello")},
		{Number: 3, Nano: at(1_600_000_000, 1), Link: 1, Length: 9, Data: []byte("obsolete!")},
		{Number: 4, Link: 1, Length: 3, Data: []byte("sim")},
		{Number: 5, Link: 113, Length: 60, Interface: 2, Data: []byte("sn")},
		{Number: 6, Nano: at(1_700_000_000, 500_000_000), Link: 113, Length: 2, Interface: 2, Data: []byte("xy")},
	})
	wantProblems(t, d.info)
	if d.err != io.EOF || d.info.Format != "pcapng" ||
		!slices.Equal(d.info.LinkTypes, []capture.LinkType{1, 276, 113}) ||
		!slices.Equal(d.info.Interfaces, []string{"eth0", "", "lo"}) {
		t.Errorf("ended by %v, info %+v", d.err, d.info)
	}
}

// Wireshark lists some records that are no packets, and numbers them; the
// numbers here are those of tshark 4.0.17.
func TestPcapngNumbersLikeWireshark(t *testing.T) {
	for kind, numbered := range map[uint32]bool{
		blockJournal: true, blockCustom: true, blockCustomCopy: true,
		blockSysdig: true, blockSysdigV2: true, blockSysdigLarge: true,
		5: false, 7: false, 8: false, 0xb: false, 0x101: false, 0x201: false, 0x202: false, 0x208: false, 0x80000001: false,
	} {
		d := drain(t, littleEndian().section().iface(1, 0).enhanced(0, 1, 1, "a").
			block(kind, func(b *file) { b.raw(make([]byte, 40)...) }).enhanced(0, 2, 1, "b").b)
		want := 2
		if numbered {
			want = 3
		}
		if len(d.packets) != 2 || d.packets[1].Number != want {
			t.Errorf("block %#x: packets %+v, want the last to be %d", kind, d.packets, want)
		}
	}
}

// Damage inside a block is passed over: one problem a kind, and the numbers
// go on.
func TestPcapngTolerates(t *testing.T) {
	start := func() *file { return littleEndian().section().iface(1, 0) }
	end := func(f *file) []byte { return f.enhanced(0, stamp(9, 0), 3, "end").b }
	claim := func(f *file, kind, captured uint32) *file {
		return f.block(kind, func(b *file) { b.u32(0, 0, 1, captured, 4).raw(1, 2, 3, 4) })
	}
	for _, c := range []struct {
		name    string
		data    []byte
		number  int // of the last packet
		problem string
	}{
		{"unknown interface", end(start().enhanced(1, 1, 1, "x").enhanced(0xffffffff, 1, 1, "x")), 3,
			"packet 1 left out: interface 1 is not described (and 1 more)"},
		{"unknown interface in a packet block", end(start().obsolete(0xffff, 1, 1, "x")), 2,
			"packet 1 left out: interface 65535 is not described"},
		{"simple packet before its interface", end(littleEndian().section().simple(1, "x").iface(1, 0)), 2,
			"packet 1 left out: interface 0 is not described"},
		{"interfaces end with their section", end(start().section().enhanced(0, 1, 1, "x").iface(1, 0)), 2,
			"packet 1 left out: interface 0 is not described"},
		{"captured length beyond the block", end(claim(start(), blockEnhancedPacket, 5)), 2,
			"packet 1 left out: it claims 5 bytes in a block of 36"},
		{"captured length of 4 GiB", end(claim(start(), blockPacket, 0xffffffff)), 2,
			"packet 1 left out: it claims 4294967295 bytes in a block of 36"},
		{"packet too large", end(start().enhanced(0, 1, 1, strings.Repeat("x", maxPacket+1))), 2,
			"packet 1 left out: it claims 262145 bytes in a block of 262180"},
		{"packet larger than the buffer", end(start().enhanced(0, 1, 1, strings.Repeat("x", 3*maxPacket))), 2,
			"packet 1 left out: its block has 786464 bytes"},
		{"simple packet without data", end(start().simple(7, "x")), 2,
			"packet 1 left out: it claims 7 bytes in a block of 20"},
		{"enhanced packet too short", end(start().block(blockEnhancedPacket, func(b *file) { b.u32(0, 0, 0, 0) })), 2,
			"packet 1 left out: its block has only 28 bytes"},
		{"packet too short", end(start().block(blockPacket, func(b *file) {})), 2,
			"packet 1 left out: its block has only 12 bytes"},
		{"simple packet too short", end(start().block(blockSimplePacket, func(b *file) {})), 2,
			"packet 1 left out: its block has only 12 bytes"},
		{"time beyond the year 2262", end(start().iface(1, 0, option(optionResolution, 0)).enhanced(1, maxSecond+1, 1, "x")), 2,
			"packet 1: its time is not between the years 1970 and 2262"},
		{"unknown minor version", end(littleEndian().block(blockSection, func(b *file) { b.u32(byteOrderMagic).u16(1, 9).u32(0, 0) }).iface(1, 0)), 1,
			"pcapng version 1.9 is not known; read as 1.0"},
		{"option beyond its block", end(start().iface(1, 0, func(b *file) { b.u16(optionName, 99) })), 1,
			"interface 1 has a broken option"},
		{"if_tsresol of two bytes", end(start().iface(1, 0, option(optionResolution, 6, 6))), 1,
			"interface 1 has a broken option"},
		{"half an option", end(start().iface(1, 0, func(b *file) { b.raw(1, 2, 3) }, option(1))), 1,
			"interface 1 has a broken option"},
		{"interface too short", end(start().block(blockInterface, func(b *file) { b.u32(1) }).enhanced(1, 1, 1, "x")), 2,
			"interface 1 is not usable: its block has only 16 bytes"},
		{"interface too long", end(start().iface(1, 0, func(b *file) { b.raw(make([]byte, bufferSize)...) })), 1,
			"interface 1 is not usable: its block has 524308 bytes"},
		{"names cut", end(start().block(blockNames, func(b *file) { b.u16(recordIPv4, 40).u32(1) })), 1,
			"broken name resolution block"},
		{"name without an address", end(start().block(blockNames, func(b *file) { b.u16(recordIPv6, 4).u32(1).u16(0, 0) })), 1,
			"broken name resolution block"},
		{"name without its zero byte", end(start().block(blockNames, func(b *file) { b.u16(recordIPv4, 5).raw(1, 2, 3, 4, 'x') })), 1,
			""},
		{"names too long", end(start().block(blockNames, func(b *file) { b.raw(make([]byte, bufferSize)...) })), 1,
			"name resolution block of 524300 bytes left out"},
		{"secrets beyond their block", end(start().block(blockSecrets, func(b *file) { b.u32(secretsTLS, 5, 0) })), 1,
			"TLS secrets left out: 5 bytes claimed in a block of 24"},
		{"secrets too short", end(start().block(blockSecrets, func(b *file) { b.u32(secretsTLS) })), 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := drain(t, c.data)
			if d.err != io.EOF || len(d.packets) == 0 {
				t.Fatalf("%d packets, ended by %v", len(d.packets), d.err)
			}
			last := d.packets[len(d.packets)-1]
			if string(last.Data) != "end" || last.Number != c.number {
				t.Errorf("last packet %+v, want number %d", last, c.number)
			}
			if got := ""; c.problem == "" {
				wantProblems(t, d.info)
			} else if len(d.info.Problems) > 0 {
				if got = d.info.Problems[0]; got != c.problem {
					t.Errorf("problem %q, want %q", got, c.problem)
				}
			} else {
				t.Errorf("no problem, want %q", c.problem)
			}
		})
	}
}

// Damage to the frame of a block cannot be passed.
func TestPcapngDamaged(t *testing.T) {
	for _, c := range []struct {
		name   string
		tail   func(*file) *file
		reason string
	}{
		{"block of no length", func(f *file) *file { return f.u32(6, 0, 0) }, "block length 0 is less than 12"},
		{"block of 8 bytes", func(f *file) *file { return f.u32(6, 8, 8) }, "block length 8 is less than 12"},
		{"odd length", func(f *file) *file { return f.u32(6, 33).raw(make([]byte, 40)...) }, "block length 33 is not a multiple of 4"},
		{"odd length of an unknown block", func(f *file) *file { return f.u32(77, 14).raw(make([]byte, 40)...) }, "block length 14 is not a multiple of 4"},
		{"lengths differ", func(f *file) *file { return f.u32(6, 32, 0, 0, 0, 0, 0, 36) }, "block length is 32 in front and 36 behind"},
		{"lengths of an unknown block differ", func(f *file) *file { return f.u32(77, 16, 0, 36) }, "block length is 16 in front and 36 behind"},
		{"packet of 2 GiB", func(f *file) *file { return f.u32(6, 0x80000000, 0) }, "a packet's block claims 2147483648 bytes, more than 16777216"},
		{"section without byte order", func(f *file) *file { return f.u32(blockSection, 28, 0x11223344, 1, 0, 0, 28) }, "the section's byte-order magic is 44 33 22 11"},
		{"section too short", func(f *file) *file { return f.u32(blockSection, 16, byteOrderMagic, 1, 0, 0, 28) }, "the section header claims 16 bytes, less than 28"},
		{"section of version 2", func(f *file) *file { return f.u32(blockSection, 28, byteOrderMagic, 2, 0, 0, 28) }, "the section is of version 2, not 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := littleEndian().section().iface(1, 0).enhanced(0, 1, 1, "a")
			offset := len(f.b)
			d := drain(t, c.tail(f).b)
			want := capture.DamagedError{Packet: 2, Offset: int64(offset), Reason: c.reason}
			var e *capture.DamagedError
			if len(d.packets) != 1 || !errors.As(d.err, &e) || *e != want {
				t.Errorf("%d packets, ended by %#v, want %#v", len(d.packets), d.err, want)
			}
			wantProblems(t, d.info, want.Error())
		})
	}
}

// A file may end after every byte.
func TestPcapngCut(t *testing.T) {
	var ends []int // of blocks
	var counts []int
	f := bigEndian()
	add := func(packets int) { ends, counts = append(ends, len(f.b)), append(counts, packets) }
	f.section()
	add(0)
	f.iface(1, 0, option(optionName, 'x'))
	add(0)
	f.enhanced(0, 1, 3, "abc")
	add(1)
	f.secrets(secretsTLS, "CLIENT_RANDOM 00 11\n")
	add(1)
	f.block(0x42, func(b *file) { b.u32(1, 2, 3) })
	add(1)
	f.simple(5, "hello")
	add(2)
	f.section()
	add(2)
	for n := minSection; n <= len(f.b); n++ {
		d := drain(t, f.b[:n])
		packets, at := 0, 0
		for i, end := range ends {
			if n >= end {
				packets, at = counts[i], end
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
			t.Errorf("%d bytes: ended by %#v, want packet %d, offset %d", n, d.err, packets+1, at)
		}
	}
}

func TestPcapngRefused(t *testing.T) {
	for want, b := range map[string][]byte{
		"is cut short in its section header, after 20 of 28 bytes": littleEndian().section().b[:20],
		"the section's byte-order magic is 00 00 00 00":            littleEndian().u32(blockSection, 28, 0, 1, 0, 0, 28).b,
		"the section header claims 12 bytes, less than 28":         littleEndian().u32(blockSection, 12, byteOrderMagic, 1, 0, 0, 28).b,
		"the section is of version 256, not 1":                     bigEndian().u32(blockSection, 28, byteOrderMagic).u16(256, 0).u32(0, 0, 28).b,
		"the section header claims 27 bytes, less than 28":         bigEndian().u32(blockSection, 27, byteOrderMagic, 1, 0, 0, 28).b,
	} {
		_, err := NewReader("x", bytes.NewReader(b))
		if want = "read x: not a capture: it begins like pcapng, but " + want; err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestPcapngNames(t *testing.T) {
	f := littleEndian().section().block(blockNames, func(b *file) {
		b.u16(recordIPv4, 4+7).raw(10, 0, 0, 1).raw([]byte("broker\x00")...).pad()
		b.u16(recordIPv4, 4+8).raw(10, 0, 0, 1).raw([]byte("another\x00")...).pad()
		b.u16(recordIPv4, 4+8).raw(10, 0, 0, 2).raw([]byte("a\x00second\x00")[:8]...).pad()
		b.u16(77, 5).raw(1, 2, 3, 4, 5).pad()
		b.u16(recordIPv6, 16+5).raw(netip.MustParseAddr("2001:db8::1").AsSlice()...).raw([]byte("six\x00\x00")...).pad()
		b.u16(recordIPv4, 4+300).raw(10, 0, 0, 3).raw(bytes.Repeat([]byte{'x'}, 300)...).pad()
		b.u16(recordIPv4, 4+1).raw(10, 0, 0, 4, 0).pad()
		b.u16(recordEnd, 0).u16(1, 4).raw([]byte("opt!")...)
	})
	d := drain(t, f.b)
	want := map[netip.Addr]string{
		netip.MustParseAddr("10.0.0.1"):    "broker",
		netip.MustParseAddr("10.0.0.2"):    "a",
		netip.MustParseAddr("2001:db8::1"): "six",
	}
	if !reflect.DeepEqual(d.info.Names, want) {
		t.Errorf("names %v, want %v", d.info.Names, want)
	}
	wantProblems(t, d.info)
}

func TestPcapngNamesBounded(t *testing.T) {
	f := littleEndian().section()
	for i := range uint32(maxNames/1000 + 2) {
		f.block(blockNames, func(b *file) {
			for j := range uint32(1000) {
				b.u16(recordIPv4, 6).u32(i<<16|j).raw('n', 0).pad()
			}
		})
	}
	d := drain(t, f.b)
	if len(d.info.Names) != maxNames {
		t.Errorf("%d names, want %d", len(d.info.Names), maxNames)
	}
	if len(d.info.Problems) != 1 || !strings.HasPrefix(d.info.Problems[0], "names beyond the first 16384 left out") {
		t.Errorf("problems %q", d.info.Problems)
	}
}

// secretsOf reads the secrets of a file, to which it adds the packet that they
// come before.
func secretsOf(t *testing.T, f *file) (secrets [][]byte, info capture.Info) {
	t.Helper()
	s, err := NewReader("test", bytes.NewReader(f.iface(1, 0).enhanced(0, 0, 1, "x").b))
	if err != nil {
		t.Fatal(err)
	}
	for {
		var b capture.Batch
		if err := s.Read(&b); err != nil {
			return secrets, s.Info()
		}
		secrets = append(secrets, b.Secrets...)
	}
}

func TestPcapngSecrets(t *testing.T) {
	large := strings.Repeat("CLIENT_RANDOM 0123456789\n", 30_000) // more than the buffer
	f := littleEndian().section().
		secrets(secretsTLS, "first\n").
		secrets(0x57474b4c, "WireGuard").
		secrets(secretsTLS, "").
		secrets(secretsTLS, large).
		block(blockSecrets, func(b *file) { b.u32(secretsTLS, 3).raw('a', 'b', 'c', 0).u16(1, 1).raw('o').pad() })
	want := [][]byte{[]byte("first\n"), []byte(large), []byte("abc")}
	got, info := secretsOf(t, f)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%d secrets of the wrong content", len(got))
	}
	wantProblems(t, info)
}

func TestPcapngSecretsBounded(t *testing.T) {
	f := littleEndian().section()
	for range 10 {
		f.secrets(secretsTLS, strings.Repeat("x", 1<<20))
	}
	got, info := secretsOf(t, f)
	if len(got) != 8 {
		t.Errorf("%d secrets, want 8", len(got))
	}
	wantProblems(t, info, "TLS secrets beyond 8388608 bytes or 4096 blocks left out (and 1 more)")

	f = littleEndian().section()
	for range maxSecretBlocks + 3 {
		f.secrets(secretsTLS, "x")
	}
	if got, _ = secretsOf(t, f); len(got) != maxSecretBlocks {
		t.Errorf("%d secrets, want %d", len(got), maxSecretBlocks)
	}
}

func TestPcapngInterfacesBounded(t *testing.T) {
	f := littleEndian().section()
	for range maxInterfaces + 5 {
		f.iface(1, 0, option(optionName, bytes.Repeat([]byte{'n'}, 200)...))
	}
	f.enhanced(maxInterfaces-1, 1, 1, "a").enhanced(maxInterfaces, 1, 1, "b")
	d := drain(t, f.b)
	if len(d.packets) != 1 || len(d.info.Interfaces) != maxInterfaces || len(d.info.Interfaces[0]) != maxInterfaceName {
		t.Errorf("packets %+v, %d interfaces", d.packets, len(d.info.Interfaces))
	}
	wantProblems(t, d.info, "interfaces beyond the first 4096 of a section left out (and 4 more)",
		"packet 2 left out: interface 4096 is not described")
}

// Random files of all blocks against the list they were made from.
func TestPcapngAgainstModel(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		var data []byte
		var want []capture.Packet
		base, number := 0, 0
		for range 1 + r.IntN(3) {
			f := littleEndian()
			if r.IntN(2) == 0 {
				f = bigEndian()
			}
			f.section()
			type iface struct {
				link uint16
				snap uint32
				nano bool
			}
			var ifaces []iface
			for range r.IntN(40) {
				text := fmt.Sprint(r.Uint64())[:r.IntN(8)]
				original := uint32(len(text) + r.IntN(3))
				switch k := r.IntN(6); {
				case k == 0 || len(ifaces) == 0:
					i := iface{uint16(r.IntN(300)), uint32(r.IntN(2) * 3), r.IntN(2) == 0}
					ifaces = append(ifaces, i)
					f.iface(i.link, i.snap, option(optionResolution, map[bool]byte{true: 9, false: 6}[i.nano]))
				case k == 1:
					f.block(0x1000+uint32(r.IntN(9)), func(b *file) { b.raw(make([]byte, r.IntN(50))...) })
				case k == 2:
					number++
					i := ifaces[0]
					n := len(text)
					if i.snap != 0 {
						n = min(n, int(i.snap))
					}
					f.simple(uint32(len(text)), text)
					want = append(want, capture.Packet{Number: number, Link: capture.LinkType(i.link), Interface: base,
						Length: len(text), Data: []byte(text[:n])})
				default:
					number++
					id := r.IntN(len(ifaces))
					i := ifaces[id]
					sec, micro := r.Int64N(4_000_000_000), r.Int64N(1_000_000)
					units := uint64(sec*1e6 + micro)
					if i.nano {
						units *= 1000
					}
					if k == 3 {
						f.obsolete(uint16(id), units, original, text)
					} else {
						f.enhanced(uint32(id), units, original, text)
					}
					want = append(want, capture.Packet{Number: number, Link: capture.LinkType(i.link), Interface: base + id,
						Nano: at(sec, micro*1000), Length: int(original), Data: []byte(text)})
				}
			}
			base += len(ifaces)
			data = append(data, f.b...)
		}
		d := drain(t, data)
		wantPackets(t, d.packets, want)
		wantProblems(t, d.info)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
