package analyze

import (
	"net/netip"
	"slices"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// index is the sessions by broker, in order of time, and by client ID and client.
type index struct {
	// all holds broker after broker, the sessions of each in order of time.
	all     []session
	brokers []*broker
	groups  [groupings]grouping
	// ids and clients number the client IDs and the clients' addresses.
	ids     *numbering[*mqtt.Connect]
	clients *numbering[netip.Addr]
	// homes is the client of each client ID, 0 where several have it.
	homes []uint32
	// idSet and clientSet are lent to the rules, for sets of those numbers.
	idSet, clientSet numberSet
	totals           Totals
	// folded counts sessions left out because the capture shows the same
	// conversation more than once.
	folded int
}

// broker is the sessions of one broker endpoint.
type broker struct {
	endpoint netip.AddrPort
	// plain reports that the broker answered here in MQTT without TLS, tls
	// that it answered in TLS.
	plain, tls bool
	// host is all the broker's endpoints, by port, with this one.
	host []*broker

	ix *index
	// sessions are in order of time. They are the index's, from a place up to
	// another.
	sessions []session
	from, to uint32
	// number is the broker's among all endpoints.
	number uint32
	// traits are those that any of its sessions has.
	traits traits
	// record is nil where nothing but TCP was seen.
	record *record
}

// index returns the index over the sessions so far.
func (a *Analyzer) index() *index {
	if a.ix == nil {
		a.ix = a.makeIndex()
	}
	return a.ix
}

// makeIndex walks over the sessions as they came, which is how they lie in memory.
// A walk in order of time would wait for every one of them.
func (a *Analyzer) makeIndex() *index {
	ix := &index{}
	known, places := ix.layOut(a)
	t := newTally(len(a.sessions))
	atOnce(
		func() { ix.number(a.sessions, places) },
		func() {
			for i, s := range a.sessions {
				if at := places[i]; at != nowhere {
					ix.enter(known.of(s), s, at)
					t.add(s)
				}
			}
		},
	)
	atOnce(
		func() { ix.groups[byID] = ix.group(byID, ix.ids.count()) },
		func() { ix.groups[byClient] = ix.group(byClient, ix.clients.count()) },
		func() { ix.totals = t.totals() },
	)
	ix.idSet, ix.clientSet = newNumberSet(ix.ids.count()), newNumberSet(ix.clients.count())
	// The numbers count 0, which stands for none.
	ix.totals.ClientIDs, ix.totals.Clients, ix.totals.Brokers = ix.ids.count()-1, ix.clients.count()-1, len(ix.brokers)
	return ix
}

// nowhere is the place of a session that does not count.
const nowhere = 1<<32 - 1

// layOut gives every broker its part of the index, and every session its place.
func (ix *index) layOut(a *Analyzer) (known *endpoints, places []uint32) {
	var order []uint64
	var twice bitSet
	atOnce(
		func() { known = a.endpoints() },
		func() { order = byTime(a.sessions) },
		func() { twice = seenTwice(a.sessions) },
	)
	copies := copies(a.sessions, order, known, twice)
	// First the number of its broker stands for a session's place.
	places = make([]uint32, len(a.sessions))
	for i, s := range a.sessions {
		places[i] = nowhere
		b := known.of(s)
		switch {
		case b == nil:
		case copies.has(uint32(i)):
			ix.folded++
		default:
			places[i] = b.number
			b.to++
		}
	}
	ix.layOutBrokers(known)
	next := make([]uint32, len(known.brokers))
	for _, b := range ix.brokers {
		next[b.number] = b.from
	}
	for _, i := range order {
		if number := places[i]; number != nowhere {
			places[i] = next[number]
			next[number]++
		}
	}
	return known, places
}

// layOutBrokers puts one broker behind the other; each one's to holds how many
// sessions it has.
func (ix *index) layOutBrokers(known *endpoints) {
	for _, b := range known.brokers {
		if b.to > 0 { // else all its sessions are copies of another endpoint's
			ix.brokers = append(ix.brokers, b)
		}
	}
	slices.SortFunc(ix.brokers, func(x, y *broker) int { return x.endpoint.Compare(y.endpoint) })
	next, host := uint32(0), 0
	for i, b := range ix.brokers {
		b.ix = ix
		b.from, b.to = next, next+b.to
		next = b.to
		if last := i == len(ix.brokers)-1; last || ix.brokers[i+1].endpoint.Addr() != b.endpoint.Addr() {
			for _, port := range ix.brokers[host : i+1] {
				port.host = ix.brokers[host : i+1]
			}
			host = i + 1
		}
	}
	ix.all = make([]session, next)
	for _, b := range ix.brokers {
		b.sessions = ix.all[b.from:b.to]
	}
}

// number numbers the client IDs and the clients' addresses of the sessions.
func (ix *index) number(sessions []*decode.Session, places []uint32) {
	ix.ids, ix.clients, ix.homes = numberIDs(), numberAddresses(), make([]uint32, 1)
	for i, s := range sessions {
		at := places[i]
		if at == nowhere {
			continue
		}
		client := ix.clients.number(s.Client.Addr())
		ix.all[at].in[byClient].group = client
		if !hasID(s) {
			continue
		}
		id := ix.ids.number(s.Connect)
		ix.all[at].in[byID].group = id
		switch {
		case int(id) == len(ix.homes):
			ix.homes = append(ix.homes, client)
		case ix.homes[id] != client:
			ix.homes[id] = 0
		}
	}
}

// enter enters all else about a session of a broker at its place.
func (ix *index) enter(b *broker, d *decode.Session, at uint32) {
	s := &ix.all[at]
	s.Session, s.opened, s.at = d, d.Opened.Nano, at
	s.traits = traitsOf(d)
	s.traits |= symptoms(b, s)
	b.traits |= s.traits
	b.learn(s)
}
