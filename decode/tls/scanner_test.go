package tls

import "encoding/binary"

// maxBody is what is kept of a handshake fragment: hellos are smaller,
// even with post-quantum key shares.
const maxBody = 8 << 10

// Scanner finds the records in one direction of a stream, from outside and without
// a thought for the other: a model of what a Conn without secrets sees. It keeps only the body of a handshake or alert record that is split
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
			t := ContentType(s.head[0])
			yield(Record{Type: t, WireType: t, Length: int(binary.BigEndian.Uint16(s.head[3:])), Body: s.body})
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
