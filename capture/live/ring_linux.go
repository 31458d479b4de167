package live

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	// retire is after how many milliseconds a block is given out that is not full:
	// by so much a packet is late at most.
	retire = 50

	// A block is used for every 50 ms of little traffic, so that few large ones are
	// soon used up while nobody reads; large ones waste less of their end.
	// The smallest holds any frame of 64 KiB, as segmentation in the network card makes
	// them.
	minBlock  = 128 << 10
	maxBlock  = 1 << 20
	minBlocks = 4
	// maxBuffer keeps the size of a ring within 31 bits.
	maxBuffer = 1 << 30
)

// blocks divides a buffer of so many bytes.
func blocks(buffer int) (size, count int) {
	buffer = min(buffer, maxBuffer)
	size = minBlock
	for size < maxBlock && size*2 <= buffer/32 {
		size *= 2
	}
	return size, max(minBlocks, buffer/size)
}

// A ring is a packet socket with its memory, and which of its blocks are being read.
type ring struct {
	fd     int
	memory []byte
	size   int // of a block
	count  int
	frames frames

	// head is the block that is being read or will be next. The held blocks
	// before it have been read, and are not yet the kernel's again.
	head, held int
}

// openRing makes a socket that receives nothing yet: its protocol is 0, so that no packet
// comes by the filter, and none is lost while the ring is made.
func openRing(k kind, program []bpf.RawInstruction, buffer int) (*ring, error) {
	kindOfSocket := unix.SOCK_RAW
	if k.cooked {
		kindOfSocket = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(unix.AF_PACKET, kindOfSocket|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, noSocket(err)
	}
	r := &ring{fd: fd, frames: frames{kind: k}}
	if err := r.setUp(program, buffer); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *ring) setUp(program []bpf.RawInstruction, buffer int) error {
	if err := r.filter(program); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return fmt.Errorf("the kernel has no TPACKET_V3 ring: %w; Linux 3.19 or later is needed", err)
	}
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_RESERVE, r.frames.kind.reserve()); err != nil {
		return fmt.Errorf("reserve room before frames: %w", err)
	}
	r.size, r.count = blocks(buffer)
	err := unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &unix.TpacketReq3{
		Block_size: uint32(r.size), Block_nr: uint32(r.count),
		// With this version of the ring a frame's size only has to agree with the others.
		Frame_size: uint32(r.size), Frame_nr: uint32(r.count),
		Retire_blk_tov: retire,
	})
	if err != nil {
		return noMemory(err, r.size*r.count)
	}
	r.memory, err = unix.Mmap(r.fd, 0, r.size*r.count, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return noMemory(err, r.size*r.count)
	}
	return nil
}

// filter attaches a program for good: who may take over this process later cannot widen
// it.
func (r *ring) filter(program []bpf.RawInstruction) error {
	if len(program) == 0 {
		return nil
	}
	list := make([]unix.SockFilter, len(program))
	for i, p := range program {
		list[i] = unix.SockFilter{Code: p.Op, Jt: p.Jt, Jf: p.Jf, K: p.K}
	}
	err := unix.SetsockoptSockFprog(r.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(list)), Filter: &list[0]})
	if err != nil {
		return fmt.Errorf("attach the filter of %d instructions: %w", len(list), err)
	}
	if err := unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_LOCK_FILTER, 1); err != nil {
		return fmt.Errorf("lock the filter: %w", err)
	}
	return nil
}

// bind makes the socket receive from an interface, 0 for all.
func (r *ring) bind(index int) error {
	return unix.Bind(r.fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ALL), Ifindex: index})
}

// bigEndian is a number as sockaddr_ll has it.
func bigEndian(v uint16) uint16 {
	return binary.NativeEndian.Uint16([]byte{byte(v >> 8), byte(v)})
}

// promiscuous asks the interface for all frames; the kernel takes that back when it
// or the socket goes.
func (r *ring) promiscuous(index int) error {
	return unix.SetsockoptPacketMreq(r.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP,
		&unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC})
}

// counts are the kernel's since they were asked for last, which resets them.
func (r *ring) counts() (received, dropped, freezes uint64) {
	c, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, 0, 0
	}
	// The kernel's tp_packets has the dropped ones in it.
	return uint64(c.Packets - min(c.Packets, c.Drops)), uint64(c.Drops), uint64(c.Freeze_q_cnt)
}

// block is one of the ring's, with the word that says whose it is.
func (r *ring) block(i int) ([]byte, *uint32) {
	b := r.memory[i*r.size:][:r.size:r.size]
	return b, (*uint32)(unsafe.Pointer(&b[blockStatus]))
}

// ready reports whether there is a frame to be read. A quarter of the ring is kept from the
// kernel at most.
func (r *ring) ready() bool {
	for r.frames.left == 0 {
		if r.held >= r.count/4 {
			return false
		}
		b, status := r.block(r.head)
		// What the kernel wrote before it gave the block away is there once this is
		// seen: sync/atomic orders both.
		if atomic.LoadUint32(status)&statusUser == 0 {
			return false
		}
		r.frames.begin(b)
		// It counts as read from now on, and is given back when no frame is left.
		r.head = (r.head + 1) % r.count
		r.held++
	}
	return true
}

// waits reports whether so many blocks wait to be read.
func (r *ring) waits(blocks int) bool {
	_, status := r.block((r.head + blocks - 1) % r.count)
	return atomic.LoadUint32(status)&statusUser != 0
}

// release gives the blocks that have been read to the end back to the kernel.
func (r *ring) release() {
	keep := 0
	if r.frames.left > 0 {
		keep = 1
	}
	for ; r.held > keep; r.held-- {
		_, status := r.block((r.head - r.held + r.count) % r.count)
		atomic.StoreUint32(status, statusKernel)
	}
}

func (r *ring) close() {
	if r.memory != nil {
		unix.Munmap(r.memory)
		r.memory = nil
	}
	unix.Close(r.fd)
}
