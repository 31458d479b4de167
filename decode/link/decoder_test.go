package link

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
)

// unhex joins hexadecimal text; blanks are for reading.
func unhex(parts ...string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Join(parts, ""), " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

const (
	macs = "020000000002 020000000001"
	// tcp20 is 20 bytes of TCP header, 50000 to 1883, with PSH and ACK.
	tcp20 = "c350 075b 00000065 000001f5 5018 0100 0000 0000"
	// tcp32 has timestamps.
	tcp32  = "c350 075b 00000065 000001f5 8018 0100 0000 0000 0101080a 00000001 00000002"
	body   = "c000" // PINGREQ
	ip42   = "4500 002a 0000 4000 4006 0000 c0000201 c0000202"
	ip54   = "4500 0036 0000 4000 4006 0000 c0000201 c0000202"
	addr6  = "20010db8000000000000000000000001 20010db8000000000000000000000002"
	mapped = "00000000000000000000ffffc0000201 00000000000000000000ffffc0000202"
)

// ip6 is the fixed header of an IPv6 packet with n bytes behind it.
func ip6(next byte, n int) string {
	return "60000000" + hex.EncodeToString([]byte{byte(n >> 8), byte(n), next, 64}) + addr6
}

var (
	v4Source = netip.MustParseAddrPort("192.0.2.1:50000")
	v6Source = netip.MustParseAddrPort("[2001:db8::1]:50000")
)

type decodeTest struct {
	name   string
	link   capture.LinkType
	data   []byte
	wire   int // 0 is len(data)
	want   Reason
	src    netip.AddrPort
	length int // of the payload on the wire
	body   int // of the payload as captured
}

var decodeTests = []decodeTest{
	{"Ethernet", 1, unhex(macs, "0800", ip42, tcp20, body), 0, OK, v4Source, 2, 2},
	{"Ethernet, padded", 1, unhex(macs, "0800", ip42, tcp20, body, "00000000"), 0, OK, v4Source, 2, 2},
	{"Ethernet, padding only", 1, unhex(macs, "0800", "4500 0028 0000 4000 4006 0000 c0000201 c0000202", tcp20, "000000000000"), 0, OK, v4Source, 0, 0},
	{"802.1Q", 1, unhex(macs, "8100 0005 0800", ip42, tcp20, body), 0, OK, v4Source, 2, 2},
	{"802.1ad", 1, unhex(macs, "88a8 0005 8100 0006 0800", ip42, tcp20, body), 0, OK, v4Source, 2, 2},
	{"old QinQ", 1, unhex(macs, "9100 0005 8100 0006 86dd", ip6(6, 22), tcp20, body), 0, OK, v6Source, 2, 2},
	{"tags without end", 1, unhex(macs, strings.Repeat("8100 0005", 40), "0800"), 0, TooDeep, v4Source, 0, 0},
	{"tag cut off", 1, unhex(macs, "8100 00"), 64, Cut, v4Source, 0, 0},
	{"802.3 with SNAP", 1, unhex(macs, "0032 aaaa03000000 0800", ip42, tcp20, body, "ffff"), 0, OK, v4Source, 2, 2},
	{"802.3 without SNAP", 1, unhex(macs, "0010 424203 0000000000000000"), 0, NotIP, v4Source, 0, 0},
	{"802.3 shorter than SNAP, padded", 1, unhex(macs, "0003 aaaa03000000 0800", ip42, tcp20, body), 0, NotIP, v4Source, 0, 0},
	{"802.3 in SNAP", 1, unhex(macs, "0010 aaaa03000000 0010 0000000000000000"), 0, NotIP, v4Source, 0, 0},
	{"ARP", 1, unhex(macs, "0806", "0001080006040001"), 0, NotIP, v4Source, 0, 0},
	{"Ethernet cut short", 1, unhex("020000000002"), 60, Cut, v4Source, 0, 0},
	{"Ethernet too short", 1, unhex("020000000002"), 0, Malformed, v4Source, 0, 0},
	{"nothing", 1, nil, 0, Malformed, v4Source, 0, 0},

	{"SLL", 113, unhex("0000 0001 0006 0200000000010000 0800", ip42, tcp20, body), 0, OK, v4Source, 2, 2},
	{"SLL of InfiniBand", 113, unhex("0000 0020 0014 0200000000010000 0800", ip42, tcp20, body), 0, OK, v4Source, 2, 2},
	{"SLL, address length of 65535", 113, unhex("0000 0001 ffff 0200000000010000 0800"), 0, Malformed, v4Source, 0, 0},
	{"SLL with tag", 113, unhex("0000 0001 0006 0200000000010000 8100 0005 86dd", ip6(6, 22), tcp20, body), 0, OK, v6Source, 2, 2},
	{"SLL2", 276, unhex("0800 0000 00000001 0001 00 06 0200000000010000", ip42, tcp20, body), 0, OK, v4Source, 2, 2},
	{"SLL2, IPv6", 276, unhex("86dd 0000 00000001 0001 00 06 0200000000010000", ip6(6, 22), tcp20, body), 0, OK, v6Source, 2, 2},
	{"SLL2 cut short", 276, unhex("0800 0000 00000001"), 60, Cut, v4Source, 0, 0},
	{"raw", 101, unhex(ip42, tcp20, body), 0, OK, v4Source, 2, 2},
	{"raw of BSD, IPv6", 12, unhex(ip6(6, 22), tcp20, body), 0, OK, v6Source, 2, 2},
	{"raw of OpenBSD", 14, unhex(ip42, tcp20, body), 0, OK, v4Source, 2, 2},
	{"raw, neither", 101, unhex("00", ip42), 0, NotIP, v4Source, 0, 0},
	{"raw, empty", 101, nil, 40, Cut, v4Source, 0, 0},
	{"IPV4", 228, unhex(ip42, tcp20, body), 0, OK, v4Source, 2, 2},
	{"IPV4 that is not", 228, unhex(ip6(6, 22), tcp20, body), 0, Malformed, v4Source, 0, 0},
	{"IPV4 of version 5", 228, unhex("5500 002a 0000 4000 4006 0000 c0000201 c0000202", tcp20, body), 0, Malformed, v4Source, 0, 0},
	{"record that says less than it has", 228, unhex(ip42, tcp20, body), 10, OK, v4Source, 2, 2},
	{"IPV6", 229, unhex(ip6(6, 22), tcp20, body), 0, OK, v6Source, 2, 2},
	{"IPV6 that is not", 229, unhex(ip42, tcp20, body), 0, Malformed, v4Source, 0, 0},
	{"NULL, little-endian", 0, unhex("02000000", ip42, tcp20, body), 0, OK, v4Source, 2, 2},
	{"NULL, big-endian", 0, unhex("00000002", ip42, tcp20, body), 0, OK, v4Source, 2, 2},
	{"NULL, Linux", 0, unhex("0a000000", ip6(6, 22), tcp20, body), 0, OK, v6Source, 2, 2},
	{"NULL, NetBSD", 0, unhex("00000018", ip6(6, 22), tcp20, body), 0, OK, v6Source, 2, 2},
	{"NULL, FreeBSD", 0, unhex("1c000000", ip6(6, 22), tcp20, body), 0, OK, v6Source, 2, 2},
	{"NULL, macOS", 0, unhex("1e000000", ip6(6, 22), tcp20, body), 0, OK, v6Source, 2, 2},
	{"NULL, AppleTalk", 0, unhex("10000000", ip42), 0, NotIP, v4Source, 0, 0},
	{"NULL, no family", 0, unhex("ffffffff", ip42), 0, Malformed, v4Source, 0, 0},
	{"LOOP", 108, unhex("00000018", ip6(6, 22), tcp20, body), 0, OK, v6Source, 2, 2},
	{"a type that ends in 20", 20, unhex(ip42, tcp20, body), 0, UnknownLink, v4Source, 0, 0},
	{"a type that ends in 1", 257, unhex(macs, "0800", ip42, tcp20, body), 0, UnknownLink, v4Source, 0, 0},

	{"IPv4 with options", 101, unhex("4600 002e 0000 4000 4006 0000 c0000201 c0000202 94040000", tcp20, body), 0, OK, v4Source, 2, 2},
	{"IPv4 with broken options", 101, unhex("4600 002e 0000 4000 4006 0000 c0000201 c0000202 94ff0000", tcp20, body), 0, Malformed, v4Source, 0, 0},
	{"IPv4 with an option of two bytes", 101, unhex("4600 002e 0000 4000 4006 0000 c0000201 c0000202 9e020100", tcp20, body), 0, OK, v4Source, 2, 2},
	{"IPv4 with an option of one byte by its length", 101, unhex("4600 002e 0000 4000 4006 0000 c0000201 c0000202 9e010000", tcp20, body), 0, Malformed, v4Source, 0, 0},
	{"IPv4 with half an option", 101, unhex("4600 002e 0000 4000 4006 0000 c0000201 c0000202 0101019e", tcp20, body), 0, Malformed, v4Source, 0, 0},
	{"IPv4 with anything behind the last option", 101, unhex("4600 002e 0000 4000 4006 0000 c0000201 c0000202 00ffffff", tcp20, body), 0, OK, v4Source, 2, 2},
	{"IPv4 with a reserved flag", 101, unhex("4500 002a 0000 8000 4006 0000 c0000201 c0000202", tcp20, body), 0, OK, v4Source, 2, 2},
	{"IPv4 of segmentation offload", 101, unhex("4500 0000 0000 4000 4006 0000 c0000201 c0000202", tcp20, body), 0, OK, v4Source, 2, 2},
	{"IPv4 of segmentation offload, cut", 101, unhex("4500 0000 0000 4000 4006 0000 c0000201 c0000202", tcp20, body), 70000, OK, v4Source, 69960, 2},
	{"IPv4 of segmentation offload, long", 101, append(unhex("4500 0000 0000 4000 4006 0000 c0000201 c0000202", tcp20), make([]byte, 65500)...), 0, OK, v4Source, 65500, 65500},
	{"IPv4 without length, longer than any", 101, unhex("4500 0000 0000 4000 4006 0000 c0000201 c0000202", tcp20, body), 1 << 30, Cut, v4Source, 0, 0},
	{"IPv4 longer than its frame", 101, unhex("4500 0064 0000 4000 4006 0000 c0000201 c0000202", tcp20, body), 0, OK, v4Source, 60, 2},
	{"IPv4 shorter than its header", 101, unhex("4500 0010 0000 4000 4006 0000 c0000201 c0000202", tcp20, body), 0, Malformed, v4Source, 0, 0},
	{"IPv4 cut in its header", 101, unhex("4500 002a 0000"), 42, Cut, v4Source, 0, 0},
	{"IPv4 first fragment", 101, unhex("4500 002c 0000 2000 4006 0000 c0000201 c0000202", tcp20, body, body), 0, Fragment, v4Source, 0, 0},
	{"IPv4 first fragment, not in units of eight", 101, unhex("4500 002a 0000 2000 4006 0000 c0000201 c0000202", tcp20, body), 0, Malformed, v4Source, 0, 0},
	{"IPv4 fragment of nothing", 101, unhex("4500 0014 0000 2000 4006 0000 c0000201 c0000202"), 0, Malformed, v4Source, 0, 0},
	{"IPv4 fragment beyond the longest datagram", 101, unhex("4500 002a 0000 1fff 4006 0000 c0000201 c0000202", tcp20, body), 0, Malformed, v4Source, 0, 0},
	{"IPv4 later fragment", 101, unhex("4500 002a 0000 0010 4006 0000 c0000201 c0000202", tcp20, body), 0, Fragment, v4Source, 0, 0},
	{"UDP", 101, unhex("4500 001c 0000 4000 4011 0000 c0000201 c0000202 0035 0035 0008 0000"), 0, UDP, v4Source, 0, 0},
	{"IPv4 with AH", 101, unhex("4500 0042 0000 4000 4033 0000 c0000201 c0000202", "06 04 0000 00000001 00000001 000000000000000000000000", tcp20, body), 0, OK, v4Source, 2, 2},
	{"AH beyond its packet", 101, unhex("4500 0042 0000 4000 4033 0000 c0000201 c0000202", "06 ff 0000 00000001 00000001 000000000000000000000000", tcp20, body), 0, Malformed, v4Source, 0, 0},

	{"AH shorter than any", 101, unhex("4500 0042 0000 4000 4033 0000 c0000201 c0000202", "06 00 0000 00000001", tcp20, body, "000000000000000000000000"), 0, Malformed, v4Source, 0, 0},

	{"IPv6, padded", 229, unhex(ip6(6, 22), tcp20, body, "0000"), 0, OK, v6Source, 2, 2},
	{"IPv6, mapped addresses", 229, unhex("60000000 0016 06 40", mapped, tcp20, body), 0, OK, v4Source, 2, 2},
	{"IPv6 of segmentation offload", 229, unhex(ip6(6, 0), tcp20, body), 0, OK, v6Source, 2, 2},
	{"IPv6 of segmentation offload, record too short", 229, unhex(ip6(6, 0), tcp20, body), 10, OK, v6Source, 2, 2},
	{"IPv6 jumbogram", 229, unhex(ip6(0, 0), "06 00 c204 00011170", tcp20, body), 40 + 70000, OK, v6Source, 69972, 2},
	{"IPv6 hop-by-hop, padded", 229, unhex(ip6(0, 30), "06 00 050200000100", tcp20, body, "ffff"), 0, OK, v6Source, 2, 2},
	{"IPv6 routing type 0", 229, unhex(ip6(43, 46), "06 02 00 00 00000000", "20010db8000000000000000000000009", tcp20, body), 0, OK, v6Source, 2, 2},
	{"IPv6 routing type 4", 229, unhex(ip6(43, 46), "06 02 04 00 00000000", "20010db8000000000000000000000009", tcp20, body), 0, OK, v6Source, 2, 2},
	{"IPv6 destination options", 229, unhex(ip6(60, 30), "06 00 010400000000", tcp20, body), 0, OK, v6Source, 2, 2},
	{"IPv6 atomic fragment", 229, unhex(ip6(44, 30), "06 00 0006 00000001", tcp20, body), 0, OK, v6Source, 2, 2},
	{"IPv6 first fragment", 229, unhex(ip6(44, 32), "06 00 0001 00000001", tcp20, body, body), 0, Fragment, v6Source, 0, 0},
	{"IPv6 first fragment, not in units of eight", 229, unhex(ip6(44, 30), "06 00 0001 00000001", tcp20, body), 0, Malformed, v6Source, 0, 0},
	{"IPv6 later fragment", 229, unhex(ip6(44, 30), "06 00 0008 00000001", tcp20, body), 0, Fragment, v6Source, 0, 0},
	{"IPv6 with AH", 229, unhex(ip6(51, 46), "06 04 0000 00000001 00000001 000000000000000000000000", tcp20, body), 0, OK, v6Source, 2, 2},
	{"IPv6, four headers", 229, unhex(ip6(0, 54), "3c 00 010400000000", "2b 00 010400000000", "2c 00 04 00 00000000", "06 00 0000 00000001", tcp20, body), 0, OK, v6Source, 2, 2},
	{"IPv6 headers without end", 229, unhex(ip6(60, 400), strings.Repeat("3c 00 010400000000", 50)), 0, Malformed, v6Source, 0, 0},
	{"IPv6 header cut off", 229, unhex(ip6(60, 30), "06 03 0104"), 70, Cut, v6Source, 0, 0},
	{"IPv6 no next header", 229, unhex(ip6(59, 2), body), 0, NotTCP, v6Source, 0, 0},

	{"TCP with options", 101, unhex(ip54, tcp32, body), 0, OK, v4Source, 2, 2},
	{"TCP cut in its options", 101, unhex(ip54, tcp32)[:20+24], 20 + 34, OK, v4Source, 2, 0},
	{"TCP cut in its payload", 101, unhex("4500 0064 0000 4000 4006 0000 c0000201 c0000202", tcp20, body), 100, OK, v4Source, 60, 2},
	{"TCP cut in its header", 101, unhex(ip42, tcp20)[:39], 42, Cut, v4Source, 0, 0},
	{"TCP with broken options", 101, unhex(ip54, "c350 075b 00000065 000001f5 8018 0100 0000 0000 0101 0800 00000001 00000002", body), 0, OK, v4Source, 2, 2},
	{"TCP header too short", 101, unhex(ip42, "c350 075b 00000065 000001f5 4018 0100 0000 0000", body), 0, Malformed, v4Source, 0, 0},
	{"TCP header longer than its packet", 101, unhex(ip42, "c350 075b 00000065 000001f5 f018 0100 0000 0000", body), 0, Malformed, v4Source, 0, 0},
}

func TestDecode(t *testing.T) {
	for _, tt := range decodeTests {
		d := NewDecoder()
		wire := tt.wire
		if wire == 0 {
			wire = len(tt.data)
		}
		var s Segment
		got := d.Decode(&capture.Packet{Number: 1, Link: tt.link, Length: wire, Data: tt.data}, &s)
		if got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			continue
		}
		if got != OK {
			continue
		}
		if s.Src.AddrPort() != tt.src || s.Dst.Port != 1883 || s.Dst.AddrPort().Addr() != tt.src.Addr().Next() {
			t.Errorf("%s: from %v to %v", tt.name, s.Src, s.Dst)
		}
		if s.Seq != 101 || s.Ack != 501 || s.Flags != PSH|ACK || s.Window != 256 {
			t.Errorf("%s: seq %d, ack %d, flags %d, window %d", tt.name, s.Seq, s.Ack, s.Flags, s.Window)
		}
		if s.Length != tt.length || len(s.Payload) != tt.body {
			t.Errorf("%s: payload of %d, %d captured; want %d, %d", tt.name, s.Length, len(s.Payload), tt.length, tt.body)
		}
		if tt.body == 2 && !bytes.Equal(s.Payload, unhex(body)) {
			t.Errorf("%s: payload %x", tt.name, s.Payload)
		}
	}
}

func TestFlags(t *testing.T) {
	d := NewDecoder()
	for bits := range 256 {
		frame := unhex(ip42, tcp20, body)
		frame[33] = byte(bits)
		var s Segment
		if r := d.Decode(&capture.Packet{Link: capture.LinkRaw, Length: len(frame), Data: frame}, &s); r != OK || s.Flags != Flags(bits&0x1f) {
			t.Errorf("control bits %#x: %v, flags %#x", bits, r, s.Flags)
		}
	}
}

// TestCutAnywhere cuts every frame of TestDecode at every length: no cut
// makes a segment that says other than the whole one, and none is malformed.
func TestCutAnywhere(t *testing.T) {
	d := NewDecoder()
	for _, tt := range decodeTests {
		if tt.want != OK || tt.wire != 0 || len(tt.data) > 200 {
			continue
		}
		p := capture.Packet{Link: tt.link, Length: len(tt.data), Data: tt.data}
		var whole, s Segment
		d.Decode(&p, &whole)
		for n := range tt.data {
			p.Data = tt.data[:n:n]
			switch r := d.Decode(&p, &s); {
			case r == Cut:
			case r != OK:
				t.Errorf("%s, cut at %d: %v", tt.name, n, r)
			case s.Src != whole.Src || s.Dst != whole.Dst || s.Seq != whole.Seq || s.Flags != whole.Flags || s.Length != whole.Length || !bytes.HasPrefix(whole.Payload, s.Payload):
				t.Errorf("%s, cut at %d: %+v, whole %+v", tt.name, n, s, whole)
			}
		}
	}
}

func TestNoAllocation(t *testing.T) {
	var s Segment
	for _, tt := range decodeTests {
		d := NewDecoder()
		p := capture.Packet{Link: tt.link, Length: max(tt.wire, len(tt.data)), Data: tt.data}
		d.Decode(&p, &s)
		if n := testing.AllocsPerRun(10, func() { d.Decode(&p, &s) }); n != 0 {
			t.Errorf("%s: %v allocations", tt.name, n)
		}
	}
}

func TestReasonString(t *testing.T) {
	seen := map[string]bool{}
	for r := range Reasons {
		if name := r.String(); name == "" || name == "unknown" || seen[name] {
			t.Errorf("Reason(%d) is %q", r, name)
		} else {
			seen[name] = true
		}
	}
}

// FuzzDecode takes a link type, the wire length beyond the captured one, and a
// frame.
func FuzzDecode(f *testing.F) {
	for _, tt := range decodeTests {
		f.Add(uint16(tt.link), uint32(max(0, tt.wire-len(tt.data))), tt.data)
	}
	for _, tt := range tunnelFrames() {
		f.Add(uint16(tt.link), uint32(0), tt.data)
	}
	f.Fuzz(func(t *testing.T, link uint16, more uint32, data []byte) {
		// The decoder remembers fragments: every question to a new one.
		d := NewDecoder()
		p := capture.Packet{Link: capture.LinkType(link), Length: len(data) + int(more), Data: data}
		var s, again Segment
		r := d.Decode(&p, &s)
		var slow Segment
		// What a Segment was used for before must not show.
		again.ID, again.Fragments, slow.ID, slow.Fragments = 1, 1, 2, 2
		if fr, taken := fast(&p, &again); taken {
			if sr := NewDecoder().layers(&p, &slow); sr != fr || !equal(&again, &slow, fr) {
				t.Fatalf("fast: %v %+v, by layers: %v %+v", fr, again, sr, slow)
			}
		}
		if r >= Reasons {
			t.Fatalf("reason %d", r)
		}
		if r == Malformed && more > 0 || r == Cut && more == 0 {
			t.Fatalf("%v with %d bytes not captured", r, more)
		}
		if r != OK {
			return
		}
		if s.Length < len(s.Payload) || s.Length > maxDatagram {
			t.Fatalf("payload of %d, %d captured", s.Length, len(s.Payload))
		}
		if EndpointOf(s.Src.AddrPort()) != s.Src || EndpointOf(s.Dst.AddrPort()) != s.Dst {
			t.Fatalf("from %v to %v", s.Src, s.Dst)
		}
		if len(s.Payload) > 0 && !bytes.Contains(data, s.Payload) {
			t.Fatal("payload is not of the frame")
		}
		// Nothing may be left over from another frame.
		if NewDecoder().Decode(&p, &again); again.Src != s.Src || again.Dst != s.Dst || again.Seq != s.Seq || again.Length != s.Length || !bytes.Equal(again.Payload, s.Payload) {
			t.Fatalf("%+v, a new decoder says %+v", s, again)
		}
	})
}

// equal reports whether two segments say the same. Of UDP only the endpoints and
// the payload count.
func equal(a, b *Segment, r Reason) bool {
	same := a.Src == b.Src && a.Dst == b.Dst && a.Length == b.Length && bytes.Equal(a.Payload, b.Payload) && a.ID == b.ID && a.Fragments == b.Fragments
	if r == UDP {
		return same
	}
	return same && a.Seq == b.Seq && a.Ack == b.Ack && a.Flags == b.Flags && a.Window == b.Window
}

// TestCaptures decodes the captures beside the checkout, where there are any.
func TestCaptures(t *testing.T) {
	d := NewDecoder()
	var s Segment
	packets, segments, fastOnes := 0, 0, 0
	for _, root := range []string{"../../../shared/brokers", "../../../shared/captures"} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			source, err := pcapfile.Open(path, nil)
			if err != nil {
				return nil // not a capture that is read here
			}
			defer source.Close()
			for {
				p, err := source.Next()
				if err != nil {
					return nil
				}
				packets++
				var quick, slow Segment
				if fr, taken := fast(&p, &quick); taken {
					fastOnes++
					if d.layers(&p, &slow) != fr || !equal(&quick, &slow, fr) {
						t.Errorf("%s packet %d: fast %+v, by layers %+v", path, p.Number, quick, slow)
					}
				}
				r := d.Decode(&p, &s)
				if r == OK {
					segments++
				} else if root == "../../../shared/brokers" && r != NotTCP {
					t.Errorf("%s packet %d: %v", path, p.Number, r)
				}
			}
		})
		if errors.Is(err, fs.ErrNotExist) {
			t.Skip("no captures beside the checkout")
		} else if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d segments in %d packets, %d of them by the fast path", segments, packets, fastOnes)
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"Ethernet", "802.1Q", "SLL2", "IPV6", "TCP with options", "IPv6 hop-by-hop, padded"} {
		i := slices.IndexFunc(decodeTests, func(tt decodeTest) bool { return tt.name == name })
		tt := decodeTests[i]
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			d := NewDecoder()
			p := capture.Packet{Link: tt.link, Length: len(tt.data), Data: tt.data}
			var s Segment
			b.ReportAllocs()
			for range b.N {
				if d.Decode(&p, &s) != OK {
					b.Fatal("not decoded")
				}
			}
		})
	}
}
