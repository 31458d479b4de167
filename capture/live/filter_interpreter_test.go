package live_test

import (
	"encoding/binary"

	"golang.org/x/net/bpf"
)

// interpret runs a program as BPF says (man 4 bpf), only as much of it as tcpdump's programs
// and ours have. Unlike the virtual machine of golang.org/x/net/bpf it counts instructions, and
// goes back in loops, which libpcap makes for protochain. What it does not know ends in
// a panic.
func interpret(program []bpf.RawInstruction, b []byte) (result uint32, count int) {
	const limit = 10000
	var a, x uint32
	var m [16]uint32
	load := func(at, size uint32) (ok bool) {
		if end := uint64(at) + uint64(size); end > uint64(len(b)) {
			return false
		}
		switch size {
		case 1:
			a = uint32(b[at])
		case 2:
			a = uint32(binary.BigEndian.Uint16(b[at:]))
		case 4:
			a = binary.BigEndian.Uint32(b[at:])
		}
		return true
	}
	sizes := map[uint16]uint32{0x00: 4, 0x08: 2, 0x10: 1}
	for at := 0; count < limit; at++ {
		count++
		i := program[at]
		operand := i.K
		if i.Op&8 != 0 {
			operand = x
		}
		ok := true
		switch i.Op {
		case 0x20, 0x28, 0x30:
			ok = load(i.K, sizes[i.Op&0x18])
		case 0x40, 0x48, 0x50:
			ok = load(i.K+x, sizes[i.Op&0x18])
		case 0x00:
			a = i.K
		case 0x01:
			x = i.K
		case 0x60:
			a = m[i.K]
		case 0x61:
			x = m[i.K]
		case 0x02:
			m[i.K] = a
		case 0x03:
			m[i.K] = x
		case 0xb1:
			keep := a
			if ok = load(i.K, 1); ok {
				x = a & 15 * 4
			}
			a = keep
		case 0x04, 0x0c:
			a += operand
		case 0x14, 0x1c:
			a -= operand
		case 0x24, 0x2c:
			a *= operand
		case 0x44, 0x4c:
			a |= operand
		case 0x54, 0x5c:
			a &= operand
		case 0x64, 0x6c:
			a <<= operand
		case 0x74, 0x7c:
			a >>= operand
		case 0x07:
			x = a
		case 0x87:
			a = x
		case 0x05:
			at += int(int32(i.K))
		case 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d:
			var holds bool
			switch i.Op & 0xf0 {
			case 0x10:
				holds = a == operand
			case 0x20:
				holds = a > operand
			case 0x30:
				holds = a >= operand
			case 0x40:
				holds = a&operand != 0
			}
			if holds {
				at += int(i.Jt)
			} else {
				at += int(i.Jf)
			}
		case 0x06:
			return i.K, count
		default:
			panic(i)
		}
		if !ok {
			return 0, count
		}
	}
	return 0, count
}

// steps is how many instructions a program takes for a frame.
func steps(program []bpf.RawInstruction, frame []byte) int {
	_, n := interpret(program, frame)
	return n
}
