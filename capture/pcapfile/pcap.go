package pcapfile

import (
	"fmt"
	"io"
	"math"

	"github.com/mqttriage/mqttriage/capture"
)

// The pcap magic numbers (draft-ietf-opsawg-pcap §4): the byte order they
// are found in is that of the file, and they choose the time stamps' unit.
const (
	pcapMicro = 0xa1b2c3d4
	pcapNano  = 0xa1b23c4d
)

const (
	pcapHeader       = 24
	pcapRecordHeader = 16
)

// lengths says in which order a record gives its two lengths.
type lengths uint8

const (
	capturedFirst lengths = iota
	originalFirst         // before version 2.3, and DG/UX
	smallerFirst          // version 2.3: both were written
)

// pcapReader reads the classic format.
type pcapReader struct {
	tally
	in      *stream
	order   order
	nano    uint32 // nanoseconds in a unit of the record's second time field
	link    capture.LinkType
	lengths lengths
	err     error
}

// newPcap reads the file header; the stream is known to begin with a magic
// number of pcap.
func newPcap(in *stream, t tally) (*pcapReader, error) {
	h, ok := in.peek(pcapHeader)
	if !ok {
		return nil, &capture.NotCaptureError{Name: t.info.Name,
			Reason: fmt.Sprintf("it is cut short in its header, after %d of %d bytes", len(h), pcapHeader)}
	}
	r := &pcapReader{tally: t, in: in, nano: 1000}
	magic := order(false).u32(h)
	if magic != pcapMicro && magic != pcapNano {
		r.order = true
		magic = r.order.u32(h)
	}
	if magic == pcapNano {
		r.nano = 1
	}
	major, minor := r.order.u16(h[4:]), r.order.u16(h[6:])
	if magic == pcapMicro && major == 2 && minor == 2 && isAIX(r.order.u32(h[20:])) {
		return nil, &capture.NotCaptureError{Name: t.info.Name, Reason: "it is an AIX pcap file", Hint: convert}
	}
	// As libpcap does: the lengths changed places in version 2.3, and DG/UX
	// kept the old order under a number of its own.
	switch {
	case major == 2 && minor < 3, major == 543:
		r.lengths = originalFirst
	case major == 2 && minor == 3:
		r.lengths = smallerFirst
	case major != 2 || minor != 4:
		r.note(unknownVersion, "pcap version %d.%d is not known; read as 2.4", major, minor)
	}
	// The upper half of the field holds the frame check sequence's length.
	r.link = capture.LinkType(r.order.u32(h[20:]))
	r.tally.link(r.link)
	in.advance(pcapHeader)
	return r, nil
}

// isAIX tells the files of AIX's tcpdump from others of version 2.2, as
// Wireshark does: their link type is an ifType (RFC 1573) of Ethernet, Token
// Ring, FDDI or loopback, and records have another form.
func isAIX(network uint32) bool {
	return network == 6 || network == 9 || network == 15 || network == 24
}

// next reads the next packet; see [reader].
func (r *pcapReader) next(p *capture.Packet) error {
	if r.err != nil {
		return r.err
	}
	h, ok := r.in.peek(pcapRecordHeader)
	if !ok && r.in.sealed {
		return errSealed
	}
	if !ok {
		return r.fail(r.in.ended(r.in.offset(), r.number+1))
	}
	sec, fraction := r.order.u32(h), r.order.u32(h[4:])
	captured, original := r.order.u32(h[8:]), r.order.u32(h[12:])
	if r.lengths == originalFirst || r.lengths == smallerFirst && captured > original {
		captured, original = original, captured
	}
	if captured > maxPacket {
		return r.fail(&capture.DamagedError{Packet: r.number + 1, Offset: r.in.offset(),
			Reason: fmt.Sprintf("a record claims %d bytes, more than %d", captured, maxPacket)})
	}
	b, ok := r.in.peek(pcapRecordHeader + int(captured))
	if !ok && r.in.sealed {
		return errSealed
	}
	if !ok {
		return r.fail(r.in.ended(r.in.offset(), r.number+1))
	}
	r.in.advance(len(b))
	r.number++
	*p = capture.Packet{
		Number: r.number,
		Nano:   int64(sec)*1e9 + int64(fraction)*int64(r.nano),
		Link:   r.link,
		Length: wireLength(original, captured),
		Data:   b[pcapRecordHeader:],
	}
	r.packet(p)
	return nil
}

// wireLength is a frame's length on the wire. Some writers leave it 0 or
// smaller than what they captured; then the captured length is the best
// there is. It fits an int of 32 bits.
func wireLength(original, captured uint32) int {
	return int(min(max(original, captured), math.MaxInt32))
}

func (r *pcapReader) fail(err error) error {
	r.err = err
	if err != io.EOF {
		r.fatal = err.Error()
	}
	return err
}
