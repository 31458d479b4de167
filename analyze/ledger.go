package analyze

import (
	"cmp"
	"slices"

	"github.com/mqttriage/mqttriage/decode"
)

// ledger counts, finding by finding, the sessions that ever showed it.
type ledger struct {
	lines map[lineKey]*line
	// most bounds the lines of one finding each; the others are joined.
	most int
	// round counts the analyses, tellings how often Changes was asked.
	round, tellings int
	// joined counts the findings that were joined with others, by their own keys.
	joined seenSet[lineKey]
	sorted []*line
	// made counts the lines that were ever made.
	made int
}

// line is one finding, or several that are joined.
type line struct {
	key     lineKey
	id      int
	finding Finding
	// count is how many sessions showed it so far, taken how many of them were taken over.
	count, taken int
	first, last  moment
	// round is the analysis that the finding is of.
	round int
	// least is how severe sessions that are forgotten showed it to be.
	least Severity
	// into is the line that its count went to when it was given up, or that is of the same
	// finding as this one was. gone: nothing showed it any more.
	into *line
	gone bool
	// one is, of a line of several, the key of the first one there. several says that there
	// are others, and brokers that some of them are of other brokers.
	one              lineKey
	several, brokers bool
	// fresh are sessions that Changes has not returned yet, more those that found no
	// place there.
	fresh []*decode.Session
	more  int
	// told says that Changes has returned the line, toldAs how severe its sessions were told
	// to be, there or in another line.
	told   bool
	toldAs Severity
	// clipped: the finding was made smaller since it was last found.
	clipped bool
}

// maxFresh bounds the sessions that a Change names.
const maxFresh = 1000

// showing says that a session is counted in a line.
type showing struct {
	line *line
	// round is the analysis that last found it there.
	round int
	// telling is after how many tellings it was left for the next one, toldAs how severe
	// a finding with it was told to be.
	telling int
	toldAs  Severity
	// taken: it counts there as one that was taken over.
	taken bool
	// held: for want of sessions that are forgotten nothing shows it any more, nor
	// refutes it.
	held bool
}

// end is the line that has the count.
func (n *line) end() *line {
	for n.into != nil {
		n = n.into
	}
	return n
}

// add counts the session in its line, or takes it out with -1.
func (s *showing) add(sign int) {
	n := s.line.end()
	n.count += sign
	if s.taken {
		n.taken += sign
	}
}

// enter takes what an analysis found, and counts the sessions that it has not yet. at is
// what is kept of each session, by its place in the index.
func (l *ledger) enter(drafts []draft, at []*kept, measure func([]draft) []Finding) {
	if l.lines == nil {
		l.lines = map[lineKey]*line{}
	}
	l.round++
	l.sorted = nil
	lines := l.assign(drafts, at, measure)
	// What is found where it was comes first, so that nothing of it moves.
	type newcomer struct {
		k     *kept
		to    *line
		taken bool
	}
	var newcomers []newcomer
	for i := range drafts {
		d := &drafts[i]
		lost, known := d.lost(), len(newcomers)
		for _, s := range d.sessions {
			k := at[s.at]
			k.shows.add(d.rule)
			if !k.barred.has(d.rule) && !l.stays(k, lines[i], s.is(lost)) {
				newcomers = append(newcomers, newcomer{k, lines[i], s.is(lost)})
			}
		}
		// One that shows nothing new was counted when it did.
		if len(newcomers) > known && lines[i].several {
			l.joined.add(d.key())
		}
	}
	for _, c := range newcomers {
		l.count(c.k, c.to, c.taken)
	}
	for i, n := range lines {
		if n != nil && n.finding.Severity > n.toldAs && len(n.fresh)+n.more == 0 {
			l.tellWorse(n, at[drafts[i].sessions[len(drafts[i].sessions)-1].at])
		}
	}
}

// line returns the line with a key, which is made where there is none.
func (l *ledger) line(key lineKey) *line {
	n := l.lines[key]
	if n == nil {
		l.made++
		n = &line{key: key, id: l.made}
		l.lines[key] = n
	}
	return n
}

func nanoOf(f *Finding) int64 {
	if f.Last.IsZero() {
		return 0
	}
	return f.Last.UnixNano()
}

// stays reports that a session is counted already where it was found now.
func (l *ledger) stays(k *kept, n *line, taken bool) bool {
	for i := range k.shown {
		s := &k.shown[i]
		in := s.line.end()
		if s.round == l.round || in != n {
			continue
		}
		s.line, s.round = in, l.round
		if taken && !s.taken {
			s.taken = true
			in.taken++
		}
		s.toldAs = max(s.toldAs, in.finding.Severity)
		return true
	}
	return false
}

// count counts a session in a line. One that is counted in another line of the same rule
// and was not found there now, because the rule divided its sessions otherwise, moves; and
// one that was withdrawn from the rule comes back. Both are told only where the finding is
// worse than what was told of the session.
func (l *ledger) count(k *kept, n *line, taken bool) {
	now := showing{line: n, round: l.round, taken: taken}
	i := slices.IndexFunc(k.shown, func(s showing) bool {
		return s.round != l.round && s.line.end().key.rule == n.key.rule
	})
	if i < 0 {
		if had, ok := k.comesBack(n.key.rule); ok {
			n.revive(had.line.end())
			l.tellAgain(k, &now, &had)
		} else {
			l.tell(k, &now)
		}
		now.add(1)
		k.shown = append(k.shown, now)
		return
	}
	had := &k.shown[i]
	now.held, now.taken = had.held, taken || had.held && had.taken
	had.add(-1)
	l.tellAgain(k, &now, had)
	*had = now
	had.add(1)
}

// tellAgain leaves a session for Changes that had a place before, if that was not told yet
// or was not told as bad.
func (l *ledger) tellAgain(k *kept, now, had *showing) {
	now.telling, now.toldAs = had.telling, had.toldAs
	n := now.line
	if l.untold(had) {
		l.untell(k, had)
		l.tell(k, now)
	} else if n.finding.Severity > had.toldAs {
		l.tell(k, now)
	} else {
		n.toldAs = max(n.toldAs, had.toldAs)
	}
}

// comesBack returns how the session showed a rule that it was withdrawn from, once.
func (k *kept) comesBack(rule int) (had showing, ok bool) {
	i := slices.IndexFunc(k.withdrawn, func(s showing) bool { return s.line.end().key.rule == rule })
	if i < 0 {
		return showing{}, false
	}
	had = k.withdrawn[i]
	k.withdrawn = slices.Delete(k.withdrawn, i, i+1)
	return had, true
}

// revive has a line that was not told yet go on as the one that its sessions were told in
// before all were withdrawn.
func (n *line) revive(old *line) {
	if old.gone && old.told && !n.told {
		n.id, n.told, old.into = old.id, true, n
	}
}

// tell leaves a session for Changes to tell of.
func (l *ledger) tell(k *kept, s *showing) {
	n := s.line.end()
	s.telling, s.toldAs = l.tellings, max(s.toldAs, n.finding.Severity)
	if len(n.fresh) < maxFresh {
		n.fresh = append(n.fresh, k.Session)
	} else {
		n.more++
	}
}

// untold reports that Changes has not told of the session yet.
func (l *ledger) untold(s *showing) bool { return s.telling == l.tellings }

// untell has Changes not tell of a session that it has not told of yet.
func (l *ledger) untell(k *kept, s *showing) {
	n := s.line.end()
	if i := slices.Index(n.fresh, k.Session); i >= 0 {
		n.fresh = slices.Delete(n.fresh, i, i+1)
	} else {
		n.more--
	}
}

// tellWorse tells of a finding that got worse though no session is new to it: by the latest
// that shows it.
func (l *ledger) tellWorse(n *line, k *kept) {
	for i := range k.shown {
		if s := &k.shown[i]; s.line.end() == n {
			l.tell(k, s)
			return
		}
	}
}

// withdraw counts a session no more for what the last analysis does not find in it.
func (l *ledger) withdraw(k *kept) {
	k.shown = slices.DeleteFunc(k.shown, func(s showing) bool {
		if s.held || s.round == l.round {
			return false
		}
		if s.add(-1); l.untold(&s) {
			l.untell(k, &s)
		} else {
			k.withdrawn = append(k.withdrawn, s)
		}
		return true
	})
	// Else a chain of lines would grow with a finding that comes and goes.
	for i := range k.withdrawn {
		k.withdrawn[i].line = k.withdrawn[i].line.end()
	}
	k.barred &= k.shows
}

// hold compares what the last analysis found with what is found in the same sessions but for
// those that were forgotten since. To forget must change no count: what is missing is held,
// and what was not there before is barred, for as long as it is there.
func (l *ledger) hold(drafts []draft, at, all []*kept) {
	severity := map[*line]Severity{}
	for i := range drafts {
		d := &drafts[i]
		for _, s := range d.sessions {
			k := at[s.at]
			k.shows.add(d.rule)
			counted := false
			for j := range k.shown {
				if n := k.shown[j].line.end(); n.key.rule == d.rule {
					counted = true
					severity[n] = max(severity[n], d.severity)
				}
			}
			if !counted {
				k.barred.add(d.rule)
			}
		}
	}
	for _, k := range all {
		for i := range k.shown {
			s := &k.shown[i]
			s.held = s.held || !k.shows.has(s.line.end().key.rule)
		}
	}
	for _, n := range l.lines {
		if n.finding.Severity > severity[n] {
			n.least = n.finding.Severity
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
		if n.several && n.count > n.finding.Sessions {
			found[i].Joined = &Joined{Sessions: n.finding.Sessions, Brokers: n.brokers}
		}
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
		n.told, n.toldAs, n.fresh, n.more = true, max(n.toldAs, n.finding.Severity), nil, 0
	}
	l.tellings++
	return changed
}
