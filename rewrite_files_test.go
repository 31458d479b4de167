package mqttriage_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/mqttriage/mqttriage/capture"
)

// The rewritings of what is captured, and of the file it is written to.

// inPcap writes a pcap; nano is for the format with nanoseconds.
func inPcap(order binary.AppendByteOrder, nano bool) func(capture.LinkType, []captured) []byte {
	return func(link capture.LinkType, packets []captured) []byte {
		magic, unit := uint32(0xa1b2c3d4), int64(1000)
		if nano {
			magic, unit = 0xa1b23c4d, 1
		}
		var b []byte
		u32 := func(values ...uint32) {
			for _, v := range values {
				b = order.AppendUint32(b, v)
			}
		}
		u32(magic)
		b = order.AppendUint16(order.AppendUint16(b, 2), 4)
		u32(0, 0, 262144, uint32(link))
		for _, p := range packets {
			u32(uint32(p.nano/1e9), uint32(p.nano%1e9/unit), uint32(len(p.data)), uint32(max(p.wire, len(p.data))))
			b = append(b, p.data...)
		}
		return b
	}
}

// inPcapng writes a pcapng with as many interfaces as the packets name; the
// units of their time stamps are 10^-6 s, 10^-9 s and 2^-30 s in turn.
func inPcapng(order binary.AppendByteOrder) func(capture.LinkType, []captured) []byte {
	return func(link capture.LinkType, packets []captured) []byte {
		var out []byte
		block := func(kind uint32, body []byte) {
			body = append(body, make([]byte, -len(body)&3)...)
			n := uint32(len(body) + 12)
			out = order.AppendUint32(order.AppendUint32(out, kind), n)
			out = order.AppendUint32(append(out, body...), n)
		}
		words := func(values ...uint32) (b []byte) {
			for _, v := range values {
				b = order.AppendUint32(b, v)
			}
			return b
		}
		section := order.AppendUint16(order.AppendUint16(words(0x1a2b3c4d), 1), 0)
		block(0x0a0d0d0a, append(section, bytes.Repeat([]byte{0xff}, 8)...))
		interfaces := 1
		for _, p := range packets {
			interfaces = max(interfaces, p.on+1)
		}
		for i := range interfaces {
			body := append(order.AppendUint16(order.AppendUint16(nil, uint16(link)), 0), words(262144)...)
			resolution := []byte{6, 9, 0x80 | 30}[i%3]
			body = append(order.AppendUint16(order.AppendUint16(body, 9), 1), resolution, 0, 0, 0)
			block(1, append(body, words(0)...))
		}
		for _, p := range packets {
			stamp := uint64(p.nano)
			switch p.on % 3 {
			case 0:
				stamp /= 1000
			case 2:
				// Rounded up: reading rounds down to a nanosecond again.
				stamp = uint64(p.nano/1e9)<<30 + (uint64(p.nano%1e9)<<30+1e9-1)/1e9
			}
			block(6, append(words(uint32(p.on), uint32(stamp>>32), uint32(stamp), uint32(len(p.data)), uint32(max(p.wire, len(p.data)))), p.data...))
		}
		return out
	}
}

var plainPcap = inPcap(binary.LittleEndian, false)

func gzipped(link capture.LinkType, packets []captured) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(plainPcap(link, packets))
	w.Close()
	return b.Bytes()
}

func zstandard(link capture.LinkType, packets []captured) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return w.EncodeAll(plainPcap(link, packets), nil)
}

// inTurn puts packets on several interfaces.
func inTurn(interfaces int) func([]captured) []captured {
	return func(packets []captured) []captured {
		for i := range packets {
			packets[i].on = i % interfaces
		}
		return packets
	}
}

// copied has every packet again at further points of capture, each some time
// later than the one before. change may change the copies, nil does not.
func copied(again int, delay time.Duration, change func(*captured, int)) func([]captured) []captured {
	return func(packets []captured) (out []captured) {
		for _, p := range packets {
			for i := range again + 1 {
				q := p
				q.nano += int64(i) * int64(delay)
				q.data = slices.Clone(p.data)
				q.on = i
				if change != nil {
					change(&q, i)
				}
				out = append(out, q)
			}
		}
		slices.SortStableFunc(out, func(a, b captured) int { return cmp.Compare(a.nano, b.nano) })
		return out
	}
}

// onInterface gives the copy of a cooked frame (version 2) its interface.
func onInterface(p *captured, i int) { p.data[7] = byte(i + 1) }

// forwarded makes the copies leave a router in another VLAN, with one hop less.
func forwarded(p *captured, i int) {
	if i > 0 {
		p.data = tagged(0x8100)(oneHop(datagram(*p.of)))
	}
}

// wrappedUp makes the copies leave a host in a tunnel.
func wrappedUp(p *captured, i int) {
	if i > 0 {
		p.data = through(vxlan(4789), ethernet).frame(datagram(*p.of))
	}
}

// oneHop takes one hop off a datagram.
func oneHop(b []byte) []byte {
	if b[0]>>4 == 6 {
		b[7]--
		return b
	}
	b[8]--
	seal4(b[:20])
	return b
}

// translated makes the copies' client another one, on Ethernet: they are seen
// again behind a NAT, with one hop less.
func translated(c conversation) func(*captured, int) {
	outside := netip.MustParseAddr("198.51.100.7")
	if !c.is4() {
		outside = netip.MustParseAddr("2001:db8:1::7")
	}
	return func(p *captured, i int) {
		if i == 0 {
			return
		}
		s := *p.of
		if end := netip.AddrPortFrom(outside, s.src.Port()^0x1111); c.fromClient(&s) {
			s.src = end
		} else {
			s.dst = netip.AddrPortFrom(outside, s.dst.Port()^0x1111)
		}
		p.data, p.of = ethernet(oneHop(datagram(s))), &s
	}
}

// twiceAcrossNAT captures every packet again outside, 300 µs later.
func twiceAcrossNAT(packets []captured) []captured {
	var c conversation
	for _, p := range packets {
		c = append(c, *p.of)
	}
	return copied(1, 300*time.Microsecond, translated(c))(packets)
}

// cutAt is a snap length.
func cutAt(n int) func([]captured) []captured {
	return func(packets []captured) []captured {
		for i := range packets {
			if p := &packets[i]; len(p.data) > n {
				p.data, p.wire = p.data[:n], len(p.data)
			}
		}
		return packets
	}
}

// amidNoise puts other frames of an Ethernet between the packets.
func amidNoise(packets []captured) (out []captured) {
	frames := noise()
	for i, p := range packets {
		out = append(out, p)
		if i+1 < len(packets) {
			p.data, p.of = frames[i%len(frames)], nil
			out = append(out, p)
		}
	}
	return out
}

// noise is ARP, LLDP, spanning tree, DNS, ICMP, HTTP and what is broken.
func noise() [][]byte {
	host, server := netip.MustParseAddr("10.66.0.5"), netip.MustParseAddr("10.66.0.80")
	web := tcpSegment{src: netip.AddrPortFrom(host, 50505), dst: netip.AddrPortFrom(server, 80), seq: 1000, flags: tcpSYN, window: 65535}
	answer := tcpSegment{src: web.dst, dst: web.src, seq: 9000, ack: 1001, flags: tcpSYN | tcpACK, window: 65535}
	get := web.with(1001, []byte("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"))
	get.flags, get.ack = tcpPSH|tcpACK, 9001
	page := answer.with(9001, []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	page.flags, page.ack = tcpPSH|tcpACK, get.end()
	whole := ethernet(datagram(get))
	question := be(uint16(0x4242), uint16(0x0100), uint16(1), uint16(0), uint32(0), []byte("\x07example\x03com\x00"), uint16(1), uint16(1))
	dns := be(uint16(40000), uint16(53), uint16(8+len(question)), uint16(0), question)
	brokenOffset := datagram(get)
	brokenOffset[32] = 0x10 // a header of four bytes
	longHeader := datagram(get)
	longHeader[0] = 0x4f
	return [][]byte{
		ethernet(datagram(web)),
		be(macs, uint16(0x0806), []byte{0, 1, 8, 0, 6, 4, 0, 1}, macs[6:], host.AsSlice(), make([]byte, 6), server.AsSlice(), make([]byte, 18)),
		ethernet(datagram(answer)),
		be([]byte{1, 0x80, 0xc2, 0, 0, 14}, macs[6:], uint16(0x88cc), []byte{2, 7, 4, 2, 0, 0, 0, 0, 1, 4, 2, 7, 49, 6, 2, 0, 120, 0, 0}),
		whole,
		ethernet(inIP(host, server, protoUDP, 5, dns)),
		ethernet(datagram(page)),
		ethernet(inIP(host, server, 1, 6, []byte{8, 0, 0xf7, 0xfd, 0, 1, 0, 1})),
		be([]byte{1, 0x80, 0xc2, 0, 0, 0}, macs[6:], uint16(38), []byte{0x42, 0x42, 3}, make([]byte, 35)),
		whole[:20], whole[:38], whole[:9], {},
		ethernet(brokenOffset),
		ethernet(longHeader),
		be(macs, uint16(0x0800), []byte{0x65, 0, 0, 1}),
		be(macs, uint16(0x86dd), make([]byte, 40)),
		be(macs, uint16(0x9999), []byte("no protocol")),
	}
}
