package tls

import (
	"bytes"
	"testing"
)

// FuzzConn feeds any bytes to both directions with keys that fit the seeds.
// commands cut them: each byte says from whom and how many, or how many are
// missing.
func FuzzConn(f *testing.F) {
	keys := new(Keys)
	both := func(writes []write) (b [2][]byte) {
		for _, w := range writes {
			b[w.from] = append(b[w.from], w.b...)
		}
		return b
	}
	for _, name := range []string{"simple-1rtt", "resumed-0rtt", "hello-retry"} {
		writes, k := trace(f, name)
		for r, s := range k.sessions {
			*keys.session(r) = *s()
		}
		b := both(writes)
		f.Add(b[0], b[1], []byte{0x3f, 0x7f, 0x3f, 0x7f, 0x3f, 0x7f})
	}
	for i, id := range []uint16{0x1301, 0x1305, 0xc02f, 0xc013, 0xccaa} {
		s := newScript(7, id, map[bool]int{true: version13, false: version12}[id>>8 == 0x13], i%2 == 1)
		s.handshake()
		s.data(0, 2, 50)
		s.data(1, 2, 50)
		keys.Add([]byte(s.log))
		b := both(s.writes)
		f.Add(b[0], b[1], []byte{0x3f, 0x7f, 0x3f, 0x7f, 0x3f, 0x85, 0x3f})
	}
	f.Fuzz(func(t *testing.T, client, server, commands []byte) {
		if len(commands) == 0 {
			commands = []byte{0x3f, 0x7f}
		}
		c := NewConn(keys, nil)
		streams := [2][]byte{client, server}
		records, bytesSeen := [2]int{}, [2]int{}
		for i := 0; len(streams[0])+len(streams[1]) > 0; i++ {
			command := commands[i%len(commands)]
			if i > 1000 {
				command = 0x3f | byte(i)<<6
			}
			from := int(command >> 6 & 1)
			n := min(1+int(command&0x3f)*8, len(streams[from]))
			p := bytes.Clone(streams[from][:n])
			streams[from] = streams[from][n:]
			if command&0x80 != 0 && i <= 1000 {
				c.Skip(from, int64(n))
				bytesSeen[from] += n
				continue
			}
			c.Feed(from, p, func(from int, r Record) {
				records[from]++
				bytesSeen[from] -= r.Length + headerSize
				if r.Opened && len(r.Body) > r.Length || r.Length > maxFragment || r.Body != nil && !r.Opened && r.WireType == ApplicationData {
					t.Errorf("%+v", r)
				}
			})
			bytesSeen[from] += n
			if len(c.sides[from].part) > maxFragment || len(c.sides[from].gather.buf) > maxMessage+messageHeader || c.early.size > maxHeld+maxFragment+headerSize {
				t.Fatal("more is held than may be")
			}
		}
		for from := range bytesSeen {
			if bytesSeen[from] < 0 {
				t.Errorf("side %d: records of more bytes than were fed", from)
			}
			c.Certificate(from)
			c.Hello(from)
			c.Lost(from)
		}
	})
}

// BenchmarkOpen opens a long stream of records of one KiB and of 16 KiB.
func BenchmarkOpen(b *testing.B) {
	for _, test := range []struct {
		name string
		id   uint16
		size int
	}{{"gcm-1k", 0x1301, 1000}, {"gcm-16k", 0x1301, 16000}, {"chacha-1k", 0x1303, 1000}, {"ccm-1k", 0x1304, 1000}, {"cbc-1k", 0xc027, 1000}} {
		b.Run(test.name, func(b *testing.B) {
			s := newScript(1, test.id, map[bool]int{true: version13, false: version12}[test.id>>8 == 0x13], false)
			s.handshake()
			before := len(s.writes)
			for range 1000 {
				s.send(0, ApplicationData, make([]byte, test.size))
			}
			keys := s.keys()
			data := s.writes[before:]
			b.SetBytes(int64(1000 * test.size))
			b.ReportAllocs()
			for b.Loop() {
				c := NewConn(keys, nil)
				opened := 0
				yield := func(_ int, r Record) {
					if r.Opened && r.Type == ApplicationData {
						opened++
					}
				}
				for _, w := range s.writes[:before] {
					c.Feed(w.from, w.b, yield)
				}
				for _, w := range data {
					c.Feed(0, w.b, yield)
				}
				if opened != len(data) {
					b.Fatal(opened)
				}
			}
		})
	}
}

// BenchmarkHandshake is what a short connection costs, with keys and without.
func BenchmarkHandshake(b *testing.B) {
	for _, id := range []uint16{0x1301, 0xc02f} {
		s := newScript(1, id, map[bool]int{true: version13, false: version12}[id>>8 == 0x13], false)
		s.handshake()
		s.data(0, 2, 100)
		s.data(1, 2, 100)
		for name, keys := range map[string]*Keys{"keys": s.keys(), "outside": nil} {
			b.Run(versionName(s.version)+"-"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c := NewConn(keys, nil)
					for _, w := range s.writes {
						c.Feed(w.from, w.b, func(int, Record) {})
					}
				}
			})
		}
		b.Run(versionName(s.version)+"-scanners", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var scanners [2]Scanner
				for _, w := range s.writes {
					scanners[w.from].Feed(w.b, func(Record) {})
				}
			}
		})
	}
}

// BenchmarkHostile is the most that trials can cost: records that never open.
func BenchmarkHostile(b *testing.B) {
	s := newScript(1, 0x1301, version13, false)
	s.handshake()
	junk := bytes.Repeat(record(ApplicationData, make([]byte, 40)), 2000)
	for _, gap := range []int64{0, 1 << 20} {
		name := map[bool]string{true: "in-step", false: "search"}[gap == 0]
		b.Run(name, func(b *testing.B) {
			keys := s.keys()
			b.SetBytes(int64(len(junk)))
			for b.Loop() {
				c := NewConn(keys, nil)
				for _, w := range s.writes {
					c.Feed(w.from, w.b, func(int, Record) {})
				}
				c.Skip(0, gap)
				c.Feed(0, junk, func(int, Record) {})
			}
		})
	}
}
