package pcapfile

import (
	"fmt"
	"io"

	"github.com/mqttriage/mqttriage/capture"
)

// Block types (draft-ietf-opsawg-pcapng, "Standardized Block Type Codes"). A
// section header's reads the same in both byte orders.
const (
	blockInterface      = 0x00000001
	blockPacket         = 0x00000002 // obsolete
	blockSimplePacket   = 0x00000003
	blockNames          = 0x00000004
	blockEnhancedPacket = 0x00000006
	blockSecrets        = 0x0000000a
	// Blocks of records that are no packets.
	blockJournal     = 0x00000009
	blockCustomCopy  = 0x00000bad
	blockCustom      = 0x40000bad
	blockSysdig      = 0x00000204
	blockSysdigV2    = 0x00000216
	blockSysdigLarge = 0x00000221
	blockSection     = 0x0a0d0d0a

	byteOrderMagic = 0x1a2b3c4d
)

// Lengths of blocks without data and options, in bytes, with the block type
// in front and both block lengths.
const (
	minBlock    = 12
	minSection  = 28
	minIface    = 20
	minEnhanced = 32
	minSimple   = 16
	minSecrets  = 20
)

// maxPacketBlock is the longest block of a packet that is still passed over
// rather than taken for damage; Wireshark's limit for any block.
const maxPacketBlock = 16 << 20

const (
	// maxInterfaces of one section; each costs memory.
	maxInterfaces = 4096
	// maxInterfaceName is where an interface's name is cut, in bytes.
	maxInterfaceName = 64
)

// iface is an interface of the current section.
type iface struct {
	clock   clock
	link    capture.LinkType
	snapLen uint32
	// unusable when its description is damaged: how to read its packets is
	// not known then.
	unusable bool
}

// pcapngReader reads the block format.
type pcapngReader struct {
	tally
	in          *stream
	order       order
	ifaces      []iface
	base        int // interfaces of the sections before
	heldSecrets int // bytes of all TLS secrets so far
	tlsSecrets  int // blocks of them, empty and damaged ones too
	err         error
}

// newPcapng reads the first section header; the stream is known to begin
// with its block type.
func newPcapng(in *stream, t tally) (*pcapngReader, error) {
	r := &pcapngReader{tally: t, in: in}
	refuse := func(format string, args ...any) (*pcapngReader, error) {
		return nil, &capture.NotCaptureError{Name: t.info.Name,
			Reason: "it begins like pcapng, but " + fmt.Sprintf(format, args...)}
	}
	h, ok := in.peek(minSection)
	if !ok {
		return refuse("is cut short in its section header, after %d of %d bytes", len(h), minSection)
	}
	if _, err := sectionOrder(h); err != nil {
		return refuse("%s", err)
	}
	return r, nil
}

// sectionOrder finds the byte order of a section that begins with h, or says
// why the section cannot be read.
func sectionOrder(h []byte) (order, error) {
	o := order(false)
	if o.u32(h[8:]) != byteOrderMagic {
		o = true
		if o.u32(h[8:]) != byteOrderMagic {
			return false, fmt.Errorf("the section's byte-order magic is % x", h[8:12])
		}
	}
	if n := o.u32(h[4:]); n < minSection {
		return false, fmt.Errorf("the section header claims %d bytes, less than %d", n, minSection)
	}
	if major := o.u16(h[12:]); major != 1 {
		return false, fmt.Errorf("the section is of version %d, not 1", major)
	}
	return o, nil
}

// section begins a section: h is the start of its header.
func (r *pcapngReader) section(h []byte) (err error) {
	if r.order, err = sectionOrder(h); err != nil {
		return err
	}
	// Version 1.2 was written by some tools and is 1.0 (draft §4.1).
	if minor := r.order.u16(h[14:]); minor != 0 && minor != 2 {
		r.note(unknownVersion, "pcapng version 1.%d is not known; read as 1.0", minor)
	}
	r.base += len(r.ifaces)
	r.ifaces = r.ifaces[:0]
	return nil
}

// next reads the next packet; see [reader].
func (r *pcapngReader) next(p *capture.Packet) error {
	for r.err == nil {
		*p = capture.Packet{}
		ok, err := r.block(p)
		if err == errSealed {
			return err
		}
		if err != nil {
			r.err = err
			if err != io.EOF {
				r.fatal = err.Error()
			}
			break
		}
		if ok {
			r.packet(p)
			return nil
		}
	}
	return r.err
}

// block reads one block, and reports whether it gave a packet.
func (r *pcapngReader) block(p *capture.Packet) (bool, error) {
	start := r.in.offset()
	h, ok := r.in.peek(minBlock)
	// A block that is not at hand as a whole is left for when it can be read;
	// so is a section, in whose byte order its length is.
	// Secrets begin a batch, so that they hold from their place in the file on.
	if r.in.sealed && (!ok || r.order.u32(h) == blockSection || !r.in.has(r.order.u32(h[4:])) ||
		r.order.u32(h) == blockSecrets && r.beginsBatch(h)) {
		return false, errSealed
	}
	if !ok {
		return false, r.in.ended(start, r.number+1)
	}
	kind := r.order.u32(h)
	if kind == blockSection {
		if h, ok = r.in.peek(minSection); !ok {
			return false, r.in.ended(start, r.number+1)
		}
		if err := r.section(h); err != nil {
			return false, r.damaged(start, err.Error())
		}
	}
	total := r.order.u32(h[4:])
	if total%4 != 0 {
		return false, r.damaged(start, fmt.Sprintf("block length %d is not a multiple of 4", total))
	}
	if total < minBlock {
		return false, r.damaged(start, fmt.Sprintf("block length %d is less than %d", total, minBlock))
	}

	switch kind {
	case blockEnhancedPacket, blockSimplePacket, blockPacket:
		if total > maxPacketBlock {
			return false, r.damaged(start, fmt.Sprintf("a packet's block claims %d bytes, more than %d", total, maxPacketBlock))
		}
	case blockInterface, blockNames:
	default:
		return false, r.pass(start, kind, total)
	}
	if total > bufferSize {
		return false, r.pass(start, kind, total)
	}
	b, ok := r.in.peek(int(total))
	if !ok {
		return false, r.in.ended(start, r.number+1)
	}
	if trailer := r.order.u32(b[total-4:]); trailer != total {
		return false, r.mismatch(start, total, trailer)
	}
	r.in.advance(len(b))
	switch kind {
	case blockEnhancedPacket, blockPacket:
		return r.stamped(p, kind, b), nil
	case blockSimplePacket:
		return r.simple(p, b), nil
	case blockInterface:
		r.iface(b)
	case blockNames:
		r.names(b)
	}
	return false, nil
}

// pass goes over a block without holding it in memory: one that is not
// needed, or one too large to be held. Only TLS secrets are kept from it.
func (r *pcapngReader) pass(start int64, kind, total uint32) error {
	rest := int64(total) - 4
	var secret []byte
	if kind == blockSecrets {
		var read int64
		secret, read = r.secrets(total)
		rest -= read
	}
	if !r.in.skip(rest) {
		return r.in.ended(start, r.number+1)
	}
	b, ok := r.in.peek(4)
	if !ok {
		return r.in.ended(start, r.number+1)
	}
	if trailer := r.order.u32(b); trailer != total {
		return r.mismatch(start, total, trailer)
	}
	r.in.advance(4)
	switch kind {
	case blockSecrets:
		if len(secret) > 0 {
			r.fresh = append(r.fresh, secret)
			r.heldSecrets += len(secret)
		}
	case blockEnhancedPacket, blockSimplePacket, blockPacket:
		r.number++
		r.note(badPacket, "packet %d left out: its block has %d bytes", r.number, total)
	case blockInterface:
		r.note(badInterface, "interface %d is not usable: its block has %d bytes", len(r.ifaces), total)
		r.addInterface(iface{unusable: true}, nil)
	case blockJournal, blockCustomCopy, blockCustom, blockSysdig, blockSysdigV2, blockSysdigLarge:
		// Wireshark lists these among the packets and numbers them.
		r.number++
	case blockNames:
		r.note(tooManyNames, "name resolution block of %d bytes left out", total)
	}
	return nil
}

func (r *pcapngReader) damaged(offset int64, reason string) error {
	return &capture.DamagedError{Packet: r.number + 1, Offset: offset, Reason: reason}
}

func (r *pcapngReader) mismatch(start int64, total, trailer uint32) error {
	return r.damaged(start, fmt.Sprintf("block length is %d in front and %d behind", total, trailer))
}

// stamped reads an Enhanced Packet Block (draft §4.3), or a Packet Block
// (draft, appendix A), which uses half of the interface field for a count of
// drops. The options behind the data are not looked at.
func (r *pcapngReader) stamped(p *capture.Packet, kind uint32, b []byte) bool {
	r.number++
	if len(b) < minEnhanced {
		return r.tooShort(b)
	}
	id := r.order.u32(b[8:])
	if kind == blockPacket {
		id = uint32(r.order.u16(b[8:]))
	}
	captured, original := r.order.u32(b[20:]), r.order.u32(b[24:])
	if captured > uint32(len(b)-minEnhanced) || captured > maxPacket {
		return r.tooLong(captured, b)
	}
	from := r.from(id)
	if from == nil {
		return false
	}
	at, ok := from.clock.nano(uint64(r.order.u32(b[12:]))<<32 | uint64(r.order.u32(b[16:])))
	if !ok {
		r.note(badTime, "packet %d: its time is not between the years 1970 and 2262", r.number)
	}
	p.Number = r.number
	p.Nano = at
	p.Link = from.link
	p.Length = wireLength(original, captured)
	p.Interface = r.base + int(id)
	p.Data = b[28 : 28+captured : 28+captured]
	return true
}

// simple reads a Simple Packet Block (draft §4.4), which has no time and is
// always from the first interface.
func (r *pcapngReader) simple(p *capture.Packet, b []byte) bool {
	r.number++
	if len(b) < minSimple {
		return r.tooShort(b)
	}
	from := r.from(0)
	if from == nil {
		return false
	}
	original := r.order.u32(b[8:])
	captured := original
	if snap := from.snapLen; snap != 0 {
		captured = min(captured, snap)
	}
	if captured > uint32(len(b)-minSimple) || captured > maxPacket {
		return r.tooLong(captured, b)
	}
	p.Number = r.number
	p.Link = from.link
	p.Length = wireLength(original, captured)
	p.Interface = r.base
	p.Data = b[12 : 12+captured : 12+captured]
	return true
}

func (r *pcapngReader) tooShort(b []byte) bool {
	r.note(badPacket, "packet %d left out: its block has only %d bytes", r.number, len(b))
	return false
}

func (r *pcapngReader) tooLong(captured uint32, b []byte) bool {
	r.note(badPacket, "packet %d left out: it claims %d bytes in a block of %d", r.number, captured, len(b))
	return false
}

// from finds a packet's interface, or nil.
func (r *pcapngReader) from(id uint32) *iface {
	if uint64(id) < uint64(len(r.ifaces)) && !r.ifaces[id].unusable {
		return &r.ifaces[id]
	}
	r.note(unknownInterface, "packet %d left out: interface %d is not described", r.number, id)
	return nil
}
