package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

// DiffSchema names this version of the JSON of a comparison.
const DiffSchema = "mqttriage/diff/v1"

// Comparison says what became of the findings of one report in a later one. It
// is the JSON contract of diff, and all that its renderers read. Values from the
// wire are in it as they were sent.
type Comparison struct {
	Schema string  `json:"schema"`
	Tool   Tool    `json:"tool"`
	Lang   kb.Lang `json:"lang"`
	// Answer is what the comparison says first.
	Answer string `json:"answer"`
	// Reversed says that the later report's captures ended before the earlier's
	// began: nothing is gone then.
	Reversed bool   `json:"reversed"`
	Before   Side   `json:"before"`
	After    Side   `json:"after"`
	Counts   Counts `json:"counts"`
	// Notes are sentences about what limits the comparison.
	Notes []string `json:"notes"`
	// Findings are in the order of Statuses, the most severe first.
	Findings []Compared `json:"findings"`
}

// Side is what one of the two reports is about.
type Side struct {
	// Name is the file's.
	Name     string   `json:"name"`
	Captures []string `json:"captures"`
	// ObservedMS is how long the captures watched, in milliseconds; time that
	// several of them cover counts once.
	ObservedMS float64 `json:"observed_ms"`
	Sessions   int     `json:"sessions"`
	// Attempts are the sessions whose outcome the packets show.
	Attempts int `json:"attempts"`
	Accepted int `json:"accepted"`
	// AcceptedRate is the accepted share of the attempts, from 0 to 1.
	AcceptedRate *float64 `json:"accepted_rate,omitempty"`
}

func (s *Side) observed() time.Duration {
	return time.Duration(s.ObservedMS * float64(time.Millisecond))
}

// Status is what became of a finding.
type Status string

// Statuses are in the order in which they are worth reading.
const (
	More     Status = "more"     // there, and more often than chance explains
	Still    Status = "still"    // there as before, as far as the counts can tell
	Less     Status = "less"     // there, and more rarely than chance explains
	New      Status = "new"      // only in the later report
	Unproven Status = "unproven" // not seen any more, which so far proves nothing
	Gone     Status = "gone"     // not seen any more, and it would have been
)

// Statuses are all of them.
var Statuses = []Status{More, Still, Less, New, Unproven, Gone}

// Counts count the findings of each status.
type Counts struct {
	More     int `json:"more"`
	Still    int `json:"still"`
	Less     int `json:"less"`
	New      int `json:"new"`
	Unproven int `json:"unproven"`
	Gone     int `json:"gone"`
}

func (c *Counts) add(s Status) {
	*map[Status]*int{More: &c.More, Still: &c.Still, Less: &c.Less, New: &c.New, Unproven: &c.Unproven, Gone: &c.Gone}[s]++
}

// Compared is a finding of one report or of both.
type Compared struct {
	Status Status `json:"status"`
	// Basis is what the status rests on: "accepted" (clients that were refused
	// are let in), "counts", "absent" (none of its clients tried again),
	// "hidden" (a report leaves findings out), "order" (the later report is of
	// an earlier time).
	Basis    string `json:"basis"`
	Symptom  string `json:"symptom"`
	Severity string `json:"severity"`
	Title    string `json:"title"`
	// Matched says by what the two were taken for one: "broker" or
	// "clients", where the broker has another address now.
	Matched string `json:"matched,omitempty"`
	Broker  string `json:"broker"`
	// BrokerAfter is the broker's address in the later report where it differs.
	BrokerAfter string   `json:"broker_after,omitempty"`
	ClientIDs   []string `json:"client_ids"`
	Codes       []string `json:"codes"`
	Alert       string   `json:"tls_alert,omitempty"`
	Before      Seen     `json:"before"`
	After       Seen     `json:"after"`
	// Chance is the probability of a change as large as this if nothing had
	// changed; it is absent where no counts were compared.
	Chance *float64 `json:"chance,omitempty"`
	// Needed is what an unproven finding's later report must cover, at least.
	Needed *Needed `json:"needed,omitempty"`
	// Conclusion says the status and its reason in a sentence.
	Conclusion string `json:"conclusion"`
	// Entry and Fix are the advice for what is there now: the foremost entry
	// and its first recommended fix.
	Entry string `json:"entry,omitempty"`
	Fix   string `json:"fix,omitempty"`
	// lacks is what the report without the finding has too little of.
	lacks lack
}

// Seen is how often a finding was seen in one report.
type Seen struct {
	Sessions int `json:"sessions"`
	// PerHour is left out below a minute of observation.
	PerHour *float64 `json:"per_hour,omitempty"`
	// Share is the part of the attempts, from 0 to 1.
	Share *float64     `json:"share,omitempty"`
	First decode.Stamp `json:"first,omitzero"`
	Last  decode.Stamp `json:"last,omitzero"`
}

// Needed is how much must be observed without a sign of a finding.
type Needed struct {
	ObservedMS float64 `json:"observed_ms"`
	Attempts   int     `json:"attempts"`
}

// CompareOptions say who compares and how.
type CompareOptions struct {
	// Version is the tool's.
	Version string
	Lang    kb.Lang
	// BeforeName and AfterName are the files'.
	BeforeName, AfterName string
}

// Compare says which findings of before went away, stayed or are new in after.
func Compare(before, after *Document, opts CompareOptions) *Comparison {
	c := &Comparison{
		Schema: DiffSchema, Tool: Tool{Name: "mqttriage", Version: opts.Version}, Lang: opts.Lang,
		Before: sideOf(before, opts.BeforeName), After: sideOf(after, opts.AfterName),
		Reversed: reversed(before, after), Notes: []string{}, Findings: []Compared{},
	}
	j := newJudge(before, after, opts.Lang)
	for _, p := range match(before.Findings, after.Findings) {
		one := j.compared(p)
		c.Counts.add(one.Status)
		c.Findings = append(c.Findings, one)
	}
	slices.SortStableFunc(c.Findings, func(a, b Compared) int {
		return cmp.Or(
			cmp.Compare(slices.Index(Statuses, a.Status), slices.Index(Statuses, b.Status)),
			cmp.Compare(severityRank[b.Severity], severityRank[a.Severity]),
		)
	})
	c.Notes = append(c.Notes, compareNotes(before, after, opts.Lang)...)
	c.Answer = compareAnswer(c)
	return c
}

// There reports that a finding from a severity ("error", "warning", "info") on is
// in the later report or may still be: what the exit status tells. In reversed
// order nobody knows what is there now.
func (c *Comparison) There(severity string) bool {
	return c.Reversed || slices.ContainsFunc(c.Findings, func(f Compared) bool {
		return f.Status != Gone && severityRank[f.Severity] >= severityRank[severity]
	})
}

var severityRank = map[string]int{"info": 1, "warning": 2, "error": 3}

func sideOf(doc *Document, name string) Side {
	s := Side{
		Name: name, Captures: make([]string, 0, len(doc.Captures)),
		ObservedMS: float64(observed(doc)) / float64(time.Millisecond),
		Sessions:   doc.Totals.Sessions, Attempts: attempts(doc, ""), Accepted: doc.Totals.Accepted,
	}
	for _, c := range doc.Captures {
		s.Captures = append(s.Captures, c.Name)
	}
	s.AcceptedRate = share(s.Accepted, s.Attempts)
	return s
}

// share is a part of a whole, nil where there is no whole.
func share(part, whole int) *float64 {
	if whole <= 0 {
		return nil
	}
	rate := min(float64(part)/float64(whole), 1)
	return &rate
}

// observed is the time that the captures cover together.
func observed(doc *Document) time.Duration {
	type span struct{ first, last time.Time }
	var spans []span
	for _, c := range doc.Captures {
		s := span{time.Time(c.First), time.Time(c.Last)}
		if !s.first.IsZero() && s.last.After(s.first) {
			spans = append(spans, s)
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.first.Compare(b.first) })
	var sum time.Duration
	var until time.Time
	for _, s := range spans {
		if s.first.Before(until) {
			s.first = until
		}
		if s.last.After(s.first) {
			sum += s.last.Sub(s.first)
			until = s.last
		}
	}
	return min(sum, maxObserved)
}

// maxObserved bounds what a damaged clock makes of a capture's time.
const maxObserved = 100 * 365 * 24 * time.Hour

// attempts counts the sessions of which the packets show whether they have a
// symptom. Inside TLS only what befalls the connection shows.
func attempts(doc *Document, symptom string) int {
	t := doc.Totals
	n := t.Sessions - t.Unknown
	if beforeMQTT[symptom] {
		n += t.Encrypted
	}
	return min(max(n, 0), maxCount)
}

// maxCount bounds the counts that a file claims.
const maxCount = 1_000_000_000

// beforeMQTT are the symptoms that show before the first MQTT packet, and so also
// where all of MQTT is encrypted.
var beforeMQTT = map[string]bool{
	"connection-refused": true, "connection-timeout": true, "tls-to-plain-port": true,
	"plain-to-tls-port": true, "tls-alert": true, "http-on-mqtt-port": true,
}
