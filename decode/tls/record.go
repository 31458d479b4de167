// Package tls follows TLS connections from outside: hellos, certificates,
// alerts and the sizes of records; and with the secrets of a key log it opens
// the records of TLS 1.0 to 1.3.
package tls

import "encoding/binary"

// ContentType is a record's (RFC 8446 §5.1).
type ContentType uint8

// The content types.
const (
	ChangeCipherSpec ContentType = 20
	Alert            ContentType = 21
	Handshake        ContentType = 22
	ApplicationData  ContentType = 23
)

// Record is one TLS record.
type Record struct {
	// Type is what the record holds, as far as that is visible: the inner type
	// of an opened record of TLS 1.3, else WireType.
	Type ContentType
	// WireType is what the header says.
	WireType ContentType
	// Length is that of the fragment on the wire, in bytes, without the header
	// of five; of opened records too.
	Length int
	// Opened says that the record was sealed and Body is its plaintext.
	Opened bool
	// Body is the plaintext of an opened record, and the fragment of handshake
	// and alert records in clear; nil of others. It is valid until the function
	// that was called with the record returns.
	Body []byte
}

const (
	headerSize = 5
	// maxFragment is what a record may hold at most: 2^14 bytes and what
	// encryption adds (RFC 5246 §6.2.3 allows 2048).
	maxFragment = 1<<14 + 2048
)

// A framer finds the records in one direction of a stream.
type framer struct {
	head  [headerSize]byte
	nhead int
	rest  int // bytes of the fragment still to come
	// part is what came of a fragment that is split between calls.
	part []byte
	// wanted says that the fragment is needed, damaged that bytes of it are
	// missing.
	wanted, damaged bool
}

// header takes bytes of a record's header from p. whole is true when there is
// one, valid when it can be one.
func (f *framer) header(p []byte) (rest []byte, whole, valid bool) {
	n := copy(f.head[f.nhead:], p)
	f.nhead += n
	if f.nhead < headerSize {
		return p[n:], false, true
	}
	f.rest = f.length()
	return p[n:], true, plausible(f.head[:])
}

// plausible reports whether b can be a record's header.
func plausible(b []byte) bool {
	t := ContentType(b[0])
	return t >= ChangeCipherSpec && t <= ApplicationData && b[1] == 3 && binary.BigEndian.Uint16(b[3:]) <= maxFragment
}

func (f *framer) wireType() ContentType { return ContentType(f.head[0]) }

func (f *framer) length() int { return fragmentLength(f.head) }

func fragmentLength(head [headerSize]byte) int { return int(binary.BigEndian.Uint16(head[3:])) }

// inside reports that a header was read and its fragment is under way.
func (f *framer) inside() bool { return f.nhead == headerSize }

// body takes bytes of the fragment from p. When they complete it, whole is true
// and the framer is ready for the next header; fragment is nil unless it is
// wanted and all there. It lies in p where it can.
func (f *framer) body(p []byte) (rest, fragment []byte, whole bool) {
	n := min(f.rest, len(p))
	f.rest -= n
	keep := f.wanted && !f.damaged
	if f.rest > 0 {
		if keep {
			f.part = append(f.part, p[:n]...)
		}
		return p[n:], nil, false
	}
	f.nhead = 0
	if keep {
		fragment = p[:n:n]
		if len(f.part) > 0 {
			fragment = append(f.part, fragment...)
			f.part = fragment[:0]
			if cap(fragment) > keptPart {
				f.part = nil
			}
		}
	}
	return p[n:], fragment, true
}

// keptPart is how much memory a direction keeps for the next split record:
// most records of MQTT are small, and many connections are open at once.
const keptPart = 2 << 10

// skip says that n bytes of the fragment are missing.
func (f *framer) skip(n int) {
	f.rest -= n
	f.damaged, f.part = true, nil
}
