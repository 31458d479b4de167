package pcapfile

import (
	"encoding/binary"
)

// file builds capture files byte by byte in the byte order it embeds.
type file struct {
	binary.AppendByteOrder
	b []byte
}

func littleEndian() *file { return &file{AppendByteOrder: binary.LittleEndian} }
func bigEndian() *file    { return &file{AppendByteOrder: binary.BigEndian} }

func (f *file) u16(vs ...uint16) *file {
	for _, v := range vs {
		f.b = f.AppendUint16(f.b, v)
	}
	return f
}

func (f *file) u32(vs ...uint32) *file {
	for _, v := range vs {
		f.b = f.AppendUint32(f.b, v)
	}
	return f
}

func (f *file) raw(b ...byte) *file {
	f.b = append(f.b, b...)
	return f
}

// pad fills up to a multiple of four bytes.
func (f *file) pad() *file {
	for len(f.b)%4 != 0 {
		f.b = append(f.b, 0)
	}
	return f
}

// pcap appends a file header.
func (f *file) pcap(magic, network uint32) *file {
	return f.u32(magic).u16(2, 4).u32(0, 0, 65535, network)
}

// record appends a pcap record; fraction is in the file's units.
func (f *file) record(sec, fraction, original uint32, data string) *file {
	return f.u32(sec, fraction, uint32(len(data)), original).raw([]byte(data)...)
}

// block appends a pcapng block around a body.
func (f *file) block(kind uint32, body func(*file)) *file {
	inner := &file{AppendByteOrder: f.AppendByteOrder}
	body(inner)
	inner.pad()
	total := uint32(len(inner.b) + minBlock)
	return f.u32(kind, total).raw(inner.b...).u32(total)
}

func (f *file) section() *file {
	return f.block(blockSection, func(b *file) { b.u32(byteOrderMagic).u16(1, 0).u32(0xffffffff, 0xffffffff) })
}

// iface appends an interface description with raw options.
func (f *file) iface(link uint16, snapLen uint32, options ...func(*file)) *file {
	return f.block(blockInterface, func(b *file) {
		b.u16(link, 0).u32(snapLen)
		for _, o := range options {
			o(b)
		}
	})
}

func option(code uint16, value ...byte) func(*file) {
	return func(f *file) { f.u16(code, uint16(len(value))).raw(value...).pad() }
}

// enhanced appends an Enhanced Packet Block.
func (f *file) enhanced(id uint32, stamp uint64, original uint32, data string) *file {
	return f.block(blockEnhancedPacket, func(b *file) {
		b.u32(id, uint32(stamp>>32), uint32(stamp), uint32(len(data)), original).raw([]byte(data)...)
	})
}

// obsolete appends a Packet Block.
func (f *file) obsolete(id uint16, stamp uint64, original uint32, data string) *file {
	return f.block(blockPacket, func(b *file) {
		b.u16(id, 7).u32(uint32(stamp>>32), uint32(stamp), uint32(len(data)), original).raw([]byte(data)...)
	})
}

func (f *file) simple(original uint32, data string) *file {
	return f.block(blockSimplePacket, func(b *file) { b.u32(original).raw([]byte(data)...) })
}

func (f *file) secrets(kind uint32, body string) *file {
	return f.block(blockSecrets, func(b *file) { b.u32(kind, uint32(len(body))).raw([]byte(body)...) })
}

// stamp is the time of a second and microseconds as an interface without
// if_tsresol counts it.
func stamp(sec, micro uint64) uint64 { return sec*1e6 + micro }

func at(sec, nano int64) int64 { return sec*1e9 + nano }
