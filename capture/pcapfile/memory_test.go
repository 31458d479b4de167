package pcapfile

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/pierrec/lz4/v4"
)

// repeated gives a prefix once and a chunk n times, without holding more.
type repeated struct {
	prefix, chunk []byte
	n             int
	rest          []byte
}

func (r *repeated) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		switch {
		case r.prefix != nil:
			r.rest, r.prefix = r.prefix, nil
		case r.n > 0:
			r.rest = r.chunk
			r.n--
		default:
			return 0, io.EOF
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Whatever a file claims, reading it takes a bounded amount of memory: the
// buffers, what Info may hold, and one decompressor's window.
func TestMemoryOfHostileFiles(t *testing.T) {
	const limit = 40 << 20
	section := littleEndian().section().b
	chunk := func(build func(f *file)) []byte {
		f := littleEndian()
		build(f)
		return f.b
	}
	var names []byte
	for i := range uint32(20) {
		names = append(names, chunk(func(f *file) {
			f.block(blockNames, func(b *file) {
				for j := range uint32(1500) {
					b.u16(recordIPv4, 4+maxName).u32(i<<16 | j).raw(bytes.Repeat([]byte{'n'}, maxName)...).pad()
				}
			})
		})...)
	}
	// A frame that needs all of the largest window: a raw block with a file
	// header, then zero bytes in blocks of 128 KiB (RFC 8878 §3.1.1.2).
	window := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3, 24 << 3, 0, 0}
	window = append(window, littleEndian().pcap(pcapMicro, 1).b...)
	window = append(window, bytes.Repeat([]byte{0x02, 0x00, 0x10, 0}, 300)...)
	window = append(window, 0x03, 0x00, 0x10, 0)
	zeroPackets := append(littleEndian().pcap(pcapMicro, 1).b, make([]byte, 12<<20)...)
	cases := map[string]io.Reader{
		"interfaces": &repeated{prefix: section, n: 500_000, chunk: chunk(func(f *file) {
			f.iface(7, 0, option(optionName, bytes.Repeat([]byte{'n'}, 100)...))
		})},
		"sections with interfaces": &repeated{n: 300_000, chunk: chunk(func(f *file) {
			f.section().iface(7, 0, option(optionName, bytes.Repeat([]byte{'n'}, 100)...))
		})},
		"empty secrets": &repeated{prefix: section, n: 500_000, chunk: chunk(func(f *file) { f.secrets(secretsTLS, "") })},
		"small secrets": &repeated{prefix: section, n: 500_000, chunk: chunk(func(f *file) { f.secrets(secretsTLS, "x") })},
		"large secrets": &repeated{prefix: section, n: 50, chunk: chunk(func(f *file) {
			f.secrets(secretsTLS, strings.Repeat("x", maxSecrets/4+1))
		})},
		"secrets that end early": bytes.NewReader(append(section, chunk(func(f *file) {
			f.u32(blockSecrets, 8<<20, secretsTLS, 8<<20-minSecrets).raw(make([]byte, 7<<20)...)
		})...)),
		"names":             &repeated{prefix: section, n: 1, chunk: names},
		"damaged packets":   &repeated{prefix: section, n: 500_000, chunk: chunk(func(f *file) { f.enhanced(9, 9, 9, "x") })},
		"unknown large":     &repeated{prefix: section, n: 20, chunk: chunk(func(f *file) { f.block(77, func(b *file) { b.raw(make([]byte, 4<<20)...) }) })},
		"pcap of 2 GiB":     bytes.NewReader(pcapSeeds()[3]),
		"pcapng of 2 GiB":   bytes.NewReader(pcapngSeeds()[4]),
		"zstd window":       bytes.NewReader(window),
		"zstd window twice": bytes.NewReader(append(bytes.Clone(window), window...)),
		"zstd in zstd":      bytes.NewReader(nestedWindow(window)),
		"zstd huge window":  bytes.NewReader(hugeWindow),
		"lz4 of 4 MiB":      bytes.NewReader(lz4ed(t, zeroPackets, lz4.BlockSizeOption(lz4.Block4Mb))),
		"lz4 in lz4":        bytes.NewReader(lz4ed(t, lz4ed(t, zeroPackets, lz4.BlockSizeOption(lz4.Block4Mb)), lz4.BlockSizeOption(lz4.Block4Mb))),
		"legacy lz4":        bytes.NewReader(lz4ed(t, zeroPackets, lz4.LegacyOption(true))),
	}
	runtime.GC()
	var start runtime.MemStats
	runtime.ReadMemStats(&start)
	for name, r := range cases {
		t.Run(name, func(t *testing.T) {
			before := heap()
			s, err := NewReader(name, r)
			for err == nil {
				_, err = s.Next()
			}
			// What stays in use, and what was asked of the system at worst;
			// the system gets nothing back in between.
			if used := int64(heap() - before); used > 24<<20 {
				t.Errorf("%d MiB in use after the end", used>>20)
			}
			var end runtime.MemStats
			runtime.ReadMemStats(&end)
			if grown := int64(end.HeapSys - start.HeapSys); grown > limit {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
			runtime.KeepAlive(s)
			if s != nil {
				s.Close()
			}
		})
	}
}

// A dictionary that is filled is all the memory that xz takes.
func TestMemoryOfXZ(t *testing.T) {
	// Chunks of 64 KiB that are stored as they are, the first with a pcap
	// header, the others of records without data.
	stored := func(control byte, data []byte) []byte {
		return append([]byte{control, 0xff, 0xff}, append(data, make([]byte, 1<<16-len(data))...)...)
	}
	head := append(xzHead(28), stored(1, littleEndian().pcap(pcapMicro, 1).b)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s := mustOpen(t, &repeated{prefix: head, chunk: stored(2, nil), n: 2000})
	packets := 0
	var err error
	for err == nil {
		packets++
		_, err = s.Next()
	}
	runtime.ReadMemStats(&after)
	if packets < 2000<<12 {
		t.Errorf("%d packets, ended by %v", packets, err)
	}
	if grown := int64(after.HeapSys - before.HeapSys); grown > maxDictionary+16<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

// nestedWindow stores a zstd file in raw blocks of a frame that needs the
// largest window itself.
func nestedWindow(inner []byte) []byte {
	size := len(inner)
	out := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3, byte(size << 3), byte(size >> 5), byte(size >> 13)}
	out = append(out, inner...)
	out = append(out, bytes.Repeat([]byte{0x02, 0x00, 0x10, 0}, 300)...)
	return append(out, 0x03, 0x00, 0x10, 0)
}

// heap is the size of what is in use, in bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
