package analyze

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/mqttriage/mqttriage/decode"
)

func TestByTime(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, nano := range map[string]func(i int) int64{
		"none":              func(int) int64 { return 0 },
		"in order":          func(i int) int64 { return int64(i) },
		"backwards":         func(i int) int64 { return -int64(i) },
		"few moments":       func(int) int64 { return random.Int64N(7) },
		"a day":             func(int) int64 { return random.Int64N(86_400_000_000_000) },
		"any":               func(int) int64 { return int64(random.Uint64()) },
		"from end to end":   func(i int) int64 { return []int64{math.MinInt64, math.MaxInt64, 0}[i%3] },
		"dense and far off": func(i int) int64 { return int64(i%100) + int64(i%2)<<62 },
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{0, 1, 2, 100, 5000} {
				origins := []*decode.Origin{{Capture: "b", Index: 1}, {Capture: "a", Index: 2}, {Capture: "a", Index: 10}}
				var sessions []*decode.Session
				for i := range n {
					sessions = append(sessions, &decode.Session{
						Origin: origins[random.IntN(3)], Number: uint32(i),
						Opened: decode.Event{Packet: 1 + random.IntN(50), Nano: nano(i)},
						Client: netip.AddrPortFrom(host(i), 1),
					})
				}
				want := slices.Clone(sessions)
				slices.SortFunc(want, compareSessions)
				var got []*decode.Session
				for _, i := range byTime(sessions) {
					got = append(got, sessions[i])
				}
				if !slices.Equal(got, want) {
					t.Errorf("%d sessions are not in order", n)
				}
			}
		})
	}
}

func TestSortByTime(t *testing.T) {
	type item struct {
		time  int64
		place int
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		var list []item
		for i := range random.IntN(200) {
			list = append(list, item{random.Int64N(20), i})
		}
		want := slices.Clone(list)
		slices.SortStableFunc(want, func(x, y item) int { return int(x.time - y.time) })
		sortByTime(list, func(i item) int64 { return i.time })
		if !slices.Equal(list, want) {
			t.Fatalf("got %v, want %v", list, want)
		}
	}
}

func TestMedian(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for n := 1; n < 3000; n = n*5/4 + 1 {
		for name, value := range map[string]func(i int) float64{
			"equal":     func(int) float64 { return 1 },
			"in order":  func(i int) float64 { return float64(i) },
			"backwards": func(i int) float64 { return float64(-i) },
			"few":       func(int) float64 { return float64(random.IntN(4)) },
			"any":       func(int) float64 { return random.NormFloat64() },
			"a pipe":    func(i int) float64 { return float64(min(i, n-i)) },
			"a saw":     func(i int) float64 { return float64(i % 17) },
		} {
			v := make([]float64, n)
			for i := range v {
				v[i] = value(i)
			}
			sorted := slices.Sorted(slices.Values(v))
			if got := median(v); got != sorted[n/2] {
				t.Errorf("%s: the median of %d is %v, want %v", name, n, got, sorted[n/2])
			}
			if slices.Sort(v); !slices.Equal(v, sorted) {
				t.Errorf("%s: the values are others", name)
			}
		}
	}
}
