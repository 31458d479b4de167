// Package kb applies the knowledge base to findings: which causes the facts
// support or contradict, which fixes help, which dead ends were already tried.
// It knows no packets and prints nothing.
package kb

import "github.com/mqttriage/mqttriage/analyze"

// Lang is a report language.
type Lang string

// The languages of every entry.
const (
	English Lang = "en"
	Chinese Lang = "zh"
)

// Text is a sentence in both languages.
type Text struct {
	En string `yaml:"en" json:"en"`
	Zh string `yaml:"zh" json:"zh"`
}

// In returns the text in a language, English where it is not l's.
func (t Text) In(l Lang) string {
	if l == Chinese && t.Zh != "" {
		return t.Zh
	}
	return t.En
}

// Status says what the facts of a finding do to a cause, a fix or a dead end.
type Status string

// The statuses of causes, of fixes and of dead ends.
const (
	Supported    Status = "supported"
	Contradicted Status = "contradicted"
	Possible     Status = "possible" // causes and fixes that the facts do not decide

	Recommended   Status = "recommended"
	InPlace       Status = "in-place"
	NotApplicable Status = "not-applicable"

	Seen       Status = "seen"
	NotSeen    Status = "not-seen"
	NotVisible Status = "not-visible" // packets cannot show it, or these do not
)

// Advice is an entry applied to a finding.
type Advice struct {
	Entry *Entry
	// Specific reports that the entry's own condition holds, not only that it
	// lists the symptom.
	Specific bool
	Causes   []Cause
	Fixes    []Fix
	DeadEnds []DeadEnd
	// LookNext is the entry's, with what is for the finding's broker first.
	LookNext []LookNext
	// deciding are the facts that made the entry's condition hold.
	deciding []string
}

// Cause is a root cause under the facts of a finding.
type Cause struct {
	ID      string
	Text    Text
	Status  Status
	Because Text
	Packets []int
}

// Fix is a remedy under the facts of a finding.
type Fix struct {
	ID   string
	Text Text
	// Rate is the published success rate from 0 to 1, nil where none is.
	Rate    *float64
	Status  Status
	Because Text
	Packets []int
	How     []How
	// Worked reports that a client in the capture did this and was accepted.
	Worked bool
}

// How is a fix in the terms of one broker or client.
type How struct {
	// For is a product and version range in words: "mosquitto 2.0".
	For  string `yaml:"for" json:"for"`
	Text Text   `yaml:"text" json:"text"`
}

// DeadEnd is something that people try and that does not help.
type DeadEnd struct {
	ID   string
	Text Text
	Why  Text
	// Rate is the published fail rate from 0 to 1, nil where none is.
	Rate    *float64
	Status  Status
	Because Text
	Packets []int
}

// Consult returns the advice for a finding, most specific entry first.
func (b *Base) Consult(f analyze.Finding) []Advice { return b.consult(f, nil) }

// ConsultShowing is Consult with other values of the same facts in its sentences,
// such as pseudonyms for names. Which advice is given, the finding's own decide.
func (b *Base) ConsultShowing(f analyze.Finding, shown analyze.Facts) []Advice {
	return b.consult(f, &shown)
}
