package tcp

import (
	"fmt"
	"math/bits"
	"strings"
)

// A feature is something that random connections must show often enough for a
// test with them to mean anything. It counts where the captured packets show
// it, whatever the generator intended.
type feature uint8

const (
	none feature = iota
	lost
	lostFIN
	nearOrder
	farOrder
	retransmitted
	partial
	conflicting
	onebyte
	edge
	wrapped
	signWrapped
	snapped
	synData
	synAckData
	finData
	keepAlive
	keepAliveByte
	zeroWindow
	copied
	passedOver
	queueFull
	skipped
	swappedOpening
	synMissing
	synAckMissing
	openingMissing
	straggler
	lateStraggler
	reused
	reusedAfterFIN
	reusedAfterRST
	reusedOpen
	reusedAtOnce
	reusedNear
	reusedSame
	reusedBack
	mixed
	features
)

// wanted says how features are called, and in how many of 1,000 connections
// they must be.
var wanted = [features]struct {
	name string
	in   int
}{
	lost:           {"bytes never captured", 250},
	lostFIN:        {"acknowledged FIN never captured", 20},
	nearOrder:      {"bytes that waited for 1 to 7 packets", 300},
	farOrder:       {"bytes that waited for 20 packets or more", 70},
	retransmitted:  {"segment with nothing new", 300},
	partial:        {"segment of new and old bytes", 250},
	conflicting:    {"two different bytes for one position", 40},
	onebyte:        {"8 new segments of one byte in a row", 60},
	edge:           {"initial sequence number within 4 of the wrap", 150},
	wrapped:        {"sequence numbers that wrap within the bytes", 200},
	signWrapped:    {"sequence numbers that pass 2^31 within the bytes", 100},
	snapped:        {"bytes cut by a snap length", 100},
	synData:        {"data in the SYN", 50},
	synAckData:     {"data in the SYN/ACK", 20},
	finData:        {"FIN with data", 200},
	keepAlive:      {"keep-alive probe", 150},
	keepAliveByte:  {"keep-alive probe with a made-up byte", 100},
	zeroWindow:     {"zero-window probe", 150},
	copied:         {"packet captured twice", 250},
	passedOver:     {"hole passed over before the end", 10},
	queueFull:      {"too much behind a hole", 2},
	skipped:        {"payload skipped for the handler", 100},
	swappedOpening: {"handshake out of order", 100},
	synMissing:     {"SYN never captured", 15},
	synAckMissing:  {"SYN/ACK never captured", 40},
	openingMissing: {"nothing of the handshake captured", 10},
	straggler:      {"packet of old within the linger time", 100},
	lateStraggler:  {"packet of old after the linger time", 100},
	reused:         {"4-tuple used before", 700},
	reusedAfterFIN: {"after both FINs", 200},
	reusedAfterRST: {"after an RST", 150},
	reusedOpen:     {"after neither", 200},
	reusedAtOnce:   {"within 1 ms", 200},
	reusedNear:     {"with a number near the old one", 200},
	reusedSame:     {"with the old number", 20},
	reusedBack:     {"by the other side", 80},
	mixed:          {"loss, reordering, overlap and wrap in one", 50},
}

// traits are the features of one connection.
type traits uint64

func (t *traits) add(f feature) { *t |= 1 << f }

func (t traits) all(list ...feature) bool {
	var want traits
	for _, f := range list {
		want.add(f)
	}
	return t&want == want
}

// coverage counts connections by feature.
type coverage struct {
	connections int
	by          [features]int
}

func (c *coverage) count(t traits) {
	if (t.all(nearOrder) || t.all(farOrder)) && t.all(lost, partial, wrapped) {
		t.add(mixed)
	}
	c.connections++
	for rest := uint64(t); rest != 0; rest &= rest - 1 {
		c.by[bits.TrailingZeros64(rest)]++
	}
}

func (c *coverage) sum(d *coverage) {
	c.connections += d.connections
	for f, n := range d.by {
		c.by[f] += n
	}
}

// missing lists the features that are too rare.
func (c *coverage) missing() (names []string) {
	for f := none + 1; f < features; f++ {
		if c.by[f]*1000 < wanted[f].in*c.connections {
			names = append(names, fmt.Sprintf("%s: %d of %d connections, want %d in 1,000", wanted[f].name, c.by[f], c.connections, wanted[f].in))
		}
	}
	return names
}

func (c *coverage) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d connections\n", c.connections)
	for f := none + 1; f < features; f++ {
		fmt.Fprintf(&b, "%7d  %s\n", c.by[f], wanted[f].name)
	}
	return b.String()
}
