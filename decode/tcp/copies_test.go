package tcp

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/decode/link"
)

// TestCopies: a packet that is captured at several points counts once, and only
// what repeats it as a whole and at once is taken for a copy.
func TestCopies(t *testing.T) {
	const opening = "A S 100 id=1\nB SA 500 101 id=0 @1ms\nA A 101 501 id=2\n"
	for _, test := range []struct {
		name, script                       string
		copies, syns, retransmitted, conns int
	}{
		{"every packet twice", "A S 100 id=1\nA S 100 id=1\nB SA 500 101 id=0\nB SA 500 101 id=0\nA A 101 501 hi id=2\nA A 101 501 hi id=2", 3, 1, 0, 1},
		{"nine times", strings.Repeat("A S 100 id=7\n", 9), 8, 1, 0, 1},
		{"the SYN again", "A S 100 id=1\nA S 100 id=2 @1ms", 0, 2, 0, 1},
		{"the SYN again from a host that counts nothing", "A S 100 id=0\nA S 100 id=0 @1s", 0, 2, 0, 1},
		{"one identification for all", "A S 100 id=9\nA S 100 id=9 @1s", 0, 2, 0, 1},
		{"bytes again", opening + "A A 101 501 hi id=3\nA A 101 501 hi id=4", 0, 1, 1, 1},
		{"bytes copied", opening + "A A 101 501 hi id=3\nA A 101 501 hi id=3 @50ms", 1, 1, 0, 1},
		{"refused and copied behind it", "A S 100 id=1\nB RA 0 101 id=0\nA S 100 id=1\nB RA 0 101 id=0", 2, 1, 0, 1},
		{"refused and tried again", "A S 100 id=1\nB RA 0 101 id=0\nA S 100 id=2 @500ms\nB RA 0 101 id=0", 0, 1, 0, 2},
		{"two in a row, then both copies", opening + "A A 101 501 hi id=3\nA A 103 501 ho id=4\nA A 101 501 hi id=3\nA A 103 501 ho id=4", 2, 1, 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var first *Conn
			table := NewTable(Options{Open: func(c *Conn) Handler {
				if first == nil {
					first = c
				}
				return nil
			}})
			play(t, table, test.script)
			table.Flush()
			if int(table.Connections()) != test.conns {
				t.Errorf("%d connections, want %d", table.Connections(), test.conns)
			}
			if int(first.Copies) != test.copies || int(first.SynCount) != test.syns || int(first.Sides[0].Retransmitted) != test.retransmitted {
				t.Errorf("%d copies, %d SYNs, %d retransmitted; want %d, %d, %d",
					first.Copies, first.SynCount, first.Sides[0].Retransmitted, test.copies, test.syns, test.retransmitted)
			}
		})
	}
}

// TestCopyOfForgotten: a new 4-tuple that got the number of one that was
// forgotten is not taken for it (scanners send one number and identification
// to everybody).
func TestCopyOfForgotten(t *testing.T) {
	table := NewTable(Options{MaxConns: 4, MaxEnded: 4})
	const n = 200_000
	for i := range n {
		var addr [4]byte
		binary.BigEndian.PutUint32(addr[:], 10<<24+uint32(i))
		client := link.EndpointOf(netip.AddrPortFrom(netip.AddrFrom4(addr), 50000))
		table.Add(&link.Segment{Src: client, Dst: endB, Seq: 1, Flags: link.SYN, ID: 54321}, Mark{Number: i + 1, Nano: 1e18 + int64(i)})
	}
	s := table.Stats()
	if s.Connections != n || table.tuples.used != s.Open+s.Remembered {
		t.Errorf("%d connections of %d; %d 4-tuples for %d open and %d remembered", s.Connections, n, table.tuples.used, s.Open, s.Remembered)
	}
}
