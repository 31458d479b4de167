package analyze

import (
	"slices"
	"time"
)

const (
	// stormRetries is how many retries without change make a storm: fewer are
	// what any client does once.
	stormRetries = 3
	// stormInterval is the median time between attempts below which they are
	// too many: fixed delays among common clients are 1, 5 and 10 s.
	stormInterval = 15 * time.Second
)

// failedConnect reports an attempt that came to nothing.
func failedConnect(_ *broker, s *session) bool { return s.Connect != nil && s.is(failed) }

// retryStorm finds clients that repeat a failing CONNECT without change and
// without backing off. One finding a broker: a fleet that storms has one cause.
func retryStorm(b *broker, ss []*session) []draft {
	storming := newBitSet(len(b.sessions))
	var intervals []float64
	for _, attempts := range split(ss, &b.ix.clientSet, (*session).client) {
		if len(attempts) <= stormRetries {
			continue
		}
		for _, run := range split(attempts, &b.ix.idSet, (*session).id) {
			if !storms(run, &intervals) {
				continue
			}
			for _, s := range run {
				storming.add(s.at - b.from)
			}
		}
	}
	ss = slices.DeleteFunc(ss, func(s *session) bool { return !storming.has(s.at - b.from) })
	return one(Warning, ss, handshake)
}

// storms looks at one client's attempts; the intervals are only lent.
func storms(run []*session, lent *[]float64) bool {
	intervals := (*lent)[:0]
	for i := 1; i < len(run); i++ {
		if run[i].Connect.Tag == run[i-1].Connect.Tag {
			intervals = append(intervals, run[i].since(run[i-1]).Seconds())
		}
	}
	*lent = intervals
	return len(intervals) >= stormRetries && !backsOff(intervals) && median(intervals) <= stormInterval.Seconds()
}
