package tls

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

// ccm opens what AES-CCM sealed (RFC 3610, NIST SP 800-38C), with associated
// data shorter than 0xff00 bytes.
type ccm struct {
	block cipher.Block
	tag   int
}

var errOpen = errors.New("tls: open record: authentication failed")

// Open has the shape of cipher.AEAD. A failure may leave plaintext in dst
// beyond its length.
func (c ccm) Open(dst, nonce, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < c.tag {
		return nil, errOpen
	}
	sealed, tag := sealed[:len(sealed)-c.tag], sealed[len(sealed)-c.tag:]
	var counter, first [16]byte
	counter[0] = byte(15-len(nonce)) - 1 // L', the size of the counter less one
	copy(counter[1:], nonce)
	stream := cipher.NewCTR(c.block, counter[:])
	stream.XORKeyStream(first[:], first[:]) // S_0 hides the tag
	head := len(dst)
	dst = append(dst, sealed...)
	plain := dst[head:]
	stream.XORKeyStream(plain, plain)
	mac := c.mac(nonce, plain, aad)
	subtle.XORBytes(first[:], first[:], mac[:])
	if subtle.ConstantTimeCompare(first[:c.tag], tag) != 1 {
		return nil, errOpen
	}
	return dst, nil
}

// mac is the CBC-MAC over B_0, the associated data and the plaintext (RFC 3610
// §2.2).
func (c ccm) mac(nonce, plain, aad []byte) (x [16]byte) {
	x[0] = byte((c.tag-2)/2)<<3 | byte(15-len(nonce)-1)
	if len(aad) > 0 {
		x[0] |= 1 << 6
	}
	copy(x[1:], nonce)
	for i, n := 15, len(plain); i > len(nonce); i, n = i-1, n>>8 {
		x[i] = byte(n)
	}
	c.block.Encrypt(x[:], x[:])
	if len(aad) > 0 {
		first := binary.BigEndian.AppendUint16(make([]byte, 0, 16), uint16(len(aad)))
		n := min(14, len(aad))
		c.chain(&x, append(first, aad[:n]...))
		c.chain(&x, aad[n:])
	}
	c.chain(&x, plain)
	return x
}

// chain runs b, filled up with zeros, through the CBC-MAC.
func (c ccm) chain(x *[16]byte, b []byte) {
	for len(b) > 0 {
		n := subtle.XORBytes(x[:], x[:], b[:min(16, len(b))])
		c.block.Encrypt(x[:], x[:])
		b = b[n:]
	}
}
