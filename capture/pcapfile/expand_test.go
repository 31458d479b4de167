package pcapfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

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
	plain := sample(3000) // some zstd blocks
	whole := drain(t, plain).packets
	for name, data := range map[string][]byte{"gzip": gzipped(t, plain), "zstd": zstandard(t, plain)} {
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
		{"second frame with a huge window", "zstd: it needs a window of more than 8 MiB",
			append(zstandard(t, plain), hugeWindow...)},
	} {
		d := drain(t, c.data)
		var e *capture.DamagedError
		if !errors.As(d.err, &e) || e.Packet != len(d.packets)+1 || e.Reason != c.reason {
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
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"three layers", thrice, "inside gzip, it is compressed too often; unpack it first: gzip -d FILE"},
		{"huge window", hugeWindow, "zstd: it needs a window of more than 8 MiB; unpack it first: zstd -d --long=31 FILE"},
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
