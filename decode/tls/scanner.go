// Package tls reads what is visible of a TLS connection from outside: the
// hellos, alerts in clear, and the sizes of records. It decrypts nothing.
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
	Type ContentType
	// Length is that of the fragment, in bytes, without the header of five.
	Length int
	// Body is the fragment of handshake and alert records, cut at maxBody;
	// nil of others. It is valid until the next call of Feed.
	Body []byte
}

const (
	headerSize = 5
	// maxFragment is what a record may hold at most: 2^14 bytes and what
	// encryption adds (RFC 5246 §6.2.3 allows 2048).
	maxFragment = 1<<14 + 2048
	// maxBody is what is kept of a handshake fragment: hellos are smaller,
	// even with post-quantum key shares.
	maxBody = 8 << 10
)

// Scanner finds the records in one direction of a stream. Its zero value is
// ready. It keeps only the body of a handshake or alert record that is split
// between calls.
type Scanner struct {
	head  [headerSize]byte
	nhead int
	rest  int // bytes of the fragment still to come
	body  []byte
	lost  bool
}

// Feed takes the next bytes of the stream and calls yield for every record
// that they complete.
func (s *Scanner) Feed(p []byte, yield func(Record)) {
	for len(p) > 0 && !s.lost {
		if s.nhead < headerSize {
			n := copy(s.head[s.nhead:], p)
			s.nhead += n
			p = p[n:]
			if s.nhead < headerSize {
				return
			}
			s.rest = int(binary.BigEndian.Uint16(s.head[3:]))
			t := ContentType(s.head[0])
			if t < ChangeCipherSpec || t > ApplicationData || s.head[1] != 3 || s.rest > maxFragment {
				s.lost, s.body = true, nil
				return
			}
		}
		n := min(s.rest, len(p))
		if t := ContentType(s.head[0]); t == Handshake || t == Alert {
			s.body = append(s.body, p[:min(n, maxBody-len(s.body))]...)
		}
		s.rest -= n
		p = p[n:]
		if s.rest == 0 {
			yield(Record{ContentType(s.head[0]), int(binary.BigEndian.Uint16(s.head[3:])), s.body})
			s.nhead, s.body = 0, s.body[:0]
		}
	}
}

// Skip says that the next n bytes of the stream are missing: within a record
// it stays in step, otherwise it is lost.
func (s *Scanner) Skip(n int64) {
	if s.nhead == headerSize && n < int64(s.rest) && ContentType(s.head[0]) == ApplicationData {
		s.rest -= int(n)
		return
	}
	s.lost, s.body = true, nil
}

// Lost reports that the bytes are not TLS, or that a gap hid where the next
// record begins.
func (s *Scanner) Lost() bool { return s.lost }
