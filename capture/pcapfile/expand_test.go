package pcapfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"github.com/mqttriage/mqttriage/capture"
)

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(t testing.TB, b []byte, options ...zstd.EOption) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, options...)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(b, nil)
}

func lz4ed(t testing.TB, b []byte, options ...lz4.Option) []byte {
	t.Helper()
	var out bytes.Buffer
	w := lz4.NewWriter(&out)
	if err := w.Apply(options...); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func xzed(t testing.TB, b []byte, config xz.WriterConfig) []byte {
	t.Helper()
	if config.DictCap == 0 {
		config.DictCap = 64 << 10 // the default is slow to make
	}
	var out bytes.Buffer
	w, err := config.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// sample is a pcap file of n packets that does not compress well.
func sample(n int) []byte {
	r := rand.New(rand.NewPCG(3, 4))
	f := littleEndian().pcap(pcapMicro, 1)
	for i := range n {
		data := make([]byte, 200)
		for j := range data {
			data[j] = byte(r.Uint32())
		}
		f.record(uint32(i), 0, 200, string(data))
	}
	return f.b
}

func TestCompressed(t *testing.T) {
	plain := sample(50)
	half := len(plain)/2 + 5
	skippable := littleEndian().u32(0x184d2a50, 4, 99).b
	for _, c := range []struct {
		name, compression string
		data              []byte
	}{
		{"gzip", "gzip", gzipped(t, plain)},
		{"gzip of several members", "gzip", append(gzipped(t, plain[:half]), gzipped(t, plain[half:])...)},
		{"gzip that begins with an empty member", "gzip", append(gzipped(t, nil), gzipped(t, plain)...)},
		{"zstd", "zstd", zstandard(t, plain)},
		{"zstd of several frames", "zstd", append(zstandard(t, plain[:half]), zstandard(t, plain[half:])...)},
		{"zstd after a skippable frame", "zstd", append(skippable, zstandard(t, plain)...)},
		{"zstd with the largest window", "zstd", zstandard(t, plain, zstd.WithWindowSize(maxWindow), zstd.WithSingleSegment(false))},
		{"gzip in zstd", "zstd", zstandard(t, gzipped(t, plain))},
		{"zstd in gzip", "gzip", gzipped(t, zstandard(t, plain))},
		{"gzip in gzip", "gzip", gzipped(t, gzipped(t, plain))},
		{"lz4", "lz4", lz4ed(t, plain)},
		{"lz4 of several frames", "lz4", append(lz4ed(t, plain[:half]), lz4ed(t, plain[half:])...)},
		{"lz4 after skippable frames", "lz4", append(append(bytes.Clone(skippable), skippable...), lz4ed(t, plain)...)},
		{"legacy lz4", "lz4", lz4ed(t, plain, lz4.LegacyOption(true))},
		{"zstd after a skippable frame that no buffer holds", "zstd", append(append(
			littleEndian().u32(0x184d2a5f, 2*bufferSize).b, make([]byte, 2*bufferSize)...), zstandard(t, plain)...)},
		{"xz", "xz", xzed(t, plain, xz.WriterConfig{})},
		{"xz of several blocks", "xz", xzed(t, plain, xz.WriterConfig{BlockSize: 1000})},
		{"xz of several streams", "xz", append(xzed(t, plain[:half], xz.WriterConfig{}), xzed(t, plain[half:], xz.WriterConfig{})...)},
		// The second block needs a larger dictionary than the first.
		{"xz with the largest dictionary", "xz", append(xzed(t, plain[:half], xz.WriterConfig{DictCap: 4096}),
			xzed(t, plain[half:], xz.WriterConfig{DictCap: maxDictionary})...)},
		{"xz in lz4", "lz4", lz4ed(t, xzed(t, plain, xz.WriterConfig{}))},
		{"lz4 in xz", "xz", xzed(t, lz4ed(t, plain), xz.WriterConfig{})},
		{"xz in xz", "xz", xzed(t, xzed(t, plain, xz.WriterConfig{}), xz.WriterConfig{})},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := drain(t, c.data)
			wantPackets(t, d.packets, drain(t, plain).packets)
			wantProblems(t, d.info)
			if d.err != io.EOF || d.info.Format != "pcap" || d.info.Compression != c.compression {
				t.Errorf("ended by %v, info %+v", d.err, d.info)
			}
		})
	}
}

// What was decompressed before the data end or break is kept.
func TestCompressedCut(t *testing.T) {
	plain := sample(3000) // some blocks of zstd and lz4, some chunks of xz
	whole := drain(t, plain).packets
	for name, data := range map[string][]byte{
		"gzip":       gzipped(t, plain),
		"zstd":       zstandard(t, plain),
		"lz4":        lz4ed(t, plain, lz4.BlockSizeOption(lz4.Block64Kb)),
		"xz":         xzed(t, plain, xz.WriterConfig{}),
		"xz in gzip": gzipped(t, xzed(t, plain, xz.WriterConfig{})),
	} {
		for _, n := range []int{len(data) * 9 / 10, len(data) - 9, len(data) - 1} {
			d := drain(t, data[:n])
			var e *capture.TruncatedError
			if !errors.As(d.err, &e) {
				t.Errorf("%s cut after %d of %d bytes: ended by %#v", name, n, len(data), d.err)
			}
			if len(d.packets) < len(whole)*7/10 {
				t.Errorf("%s cut after %d of %d bytes: %d packets", name, n, len(data), len(d.packets))
			}
			wantPackets(t, d.packets, whole[:len(d.packets)])
		}
	}
}

func TestCompressedDamaged(t *testing.T) {
	plain := sample(3000) // some zstd blocks
	whole := drain(t, plain).packets
	checksum := func(b []byte, back int) []byte {
		b = bytes.Clone(b)
		b[len(b)-back] ^= 1
		return b
	}
	for _, c := range []struct {
		name, reason string
		data         []byte
	}{
		{"gzip checksum", "gzip: invalid checksum", checksum(gzipped(t, plain), 8)},
		{"zstd checksum", "zstd: CRC check failed", checksum(zstandard(t, plain), 1)},
		{"bytes behind gzip", "gzip: invalid header", append(gzipped(t, plain), "garbage behind"...)},
		{"lz4 checksum", "lz4: invalid frame checksum", checksum(lz4ed(t, plain), 1)},
		{"bytes behind lz4", "lz4: bad magic number", append(lz4ed(t, plain), "garbage behind"...)},
		{"lz4 block too large", "lz4: invalid block size", append(lz4ed(t, plain), append(lz4ed(t, nil)[:7], 0, 0, 0x50, 0)...)},
		{"bytes behind xz", "xz: something else lies behind a stream", append(xzed(t, plain, xz.WriterConfig{}), "garbage behind"...)},
		{"second block with a huge dictionary", "xz: it needs a dictionary of more than 64 MiB; unpack it first: xz -d FILE",
			append(xzed(t, plain, xz.WriterConfig{}), hugeDictionary...)},
		{"second frame with a huge window", "zstd: it needs a window of more than 8 MiB; unpack it first: zstd -d --long=31 FILE",
			append(zstandard(t, plain), hugeWindow...)},
	} {
		d := drain(t, c.data)
		var e *capture.DamagedError
		if !errors.As(d.err, &e) || e.Packet != len(d.packets)+1 || !strings.HasPrefix(e.Reason, c.reason) {
			t.Errorf("%s: ended by %v", c.name, d.err)
		}
		// A zstd block is held back until its frame's checksum was seen.
		if len(d.packets) < len(whole)*7/10 {
			t.Errorf("%s: %d packets", c.name, len(d.packets))
		}
		wantPackets(t, d.packets, whole[:len(d.packets)])
	}
}

// hugeWindow is the header of a zstd frame with a window of 2 GiB (RFC 8878
// §3.1.1.1.2: exponent 21 over 1 KiB), and a raw block of one byte.
var hugeWindow = []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x09, 0, 0, 'x'}

func TestCompressedRefused(t *testing.T) {
	thrice := gzipped(t, gzipped(t, gzipped(t, sample(1))))
	tiny, skippable := xzed(t, sample(1), xz.WriterConfig{}), littleEndian().u32(0x184d2a57, 4, 99).b
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"three layers", thrice, "inside gzip, it is compressed too often; unpack it first: gzip -d FILE"},
		{"huge window", hugeWindow, "zstd: it needs a window of more than 8 MiB; unpack it first: zstd -d --long=31 FILE"},
		{"three layers of xz", xzed(t, gzipped(t, tiny), xz.WriterConfig{}), "inside xz, it is compressed too often; unpack it first: xz -d FILE"},
		{"three layers of lz4", gzipped(t, lz4ed(t, lz4ed(t, sample(1)))), "inside gzip, it is compressed too often; unpack it first: lz4 -d IN OUT"},
		{"huge dictionary", hugeDictionary, "xz: it needs a dictionary of more than 64 MiB; unpack it first: xz -d FILE"},
		{"huge dictionary in gzip", gzipped(t, hugeDictionary), "xz: it needs a dictionary of more than 64 MiB; unpack it first: xz -d FILE"},
		{"xz magic only", []byte(xzMagic), "its compressed data are cut short at the start"},
		{"xz header", append(bytes.Clone(tiny[:7]), append([]byte{9}, tiny[8:]...)...), "its compressed data are damaged: xz: the checksum of a stream's header is wrong"},
		{"empty xz", xzed(t, nil, xz.WriterConfig{}), "inside xz, it is empty"},
		{"lz4 magic only", []byte(lz4Magic), "its compressed data are cut short at the start"},
		{"lz4 with a dictionary", []byte("\x04\x22\x4d\x18\x41\x40\x01\x02\x03\x04\xf3"), "its compressed data are damaged: lz4: invalid or unsupported frame descriptor: dictionary ID 0x4030201"},
		{"empty lz4", lz4ed(t, nil), "inside lz4, it is empty"},
		{"skippable frame only", skippable, "its compressed data are cut short at the start"},
		{"skippable frame cut", skippable[:11], "its compressed data are cut short at the start"},
		{"skippable frame before pcap", append(bytes.Clone(skippable), sample(1)...), "its compressed data are damaged: skippable frames are followed by d4 c3 b2 a1"},
		{"skippable frame before xz", append(bytes.Clone(skippable), tiny...), "its compressed data are damaged: skippable frames are followed by fd 37 7a 58"},
		{"gzip header only", []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}, "its compressed data are cut short at the start"},
		{"gzip header cut", []byte{0x1f, 0x8b, 8, 0, 0}, "its compressed data are cut short at the start"},
		{"zstd magic only", []byte{0x28, 0xb5, 0x2f, 0xfd}, "its compressed data are cut short at the start"},
		{"bad deflate block", []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 7}, "its compressed data are damaged: gzip: flate: corrupt input before offset 1"},
		{"empty gzip", gzipped(t, nil), "inside gzip, it is empty"},
		{"ELF in zstd", zstandard(t, []byte("\x7fELF....")), "inside zstd, it is a program (ELF)"},
	} {
		_, err := NewReader("x", bytes.NewReader(c.data))
		if want := "read x: not a capture: " + c.want; err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", c.name, err, want)
		}
	}
}

// zeros is n zero bytes, which compress beyond measure.
type zeros int64

func (z *zeros) Read(p []byte) (int, error) {
	n := min(int64(len(p)), int64(*z))
	clear(p[:n])
	*z -= zeros(n)
	if *z == 0 {
		return int(n), io.EOF
	}
	return int(n), nil
}

// A few kilobytes that would grow to terabytes end as damage.
func TestCompressedBomb(t *testing.T) {
	if testing.Short() {
		t.Skip("decompresses more than 1 GiB")
	}
	var inner, outer bytes.Buffer
	w, err := zstd.NewWriter(&inner)
	if err != nil {
		t.Fatal(err)
	}
	z := zeros(3 << 29)
	if _, err := io.Copy(w, &z); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	g := gzip.NewWriter(&outer)
	if _, err := g.Write(inner.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	plain, _, release, err := expand(newStream(bytes.NewReader(outer.Bytes())))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if plain.skip(1 << 40) {
		t.Fatal("there were 1 TiB")
	}
	want := fmt.Sprintf("the zstd data grow more than %d-fold", maxGrowth)
	if plain.err == nil || plain.err.Error() != want {
		t.Errorf("%d bytes ended by %v, want %q", plain.offset(), plain.err, want)
	}
	if plain.offset() < freeGrowth {
		t.Errorf("stopped after %d bytes, before %d", plain.offset(), freeGrowth)
	}
}
