package ws

import "encoding/binary"

// The opcodes (RFC 6455 §5.2).
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// maxHeader is the longest frame header: two bytes, a length of 64 bits, a key.
const maxHeader = 2 + 8 + 4

// maxControl is the longest payload of a control frame (RFC 6455 §5.5).
const maxControl = 125

// header is a frame's (RFC 6455 §5.2).
type header struct {
	length int64
	// key masks the payload; a frame that is not masked has the key 0.
	key        [4]byte
	opcode     byte
	fin        bool
	compressed bool // RSV1 (RFC 7692 §6)
}

func (h *header) control() bool { return h.opcode >= opClose }

// headerSize is how long the header is that starts with b, which has at least
// two bytes.
func headerSize(b []byte) int {
	size := 2
	switch b[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if b[1]&0x80 != 0 {
		size += 4
	}
	return size
}

// parseHeader reads a whole header; ok is false for what no frame may have,
// whatever came before it.
func parseHeader(b []byte) (h header, ok bool) {
	h = header{opcode: b[0] & 15, fin: b[0]&0x80 != 0, compressed: b[0]&0x40 != 0}
	switch length := b[1] & 0x7f; length {
	case 126:
		h.length = int64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		h.length = int64(binary.BigEndian.Uint64(b[2:]))
	default:
		h.length = int64(length)
	}
	if b[1]&0x80 != 0 {
		copy(h.key[:], b[len(b)-4:])
	}
	switch {
	case b[0]&0x30 != 0, h.length < 0:
		return h, false
	case h.opcode <= opBinary:
		return h, true
	case h.opcode >= opClose && h.opcode <= opPong:
		return h, h.fin && !h.compressed && h.length <= maxControl && b[1]&0x7f < 126
	}
	return h, false
}
