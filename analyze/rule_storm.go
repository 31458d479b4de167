package analyze

import (
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

const (
	// stormRetries is how many retries without change make a storm: fewer are
	// what any client does once.
	stormRetries = 3
	// stormInterval is the median time between attempts below which they are
	// too many: fixed delays among common clients are 1, 5 and 10 s.
	stormInterval = 15 * time.Second
)

// retryStorm finds clients that repeat a failing CONNECT without change and
// without backing off. One finding a broker: a fleet that storms has one cause.
func retryStorm(b *broker) []Finding {
	type client struct{ addr, id string }
	runs := map[client][]*decode.Session{}
	var order []client
	for _, s := range b.sessions {
		if s.Connect == nil || !failed(s) {
			continue
		}
		c := client{s.Client.Addr().String(), s.Connect.ClientID}
		if runs[c] == nil {
			order = append(order, c)
		}
		runs[c] = append(runs[c], s)
	}
	storming := map[*decode.Session]bool{}
	for _, c := range order {
		if storms(runs[c]) {
			for _, s := range runs[c] {
				storming[s] = true
			}
		}
	}
	return one(RetryStorm, Warning, b, b.where(func(s *decode.Session) bool { return storming[s] }), handshake)
}

func storms(run []*decode.Session) bool {
	var intervals []float64
	for i := 1; i < len(run); i++ {
		if run[i].Connect.Tag == run[i-1].Connect.Tag {
			intervals = append(intervals, run[i].Opened.Sub(run[i-1].Opened).Seconds())
		}
	}
	return len(intervals) >= stormRetries && !backsOff(intervals) && median(intervals) <= stormInterval.Seconds()
}
