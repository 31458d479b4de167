package tls

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/subtle"
	"encoding/binary"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
)

// An opener opens the records of one direction and one key.
type opener interface {
	// open opens a fragment as the record with the number seq and appends the
	// plaintext to dst, which may not overlap it.
	open(dst []byte, seq uint64, head [headerSize]byte, fragment []byte) (plain []byte, ok bool)
	// overhead is the least that sealing adds to a record.
	overhead() int
}

// aeadOpener is the part of cipher.AEAD that opens.
type aeadOpener interface {
	Open(dst, nonce, sealed, aad []byte) ([]byte, error)
}

// aeadRecords opens records of AEAD suites.
type aeadRecords struct {
	aead aeadOpener
	// tag is the size of the authentication tag.
	tag int
	// explicit says that each record begins with 8 bytes of its nonce: GCM and
	// CCM in TLS 1.2 (RFC 5288 §3, RFC 6655 §3).
	explicit bool
	// bare says that the associated data is the header alone: TLS 1.3.
	bare bool
	iv   [12]byte
	// nonce and aad are here so that calls through aead allocate nothing.
	nonce [12]byte
	aad   [8 + headerSize]byte
}

func newAEAD(s suite, key, iv []byte, version int) *aeadRecords {
	a := &aeadRecords{tag: 16, bare: version == version13, explicit: version != version13 && s.kind != chacha}
	copy(a.iv[:], iv)
	if s.kind == chacha {
		a.aead = must(chacha20poly1305.New(key))
		return a
	}
	block := must(aes.NewCipher(key))
	switch s.kind {
	case gcm:
		a.aead = must(cipher.NewGCM(block))
	case ccm8:
		a.tag = 8
		a.aead = ccm{block, 8}
	default:
		a.aead = ccm{block, 16}
	}
	return a
}

// must is for constructors that fail for wrong key sizes only, which the table
// of suites fixes.
func must[T any](v T, err error) T {
	if err != nil {
		panic("tls: " + err.Error())
	}
	return v
}

func (a *aeadRecords) overhead() int {
	switch {
	case a.explicit:
		return 8 + a.tag
	case a.bare:
		return a.tag + 1
	}
	return a.tag
}

func (a *aeadRecords) open(dst []byte, seq uint64, head [headerSize]byte, fragment []byte) ([]byte, bool) {
	if len(fragment) < a.overhead() {
		return nil, false
	}
	a.nonce = a.iv
	if a.explicit {
		copy(a.nonce[4:], fragment[:8])
		fragment = fragment[8:]
	} else {
		n := a.nonce[4:]
		binary.BigEndian.PutUint64(n, binary.BigEndian.Uint64(n)^seq)
	}
	aad := a.aad[:]
	if a.bare {
		aad = aad[:copy(aad, head[:])]
	} else {
		binary.BigEndian.PutUint64(aad, seq)
		copy(aad[8:], head[:3])
		binary.BigEndian.PutUint16(aad[11:], uint16(len(fragment)-a.tag))
	}
	plain, err := a.aead.Open(dst, a.nonce[:], fragment, aad)
	return plain, err == nil
}

// cbcRecords opens records of CBC suites (RFC 5246 §6.2.3.2).
type cbcRecords struct {
	block cipher.Block
	mac   hash.Hash
	// encryptThenMAC is the order of RFC 7366.
	encryptThenMAC bool
	// chained says that a record's IV is the last block of the one before:
	// TLS 1.0 (RFC 2246 §6.2.3.2). next is that block, nil after a gap.
	chained bool
	next    []byte
}

func newCBC(s suite, key, iv, macKey []byte, version int, encryptThenMAC bool) *cbcRecords {
	return &cbcRecords{
		block: must(aes.NewCipher(key)), mac: hmac.New(newHash(s.mac), macKey),
		encryptThenMAC: encryptThenMAC, chained: version == version10, next: iv,
	}
}

func newHash(h crypto.Hash) func() hash.Hash { return func() hash.Hash { return h.New() } }

func (c *cbcRecords) overhead() int {
	n := c.mac.Size() + 1
	if !c.chained {
		n += aes.BlockSize
	}
	return n
}

func (c *cbcRecords) open(dst []byte, seq uint64, head [headerSize]byte, fragment []byte) ([]byte, bool) {
	size := c.mac.Size()
	if len(fragment) < c.overhead() {
		return nil, false
	}
	if c.encryptThenMAC {
		sealed, tag := fragment[:len(fragment)-size], fragment[len(fragment)-size:]
		if subtle.ConstantTimeCompare(c.sum(seq, head, sealed), tag) != 1 {
			return nil, false
		}
		fragment = sealed
	}
	iv := c.next
	if !c.chained {
		iv, fragment = fragment[:aes.BlockSize], fragment[aes.BlockSize:]
	}
	if len(iv) != aes.BlockSize || len(fragment) == 0 || len(fragment)%aes.BlockSize != 0 {
		return nil, false
	}
	n := len(dst)
	dst = append(dst, fragment...)
	plain := dst[n:]
	cipher.NewCBCDecrypter(c.block, iv).CryptBlocks(plain, plain)
	// The padding is its length, in as many bytes and one more.
	pad := plain[len(plain)-1]
	end := len(plain) - int(pad) - 1
	if !c.encryptThenMAC {
		end -= size
	}
	if end < 0 {
		return nil, false
	}
	for _, b := range plain[len(plain)-int(pad)-1:] {
		if b != pad {
			return nil, false
		}
	}
	if !c.encryptThenMAC && subtle.ConstantTimeCompare(c.sum(seq, head, plain[:end]), plain[end:end+size]) != 1 {
		return nil, false
	}
	return dst[:n+end], true
}

// sum is the MAC of a record's content (RFC 5246 §6.2.3.1).
func (c *cbcRecords) sum(seq uint64, head [headerSize]byte, content []byte) []byte {
	var pseudo [8 + headerSize]byte
	binary.BigEndian.PutUint64(pseudo[:], seq)
	copy(pseudo[8:], head[:3])
	binary.BigEndian.PutUint16(pseudo[11:], uint16(len(content)))
	c.mac.Reset()
	c.mac.Write(pseudo[:])
	c.mac.Write(content)
	return c.mac.Sum(nil)
}

// passed says which fragment went by, opened or not; nil when it is not whole.
func (c *cbcRecords) passed(fragment []byte) {
	if !c.chained {
		return
	}
	if c.encryptThenMAC {
		fragment = fragment[:max(0, len(fragment)-c.mac.Size())]
	}
	c.next = append(c.next[:0], fragment[max(0, len(fragment)-aes.BlockSize):]...)
}
