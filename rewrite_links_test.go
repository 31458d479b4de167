package mqttriage_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"

	"github.com/mqttriage/mqttriage/capture"
)

// The rewritings of what carries datagrams on a link. Each makes a frame of a
// datagram; https://www.tcpdump.org/linktypes.html describes them.

// A framing is a link type and its frames.
type framing struct {
	link  capture.LinkType
	frame func(datagram []byte) []byte
}

// macs are the receiver's and the sender's, of a maker that tshark knows.
var macs = []byte{0, 0x50, 0x56, 0, 0, 2, 0, 0x50, 0x56, 0, 0, 1}

func ethernet(b []byte) []byte { return be(macs, etherType(b), b) }

// onEthernet is an Ethernet framing of its own.
func onEthernet(frame func([]byte) []byte) *framing {
	return &framing{capture.LinkEN10MB, frame}
}

// bareIP frames are datagrams.
func bareIP(link capture.LinkType) *framing {
	return &framing{link, slices.Clone[[]byte]}
}

func cookedLinux(b []byte) []byte {
	return be(uint16(0), uint16(1), uint16(6), macs[:6], uint16(0), etherType(b), b)
}

func cookedLinux2(b []byte) []byte {
	return be(etherType(b), uint16(0), uint32(2), uint16(1), byte(0), byte(6), macs[:6], uint16(0), b)
}

// family puts BSD's address family before a datagram: AF_INET is 2 everywhere.
func family(order binary.ByteOrder, inet6 uint32) func([]byte) []byte {
	return func(b []byte) []byte {
		value := make([]byte, 4)
		order.PutUint32(value, 2)
		if b[0]>>4 == 6 {
			order.PutUint32(value, inet6)
		}
		return be(value, b)
	}
}

// pppProtocol is that of a datagram (RFC 1332 §3, RFC 5072 §2).
func pppProtocol(b []byte) uint16 {
	if b[0]>>4 == 6 {
		return 0x0057
	}
	return 0x0021
}

func ppp(b []byte) []byte     { return be(pppProtocol(b), b) }
func pppHDLC(b []byte) []byte { return be(byte(0xff), byte(0x03), pppProtocol(b), b) }

// pppoe is a session packet (RFC 2516 §4).
func pppoe(b []byte) []byte {
	return be(byte(0x11), byte(0), uint16(7), uint16(2+len(b)), pppProtocol(b), b)
}

func pppoeInEthernet(b []byte) []byte { return be(macs, uint16(0x8864), pppoe(b)) }

func ciscoHDLC(b []byte) []byte { return be(byte(0x0f), byte(0), etherType(b), b) }

// nflog is a packet of Linux's netfilter log: attributes in the byte order of
// the host, each padded to four bytes; 9 is the payload.
func nflog(order binary.ByteOrder) func([]byte) []byte {
	return func(b []byte) []byte {
		out := []byte{2, 0, 0, 5}
		if b[0]>>4 == 6 {
			out[0] = 10
		}
		attribute := func(kind uint16, value []byte) {
			head := make([]byte, 4)
			order.PutUint16(head, uint16(4+len(value)))
			order.PutUint16(head[2:], kind)
			out = append(append(out, head...), value...)
			out = append(out, make([]byte, -len(out)&3)...)
		}
		attribute(1, be(etherType(b), byte(1), byte(0))) // hook
		attribute(10, []byte("mqtt\x00"))                // prefix
		attribute(9, b)
		return out
	}
}

// snap is LLC and SNAP before a datagram (RFC 1042).
func snap(b []byte) []byte {
	return be([]byte{0xaa, 0xaa, 3, 0, 0, 0}, etherType(b), b)
}

func ethernet8023(b []byte) []byte { return be(macs, uint16(8+len(b)), snap(b)) }

// wifi is a data frame of IEEE 802.11 to an access point.
func wifi(b []byte) []byte {
	return be([]byte{0x08, 0x01, 0, 0}, macs, macs[:6], uint16(0x10), snap(b))
}

// wifiQoS is one from an access point with quality of service.
func wifiQoS(b []byte) []byte {
	return be([]byte{0x88, 0x02, 0, 0}, macs, macs[:6], uint16(0x10), uint16(0), snap(b))
}

// wifiBridged is one between access points, with four addresses.
func wifiBridged(b []byte) []byte {
	return be([]byte{0x08, 0x03, 0, 0}, macs, macs[:6], uint16(0x10), macs[6:], snap(b))
}

func radiotap(b []byte) []byte { return be([]byte{0, 0, 8, 0, 0, 0, 0, 0}, wifi(b)) }

// radiotapFull has time stamp, flags, rate and channel; the flags say that the
// header is padded to four bytes and a checksum follows.
func radiotapFull(b []byte) []byte {
	frame := wifiQoS(b)
	frame = be(frame[:26], uint16(0), frame[26:])
	check := binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(frame))
	return be([]byte{0, 0, 22, 0, 0x0f, 0, 0, 0}, make([]byte, 8), []byte{0x30, 2, 0x6c, 0x09, 0xc0, 0}, frame, check)
}

// tagged puts VLAN tags of these types before the EtherType.
func tagged(types ...uint16) func([]byte) []byte {
	return func(b []byte) []byte {
		out := slices.Clone(macs)
		for i, t := range types {
			out = be(out, t, uint16(100+i))
		}
		return be(out, etherType(b), b)
	}
}

// padded fills a frame up to Ethernet's 60 bytes, as some drivers do with what
// was in the buffer before, and puts a trailer behind it.
func padded(fill byte, trailer int) func([]byte) []byte {
	return func(b []byte) []byte {
		b = ethernet(b)
		return append(b, bytes.Repeat([]byte{fill}, max(60-len(b), 0)+trailer)...)
	}
}
