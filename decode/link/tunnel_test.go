package link

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/capture"
)

// packet is what a tunnel takes and gives: an IP packet of version 4 or 6, or
// an Ethernet frame.
type packet struct {
	kind byte // '4', '6' or 'e'
	data []byte
}

func (p packet) String() string { return hex.EncodeToString(p.data) }

// hex16 is a number in two bytes.
func hex16(n int) string { return fmt.Sprintf("%04x", n) }

// etherTypeOf is the EtherType that leads to p.
func (p packet) etherType() string {
	return map[byte]string{'4': "0800", '6': "86dd", 'e': "6558"}[p.kind]
}

// over4 and over6 put b into an IP packet between a tunnel's ends.
func over4(protocol byte, b string) packet {
	n := len(unhex(b))
	return packet{'4', unhex("4500", hex16(20+n), "0007 4000 40", hex.EncodeToString([]byte{protocol}), "0000 c6336401 c6336402", b)}
}

func over6(protocol byte, b string) packet {
	return packet{'6', unhex("60000000", hex16(len(unhex(b))), hex.EncodeToString([]byte{protocol, 64}),
		"20010db8000000000000000000000011 20010db8000000000000000000000012", b)}
}

// overUDP is a datagram to a tunnel's port.
func overUDP(port int, b string) string {
	return hex16(50001) + hex16(port) + hex16(8+len(unhex(b))) + "0000" + b
}

// inEthernet is p in an Ethernet frame, unless it is one.
func inEthernet(p packet) packet {
	if p.kind == 'e' {
		return p
	}
	return packet{'e', unhex(macs, p.etherType(), p.String())}
}

// inIP is p as an IP packet; an Ethernet frame goes into GRE.
func inIP(p packet) packet {
	if p.kind == 'e' {
		return over4(protoGRE, "0000 6558"+p.String())
	}
	return p
}

// inPPP is p behind a PPP protocol field.
func inPPP(p packet) string {
	if p = inIP(p); p.kind == '4' {
		return "0021" + p.String()
	}
	return "0057" + p.String()
}

func protocolOf(p packet) byte {
	if p.kind == '4' {
		return protoIPv4
	}
	return protoIPv6
}

// tunnels put a packet into another. Labels of MPLS are 18 over IP, 19 over
// Ethernet with a control word, 20 over Ethernet without.
var tunnels = []struct {
	name string
	in   func(packet) packet
}{
	{"IPv4", func(p packet) packet { p = inIP(p); return over4(protocolOf(p), p.String()) }},
	{"IPv6", func(p packet) packet { p = inIP(p); return over6(protocolOf(p), p.String()) }},
	{"IPv6 with destination options", func(p packet) packet {
		p = inIP(p)
		return over6(protoDestination, hex.EncodeToString([]byte{protocolOf(p), 0})+"010400000000"+p.String())
	}},
	{"Ethernet", inEthernet},
	{"802.1Q", func(p packet) packet {
		e := inEthernet(p).data
		return packet{'e', slices.Concat(e[:12], unhex("8100 0064"), e[12:])}
	}},
	{"QinQ", func(p packet) packet {
		e := inEthernet(p).data
		return packet{'e', slices.Concat(e[:12], unhex("88a8 0064 9100 0065 8100 0066"), e[12:])}
	}},
	{"MPLS", func(p packet) packet { p = inIP(p); return packet{'e', unhex(macs, "8847 0001213f", p.String())} }},
	{"MPLS, three labels", func(p packet) packet {
		p = inIP(p)
		return packet{'e', unhex(macs, "8848 0001003f 0001103f 0001213f", p.String())}
	}},
	{"MPLS pseudowire", func(p packet) packet {
		return packet{'e', unhex(macs, "8847 0001313f 00000000", inEthernet(p).String())}
	}},
	{"MPLS pseudowire, numbered", func(p packet) packet {
		return packet{'e', unhex(macs, "8847 0001313f 00001234", inEthernet(p).String())}
	}},
	{"MPLS pseudowire without control word", func(p packet) packet {
		return packet{'e', unhex(macs, "8847 0001413f", inEthernet(p).String())}
	}},
	{"MPLS pseudowire without control word, to a card 60:…", func(p packet) packet {
		e := slices.Clone(inEthernet(p).data)
		copy(e, unhex("60d819ffffff"))
		return packet{'e', slices.Concat(unhex(macs, "8847 0001413f"), e)}
	}},
	{"MPLS pseudowire without control word, to a card 44:…", func(p packet) packet {
		e := slices.Clone(inEthernet(p).data)
		copy(e, unhex("4485ffff0001"))
		return packet{'e', slices.Concat(unhex(macs, "8847 0001413f"), e)}
	}},
	{"MPLS in IP", func(p packet) packet { return over4(protoMPLS, "0001213f"+inIP(p).String()) }},
	{"PPPoE", func(p packet) packet {
		b := inPPP(p)
		return packet{'e', unhex(macs, "8864 1100 0001", hex16(len(unhex(b))), b, "00000000")}
	}},
	{"GRE", func(p packet) packet { return over4(protoGRE, "0000"+p.etherType()+p.String()) }},
	{"GRE in IPv6", func(p packet) packet { return over6(protoGRE, "0000"+p.etherType()+p.String()) }},
	{"GRE, checksum", func(p packet) packet { return over4(protoGRE, "8000"+p.etherType()+"ffff0000"+p.String()) }},
	{"GRE, key", func(p packet) packet { return over4(protoGRE, "2000"+p.etherType()+"00000001"+p.String()) }},
	{"GRE, checksum, key and sequence", func(p packet) packet {
		return over4(protoGRE, "b000"+p.etherType()+"ffff0000 00000001 00000002"+p.String())
	}},
	{"GRE, routing", func(p packet) packet {
		return over4(protoGRE, "4000"+p.etherType()+"00000000 08000004c0000209 00000000"+p.String())
	}},
	{"GRE with MPLS", func(p packet) packet { return over4(protoGRE, "0000 8847 0001213f"+inIP(p).String()) }},
	{"GRE with tag", func(p packet) packet { p = inIP(p); return over4(protoGRE, "0000 8100 0064"+p.etherType()+p.String()) }},
	{"PPTP", func(p packet) packet {
		b := inPPP(p)
		return over4(protoGRE, "3001 880b"+hex16(len(unhex(b)))+"0001 00000001"+b)
	}},
	{"PPTP with acknowledgment", func(p packet) packet {
		b := "ff03" + inPPP(p)
		return over4(protoGRE, "3081 880b"+hex16(len(unhex(b)))+"0001 00000001 00000001"+b)
	}},
	{"ERSPAN I", func(p packet) packet { return over4(protoGRE, "0000 88be"+inEthernet(p).String()) }},
	{"ERSPAN II", func(p packet) packet {
		return over4(protoGRE, "1000 88be 00000001 1001 0064 00000000"+inEthernet(p).String())
	}},
	{"ERSPAN III", func(p packet) packet {
		return over4(protoGRE, "1000 22eb 00000001 2001 0064 00000001 0000 0000"+inEthernet(p).String())
	}},
	{"ERSPAN III with subheader", func(p packet) packet {
		return over4(protoGRE, "1000 22eb 00000001 2001 0064 00000001 0000 0001 1000000000000000"+inEthernet(p).String())
	}},
	{"ERSPAN III of IP", func(p packet) packet {
		return over4(protoGRE, "1000 22eb 00000001 2001 0064 00000001 0000 0800"+inIP(p).String())
	}},
	{"VXLAN", func(p packet) packet {
		return over4(protoUDP, overUDP(4789, "08000000 00006400"+inEthernet(p).String()))
	}},
	{"VXLAN in IPv6", func(p packet) packet {
		return over6(protoUDP, overUDP(4789, "08000000 00006400"+inEthernet(p).String()))
	}},
	{"VXLAN with group policy", func(p packet) packet {
		return over4(protoUDP, overUDP(4789, "88080123 00006400"+inEthernet(p).String()))
	}},
	{"VXLAN with reserved bits", func(p packet) packet {
		return over4(protoUDP, overUDP(4789, "7f112233 00006455"+inEthernet(p).String()))
	}},
	{"VXLAN on Linux's port", func(p packet) packet {
		return over4(protoUDP, overUDP(8472, "08000000 00006400"+inEthernet(p).String()))
	}},
	{"VXLAN-GPE", func(p packet) packet {
		next := map[byte]string{'4': "01", '6': "02", 'e': "03"}[p.kind]
		return over4(protoUDP, overUDP(4790, "0c0000"+next+"00006400"+p.String()))
	}},
	{"Geneve", func(p packet) packet {
		return over4(protoUDP, overUDP(6081, "0000"+p.etherType()+"00006400"+p.String()))
	}},
	{"Geneve with options", func(p packet) packet {
		return over4(protoUDP, overUDP(6081, "0340"+p.etherType()+"00006400 0102 00 02 0000000100000002"+p.String()))
	}},
	{"GTP-U", func(p packet) packet {
		p = inIP(p)
		return over4(protoUDP, overUDP(2152, "30ff"+hex16(len(p.data))+"00000001"+p.String()))
	}},
	{"GTP-U with sequence number", func(p packet) packet {
		p = inIP(p)
		return over4(protoUDP, overUDP(2152, "32ff"+hex16(4+len(p.data))+"00000001 00010000"+p.String()))
	}},
	{"GTP-U with extension headers", func(p packet) packet {
		p = inIP(p)
		return over4(protoUDP, overUDP(2152, "34ff"+hex16(16+len(p.data))+"00000001 00000085 01000940 0200000000000000"+p.String()))
	}},
}

// links put a packet into a frame as a capture has it.
var links = []struct {
	name string
	link capture.LinkType
	in   func(packet) []byte
}{
	{"Ethernet", 1, func(p packet) []byte { return inEthernet(p).data }},
	{"Ethernet, padded", 1, func(p packet) []byte { return append(slices.Clone(inEthernet(p).data), 0, 0, 0, 0, 0, 0) }},
	{"raw", 101, func(p packet) []byte { return inIP(p).data }},
	{"SLL", 113, func(p packet) []byte {
		p = inIP(p)
		return unhex("0000 0001 0006 0200000000010000", p.etherType(), p.String())
	}},
	{"SLL2", 276, func(p packet) []byte {
		p = inIP(p)
		return unhex(p.etherType(), "0000 00000001 0001 00 06 0200000000010000", p.String())
	}},
	{"NULL", 0, func(p packet) []byte {
		p = inIP(p)
		return unhex(map[byte]string{'4': "02000000", '6': "1e000000"}[p.kind], p.String())
	}},
	{"PPP", 9, func(p packet) []byte { return unhex("ff03", inPPP(p)) }},
	{"PPP, compressed", 9, func(p packet) []byte { return unhex(inPPP(p)[2:]) }},
	{"PPP in HDLC", 50, func(p packet) []byte { return unhex("ff03", inPPP(p)) }},
	{"Cisco HDLC under PPP's type", 50, func(p packet) []byte { p = inIP(p); return unhex("0f00", p.etherType(), p.String()) }},
	{"PPPoE", 51, func(p packet) []byte { b := inPPP(p); return unhex("1100 0001", hex16(len(unhex(b))), b) }},
	{"Cisco HDLC", 104, func(p packet) []byte { p = inIP(p); return unhex("0f00", p.etherType(), p.String()) }},
	{"802.11 to the access point", 105, func(p packet) []byte { return wifi("0801 0000"+addresses+"0000", p) }},
	{"802.11 from the access point", 105, func(p packet) []byte { return wifi("0802 0000"+addresses+"1000", p) }},
	{"802.11 of four addresses", 105, func(p packet) []byte { return wifi("0803 0000"+addresses+"1000"+"020000000004", p) }},
	{"802.11 with QoS", 105, func(p packet) []byte { return wifi("8801 0000"+addresses+"1000"+"0500", p) }},
	{"802.11 with QoS and HT control", 105, func(p packet) []byte { return wifi("8881 0000"+addresses+"1000"+"0500 00000000", p) }},
	{"802.11 of four addresses with QoS", 105, func(p packet) []byte { return wifi("8803 0000"+addresses+"1000"+"020000000004 0500", p) }},
	{"802.11 A-MSDU", 105, func(p packet) []byte {
		p = inIP(p)
		return unhex("8802 0000", addresses, "1000", "8500", macs, hex16(8+len(p.data)), "aaaa03000000", p.etherType(), p.String())
	}},
	{"radiotap", 127, func(p packet) []byte {
		return slices.Concat(unhex("0000 0800 00000000"), wifi("0802 0000"+addresses+"1000", p))
	}},
	{"radiotap with checksum", 127, func(p packet) []byte {
		return slices.Concat(unhex("0000 0900 02000000 10"), wifi("8802 0000"+addresses+"1000"+"0500", p), unhex("12345678"))
	}},
	{"radiotap with two words, time and padding", 127, func(p packet) []byte {
		return slices.Concat(unhex("0000 1a00 03000080 00000000 00000000 0000000000000000 20 00"), wifi("8802 0000"+addresses+"1000"+"0500 0000", p))
	}},
	{"NFLOG", 239, func(p packet) []byte {
		p = inIP(p)
		family := map[byte]string{'4': "02", '6': "0a"}[p.kind]
		n := 4 + len(p.data)
		return unhex(family, "00 0001 0800 0100", p.etherType(), "0000 0500 0a00 00 000000", hex.EncodeToString([]byte{byte(n), byte(n >> 8)}), "0900", p.String())
	}},
	{"NFLOG, big-endian, of a bridge", 239, func(p packet) []byte {
		p = inIP(p)
		return unhex("07 00 0001 0008 0001", p.etherType(), "0000", hex16(4+len(p.data)), "0009", p.String())
	}},
}

const addresses = "020000000001 020000000002 020000000003"

// wifi is a packet with LLC behind an 802.11 header.
func wifi(header string, p packet) []byte {
	p = inIP(p)
	return unhex(header, "aaaa03000000", p.etherType(), p.String())
}

// The innermost packets.
var (
	inner4 = packet{'4', unhex("4500 002a 1234 4000 4006 0000 c0000201 c0000202", tcp20, body)}
	inner6 = packet{'6', unhex(ip6(6, 22), tcp20, body)}
)

type tunnelFrame struct {
	name string
	link capture.LinkType
	data []byte
	v6   bool
}

// tunnelFrames are all link types with all tunnels, and all tunnels in all.
func tunnelFrames() []tunnelFrame {
	var all []tunnelFrame
	for _, inner := range []packet{inner4, inner6} {
		for _, l := range links {
			all = append(all, tunnelFrame{l.name, l.link, l.in(inner), inner.kind == '6'})
			for _, a := range tunnels {
				all = append(all, tunnelFrame{l.name + " / " + a.name, l.link, l.in(a.in(inner)), inner.kind == '6'})
			}
		}
		for _, a := range tunnels {
			for _, b := range tunnels {
				all = append(all, tunnelFrame{"Ethernet / " + a.name + " / " + b.name, 1, inEthernet(a.in(b.in(inner))).data, inner.kind == '6'})
			}
		}
	}
	return all
}

func TestTunnels(t *testing.T) {
	d := NewDecoder()
	for _, tt := range tunnelFrames() {
		s := Segment{Fragments: 9, ID: 9}
		p := capture.Packet{Link: tt.link, Length: len(tt.data), Data: tt.data}
		if r := d.Decode(&p, &s); r != OK {
			t.Errorf("%s: %v\n%x", tt.name, r, tt.data)
			continue
		}
		src, id := v4Source, uint16(0x1234)
		if tt.v6 {
			src, id = v6Source, 0
		}
		if s.Src.AddrPort() != src || s.Dst.Port != 1883 || s.Seq != 101 || s.ID != id || s.Fragments != 0 || s.Length != 2 || !bytes.Equal(s.Payload, unhex(body)) {
			t.Errorf("%s: %+v", tt.name, s)
		}
	}
}

// TestTunnelsCut cuts frames at every length. With the length on the wire known
// no cut makes another segment, nor anything but a segment or Cut; without, the
// frame may be anything but a longer or another payload.
func TestTunnelsCut(t *testing.T) {
	d := NewDecoder()
	for _, tt := range tunnelFrames() {
		p := capture.Packet{Link: tt.link, Length: len(tt.data), Data: tt.data}
		var whole, s Segment
		if d.Decode(&p, &whole) != OK {
			t.Fatal(tt.name)
		}
		for n := range tt.data {
			p.Data, p.Length = tt.data[:n:n], len(tt.data)
			switch r := d.Decode(&p, &s); {
			case r == Cut:
			case r == UDP && strings.Contains(tt.name, "/"):
				t.Errorf("%s, cut at %d: %v", tt.name, n, r)
			case r != OK:
				t.Errorf("%s, cut at %d: %v\n%x", tt.name, n, r, p.Data)
			case s.Src != whole.Src || s.Dst != whole.Dst || s.Seq != whole.Seq || s.Flags != whole.Flags || s.Length != whole.Length || !bytes.HasPrefix(whole.Payload, s.Payload):
				t.Errorf("%s, cut at %d: %+v, whole %+v", tt.name, n, s, whole)
			}
			p.Length = n
			if r := d.Decode(&p, &s); r == Cut || r >= Reasons || r == OK && !bytes.HasPrefix(whole.Payload, s.Payload) {
				t.Errorf("%s, ends at %d: %v %+v", tt.name, n, r, s)
			}
		}
	}
}

func TestTunnelReasons(t *testing.T) {
	inner := inEthernet(inner4).String()
	for _, tt := range []struct {
		name string
		link capture.LinkType
		data []byte
		want Reason
	}{
		{"PPPoE discovery", 1, unhex(macs, "8863 1109 0000 0000"), NotIP},
		{"PPPoE of another version", 1, unhex(macs, "8864 2200 0001 0004 0021 4500"), NotIP},
		{"PPPoE, LCP", 51, unhex("1100 0001 0006 c021 09000008"), NotIP},
		{"PPPoE that ends before its protocol", 51, unhex("1100 0001 0003 0021", inner4.String()), Malformed},
		{"PPP, one byte", 9, unhex("ff"), Malformed},
		{"Cisco HDLC, keep-alive", 104, unhex("8f00 8035 00000002 00000000"), NotIP},
		{"MPLS without bottom", 1, unhex(macs, "8847", strings.Repeat("0001203f", 50)), Malformed},
		{"MPLS, associated channel", 1, unhex(macs, "8847 0001213f 10000021", strings.Repeat("00", 20)), NotIP},
		{"MPLS, a few bytes", 1, unhex(macs, "8847 0001213f 00"), Malformed},
		{"MPLS, IPv4 longer than its frame", 1, unhex(macs, "8847 0001213f 4500 0064 0000 4000 4006 0000 c0000201 c0000202", tcp20), OK},
		{"MPLS, pseudowire of ARP", 1, unhex(macs, "8847 0001213f 00000000", macs, "0806 0001080006040001"), NotIP},
		{"GRE keep-alive", 101, over4(protoGRE, "0000 0000").data, NotIP},
		{"GRE of version 2", 101, over4(protoGRE, "0002 0800"+inner4.String()).data, Malformed},
		{"GRE, routing without end", 101, over4(protoGRE, "4000 0800 00000000"+strings.Repeat("08000004c0000209", 20)).data, Malformed},
		{"GRE, routing entry beyond its packet", 101, over4(protoGRE, "4000 0800 00000000 080000ff").data, Malformed},
		{"GRE, a length for a type", 101, over4(protoGRE, "0000 0032 aaaa03000000 0800"+inner4.String()).data, NotIP},
		{"PPTP, acknowledgment alone", 101, over4(protoGRE, "2081 880b 0000 0001 00000001").data, NotIP},
		{"PPTP, encrypted", 101, over4(protoGRE, "3001 880b 0008 0001 00000001 00fd 9000 11223344").data, NotIP},
		{"ERSPAN III of 802.11", 101, over4(protoGRE, "1000 22eb 00000001 2001 0064 00000001 0000 0400"+inner).data, NotIP},
		{"VXLAN with ARP", 101, over4(protoUDP, overUDP(4789, "08000000 00006400"+macs+"0806 0001")).data, NotIP},
		{"VXLAN without VNI", 101, over4(protoUDP, overUDP(4789, "00000000 00006400"+inner)).data, UDP},
		{"VXLAN, reserved byte, unknown type", 101, over4(protoUDP, overUDP(4789, "08000000 00006401"+macs+"88cc 0207 0000")).data, UDP},
		{"VXLAN, reserved byte, of no known version", 101, over4(protoUDP, overUDP(4789, "08000000 00006401"+macs+"0800 0000")).data, UDP},
		{"VXLAN's port, short", 101, over4(protoUDP, overUDP(4789, "0800")).data, UDP},
		{"VXLAN's port, empty", 101, over4(protoUDP, overUDP(4789, "")).data, UDP},
		{"VXLAN from the port", 101, over4(protoUDP, "12b5 0035 0000 0000 08000000 00006400"+inner).data, UDP},
		{"VXLAN-GPE of NSH", 101, over4(protoUDP, overUDP(4790, "0c000004 00006400 00000000")).data, UDP},
		{"VXLAN-GPE, maintenance", 101, over4(protoUDP, overUDP(4790, "0d000003 00006400"+inner)).data, UDP},
		{"Geneve of version 1", 101, over4(protoUDP, overUDP(6081, "4000 6558 00006400"+inner)).data, UDP},
		{"Geneve of another protocol", 101, over4(protoUDP, overUDP(6081, "0000 894f 00006400"+inner)).data, UDP},
		{"Geneve, options beyond", 101, over4(protoUDP, overUDP(6081, "3f00 6558 00006400")).data, UDP},
		{"GTP-U, echo", 101, over4(protoUDP, overUDP(2152, "3201 0004 00000000 00010000")).data, UDP},
		{"GTP'", 101, over4(protoUDP, overUDP(2152, "20ff 0004 00000000 00010000")).data, UDP},
		{"GTP-U longer than its datagram", 101, over4(protoUDP, overUDP(2152, "30ff 0100 00000000"+inner4.String())).data, UDP},
		{"GTP-U, extension header of no length", 101, over4(protoUDP, overUDP(2152, "34ff 0008 00000001 00000085 00000000")).data, UDP},
		{"GTP-U, extension header beyond", 101, over4(protoUDP, overUDP(2152, "34ff 0008 00000001 00000085 ff000000")).data, UDP},
		{"GTP-U, no last extension header", 101, over4(protoUDP, overUDP(2152, "34ff 0008 00000001 00000085 01000085")).data, UDP},
		{"GTP-U of neither version", 101, over4(protoUDP, overUDP(2152, "30ff 0004 00000001 00000000")).data, NotIP},
		// A name's answer to a client whose port is a tunnel's by chance.
		{"DNS to VXLAN's port", 101, over4(protoUDP, "0035 12b5 0000 0000 0808 8180 0001 0001 0000 0000").data, UDP},
		{"DNS to Geneve's port", 101, over4(protoUDP, "0035 17c1 0000 0000 0000 8180 0001 0001 0000 0000").data, UDP},
		{"DNS to GTP's port", 101, over4(protoUDP, "0035 0868 0000 0000 30ff 8180 0001 0001 0000 0000").data, UDP},

		{"802.11 beacon", 105, unhex("8000 0000", addresses, "0000", "0000000000000000 6400 0104"), NotIP},
		{"802.11 acknowledgment", 105, unhex("d400 0000 020000000001"), NotIP},
		{"802.11 null data", 105, unhex("4801 0000", addresses, "0000"), NotIP},
		{"802.11 QoS null data", 105, unhex("c801 0000", addresses, "0000 0000"), NotIP},
		{"802.11 protected", 105, unhex("8841 0000", addresses, "0000 0000 0000002000000000 112233445566"), Encrypted},
		{"802.11, later fragment", 105, wifi("0801 0000"+addresses+"0100", inner4), Fragment},
		{"802.11, A-MSDU cut", 105, unhex("8802 0000", addresses, "1000 8500", macs), Malformed},
		{"802.11, not SNAP", 105, unhex("0801 0000", addresses, "0000 4242030000000000"), NotIP},
		{"802.11, header too short", 105, unhex("0801 0000", addresses), Malformed},
		{"radiotap longer than its frame", 127, unhex("0000 ff00 00000000"), Malformed},
		{"radiotap shorter than any", 127, unhex("0000 0700 00000000", addresses), Malformed},
		{"radiotap of version 1", 127, unhex("0100 0800 00000000", addresses), Malformed},
		{"radiotap of words without end", 127, append(unhex("0000 1800 ffffffff ffffffff ffffffff ffffffff ffffffff"), wifi("0801 0000"+addresses+"0000", inner4)...), OK},
		{"NFLOG without payload", 239, unhex("02 00 0001 0800 0100 08000000 0500 0a00 00"), NotIP},
		{"NFLOG, length of 0", 239, unhex("02 00 0001 0000 0100 08000000"), Malformed},
		{"NFLOG, length beyond", 239, unhex("02 00 0001 ff00 0900 45000000"), Malformed},
		{"NFLOG of ARP", 239, unhex("03 00 0001 0800 0900 00010800"), NotIP},
		{"NFLOG, nothing", 239, unhex("02 00 0001"), Malformed},
	} {
		var s Segment
		if r := NewDecoder().Decode(&capture.Packet{Link: tt.link, Length: len(tt.data), Data: tt.data}, &s); r != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, r, tt.want)
		}
	}
}

// A datagram on a tunnel's port that is not the tunnel's is given as any other.
func TestNotTheTunnel(t *testing.T) {
	for _, port := range []int{2152, 4789, 4790, 6081, 8472, 9999} {
		p := over4(protoUDP, overUDP(port, "ffffffff"))
		s := Segment{Fragments: 3}
		r := NewDecoder().Decode(&capture.Packet{Link: capture.LinkRaw, Length: len(p.data), Data: p.data}, &s)
		if r != UDP || s.Src.Port != 50001 || s.Dst.Port != uint16(port) || s.Length != 4 || !bytes.Equal(s.Payload, unhex("ffffffff")) || s.ID != 7 || s.Fragments != 0 {
			t.Errorf("port %d: %v %+v", port, r, s)
		}
	}
}

// TestDepth nests each tunnel in itself until it is too much, or the packet too
// long: cost is bounded, and the reason says so.
func TestDepth(t *testing.T) {
	for _, tunnel := range tunnels {
		if tunnel.name == "Ethernet" {
			continue // does nothing to a frame
		}
		p, deepest, deep := inner4, 0, false
		for n := 1; n < 40 && !deep; n++ {
			p = tunnel.in(p)
			frame := inEthernet(p).data
			var s Segment
			switch r := NewDecoder().Decode(&capture.Packet{Link: 1, Length: len(frame), Data: frame}, &s); r {
			case OK:
				deepest = n
			case TooDeep:
				deep = true
			default:
				t.Fatalf("%s, %d deep: %v", tunnel.name, n, r)
			}
		}
		if !deep || deepest < 3 {
			t.Errorf("%s: deepest %d, and then refused: %v", tunnel.name, deepest, deep)
		}
	}
}

// TestNoTunnelAllocation holds that tunnels cost no memory.
func TestNoTunnelAllocation(t *testing.T) {
	d := NewDecoder()
	var s Segment
	for _, tt := range tunnelFrames() {
		p := capture.Packet{Link: tt.link, Length: len(tt.data), Data: tt.data}
		if n := testing.AllocsPerRun(2, func() { d.Decode(&p, &s) }); n != 0 {
			t.Errorf("%s: %v allocations", tt.name, n)
		}
	}
}

func BenchmarkTunnel(b *testing.B) {
	for _, name := range []string{"VXLAN", "GTP-U", "MPLS", "PPPoE", "GRE"} {
		i := slices.IndexFunc(tunnelFrames(), func(tt tunnelFrame) bool { return tt.name == "Ethernet / "+name })
		tt := tunnelFrames()[i]
		b.Run(name, func(b *testing.B) {
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
