package live_test

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/live"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
)

// Frames are built from the inside out: onEthernet(inIPv4(… tcpHeader(…))).

const (
	typeIPv4, typeIPv6, typePPPoE   = 0x0800, 0x86dd, 0x8864
	typeVLAN, typeQinQ, typeOldQinQ = 0x8100, 0x88a8, 0x9100
)

var (
	mac = []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}

	client4, broker4 = netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("10.0.0.1")
	client6, broker6 = netip.MustParseAddr("2001:db8:7::7"), netip.MustParseAddr("fd00:1:2:3::1")
)

// onEthernet is a frame with the EtherTypes, all but the last of them tags.
func onEthernet(payload []byte, types ...uint16) []byte {
	f := slices.Clone(mac)
	for i, t := range types {
		f = binary.BigEndian.AppendUint16(f, t)
		if i < len(types)-1 {
			f = append(f, 0x00, 0x05)
		}
	}
	return append(f, payload...)
}

func inPPPoE(payload []byte, protocol uint16) []byte {
	f := []byte{0x11, 0, 0, 1, 0, 0}
	binary.BigEndian.PutUint16(f[4:], uint16(2+len(payload)))
	return append(binary.BigEndian.AppendUint16(f, protocol), payload...)
}

// header4 is what makes an IPv4 header.
type header4 struct {
	src, dst netip.Addr
	options  int    // words
	fragment uint16 // flags and offset
	protocol byte
	length   int // instead of the true one; -1 is 0
}

func inIPv4(h header4, payload []byte) []byte {
	size := 20 + 4*h.options
	f := make([]byte, size, size+len(payload))
	f[0], f[8], f[9] = 4<<4|byte(size/4), 64, h.protocol
	total := size + len(payload)
	if h.length != 0 {
		total = max(h.length, 0)
	}
	binary.BigEndian.PutUint16(f[2:], uint16(total))
	binary.BigEndian.PutUint16(f[6:], h.fragment)
	copy(f[12:], h.src.AsSlice())
	copy(f[16:], h.dst.AsSlice())
	for i := 20; i < size; i++ {
		f[i] = 1 // no operation
	}
	return append(f, payload...)
}

func inIPv6(src, dst netip.Addr, next byte, payload []byte) []byte {
	f := make([]byte, 40, 40+len(payload))
	f[0], f[6], f[7] = 6<<4, next, 64
	binary.BigEndian.PutUint16(f[4:], uint16(len(payload)))
	copy(f[8:], src.AsSlice())
	copy(f[24:], dst.AsSlice())
	return append(f, payload...)
}

// behindExtension is an IPv6 extension header of 8 bytes and units more.
func behindExtension(next byte, units int, payload []byte) []byte {
	f := make([]byte, 8+8*units, 8+8*units+len(payload))
	f[0], f[1], f[2], f[3] = next, byte(units), 1, 4
	return append(f, payload...)
}

func behindFragment(next byte, offset uint16, more bool, payload []byte) []byte {
	f := []byte{next, 0, 0, 0, 0, 0, 0, 9}
	binary.BigEndian.PutUint16(f[2:], offset*8)
	if more {
		f[3] |= 1
	}
	return append(f, payload...)
}

func behindAH(next byte, words int, payload []byte) []byte {
	f := make([]byte, 12+4*words, 12+4*words+len(payload))
	f[0], f[1] = next, byte(1+words)
	return append(f, payload...)
}

func tcpHeader(src, dst uint16, flags byte, options int, payload ...byte) []byte {
	f := make([]byte, 20+4*options, 20+4*options+len(payload))
	binary.BigEndian.PutUint16(f, src)
	binary.BigEndian.PutUint16(f[2:], dst)
	f[12], f[13] = byte(5+options)<<4, flags
	for i := 20; i < len(f); i++ {
		f[i] = 1
	}
	return append(f, payload...)
}

const (
	fin, syn, rst, psh, ack = 1, 2, 4, 8, 16
)

// A sample is a frame and what it begins with.
type sample struct {
	start live.Start
	frame []byte
}

// samples are the frames of all captures of the repository, changed ones, and made ones; the
// same in each run. Tests must not change them.
var samples = sync.OnceValues(func() ([]sample, error) {
	all, err := captured()
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(1883, 8883))
	for _, s := range all[:len(all):len(all)] {
		all = append(all, changed(random, s))
	}
	for range 20000 {
		s := made(random)
		if random.IntN(4) == 0 {
			s = changed(random, s)
		}
		all = append(all, s)
	}
	return all, nil
})

func allSamples(t testing.TB) []sample {
	t.Helper()
	all, err := samples()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 25000 {
		t.Fatalf("only %d frames", len(all))
	}
	return all
}

// captures are those of the repository.
func captures() ([]string, error) {
	var paths []string
	for _, pattern := range []string{"capture.*", "*/*.pcap"} {
		found, err := filepath.Glob(filepath.Join("..", "..", "testdata", "*", pattern))
		if err != nil {
			return nil, err
		}
		paths = append(paths, found...)
	}
	if len(paths) == 0 {
		return nil, errors.New("no captures in testdata")
	}
	return paths, nil
}

// packetsOf reads a capture as far as it goes.
func packetsOf(path string) ([]capture.Packet, error) {
	source, err := pcapfile.Open(path, nil)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	var packets []capture.Packet
	for {
		p, err := source.Next()
		var cut *capture.TruncatedError
		var damaged *capture.DamagedError
		switch {
		case err == io.EOF, errors.As(err, &cut), errors.As(err, &damaged):
			return packets, nil
		case err != nil:
			return nil, err
		}
		p.Data = slices.Clone(p.Data)
		packets = append(packets, p)
	}
}

// seen is what the kernel's filter sees of a packet; false for other link types than
// interfaces have.
func seen(p *capture.Packet) (sample, bool) {
	switch {
	case p.Link == capture.LinkEN10MB:
		return sample{live.StartEthernet, p.Data}, true
	case p.Link.IsRaw():
		return sample{live.StartIP, p.Data}, true
	case p.Link == capture.LinkLinuxSLL && len(p.Data) >= 16:
		return sample{live.StartIP, p.Data[16:]}, true
	case p.Link == capture.LinkLinuxSLL2 && len(p.Data) >= 20:
		return sample{live.StartIP, p.Data[20:]}, true
	}
	return sample{}, false
}

// captured are the frames of the captures.
func captured() ([]sample, error) {
	paths, err := captures()
	if err != nil {
		return nil, err
	}
	var all []sample
	for _, path := range paths {
		packets, err := packetsOf(path)
		if err != nil {
			return nil, err
		}
		for i := range packets {
			if s, ok := seen(&packets[i]); ok {
				all = append(all, s)
			}
		}
	}
	return all, nil
}

// changed is a frame with some bytes changed, cut, or in another wrapping.
func changed(r *rand.Rand, s sample) sample {
	f := slices.Clone(s.frame)
	switch r.IntN(4) {
	case 0:
		f = f[:r.IntN(len(f)+1)]
	case 1:
		if s.start == live.StartEthernet && len(f) > 14 && f[12] == 0x08 && f[13] == 0 {
			s.start, f = live.StartIP, f[14:]
		} else if s.start == live.StartIP && len(f) > 0 {
			t := uint16(typeIPv4)
			if f[0]>>4 == 6 {
				t = typeIPv6
			}
			s.start, f = live.StartEthernet, onEthernet(f, typeVLAN, t)
		}
	default:
		for range 1 + r.IntN(3) {
			if n := min(len(f), 90); n > 0 {
				f[r.IntN(n)] = byte(r.Uint32())
			}
		}
	}
	s.frame = f
	return s
}

// pick is one of some.
func pick[T any](r *rand.Rand, some ...T) T { return some[r.IntN(len(some))] }

// made is a frame of random layers, of which many are what a filter may ask for.
func made(r *rand.Rand) sample {
	payload := []byte(pick(r, "", "", "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", "\x20\x02\x00\x00", "\xe0\x00", "\xf0\x00",
		"\x30\x04\x00\x01ab", "\x16\x03\x01\x00\x01\x01", "\x15\x03\x01\x00\x02\x02\x28", "\x17\x03\x03\x00\x01\x00", "\x14\x03\x03\x00\x01\x01",
		"\x12\x00", "\xe2\x00", "\xc0\x00", "GET / HTTP/1.1\r\n"))
	if r.IntN(8) == 0 {
		payload = []byte{byte(r.Uint32())}
	}
	ports := []uint16{1883, 8883, 50000, 40000, uint16(r.Uint32())}
	segment := tcpHeader(pick(r, ports...), pick(r, ports...), pick[byte](r, syn, syn|ack, ack, psh|ack, psh|ack, psh|ack, fin|ack, rst), pick(r, 0, 0, 3, 10), payload...)
	next := byte(6)
	switch r.IntN(10) {
	case 0:
		segment, next = append([]byte{0, 53, 0, 53, 0, 16, 0, 0}, payload...), 17
	case 1:
		segment, next = append([]byte{8, 0, 0, 0}, payload...), 1
	}
	version6 := r.IntN(2) == 0
	chain := pick(r, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6)
	if !version6 {
		chain = pick(r, 0, 0, 0, 0, 0, 1, 2)
	}
	for range chain {
		kinds := []int{0, 1, 2, 3, 4}
		if !version6 {
			kinds = []int{2, 3, 3, 3}
		}
		switch pick(r, kinds...) {
		case 0:
			segment, next = behindExtension(next, pick(r, 0, 1, 3), segment), 0
		case 1:
			segment, next = behindExtension(next, pick(r, 0, 2), segment), 43
		case 2:
			segment, next = behindExtension(next, pick(r, 0, 1), segment), 60
		case 3:
			segment, next = behindAH(next, pick(r, 0, 3), segment), 51
		case 4:
			switch r.IntN(3) {
			case 0:
				segment = segment[:len(segment)&^7]
				segment, next = behindFragment(next, 0, true, segment), 44
			case 1:
				segment, next = behindFragment(next, uint16(1+r.IntN(200)), r.IntN(2) == 0, []byte("12345678")), 44
			default:
				segment, next = behindFragment(next, 0, false, segment), 44
				segment[1] = pick[byte](r, 0, 0, 0, 2) // reserved
			}
		}
	}
	var ip []byte
	etherType, pppType := uint16(typeIPv4), uint16(0x21)
	if version6 {
		a := []netip.Addr{client6, broker6, netip.MustParseAddr("fd00:1:2:4::1"), netip.MustParseAddr("2001:db8::1")}
		ip = inIPv6(pick(r, a...), pick(r, a...), next, segment)
		if r.IntN(20) == 0 {
			ip[4], ip[5] = 0, 0
		}
		etherType, pppType = typeIPv6, 0x57
	} else {
		a := []netip.Addr{client4, broker4, netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("172.16.0.9")}
		h := header4{src: pick(r, a...), dst: pick(r, a...), options: pick(r, 0, 0, 0, 1, 10), protocol: next}
		switch r.IntN(8) {
		case 0:
			h.fragment, segment = 0x2000, segment[:len(segment)&^7]
		case 1:
			h.fragment = uint16(1 + r.IntN(0x1fff))
			if r.IntN(2) == 0 {
				h.fragment |= 0x2000
			}
		case 2, 3, 4:
			h.fragment = 0x4000 // don't fragment
		}
		if r.IntN(20) == 0 {
			h.length = pick(r, -1, 40, 20, 2000)
		}
		ip = inIPv4(h, segment)
	}
	if r.IntN(4) == 0 {
		return sample{live.StartIP, ip}
	}
	var frame []byte
	tags := make([]uint16, pick(r, 0, 0, 0, 1, 1, 2, 3))
	for i := range tags {
		tags[i] = pick[uint16](r, typeVLAN, typeVLAN, typeQinQ, typeOldQinQ)
	}
	switch r.IntN(12) {
	case 0:
		frame = onEthernet(inPPPoE(ip, pppType), append(tags, typePPPoE)...)
	case 1: // IEEE 802.3 with SNAP (RFC 1042)
		snap := append([]byte{0xaa, 0xaa, 3, 0, 0, 0}, byte(etherType>>8), byte(etherType))
		frame = onEthernet(append(snap, ip...), append(tags, uint16(8+len(ip)))...)
	case 2: // a label of MPLS
		frame = onEthernet(append([]byte{0, 1, 0x01, 64}, ip...), append(tags, 0x8847)...)
	case 3: // PPP with a protocol of one byte
		frame = onEthernet(append([]byte{0x11, 0, 0, 1, 0, byte(1 + len(ip)), byte(pppType)}, ip...), append(tags, typePPPoE)...)
	default:
		frame = onEthernet(ip, append(tags, etherType)...)
	}
	for len(frame) < 60 { // padded to Ethernet's least
		frame = append(frame, pick[byte](r, 0, 0, 0x10, 0xe0))
	}
	return sample{live.StartEthernet, frame}
}
