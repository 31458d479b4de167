package tls

import "bytes"

// A search looks for the next record behind a gap that hides where it begins.
// Bytes that look like a header are believed when the record behind them opens.
type search struct {
	// missing are the bytes of the gap and those behind it that were passed.
	missing int64
	buf     []byte
}

// skip says that n more bytes are missing.
func (x *search) skip(n int64) {
	x.missing += int64(len(x.buf)) + n
	x.buf = nil
}

// seek goes on with the search and gives back the bytes behind the record that
// ends it; while s.search is set it has taken all.
func (c *Conn) seek(from int, p []byte, yield func(int, Record)) []byte {
	s := &c.sides[from]
	x := s.search
	for {
		n := min(len(p), headerSize+maxFragment-len(x.buf))
		x.buf = append(x.buf, p[:n]...)
		p = p[n:]
		at := 0
		for ; at+headerSize <= len(x.buf); at++ {
			b := x.buf[at:]
			if !c.expects(s, b) {
				continue
			}
			head := [headerSize]byte(b)
			end := headerSize + fragmentLength(head)
			if end > len(b) {
				break // it may be one, once it is all there
			}
			if c.found(from, head, b[headerSize:end], x.missing+int64(at), yield) {
				return append(bytes.Clone(b[end:]), p...)
			}
			if c.budget < 0 {
				c.lose(s)
				return nil
			}
		}
		x.missing += int64(at)
		x.buf = x.buf[:copy(x.buf, x.buf[at:])]
		if len(p) == 0 {
			return nil
		}
	}
}

// expects reports whether b can begin a sealed record of this side.
func (c *Conn) expects(s *side, b []byte) bool {
	version := s.session.version
	if version == version13 {
		version = version12 // RFC 8446 §5.1, legacy_record_version
		if ContentType(b[0]) != ApplicationData {
			return false
		}
	}
	return plausible(b) && int(b[1])<<8|int(b[2]) == version
}

// found tries a record at the end of a gap, and goes on from there if it opens.
func (c *Conn) found(from int, head [headerSize]byte, fragment []byte, missing int64, yield func(int, Record)) bool {
	s := &c.sides[from]
	d := s.direction
	buffer := plaintexts.Get().(*plaintext)
	defer buffer.wipe(len(fragment))
	plain, ok := d.find(head, fragment, buffer[:0], uint64(missing/int64(headerSize+d.overhead())+1), &c.budget)
	if !ok {
		return false
	}
	s.search, s.changed = nil, true
	s.gather.lost()
	c.opened(from, head, plain, yield)
	c.release(yield)
	return true
}
