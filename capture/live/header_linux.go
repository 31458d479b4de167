package live

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

const (
	macAddress = 6
	vlanTag    = 4

	// sll2Header is the length of a LINKTYPE_LINUX_SLL2 header
	// (https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html).
	sll2Header = 20
	// sllAddress is how many bytes of an address fit into it.
	sllAddress = 8

	// What the kernel leaves before a frame's bytes by itself is 14 bytes, and 16 on
	// cooked sockets (tpacket_rcv in net/packet/af_packet.c). It is asked for
	// more: the same as libpcap asks for, so that an IP header is still at a
	// multiple of four.
	cookedRoom = sll2Header + vlanTag
)

// headroom is what must be free between a frame's header and its bytes.
func (k kind) headroom() int {
	if k.cooked {
		return cookedRoom
	}
	return vlanTag
}

// reserve is how much of that the kernel is asked for (PACKET_RESERVE).
func (k kind) reserve() int {
	if k.cooked {
		return cookedRoom - 16
	}
	return vlanTag
}

// vlan is the tag that the network card or the kernel took off a frame.
func vlan(f []byte) (tpid, tci uint16, ok bool) {
	status := binary.NativeEndian.Uint32(f[frameStatus:])
	if status&statusVLAN == 0 {
		return 0, 0, false
	}
	tpid = unix.ETH_P_8021Q
	if status&statusVLANProto != 0 {
		tpid = binary.NativeEndian.Uint16(f[frameTPID:])
	}
	return tpid, uint16(binary.NativeEndian.Uint32(f[frameTCI:])), true
}

// tag puts the VLAN tag of an Ethernet frame back, where one was taken off. f ends behind
// both addresses, before which there is headroom. It returns by how many bytes the frame
// became longer, at its beginning.
func tag(f []byte) int {
	tpid, tci, ok := vlan(f)
	if !ok {
		return 0
	}
	n := len(f)
	copy(f[n-2*macAddress-vlanTag:], f[n-2*macAddress:])
	binary.BigEndian.PutUint16(f[n-4:], tpid)
	binary.BigEndian.PutUint16(f[n-2:], tci)
	return vlanTag
}

// cook writes a cooked header to the end of f, which is all that comes before the network
// layer, and returns its length. A VLAN tag goes behind it, as libpcap
// puts it with the first version of that header; with this one it leaves tags out.
func cook(f []byte) int {
	n := len(f) - sll2Header
	protocol := binary.BigEndian.Uint16(f[addressProtocol:])
	if tpid, tci, ok := vlan(f); ok {
		binary.BigEndian.PutUint16(f[len(f)-4:], tci)
		binary.BigEndian.PutUint16(f[len(f)-2:], protocol)
		protocol = tpid
		n -= vlanTag
	}
	h := f[n : n+sll2Header]
	binary.BigEndian.PutUint16(h, protocol)
	binary.BigEndian.PutUint16(h[2:], 0)
	binary.BigEndian.PutUint32(h[4:], binary.NativeEndian.Uint32(f[addressIndex:]))
	binary.BigEndian.PutUint16(h[8:], binary.NativeEndian.Uint16(f[addressHardware:]))
	h[10] = f[addressType]
	h[11] = f[addressLength]
	copy(h[12:], f[addressBytes:addressBytes+sllAddress])
	// The kernel writes no more bytes than the address has; behind it are
	// those of an older frame.
	clear(h[12+min(int(h[11]), sllAddress):])
	return len(f) - n
}
