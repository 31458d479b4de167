package analyze

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// Options says what is known before the analysis.
type Options struct {
	// Ports are further ports that belong to brokers, beside 1883 and 8883.
	Ports []uint16
	// Broker is what the user says that the brokers are: one of Vendors,
	// with a version behind a colon or without; "" lets the packets tell.
	Broker string
}

// Analyzer keeps the sessions of any number of captures and finds what went
// wrong in them.
type Analyzer struct {
	opts        Options
	connections int
	// sessions holds every connection that is or may turn out to be a session.
	sessions []*decode.Session
	// waiting counts, by endpoint that is no broker by its port, the
	// connections kept that showed no MQTT; silent counts all without MQTT,
	// notKept those that were counted and forgotten.
	waiting         map[netip.AddrPort]int
	silent, notKept int
	omitted         int
	// ix is the index over the sessions so far, nil when it must be made anew.
	ix *index
}

const (
	// maxWaiting bounds how many connections without MQTT are kept an endpoint
	// that is no broker yet, in case it turns out to be one: enough for every
	// finding's evidence, few enough for a capture full of web traffic.
	maxWaiting = 4096
	// maxSilent bounds how many connections without MQTT are kept in all: a
	// flood of SYNs must not fill the memory.
	maxSilent = 1 << 17
	// maxFindings bounds what Findings returns: a scan of a thousand hosts is
	// one story, not a thousand.
	maxFindings = 200
)

// New returns an empty analyzer.
func New(opts Options) *Analyzer {
	return &Analyzer{opts: opts, waiting: map[netip.AddrPort]int{}}
}

// Add takes one connection's session.
func (a *Analyzer) Add(s *decode.Session) {
	a.connections++
	a.keep(s)
}

func (a *Analyzer) keep(s *decode.Session) {
	if !s.MQTT {
		if a.silent >= maxSilent {
			a.notKept++
			return
		}
		if !decode.IsBrokerPort(s.Broker.Port(), a.opts.Ports) {
			if a.waiting[s.Broker] >= maxWaiting {
				a.notKept++
				return
			}
			a.waiting[s.Broker]++
		}
		a.silent++
	}
	a.sessions = append(a.sessions, s)
	a.ix = nil
}

// Merge adds all that b has taken, as if it had been added here.
func (a *Analyzer) Merge(b *Analyzer) {
	a.connections += b.connections
	a.notKept += b.notKept
	for _, s := range b.sessions {
		a.keep(s)
	}
}

// Findings runs every rule over the sessions so far: most severe first, then
// by symptom and number of sessions; the same for the same sessions in any
// order. It returns at most 200, and Omitted tells how many more there are.
func (a *Analyzer) Findings() []Finding {
	ix := a.index()
	var found []Finding
	all := 0 // left out so far
	for _, b := range ix.brokers {
		b.prepare()
		for _, r := range rules {
			found = append(found, r.find(b)...)
		}
		if len(b.siblings) == 0 {
			b.release()
		}
		if len(found) > 4*maxFindings {
			all += len(found) - maxFindings
			found = slices.Clip(slices.Clone(foremost(found)))
		}
	}
	a.omitted = all + max(0, len(found)-maxFindings)
	return foremost(found)
}

// Omitted is how many findings the last call of Findings left out, the least
// severe ones.
func (a *Analyzer) Omitted() int { return a.omitted }

// foremost sorts findings and returns the first maxFindings of them.
func foremost(found []Finding) []Finding {
	slices.SortStableFunc(found, func(x, y Finding) int {
		return cmp.Or(
			cmp.Compare(y.Severity, x.Severity),
			cmp.Compare(rank(x.Symptom), rank(y.Symptom)),
			cmp.Compare(y.Sessions, x.Sessions),
			x.First.Compare(y.First),
		)
	})
	return found[:min(len(found), maxFindings)]
}

// Sessions returns the connections that count as sessions, in order of time.
func (a *Analyzer) Sessions() []*decode.Session { return a.index().sessions }

// Brokers returns what each broker endpoint is guessed to be, or was stated to
// be; the vendor is "" where nothing tells.
func (a *Analyzer) Brokers() map[netip.AddrPort]Broker {
	guesses := map[netip.AddrPort]Broker{}
	for _, b := range a.index().brokers {
		guesses[b.endpoint] = b.what
	}
	return guesses
}

// Totals counts the sessions.
type Totals struct {
	Connections, Sessions, Accepted, Rejected, Unanswered, Refused, TLSFailed, NotMQTT, Unknown int
	// NotKept counts connections without MQTT of which so many were seen that
	// the later ones were only counted.
	NotKept int
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
	t := Totals{Connections: a.connections - ix.folded, Sessions: len(ix.sessions), Brokers: len(ix.brokers), NotKept: a.notKept}
	ids, clients := map[string]bool{}, map[netip.Addr]bool{}
	codes := map[CodeCount]int{}
	var latencies []float64
	for _, s := range ix.sessions {
		clients[s.Client.Addr()] = true
		if s.Connect != nil && s.Connect.ClientID != "" {
			ids[s.Connect.ClientID] = true
		}
		switch s.Outcome {
		case decode.Accepted:
			t.Accepted++
			if s.ConnectAt.Seen() && s.ConnectAt.Before(s.ConnackAt) {
				latencies = append(latencies, ms(s.ConnackAt.Sub(s.ConnectAt)))
			}
		case decode.Rejected:
			t.Rejected++
			code := s.Connack.Code
			codes[CodeCount{Version: s.Version().String(), Code: code, Name: mqtt.CodeName(s.CodeVersion(), code)}]++
		case decode.Unanswered:
			t.Unanswered++
		case decode.Refused:
			t.Refused++
		case decode.TLSFailed:
			t.TLSFailed++
		case decode.NotMQTT:
			t.NotMQTT++
		default:
			t.Unknown++
		}
	}
	t.ClientIDs, t.Clients = len(ids), len(clients)
	if len(latencies) > 0 {
		t.ConnackMedianMS, t.ConnackMaxMS = median(latencies), slices.Max(latencies)
	}
	for c, n := range codes {
		c.Count = n
		t.Codes = append(t.Codes, c)
	}
	slices.SortFunc(t.Codes, func(x, y CodeCount) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.Code, y.Code), cmp.Compare(x.Version, y.Version))
	})
	return t
}
