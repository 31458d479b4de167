package report

import (
	"math"
	"time"
)

// Silence proves nothing until something should have been heard. The tests here
// ask how probable a change is if in truth nothing changed, and believe one of
// which the chance is 5 % or less. Each is made by time and by attempts, and the
// larger of the two chances counts: nobody may have tried in a quiet hour, and a
// busy minute may fall between two outages.
const (
	maxChance = 0.05
	// leastRatio is the change of rate below which more is not worth saying,
	// however sure: traffic varies by that much from one day to the next.
	leastRatio = 1.5
	// slot is the longest pause between the attempts of one client that may be
	// its backoff: 120 s is the longest default among common clients (Paho,
	// libmosquitto, and the AWS SDKs with 128 s).
	slot = 2 * time.Minute
)

// exposure is what could have shown a finding: slots of time, and attempts of
// others than those that have it.
type exposure struct{ slots, others float64 }

func exposureOf(doc *Document, f *Finding, symptom string) exposure {
	e := exposure{
		slots:  float64(observed(doc)) / float64(slot),
		others: float64(attempts(doc, symptom)),
	}
	if f != nil {
		e.slots = max(e.slots, 1) // what was seen once took one
		e.others = max(e.others-float64(f.Sessions), 0)
	}
	return e
}

// occasions counts the sessions of a finding that may be taken for independent
// of each other. A client that is refused tries again, which is no second
// occurrence: one client counts once a slot.
func occasions(f *Finding) float64 {
	clients := max(len(named(f.ClientIDs)), len(f.Clients), 1)
	return min(count(f.Sessions), float64(clients)*slotsOf(f))
}

// outages counts them where all clients may have one cause at once, such as a
// broker that is down: a slot counts once, whoever is in it. What fell into less
// than half of the time is one episode, of which nobody knows when it comes
// again, and counts once.
func outages(f *Finding, seen time.Duration) float64 {
	if seen > 2*slot && spanOfFinding(f) < seen/2 {
		return 1
	}
	return min(count(f.Sessions), slotsOf(f))
}

func count(n int) float64 { return float64(min(max(n, 1), maxCount)) }

func spanOfFinding(f *Finding) time.Duration {
	first, last := time.Time(f.First), time.Time(f.Last)
	if first.IsZero() || last.Before(first) {
		return 0
	}
	return min(last.Sub(first), maxObserved)
}

func slotsOf(f *Finding) float64 { return float64(spanOfFinding(f)/slot) + 1 }

// lack is what an exposure has too little of for silence to prove anything.
type lack struct{ time, attempts bool }

// chanceOfNone is the chance that something seen k times in one exposure is not
// seen at all in the other, and what the other lacks where that proves nothing.
func chanceOfNone(k float64, in, not exposure) (float64, lack) {
	byTime, byAttempts := noneInTime(k, in.slots, not.slots), noneInAttempts(k, k+in.others, not.others)
	return max(byTime, byAttempts), lack{byTime > maxChance, byAttempts > maxChance}
}

// noneInTime: of k events, each falls into a time in proportion to its length,
// so that the chance that all fall into the one is its share to the power of k
// (Przyborowski and Wilenski 1940, given the sum).
func noneInTime(k, in, not float64) float64 {
	return math.Pow(in/(in+not), k)
}

// noneInAttempts: of all attempts, k show it. That those are all among the one
// side's is Fisher's exact test with an empty cell.
func noneInAttempts(k, in, not float64) float64 {
	// Among very many the logarithms are off by some millionths.
	return min(math.Exp(choose(in, k)-choose(in+not, k)), 1)
}

// neededFor is what must be observed without an event for the chance to fall to
// maxChance.
func neededFor(k float64, in exposure) Needed {
	slots := in.slots * (math.Pow(maxChance, -1/k) - 1)
	low, high := 0, 1
	for high < maxCount && noneInAttempts(k, k+in.others, float64(high)) > maxChance {
		low, high = high, 2*high
	}
	for high-low > 1 {
		if middle := (low + high) / 2; noneInAttempts(k, k+in.others, float64(middle)) > maxChance {
			low = middle
		} else {
			high = middle
		}
	}
	observed := min(slots*float64(slot), float64(maxObserved))
	return Needed{ObservedMS: math.Ceil(observed / float64(time.Millisecond)), Attempts: high}
}

// change compares how often something was seen in two exposures. It returns the
// chance of a change as large as this, in either direction, and Less, Still or
// More.
func change(before, after float64, in, then exposure) (float64, Status) {
	then.slots = max(then.slots, 1)
	all1, all2 := before+in.others, after+then.others
	ratioTime := after / then.slots * in.slots / before
	ratioShare := after / all2 * all1 / before
	var tail float64
	status := More
	switch {
	case ratioTime >= leastRatio && ratioShare >= leastRatio:
		tail = max(binomialTail(after, before+after, then.slots/(in.slots+then.slots)),
			hyperTail(after, all2, before+after, all1+all2))
	case ratioTime <= 1/leastRatio && ratioShare <= 1/leastRatio:
		status = Less
		tail = max(binomialTail(before, before+after, in.slots/(in.slots+then.slots)),
			hyperTail(before, all1, before+after, all1+all2))
	default:
		return 1, Still
	}
	// Nobody said beforehand in which direction it would go.
	chance := min(2*tail, 1)
	if chance > maxChance {
		return chance, Still
	}
	return chance, status
}

// binomialTail is the chance of k or more of n where each has the chance p, for k
// above what is expected.
func binomialTail(k, n, p float64) float64 {
	if p <= 0 || p >= 1 {
		return 1
	}
	return upperTail(k, n, func(k float64) float64 {
		return choose(n, k) + k*math.Log(p) + (n-k)*math.Log1p(-p)
	})
}

// hyperTail is the chance of k or more marked ones in a draw, where so many of all
// are marked, for k above what is expected.
func hyperTail(k, draw, marked, all float64) float64 {
	return upperTail(k, min(draw, marked), func(k float64) float64 {
		return choose(marked, k) + choose(all-marked, draw-k) - choose(all, draw)
	})
}

// upperTail sums the probabilities from k to last. They fall from k on, so what
// comes after a negligible one is negligible.
func upperTail(k, last float64, logarithm func(float64) float64) float64 {
	sum := 0.0
	for ; k <= last; k++ {
		p := math.Exp(logarithm(k))
		sum += p
		if p <= sum*1e-12 {
			break
		}
	}
	return min(sum, 1)
}

// choose is the logarithm of the binomial coefficient, -Inf where there is no way
// to choose.
func choose(n, k float64) float64 {
	if k < 0 || k > n {
		return math.Inf(-1)
	}
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(k + 1)
	c, _ := math.Lgamma(n - k + 1)
	return a - b - c
}
