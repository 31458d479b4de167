// Package capture turns capture files, streams and interfaces into packets.
//
// It is the first of the five rooms: it knows file formats, compression and
// clocks, and nothing of TCP or MQTT.
package capture

import (
	"fmt"
	"net/netip"
	"time"
)

// Packet is one captured frame.
type Packet struct {
	// Number counts from 1 within the capture, exactly as Wireshark does.
	Number int
	// Nano is when the frame was captured, in nanoseconds since 1970, UTC; 0
	// when the capture does not say (pcapng simple packet blocks).
	Nano int64
	// Link says how Data begins.
	Link LinkType
	// Length is the frame's length on the wire in bytes; Data is shorter when
	// the capture was cut at a snap length.
	Length int
	// Interface is the interface's index within its capture, from 0.
	Interface int
	// Data is the captured bytes, valid until the next call of Next, or as long
	// as the packet's batch.
	Data []byte
}

// Time is when the frame was captured, in UTC; zero when that is not known.
func (p *Packet) Time() time.Time {
	if p.Nano == 0 {
		return time.Time{}
	}
	return time.Unix(0, p.Nano).UTC()
}

// Batch is a run of packets of one capture that are valid together, so that
// one goroutine can read while another decodes. Its zero value is ready to be
// filled; used again, it costs no allocation.
type Batch struct {
	// Packets are in file order.
	Packets []Packet
	// Secrets are the TLS key-log lines that the capture gives before the first
	// packet, and behind the last one of the batch before. Never printed, never
	// written.
	Secrets [][]byte
	// Memory is what their Data lies in. It is the source's: a batch must not
	// be copied, nor given to two sources.
	Memory []byte
}

// Source gives the packets of one capture in file order, one by one or in
// batches; only one of the two ways may be used.
type Source interface {
	// Read fills b with the next packets, at least one: those that are at
	// hand, for a pipe may be slow. They are valid until b is read into again.
	// It fails as Next does, b is then empty.
	Read(b *Batch) error
	// Next returns the next packet. It returns io.EOF after the last one, a
	// *TruncatedError where a capture was cut short, a *DamagedError where
	// the rest cannot be read; both end the capture like io.EOF.
	Next() (Packet, error)
	// Info describes what was read so far; complete after Next has ended.
	Info() Info
	Close() error
}

// Info describes one capture.
type Info struct {
	// Name is the file name as the user gave it, or "stdin".
	Name string
	// Format is "pcap" or "pcapng"; compression is in Compression.
	Format string
	// Compression is "gzip", "zstd", "lz4", "xz" or "": the outermost layer.
	Compression string
	// LinkTypes are those of the packets and interfaces, in order of first
	// appearance.
	LinkTypes []LinkType
	// Interfaces are the names of a pcapng file's or a live capture's
	// interfaces by index, "" where one has no name. Empty for pcap files; a
	// file with thousands of interfaces has only the first ones here.
	Interfaces []string
	// Packets counts those that Next returned.
	Packets int64
	// Bytes is the sum of the captured lengths.
	Bytes int64
	// First and Last are the earliest and the latest packet time.
	First, Last time.Time
	// Cut counts the packets that are shorter than they were on the wire.
	Cut int64
	// Problems are sentences for the report, such as "cut short in packet 121".
	Problems []string
	// Names are addresses' names from pcapng name-resolution blocks so far.
	Names map[netip.Addr]string
}

// TruncatedError says that a capture ends in the middle of a packet or block.
type TruncatedError struct {
	// Packet is the number of the packet that is incomplete.
	Packet int
	// Offset is where in the (decompressed) file its record begins, in bytes.
	Offset int64
}

func (e *TruncatedError) Error() string {
	return fmt.Sprintf("cut short in packet %d", e.Packet)
}

// DamagedError says that a capture cannot be read beyond a point.
type DamagedError struct {
	// Packet is the number that the next packet would have had.
	Packet int
	// Offset is where in the (decompressed) file the damage is, in bytes.
	Offset int64
	// Reason is a short clause, such as "block length 7 is not a multiple of 4".
	Reason string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("damaged before packet %d: %s (byte %d)", e.Packet, e.Reason, e.Offset)
}

// NotCaptureError says that a file is no capture that can be read here.
type NotCaptureError struct {
	Name string
	// Reason is a short clause, such as "it begins with 7f 45 4c 46".
	Reason string
	// Hint is what to do about it; may be empty.
	Hint string
}

func (e *NotCaptureError) Error() string {
	s := fmt.Sprintf("read %s: not a capture: %s", e.Name, e.Reason)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// LinkType is a LINKTYPE_ value as pcap and pcapng files carry it (16 bits).
// See https://www.tcpdump.org/linktypes.html.
type LinkType uint16
