package live

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/net/bpf"
)

// A walk is the way of a filter's program from the front of a frame to its TCP header.
//
// Nearly all of what is asked for is IPv4 without options, and all of its offsets are
// known: that is the plain way, of a few instructions. The long way has its offset in X and takes
// everything else. A load beyond the frame's end ends a program, and the frame does not pass
// (man 4 bpf): so nothing is loaded before it is needed.
type walk struct {
	program
	nets4, nets6 []netip.Prefix
	anywhere     bool // no networks were asked for
	ports        []uint16
	lean         bool

	pass, drop label
}

// Numbers in frames: EtherTypes, PPP protocols, IP protocols, and sizes in bytes.
const (
	etherIPv4  = 0x0800
	etherVLAN  = 0x8100 // IEEE 802.1Q
	etherIPv6  = 0x86dd
	etherPPPoE = 0x8864 // RFC 2516, session stage
	etherQinQ  = 0x88a8 // IEEE 802.1ad
	etherOld   = 0x9100 // before 802.1ad

	pppIPv4 = 0x0021
	pppIPv6 = 0x0057

	protoHopByHop    = 0
	protoTCP         = 6
	protoUDP         = 17
	protoRouting     = 43
	protoFragment    = 44
	protoAH          = 51
	protoDestination = 60

	ethernetHeader = 14
	tagHeader      = 4
	pppoeHeader    = 8 // with the PPP protocol
	ipv4Header     = 20
	ipv6Header     = 40
	fragmentHeader = 8

	// plainIPv4 is the first byte of an IPv4 header without options.
	plainIPv4 = 4<<4 | ipv4Header/4
	// Of the flags and offset of an IPv4 header (RFC 791 §3.1) and of an IPv6
	// fragment header (RFC 8200 §4.5).
	fragmented4, later4 = 0x3fff, 0x1fff
	more6, later6       = 0x0001, 0xfff8
)

const (
	// maxTags is how many VLAN tags are looked behind.
	maxTags = 2
	// maxExtensions is how many IPv6 extension headers are. More than three hardly
	// occur, and each takes 24 instructions.
	maxExtensions = 4
)

// What is kept in the scratch memory on the long way.
const (
	keepNext     = iota // number of the next header
	keepSize            // size of an extension header
	keepFragment        // not 0 in a fragment
	keepEnd             // offset of the end of the IP packet
	keepAddress         // four words: an IPv6 address
)

// A field is where a load is from: at a fixed offset, or behind X.
type field func(at uint32, size int) bpf.Instruction

func fixed(base uint32) field {
	return func(at uint32, size int) bpf.Instruction { return bpf.LoadAbsolute{Off: base + at, Size: size} }
}

func behindX(at uint32, size int) bpf.Instruction { return bpf.LoadIndirect{Off: at, Size: size} }

// ofAddress is a word of the address that is kept.
func ofAddress(at uint32, _ int) bpf.Instruction {
	return bpf.LoadScratch{Dst: bpf.RegA, N: keepAddress + int(at/4)}
}

// from makes the program for frames that begin with start.
func (w *walk) from(start Start) {
	w.pass, w.drop = w.label(), w.label()
	long, v4, v6 := w.label(), w.label(), w.label()
	if start == StartEthernet {
		w.do(fixed(ethernetHeader-2)(0, 2))
		w.jumpIf(bpf.JumpEqual, etherIPv4, next, long)
		w.plain(ethernetHeader, long)
		w.here(long)
		w.ethernet(v4, v6)
	} else {
		w.plain(0, long)
		w.here(long)
		w.do(bpf.LoadConstant{Dst: bpf.RegX, Val: 0})
	}
	// X is where IP begins.
	w.do(behindX(0, 1), bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4})
	w.jumpIf(bpf.JumpEqual, 4, v4, next)
	w.jumpIf(bpf.JumpEqual, 6, v6, w.drop)

	upper, later := w.label(), w.label()
	w.here(v4)
	w.ipv4(upper, later)
	w.here(v6)
	w.ipv6()
	w.here(upper)
	w.extensions(later)

	w.here(later)
	w.laterFragment()
	w.here(w.pass)
	w.do(bpf.RetConstant{Val: snapLength})
	w.here(w.drop)
	w.do(bpf.RetConstant{Val: 0})
}

// plain is the whole way of whole IPv4 packets without options, whose header is at base.
// Others go to long.
func (w *walk) plain(base uint32, long label) {
	ip := fixed(base)
	tcp, other := w.label(), w.label()
	w.do(ip(0, 1))
	w.jumpIf(bpf.JumpEqual, plainIPv4, next, long)
	w.do(ip(9, 1))
	w.jumpIf(bpf.JumpEqual, protoTCP, tcp, other)
	w.here(other)
	w.jumpIf(bpf.JumpEqual, protoUDP, w.drop, long)
	w.here(tcp)
	if len(w.ports) > 0 || w.lean {
		w.do(ip(6, 2))
		w.jumpIf(bpf.JumpBitsSet, fragmented4, long, next)
	}
	w.between4(ip)
	w.portsOf(fixed(base + ipv4Header))
	if w.lean {
		w.leanPlain(base)
	} else {
		w.jump(w.pass)
	}
}

// ethernet goes behind tags, and leaves in X where IP begins: at v4, at v6, or behind PPPoE
// at what follows.
func (w *walk) ethernet(v4, v6 label) {
	pppoe := w.label()
	for tags := range uint32(maxTags + 1) {
		at := ethernetHeader + tags*tagHeader
		w.do(bpf.LoadConstant{Dst: bpf.RegX, Val: at}, fixed(at-2)(0, 2))
		w.jumpIf(bpf.JumpEqual, etherIPv4, v4, next)
		w.jumpIf(bpf.JumpEqual, etherIPv6, v6, next)
		w.jumpIf(bpf.JumpEqual, etherPPPoE, pppoe, next)
		if tags == maxTags {
			w.jump(w.drop)
			break
		}
		tag := w.label()
		w.jumpIf(bpf.JumpEqual, etherVLAN, tag, next)
		w.jumpIf(bpf.JumpEqual, etherQinQ, tag, next)
		w.jumpIf(bpf.JumpEqual, etherOld, tag, w.drop)
		w.here(tag)
	}
	w.here(pppoe)
	ip := w.label()
	w.do(behindX(0, 2))
	w.jumpIf(bpf.JumpEqual, 0x1100, next, w.drop) // version and type 1, session data
	w.do(behindX(6, 2))
	w.jumpIf(bpf.JumpEqual, pppIPv4, ip, next)
	w.jumpIf(bpf.JumpEqual, pppIPv6, ip, w.drop)
	w.here(ip)
	w.forward(pppoeHeader)
}

// forward adds to X.
func (w *walk) forward(n uint32) {
	w.do(bpf.TXA{}, bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: n}, bpf.TAX{})
}

// ipv4 goes behind the IPv4 header at X. It leaves A and X as extensions wants them, at
// upper, or at later.
func (w *walk) ipv4(upper, later label) {
	w.between4(behindX)
	w.keepEnd(2, 0)
	w.do(
		behindX(9, 1), bpf.StoreScratch{Src: bpf.RegA, N: keepNext},
		behindX(6, 2), bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: fragmented4}, bpf.StoreScratch{Src: bpf.RegA, N: keepFragment},
		behindX(0, 1), bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0x0f}, bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2},
		bpf.ALUOpX{Op: bpf.ALUOpAdd}, bpf.TAX{},
		bpf.LoadScratch{Dst: bpf.RegA, N: keepFragment},
	)
	whole := w.label()
	w.jumpIf(bpf.JumpBitsSet, later4, next, whole)
	w.do(bpf.LoadScratch{Dst: bpf.RegA, N: keepNext})
	w.jump(later)
	w.here(whole)
	w.do(bpf.LoadScratch{Dst: bpf.RegA, N: keepNext})
	w.jump(upper)
}

// ipv6 goes behind the IPv6 header at X.
func (w *walk) ipv6() {
	w.between6()
	w.keepEnd(4, ipv6Header)
	w.do(
		bpf.LoadConstant{Dst: bpf.RegA, Val: 0}, bpf.StoreScratch{Src: bpf.RegA, N: keepFragment},
		behindX(6, 1), bpf.StoreScratch{Src: bpf.RegA, N: keepNext},
	)
	w.forward(ipv6Header)
	w.do(bpf.LoadScratch{Dst: bpf.RegA, N: keepNext})
}

// keepEnd keeps where an IP packet ends that begins at X: more bytes behind the length that its header
// has at at. The length 0 says that it is longer than 65,535 (RFC 2675 §3, and Linux's "BIG
// TCP" in both versions): then it has no end but the frame's.
func (w *walk) keepEnd(at, more uint32) {
	if !w.lean {
		return
	}
	long, known := w.label(), w.label()
	w.do(behindX(at, 2))
	w.jumpIf(bpf.JumpEqual, 0, long, next)
	w.do(bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: more}, bpf.ALUOpX{Op: bpf.ALUOpAdd})
	w.jump(known)
	w.here(long)
	w.do(bpf.LoadConstant{Dst: bpf.RegA, Val: 0xffffffff})
	w.here(known)
	w.do(bpf.StoreScratch{Src: bpf.RegA, N: keepEnd})
}

// extensions goes behind extension headers (RFC 8200 §4), to TCP: A is the next header's
// number, X where it is. The authentication header (RFC 4302) occurs in IPv4 as well.
func (w *walk) extensions(later label) {
	tcp, laterFragment := w.label(), w.label()
	for range maxExtensions {
		fragment, ah, extension, size := w.label(), w.label(), w.label(), w.label()
		w.jumpIf(bpf.JumpEqual, protoTCP, tcp, next)
		w.jumpIf(bpf.JumpEqual, protoFragment, fragment, next)
		w.jumpIf(bpf.JumpEqual, protoAH, ah, next)
		w.jumpIf(bpf.JumpEqual, protoHopByHop, extension, next)
		w.jumpIf(bpf.JumpEqual, protoRouting, extension, next)
		w.jumpIf(bpf.JumpEqual, protoDestination, extension, w.drop)
		w.here(fragment)
		whole := w.label()
		w.do(behindX(2, 2))
		w.jumpIf(bpf.JumpBitsSet, later6, laterFragment, next)
		w.jumpIf(bpf.JumpBitsSet, more6, next, whole)
		w.do(bpf.StoreScratch{Src: bpf.RegA, N: keepFragment})
		w.here(whole)
		w.do(bpf.LoadConstant{Dst: bpf.RegA, Val: fragmentHeader})
		w.jump(size)
		w.here(ah)
		w.do(behindX(1, 1), bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 2}, bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2})
		w.jump(size)
		w.here(extension)
		w.do(behindX(1, 1), bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 1}, bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 3})
		w.here(size)
		w.do(
			bpf.StoreScratch{Src: bpf.RegA, N: keepSize},
			behindX(0, 1), bpf.StoreScratch{Src: bpf.RegA, N: keepNext},
			bpf.LoadScratch{Dst: bpf.RegA, N: keepSize}, bpf.ALUOpX{Op: bpf.ALUOpAdd}, bpf.TAX{},
			bpf.LoadScratch{Dst: bpf.RegA, N: keepNext},
		)
	}
	w.jumpIf(bpf.JumpEqual, protoTCP, tcp, w.drop)

	w.here(tcp)
	w.portsOf(behindX)
	if w.lean {
		w.leanLong()
	} else {
		w.jump(w.pass)
	}
	w.here(laterFragment)
	w.do(behindX(0, 1))
	w.jump(later)
}

// laterFragment lets a later fragment pass whose first header, with the number A, is TCP's
// or may precede it.
func (w *walk) laterFragment() {
	for _, n := range []uint32{protoTCP, protoAH, protoHopByHop, protoRouting, protoFragment} {
		w.jumpIf(bpf.JumpEqual, n, w.pass, next)
	}
	w.jumpIf(bpf.JumpEqual, protoDestination, w.pass, w.drop)
}

// between4 drops an IPv4 packet that neither comes from an address in nets4 nor goes to one.
func (w *walk) between4(header field) {
	if w.anywhere {
		return
	}
	found := w.label()
	for _, at := range []uint32{12, 16} {
		w.among(w.nets4, func(_ uint32, size int) bpf.Instruction { return header(at, size) }, found)
	}
	w.jump(w.drop)
	w.here(found)
}

// between6 is between4 of IPv6. An address is taken out of the frame once, because a load behind X is a
// function call to Linux, and counts much against its limit on filters (net.core.optmem_max).
func (w *walk) between6() {
	if w.anywhere {
		return
	}
	found := w.label()
	for _, at := range []uint32{8, 24} {
		for word := range 4 {
			w.do(behindX(at+4*uint32(word), 4), bpf.StoreScratch{Src: bpf.RegA, N: keepAddress + word})
		}
		w.among(w.nets6, ofAddress, found)
	}
	w.jump(w.drop)
	w.here(found)
}

// among goes to found if an address is in one of nets.
func (w *walk) among(nets []netip.Prefix, address field, found label) {
	first := false // A is the address's first word
	for _, n := range nets {
		other, b, bits := w.label(), n.Addr().AsSlice(), n.Bits()
		if bits == 0 {
			w.jump(found)
		}
		for at := uint32(0); bits > 0; at, bits = at+4, bits-32 {
			if at > 0 || !first {
				w.do(address(at, 4))
			}
			if first = at == 0 && bits >= 32; bits < 32 {
				w.do(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: ^uint32(0) << (32 - bits)})
			}
			yes := next
			if bits <= 32 {
				yes = found
			}
			w.jumpIf(bpf.JumpEqual, binary.BigEndian.Uint32(b[at:]), yes, other)
		}
		w.here(other)
	}
}

// portsOf drops what comes from none of the ports and goes to none.
func (w *walk) portsOf(tcp field) {
	if len(w.ports) == 0 {
		return
	}
	found := w.label()
	for _, at := range []uint32{0, 2} {
		w.do(tcp(at, 2))
		for _, port := range w.ports {
			w.jumpIf(bpf.JumpEqual, uint32(port), found, next)
		}
	}
	w.jump(w.drop)
	w.here(found)
}
