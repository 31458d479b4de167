package analyze

import (
	"runtime"
	"slices"
	"sync/atomic"
)

// measure makes the findings of drafts, in their order. Findings know nothing of
// each other, so several are measured at once. stated is what the user says that
// the brokers are.
func (ix *index) measure(drafts []draft, stated string) []Finding {
	open := countOpens(drafts)
	found := make([]Finding, len(drafts))
	// The largest come first, so that nobody waits for one that was left to the
	// end.
	order := make([]int, len(drafts))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(x, y int) int { return len(drafts[y].sessions) - len(drafts[x].sessions) })
	var next atomic.Int32
	work := func() {
		m := newMeasurer(ix, stated)
		for n := int(next.Add(1)) - 1; n < len(order); n = int(next.Add(1)) - 1 {
			d := &drafts[order[n]]
			found[order[n]] = m.finding(d, open[d.broker])
		}
	}
	workers := make([]func(), min(runtime.GOMAXPROCS(0), len(drafts), maxWorkers))
	for i := range workers {
		workers[i] = work
	}
	atOnce(workers...)
	return found
}

// maxWorkers bounds how many findings are measured at once: memory is what they
// wait for, and each worker has sets of its own.
const maxWorkers = 4

// measurer measures one finding after another, with sets that are used again.
type measurer struct {
	ix *index
	// ids, clients and users are those of the finding's sessions, and mine is
	// these sessions by their place in the index.
	ids, clients, users numberSet
	mine                bitSet
	// answers and retries hold lists that are used again, and so does others.
	answers answers
	retries retries
	others  others
	// stated is what the user says that the brokers are.
	stated string
	// fetched takes what fetch returns, so that it is not left out as useless.
	fetched int
}

func newMeasurer(ix *index, stated string) *measurer {
	return &measurer{
		ix: ix, stated: stated, ids: newNumberSet(ix.ids.count()), clients: newNumberSet(ix.clients.count()),
		mine: newBitSet(len(ix.all)), others: newOthers(ix),
	}
}

// visit is a session of a finding as it comes to be measured.
type visit struct {
	*session
	// newID says that it is the first of the finding with its client ID.
	newID bool
	// client is the client's place among those of the finding.
	client int
	// next is the client's next attempt after a failed one, nil without one.
	next *session
}

func (m *measurer) visit(b *broker, s *session) visit {
	v := visit{session: s}
	m.mine.add(s.at)
	_, v.newID = m.ids.add(s.id())
	v.client, _ = m.clients.add(s.client())
	if s.is(failed) {
		v.next = b.next(s)
	}
	return v
}

// finding makes a finding of a draft: the facts that every symptom shares come
// from one walk over the sessions, and from what else the broker did.
func (m *measurer) finding(d *draft, open *opens) Finding {
	f := Finding{
		Symptom: rules[d.rule].symptom, Severity: d.severity, Broker: d.broker.endpoint.String(),
		Sessions: len(d.sessions), First: d.first.time(),
	}
	for _, s := range d.evidence() {
		f.Evidence = append(f.Evidence, Evidence{Session: s.Session, Packets: seen(d.packets(s)...)})
	}
	m.ids.empty()
	m.clients.empty()
	var (
		head     headline
		connects connects
		behind   behindTLS
		library  library
		apart    = m.apart(d.broker)

		answers, retries = &m.answers, &m.retries
	)
	answers.reset()
	retries.reset()
	var visits [together]visit
	for batch := range slices.Chunk(d.sessions, together) {
		m.fetched += fetch(batch)
		for i, s := range batch {
			visits[i] = m.visit(d.broker, s)
		}
		m.fetched += fetchNext(visits[:len(batch)])
		for i := range batch {
			v := &visits[i]
			head.add(v)
			connects.add(v)
			answers.add(v)
			retries.add(v)
			behind.add(v)
			library.add(v)
			apart.add(v)
		}
	}
	head.set(&f, m)
	facts := &f.Facts
	facts.Port.Set(int(d.broker.endpoint.Port()))
	connects.set(facts)
	answers.set(facts)
	retries.set(facts)
	behind.set(facts)
	library.set(facts)
	apart.set(facts, d.broker, m.stated)
	measureOpen(facts, d, open)
	m.measureOthers(facts, d)
	measureWorked(facts, d.broker, d.sessions)
	for _, s := range d.sessions {
		m.mine.remove(s.at)
	}
	if d.more != nil {
		d.more(&f)
	}
	return f
}

// seen returns the packet numbers that are not 0, ascending, each once.
func seen(packets ...int) []int {
	packets = slices.DeleteFunc(packets, func(p int) bool { return p == 0 })
	slices.Sort(packets)
	return slices.Compact(packets)
}
