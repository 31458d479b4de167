package kb

// Entry is one knowledge-base article as it is written. The package comment
// describes the file format.
type Entry struct {
	// ID is a path in kebab-case, such as "mqtt/empty-client-id".
	ID      string `yaml:"id" json:"id"`
	Title   Text   `yaml:"title" json:"title"`
	Summary Text   `yaml:"summary" json:"summary"`
	// Symptoms are the ids of the findings that the entry answers.
	Symptoms []string `yaml:"symptoms" json:"symptoms"`
	// When says under what facts the entry is specific to a finding. Without
	// it the entry is a generic one.
	When *Condition `yaml:"when" json:"when,omitempty"`
	// Published are the figures of the article that the entry stems from.
	Published *Published     `yaml:"published" json:"published,omitempty"`
	Versions  []Version      `yaml:"versions" json:"versions,omitempty"`
	Causes    []CauseEntry   `yaml:"causes" json:"causes"`
	Fixes     []FixEntry     `yaml:"fixes" json:"fixes"`
	DeadEnds  []DeadEndEntry `yaml:"dead_ends" json:"dead_ends"`
	// CannotTell says what no packet shows about this problem.
	CannotTell *Text `yaml:"cannot_tell" json:"cannot_tell,omitempty"`
	// LookNext says where to look for it instead.
	LookNext []LookNext `yaml:"look_next" json:"look_next,omitempty"`
	// Sources are URLs or clauses.
	Sources  []string `yaml:"sources" json:"sources"`
	Captures Captures `yaml:"captures" json:"captures"`
}

// Published are figures that a source published about the whole problem. They
// are claims of that source, not measurements.
type Published struct {
	// Source is the article's URL.
	Source string `yaml:"source" json:"source"`
	// FirstSeen is a date, YYYY-MM-DD.
	FirstSeen string `yaml:"first_seen" json:"first_seen,omitempty"`
	// Confidence and FixRate are from 0 to 1; nil where not published.
	Confidence *float64 `yaml:"confidence" json:"confidence,omitempty"`
	FixRate    *float64 `yaml:"fix_rate" json:"fix_rate,omitempty"`
	// Canon is what the published article says beyond that, where it is one in
	// deadends.dev's format.
	Canon *Canon `yaml:"canon" json:"canon,omitempty"`
}

// Version is a product and version that an entry was checked against.
type Version struct {
	// Name is a product and version: "Mosquitto 2.0.15".
	Name string `yaml:"name" json:"name"`
	// Status is the published one, such as "active".
	Status string `yaml:"status" json:"status,omitempty"`
	// Note says what holds for it.
	Note *Text `yaml:"note" json:"note,omitempty"`
}

// Because gives the reasons for a status, best first.
type Because map[Status][]Reason

// Reason is a sentence that says why a status is given. In it {fact} stands for
// the value of a fact, and {fact one/many} in English for a count with its noun,
// as in {takeovers takeover/takeovers}.
type Reason struct {
	// When says under what facts the sentence is true, where the status alone
	// does not make it so.
	When *Condition `yaml:"when" json:"when,omitempty"`
	Text `yaml:",inline"`
}

// CauseEntry is a root cause and the conditions that decide it.
type CauseEntry struct {
	ID           string     `yaml:"id" json:"id"`
	Text         Text       `yaml:"text" json:"text"`
	Contradicted *Condition `yaml:"contradicted" json:"contradicted,omitempty"`
	Supported    *Condition `yaml:"supported" json:"supported,omitempty"`
	Because      Because    `yaml:"because" json:"because,omitempty"`
}

// FixEntry is a remedy and the conditions that decide it.
type FixEntry struct {
	ID   string `yaml:"id" json:"id"`
	Text Text   `yaml:"text" json:"text"`
	// SuccessRate is a published rate from 0 to 1, nil where there is none;
	// RateSource is who published it.
	SuccessRate   *float64   `yaml:"success_rate" json:"success_rate,omitempty"`
	RateSource    string     `yaml:"rate_source" json:"rate_source,omitempty"`
	InPlace       *Condition `yaml:"in_place" json:"in_place,omitempty"`
	NotApplicable *Condition `yaml:"not_applicable" json:"not_applicable,omitempty"`
	Recommended   *Condition `yaml:"recommended" json:"recommended,omitempty"`
	// Worked names the change of the CONNECT that the fix is, one of
	// workedChanges. Where the packets show that a client made this change and
	// was accepted (the fact worked_change), nothing is better proven: the fix is
	// recommended, whatever its conditions say, and stands first.
	Worked  string  `yaml:"worked" json:"worked,omitempty"`
	Because Because `yaml:"because" json:"because,omitempty"`
	How     []How   `yaml:"how" json:"how,omitempty"`
}

// DeadEndEntry is something that does not help and the condition under which
// the packets show it being tried.
type DeadEndEntry struct {
	ID   string `yaml:"id" json:"id"`
	Text Text   `yaml:"text" json:"text"`
	// Why says why it does not help.
	Why Text `yaml:"why" json:"why"`
	// FailRate is a published rate from 0 to 1, nil where there is none;
	// RateSource is who published it.
	FailRate   *float64   `yaml:"fail_rate" json:"fail_rate,omitempty"`
	RateSource string     `yaml:"rate_source" json:"rate_source,omitempty"`
	Seen       *Condition `yaml:"seen" json:"seen,omitempty"`
	Because    Because    `yaml:"because" json:"because,omitempty"`
}

// LookNext is a place outside the capture that decides what packets cannot.
type LookNext struct {
	// For is a product, empty where the advice is for all.
	For  string `yaml:"for" json:"for,omitempty"`
	Text Text   `yaml:"text" json:"text"`
}

// Captures names the cases that hold an entry to its word: captures in which it
// must be advised, and captures in which it must not.
type Captures struct {
	Fires  []string `yaml:"fires" json:"fires,omitempty"`
	Silent []string `yaml:"silent" json:"silent,omitempty"`
}
