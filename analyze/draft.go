package analyze

import (
	"cmp"
	"slices"
)

// A draft is a finding of which only so much is known as it takes to tell it from
// a more severe one. What is listed in the end is measured, and no more.
type draft struct {
	severity Severity
	sessions []*session
	// packets names the packets of a session that show the symptom.
	packets func(*session) []int
	// more sets the facts that are the symptom's own; nil where there are none.
	more func(*Finding)

	// rule is the number of the rule that made it, of a broker's sessions.
	rule   int
	broker *broker
	// first is when the first session was opened.
	first moment
}

// evidence are the sessions that the finding names.
func (d *draft) evidence() []*session { return d.sessions[:min(len(d.sessions), MaxEvidence)] }

// one wraps the draft over some sessions, which are in order of time, if there are
// any.
func one(severity Severity, ss []*session, packets func(*session) []int) []draft {
	if len(ss) == 0 {
		return nil
	}
	return []draft{{severity: severity, sessions: ss, packets: packets}}
}

// drafts runs every rule on every broker. It returns the drafts of the foremost
// findings in their order, and how many others there are.
func (ix *index) drafts() (found []draft, omitted int) {
	for _, b := range ix.brokers {
		found = b.appendDrafts(found)
		if len(found) > 4*maxFindings {
			omitted += len(found) - maxFindings
			found = slices.Clip(slices.Clone(foremost(found)))
		}
	}
	omitted += max(0, len(found)-maxFindings)
	return foremost(found), omitted
}

// allDrafts returns the drafts of all findings in their order. There may be as many as
// sessions, so that it is for an index of few.
func (ix *index) allDrafts() []draft {
	var found []draft
	for _, b := range ix.brokers {
		found = b.appendDrafts(found)
	}
	sortDrafts(found)
	return found
}

// appendDrafts runs every rule on the broker.
func (b *broker) appendDrafts(found []draft) []draft {
	for _, d := range b.drafts() {
		d.broker, d.first = b, firstOpened(d.sessions)
		found = append(found, d)
	}
	return found
}

// foremost sorts drafts and returns the first maxFindings of them.
func foremost(found []draft) []draft {
	sortDrafts(found)
	return found[:min(len(found), maxFindings)]
}

// sortDrafts puts drafts in the order of findings.
func sortDrafts(found []draft) {
	slices.SortStableFunc(found, func(x, y draft) int {
		return cmp.Or(
			cmp.Compare(y.severity, x.severity),
			cmp.Compare(x.rule, y.rule),
			cmp.Compare(len(y.sessions), len(x.sessions)),
			x.first.compare(y.first),
		)
	})
}

// firstOpened is when the first of the sessions, which are in order of time, was
// opened.
func firstOpened(sessions []*session) moment {
	first := moment(sessions[0].opened)
	if first > 0 {
		return first
	}
	for _, s := range sessions[1:] {
		first = first.orEarlier(moment(s.opened))
	}
	return first
}

// last is when the last of its sessions ended, or was seen.
func (d *draft) last() moment {
	var last moment
	for _, s := range d.sessions {
		last = last.orLater(moment(either(&s.Closed, &s.Last).Nano))
	}
	return last
}
