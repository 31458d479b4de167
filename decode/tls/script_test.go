package tls

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"testing"
)

// opensAs checks that all records of a side are told as the model has them.
func opensAs(t *testing.T, s *script, from int, got []Record) {
	t.Helper()
	want := s.records[from]
	if len(got) != len(want) {
		t.Fatalf("side %d: %d records, want %d", from, len(got), len(want))
	}
	for i, w := range want {
		r := got[i]
		visible := w.sealed || w.t == Handshake || w.t == Alert
		if r.Type != w.t || r.Opened != w.sealed || visible && !bytes.Equal(r.Body, w.content) || !visible && r.Body != nil || r.Length != w.end-w.begin-headerSize {
			t.Fatalf("side %d, record %d: %+v, want %+v", from, i, r, w)
		}
	}
}

func opensAll(t *testing.T, s *script) {
	t.Helper()
	for i := range 8 {
		writes := s.writes
		if i > 0 {
			writes = shuffle(rand.New(rand.NewPCG(uint64(i), 0)), writes)
		}
		got := follow(NewConn(s.keys(), nil), writes)
		for from := range got {
			opensAs(t, s, from, got[from])
		}
	}
}

// everySuite calls f with a script for each kind of suite.
func everySuite(t *testing.T, f func(t *testing.T, s *script)) {
	type kindOf struct {
		suite
		version int
		etm     bool
	}
	seen := map[kindOf]bool{}
	for id := range 0x10000 {
		for _, version := range []int{version11, version12, version13} {
			for _, etm := range []bool{false, true} {
				s, known := suiteFor(uint16(id), version)
				k := kindOf{s, version, etm}
				if !known || seen[k] || etm && s.kind != cbc {
					continue
				}
				seen[k] = true
				t.Run(fmt.Sprintf("%04x %x etm=%v", id, version, etm), func(t *testing.T) { f(t, newScript(uint64(id), uint16(id), version, etm)) })
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("%d kinds of suites", len(seen))
	}
}

func TestEverySuite(t *testing.T) {
	everySuite(t, func(t *testing.T, s *script) {
		s.handshake()
		for range 5 {
			s.data(0, 2, 300)
			s.data(1, 3, 300)
			if s.version == version13 {
				s.updateKey(s.r.IntN(2))
			}
		}
		s.data(0, 1, 16000)
		s.send(1, Alert, []byte{1, 0})
		s.send(0, Alert, []byte{1, 0})
		opensAll(t, s)
	})
}

// TestWrongSecret: nothing opens, everything stays in step.
func TestWrongSecret(t *testing.T) {
	everySuite(t, func(t *testing.T, s *script) {
		s.handshake()
		s.data(0, 10, 300)
		s.data(1, 10, 300)
		for _, b := range s.secrets {
			b[0]++
		}
		got := follow(NewConn(s.keys(), nil), s.writes)
		for from := range got {
			if len(got[from]) != len(s.records[from]) {
				t.Errorf("side %d: %d records, want %d", from, len(got[from]), len(s.records[from]))
			}
			for _, r := range got[from] {
				if r.Opened {
					t.Errorf("side %d: %+v", from, r)
				}
			}
		}
	})
}

// TestDamagedRecords: one that does not open costs only itself.
func TestDamagedRecords(t *testing.T) {
	everySuite(t, func(t *testing.T, s *script) {
		s.handshake()
		for from := range 2 {
			s.data(from, 40, 300)
		}
		var at [2]int
		damaged := map[[2]int]bool{}
		for i := range s.writes {
			w := &s.writes[i]
			if r := s.records[w.from][at[w.from]]; r.sealed && r.t == ApplicationData && s.r.IntN(4) == 0 {
				w.b = bytes.Clone(w.b)
				w.b[headerSize+s.r.IntN(len(w.b)-headerSize)] ^= 0x40
				damaged[[2]int{w.from, at[w.from]}] = true
			}
			at[w.from]++
		}
		got := follow(NewConn(s.keys(), nil), s.writes)
		for from := range got {
			for i, r := range got[from] {
				w := s.records[from][i]
				if r.Opened != (w.sealed && !damaged[[2]int{from, i}]) || r.Opened && !bytes.Equal(r.Body, w.content) {
					t.Fatalf("side %d, record %d: %+v, want %+v, damaged %v", from, i, r, w, damaged[[2]int{from, i}])
				}
			}
		}
	})
}

// TestMissingLabels opens what the labels that are there allow.
func TestMissingLabels(t *testing.T) {
	for flight := 1; flight < 30; flight += 7 {
		s := newScript(uint64(flight), 0x1302, version13, false)
		s.hellos(nil, nil)
		s.handshake13(flight, false)
		s.data(0, 5, 100)
		s.updateKey(1)
		s.data(1, 5, 100)
		for _, test := range []struct {
			without []string
			from    int
			opens   func(i int) bool // which sealed records of that side
		}{
			{[]string{"SERVER_HANDSHAKE_TRAFFIC_SECRET"}, 1, func(i int) bool { return i >= flight }},
			{[]string{"SERVER_TRAFFIC_SECRET_0"}, 1, func(i int) bool { return i < flight }},
			{[]string{"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0"}, 0, func(i int) bool { return i >= 1 }},
			{[]string{"CLIENT_TRAFFIC_SECRET_0"}, 0, func(i int) bool { return i < 1 }},
			{[]string{"CLIENT_TRAFFIC_SECRET_0", "CLIENT_HANDSHAKE_TRAFFIC_SECRET"}, 0, func(i int) bool { return false }},
		} {
			got := follow(NewConn(s.keys(test.without...), nil), s.writes)[test.from]
			sealed := 0
			for i, r := range got {
				w := s.records[test.from][i]
				if !w.sealed {
					continue
				}
				if r.Opened != test.opens(sealed) || r.Opened && !bytes.Equal(r.Body, w.content) {
					t.Errorf("flight of %d, without %v, sealed record %d: %+v", flight, test.without, sealed, r)
				}
				sealed++
			}
		}
	}
}

// TestLateSecrets: the secrets of a capture come after the hellos.
func TestLateSecrets(t *testing.T) {
	for _, version := range []int{version12, version13} {
		id := map[int]uint16{version12: 0xc02f, version13: 0x1301}[version]
		s := newScript(3, id, version, false)
		s.handshake()
		s.data(0, 3, 100)
		s.data(1, 3, 100)
		keys := new(Keys)
		c := NewConn(keys, nil)
		opened := 0
		for i, w := range s.writes {
			if i == 4 {
				keys.Add([]byte(s.log))
			}
			c.Feed(w.from, w.b, func(_ int, r Record) {
				if r.Opened && r.Type == ApplicationData {
					opened++
				}
			})
		}
		if opened != 6 {
			t.Errorf("%x: %d opened", version, opened)
		}
	}
}

// TestEarlyData covers 0-RTT data that is accepted, rejected, and answered by a
// HelloRetryRequest.
func TestEarlyData(t *testing.T) {
	const size = 3
	for _, test := range []struct {
		name             string
		accept, retry    bool
		without          string
		late             int  // early records behind the ServerHello
		opened, unopened bool // the early data
	}{
		{name: "accepted", accept: true, opened: true},
		{name: "accepted, more behind the hello", accept: true, late: 4, opened: true},
		{name: "accepted, the server's word unreadable", accept: true, without: "SERVER_HANDSHAKE_TRAFFIC_SECRET", late: 2, opened: true},
		{name: "accepted, no early secret", accept: true, without: "CLIENT_EARLY_TRAFFIC_SECRET", unopened: true},
		{name: "rejected"},
		{name: "rejected, more behind the hello", late: 20},
		{name: "rejected, the server's word unreadable", without: "SERVER_HANDSHAKE_TRAFFIC_SECRET"},
		{name: "retry", retry: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScript(9, 0x1301, version13, false)
			earlySealed := 0
			earlyRecords := func(n int) {
				s.data(0, n, 100)
				earlySealed += n
			}
			s.hellos(extensionBytes(extEarlyData), func() {
				s.send(0, ChangeCipherSpec, []byte{1})
				s.key13(0, s.secret("CLIENT_EARLY_TRAFFIC_SECRET", 32))
				earlyRecords(size)
				if test.retry {
					s.serverHello(retryRandom)
					s.sealers[0] = nil
					s.hellos(nil, nil)
				}
			})
			if test.retry {
				s.writes = s.writes[:len(s.writes)-1] // hellos ran twice
				s.records[1] = s.records[1][:len(s.records[1])-1]
			}
			earlyRecords(test.late * map[bool]int{true: 0, false: 1}[test.retry])
			s.handshake13(1, test.accept)
			s.data(0, 3, 100)
			s.data(1, 3, 100)
			for round := range 6 {
				writes := s.writes
				if round > 0 {
					writes = pieces(writes, 1<<round)
				}
				c := NewConn(s.keys(test.without), nil)
				got := follow(c, writes)
				if len(got[0]) != len(s.records[0]) || len(got[1]) != len(s.records[1]) {
					t.Fatalf("%d and %d records, want %d and %d", len(got[0]), len(got[1]), len(s.records[0]), len(s.records[1]))
				}
				seen := 0
				for i, r := range got[0] {
					w := s.records[0][i]
					if !w.sealed {
						continue
					}
					want := true
					if seen++; seen <= earlySealed {
						want = test.opened
					} else if test.accept && seen == earlySealed+1 {
						want = test.opened // EndOfEarlyData has the early key
					}
					if r.Opened != want || want && !bytes.Equal(r.Body, w.content) {
						t.Errorf("round %d, record %d: %+v, want %+v", round, i, r, w)
					}
				}
			}
		})
	}
}

// TestEarlyDataIsBounded: what the server never answers is not held for ever.
func TestEarlyDataIsBounded(t *testing.T) {
	s := newScript(1, 0x1301, version13, false)
	s.hellos(extensionBytes(extEarlyData), func() {
		s.key13(0, s.secret("CLIENT_EARLY_TRAFFIC_SECRET", 32))
		for range 20 {
			s.send(0, ApplicationData, make([]byte, 16000))
		}
	})
	c := NewConn(s.keys(), nil)
	seen := 0
	for _, w := range s.writes[:len(s.writes)-1] {
		c.Feed(w.from, w.b, func(int, Record) { seen++ })
		if c.early.size > maxHeld {
			t.Fatalf("%d bytes are held", c.early.size)
		}
	}
	if seen != 21 {
		t.Errorf("%d records", seen)
	}
}

// TestGaps drops random ranges: what opens are true records in order, and a
// record that is whole behind the last gap opens again.
func TestGaps(t *testing.T) {
	everySuite(t, func(t *testing.T, base *script) {
		for round := range 30 {
			s := newScript(uint64(round), base.id, base.version, base.etm)
			s.handshake()
			handshakes := s.size
			for i := range 12 {
				s.data(0, s.r.IntN(4), 400)
				s.data(1, s.r.IntN(4), 400)
				if i == 6 && s.version == version13 {
					s.updateKey(s.r.IntN(2))
				}
			}
			s.data(0, 4, 300)
			s.data(1, 4, 300)
			// The gaps: anywhere behind the hellos in TLS 1.3, behind the
			// handshake in TLS 1.2; not in the last three records.
			var gaps [2][][2]int
			for from := range 2 {
				first := handshakes[from]
				if s.version == version13 && round%2 == 0 {
					first = s.records[from][0].end
				}
				last := s.records[from][len(s.records[from])-3].begin
				for range 1 + s.r.IntN(3) {
					begin := first + s.r.IntN(last-first)
					gaps[from] = append(gaps[from], [2]int{begin, min(last, begin+1+s.r.IntN(900))})
				}
			}
			missing := func(from, at int) bool {
				for _, g := range gaps[from] {
					if at >= g[0] && at < g[1] {
						return true
					}
				}
				return false
			}
			var writes []write
			var at [2]int
			for _, w := range s.writes {
				for i := range w.b {
					lost := missing(w.from, at[w.from])
					if n := len(writes); n > 0 && i > 0 && writes[n-1].missing == lost && s.r.IntN(500) > 0 {
						writes[n-1].b = w.b[i-len(writes[n-1].b) : i+1]
					} else {
						writes = append(writes, write{w.from, w.b[i : i+1], 0, lost})
					}
					at[w.from]++
				}
			}
			c := NewConn(s.keys(), nil)
			got := follow(c, writes)
			for from := range got {
				model := s.records[from]
				for _, r := range got[from] {
					if !r.Opened {
						continue
					}
					for len(model) > 0 && (!bytes.Equal(model[0].content, r.Body) || model[0].t != r.Type) {
						model = model[1:]
					}
					if len(model) == 0 {
						t.Fatalf("round %d, side %d: %+v is not of the model, or not in order", round, from, r)
					}
					model = model[1:]
				}
				if c.Lost(from) || len(model) > 0 {
					t.Fatalf("round %d, side %d: gaps %v; lost %v, %d records behind the last that opened", round, from, gaps[from], c.Lost(from), len(model))
				}
			}
		}
	})
}

// TestGapWithoutKeys is as before: it cannot be found over.
func TestGapWithoutKeys(t *testing.T) {
	s := newScript(1, 0x1301, version13, false)
	s.handshake()
	s.data(1, 3, 300)
	for _, keys := range []*Keys{nil, new(Keys)} {
		c := NewConn(keys, nil)
		follow(c, s.writes)
		last := s.writes[len(s.writes)-1].b
		c.Feed(1, last[:20], func(int, Record) {})
		c.Skip(1, 5)
		seen := 0
		c.Feed(1, last[25:], func(int, Record) { seen++ })
		if c.Lost(1) || seen != 1 {
			t.Errorf("a gap inside application data: lost %v, %d records", c.Lost(1), seen)
		}
		if c.Skip(1, 5); !c.Lost(1) || c.Lost(0) {
			t.Error("a gap between records was not noticed, or on the wrong side")
		}
	}
}

// TestRenegotiation follows a handshake inside the encrypted stream of TLS 1.2.
func TestRenegotiation(t *testing.T) {
	s := newScript(1, 0xc02f, version12, false)
	s.handshake()
	s.data(0, 2, 100)
	// The same randoms again, and so the same keys, with numbers from zero.
	s.hellos(nil, nil)
	s.handshake12()
	s.data(0, 2, 100)
	s.data(1, 2, 100)
	opensAll(t, s)

	// Without its hellos it cannot be followed.
	s = newScript(1, 0xc02f, version12, false)
	s.handshake()
	s.send(0, ChangeCipherSpec, []byte{1})
	s.data(0, 1, 100)
	c := NewConn(s.keys(), nil)
	if follow(c, s.writes); !c.Lost(0) || c.Lost(1) {
		t.Errorf("lost %v %v", c.Lost(0), c.Lost(1))
	}
}

// TestPlaintextIsWiped: nothing that was opened stays in the shared memory.
func TestPlaintextIsWiped(t *testing.T) {
	everySuite(t, func(t *testing.T, s *script) {
		s.handshake()
		s.data(0, 5, 300)
		for i := range s.writes {
			if s.r.IntN(3) == 0 && i > 8 {
				s.writes[i].b[len(s.writes[i].b)-1]++
			}
		}
		var body []byte
		c := NewConn(s.keys(), nil)
		for _, w := range s.writes {
			c.Feed(w.from, w.b, func(_ int, r Record) {
				if r.Opened && r.Type == ApplicationData {
					body = r.Body
				}
			})
			if bytes.ContainsFunc(body, func(r rune) bool { return r != 0 }) {
				t.Fatalf("%x", body)
			}
		}
	})
}

// TestServerHelloFirst has the directions out of order, as captures on two
// interfaces have: what comes behind both hellos opens.
func TestServerHelloFirst(t *testing.T) {
	for _, id := range []uint16{0x1301, 0xc02f} {
		s := newScript(5, id, map[bool]int{true: version13, false: version12}[id>>8 == 0x13], false)
		s.handshake()
		s.data(0, 3, 100)
		s.data(1, 3, 100)
		s.writes[0], s.writes[1] = s.writes[1], s.writes[0]
		got := follow(NewConn(s.keys(), nil), s.writes)
		for from := range got {
			opensAs(t, s, from, got[from])
		}
	}
}

// TestChainedAfterGap: in TLS 1.0 a record needs the one before. A gap inside
// one costs the next as well, a gap between them the direction.
func TestChainedAfterGap(t *testing.T) {
	config := &tls.Config{CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10,
		Certificates: []tls.Certificate{selfSigned(t, "a", true)}}
	d := converse(t, config, config)
	// The answer is the last of what the server sends, in records of which the
	// fifth from the end is hurt.
	c := NewConn(d.keys(), nil)
	whole := follow(c, d.writes)[1]
	hurt := len(whole) - 5
	begin := 0
	for _, r := range whole[:hurt] {
		begin += headerSize + r.Length
	}
	for _, inside := range []bool{true, false} {
		c = NewConn(d.keys(), nil)
		missing := [2]int{begin + 10, begin + 20}
		if !inside {
			missing[0] = begin
		}
		at := 0
		var got []Record
		for _, w := range pieces(d.writes, 1) {
			if w.from == 1 {
				if at++; at > missing[0] && at <= missing[1] {
					c.Skip(1, 1)
					continue
				}
			}
			c.Feed(w.from, w.b, func(from int, r Record) {
				if from == 1 {
					got = append(got, r)
				}
			})
		}
		if !inside {
			if !c.Lost(1) || len(got) != hurt {
				t.Errorf("a gap between records: lost %v, %d records, want %d", c.Lost(1), len(got), hurt)
			}
			continue
		}
		if c.Lost(1) || len(got) != len(whole) {
			t.Fatalf("lost %v, %d records, want %d", c.Lost(1), len(got), len(whole))
		}
		for i, r := range got {
			if want := whole[i].Opened && i != hurt && i != hurt+1; r.Opened != want {
				t.Errorf("record %d of %d, hurt %d: opened %v, want %v", i, len(whole), hurt, r.Opened, want)
			}
		}
	}
}
