package analyze

import (
	"cmp"
	"net/netip"
	"slices"
)

// assign says in which line the sessions of each draft count, and measures what it must:
// the findings that have a line of their own, and one for each line of several that is
// new, or more severe than it was.
func (l *ledger) assign(drafts []draft, at []*kept, measure func([]draft) []Finding) []*line {
	a := assignment{ledger: l, lines: make([]*line, len(drafts))}
	joined, made := l.joined(), 0
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
		switch {
		case n != nil:
		case joined.has(d.rule) && a.stayJoined(i, d, at):
			continue
		case made == l.most:
			left = append(left, i)
			continue
		default:
			made++
			n = l.line(key)
		}
		a.lines[i] = n
		a.measure(n, d)
	}
	a.join(left, drafts)
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

// stayJoined leaves a draft in the line of several in which its sessions count already, if
// they all do and it is no more severe than was told there.
func (a *assignment) stayJoined(i int, d *draft, at []*kept) bool {
	var rest *line
	for _, s := range d.sessions {
		k := at[s.at]
		if k.barred.has(d.rule) {
			continue
		}
		p := slices.IndexFunc(k.shown, func(s showing) bool {
			key := s.line.end().key
			return key.rest && key.rule == d.rule && s.toldAs >= d.severity
		})
		if p < 0 {
			return false
		}
		rest = k.shown[p].line.end()
	}
	a.lines[i] = rest
	rest.last = rest.last.orLater(d.last())
	return true
}

// join assigns those drafts for whose own lines there is no room: to the line of several of
// their broker where there is one, or where they are all of one broker.
func (a *assignment) join(left []int, drafts []draft) {
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
		n := a.ledger.lines[lineKey{rule: d.rule, broker: d.broker.endpoint, rest: true}]
		if n == nil {
			n = a.line(lineKey{rule: d.rule, broker: brokers[d.rule], rest: true})
		}
		a.lines[i] = n
		n.first, n.last = n.first.orEarlier(d.first), n.last.orLater(d.last())
		// The most severe one comes first.
		if n.round != a.round && (n.finding.Symptom == "" || d.severity > n.finding.Severity) {
			a.measure(n, d)
		}
		a.evicted++
	}
}

// joined are the rules that have a line of several findings.
func (l *ledger) joined() (rules ruleSet) {
	for key := range l.lines {
		if key.rest {
			rules.add(key.rule)
		}
	}
	return rules
}

// counts reports that one of its sessions may count.
func (d *draft) counts(at []*kept) bool {
	return slices.ContainsFunc(d.sessions, func(s *session) bool { return !at[s.at].barred.has(d.rule) })
}

// trim drops the lines that nothing shows any more, and where there are too many gives
// up those that were seen longest ago: their counts go to one line a rule and broker.
func (l *ledger) trim() {
	own := make([]*line, 0, len(l.lines))
	for key, n := range l.lines {
		switch {
		case n.count == 0:
			delete(l.lines, key)
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
		for _, n := range own[:len(own)-l.most] {
			l.giveUp(n, lineKey{rule: n.key.rule, broker: n.key.broker, rest: true})
			l.evicted++
		}
	}
	// A scan of many hosts makes as many brokers: then they are one too.
	var rests []*line
	for key, n := range l.lines {
		if key.rest && key.broker.IsValid() {
			rests = append(rests, n)
		}
	}
	if len(rests) > l.most {
		slices.SortFunc(rests, func(x, y *line) int { return cmp.Or(x.last.compare(y.last), compareKeys(x.key, y.key)) })
		for _, n := range rests[:len(rests)-l.most] {
			l.giveUp(n, lineKey{rule: n.key.rule, rest: true})
		}
	}
}

// giveUp adds a line to that of several. What is told of these is as severe as the worst of
// them.
func (l *ledger) giveUp(n *line, key lineKey) {
	rest := l.line(key)
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
	delete(l.lines, n.key)
}
