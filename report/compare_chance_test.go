package report

import (
	"math"
	"math/big"
	"testing"
	"time"
)

// ways is the binomial coefficient, exactly.
func ways(n, k int64) *big.Rat {
	if k < 0 || k > n {
		return new(big.Rat)
	}
	return new(big.Rat).SetInt(new(big.Int).Binomial(n, k))
}

func near(got, want float64) bool { return math.Abs(got-want) <= 1e-9*max(1, math.Abs(want)) }

func TestChanceOfNone(t *testing.T) {
	for _, tt := range []struct{ k, in, not, want float64 }{
		{1, 1, 1, 0.5},
		{3, 1, 1, 0.125},
		{5, 1, 1, 0.03125}, // five of five in one of two equal times
		{1, 1, 19, 0.05},   // the rule of three: 19 times as long for one event
		{2, 3, 0, 1},       // nothing observed proves nothing
	} {
		if got := noneInTime(tt.k, tt.in, tt.not); !near(got, tt.want) {
			t.Errorf("noneInTime(%v, %v, %v) = %v, want %v", tt.k, tt.in, tt.not, got, tt.want)
		}
	}
	for _, tt := range []struct{ k, in, not, want float64 }{
		{1, 1, 1, 0.5},
		{5, 5, 2, 1.0 / 21}, // all five failed; two that did not would be one way of C(7,2)
		{1, 100, 100, 0.5},
		{5, 5, 0, 1},
	} {
		if got := noneInAttempts(tt.k, tt.in, tt.not); !near(got, tt.want) {
			t.Errorf("noneInAttempts(%v, %v, %v) = %v, want %v", tt.k, tt.in, tt.not, got, tt.want)
		}
	}
}

// TestTailsAreExact compares with sums of fractions.
func TestTailsAreExact(t *testing.T) {
	for n := int64(1); n <= 24; n++ {
		for k := int64(0); k <= n; k++ {
			for _, p := range []*big.Rat{big.NewRat(1, 2), big.NewRat(1, 5), big.NewRat(2, 3)} {
				if float64(k) < ratio(p)*float64(n) {
					continue // below what is expected nobody asks
				}
				sum := new(big.Rat)
				for i := k; i <= n; i++ {
					term := ways(n, i)
					for range i {
						term.Mul(term, p)
					}
					for range n - i {
						term.Mul(term, new(big.Rat).Sub(big.NewRat(1, 1), p))
					}
					sum.Add(sum, term)
				}
				if got := binomialTail(float64(k), float64(n), ratio(p)); !near(got, ratio(sum)) {
					t.Fatalf("binomialTail(%d, %d, %v) = %v, want %v", k, n, p, got, ratio(sum))
				}
			}
		}
	}
	for _, all := range []int64{5, 12, 30} {
		for draw := int64(1); draw < all; draw++ {
			for marked := int64(1); marked < all; marked++ {
				for k := (draw*marked + all - 1) / all; k <= min(draw, marked); k++ {
					sum := new(big.Rat)
					for i := k; i <= min(draw, marked); i++ {
						sum.Add(sum, new(big.Rat).Mul(ways(marked, i), ways(all-marked, draw-i)))
					}
					sum.Quo(sum, ways(all, draw))
					if got := hyperTail(float64(k), float64(draw), float64(marked), float64(all)); !near(got, ratio(sum)) {
						t.Fatalf("hyperTail(%d, %d, %d, %d) = %v, want %v", k, draw, marked, all, got, ratio(sum))
					}
				}
			}
		}
	}
}

func ratio(r *big.Rat) float64 { f, _ := r.Float64(); return f }

// TestNeededIsEnoughAndNoMore: what is said to be needed proves it, and one
// attempt or a hundredth of the time less does not.
func TestNeededIsEnoughAndNoMore(t *testing.T) {
	for _, k := range []float64{1, 2, 3, 7, 30, 1000} {
		for _, others := range []float64{0, 1, 30, 5000} {
			for _, slots := range []float64{1, 30, 720} {
				in := exposure{slots, others}
				n := neededFor(k, in)
				enough := n.ObservedMS / float64(slot/time.Millisecond)
				if c, _ := chanceOfNone(k, in, exposure{enough, float64(n.Attempts)}); c > maxChance+1e-9 {
					t.Errorf("%v in %+v: %+v leaves a chance of %v", k, in, n, c)
				}
				if noneInAttempts(k, k+others, float64(n.Attempts-1)) <= maxChance {
					t.Errorf("%v in %+v: %d attempts are more than needed", k, in, n.Attempts)
				}
				if noneInTime(k, slots, enough*0.99) <= maxChance {
					t.Errorf("%v in %+v: %v ms are more than needed", k, in, n.ObservedMS)
				}
			}
		}
	}
}

func TestChange(t *testing.T) {
	hour := func(others float64) exposure { return exposure{30, others} }
	for _, tt := range []struct {
		name          string
		before, after float64
		in, then      exposure
		want          Status
	}{
		{"3 and 5 are nothing", 3, 5, hour(100), hour(100), Still},
		{"the same", 40, 40, hour(100), hour(100), Still},
		{"3 and 12", 3, 12, hour(100), hour(100), More},  // P(12 or more of 15) = 576/32768, twice that is 3.5 %
		{"3 and 10", 3, 10, hour(100), hour(100), Still}, // 378/8192, twice that is 9.2 %
		{"12 and 3", 12, 3, hour(100), hour(100), Less},
		{"twice as long, twice as many", 10, 20, hour(100), exposure{60, 200}, Still},
		{"a tenth as long, as many", 10, 10, hour(100), exposure{3, 10}, More},
		{"sure, but a small change", 10000, 12000, exposure{30, 1e6}, exposure{30, 1e6}, Still},
		{"more an hour, because more was tried", 20, 60, hour(200), hour(600), Still},
		{"a larger share, because less was tried", 20, 20, hour(2000), hour(100), Still},
		{"all that is tried fails in both", 300, 30, hour(0), hour(0), Still},
	} {
		t.Run(tt.name, func(t *testing.T) {
			chance, got := change(tt.before, tt.after, tt.in, tt.then)
			if got != tt.want {
				t.Errorf("%s with a chance of %v, want %s", got, chance, tt.want)
			}
			if mirrored, back := change(tt.after, tt.before, tt.then, tt.in); !near(mirrored, chance) ||
				(got == More) != (back == Less) || (got == Less) != (back == More) {
				t.Errorf("%s with %v, but the other way round %s with %v", got, chance, back, mirrored)
			}
		})
	}
}

// TestChanceIsBounded: whatever a file claims, the answer is a probability, and
// it comes at once.
func TestChanceIsBounded(t *testing.T) {
	sizes := []float64{0, 1, 2, 1000, maxCount}
	for _, a := range sizes[1:] {
		for _, b := range sizes[1:] {
			for _, x := range sizes {
				for _, y := range sizes {
					in, then := exposure{max(x, 1), y}, exposure{y, x}
					chance, _ := change(a, b, in, then)
					none, _ := chanceOfNone(a, in, then)
					if !(chance >= 0 && chance <= 1 && none >= 0 && none <= 1) {
						t.Fatalf("change(%v, %v, %v, %v): chances %v and %v", a, b, in, then, chance, none)
					}
					if n := neededFor(a, in); n.Attempts < 1 || !(n.ObservedMS >= 0) {
						t.Fatalf("neededFor(%v, %v) = %+v", a, in, n)
					}
				}
			}
		}
	}
}
