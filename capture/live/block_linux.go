package live

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/mqttriage/mqttriage/capture"
)

// The layout of a ring's blocks, from linux/if_packet.h: tpacket_block_desc with
// tpacket_hdr_v1, then frames of tpacket3_hdr, sockaddr_ll and what was captured. All of
// it is in the processor's byte order, but for the protocol.
const (
	blockStatus = 8  // block_status
	blockCount  = 12 // num_pkts
	blockFirst  = 16 // offset_to_first_pkt
	blockLength = 20 // blk_len, this header included
	blockHeader = 48

	frameNext   = 0  // tp_next_offset, from this frame's beginning
	frameSecond = 4  // tp_sec
	frameNano   = 8  // tp_nsec
	frameSnap   = 12 // tp_snaplen
	frameLength = 16 // tp_len
	frameStatus = 20 // tp_status
	frameMAC    = 24 // tp_mac
	frameTCI    = 32 // hv1.tp_vlan_tci
	frameTPID   = 36 // hv1.tp_vlan_tpid

	address         = 48 // sockaddr_ll, at TPACKET_ALIGN(sizeof(struct tpacket3_hdr))
	addressProtocol = address + 2
	addressIndex    = address + 4
	addressHardware = address + 8
	addressType     = address + 10
	addressLength   = address + 11
	addressBytes    = address + 12
	frameHeader     = address + 20

	statusKernel    = 0      // TP_STATUS_KERNEL: the block is the kernel's
	statusUser      = 1 << 0 // TP_STATUS_USER: it is ours
	statusVLAN      = 1 << 4 // TP_STATUS_VLAN_VALID
	statusVLANProto = 1 << 6 // TP_STATUS_VLAN_TPID_VALID
)

// frames are those of one block, taken one after the other. What the kernel says of lengths and
// offsets is believed only as far as it stays in the block.
type frames struct {
	kind  kind
	block []byte
	// at is where the next frame begins; left is how many there are.
	at, left int
	// nano is the next frame's time, where left is not 0.
	nano int64
	// lost counts the frames of blocks whose offsets made no sense.
	lost int
}

// begin takes the frames of a block.
func (r *frames) begin(block []byte) {
	r.left = 0
	if len(block) < blockHeader {
		return
	}
	count := int(binary.NativeEndian.Uint32(block[blockCount:]))
	first := binary.NativeEndian.Uint32(block[blockFirst:])
	length := binary.NativeEndian.Uint32(block[blockLength:])
	// A block cannot hold more frames than headers, so that a wild number
	// neither loops nor is counted.
	count = max(0, min(count, len(block)/frameHeader))
	if count == 0 {
		return
	}
	r.left = count
	if length > uint32(len(block)) || first < blockHeader || first > length {
		r.giveUp()
		return
	}
	r.block = block[:length]
	r.step(int(first))
}

// step makes the frame at an offset the next one.
func (r *frames) step(at int) {
	r.at = at
	if len(r.block)-at < frameHeader {
		r.giveUp()
		return
	}
	f := r.block[at:]
	r.nano = int64(binary.NativeEndian.Uint32(f[frameSecond:]))*1e9 + int64(binary.NativeEndian.Uint32(f[frameNano:]))
}

// giveUp leaves the rest of the block.
func (r *frames) giveUp() {
	r.lost += r.left
	r.left = 0
}

// next fills p with the next frame and reports whether it is to be given out; index is its
// interface as the kernel counts. There must be one left.
func (r *frames) next(p *capture.Packet) (index int32, ok bool) {
	f := r.block[r.at:]
	p.Nano = r.nano
	size := binary.NativeEndian.Uint32(f[frameNext:])
	if r.left > 1 {
		if size < frameHeader || uint64(size) > uint64(len(f)) {
			r.giveUp()
			return 0, false
		}
		f = f[:size]
	}
	index, ok = r.frame(f, p)
	if r.left--; r.left > 0 {
		r.step(r.at + int(size))
	}
	return index, ok
}

// frame fills p from a frame.
func (r *frames) frame(f []byte, p *capture.Packet) (index int32, ok bool) {
	mac := int(binary.NativeEndian.Uint16(f[frameMAC:]))
	snap := binary.NativeEndian.Uint32(f[frameSnap:])
	length := binary.NativeEndian.Uint32(f[frameLength:])
	if mac < frameHeader+r.kind.headroom() || mac > len(f) || uint64(snap) > uint64(len(f)-mac) || length > maxLength {
		r.lost++
		return 0, false
	}
	// What is sent over the loopback interface comes by again as received.
	if f[addressType] == unix.PACKET_OUTGOING && binary.NativeEndian.Uint16(f[addressHardware:]) == unix.ARPHRD_LOOPBACK {
		return 0, false
	}
	p.Link = r.kind.link
	end := mac + int(snap)
	begin := mac
	if r.kind.cooked {
		begin -= cook(f[:mac])
	} else if p.Link == capture.LinkEN10MB && snap >= 2*macAddress {
		begin -= tag(f[:mac+2*macAddress])
	}
	p.Data = f[begin:end:end]
	p.Length = max(int(length), int(snap)) + mac - begin
	return int32(binary.NativeEndian.Uint32(f[addressIndex:])), true
}

// maxLength is more than the longest frame there is; it keeps sums within 31 bits.
const maxLength = 1 << 30
