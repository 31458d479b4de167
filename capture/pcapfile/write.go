package pcapfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"unicode/utf8"

	"github.com/mqttriage/mqttriage/capture"
)

// Further options that a Writer writes (draft §3.5, §4.1).
const (
	optionComment     = 1
	optionApplication = 4 // shb_userappl
)

// nanoseconds is the if_tsresol of all that is written.
const nanoseconds = 9

// maxComment is where a comment is cut, in bytes. An option holds 65,535; a
// person reads a line or two.
const maxComment = 2000

// Writer writes a pcapng file of one section in little-endian order, with time
// stamps in nanoseconds. It holds one block at a time, and says nothing of the
// host that it runs on.
type Writer struct {
	w          io.Writer
	block      []byte
	interfaces int
	err        error
}

// NewWriter begins a file with its section header; application is the program
// that writes it. Every block is one call of Write: w should be buffered.
func NewWriter(w io.Writer, application string) (*Writer, error) {
	f := &Writer{w: w}
	f.begin(blockSection)
	f.u32(byteOrderMagic)
	f.u16(1)
	f.u16(0)
	f.u32(0xffffffff) // the section's length is not given
	f.u32(0xffffffff)
	f.option(optionApplication, []byte(application))
	f.u32(optionEnd)
	return f, f.end()
}

// Interface describes an interface and returns its index, from 0. The name may
// be "". More than a Reader takes, 4,096, are an error.
func (f *Writer) Interface(link capture.LinkType, name string) (int, error) {
	if f.interfaces == maxInterfaces {
		return 0, fmt.Errorf("write pcapng: more than %d interfaces", maxInterfaces)
	}
	f.begin(blockInterface)
	f.u16(uint16(link))
	f.u16(0)
	f.u32(0) // no limit on the captured length is known
	if name != "" {
		f.option(optionName, []byte(name[:min(len(name), maxInterfaceName)]))
	}
	f.option(optionResolution, []byte{nanoseconds})
	f.u32(optionEnd)
	f.interfaces++
	return f.interfaces - 1, f.end()
}

// Packet writes a packet of the interface p.Interface, which is the Writer's
// index; p.Number and p.Link are not looked at. A time of 0 is not known. The comment may be "".
func (f *Writer) Packet(p *capture.Packet, comment string) error {
	switch {
	case p.Interface < 0 || p.Interface >= f.interfaces:
		return fmt.Errorf("write pcapng: interface %d is not described", p.Interface)
	case len(p.Data) > maxPacket:
		return fmt.Errorf("write pcapng: a packet has %d bytes, more than %d", len(p.Data), maxPacket)
	case p.Nano < 0:
		return errors.New("write pcapng: a packet is of before 1970")
	}
	f.begin(blockEnhancedPacket)
	f.u32(uint32(p.Interface))
	f.u32(uint32(uint64(p.Nano) >> 32))
	f.u32(uint32(p.Nano))
	f.u32(uint32(len(p.Data)))
	f.u32(uint32(max(p.Length, len(p.Data))))
	f.block = append(f.block, p.Data...)
	f.pad()
	if comment != "" {
		f.option(optionComment, clipText(comment, maxComment))
		f.u32(optionEnd)
	}
	return f.end()
}

// Name writes a name resolution block for one address.
func (f *Writer) Name(addr netip.Addr, name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("write pcapng: a name of %d bytes", len(name))
	}
	f.begin(blockNames)
	kind := uint16(recordIPv6)
	if addr.Is4() {
		kind = recordIPv4
	}
	f.option(kind, slices.Concat(addr.AsSlice(), []byte(name), []byte{0}))
	f.u32(recordEnd)
	return f.end()
}

// clipText cuts a text at a limit, and not within a character.
func clipText(s string, most int) []byte {
	if len(s) <= most {
		return []byte(s)
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return []byte(s[:most])
}

// begin starts a block, whose length is filled in by end.
func (f *Writer) begin(kind uint32) {
	f.block = f.block[:0]
	f.u32(kind)
	f.u32(0)
}

// end writes the block out. An error stays: what follows would be no file.
func (f *Writer) end() error {
	total := uint32(len(f.block) + 4)
	binary.LittleEndian.PutUint32(f.block[4:], total)
	f.u32(total)
	if f.err == nil {
		_, f.err = f.w.Write(f.block)
	}
	return f.err
}

func (f *Writer) u16(v uint16) { f.block = binary.LittleEndian.AppendUint16(f.block, v) }
func (f *Writer) u32(v uint32) { f.block = binary.LittleEndian.AppendUint32(f.block, v) }

// option appends an option, or a record of the same shape.
func (f *Writer) option(code uint16, value []byte) {
	f.u16(code)
	f.u16(uint16(len(value)))
	f.block = append(f.block, value...)
	f.pad()
}

// pad fills up to a multiple of four bytes.
func (f *Writer) pad() {
	for len(f.block)%4 != 0 {
		f.block = append(f.block, 0)
	}
}
