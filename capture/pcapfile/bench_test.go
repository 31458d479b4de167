package pcapfile

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// benchPackets is how many packets a generated file has, with lengths as in a
// broker's traffic: acknowledgements, small publishes, some full frames.
const benchPackets = 100_000

var benchLengths = []int{54, 66, 66, 70, 74, 90, 120, 66, 66, 300, 66, 1514}

func benchPcap() []byte {
	f := littleEndian().pcap(pcapMicro, 1)
	data := strings.Repeat("0123456789abcdef", 100)
	for i := range benchPackets {
		n := benchLengths[i%len(benchLengths)]
		f.record(uint32(1_700_000_000+i/1000), uint32(i%1000*1000), uint32(n), data[i%16:][:n])
	}
	return f.b
}

func benchPcapng() []byte {
	f := littleEndian().section().iface(1, 0, option(optionResolution, 9))
	data := strings.Repeat("0123456789abcdef", 100)
	for i := range benchPackets {
		n := benchLengths[i%len(benchLengths)]
		f.enhanced(0, 1_700_000_000_000_000_000+uint64(i)*1e6, uint32(n), data[i%16:][:n])
	}
	return f.b
}

func benchmark(b *testing.B, data []byte) {
	path := filepath.Join(b.TempDir(), "capture")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		s, err := Open(path, nil)
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for {
			if _, err = s.Next(); err != nil {
				break
			}
			n++
		}
		if err != io.EOF || n != benchPackets {
			b.Fatalf("%d packets, ended by %v", n, err)
		}
		s.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchPackets, "ns/packet")
}

func BenchmarkPcap(b *testing.B)       { benchmark(b, benchPcap()) }
func BenchmarkPcapng(b *testing.B)     { benchmark(b, benchPcapng()) }
func BenchmarkPcapGzip(b *testing.B)   { benchmark(b, gzipped(b, benchPcap())) }
func BenchmarkPcapZstd(b *testing.B)   { benchmark(b, zstandard(b, benchPcap())) }
func BenchmarkPcapngZstd(b *testing.B) { benchmark(b, zstandard(b, benchPcapng())) }

// Next must not allocate: a capture has millions of packets.
func TestNextDoesNotAllocate(t *testing.T) {
	for name, data := range map[string][]byte{"pcap": benchPcap(), "pcapng": benchPcapng()} {
		s, err := NewReader(name, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(1000, func() {
			if _, err := s.Next(); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a packet", name, n)
		}
	}
}
