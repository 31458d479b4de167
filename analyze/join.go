package analyze

import (
	"cmp"
	"net/netip"
	"slices"
)

// assign says in which line the sessions of each draft count, and measures what it must:
// the findings that have a line of their own, and one for each line of several that is
// new, or more severe than it was.
//
// A finding that has no line and is no worse than those of its line of several goes there,
// whether it was there before or not: what comes and goes, or is one of too many, must not
// be news each time.
func (l *ledger) assign(drafts []draft, at []*kept, measure func([]draft) []Finding) []*line {
	a := assignment{ledger: l, lines: make([]*line, len(drafts))}
	made := 0
	var left []int
	for i := range drafts {
		d := &drafts[i]
		if !d.counts(at) {
			continue
		}
		key := d.key()
		n := l.lines[key]
		for n != nil && n.round == l.round {
			key.twin++
			n = l.lines[key]
		}
		if n == nil {
			rest := l.lines[l.restKey(d.rule, d.broker.endpoint, false)]
			if rest != nil && (rest.finding.Severity >= d.severity || rest.hasOnly(d.key())) {
				a.join(i, d, rest)
				continue
			}
			if made == l.most {
				left = append(left, i)
				continue
			}
			made++
			n = l.line(key)
		}
		a.lines[i] = n
		a.measure(n, d)
	}
	a.joinAll(left, drafts)
	for i, f := range measure(a.drafts) {
		n := a.measured[i]
		n.finding, n.clipped = f, false
		n.finding.Severity = max(f.Severity, n.least)
		n.first, n.last = n.first.orEarlier(a.drafts[i].first), n.last.orLater(moment(nanoOf(&f)))
	}
	return a.lines
}

// assignment is how drafts get lines.
type assignment struct {
	*ledger
	// lines are those of the drafts; a draft of which no session counts may have none.
	lines []*line
	// drafts are to be measured, for the lines beside them.
	drafts   []draft
	measured []*line
}

func (a *assignment) measure(n *line, d *draft) {
	n.round = a.round
	a.drafts, a.measured = append(a.drafts, *d), append(a.measured, n)
}

// join assigns a draft to a line of several. As long as it is the only one there, the line
// is of it as its own would be.
func (a *assignment) join(i int, d *draft, rest *line) {
	a.lines[i] = rest
	rest.first, rest.last = rest.first.orEarlier(d.first), rest.last.orLater(d.last())
	measured := rest.round == a.round
	only := rest.hasOnly(d.key()) && !measured
	if !only {
		a.joins(rest, d.key())
	}
	// Else the most severe one comes first.
	if !measured && (only || rest.finding.Symptom == "" || d.severity > rest.finding.Severity) {
		a.measure(rest, d)
	}
}

// joinAll assigns those drafts for whose own lines there is no room: to the line of several
// of their broker where there is one, or where they are all of one broker.
func (a *assignment) joinAll(left []int, drafts []draft) {
	brokers := map[int]netip.AddrPort{} // by rule, none where there are several
	for _, i := range left {
		rule, endpoint := drafts[i].rule, drafts[i].broker.endpoint
		if b, ok := brokers[rule]; ok && b != endpoint {
			endpoint = netip.AddrPort{}
		}
		brokers[rule] = endpoint
	}
	for _, i := range left {
		d := &drafts[i]
		key := a.restKey(d.rule, d.broker.endpoint, brokers[d.rule].IsValid())
		a.join(i, d, a.line(key))
	}
}

// restKey is that of the line of several to which findings of a rule and broker go: the
// broker's where there is one, else that of the rule. Where there is neither, several says
// that the broker has enough of them for one of its own.
func (l *ledger) restKey(rule int, broker netip.AddrPort, several bool) lineKey {
	key, common := lineKey{rule: rule, broker: broker, rest: true}, lineKey{rule: rule, rest: true}
	if l.lines[key] != nil || several && l.lines[common] == nil {
		return key
	}
	return common
}

// joins adds a finding to a line of several. key is its own.
func (l *ledger) joins(rest *line, key lineKey) {
	key.twin = 0
	if !rest.one.broker.IsValid() {
		rest.one = key
		return
	}
	if !rest.several {
		rest.several = true
		l.joined.add(rest.one)
		l.joined.add(key)
	}
	rest.brokers = rest.brokers || key.broker != rest.one.broker
}

// hasOnly reports that a line of several stands for one finding so far, that with this key.
func (n *line) hasOnly(key lineKey) bool {
	key.twin = 0
	return !n.several && n.one == key
}

// counts reports that one of its sessions may count.
func (d *draft) counts(at []*kept) bool {
	return slices.ContainsFunc(d.sessions, func(s *session) bool { return !at[s.at].barred.has(d.rule) })
}

// trim drops the lines that nothing shows any more, and where there are too many gives
// up those that were seen longest ago: their counts go to one line a rule and broker, and
// where a rule has one finding of a broker, or there are many brokers, to one a rule.
func (l *ledger) trim() {
	own := make([]*line, 0, len(l.lines))
	for key, n := range l.lines {
		switch {
		case n.count == 0:
			delete(l.lines, key)
			n.gone, n.finding = true, Finding{}
		case !key.rest:
			own = append(own, n)
		}
		if n.round != l.round {
			n.clip()
		}
	}
	if len(own) > l.most {
		slices.SortFunc(own, func(x, y *line) int {
			return cmp.Or(cmp.Compare(x.round, y.round), x.last.compare(y.last), compareKeys(x.key, y.key))
		})
		alike := map[lineKey]int{}
		for _, n := range own {
			alike[lineKey{rule: n.key.rule, broker: n.key.broker}]++
		}
		for _, n := range own[:len(own)-l.most] {
			several := alike[lineKey{rule: n.key.rule, broker: n.key.broker}] > 1
			l.giveUp(n, l.restKey(n.key.rule, n.key.broker, several))
		}
	}
	// A scan of many hosts makes as many brokers: then they are one too.
	var rests []*line
	for key, n := range l.lines {
		if key.rest && key.broker.IsValid() {
			rests = append(rests, n)
		}
	}
	if over := len(rests) - l.most/restShare; over > 0 {
		slices.SortFunc(rests, func(x, y *line) int { return cmp.Or(x.last.compare(y.last), compareKeys(x.key, y.key)) })
		for _, n := range rests[:over] {
			l.giveUp(n, lineKey{rule: n.key.rule, rest: true})
		}
	}
}

// restShare is for how many lines of one finding there is one of several findings of a broker.
const restShare = 4

// giveUp makes a line that of several, or adds it to the one that is there. What is told of
// these is as severe as the worst of them.
func (l *ledger) giveUp(n *line, key lineKey) {
	delete(l.lines, n.key)
	if !n.key.rest {
		n.one = n.key
		n.one.twin = 0
	}
	rest := l.lines[key]
	if rest == nil {
		n.key = key
		l.lines[key] = n
		return
	}
	if n.several || !rest.hasOnly(n.one) {
		l.joins(rest, n.one)
		l.joined.add(n.one)
		rest.brokers = rest.brokers || n.brokers
	}
	if s := rest.finding.Severity; n.finding.Severity > s || n.finding.Severity == s && !n.last.earlierThan(rest.last) {
		rest.finding, rest.clipped, rest.round = n.finding, n.clipped, n.round
	}
	rest.first, rest.last = rest.first.orEarlier(n.first), rest.last.orLater(n.last)
	rest.count, rest.taken, rest.toldAs = rest.count+n.count, rest.taken+n.taken, max(rest.toldAs, n.toldAs)
	rest.fresh, rest.more = append(rest.fresh, n.fresh...), rest.more+n.more
	if over := len(rest.fresh) - maxFresh; over > 0 {
		rest.fresh, rest.more = rest.fresh[:maxFresh], rest.more+over
	}
	n.into, n.finding, n.fresh = rest, Finding{}, nil
}
