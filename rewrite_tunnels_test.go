package mqttriage_test

import "net/netip"

// The rewritings that put datagrams into tunnels, on Ethernet.

var (
	tunnelFrom = netip.MustParseAddr("192.0.2.11")
	tunnelTo   = netip.MustParseAddr("192.0.2.12")
	tunnel6    = netip.MustParseAddr("2001:db8::11")
)

// tunnelled is a body in IPv4 between the tunnel's ends.
func tunnelled(protocol byte, body []byte) []byte {
	return inIP(tunnelFrom, tunnelTo, protocol, 0x77, body)
}

// inUDP is a body in UDP and IPv4 between the tunnel's ends.
func inUDP(port uint16, body []byte) []byte {
	return tunnelled(protoUDP, be(uint16(0xc111), port, uint16(8+len(body)), uint16(0), body))
}

// mpls has two labels, the lower one with the bottom-of-stack bit (RFC 3032).
func mpls(b []byte) []byte {
	return be(macs, uint16(0x8847), uint32(17<<12|64), uint32(18<<12|1<<8|64), b)
}

// mplsEthernet is Ethernet in MPLS with a control word (RFC 4448).
func mplsEthernet(b []byte) []byte {
	return be(macs, uint16(0x8847), uint32(18<<12|1<<8|64), uint32(0), ethernet(b))
}

// gre is RFC 2784's header, with the optional fields of RFC 2890.
func gre(flags, protocol uint16, fields, b []byte) []byte {
	const hasChecksum = 0x8000
	head := be(flags, protocol, fields)
	if flags&hasChecksum != 0 {
		check := sum(append(head, b...))
		head[4], head[5] = byte(check>>8), byte(check)
	}
	return be(head, b)
}

func greIP(b []byte) []byte { return tunnelled(47, gre(0, etherType(b), nil, b)) }

func greFull(b []byte) []byte {
	return tunnelled(47, gre(0xb000, etherType(b), be(uint32(0), uint32(0xcafe), uint32(9)), b))
}

func gretap(b []byte) []byte { return tunnelled(47, gre(0, 0x6558, nil, ethernet(b))) }

// erspan1 has no header of its own.
func erspan1(b []byte) []byte { return tunnelled(47, gre(0, 0x88be, nil, ethernet(b))) }

// erspan2 is draft-foschiano-erspan-03 §4.2.
func erspan2(b []byte) []byte {
	return tunnelled(47, gre(0x1000, 0x88be, be(uint32(1)), be(uint16(0x1064), uint16(0x0805), uint32(0x123), ethernet(b))))
}

// erspan3 is draft-foschiano-erspan-03 §4.3, with the optional subheader or
// without.
func erspan3(sub bool) func([]byte) []byte {
	return func(b []byte) []byte {
		head := be(uint16(0x2064), uint16(0x0805), uint32(0x01020304), uint16(0), uint16(0))
		if sub {
			head[11] |= 1
			head = be(head, uint64(0x0c00000000000001))
		}
		return tunnelled(47, gre(0x1000, 0x22eb, be(uint32(1)), be(head, ethernet(b))))
	}
}

// vxlan is RFC 7348 §5.
func vxlan(port uint16) func([]byte) []byte {
	return func(b []byte) []byte {
		return inUDP(port, be(uint32(0x08000000), uint32(42<<8), ethernet(b)))
	}
}

// geneve is RFC 8926 §3.4, with two options.
func geneve(b []byte) []byte {
	options := be(uint16(0x0102), byte(1), byte(1), uint32(7), uint16(0x0103), byte(2), byte(0))
	return inUDP(6081, be(byte(len(options)/4), byte(0), uint16(0x6558), uint32(42<<8), options, ethernet(b)))
}

// geneveIP carries a datagram without Ethernet.
func geneveIP(b []byte) []byte {
	return inUDP(6081, be(byte(0), byte(0), etherType(b), uint32(42<<8), b))
}

// gtp is a G-PDU of 3GPP TS 29.281 §5.1, with a PDU session container as 5G
// puts it behind the header, or without anything optional.
func gtp(extension bool) func([]byte) []byte {
	return func(b []byte) []byte {
		if !extension {
			return inUDP(2152, be(byte(0x30), byte(0xff), uint16(len(b)), uint32(5), b))
		}
		return inUDP(2152, be(byte(0x34), byte(0xff), uint16(8+len(b)), uint32(5),
			uint16(0), byte(0), byte(0x85), byte(1), uint16(0x1009), byte(0), b))
	}
}

// ipInIP is RFC 2003's, or RFC 4213's for IPv6.
func ipInIP(b []byte) []byte {
	if b[0]>>4 == 6 {
		return tunnelled(41, b)
	}
	return tunnelled(4, b)
}

// ipInIP6 is RFC 2473's.
func ipInIP6(b []byte) []byte {
	protocol := byte(4)
	if b[0]>>4 == 6 {
		protocol = 41
	}
	return inIP(tunnel6, tunnel6.Next(), protocol, 0, b)
}

// through puts a tunnel's datagram on a link.
func through(tunnel, frame func([]byte) []byte) *framing {
	return onEthernet(func(b []byte) []byte { return frame(tunnel(b)) })
}

// nested is VXLAN in GRE in a VLAN.
func nested(b []byte) []byte { return greIP(vxlan(4789)(b)) }
