package pcapfile

import (
	"fmt"
	"maps"
	"slices"

	"github.com/mqttriage/mqttriage/capture"
)

// trouble is a kind of damage that does not stop reading. A report has one
// line for each kind, however often it occurs.
type trouble uint8

const (
	unknownInterface trouble = iota
	tooManyInterfaces
	badInterface
	badPacket
	badOption
	badTime
	badNames
	tooManyNames
	tooManySecrets
	badSecrets
	unknownVersion
	troubles
)

// tally keeps what Info tells of a capture.
type tally struct {
	info    capture.Info
	number  int // of the last packet, skipped ones included
	links   map[capture.LinkType]bool
	told    [troubles]string // the first of each kind
	count   [troubles]int
	ordered []trouble
	fatal   string
	// fresh are the secrets that no batch has yet.
	fresh [][]byte
	// first and last have the earliest and the latest time.
	first, last capture.Packet
}

func newTally(name, format, compression string) tally {
	return tally{
		info:  capture.Info{Name: name, Format: format, Compression: compression},
		links: make(map[capture.LinkType]bool),
	}
}

// link notes a link type of the capture.
func (t *tally) link(l capture.LinkType) {
	if !t.links[l] {
		t.links[l] = true
		t.info.LinkTypes = append(t.info.LinkTypes, l)
	}
}

// packet counts one packet that is given out.
func (t *tally) packet(p *capture.Packet) {
	t.info.Packets++
	t.info.Bytes += int64(len(p.Data))
	if len(p.Data) < p.Length {
		t.info.Cut++
	}
	// Most captures are in order, so that one comparison is enough.
	switch {
	case p.Nano > t.last.Nano:
		t.last.Nano = p.Nano
		if t.first.Nano == 0 {
			t.first.Nano = p.Nano
		}
	case p.Nano < t.first.Nano && p.Nano != 0:
		t.first.Nano = p.Nano
	}
}

// takeSecrets returns what came since it was called last; see [reader].
func (t *tally) takeSecrets() [][]byte {
	s := t.fresh
	t.fresh = nil
	return s
}

// note counts a trouble. Only the first of a kind is worded: hostile files
// may repeat it a million times.
func (t *tally) note(kind trouble, format string, args ...any) {
	t.count[kind]++
	if t.count[kind] == 1 {
		t.told[kind] = fmt.Sprintf(format, args...)
		t.ordered = append(t.ordered, kind)
	}
}

// Info describes what was read so far.
func (t *tally) Info() capture.Info {
	info := t.info
	info.First, info.Last = t.first.Time(), t.last.Time()
	info.LinkTypes = slices.Clone(info.LinkTypes)
	info.Interfaces = slices.Clone(info.Interfaces)
	info.Names = maps.Clone(info.Names)
	for _, kind := range t.ordered {
		s := t.told[kind]
		if more := t.count[kind] - 1; more > 0 {
			s = fmt.Sprintf("%s (and %d more)", s, more)
		}
		info.Problems = append(info.Problems, s)
	}
	if t.fatal != "" {
		info.Problems = append(info.Problems, t.fatal)
	}
	return info
}
