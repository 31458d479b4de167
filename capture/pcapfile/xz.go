package pcapfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"math"
	"slices"

	"github.com/ulikunitz/xz/lzma"
)

// The .xz file format, version 1.2.1
// (https://tukaani.org/xz/xz-file-format.txt): streams of blocks of LZMA2
// chunks, each block with a check behind it, each stream with an index of its
// blocks. The container is read here and the lzma package is given chunks
// only: the xz package allocates whatever dictionary a header claims, up to
// 4 GiB and anew for each block, holds an entry for each block, and takes a
// file that is cut between two blocks for a whole one.

const (
	xzMagic       = "\xfd7zXZ\x00"
	xzFooterMagic = "YZ"
	// xzHeader is the size of a stream's header, and of its footer.
	xzHeader    = 12
	lzma2Filter = 0x21
)

const (
	// maxDictionary is the largest LZMA2 dictionary, in bytes. "xz -9" needs
	// all of it, and only "--lzma2=dict=" more.
	maxDictionary = 64 << 20
	// maxLiteralBits is what LZMA2 allows lc and lp to be together. More would
	// cost megabytes, anew in each chunk.
	maxLiteralBits = 4
)

// checkSizes are the sizes of the checks in bytes, by their number (§2.1.1.2).
var checkSizes = [16]int64{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

// newCheck makes what computes a check; nil for no check, and for those that
// the format has only numbers for. Those pass unverified, as they do in xz.
func newCheck(number byte) hash.Hash {
	switch number {
	case 1:
		return crc32.NewIEEE()
	case 4:
		return crc64.New(crc64.MakeTable(crc64.ECMA))
	case 10:
		return sha256.New()
	}
	return nil
}

// xzReader reads the plain bytes of one stream, or of several behind each
// other.
type xzReader struct {
	in *stream

	inStream bool
	check    byte
	sum      hash.Hash // nil where check is not verified
	blocks   uint64
	sizes    hash.Hash // of what the index must say of the blocks

	inBlock bool
	block   xzBlock

	// The chunk that is being read, and how many plain bytes it still gives.
	chunk bytes.Reader
	left  int
	// lzma reads the chunks of all blocks as if they were of one, so that one
	// dictionary serves them all.
	lzma       *lzma.Reader2
	dictionary int // what lzma has
}

// xzBlock is the block that is being read.
type xzBlock struct {
	start      int64 // where in the file its header begins
	header     int64 // bytes
	dictionary int   // bytes that it needs
	begun      bool  // a chunk has reset the dictionary
	plain      int64 // bytes so far
	// What the header says of the sizes of the chunks; -1 for nothing.
	claimsPacked, claimsPlain int64
}

func openXZ(in *stream) (io.Reader, func(), error) {
	z := &xzReader{in: in}
	return z, func() {}, z.streamHeader()
}

func (z *xzReader) Read(p []byte) (int, error) {
	for z.left == 0 {
		if err := z.next(); err != nil {
			return 0, err
		}
	}
	n, err := z.lzma.Read(p[:min(len(p), z.left)])
	z.left -= n
	z.block.plain += int64(n)
	if z.sum != nil {
		z.sum.Write(p[:n])
	}
	if err != nil {
		return n, undecodable(err)
	}
	return n, nil
}

// undecodable words an error of the lzma package. The chunk is there as a
// whole: one that needs more bytes is not cut, but wrong.
func undecodable(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("a chunk ends early")
	}
	return fmt.Errorf("a chunk cannot be decoded: %v", err)
}

// next reads on to the next chunk, or over what lies before it. It returns
// io.EOF behind the last stream.
func (z *xzReader) next() error {
	if !z.inStream {
		return z.streamHeader()
	}
	if z.chunk.Len() != 0 {
		return errors.New("a chunk has bytes left over")
	}
	b, err := z.need(1)
	switch {
	case err != nil:
		return err
	case z.inBlock && b[0] == 0:
		return z.endBlock()
	case z.inBlock:
		return z.nextChunk(b[0])
	case b[0] == 0:
		return z.endStream()
	}
	return z.blockHeader(4 * (int(b[0]) + 1))
}

// need returns the next n bytes without passing them. A file that ends before
// is cut short.
func (z *xzReader) need(n int) ([]byte, error) {
	b, ok := z.in.peek(n)
	if ok {
		return b, nil
	}
	return nil, z.in.cut()
}

// take returns the next n bytes and passes them.
func (z *xzReader) take(n int) ([]byte, error) {
	b, err := z.need(n)
	z.in.advance(len(b))
	return b, err
}

// streamHeader begins a stream (§2.1.1), behind padding (§2.2).
func (z *xzReader) streamHeader() error {
	for {
		b, _ := z.in.peek(4)
		if len(b) == 0 {
			return z.in.err
		}
		if !bytes.Equal(b, make([]byte, 4)) {
			break
		}
		z.in.advance(4)
	}
	h, err := z.take(xzHeader)
	switch {
	case err != nil:
		return err
	case string(h[:6]) != xzMagic:
		return errors.New("something else lies behind a stream")
	case crc32.ChecksumIEEE(h[6:8]) != order(false).u32(h[8:]):
		return errors.New("the checksum of a stream's header is wrong")
	case h[6] != 0 || h[7] > 15:
		return errors.New("a stream has unknown flags")
	}
	z.inStream, z.check, z.sum = true, h[7], newCheck(h[7])
	z.blocks, z.sizes = 0, sha256.New()
	return nil
}

// blockHeader begins a block whose header has size bytes (§3.1).
func (z *xzReader) blockHeader(size int) error {
	start := z.in.offset()
	h, err := z.take(size)
	if err != nil {
		return err
	}
	if crc32.ChecksumIEEE(h[:size-4]) != order(false).u32(h[size-4:]) {
		return errors.New("the checksum of a block's header is wrong")
	}
	flags, r := h[1], bytes.NewReader(h[2:size-4])
	b := xzBlock{start: start, header: int64(size), claimsPacked: -1, claimsPlain: -1}
	broken := errors.New("a block's header is broken")
	if flags&0x40 != 0 {
		if b.claimsPacked, err = xzNumber(r); err != nil {
			return broken
		}
	}
	if flags&0x80 != 0 {
		if b.claimsPlain, err = xzNumber(r); err != nil {
			return broken
		}
	}
	filter, err := xzNumber(r)
	if err != nil {
		return broken
	}
	// The lower bits count filters before the last, or have no meaning yet.
	if flags&0x3f != 0 || filter != lzma2Filter {
		return &unsupported{"xz: it needs another filter than LZMA2", "xz -d FILE"}
	}
	properties := make([]byte, 2) // their length, and the dictionary
	if _, err := io.ReadFull(r, properties); err != nil || properties[0] != 1 {
		return broken
	}
	dictionary, err := lzma.DecodeDictCap(properties[1])
	if err != nil {
		return broken
	}
	if dictionary > maxDictionary {
		return &unsupported{fmt.Sprintf("xz: it needs a dictionary of more than %d MiB", maxDictionary>>20), "xz -d FILE"}
	}
	b.dictionary = int(dictionary)
	z.block, z.inBlock = b, true
	if z.sum != nil {
		z.sum.Reset()
	}
	return nil
}

// xzNumber reads a number of up to 63 bits, 7 in each byte (§1.2).
func xzNumber(r io.ByteReader) (int64, error) {
	n, err := binary.ReadUvarint(r)
	if err == nil && n > math.MaxInt64 {
		err = errors.New("a number is too large")
	}
	return int64(n), err
}

// nextChunk reads the LZMA2 chunk that begins with control. How its header
// reads is nowhere specified but in xz's source, lzma2_decoder.c.
func (z *xzReader) nextChunk(control byte) error {
	packed := control >= 0x80
	header := 3
	switch {
	case control >= 0xc0:
		header = 6 // with properties
	case packed:
		header = 5
	case control > 2:
		return fmt.Errorf("a chunk begins with %02x", control)
	}
	h, err := z.need(header)
	if err != nil {
		return err
	}
	z.left = int(h[1])<<8 + int(h[2]) + 1
	size := header + z.left
	if packed {
		z.left += int(control&0x1f) << 16
		size = header + int(h[3])<<8 + int(h[4]) + 1
	}
	// The lzma package takes all blocks for one.
	if resets := control == 1 || control >= 0xe0; !resets && !z.block.begun {
		return errors.New("a block begins without its dictionary")
	}
	z.block.begun = true
	if header == 6 && h[5]%9+h[5]/9%5 > maxLiteralBits {
		return errors.New("a chunk's properties are not allowed")
	}
	b, err := z.take(size)
	if err != nil {
		z.left = 0
		return err
	}
	z.chunk.Reset(b)
	if z.dictionary < z.block.dictionary {
		z.dictionary = z.block.dictionary
		z.lzma, err = lzma.Reader2Config{DictCap: z.dictionary}.NewReader2(&z.chunk)
		if err != nil {
			return undecodable(err)
		}
	}
	return nil
}

// endBlock checks a block behind its last chunk (§3.3, §3.4).
func (z *xzReader) endBlock() error {
	z.in.advance(1)
	b := &z.block
	packed := z.in.offset() - b.start - b.header
	if b.claimsPacked >= 0 && b.claimsPacked != packed || b.claimsPlain >= 0 && b.claimsPlain != b.plain {
		return errors.New("a block is not as large as its header says")
	}
	size := checkSizes[z.check]
	end, err := z.take(int(-packed&3 + size))
	if err != nil {
		return err
	}
	padding, check := end[:-packed&3], end[-packed&3:]
	if !bytes.Equal(padding, make([]byte, len(padding))) {
		return errors.New("the padding of a block is not zeros")
	}
	if z.sum != nil {
		sum := z.sum.Sum(nil)
		if size <= 8 {
			slices.Reverse(sum) // CRCs are little endian here, and not in Go
		}
		if !bytes.Equal(check, sum) {
			return errors.New("the checksum of a block is wrong")
		}
	}
	z.inBlock = false
	z.blocks++
	z.indexed(b.header+packed+size, b.plain, z.sizes)
	return nil
}

// indexed adds what the index says of a block to a hash. Comparing hashes
// needs no memory for each block.
func (z *xzReader) indexed(unpadded, plain int64, to hash.Hash) {
	var record [16]byte
	binary.LittleEndian.PutUint64(record[:], uint64(unpadded))
	binary.LittleEndian.PutUint64(record[8:], uint64(plain))
	to.Write(record[:])
}

// endStream checks the index (§4) and the footer (§2.1.2).
func (z *xzReader) endStream() error {
	start := z.in.offset()
	index := &xzIndex{z: z, sum: crc32.NewIEEE()}
	index.ReadByte() // the indicator, which was seen
	blocks, err := xzNumber(index)
	if err != nil {
		return index.why(err)
	}
	sizes := sha256.New()
	for range blocks {
		unpadded, err := xzNumber(index)
		if err != nil {
			return index.why(err)
		}
		plain, err := xzNumber(index)
		if err != nil {
			return index.why(err)
		}
		z.indexed(unpadded, plain, sizes)
	}
	for (z.in.offset()-start)%4 != 0 {
		if _, err := index.ReadByte(); err != nil {
			return err
		}
	}
	if uint64(blocks) != z.blocks || !bytes.Equal(sizes.Sum(nil), z.sizes.Sum(nil)) {
		return errors.New("the index of a stream does not fit its blocks")
	}
	size := z.in.offset() + 4 - start
	sum := index.sum.Sum32()
	end, err := z.take(4 + xzHeader)
	if err != nil {
		return err
	}
	if order(false).u32(end) != sum {
		return errors.New("the checksum of an index is wrong")
	}
	f := end[4:]
	switch {
	case string(f[10:]) != xzFooterMagic, crc32.ChecksumIEEE(f[4:10]) != order(false).u32(f):
		return errors.New("the footer of a stream is broken")
	case f[8] != 0, f[9] != z.check, 4*(int64(order(false).u32(f[4:]))+1) != size:
		return errors.New("the footer of a stream does not fit it")
	}
	z.inStream = false
	return nil
}

// xzIndex reads an index byte by byte, however long it is.
type xzIndex struct {
	z   *xzReader
	sum hash.Hash32
	err error // of the file
}

func (x *xzIndex) ReadByte() (byte, error) {
	b, err := x.z.take(1)
	if err != nil {
		x.err = err
		return 0, err
	}
	x.sum.Write(b)
	return b[0], nil
}

// why tells an index that cannot be read from one with a broken number.
func (x *xzIndex) why(err error) error {
	if x.err != nil {
		return x.err
	}
	return fmt.Errorf("an index is broken: %v", err)
}
