package traffic

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Format is a capture file format.
type Format uint8

// The formats.
const (
	// Pcap has microseconds (draft-ietf-opsawg-pcap).
	Pcap Format = iota
	// Pcapng has one section, one interface and enhanced packet blocks
	// (draft-ietf-opsawg-pcapng).
	Pcapng
)

// ParseFormat returns the format of a name, "pcap" or "pcapng".
func ParseFormat(name string) (Format, error) {
	switch name {
	case "pcap":
		return Pcap, nil
	case "pcapng":
		return Pcapng, nil
	}
	return 0, fmt.Errorf("no format %q; there are pcap and pcapng", name)
}

const (
	linkEthernet = 1
	snapLength   = 262144

	bufferSize = 1 << 20
	maxRecord  = 32 + maxFrame + 3 // the larger format's
)

var little = binary.LittleEndian

// file writes frames down. The first error ends it.
type file struct {
	out            io.Writer
	format         Format
	buf            []byte
	packets, bytes int64
	err            error
}

func newFile(out io.Writer, format Format) *file {
	f := &file{out: out, format: format, buf: make([]byte, 0, bufferSize)}
	if format == Pcap {
		f.words(0xa1b2c3d4, 4<<16|2, 0, 0, snapLength, linkEthernet)
		return f
	}
	const section, iface = 0x0a0d0d0a, 1
	f.words(section, 28, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff, 28)
	f.words(iface, 20, linkEthernet, snapLength, 20)
	return f
}

func (f *file) words(vs ...uint32) {
	for _, v := range vs {
		f.buf = little.AppendUint32(f.buf, v)
	}
}

// record writes a frame that was captured at a time in microseconds.
func (f *file) record(at int64, frame []byte) {
	if len(f.buf) > bufferSize-maxRecord && f.flush() != nil {
		return
	}
	f.packets++
	n := uint32(len(frame))
	if f.format == Pcap {
		h := f.extend(16)
		little.PutUint32(h, uint32(at/1_000_000))
		little.PutUint32(h[4:], uint32(at%1_000_000))
		little.PutUint32(h[8:], n)
		little.PutUint32(h[12:], n)
		f.buf = append(f.buf, frame...)
		return
	}
	const enhancedPacket = 6
	pad := -n & 3
	total := 32 + n + pad
	h := f.extend(28)
	little.PutUint32(h, enhancedPacket)
	little.PutUint32(h[4:], total)
	little.PutUint32(h[8:], 0) // interface
	little.PutUint32(h[12:], uint32(at>>32))
	little.PutUint32(h[16:], uint32(at))
	little.PutUint32(h[20:], n)
	little.PutUint32(h[24:], n)
	f.buf = append(f.buf, frame...)
	f.buf = append(f.buf, make([]byte, pad)...)
	f.buf = little.AppendUint32(f.buf, total)
}

// extend returns room for n more bytes of the buffer.
func (f *file) extend(n int) []byte {
	end := len(f.buf) + n
	f.buf = f.buf[:end]
	return f.buf[end-n:]
}

func (f *file) flush() error {
	if f.err == nil {
		var n int
		n, f.err = f.out.Write(f.buf)
		f.bytes += int64(n)
		f.buf = f.buf[:0]
	}
	return f.err
}
