package mqttriage_test

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A tcpSegment is one TCP packet of a conversation, without what carries it.
type tcpSegment struct {
	nano             int64
	src, dst         netip.AddrPort
	seq, ack         uint32
	flags            byte
	window           uint16
	options, payload []byte
	// id is the identification of the IPv4 header.
	id uint16
	// noted: its session must carry the note that the rewriting adds.
	noted bool
}

func (s *tcpSegment) has(flags byte) bool { return s.flags&flags != 0 }

// end is the sequence number behind the segment.
func (s *tcpSegment) end() uint32 {
	end := s.seq + uint32(len(s.payload))
	if s.has(tcpSYN) {
		end++
	}
	if s.has(tcpFIN) {
		end++
	}
	return end
}

// with is a copy of a segment with other bytes and another sequence number.
func (s tcpSegment) with(seq uint32, payload []byte) tcpSegment {
	s.seq, s.payload = seq, payload
	return s
}

// bare is an acknowledgment without bytes that its sender may send behind s.
func (s tcpSegment) bare() tcpSegment {
	s.flags, s.payload = tcpACK, nil
	return s
}

// samePath reports that two segments have one sender and one receiver.
func samePath(a, b *tcpSegment) bool { return a.src == b.src && a.dst == b.dst }

// sameTuple reports that two segments are of one connection.
func sameTuple(a, b *tcpSegment) bool { return samePath(a, b) || a.src == b.dst && a.dst == b.src }

// A conversation is what a recording holds: segments in the order of the file.
type conversation []tcpSegment

// client is the end of a segment's connection that sent the SYN.
func (c conversation) client(s *tcpSegment) netip.AddrPort {
	for i := range c {
		if sameTuple(&c[i], s) && c[i].flags&(tcpSYN|tcpACK) == tcpSYN {
			return c[i].src
		}
	}
	return netip.AddrPort{}
}

// fromClient reports that the client sent a segment.
func (c conversation) fromClient(s *tcpSegment) bool { return c.client(s) == s.src }

// is4 reports that the conversation is over IPv4.
func (c conversation) is4() bool { return c[0].src.Addr().Is4() }

// recorded reads a case's recording, a pcap of Ethernet or raw IP, and returns
// the file as well. Everything
// that a rewriting relies on is checked: nothing but whole TCP segments, each
// 4-tuple used once and opened by a SYN, nothing sent twice but SYNs.
func recorded(t *testing.T, folder string) ([]byte, conversation) {
	t.Helper()
	whole, err := os.ReadFile(filepath.Join("testdata", folder, "capture.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	file, order := whole, binary.LittleEndian
	if order.Uint32(file) != 0xa1b2c3d4 {
		t.Fatalf("%s: not a little-endian pcap of microseconds", folder)
	}
	skip := map[uint32]int{1: 14, 101: 0}[order.Uint32(file[20:])]
	var c conversation
	for file = file[24:]; len(file) > 0; {
		nano := int64(order.Uint32(file))*1e9 + int64(order.Uint32(file[4:]))*1e3
		length := order.Uint32(file[8:])
		if order.Uint32(file[12:]) != length {
			t.Fatalf("%s: packet %d is cut", folder, len(c)+1)
		}
		ip := file[16+skip : 16+length]
		file = file[16+length:]
		if ip[0] != 0x45 || ip[9] != 6 {
			t.Fatalf("%s: packet %d is not plain TCP in IPv4", folder, len(c)+1)
		}
		tcp := ip[20:binary.BigEndian.Uint16(ip[2:])]
		header := int(tcp[12]>>4) * 4
		port := func(addr []byte, port []byte) netip.AddrPort {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte(addr)), binary.BigEndian.Uint16(port))
		}
		c = append(c, tcpSegment{
			nano: nano, src: port(ip[12:16], tcp), dst: port(ip[16:20], tcp[2:]), id: binary.BigEndian.Uint16(ip[4:]),
			seq: binary.BigEndian.Uint32(tcp[4:]), ack: binary.BigEndian.Uint32(tcp[8:]), flags: tcp[13],
			window: binary.BigEndian.Uint16(tcp[14:]), options: tcp[20:header], payload: tcp[header:],
		})
	}
	next := map[[2]netip.AddrPort]uint32{}
	for i := range c {
		s := &c[i]
		path := [2]netip.AddrPort{s.src, s.dst}
		expected, begun := next[path]
		switch {
		case !c.client(s).IsValid():
			t.Fatalf("%s: packet %d is of a connection without SYN", folder, i+1)
		case s.has(tcpSYN) && begun && s.end() != expected:
			t.Fatalf("%s: packet %d opens a 4-tuple again", folder, i+1)
		case !s.has(tcpSYN|tcpRST) && begun && s.seq != expected:
			t.Fatalf("%s: packet %d is not next in order", folder, i+1)
		}
		next[path] = s.end()
	}
	return whole, c
}

// A captured is a packet on its way into a file.
type captured struct {
	nano int64
	data []byte
	// wire is the length on the wire, 0 for that of data.
	wire int
	// on is the interface's index, for files that have several.
	on int
	// of is the segment that it carries, the last part of it where it is in
	// several; nil for noise.
	of *tcpSegment
}

// sum is the Internet checksum (RFC 1071) of several parts; all but the last
// must be of even length.
func sum(parts ...[]byte) uint16 {
	total := uint32(0)
	for _, b := range parts {
		for i := 0; i < len(b); i += 2 {
			word := uint32(b[i]) << 8
			if i+1 < len(b) {
				word |= uint32(b[i+1])
			}
			total += word
		}
	}
	for total > 0xffff {
		total = total&0xffff + total>>16
	}
	return ^uint16(total)
}

// be puts numbers behind each other in network byte order.
func be(values ...any) []byte {
	var b []byte
	for _, v := range values {
		switch v := v.(type) {
		case []byte:
			b = append(b, v...)
		default:
			var err error
			if b, err = binary.Append(b, binary.BigEndian, v); err != nil {
				panic(err) // the callers are part of the test
			}
		}
	}
	return b
}

// datagram is the segment in IP.
func datagram(s tcpSegment) []byte {
	tcp := be(s.src.Port(), s.dst.Port(), s.seq, s.ack, byte(5+len(s.options)/4)<<4, s.flags, s.window, uint32(0), s.options, s.payload)
	return inIP(s.src.Addr(), s.dst.Addr(), 6, s.id, tcp)
}

const (
	protoTCP = 6
	protoUDP = 17
)

// inIP puts a body into an IPv4 or IPv6 datagram, as the addresses are. The
// checksum of TCP and UDP is filled in.
func inIP(src, dst netip.Addr, protocol byte, id uint16, body []byte) []byte {
	body = slices.Clone(body)
	if at, ok := map[byte]int{protoTCP: 16, protoUDP: 6}[protocol]; ok {
		pseudo := be(src.AsSlice(), dst.AsSlice(), uint32(len(body)), uint32(protocol))
		binary.BigEndian.PutUint16(body[at:], 0)
		binary.BigEndian.PutUint16(body[at:], sum(pseudo, body))
	}
	if src.Is6() {
		return be(uint32(6)<<28, uint16(len(body)), protocol, byte(64), src.AsSlice(), dst.AsSlice(), body)
	}
	return be(seal4(be(byte(0x45), byte(0), uint16(20+len(body)), id, uint16(0x4000), byte(64), protocol, uint16(0), src.AsSlice(), dst.AsSlice())), body)
}

// seal4 fills in an IPv4 header's checksum.
func seal4(header []byte) []byte {
	binary.BigEndian.PutUint16(header[10:], 0)
	binary.BigEndian.PutUint16(header[10:], sum(header))
	return header
}

// split4 divides an IPv4 datagram.
func split4(b []byte) (header, body []byte) {
	n := int(b[0]&0xf) * 4
	return slices.Clone(b[:n]), b[n:]
}

// etherType is that of a datagram.
func etherType(datagram []byte) uint16 {
	if datagram[0]>>4 == 6 {
		return 0x86dd
	}
	return 0x0800
}
