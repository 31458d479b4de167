package report

import (
	"cmp"
	"slices"
)

// pair is a finding in both reports, or in one of them; the other is nil then.
type pair struct {
	before, after *Finding
	by            string // "broker", "clients"
}

// byClientID are the symptoms with a finding a client ID: another ID is another
// finding.
var byClientID = map[string]bool{"client-id-takeover": true, "client-id-shared": true, "session-flapping": true}

// match pairs the findings that are one: the same symptom with the same code or
// alert, at the same broker. Where a broker has several, those go together that
// have the most client IDs in common. A broker's address may change, so what is
// left is matched by its clients.
func match(before, after []Finding) []pair {
	m := &matcher{before: before, after: after, taken: make([]bool, len(before)), to: make([]int, len(after))}
	for j := range m.to {
		m.to[j] = -1
	}
	m.byClients(func(f *Finding) []string { return named(f.ClientIDs) }, true)
	m.sameBroker()
	m.byClients(func(f *Finding) []string { return named(f.ClientIDs) }, false)
	m.byClients(func(f *Finding) []string {
		if len(named(f.ClientIDs)) > 0 {
			return nil // the IDs told already that it is another one
		}
		return f.Clients
	}, false)

	var pairs []pair
	for j, i := range m.to {
		p := pair{after: &after[j]}
		if i >= 0 {
			p.before, p.by = &before[i], "broker"
			if p.before.Broker != p.after.Broker {
				p.by = "clients"
			}
		}
		pairs = append(pairs, p)
	}
	for i, taken := range m.taken {
		if !taken {
			pairs = append(pairs, pair{before: &before[i]})
		}
	}
	return pairs
}

type matcher struct {
	before, after []Finding
	taken         []bool
	to            []int // for each of after, which of before; -1 for none
}

// byClients matches findings with clients in common, most in common first.
func (m *matcher) byClients(names func(*Finding) []string, sameBroker bool) {
	have := map[string][]int{} // which of before have a name
	for i := range m.before {
		if m.taken[i] {
			continue
		}
		for _, n := range names(&m.before[i]) {
			have[n] = append(have[n], i)
		}
	}
	type overlap struct{ i, j, common int }
	var overlaps []overlap
	for j := range m.after {
		if m.to[j] >= 0 {
			continue
		}
		common := map[int]int{}
		for _, n := range names(&m.after[j]) {
			for _, i := range have[n] {
				b, a := &m.before[i], &m.after[j]
				if (b.Broker == a.Broker) == sameBroker && alike(b, a) {
					common[i]++
				}
			}
		}
		for i, n := range common {
			overlaps = append(overlaps, overlap{i, j, n})
		}
	}
	slices.SortFunc(overlaps, func(a, b overlap) int {
		return cmp.Or(cmp.Compare(b.common, a.common), cmp.Compare(a.i, b.i), cmp.Compare(a.j, b.j))
	})
	for _, o := range overlaps {
		m.join(o.i, o.j)
	}
}

// sameBroker matches what a broker does to whoever comes.
func (m *matcher) sameBroker() {
	for j := range m.after {
		for i := range m.before {
			b, a := &m.before[i], &m.after[j]
			if m.to[j] < 0 && !byClientID[a.Symptom] && b.Broker == a.Broker && alike(b, a) {
				m.join(i, j)
			}
		}
	}
}

func (m *matcher) join(i, j int) {
	if !m.taken[i] && m.to[j] < 0 {
		m.taken[i], m.to[j] = true, i
	}
}

// alike reports the same symptom with the same cause on its face: a code in
// common, the same alert, and for refused client IDs whether they are empty, for
// these are two problems.
func alike(b, a *Finding) bool {
	if b.Symptom != a.Symptom || alertOf(b) != alertOf(a) {
		return false
	}
	if b.Symptom == "identifier-rejected" && isFact(b.Facts.ClientIDEmpty, true) != isFact(a.Facts.ClientIDEmpty, true) {
		return false
	}
	return len(b.Codes) == 0 && len(a.Codes) == 0 ||
		slices.ContainsFunc(b.Codes, func(code string) bool { return slices.Contains(a.Codes, code) })
}

func alertOf(f *Finding) string {
	alert, _ := f.Facts.TLSAlert.Get()
	return alert
}
