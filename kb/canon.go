package kb

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Canon is what an article in deadends.dev's canonical format says beyond an
// entry's own fields, kept as published so that the entry can be written as such
// an article again.
type Canon struct {
	// Regex matches the error's text, in Python's dialect. Import finds the
	// article's symptoms by it; it is never applied to a capture.
	Regex    string `yaml:"regex" json:"regex"`
	Domain   string `yaml:"domain" json:"domain"`
	Category string `yaml:"category" json:"category"`
	// LastConfirmed, LastUpdated and GenerationDate are dates, YYYY-MM-DD.
	LastConfirmed  string `yaml:"last_confirmed,omitempty" json:"last_confirmed,omitempty"`
	LastUpdated    string `yaml:"last_updated" json:"last_updated"`
	Runtime        string `yaml:"runtime" json:"runtime"`
	VersionRange   string `yaml:"version_range" json:"version_range"`
	OS             string `yaml:"os" json:"os"`
	Resolvable     string `yaml:"resolvable" json:"resolvable"` // "true", "partial" or "false"
	GeneratedBy    string `yaml:"generated_by" json:"generated_by"`
	GenerationDate string `yaml:"generation_date" json:"generation_date"`
	ReviewStatus   string `yaml:"review_status" json:"review_status"`
	EvidenceCount  int    `yaml:"evidence_count" json:"evidence_count"`
}

// The words of the format's enumerations (deadends.dev, generator/schema.py).
// Its list of domains grows with every release and is not held against an
// article.
var (
	resolvables    = []string{"true", "partial", "false"}
	reviewStatuses = []string{"auto_generated", "human_reviewed", "community_verified"}
)

// canon checks what an entry keeps of a published article; none is fine.
func (c *review) canon(x *Canon, at place) {
	if x == nil {
		return
	}
	for _, text := range []struct{ key, value string }{
		{"regex", x.Regex}, {"domain", x.Domain}, {"category", x.Category}, {"last_updated", x.LastUpdated},
	} {
		if text.value == "" {
			c.at(at.in(text.key), "missing: keep what the article says")
		}
	}
	if x.Resolvable != "" && !slices.Contains(resolvables, x.Resolvable) {
		c.only(strings.Join(resolvables, ", "), at.in("resolvable"), "%q is no verdict", x.Resolvable)
	}
	if x.ReviewStatus != "" && !slices.Contains(reviewStatuses, x.ReviewStatus) {
		c.only(strings.Join(reviewStatuses, ", "), at.in("review_status"), "%q is no review status", x.ReviewStatus)
	}
}

const (
	canonVersion = "1.0.0"
	canonBase    = "https://deadends.dev/"
	// maxCanonItems bounds every list of an article: one has a handful.
	maxCanonItems = 100
)

// article is deadends.dev's canonical JSON, schema 1.0.0. Pointers tell a value
// that is missing from one that is empty or 0. Keys that it does not name are
// ignored; the format allows them.
type article struct {
	SchemaVersion *string              `json:"schema_version"`
	ID            *string              `json:"id"`
	URL           *string              `json:"url"`
	Error         *articleError        `json:"error"`
	Environment   *articleEnvironment  `json:"environment"`
	Verdict       *articleVerdict      `json:"verdict"`
	DeadEnds      *[]articleEnd        `json:"dead_ends"`
	Workarounds   *[]articleWorkaround `json:"workarounds"`
	Transitions   *articleTransitions  `json:"transition_graph"`
	Metadata      *articleMetadata     `json:"metadata"`
}

type articleEnvironment struct {
	Runtime *articleRuntime `json:"runtime"`
	OS      *string         `json:"os"`
}

type articleRuntime struct {
	Name         *string `json:"name"`
	VersionRange *string `json:"version_range"`
}

type articleVerdict struct {
	Resolvable     *string  `json:"resolvable"`
	FixSuccessRate *float64 `json:"fix_success_rate"`
	Confidence     *float64 `json:"confidence"`
	LastUpdated    *string  `json:"last_updated"`
	Summary        *string  `json:"summary"`
}

type articleMetadata struct {
	GeneratedBy    *string `json:"generated_by"`
	GenerationDate *string `json:"generation_date"`
	ReviewStatus   *string `json:"review_status"`
	EvidenceCount  *int    `json:"evidence_count"`
}

type articleError struct {
	Signature     *string `json:"signature"`
	Regex         *string `json:"regex"`
	Domain        *string `json:"domain"`
	Category      *string `json:"category"`
	FirstSeen     string  `json:"first_seen,omitempty"`
	LastConfirmed string  `json:"last_confirmed,omitempty"`
}

type articleEnd struct {
	Action    *string  `json:"action"`
	WhyFails  *string  `json:"why_fails"`
	FailRate  *float64 `json:"fail_rate"`
	Condition string   `json:"condition,omitempty"`
	Sources   []string `json:"sources,omitempty"`
}

type articleWorkaround struct {
	Action      *string  `json:"action"`
	SuccessRate *float64 `json:"success_rate"`
	How         string   `json:"how,omitempty"`
	Tradeoff    string   `json:"tradeoff,omitempty"`
	Condition   string   `json:"condition,omitempty"`
	Sources     []string `json:"sources,omitempty"`
}

// articleTransitions links articles to each other. An entry has no such links, so
// they are checked for presence and not kept.
type articleTransitions struct {
	LeadsTo    *[]json.RawMessage `json:"leads_to"`
	PrecededBy *[]json.RawMessage `json:"preceded_by"`
	Confused   *[]json.RawMessage `json:"frequently_confused_with"`
}

var (
	articleVersion = regexp.MustCompile(`^\d+\.\d+\.\d+$`)
	articleID      = regexp.MustCompile(`^[a-z0-9-]+/[a-z0-9-]+/[a-z0-9._-]+$`)
)

// readArticle reads one article and checks it. The error names every problem, one
// a line.
func readArticle(data []byte) (*article, error) {
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("the article is larger than %d bytes", maxFileBytes)
	}
	a := new(article)
	if err := json.Unmarshal(data, a); err != nil {
		return nil, fmt.Errorf("no article in canonical JSON: %w", err)
	}
	var problems articleProblems
	problems.check(a)
	return a, errors.Join(problems.list...)
}

// articleProblems collects what is wrong with an article.
type articleProblems struct{ list []error }

func (p *articleProblems) add(key, format string, args ...any) {
	p.list = append(p.list, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
}

// word wants a text that is there and, unless it may be, not empty.
func (p *articleProblems) word(key string, s *string, mayBeEmpty bool) string {
	switch {
	case s == nil:
		p.add(key, "missing")
		return ""
	case !mayBeEmpty && strings.TrimSpace(*s) == "":
		p.add(key, "empty")
	}
	return *s
}

func (p *articleProblems) oneOf(key string, s *string, allowed []string) {
	if w := p.word(key, s, true); s != nil && !slices.Contains(allowed, w) {
		p.add(key, "%q is unknown; allowed: %s", w, strings.Join(allowed, ", "))
	}
}

func (p *articleProblems) rate(key string, r *float64) {
	switch {
	case r == nil:
		p.add(key, "missing")
	case !(*r >= 0 && *r <= 1) || math.IsNaN(*r):
		p.add(key, "%v is no rate; allowed: a number from 0 to 1", *r)
	}
}

func (p *articleProblems) date(key string, s *string, required bool) {
	if s == nil || *s == "" {
		if required {
			p.add(key, "missing")
		}
		return
	}
	if _, err := time.Parse(time.DateOnly, *s); err != nil {
		p.add(key, "%q is no date such as 2024-02-28", *s)
	}
}

func (p *articleProblems) sources(key string, urls []string) {
	for _, s := range urls {
		if u, err := url.Parse(s); err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
			p.add(key, "%q is no http or https URL", s)
		}
	}
}

func (p *articleProblems) check(a *article) {
	if v := p.word("schema_version", a.SchemaVersion, false); v != "" && !articleVersion.MatchString(v) {
		p.add("schema_version", "%q is no version such as %s", v, canonVersion)
	} else if v != "" && !strings.HasPrefix(v, "1.") {
		p.add("schema_version", "%s is not known; allowed: 1.x", v)
	}
	id := p.word("id", a.ID, false)
	if id != "" && !articleID.MatchString(id) {
		p.add("id", "%q is no path domain/slug/environment", id)
	}
	if u := p.word("url", a.URL, false); u != "" && u != canonBase+id {
		p.add("url", "%q is not %s%s", u, canonBase, id)
	}
	p.checkError(a.Error)
	if env := a.Environment; env == nil {
		p.add("environment", "missing")
	} else {
		p.word("environment.os", env.OS, true)
		if env.Runtime == nil {
			p.add("environment.runtime", "missing")
		} else {
			p.word("environment.runtime.name", env.Runtime.Name, true)
			p.word("environment.runtime.version_range", env.Runtime.VersionRange, true)
		}
	}
	if v := a.Verdict; v == nil {
		p.add("verdict", "missing")
	} else {
		p.oneOf("verdict.resolvable", v.Resolvable, resolvables)
		p.rate("verdict.fix_success_rate", v.FixSuccessRate)
		p.rate("verdict.confidence", v.Confidence)
		p.date("verdict.last_updated", v.LastUpdated, true)
		p.word("verdict.summary", v.Summary, false)
	}
	p.checkLists(a)
	if g := a.Transitions; g == nil {
		p.add("transition_graph", "missing")
	} else {
		for _, list := range []struct {
			key string
			is  *[]json.RawMessage
		}{{"leads_to", g.LeadsTo}, {"preceded_by", g.PrecededBy}, {"frequently_confused_with", g.Confused}} {
			if list.is == nil {
				p.add("transition_graph."+list.key, "missing")
			}
		}
	}
	if m := a.Metadata; m == nil {
		p.add("metadata", "missing")
	} else {
		p.word("metadata.generated_by", m.GeneratedBy, true)
		p.word("metadata.generation_date", m.GenerationDate, true)
		p.oneOf("metadata.review_status", m.ReviewStatus, reviewStatuses)
		if m.EvidenceCount == nil || *m.EvidenceCount < 0 {
			p.add("metadata.evidence_count", "missing or negative")
		}
	}
}

func (p *articleProblems) checkError(e *articleError) {
	if e == nil {
		p.add("error", "missing")
		return
	}
	p.word("error.signature", e.Signature, false)
	p.word("error.regex", e.Regex, false)
	if d := p.word("error.domain", e.Domain, false); d != "" && !itemID.MatchString(strings.ReplaceAll(d, "_", "-")) {
		p.add("error.domain", "%q is no domain", d)
	}
	p.word("error.category", e.Category, false)
	p.date("error.first_seen", &e.FirstSeen, false)
	p.date("error.last_confirmed", &e.LastConfirmed, false)
}

func (p *articleProblems) checkLists(a *article) {
	switch {
	case a.DeadEnds == nil || len(*a.DeadEnds) == 0:
		p.add("dead_ends", "missing: there must be one at least")
	case len(*a.DeadEnds) > maxCanonItems:
		p.add("dead_ends", "%d are more than the %d that are read", len(*a.DeadEnds), maxCanonItems)
	default:
		for i, d := range *a.DeadEnds {
			key := fmt.Sprintf("dead_ends[%d].", i+1)
			p.word(key+"action", d.Action, false)
			p.word(key+"why_fails", d.WhyFails, false)
			p.rate(key+"fail_rate", d.FailRate)
			p.sources(key+"sources", d.Sources)
		}
	}
	switch {
	case a.Workarounds == nil:
		p.add("workarounds", "missing")
	case len(*a.Workarounds) > maxCanonItems:
		p.add("workarounds", "%d are more than the %d that are read", len(*a.Workarounds), maxCanonItems)
	default:
		for i, w := range *a.Workarounds {
			key := fmt.Sprintf("workarounds[%d].", i+1)
			p.word(key+"action", w.Action, false)
			p.rate(key+"success_rate", w.SuccessRate)
			p.sources(key+"sources", w.Sources)
		}
	}
}
