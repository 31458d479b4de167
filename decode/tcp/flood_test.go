package tcp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"github.com/mqttriage/mqttriage/decode/link"
)

// flood sends n SYNs to one server, each from an address of its own, and if
// answered a SYN/ACK to each: then they are half-open (RFC 4987 §2).
func flood(table *Table, n int, answered bool) {
	for i := range n {
		var addr [4]byte
		binary.BigEndian.PutUint32(addr[:], 10<<24+uint32(i))
		client := link.EndpointOf(netip.AddrPortFrom(netip.AddrFrom4(addr), 50000))
		m := Mark{Number: 2*i + 1, Nano: 1e18 + int64(i)*1000}
		isn := uint32(i) * 64000
		table.Add(&link.Segment{Src: client, Dst: endB, Seq: isn, Flags: link.SYN, ID: uint16(i)}, m)
		if answered {
			m.Number++
			table.Add(&link.Segment{Src: endB, Dst: client, Seq: 500, Ack: isn + 1, Flags: link.SYN | link.ACK}, m)
		}
	}
}

// held is how much of the heap is in use.
func held() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestHalfOpen: a million SYNs, answered or not, cost no more memory than the
// table's bounds allow, and the last is found as fast as the first.
func TestHalfOpen(t *testing.T) {
	if testing.Short() || raced {
		t.Skip("a million connections")
	}
	const n = 1_000_000
	for _, answered := range []bool{false, true} {
		before := held()
		table := NewTable(Options{})
		flood(table, n, answered)
		memory := held() - before
		s := table.Stats()
		if s.Connections != n || s.Open+int(s.Evicted) != n || s.Open > table.opts.MaxConns || s.Remembered > table.opts.MaxEnded {
			t.Errorf("answered %v: %+v, bounds %+v", answered, s, table.opts)
		}
		if used := table.tuples.used; used != s.Open+s.Remembered {
			t.Errorf("answered %v: %d 4-tuples are kept, for %d connections and %d that ended", answered, used, s.Open, s.Remembered)
		}
		if mean := displacement(&table.tuples); mean > 4 {
			t.Errorf("answered %v: a 4-tuple lies %.1f slots behind its place", answered, mean)
		}
		// A connection and its 4-tuple are about half a kilobyte.
		if limit := (s.Open + s.Remembered) * 640; memory > limit {
			t.Errorf("answered %v: %d bytes are held, limit %d", answered, memory, limit)
		}
		t.Logf("answered %v: %d open, %d remembered, %d MB", answered, s.Open, s.Remembered, memory>>20)
		runtime.KeepAlive(table)
	}
}

// displacement is the mean number of slots between where a 4-tuple lies and
// where its hash wants it: what a search costs.
func displacement(ts *tuples) float64 {
	mask, sum := uint32(len(ts.slots)-1), 0
	for i, s := range ts.slots {
		if s.ref != 0 {
			sum += int((uint32(i) - s.hash) & mask)
		}
	}
	return float64(sum) / float64(ts.used)
}

// BenchmarkHalfOpen tells what a SYN of a flood costs, which must not depend on
// how many there are.
func BenchmarkHalfOpen(b *testing.B) {
	for _, n := range []int{250_000, 500_000, 1_000_000} {
		for _, answered := range []bool{false, true} {
			b.Run(fmt.Sprintf("SYNs=%d/answered=%v", n, answered), func(b *testing.B) {
				before := held()
				var table *Table
				for b.Loop() {
					table = NewTable(Options{})
					flood(table, n, answered)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/SYN")
				b.ReportMetric(float64(held()-before)/1e6, "MB")
				runtime.KeepAlive(table)
			})
		}
	}
}
