package analyze

import (
	"net/netip"
	"slices"

	"github.com/mqttriage/mqttriage/decode"
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
	// known are endpoints of brokers from elsewhere than the sessions; nil without.
	known map[netip.AddrPort]bool
	// ix is the index over the sessions so far, nil when it must be made anew;
	// found are the findings in it, nil when they must be found.
	ix      *index
	found   []Finding
	omitted int
}

const (
	// maxWaiting bounds how many connections without MQTT are kept an endpoint
	// that is no broker yet, in case it turns out to be one: enough for every
	// finding's evidence, few enough for a capture full of web traffic.
	maxWaiting = 4096
	// maxSilent bounds how many connections without MQTT are kept in all: a
	// flood of SYNs must not fill the memory.
	maxSilent = 1 << 16
	// maxSessions bounds how many connections are kept in all, which then take
	// some 600 MB.
	maxSessions = 1 << 20
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
	if len(a.sessions) >= maxSessions {
		a.notKept++
		return
	}
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
	a.ix, a.found = nil, nil
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
	if a.found == nil {
		ix := a.index()
		drafts, omitted := ix.drafts()
		a.found, a.omitted = ix.measure(drafts, a.opts.Broker), omitted
	}
	// What the caller does with them is no concern of the next one.
	found := slices.Clone(a.found)
	for i := range found {
		found[i].Evidence = slices.Clone(found[i].Evidence)
	}
	return found
}

// Omitted is how many findings the last call of Findings left out, the least
// severe ones.
func (a *Analyzer) Omitted() int { return a.omitted }

// Sessions returns the connections that count as sessions, in order of time.
func (a *Analyzer) Sessions() []*decode.Session {
	ix := a.index()
	sessions := make([]*decode.Session, len(ix.all))
	for i := range ix.all {
		sessions[i] = ix.all[i].Session
	}
	if len(ix.brokers) == 1 {
		return sessions
	}
	ordered := make([]*decode.Session, len(sessions))
	for i, at := range byTime(sessions) {
		ordered[i] = sessions[at]
	}
	return ordered
}

// Brokers returns what each broker endpoint is guessed to be, or was stated to
// be; the vendor is "" where nothing tells.
func (a *Analyzer) Brokers() map[netip.AddrPort]Broker {
	guesses := map[netip.AddrPort]Broker{}
	for _, b := range a.index().brokers {
		guesses[b.endpoint] = b.recorded().guess.broker(a.opts.Broker)
	}
	return guesses
}
