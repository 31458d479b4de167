package analyze

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

// Captures of one shape, each such that a rule which looked at all sessions again
// for each client, ID, finding or broker would take quadratic time or memory.
var shapes = map[string]func(n int) []*decode.Session{
	"a storm": storm,
	"one client and one ID, none of which ends": func(n int) []*decode.Session {
		c := newCrowd()
		for range n {
			c.answer(c.connect(host(1), "same"), 0)
		}
		return c.sessions
	},
	"one ID, every session of which takes over the last": func(n int) []*decode.Session {
		c := newCrowd()
		for i := range n {
			s := c.connect(host(i%2), "same")
			c.answer(s, 0)
			c.end(s, 2*time.Millisecond, decode.Broker)
		}
		return c.sessions
	},
	"one address, where every ID flaps": func(n int) []*decode.Session {
		c := newCrowd()
		for i := range n {
			s := c.connect(host(1), fmt.Sprint("dev-", i%(n/flapCount)))
			c.answer(s, 0)
			c.end(s, time.Millisecond, decode.Broker)
			s.LastFromClient = s.Closed
		}
		return c.sessions
	},
	"an address and an ID each, all refused": func(n int) []*decode.Session {
		c := newCrowd()
		for i := range n {
			s := c.connect(host(i), fmt.Sprint("dev-", i))
			c.answer(s, 5)
			c.end(s, time.Millisecond, decode.Broker)
		}
		return c.sessions
	},
	"one moment": func(n int) []*decode.Session {
		c := newCrowd()
		for i := range n {
			s := c.connect(host(i%10), fmt.Sprint("dev-", i%10))
			c.answer(s, 5)
			c.end(s, 0, decode.Broker)
			for _, e := range []*decode.Event{&s.Opened, &s.SynAck, &s.ConnectAt, &s.ConnackAt, &s.Closed, &s.BrokerClosed} {
				e.Nano = 0
			}
		}
		return c.sessions
	},
	"a broker each": func(n int) []*decode.Session {
		c := newCrowd()
		for i := range n {
			s := c.connect(host(i%100), "")
			s.Broker = netip.AddrPortFrom(host(1000+i), 1883)
			c.answer(s, 2)
		}
		return c.sessions
	},
	"a port of one host each": func(n int) []*decode.Session {
		c := newCrowd()
		for i := range n {
			s := c.connect(host(i%100), "dev")
			s.Broker = netip.AddrPortFrom(host(1000), uint16(1024+i))
			c.answer(s, 5)
			c.end(s, time.Millisecond, decode.Broker)
		}
		return c.sessions
	},
}

// Eight times the sessions take about eight times the time: sixty-four times would
// be the square. The bound lies between, and a slow moment of the machine is not
// held against a shape.
func TestTimeGrowsInStep(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a few seconds")
	}
	const few, times = 5_000, 8
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			small, large := shape(few), shape(few*times)
			best := func(sessions []*decode.Session, tries int) time.Duration {
				shortest := time.Duration(1<<63 - 1)
				for range tries {
					a := analyzed(sessions)
					begin := time.Now()
					a.Findings()
					shortest = min(shortest, time.Since(begin))
				}
				return shortest
			}
			ratio := 0.0
			for range 6 {
				ratio = float64(best(large, 3)) / float64(best(small, 5))
				if ratio < 6*times {
					t.Logf("%.1f times as long", ratio)
					return
				}
			}
			t.Errorf("%d times the sessions take %.0f times as long", times, ratio)
		})
	}
}

// And so do they take about eight times the memory.
func TestMemoryGrowsInStep(t *testing.T) {
	const few, times = 5_000, 8
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			allocated := func(sessions []*decode.Session) float64 {
				a := analyzed(sessions)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				a.Findings()
				runtime.ReadMemStats(&after)
				return float64(after.TotalAlloc - before.TotalAlloc)
			}
			small, large := allocated(shape(few)), allocated(shape(few*times))
			if large > 3*times*small {
				t.Errorf("%d times the sessions take %.0f times as much", times, large/small)
			}
			t.Logf("%.0f bytes a session", large/(few*times))
		})
	}
}

// The findings are the same however many processors there are.
func TestFindingsOnAnyNumberOfProcessors(t *testing.T) {
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			sessions := shape(3_000)
			on := func(processors int) []string {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
				return tell(analyzed(sessions).Findings())
			}
			if one, many := on(1), on(8); !slices.Equal(one, many) {
				t.Errorf("on one: %q\non many: %q", one, many)
			}
		})
	}
}

// tell says all that is in findings.
func tell(found []Finding) []string {
	var said []string
	for _, f := range found {
		said = append(said, fmt.Sprintf("%v %v %v %v %v %v", f, f.Clients, f.Codes, f.MQTTVersions, f.First, f.Last))
		f.Facts.Each(func(name string, value any, packets []int, known bool) {
			if known {
				said = append(said, fmt.Sprint(name, value, packets))
			}
		})
		for _, e := range f.Evidence {
			said = append(said, fmt.Sprint(e.Session.ID(), e.Packets))
		}
	}
	return said
}
