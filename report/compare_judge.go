package report

import (
	"net/netip"
	"slices"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

// judge says what became of each finding.
type judge struct {
	before, after *Document
	lang          kb.Lang
	reversed      bool
	// came is how the clients of the earlier findings fared in each report; nil
	// where a report does not list its sessions.
	cameBefore, cameAfter map[client]fate
}

// client is a client by its ID or by its address.
type client struct {
	byID bool
	name string
}

// fate counts what a client tried and what of it was accepted.
type fate struct{ attempts, accepted int }

func newJudge(before, after *Document, lang kb.Lang) *judge {
	j := &judge{before: before, after: after, lang: lang, reversed: reversed(before, after)}
	asked := map[client]bool{}
	for i := range before.Findings {
		f := &before.Findings[i]
		for _, id := range named(f.ClientIDs) {
			asked[client{true, id}] = true
		}
		for _, addr := range f.Clients {
			asked[client{false, addr}] = true
		}
	}
	j.cameBefore, j.cameAfter = fates(before.Sessions, asked), fates(after.Sessions, asked)
	return j
}

// fates looks up the clients that are asked for.
func fates(sessions Records, asked map[client]bool) map[client]fate {
	if sessions.IsZero() {
		return nil
	}
	came := map[client]fate{}
	count := func(c client, s *decode.Record) {
		if !asked[c] {
			return
		}
		f := came[c]
		// A session inside TLS that nobody can read was tried all the same.
		if s.Outcome != decode.Unknown || s.TLS != nil {
			f.attempts++
		}
		if s.Outcome == decode.Accepted {
			f.accepted++
		}
		came[c] = f
	}
	for i := range sessions.Len() {
		s := sessions.At(i)
		if s.ClientID != nil && *s.ClientID != "" {
			count(client{true, *s.ClientID}, &s)
		}
		if at, err := netip.ParseAddrPort(s.Client); err == nil {
			count(client{false, at.Addr().String()}, &s)
		}
	}
	return came
}

// lasting are the refusals that stay until somebody changes something: a client
// that is let in after them is proof. Others come and go by themselves.
var lasting = map[string]bool{
	"identifier-rejected": true, "bad-credentials": true, "not-authorized": true,
	"version-refused": true, "malformed-connect": true, "ws-upgrade-failed": true,
	"tls-to-plain-port": true, "plain-to-tls-port": true, "http-on-mqtt-port": true, "tls-alert": true,
}

// ofClient are the symptoms that other clients do not show: without those that
// had them, nothing can be seen.
var ofClient = map[string]bool{
	"client-id-takeover": true, "client-id-shared": true, "client-id-churn": true,
	"session-flapping": true, "keepalive-timeout": true, "retry-storm": true,
}

// lastingCodes are the codes of such refusals. A storm of them ends with them.
var lastingCodes = map[string]bool{
	"0x01": true, "0x02": true, "0x04": true, "0x05": true,
	"0x84": true, "0x85": true, "0x86": true, "0x87": true, "0x8a": true, "0x8c": true,
}

func lasts(f *Finding) bool {
	storm := f.Symptom == "retry-storm" && len(f.Codes) > 0 &&
		!slices.ContainsFunc(f.Codes, func(code string) bool { return !lastingCodes[code] })
	return lasting[f.Symptom] || storm
}

// letIn reports that every client of the finding is accepted now, and that none
// was before.
func (j *judge) letIn(f *Finding) bool {
	if !lasts(f) || j.cameBefore == nil || j.cameAfter == nil {
		return false
	}
	all := func(byID bool, names []string) bool {
		return len(names) > 0 && !slices.ContainsFunc(names, func(n string) bool {
			c := client{byID, n}
			return j.cameBefore[c].accepted > 0 || j.cameAfter[c].accepted == 0
		})
	}
	ids := named(f.ClientIDs)
	// What cures a refused ID is another one, which comes from the same place.
	return all(true, ids) || (len(ids) == 0 || slices.Contains(f.Codes, "0x02") || slices.Contains(f.Codes, "0x85")) && all(false, f.Clients)
}

// absent reports that none of the finding's clients tried again.
func (j *judge) absent(f *Finding) bool {
	if !lasting[f.Symptom] && !ofClient[f.Symptom] || j.cameAfter == nil {
		return false
	}
	for _, id := range named(f.ClientIDs) {
		if j.cameAfter[client{true, id}].attempts > 0 {
			return false
		}
	}
	for _, addr := range f.Clients {
		if j.cameAfter[client{false, addr}].attempts > 0 {
			return false
		}
	}
	return true
}

// leavesOut reports that a document may have a finding of that severity that it
// does not list.
func leavesOut(doc *Document, severity string) bool {
	return doc.Totals.FindingsOmitted > 0 || doc.Hidden > 0 && severity != "error"
}

// compared judges one pair.
func (j *judge) compared(p pair) Compared {
	newest := p.after
	if newest == nil {
		newest = p.before
	}
	c := Compared{
		Basis: "counts", Symptom: newest.Symptom, Severity: newest.Severity, Title: titleOf(newest, j.lang),
		Matched: p.by, Broker: newest.Broker,
		ClientIDs: present(newest.ClientIDs), Codes: present(newest.Codes), Alert: alertOf(newest),
		Before: seenIn(j.before, p.before, newest.Symptom), After: seenIn(j.after, p.after, newest.Symptom),
	}
	if p.before != nil && severityRank[p.before.Severity] > severityRank[c.Severity] {
		c.Severity = p.before.Severity
	}
	switch {
	case p.after == nil:
		j.missing(&c, p.before)
	case p.before == nil:
		j.fresh(&c, p.after)
	default:
		if c.Broker = p.before.Broker; p.after.Broker != c.Broker {
			c.BrokerAfter = p.after.Broker
		}
		chance, status := change(occasions(p.before), occasions(p.after),
			exposureOf(j.before, p.before, c.Symptom), exposureOf(j.after, p.after, c.Symptom))
		c.Chance, c.Status = &chance, status
	}
	if p.after != nil {
		c.Entry, c.Fix = firstAdvice(p.after)
	}
	c.Conclusion = j.conclusion(&c)
	return c
}

// missing judges a finding that the later report does not have.
func (j *judge) missing(c *Compared, f *Finding) {
	c.Status = Unproven
	switch {
	case j.reversed:
		c.Basis = "order"
		return
	case leavesOut(j.after, f.Severity):
		c.Basis = "hidden"
		return
	case j.letIn(f):
		c.Status, c.Basis = Gone, "accepted"
		return
	case j.absent(f):
		c.Basis = "absent"
		return
	}
	k := outages(f, observed(j.before))
	in, not := exposureOf(j.before, f, f.Symptom), exposureOf(j.after, nil, f.Symptom)
	chance, lacks := chanceOfNone(k, in, not)
	c.Chance, c.lacks = &chance, lacks
	if chance <= maxChance {
		c.Status = Gone
		return
	}
	needed := neededFor(k, in)
	c.Needed = &needed
}

// fresh judges a finding that the earlier report does not have. It is there
// now, whatever the chance; that says whether it was before.
func (j *judge) fresh(c *Compared, f *Finding) {
	c.Status = New
	if leavesOut(j.before, f.Severity) {
		c.Basis = "hidden"
		return
	}
	chance, lacks := chanceOfNone(outages(f, observed(j.after)), exposureOf(j.after, f, f.Symptom), exposureOf(j.before, nil, f.Symptom))
	c.Chance, c.lacks = &chance, lacks
}

func seenIn(doc *Document, f *Finding, symptom string) Seen {
	var s Seen
	if f != nil {
		s = Seen{Sessions: f.Sessions, First: f.First, Last: f.Last}
	}
	s.Share = share(s.Sessions, attempts(doc, symptom))
	if d := observed(doc); d >= time.Minute {
		rate := float64(s.Sessions) / d.Hours()
		s.PerHour = &rate
	}
	return s
}

// firstAdvice is the foremost entry and its first recommended fix.
func firstAdvice(f *Finding) (entry, fix string) {
	if len(f.Advice) == 0 {
		return "", ""
	}
	a := &f.Advice[0]
	for _, x := range a.Fixes {
		if x.Status == kb.Recommended {
			return a.Entry, x.Text
		}
	}
	return a.Entry, ""
}

// titleOf is the finding's title in the language of the comparison, which may
// not be that of the report.
func titleOf(f *Finding, lang kb.Lang) string {
	if w, ok := wordings[f.Symptom]; ok {
		return say(lang, w.title, nil)
	}
	return f.Title
}
