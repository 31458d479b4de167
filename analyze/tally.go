package analyze

import (
	"cmp"
	"slices"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// Totals counts the sessions.
type Totals struct {
	Connections, Sessions, Accepted, Rejected, Unanswered, Refused, TLSFailed, NotMQTT, Unknown int
	// NotKept counts connections that were only counted, because so many came
	// before them.
	NotKept int
	// Encrypted counts the unknown sessions whose client began TLS and of which
	// therefore nothing more is known.
	Encrypted int
	// Notes counts the sessions that carry each note; never nil.
	Notes map[decode.Note]int
	// ClientIDs counts different non-empty client IDs, Clients different
	// client addresses, Brokers different endpoints.
	ClientIDs, Clients, Brokers int
	// ConnackMedianMS and ConnackMaxMS are the times from CONNECT to CONNACK
	// in milliseconds, over the accepted sessions; 0 without one.
	ConnackMedianMS, ConnackMaxMS float64
	Codes                         []CodeCount
}

// CodeCount counts one CONNACK code other than 0.
type CodeCount struct {
	// Version is the MQTT version of the CONNECT, "" where it is not known.
	Version string
	Code    byte
	Name    string
	Count   int
}

// Totals counts the sessions so far.
func (a *Analyzer) Totals() Totals {
	ix := a.index()
	t := ix.totals
	// What is not kept is only counted, and leaves the index as it is.
	t.Connections, t.NotKept = a.connections-ix.folded, a.notKept
	return t
}

// tally counts sessions one by one.
type tally struct {
	counts Totals
	codes  map[refusal]int
	// latencies are those of the accepted sessions in milliseconds.
	latencies []float64
}

// refusal is a CONNACK code: the version of the CONNECT, the version to whose
// table the code belongs, and the code.
type refusal struct {
	asked, table mqtt.Version
	code         byte
}

// newTally returns a tally for so many sessions.
func newTally(sessions int) *tally {
	return &tally{
		counts: Totals{Notes: map[decode.Note]int{}}, codes: map[refusal]int{},
		latencies: make([]float64, 0, sessions),
	}
}

func (t *tally) add(s *decode.Session) {
	c := &t.counts
	c.Sessions++
	for _, n := range s.Notes.List() {
		c.Notes[n]++
	}
	switch s.Outcome {
	case decode.Accepted:
		c.Accepted++
		if s.ConnectAt.Seen() && s.ConnectAt.Before(s.ConnackAt) {
			t.latencies = append(t.latencies, ms(s.ConnackAt.Sub(s.ConnectAt)))
		}
	case decode.Rejected:
		c.Rejected++
		t.codes[refusal{s.Version(), s.CodeVersion(), s.Connack.Code}]++
	case decode.Unanswered:
		c.Unanswered++
	case decode.Refused:
		c.Refused++
	case decode.TLSFailed:
		c.TLSFailed++
	case decode.NotMQTT:
		c.NotMQTT++
	default:
		c.Unknown++
		if s.First == decode.FirstTLS && !s.MQTT && s.Outcome == decode.Unknown {
			c.Encrypted++
		}
	}
}

// totals are the counts over all that was added.
func (t *tally) totals() Totals {
	c := t.counts
	if len(t.latencies) > 0 {
		c.ConnackMaxMS, c.ConnackMedianMS = slices.Max(t.latencies), median(t.latencies)
	}
	named := map[CodeCount]int{}
	for r, n := range t.codes {
		named[CodeCount{Version: r.asked.String(), Code: r.code, Name: mqtt.CodeName(r.table, r.code)}] += n
	}
	c.Codes = sortCodes(named)
	return c
}

// sortCodes lists codes, the most frequent first, by what counts them.
func sortCodes(counts map[CodeCount]int) []CodeCount {
	var codes []CodeCount
	for code, n := range counts {
		code.Count = n
		codes = append(codes, code)
	}
	slices.SortFunc(codes, func(x, y CodeCount) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.Code, y.Code), cmp.Compare(x.Version, y.Version), cmp.Compare(x.Name, y.Name))
	})
	return codes
}

// addCodes adds up two lists.
func addCodes(x, y []CodeCount) []CodeCount {
	counts := map[CodeCount]int{}
	for _, list := range [][]CodeCount{x, y} {
		for _, c := range list {
			n := c.Count
			c.Count = 0
			counts[c] += n
		}
	}
	return sortCodes(counts)
}
