package link

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
)

// gopacketDecoder reads the headers that gopacket reads: the family of a
// loopback interface, those of IP, IPv6 extensions, TCP. It is the oracle for
// ours, which must accept and refuse what it does, and read it alike.
//
// Where they part, the RFCs decide, for us:
//   - an IPv4 option of two bytes is whole: its length counts kind and length,
//     and no data need follow (RFC 791 §3.1; hosts ignore options that they do
//     not know, RFC 1122 §3.2.1.8). gopacket refuses the packet;
//   - an IPv6 payload length of 0 is a jumbogram's (RFC 2675 §3), or one that the
//     interface was to fill in. gopacket knows the first, with its option;
//   - hop-by-hop options are passed over as any extension (RFC 8200 §4.3: nodes
//     examine them only if they are told to). gopacket refuses broken ones;
//   - TCP options are not read, and broken ones no error. gopacket fills in the
//     header and then says that there is one;
//   - the version of an IP header must be its own.
type gopacketDecoder struct {
	loopback  layers.Loopback
	ip4       layers.IPv4
	ip6       layers.IPv6
	extension layers.IPv6ExtensionSkipper
	tcp       layers.TCP
}

// decode reports false where other headers come that gopacket is not asked for.
func (g *gopacketDecoder) decode(p *capture.Packet, s *Segment) (Reason, bool) {
	f := frame{data: p.Data, wire: max(p.Length, len(p.Data))}
	var r Reason
	told := true
	switch p.Link {
	case capture.LinkNull, capture.LinkLoop:
		r, told = g.family(f, s)
	case capture.LinkIPv4:
		r, told = g.ipv4(f, s)
	case capture.LinkIPv6:
		r, told = g.ipv6(f, s)
	default:
		return 0, false
	}
	if r == Malformed && len(p.Data) < p.Length {
		r = Cut
	}
	return r, told
}

func (g *gopacketDecoder) family(f frame, s *Segment) (Reason, bool) {
	if g.loopback.DecodeFromBytes(f.data, gopacket.NilDecodeFeedback) != nil {
		return Malformed, true
	}
	f = f.skip(len(g.loopback.Contents))
	switch g.loopback.Family {
	case layers.ProtocolFamilyIPv4:
		return g.ipv4(f, s)
	case layers.ProtocolFamilyIPv6Linux, layers.ProtocolFamilyIPv6BSD, layers.ProtocolFamilyIPv6FreeBSD, layers.ProtocolFamilyIPv6Darwin:
		return g.ipv6(f, s)
	}
	return NotIP, true
}

func (g *gopacketDecoder) ipv4(f frame, s *Segment) (Reason, bool) {
	// gopacket puts the length of what it is given into 16 bits when the header
	// says 0.
	header := withoutShortOptions(f.data[:min(len(f.data), maxWhole)])
	if g.ip4.DecodeFromBytes(header, gopacket.NilDecodeFeedback) != nil || g.ip4.Version != 4 {
		return Malformed, true
	}
	total := int(binary.BigEndian.Uint16(f.data[2:]))
	if total == 0 {
		total = f.wire
	}
	if total > maxDatagram {
		return Malformed, true
	}
	f.wire = max(f.wire, total)
	f = f.limit(total).skip(len(g.ip4.Contents))
	s.Src, s.Dst, s.ID = endpoint4(g.ip4.SrcIP, 0), endpoint4(g.ip4.DstIP, 0), g.ip4.Id
	if offset, more := int(g.ip4.FragOffset)*8, g.ip4.Flags&layers.IPv4MoreFragments != 0; offset != 0 || more {
		if f.wire == 0 || more && f.wire%8 != 0 || offset+f.wire > maxWhole {
			return Malformed, true
		}
		return Fragment, true
	}
	return g.upper(g.ip4.Protocol, f, s)
}

// withoutShortOptions has two options that do nothing in place of each of two
// bytes.
func withoutShortOptions(b []byte) []byte {
	if len(b) < ipv4Header {
		return b
	}
	b = bytes.Clone(b)
	for i, end := ipv4Header, min(int(b[0]&15)*4, len(b)); i+1 < end && b[i] != 0; {
		switch {
		case b[i] == 1:
			i++
		case b[i+1] == 2:
			b[i], b[i+1] = 1, 1
		case b[i+1] < 2:
			return b
		default:
			i += int(b[i+1])
		}
	}
	return b
}

func (g *gopacketDecoder) ipv6(f frame, s *Segment) (Reason, bool) {
	if len(f.data) < ipv6Header || f.data[0]>>4 != 6 {
		return Malformed, true
	}
	// What it refuses of the length, and what it makes of a hop-by-hop header,
	// does not keep it from reading the fixed header first.
	_ = g.ip6.DecodeFromBytes(f.data, gopacket.NilDecodeFeedback)
	f = f.skip(ipv6Header)
	length := int(g.ip6.Length)
	if length == 0 {
		length = f.wire
	}
	if length > maxDatagram {
		return Malformed, true
	}
	s.Src, s.Dst, s.ID = endpoint6(g.ip6.SrcIP, 0), endpoint6(g.ip6.DstIP, 0), 0
	f.wire = max(f.wire, length)
	return g.upper(g.ip6.NextHeader, f.limit(length), s)
}

func (g *gopacketDecoder) upper(next layers.IPProtocol, f frame, s *Segment) (Reason, bool) {
	for range maxExtensions {
		switch next {
		case layers.IPProtocolTCP:
			return g.segment(f, s), true
		case layers.IPProtocolIPv6HopByHop, layers.IPProtocolIPv6Routing, layers.IPProtocolIPv6Destination:
			if g.extension.DecodeFromBytes(f.data, gopacket.NilDecodeFeedback) != nil {
				return Malformed, true
			}
			next, f = g.extension.NextHeader, f.skip(len(g.extension.Contents))
		case layers.IPProtocolUDP, layers.IPProtocolIPv4, layers.IPProtocolIPv6, layers.IPProtocolGRE, layers.IPProtocolMPLSInIP,
			layers.IPProtocolIPv6Fragment, layers.IPProtocolAH:
			return 0, false
		default:
			return NotTCP, true
		}
	}
	return Malformed, true
}

func (g *gopacketDecoder) segment(f frame, s *Segment) Reason {
	t := &g.tcp
	err := t.DecodeFromBytes(f.data, gopacket.NilDecodeFeedback)
	if err != nil && (len(f.data) < tcpHeader || t.DataOffset < 5 || int(t.DataOffset)*4 > f.wire) {
		return Malformed
	}
	s.Src.Port, s.Dst.Port = uint16(t.SrcPort), uint16(t.DstPort)
	s.Seq, s.Ack, s.Window = t.Seq, t.Ack, t.Window
	s.Flags = 0
	for i, set := range []bool{t.FIN, t.SYN, t.RST, t.PSH, t.ACK} {
		if set {
			s.Flags |= 1 << i
		}
	}
	s.Payload, s.Length = t.Payload, f.wire-int(t.DataOffset)*4
	return OK
}

// likeGopacket holds what a new Decoder makes of a frame to the oracle's, and
// returns it; false when the oracle is not asked.
func likeGopacket(t *testing.T, g *gopacketDecoder, p *capture.Packet) (Reason, bool) {
	t.Helper()
	var want, got Segment
	wanted, told := g.decode(p, &want)
	if !told {
		return 0, false
	}
	if r := NewDecoder().Decode(p, &got); r != wanted {
		t.Fatalf("%v, gopacket says %v: link type %d, %d bytes of %d: %x", r, wanted, p.Link, len(p.Data), p.Length, p.Data)
	}
	if wanted == OK && !equal(&got, &want, OK) {
		t.Fatalf("%+v, gopacket says %+v: link type %d, %d bytes of %d: %x", got, want, p.Link, len(p.Data), p.Length, p.Data)
	}
	return wanted, true
}

// holds fails when a reason did not come at least n times.
func holds(t *testing.T, tally map[Reason]int, n int, reasons ...Reason) {
	t.Helper()
	for _, r := range reasons {
		if tally[r] < n {
			t.Errorf("%v: %d frames: nothing was compared", r, tally[r])
		}
	}
	t.Logf("%v", tally)
}

// Every length that an IPv4 header can give, in every frame that it can come in.
func TestIPv4LengthsLikeGopacket(t *testing.T) {
	g, tally := new(gopacketDecoder), map[Reason]int{}
	whole := unhex("4500 0000 0000 4000 4006 0000 c0000201 c0000202", "01010101", tcp32, tcp32, tcp32)
	for words := range 16 {
		for total := range 90 {
			for captured := range 90 {
				for _, wire := range []int{captured, captured + 1, 66} {
					p := capture.Packet{Link: capture.LinkIPv4, Length: wire, Data: bytes.Clone(whole[:captured])}
					if captured > 3 {
						p.Data[0], p.Data[3] = byte(0x40|words), byte(total)
					}
					if r, told := likeGopacket(t, g, &p); told {
						tally[r]++
					}
				}
			}
		}
	}
	holds(t, tally, 1000, OK, Malformed, Cut)
}

// Every data offset of TCP, in every frame that it can come in.
func TestTCPOffsetsLikeGopacket(t *testing.T) {
	g, tally := new(gopacketDecoder), map[Reason]int{}
	whole := unhex(ip6(6, 0), tcp32, tcp32, tcp32)
	for words := range 16 {
		for length := 1; length < 90; length++ {
			for captured := 40; captured < len(whole); captured++ {
				p := capture.Packet{Link: capture.LinkIPv6, Length: len(whole), Data: bytes.Clone(whole[:captured])}
				p.Data[5] = byte(length)
				if captured > 52 {
					p.Data[52] = byte(words<<4 | 1)
				}
				if r, told := likeGopacket(t, g, &p); told {
					tally[r]++
				}
			}
		}
	}
	holds(t, tally, 1000, OK, Cut)
}

// Every length of an IPv6 extension header, of each kind, wherever it is cut.
func TestExtensionsLikeGopacket(t *testing.T) {
	g, tally := new(gopacketDecoder), map[Reason]int{}
	whole := append(unhex(ip6(0, 0)), make([]byte, 256*extensionUnit)...)
	copy(whole[40:], unhex("06 00 050200000100"))
	whole = append(whole, unhex(tcp20, body)...)
	for _, kind := range []byte{protoHopByHop, protoRouting, protoDestination} {
		for units := range 256 {
			end := 40 + (units+1)*extensionUnit
			for _, captured := range []int{40, 41, 42, 43, 47, 48, end - 1, end, end + 12, end + 20, len(whole)} {
				for _, wire := range []int{captured, len(whole)} {
					p := capture.Packet{Link: capture.LinkIPv6, Length: wire, Data: bytes.Clone(whole[:min(captured, len(whole))])}
					p.Data[6] = kind
					if len(p.Data) > 41 {
						p.Data[41] = byte(units)
					}
					copy(p.Data[min(end, len(p.Data)):], unhex(tcp20))
					if r, told := likeGopacket(t, g, &p); told {
						tally[r]++
					}
				}
			}
		}
	}
	holds(t, tally, 1000, OK, Malformed, Cut)
}

// Every address family and some that are none, in both byte orders.
func TestFamiliesLikeGopacket(t *testing.T) {
	g, tally := new(gopacketDecoder), map[Reason]int{}
	for _, packet := range [][]byte{unhex(ip42, tcp20, body), unhex(ip6(6, 22), tcp20, body)} {
		for family := range uint32(0x300) {
			for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
				for _, link := range []capture.LinkType{capture.LinkNull, capture.LinkLoop} {
					data := append(order.AppendUint32(nil, family), packet...)
					if r, told := likeGopacket(t, g, &capture.Packet{Link: link, Length: len(data), Data: data}); told {
						tally[r]++
					}
				}
			}
		}
	}
	holds(t, tally, 10, OK, Malformed, NotIP)
}

// Made-up headers, most of them whole, some not.
func TestHeadersLikeGopacket(t *testing.T) {
	g, tally := new(gopacketDecoder), map[Reason]int{}
	random := rand.New(rand.NewPCG(1, 2))
	for range 300_000 {
		p := madeUp(random)
		if r, told := likeGopacket(t, g, &p); told {
			tally[r]++
		}
	}
	holds(t, tally, 500, OK, Malformed, Cut, Fragment, NotTCP, NotIP)
}

// madeUp is a frame of a loopback interface, IPv4 or IPv6, cut anywhere.
func madeUp(random *rand.Rand) capture.Packet {
	tcp := unhex(tcp20)
	for i := range 14 {
		tcp[i] = byte(random.Uint32())
	}
	tcp[12] = byte((5+random.IntN(11))<<4 | random.IntN(16))
	tcp = append(tcp, options(random, int(tcp[12]>>4)*4-tcpHeader)...)
	payload := append(tcp, make([]byte, random.IntN(20))...)

	var b []byte
	link := capture.LinkIPv4
	family := byte(familyIPv4)
	if random.IntN(2) == 0 {
		b = options(random, random.IntN(11)*4)
		b = append(unhex("4000 0000 1234 0000 4006 0000 c0000201 c0000202"), b...)
		b[0] |= byte(len(b) / 4)
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)+len(payload)))
		if random.IntN(4) == 0 {
			binary.BigEndian.PutUint16(b[6:], uint16(random.Uint32()))
		}
	} else {
		link, family = capture.LinkIPv6, []byte{familyIPv6, familyIPv6BSD, familyIPv6FreeBSD, familyIPv6Darwin}[random.IntN(4)]
		kinds := []byte{protoTCP, protoHopByHop, protoRouting, protoDestination}
		next := kinds[random.IntN(4)]
		b = unhex(ip6(next, 0))
		for next != protoTCP {
			next = kinds[random.IntN(4)]
			units := random.IntN(3)
			b = append(append(b, next, byte(units)), make([]byte, (units+1)*extensionUnit-2)...)
		}
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-ipv6Header+len(payload)))
	}
	b = append(b, payload...)
	if random.IntN(2) == 0 {
		link = capture.LinkNull
		head := []byte{family, 0, 0, 0}
		if random.IntN(2) == 0 {
			head = []byte{0, 0, 0, family}
		}
		b = append(head, b...)
	}
	// Padding, a fault, and a cut, of which its record may know.
	b = append(b, make([]byte, random.IntN(4))...)
	if random.IntN(4) == 0 {
		b[random.IntN(min(len(b), 70))] = byte(random.Uint32())
	}
	wire := len(b)
	if random.IntN(4) == 0 {
		if b = b[:random.IntN(len(b)+1)]; random.IntN(2) == 0 {
			wire = len(b)
		}
	}
	return capture.Packet{Link: link, Length: wire, Data: b}
}

// options are n bytes of IPv4's or TCP's options, whose form is the same; one in
// eight has a length of any kind.
func options(random *rand.Rand, n int) []byte {
	b := make([]byte, 0, n)
	for len(b) < n {
		left := n - len(b)
		switch random.IntN(4) {
		case 0:
			b = append(b, optionNoOp)
		case 1:
			if random.IntN(4) == 0 {
				return append(b, make([]byte, left)...)
			}
		default:
			length := 2 + random.IntN(8)
			if length > left {
				continue
			}
			b = append(append(b, byte(2+random.IntN(254)), byte(length)), make([]byte, length-2)...)
			if random.IntN(8) == 0 {
				b[len(b)-length+1] = byte(random.IntN(12))
			}
		}
	}
	return b
}

// The IP packets of real captures.
func TestCapturesLikeGopacket(t *testing.T) {
	paths, _ := filepath.Glob("../../testdata/*/capture.*")
	more, _ := filepath.Glob("../../testdata/recordings/*/*.pcap*")
	g, tally := new(gopacketDecoder), map[Reason]int{}
	for _, path := range append(paths, more...) {
		source, err := pcapfile.Open(path, nil)
		if err != nil {
			continue
		}
		for {
			p, err := source.Next()
			if err != nil {
				break
			}
			if p.Link == capture.LinkEN10MB && len(p.Data) > ethernetHeader {
				switch binary.BigEndian.Uint16(p.Data[12:]) {
				case etherIPv4:
					p.Link = capture.LinkIPv4
				case etherIPv6:
					p.Link = capture.LinkIPv6
				default:
					continue
				}
				p.Data, p.Length = p.Data[ethernetHeader:], p.Length-ethernetHeader
			}
			if r, told := likeGopacket(t, g, &p); told {
				tally[r]++
			}
		}
		source.Close()
	}
	holds(t, tally, 1000, OK)
}

// FuzzLikeGopacket takes which of four link types, the wire length beyond the
// captured one, and a frame.
func FuzzLikeGopacket(f *testing.F) {
	links := []capture.LinkType{capture.LinkIPv4, capture.LinkIPv6, capture.LinkNull, capture.LinkLoop}
	for i, link := range links {
		for _, tt := range decodeTests {
			if tt.link == link || tt.link == capture.LinkRaw && link == capture.LinkIPv4 {
				f.Add(uint8(i), uint32(max(0, tt.wire-len(tt.data))), tt.data)
			}
		}
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		p := madeUp(random)
		for i, link := range links {
			if p.Link == link {
				f.Add(uint8(i), uint32(p.Length-len(p.Data)), p.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, link uint8, more uint32, data []byte) {
		likeGopacket(t, new(gopacketDecoder), &capture.Packet{Link: links[int(link)%len(links)], Length: len(data) + int(more), Data: data})
	})
}
