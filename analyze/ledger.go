package analyze

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/mqttriage/mqttriage/decode"
)

// ledger counts, finding by finding, the sessions that ever showed it.
type ledger struct {
	lines map[lineKey]*line
	most  int
	// round counts the analyses, by which it shows which lines the last one has.
	round            int
	omitted, evicted int
	sorted           []*line
	// made counts the lines that were ever made.
	made int
}

// lineKey is what makes a finding the same one in the next analysis.
type lineKey struct {
	rule   int
	broker netip.AddrPort
	// kind is the draft's, rest that the line has those for whose own there was no room.
	kind string
	rest bool
}

// line is one finding.
type line struct {
	key     lineKey
	id      int
	finding Finding
	// count is how many sessions showed it so far, taken how many of them were taken over.
	count, taken int
	first, last  moment
	// round is the analysis that last found it.
	round int
	// into is the line that its count went to when it was given up.
	into *line
	// fresh are sessions that Changes has not returned yet, more those that found no
	// place there; told says that it has returned the line.
	fresh []*decode.Session
	more  int
	told  bool
	// clipped: the finding was made smaller since it was last found.
	clipped bool
}

// maxFresh bounds the sessions that a Change names.
const maxFresh = 1000

// enter takes what an analysis found, and counts the sessions that it has not yet.
func (l *ledger) enter(drafts []draft, found []Finding, of map[*decode.Session]*kept) {
	if l.lines == nil {
		l.lines = map[lineKey]*line{}
	}
	l.round++
	l.sorted = nil
	for i := range drafts {
		d, f := &drafts[i], &found[i]
		key := lineKey{rule: d.rule, broker: d.broker.endpoint, kind: d.kind()}
		n := l.lines[key]
		if n == nil {
			n = l.add(&line{key: key})
		}
		n.round, n.clipped = l.round, false
		n.finding = *f
		n.first, n.last = n.first.orEarlier(d.first), n.last.orLater(moment(nanoOf(f)))
		for _, s := range d.sessions {
			l.count(n, of[s.Session], rules[d.rule].symptom == ClientIDTakeover && s.is(taken))
		}
	}
}

// add adds a line.
func (l *ledger) add(n *line) *line {
	l.made++
	n.id = l.made
	l.lines[n.key] = n
	return n
}

func nanoOf(f *Finding) int64 {
	if f.Last.IsZero() {
		return 0
	}
	return f.Last.UnixNano()
}

// showing says that a session is counted in a line, and which analysis last found it
// there.
type showing struct {
	line  *line
	round int
	// taken: it counts there as one that was taken over.
	taken bool
}

// count counts a session in a line. One that is counted in another line of the same rule
// and was not found there now, because the rule divided its sessions otherwise, moves.
func (l *ledger) count(n *line, k *kept, taken bool) {
	for i := range k.shown {
		if s := &k.shown[i]; s.line.end() == n {
			s.line, s.round = n, l.round
			if taken && !s.taken {
				s.taken = true
				n.taken++
			}
			return
		}
	}
	now := showing{n, l.round, taken}
	now.add(1)
	for i := range k.shown {
		had := k.shown[i].line.end()
		if had.key.rule == n.key.rule && k.shown[i].round != l.round {
			k.shown[i].add(-1)
			k.shown[i] = now
			return
		}
	}
	k.shown = append(k.shown, now)
	if len(n.fresh) < maxFresh {
		n.fresh = append(n.fresh, k.Session)
	} else {
		n.more++
	}
}

// add counts the session in its line, or takes it out with -1.
func (s *showing) add(sign int) {
	n := s.line.end()
	n.count += sign
	if s.taken {
		n.taken += sign
	}
}

// end is the line that has the count.
func (n *line) end() *line {
	for n.into != nil {
		n = n.into
	}
	return n
}

// withdraw counts a session no more for what the analysis before found in it and the
// last one does not.
func (l *ledger) withdraw(k *kept) {
	k.shown = slices.DeleteFunc(k.shown, func(s showing) bool {
		if s.round != l.round-1 {
			return false
		}
		n := s.line.end()
		s.add(-1)
		if i := slices.Index(n.fresh, k.Session); i >= 0 {
			n.fresh = slices.Delete(n.fresh, i, i+1)
		}
		return true
	})
}

// trim drops the lines that nothing shows any more, and where there are too many gives
// up those that were seen longest ago: their counts go to one line a rule and broker.
func (l *ledger) trim() {
	own := make([]*line, 0, len(l.lines))
	for key, n := range l.lines {
		switch {
		case n.count == 0 && n.round != l.round:
			delete(l.lines, key)
		case !key.rest:
			own = append(own, n)
		}
		if n.round != l.round {
			n.clip()
		}
	}
	if len(own) <= l.most {
		own = own[:0:0]
	}
	slices.SortFunc(own, func(x, y *line) int {
		return cmp.Or(cmp.Compare(x.round, y.round), x.last.compare(y.last), compareKeys(x.key, y.key))
	})
	for _, n := range own[:max(0, len(own)-l.most)] {
		l.giveUp(n, lineKey{rule: n.key.rule, broker: n.key.broker, rest: true})
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

// maxNamed are the names that a finding keeps when its sessions are forgotten, maxSeen the
// sessions that it keeps as evidence.
const (
	maxNamed = 100
	maxSeen  = 5
)

// clip bounds what a line holds of sessions that are forgotten.
func (n *line) clip() {
	f := &n.finding
	if n.clipped {
		return
	}
	n.clipped = true
	f.ClientIDs, f.Clients = slices.Clone(f.ClientIDs[:min(len(f.ClientIDs), maxNamed)]), slices.Clone(f.Clients[:min(len(f.Clients), maxNamed)])
	f.ClientIDs = slices.DeleteFunc(f.ClientIDs, func(id string) bool { return len(id) > weightOf })
	f.Evidence = slices.DeleteFunc(slices.Clone(f.Evidence), func(e Evidence) bool { return (&kept{Session: e.Session}).weight() > 1 })
	f.Evidence = f.Evidence[:min(len(f.Evidence), maxSeen)]
}

// giveUp adds a line to the one of the rest.
func (l *ledger) giveUp(n *line, key lineKey) {
	rest := l.lines[key]
	if rest == nil {
		rest = l.add(&line{key: key, told: n.told})
	}
	if !n.last.earlierThan(rest.last) {
		rest.finding, rest.clipped = n.finding, n.clipped
	}
	rest.round = max(rest.round, n.round)
	rest.first, rest.last = rest.first.orEarlier(n.first), rest.last.orLater(n.last)
	rest.count, rest.taken = rest.count+n.count, rest.taken+n.taken
	rest.told = rest.told || n.told
	rest.fresh, rest.more = append(rest.fresh, n.fresh...), rest.more+n.more
	if over := len(rest.fresh) - maxFresh; over > 0 {
		rest.fresh, rest.more = rest.fresh[:maxFresh], rest.more+over
	}
	n.into, n.finding, n.fresh = rest, Finding{}, nil
	delete(l.lines, n.key)
	l.evicted++
}

func compareKeys(x, y lineKey) int {
	return cmp.Or(cmp.Compare(x.rule, y.rule), x.broker.Compare(y.broker), cmp.Compare(x.kind, y.kind))
}

// sort puts the lines in the order of findings.
func (l *ledger) sort() []*line {
	if l.sorted != nil {
		return l.sorted
	}
	l.sorted = make([]*line, 0, len(l.lines))
	for _, n := range l.lines {
		l.sorted = append(l.sorted, n)
	}
	slices.SortFunc(l.sorted, func(x, y *line) int {
		return cmp.Or(
			cmp.Compare(y.finding.Severity, x.finding.Severity), cmp.Compare(x.key.rule, y.key.rule), cmp.Compare(y.count, x.count),
			x.first.compare(y.first), compareKeys(x.key, y.key),
		)
	})
	return l.sorted
}

func (l *ledger) findings() []Finding {
	lines := l.sort()
	found := make([]Finding, len(lines))
	for i, n := range lines {
		found[i] = n.finding
		found[i].Sessions, found[i].First, found[i].Last = n.count, n.first.time(), n.last.time()
		found[i].Evidence = slices.Clone(n.finding.Evidence)
		if n.taken > 0 {
			f := &found[i].Facts.Takeovers
			f.Set(n.taken, f.Packets()...)
		}
	}
	return found
}

func (l *ledger) changes() []Change {
	var changed []Change
	for i, n := range l.sort() {
		if len(n.fresh)+n.more == 0 {
			continue
		}
		changed = append(changed, Change{Finding: i, ID: n.id, New: !n.told, Sessions: n.fresh, More: n.more})
		n.told, n.fresh, n.more = true, nil, 0
	}
	return changed
}
