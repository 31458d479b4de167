package analyze

import (
	"math"
	"net/netip"
	"slices"

	"github.com/mqttriage/mqttriage/decode"
)

// Limits bound what a Watch keeps.
type Limits struct {
	// Sessions that have ended are kept to be analysed with later ones; 0 means
	// 3,000. Those of open connections come on top. A session with a client ID of
	// some KiB counts for several.
	Sessions int
	// ClientIDs are told apart, and as many client addresses and brokers, to count them; 0
	// means 20,000.
	ClientIDs int
	// Findings are kept apart; 0 means 200. What was found longest ago beyond them is
	// joined: to one finding a symptom and broker, and where a broker has but one of the
	// symptom, or there are a quarter as many such brokers, one a symptom. From then on
	// whatever is found of that symptom (and broker) goes there, unless it has a place or is
	// worse.
	Findings int
}

func (l Limits) orDefault() Limits {
	for _, d := range []struct {
		v       *int
		missing int
	}{{&l.Sessions, 3000}, {&l.ClientIDs, 20_000}, {&l.Findings, maxFindings}} {
		if *d.v <= 0 {
			*d.v = d.missing
		}
	}
	return l
}

// Watch is an Analyzer for one capture without an end. It keeps the latest sessions, and
// the counts of all: a finding lives on when its sessions are forgotten.
type Watch struct {
	opts   Options
	limits Limits

	// open are sessions of connections that have not ended, ended those that have, in
	// order of their ends; silent are such as showed no MQTT, in case their endpoint turns
	// out to be a broker's.
	open          map[uint32]*kept // by Number
	ended, silent queue
	// brokers are endpoints that were found to be brokers' and of which the port does not
	// tell. At most maxBrokers are remembered.
	brokers map[netip.AddrPort]bool

	ledger    ledger
	ids       seenSet[string]
	clients   seenSet[netip.Addr]
	endpoints seenSet[netip.AddrPort] // brokers'

	news News

	// window is the analysis of what is kept, nil when it is to be made anew.
	window *Analyzer
	// past counts the sessions that were forgotten, and which of them were copies.
	past                *tally
	pastMS              float64
	pastFolded, evicted int
	connections         int
}

// kept is a session that a Watch keeps.
type kept struct {
	*decode.Session
	// shown are the findings in whose counts it is.
	shown []showing
	// withdrawn are those that it was in, and was told of there.
	withdrawn []showing
	// shows are the rules that the last analysis found it to show; barred are those that it
	// shows only for want of sessions that are forgotten.
	shows, barred ruleSet
	// counts: the last analysis has it as a session; folded: as a copy of another. known:
	// its client and broker are among those that are counted, and named: so is its client
	// ID. over: its connection has ended.
	counts, folded, known, named, over bool
	// answered and ended: News has it.
	answered, ended bool
}

const (
	// maxBrokers bounds the endpoints that are remembered as brokers' for what may come of
	// them that does not show it.
	maxBrokers = 1024
	// weightOf is for how many bytes of client ID a session counts once more.
	weightOf = 512
)

func (k *kept) weight() int {
	if k.Connect == nil {
		return 1
	}
	return 1 + len(k.Connect.ClientID)/weightOf
}

// queue are sessions in the order in which they came.
type queue struct {
	list   []*kept
	weight int
}

func (q *queue) add(k *kept) {
	q.list = append(q.list, k)
	q.weight += k.weight()
}

// NewWatch returns a Watch that has seen nothing.
func NewWatch(opts Options, limits Limits) *Watch {
	w := &Watch{
		opts: opts, limits: limits.orDefault(), open: map[uint32]*kept{}, brokers: map[netip.AddrPort]bool{},
		past: newTally(0),
	}
	w.ledger.most, w.ledger.joined = w.limits.Findings, newSeenSet[lineKey](w.limits.ClientIDs)
	w.ids, w.clients = newSeenSet[string](w.limits.ClientIDs), newSeenSet[netip.Addr](w.limits.ClientIDs)
	w.endpoints = newSeenSet[netip.AddrPort](w.limits.ClientIDs)
	return w
}

// Early takes the session of a connection that has not ended. It takes the place of an
// earlier one with the same Number.
func (w *Watch) Early(s *decode.Session) {
	w.window = nil
	if k := w.open[s.Number]; k != nil {
		k.update(s)
		return
	}
	w.connections++
	w.open[s.Number] = &kept{Session: s}
}

// update takes what is known now of a session. It stays the same one to whoever holds it.
func (k *kept) update(s *decode.Session) { *k.Session = *s }

// Add takes the session of a connection that has ended, and that Early may have taken
// before.
func (w *Watch) Add(s *decode.Session) {
	k := w.open[s.Number]
	if k != nil {
		k.update(s)
		delete(w.open, s.Number)
	} else {
		w.connections++
		k = &kept{Session: s}
	}
	k.over = true
	if !w.ofBroker(s) {
		// It counts for nothing yet: no need to look at all the others again.
		w.silent.add(k)
		if w.silent.weight > w.limits.Sessions/2 {
			w.forget(&w.silent)
		}
		return
	}
	w.window = nil
	w.ended.add(k)
	if w.ended.weight > w.limits.Sessions {
		w.forget(&w.ended)
	}
}

// Last says that the end has come: what is added from now on is all kept, to be analysed
// once.
func (w *Watch) Last() { w.limits.Sessions = math.MaxInt }

// ofBroker reports that a session counts whatever else there is, unless it is a copy.
func (w *Watch) ofBroker(s *decode.Session) bool {
	return s.MQTT || decode.IsBrokerPort(s.Broker.Port(), w.opts.Ports) || w.brokers[s.Broker] || saysMQTT(s)
}

// forget lets go of the first quarter of a queue, once they are counted. To forget changes
// no count.
func (w *Watch) forget(q *queue) {
	w.analyse()
	n, weight := 0, 0
	for n < len(q.list) && weight <= q.weight/4 {
		weight += q.list[n].weight()
		n++
	}
	counted := w.evicted
	for _, k := range q.list[:n] {
		if k.counts {
			w.past.add(k.Session)
			w.evicted++
		}
	}
	for _, ms := range w.past.latencies {
		w.pastMS = max(w.pastMS, ms)
	}
	w.past.latencies = w.past.latencies[:0]
	// A copy must not stand for a session that is forgotten.
	for _, k := range q.list {
		if k.folded {
			w.pastFolded++
		}
	}
	left := slices.DeleteFunc(slices.Clone(q.list[n:]), func(k *kept) bool { return k.folded })
	*q = queue{}
	for _, k := range left {
		q.add(k)
	}
	w.window = nil
	if w.evicted > counted {
		all, at := w.look()
		w.ledger.hold(w.window.index().allDrafts(), at, all)
	}
}

// all are the sessions that are kept: those that ended first, oldest first.
func (w *Watch) all() []*kept {
	all := slices.Concat(w.silent.list, w.ended.list)
	for _, k := range w.open {
		all = append(all, k)
	}
	return all
}

// look makes an index over what is kept, and returns that, all and by the place in the index.
func (w *Watch) look() (all, at []*kept) {
	all = w.all()
	a := New(w.opts)
	a.known = w.brokers
	a.sessions = make([]*decode.Session, len(all))
	of := make(map[*decode.Session]*kept, len(all))
	for i, k := range all {
		a.sessions[i], of[k.Session] = k.Session, k
		k.folded, k.counts, k.shows = false, false, 0
	}
	w.window = a
	ix := a.index()
	at = make([]*kept, len(ix.all))
	for i := range ix.all {
		at[i] = of[ix.all[i].Session]
		at[i].counts = true
	}
	for _, b := range ix.brokers {
		if len(w.brokers) < maxBrokers && !decode.IsBrokerPort(b.endpoint.Port(), w.opts.Ports) {
			w.brokers[b.endpoint] = true
		}
	}
	for _, k := range all {
		k.folded = !k.counts && w.ofBroker(k.Session)
	}
	return all, at
}

// analyse runs the rules over what is kept, and enters into the ledger what they find.
func (w *Watch) analyse() {
	if w.window != nil {
		return
	}
	all, at := w.look()
	ix := w.window.index()
	drafts := ix.allDrafts()
	for _, k := range at {
		if !k.known {
			k.known = true
			w.clients.add(k.Client.Addr())
			w.endpoints.add(k.Broker)
		}
		if !k.named && hasID(k.Session) {
			k.named = true
			w.ids.add(k.Connect.ClientID)
		}
	}
	for _, k := range all {
		w.news.add(k)
	}
	w.ledger.enter(drafts, at, func(drafts []draft) []Finding { return ix.measure(drafts, w.opts.Broker) })
	for _, k := range all {
		w.ledger.withdraw(k)
	}
	w.ledger.trim()
}

// News are sessions of which something is final.
type News struct {
	// Answered are those whose outcome will not change any more: the broker answered, or
	// the connection is over. Ended are those whose connection is.
	Answered, Ended []*decode.Session
}

func (n *News) add(k *kept) {
	if !k.counts {
		return
	}
	if !k.answered && (k.over || k.Connack != nil) {
		k.answered = true
		n.Answered = append(n.Answered, k.Session)
	}
	if !k.ended && k.over {
		k.ended = true
		n.Ended = append(n.Ended, k.Session)
	}
}

// News returns what it has not returned before; each session is in either list once.
func (w *Watch) News() News {
	w.analyse()
	news := w.news
	w.news = News{}
	return news
}

// Changes returns what has changed in the findings since it was last asked, in the
// order of Findings.
func (w *Watch) Changes() []Change {
	w.analyse()
	return w.ledger.changes()
}

// Change is a finding with sessions that show it and did not before, or that is more severe
// than what was told of them.
type Change struct {
	// Finding is its place in Findings; ID is its own for as long as it is kept.
	// New says that it was not there before.
	Finding, ID int
	New         bool
	// Sessions are those that were not told yet as so severe, at most 1,000; More counts the
	// others. Of a finding that got worse by itself it is one.
	Sessions []*decode.Session
	More     int
}

// Findings returns the findings since the beginning, as Analyzer.Findings does, and none is
// left out. Sessions, First and Last of each are of all time, and so are takeovers and
// Severity; its other facts, names and evidence are of the sessions that were kept when one
// last showed it, and of one of them where several are joined.
func (w *Watch) Findings() []Finding {
	w.analyse()
	return w.ledger.findings()
}

// Omitted is 0: findings beyond the Limits are joined, and counted by Evicted.
func (w *Watch) Omitted() int { return 0 }

// Sessions returns the sessions that are kept, in order of time.
func (w *Watch) Sessions() []*decode.Session {
	w.analyse()
	return w.window.Sessions()
}

// Totals counts all sessions since the beginning. ClientIDs, Clients and Brokers count one
// again that was forgotten meanwhile, which they are after Limits.ClientIDs others.
// ConnackMedianMS is of the sessions that are kept.
func (w *Watch) Totals() Totals {
	w.analyse()
	t := w.window.Totals()
	t.Connections = w.connections - w.window.index().folded - w.pastFolded
	t.ClientIDs, t.Clients, t.Brokers = w.ids.count, w.clients.count, w.endpoints.count
	p := w.past.totals()
	for _, c := range []struct{ sum, past *int }{
		{&t.Sessions, &p.Sessions}, {&t.Accepted, &p.Accepted}, {&t.Rejected, &p.Rejected}, {&t.Unanswered, &p.Unanswered},
		{&t.Refused, &p.Refused}, {&t.TLSFailed, &p.TLSFailed}, {&t.NotMQTT, &p.NotMQTT}, {&t.Unknown, &p.Unknown}, {&t.Encrypted, &p.Encrypted},
	} {
		*c.sum += *c.past
	}
	t.ConnackMaxMS = max(t.ConnackMaxMS, w.pastMS)
	notes := map[decode.Note]int{}
	for _, of := range []map[decode.Note]int{t.Notes, p.Notes} {
		for note, n := range of {
			notes[note] += n
		}
	}
	t.Notes = notes
	t.Codes = addCodes(t.Codes, p.Codes)
	return t
}

// Open is how many of the sessions are of connections that have not ended.
func (w *Watch) Open() int { return len(w.open) }

// Evicted counts what was forgotten to stay within the Limits. Findings are different ones
// that were joined with others; one counts again when it comes back after Limits.ClientIDs
// others.
type Evicted struct{ Sessions, ClientIDs, Findings int }

// Evicted counts what was forgotten so far.
func (w *Watch) Evicted() Evicted {
	return Evicted{w.evicted, w.ids.evicted + w.clients.evicted, w.ledger.joined.count}
}
