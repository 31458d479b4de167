package traffic

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

// workload finds one by name.
func workload(t testing.TB, name string) Workload {
	t.Helper()
	w, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// write writes a workload to memory.
func write(t testing.TB, name string, o Options) ([]byte, Summary) {
	t.Helper()
	var out bytes.Buffer
	sum, err := workload(t, name).Write(&out, o)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Bytes != int64(out.Len()) {
		t.Errorf("%s: summary says %d bytes, wrote %d", name, sum.Bytes, out.Len())
	}
	return out.Bytes(), sum
}

func TestSameSeedSameBytes(t *testing.T) {
	for _, w := range Workloads() {
		for _, format := range []Format{Pcap, Pcapng} {
			hash := func(seed uint64) [32]byte {
				b, _ := write(t, w.Name, Options{Connections: 60, Seed: seed, Format: format})
				return sha256.Sum256(b)
			}
			one, again, other := hash(1), hash(1), hash(2)
			if one != again {
				t.Errorf("%s: one seed gave two captures", w.Name)
			}
			if one == other {
				t.Errorf("%s: two seeds gave one capture", w.Name)
			}
		}
	}
}

// The sizes are those of the full captures, a connection's share of them.
func TestSizes(t *testing.T) {
	tests := []struct {
		name               string
		connections        int
		packets, bytes     float64 // of one connection
		inPackets, inBytes float64 // tolerances
	}{
		{"bulk", 50, 89, 755e6 / 50_000, 0, 1e6 / 50_000},
		{"open", 50, 89, 755e6 / 50_000, 0, 1e6 / 50_000},
		{"lossy", 500, 89, 755e6 / 50_000, 0.2, 4e6 / 50_000},
		{"storm", 40_000, stormPackets, 263e6 / 400_000, 0.05, 1e6 / 400_000},
		{"mixed", 200, 5 * 89, 755e6 / 5_000, 5, 20e6 / 5_000},
	}
	for _, test := range tests {
		sum, err := workload(t, test.name).Write(io.Discard, Options{Connections: test.connections, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		n := float64(test.connections)
		if sum.Connections != test.connections || sum.Connections != sum.Accepted+sum.Rejected+sum.Dropped+sum.Refused {
			t.Errorf("%s: %+v, want %d connections", test.name, sum, test.connections)
		}
		if got := float64(sum.Packets) / n; math.Abs(got-test.packets) > test.inPackets {
			t.Errorf("%s: %.3f packets a connection, want %.3f", test.name, got, test.packets)
		}
		if got := float64(sum.Bytes) / n; math.Abs(got-test.bytes) > test.inBytes {
			t.Errorf("%s: %.1f bytes a connection, want %.1f", test.name, got, test.bytes)
		}
	}
}

func TestStormIsTheMixture(t *testing.T) {
	_, sum := write(t, "storm", Options{Connections: 20_000, Seed: 1})
	for _, part := range []struct {
		name string
		n    int
		want float64
	}{
		{"accepted", sum.Accepted, 65}, // those that are taken over among them
		{"rejected", sum.Rejected, 20},
		{"dropped", sum.Dropped, 10},
		{"refused", sum.Refused, 5},
		{"taken over", sum.Takeovers, 10},
	} {
		if got := 100 * float64(part.n) / float64(sum.Connections); math.Abs(got-part.want) > 1 {
			t.Errorf("%.1f %% %s, want %.0f", got, part.name, part.want)
		}
	}
}

func TestLossyIsTheMixture(t *testing.T) {
	_, sum := write(t, "lossy", Options{Connections: 500, Seed: 1})
	sent := float64(500 * 89)
	for _, part := range []struct {
		name string
		n    int
		want float64
	}{
		{"missing", sum.Missing, 1},
		{"repeated", sum.Repeated, 1},
		{"displaced", sum.Displaced, 3},
	} {
		if got := 100 * float64(part.n) / sent; math.Abs(got-part.want) > 0.2 {
			t.Errorf("%.2f %% %s, want %.0f", got, part.name, part.want)
		}
	}
	if want := int64(500*89 - sum.Missing + sum.Repeated); sum.Packets != want {
		t.Errorf("%d packets, want %d", sum.Packets, want)
	}
}

// No packet may go past one of its connection that is more than maxLate later.
func TestLossyWireIsNear(t *testing.T) {
	g := &generator{rng: rand.New(rand.NewPCG(1, 0)), gap: 1}
	var out bytes.Buffer
	g.file = newFile(&out, Pcap)
	wire := &lossyWire{generator: g}
	c := new(conversation)
	const sent = 10_000
	for n := range sent {
		wire.packet(c, big.AppendUint32(nil, uint32(n)))
	}
	wire.ended(c)
	if err := g.file.flush(); err != nil {
		t.Fatal(err)
	}
	records := out.Bytes()[24:]
	seen := map[uint32]int{}
	latest, displaced := uint32(0), 0
	for ; len(records) > 0; records = records[20:] {
		n := big.Uint32(records[16:])
		seen[n]++
		if n+maxLate < latest {
			t.Fatalf("packet %d comes after packet %d", n, latest)
		}
		if n < latest && seen[n] == 1 {
			displaced++
		}
		latest = max(latest, n)
	}
	if missing := sent - len(seen); missing != g.summary.Missing {
		t.Errorf("%d packets are missing, the summary says %d", missing, g.summary.Missing)
	}
	// One that is held may come where it would have been: the next was missing.
	if displaced > g.summary.Displaced || displaced < g.summary.Displaced*9/10 {
		t.Errorf("%d packets are displaced, the summary says %d", displaced, g.summary.Displaced)
	}
}

// Memory must not grow with the capture.
func TestMemoryIsConstant(t *testing.T) {
	for _, name := range []string{"bulk", "lossy"} {
		allocated := func(connections int) uint64 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := workload(t, name).Write(io.Discard, Options{Connections: connections}); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			return after.TotalAlloc - before.TotalAlloc
		}
		one, two := allocated(2*bulkOpen), allocated(4*bulkOpen)
		if float64(two) > 1.1*float64(one) {
			t.Errorf("%s: %d bytes allocated for %d connections, %d for twice as many", name, one, 2*bulkOpen, two)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestErrors(t *testing.T) {
	w := workload(t, "bulk")
	if _, err := w.Write(io.Discard, Options{Connections: -1}); err == nil || !strings.Contains(err.Error(), "must be from 1") {
		t.Errorf("-1 connections: %v", err)
	}
	if _, err := w.Write(fullDisk{}, Options{Connections: 1_000_000}); err == nil {
		t.Error("a full disk gave no error")
	}
}

// BenchmarkWrite measures the generator alone.
func BenchmarkWrite(b *testing.B) {
	for _, w := range Workloads() {
		b.Run(w.Name, func(b *testing.B) {
			packets := int64(0)
			for b.Loop() {
				sum, err := w.Write(io.Discard, Options{Connections: max(w.Connections/10, 1)})
				if err != nil {
					b.Fatal(err)
				}
				packets += sum.Packets
				b.SetBytes(sum.Bytes)
			}
			b.ReportMetric(float64(packets)/b.Elapsed().Seconds(), "packets/s")
		})
	}
}
