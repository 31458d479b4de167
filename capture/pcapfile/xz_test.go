package pcapfile

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
)

// The files are one capture, packed by xz 5.4.1 and lz4 1.9.4 in all the ways
// that they offer.
func TestPackedByTools(t *testing.T) {
	plain, err := os.ReadFile("../../testdata/any-interface_takeover-loop/capture.pcap")
	if err != nil {
		t.Fatal(err)
	}
	want := drain(t, plain).packets
	for _, kind := range []string{"xz", "lz4"} {
		files, err := filepath.Glob("testdata/" + kind + "/*")
		if err != nil || len(files) < 10 {
			t.Fatalf("%d files of %s, %v", len(files), kind, err)
		}
		for _, path := range files {
			t.Run(path, func(t *testing.T) {
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				d := drain(t, data)
				wantPackets(t, d.packets, want)
				wantProblems(t, d.info)
				if d.info.Compression != kind {
					t.Errorf("compression %q", d.info.Compression)
				}
				fuzzSource(t, data)
			})
		}
	}
}

// xzStream begins a stream whose blocks have a check.
func xzStream(check byte) *file {
	f := littleEndian().raw([]byte(xzMagic)...).raw(0, check)
	return f.u32(crc32.ChecksumIEEE(f.b[6:8]))
}

// xzHead begins a stream without checks, and a block with a dictionary.
func xzHead(dictionary byte) []byte {
	f := xzStream(0)
	block := []byte{2, 0, lzma2Filter, 1, dictionary, 0, 0, 0}
	return f.raw(block...).u32(crc32.ChecksumIEEE(block)).b
}

// hugeDictionary claims a dictionary of 1 GiB in its 24 bytes; there is one
// chunk of one byte.
var hugeDictionary = append(xzHead(36), 1, 0, 0, 'x', 0)

// The xz package would allocate what the header claims.
func TestXZHugeDictionaryCostsNothing(t *testing.T) {
	if _, err := xz.NewReader(bytes.NewReader(hugeDictionary)); err != nil {
		t.Fatalf("the xz package refuses the header: %v", err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := NewReader("x", bytes.NewReader(hugeDictionary))
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "dictionary of more than 64 MiB; unpack it first: xz -d FILE") {
		t.Errorf("%v", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes allocated", n)
	}
}

// Every byte counts: one that changes leads to an error.
func TestXZEveryByteCounts(t *testing.T) {
	plain := sample(3)
	for name, data := range map[string][]byte{
		"crc64":  xzed(t, plain, xz.WriterConfig{BlockSize: 200}),
		"sha256": xzed(t, plain, xz.WriterConfig{CheckSum: xz.SHA256}),
	} {
		for i := range data {
			changed := bytes.Clone(data)
			changed[i] ^= 1 << (i % 8)
			s, err := NewReader("x", bytes.NewReader(changed))
			if err != nil {
				continue
			}
			if d := drainSource(t, s); d.err == io.EOF {
				t.Errorf("%s: byte %d of %d has no effect: %d packets", name, i, len(data), len(d.packets))
			}
		}
	}
}

// Blocks without content, which cost 16 bytes each, cost no memory.
func TestXZManyBlocks(t *testing.T) {
	const blocks = 1 << 20
	head := xzHead(28) // 64 MiB
	stream, block := head[:xzHeader], append(bytes.Clone(head[xzHeader:]), 0, 0, 0, 0)
	in := &repeated{prefix: stream, chunk: block, n: blocks}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := NewReader("x", in)
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("%v", err)
	}
	if n := int64(after.HeapSys - before.HeapSys); n > 8<<20 {
		t.Errorf("the heap grew by %d bytes", n)
	}
}

// FuzzXZ compares with the xz package: what is read to its end is the same,
// and what that package reads to its end is read here too. It does not fix
// checksums; chunks need none, because they are read before.
func FuzzXZ(f *testing.F) {
	files, err := filepath.Glob("testdata/xz/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[7], data[xzHeader:])
	}
	f.Add(byte(0), append(xzHead(0)[xzHeader:], 1, 0, 0, 'x', 0))
	f.Fuzz(func(t *testing.T, check byte, data []byte) {
		switch check {
		case xz.None, xz.CRC32, xz.CRC64, xz.SHA256:
		default:
			return // the xz package refuses others
		}
		data = append(xzStream(check).b, data...)
		const limit = 4 << 20
		z, _, err := openXZ(newStream(bytes.NewReader(data)))
		if err != nil {
			t.Fatalf("the header is sound: %v", err)
		}
		var got, want bytes.Buffer
		_, err = io.CopyN(&got, z, limit)
		if errors.As(err, new(*unsupported)) {
			return // nor should the xz package allocate so much
		}
		oracle, oracleErr := xz.NewReader(bytes.NewReader(data))
		if oracleErr == nil {
			_, oracleErr = io.CopyN(&want, oracle, limit)
		}
		if err == io.ErrUnexpectedEOF && oracleErr == io.EOF {
			oracleErr = err // it does not see a cut between two blocks
		}
		if (err == io.EOF || err == nil || oracleErr == io.EOF) && (err != oracleErr || !bytes.Equal(got.Bytes(), want.Bytes())) {
			t.Fatalf("%d bytes, ended by %v; the xz package %d bytes, %v", got.Len(), err, want.Len(), oracleErr)
		}
	})
}
