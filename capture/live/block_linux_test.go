package live

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/mqttriage/mqttriage/capture"
)

// sent is a frame as the kernel would put it into a block.
type sent struct {
	second, nano uint32
	length       uint32 // 0: as long as data
	status       uint32
	tci          uint16
	tpid         uint16
	protocol     uint16
	index        int32
	hardware     uint16
	kind         uint8 // sll_pkttype
	address      []byte
	data         []byte
}

// mac is where the kernel puts a frame's bytes: behind its headers and what was
// reserved, such that the network layer is at a multiple of 16 before that.
func (s sent) mac(k kind) int {
	if k.cooked {
		return 80 + 16 + k.reserve()
	}
	link := 0
	if k.link == capture.LinkEN10MB {
		link = 14
	}
	return (frameHeader+max(16, link)+15)/16*16 + k.reserve() - link
}

// blockOf builds a block of a size as the kernel does.
func blockOf(k kind, size int, list ...sent) []byte {
	b := make([]byte, size)
	// What an older frame left behind.
	for i := range b {
		b[i] = 0xee
	}
	at := blockHeader
	for i, s := range list {
		f := b[at:]
		next := (s.mac(k) + len(s.data) + 7) / 8 * 8
		stored := uint32(next)
		if i == len(list)-1 {
			stored = 0
		}
		length := s.length
		if length == 0 {
			length = uint32(len(s.data))
		}
		n := binary.NativeEndian
		n.PutUint32(f[frameNext:], stored)
		n.PutUint32(f[frameSecond:], s.second)
		n.PutUint32(f[frameNano:], s.nano)
		n.PutUint32(f[frameSnap:], uint32(len(s.data)))
		n.PutUint32(f[frameLength:], length)
		n.PutUint32(f[frameStatus:], s.status|statusUser)
		n.PutUint16(f[frameMAC:], uint16(s.mac(k)))
		n.PutUint32(f[frameTCI:], uint32(s.tci))
		n.PutUint16(f[frameTPID:], s.tpid)
		binary.BigEndian.PutUint16(f[addressProtocol:], s.protocol)
		n.PutUint32(f[addressIndex:], uint32(s.index))
		n.PutUint16(f[addressHardware:], s.hardware)
		f[addressType] = s.kind
		f[addressLength] = uint8(len(s.address))
		copy(f[addressBytes:], s.address)
		copy(f[s.mac(k):], s.data)
		at += next
	}
	binary.NativeEndian.PutUint32(b[blockStatus:], statusUser)
	binary.NativeEndian.PutUint32(b[blockCount:], uint32(len(list)))
	binary.NativeEndian.PutUint32(b[blockFirst:], blockHeader)
	binary.NativeEndian.PutUint32(b[blockLength:], uint32(at))
	return b
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// all takes all frames of a block.
func all(k kind, block []byte) (packets []capture.Packet, indexes []int32, lost int) {
	r := frames{kind: k}
	r.begin(block)
	for r.left > 0 {
		var p capture.Packet
		if index, ok := r.next(&p); ok {
			packets = append(packets, p)
			indexes = append(indexes, index)
		}
	}
	return packets, indexes, r.lost
}

var (
	ethernet = kind{link: capture.LinkEN10MB}
	rawIP    = kind{link: capture.LinkRaw}
)

func TestFrames(t *testing.T) {
	const (
		macs = "0200000000020200 00000001"
		ip   = "0800 45000014 0001 0000 4006 0000 0a000001 0a000002"
	)
	tests := []struct {
		name string
		kind kind
		sent []sent
		want []capture.Packet
	}{
		{"Ethernet", ethernet,
			[]sent{{second: 1_700_000_000, nano: 123_456_789, hardware: unix.ARPHRD_ETHER, data: unhex(macs + ip)}},
			[]capture.Packet{{Nano: 1_700_000_000_123_456_789, Link: capture.LinkEN10MB, Length: 34, Data: unhex(macs + ip)}}},
		{"after 2038", ethernet,
			[]sent{{second: 0xffffffff, nano: 1, data: unhex(macs + ip)}},
			[]capture.Packet{{Nano: 0xffffffff*1e9 + 1, Link: capture.LinkEN10MB, Length: 34, Data: unhex(macs + ip)}}},
		{"tag", ethernet,
			[]sent{{status: statusVLAN | statusVLANProto, tci: 0x6005, tpid: 0x88a8, data: unhex(macs + ip)}},
			[]capture.Packet{{Link: capture.LinkEN10MB, Length: 38, Data: unhex(macs + "88a8 6005" + ip)}}},
		{"tag of a kernel that does not name its protocol", ethernet,
			[]sent{{status: statusVLAN, tci: 5, tpid: 0xeeee, data: unhex(macs + ip)}},
			[]capture.Packet{{Link: capture.LinkEN10MB, Length: 38, Data: unhex(macs + "8100 0005" + ip)}}},
		{"tag 0", ethernet,
			[]sent{{status: statusVLAN | statusVLANProto, tpid: 0x8100, data: unhex(macs + ip)}},
			[]capture.Packet{{Link: capture.LinkEN10MB, Length: 38, Data: unhex(macs + "8100 0000" + ip)}}},
		{"tag of a frame cut within its addresses", ethernet,
			[]sent{{length: 60, status: statusVLAN, tci: 5, data: unhex(macs)[:11]}},
			[]capture.Packet{{Link: capture.LinkEN10MB, Length: 60, Data: unhex(macs)[:11]}}},
		{"cut", ethernet,
			[]sent{{length: 1500, data: unhex(macs + ip)}, {length: 1500, status: statusVLAN, tci: 7, data: unhex(macs + ip)}},
			[]capture.Packet{{Link: capture.LinkEN10MB, Length: 1500, Data: unhex(macs + ip)},
				{Link: capture.LinkEN10MB, Length: 1504, Data: unhex(macs + "8100 0007" + ip)}}},
		{"raw IP", rawIP,
			[]sent{{hardware: unix.ARPHRD_NONE, data: unhex(ip[4:])}},
			[]capture.Packet{{Link: capture.LinkRaw, Length: 20, Data: unhex(ip[4:])}}},
		{"cooked", cooked,
			[]sent{{protocol: 0x0800, index: 3, hardware: 1, kind: unix.PACKET_OUTGOING, address: unhex("020000000001"), data: unhex(ip[4:])}},
			[]capture.Packet{{Link: capture.LinkLinuxSLL2, Length: 40,
				Data: unhex("0800 0000 00000003 0001 04 06 0200000000010000" + ip[4:])}}},
		{"cooked, no address", cooked,
			[]sent{{protocol: 0x86dd, index: 0x01020304, hardware: unix.ARPHRD_PPP, data: unhex("60")}},
			[]capture.Packet{{Link: capture.LinkLinuxSLL2, Length: 21,
				Data: unhex("86dd 0000 01020304 0200 00 00 0000000000000000 60")}}},
		{"cooked, address of InfiniBand", cooked,
			[]sent{{protocol: 0x0800, hardware: 32, address: unhex("0102030405060708")}},
			[]capture.Packet{{Link: capture.LinkLinuxSLL2, Length: 20,
				Data: unhex("0800 0000 00000000 0020 00 08 0102030405060708")}}},
		{"cooked with tag", cooked,
			[]sent{{length: 100, protocol: 0x0800, hardware: 1, address: unhex("020000000001"), status: statusVLAN | statusVLANProto, tpid: 0x8100, tci: 0x2005, data: unhex(ip[4:])}},
			[]capture.Packet{{Link: capture.LinkLinuxSLL2, Length: 124,
				Data: unhex("8100 0000 00000000 0001 00 06 0200000000010000 2005 0800" + ip[4:])}}},
		{"copies on the loopback interface", cooked,
			[]sent{{hardware: unix.ARPHRD_LOOPBACK, kind: unix.PACKET_OUTGOING, data: unhex("01")},
				{hardware: unix.ARPHRD_LOOPBACK, kind: unix.PACKET_HOST, data: unhex("02")}},
			[]capture.Packet{{Link: capture.LinkLinuxSLL2, Length: 21,
				Data: unhex("0000 0000 00000000 0304 00 00 0000000000000000 02")}}},
		{"none", ethernet, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			packets, _, lost := all(tt.kind, blockOf(tt.kind, 4096, tt.sent...))
			if diff := cmp.Diff(tt.want, packets); diff != "" {
				t.Error(diff)
			}
			if lost != 0 {
				t.Errorf("%d lost", lost)
			}
		})
	}
}

// A ring's blocks come from the kernel. Should they ever make no sense, what is given
// out is still within its block, and what is not given out is counted.
func TestFramesDamaged(t *testing.T) {
	n := binary.NativeEndian
	frame := sent{data: make([]byte, 100)}
	second := blockHeader + (frame.mac(ethernet)+100+7)/8*8
	tests := []struct {
		name  string
		spoil func(b []byte)
		given int
		lost  int
	}{
		{"length beyond the block", func(b []byte) { n.PutUint32(b[blockLength:], 4097) }, 0, 3},
		{"length within the header", func(b []byte) { n.PutUint32(b[blockLength:], 47) }, 0, 3},
		{"length short of the last frame", func(b []byte) { n.PutUint32(b[blockLength:], uint32(second+20)) }, 1, 2},
		{"first within the header", func(b []byte) { n.PutUint32(b[blockFirst:], 8) }, 0, 3},
		{"first beyond the block", func(b []byte) { n.PutUint32(b[blockFirst:], 0xfffffff0) }, 0, 3},
		{"too many", func(b []byte) { n.PutUint32(b[blockCount:], 0xffffffff) }, 2, 4096/frameHeader - 2},
		{"no step", func(b []byte) { n.PutUint32(b[second+frameNext:], 0) }, 1, 2},
		{"step beyond the block", func(b []byte) { n.PutUint32(b[second+frameNext:], 0xfffffff8) }, 1, 2},
		{"bytes in the header", func(b []byte) { n.PutUint16(b[second+frameMAC:], frameHeader) }, 2, 1},
		{"bytes beyond the frame", func(b []byte) { n.PutUint16(b[second+frameMAC:], 0xffff) }, 2, 1},
		{"more bytes than the frame has", func(b []byte) { n.PutUint32(b[second+frameSnap:], 117) }, 2, 1},
		{"bytes without end", func(b []byte) { n.PutUint32(b[second+frameSnap:], 0xffffffff) }, 2, 1},
		{"wild length", func(b []byte) { n.PutUint32(b[second+frameLength:], 0xffffffff) }, 2, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := blockOf(ethernet, 4096, frame, frame, frame)
			tt.spoil(b)
			packets, _, lost := all(ethernet, b)
			if len(packets) != tt.given || lost != tt.lost {
				t.Errorf("%d given, %d lost; want %d and %d", len(packets), lost, tt.given, tt.lost)
			}
		})
	}
	if packets, _, _ := all(ethernet, make([]byte, blockHeader-1)); packets != nil {
		t.Errorf("%v out of less than a header", packets)
	}
	// Frames as on an Ethernet socket leave no room for a cooked header.
	if packets, _, lost := all(cooked, blockOf(ethernet, 4096, frame)); packets != nil || lost != 1 {
		t.Errorf("%v given where there is no room, %d lost", packets, lost)
	}
}

func FuzzFrames(f *testing.F) {
	frame := sent{status: statusVLAN, hardware: unix.ARPHRD_ETHER, data: make([]byte, 60)}
	for _, k := range []kind{ethernet, rawIP, cooked} {
		f.Add(uint8(k.link), k.cooked, blockOf(k, 1024, frame, frame, frame))
	}
	f.Fuzz(func(t *testing.T, link uint8, cook bool, block []byte) {
		if len(block) > 1<<16 {
			return
		}
		k := kind{link: capture.LinkType(link)}
		if cook {
			k = cooked
		}
		// What lies around the block must not change.
		memory := append(append(make([]byte, 64), block...), make([]byte, 64)...)
		inner := memory[64 : 64+len(block) : 64+len(block)]
		packets, _, lost := all(k, inner)
		bytes := 0
		for _, p := range packets {
			if len(p.Data) > p.Length || cap(p.Data) != len(p.Data) || p.Length < 0 {
				t.Errorf("%d bytes of %d, capacity %d", len(p.Data), p.Length, cap(p.Data))
			}
			bytes += len(p.Data)
		}
		if bytes > len(block) {
			t.Errorf("%d bytes out of a block of %d", bytes, len(block))
		}
		if len(packets)+lost > len(block)/frameHeader {
			t.Errorf("%d packets and %d lost", len(packets), lost)
		}
		for _, b := range [][]byte{memory[:64], memory[64+len(block):]} {
			for _, v := range b {
				if v != 0 {
					t.Fatal("memory outside of the block was written to")
				}
			}
		}
	})
}

func BenchmarkFrames(b *testing.B) {
	for _, k := range []struct {
		name string
		kind kind
	}{{"EN10MB", ethernet}, {"SLL2", cooked}} {
		b.Run(k.name, func(b *testing.B) {
			var list []sent
			for range 1000 {
				list = append(list, sent{protocol: 0x0800, hardware: 1, address: make([]byte, 6), data: make([]byte, 66)})
			}
			block := blockOf(k.kind, 256<<10, list...)
			r := frames{kind: k.kind}
			var p capture.Packet
			b.ReportAllocs()
			for b.Loop() {
				r.begin(block)
				for r.left > 0 {
					r.next(&p)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/packet")
		})
	}
}
