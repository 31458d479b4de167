package kb

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// JSON writes entries as one JSON array, as they are written in their files.
func JSON(entries []*Entry) ([]byte, error) { return indented(entries) }

func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(v)
	return b.Bytes(), err
}

// Canons writes entries in deadends.dev's canonical JSON, schema 1.0.0: one
// article as an object, several as a list. The format demands a rate for the
// article, for each workaround and for each dead end. Nothing is invented to meet
// that: entries, fixes and dead ends for which no source publishes a rate, and
// entries without a date, are left out, and leftOut counts such entries. data is nil when nothing remains.
func Canons(entries []*Entry) (data []byte, leftOut int, err error) {
	var all []*article
	for _, e := range entries {
		if a := e.article(); a != nil {
			all = append(all, a)
		} else {
			leftOut++
		}
	}
	switch len(all) {
	case 0:
		return nil, leftOut, nil
	case 1:
		data, err = indented(all[0])
	default:
		data, err = indented(all)
	}
	return data, leftOut, err
}

// article makes the entry an article, nil where published rates are missing.
func (e *Entry) article() *article {
	p := e.Published
	if p == nil || p.Confidence == nil || p.FixRate == nil || p.Canon == nil && p.FirstSeen == "" {
		return nil
	}
	id := e.articleID()
	url := canonBase + id
	a := &article{SchemaVersion: new(canonVersion), ID: &id, URL: &url}
	ends, fixes := []articleEnd{}, []articleWorkaround{}
	for i := range e.DeadEnds {
		if d := &e.DeadEnds[i]; d.FailRate != nil {
			ends = append(ends, articleEnd{Action: &d.Text.En, WhyFails: &d.Why.En, FailRate: d.FailRate})
		}
	}
	for i := range e.Fixes {
		f := &e.Fixes[i]
		if f.SuccessRate == nil {
			continue
		}
		w := articleWorkaround{Action: &f.Text.En, SuccessRate: f.SuccessRate}
		if len(f.How) > 0 {
			w.How = f.How[0].Text.En
		}
		fixes = append(fixes, w)
	}
	if len(ends) == 0 {
		return nil
	}
	a.DeadEnds, a.Workarounds = &ends, &fixes
	c := e.canonOf()
	a.Error = &articleError{
		Signature: &e.Title.En, Regex: &c.Regex, Domain: &c.Domain, Category: &c.Category,
		FirstSeen: p.FirstSeen, LastConfirmed: c.LastConfirmed,
	}
	none := []json.RawMessage{}
	a.Transitions = &articleTransitions{&none, &none, &none}
	a.setRest(e, c)
	return a
}

// setRest fills the parts of an article that are structs of their own.
func (a *article) setRest(e *Entry, c Canon) {
	a.Environment = &articleEnvironment{Runtime: &articleRuntime{&c.Runtime, &c.VersionRange}, OS: &c.OS}
	a.Verdict = &articleVerdict{
		Resolvable: &c.Resolvable, FixSuccessRate: e.Published.FixRate, Confidence: e.Published.Confidence,
		LastUpdated: &c.LastUpdated, Summary: &e.Summary.En,
	}
	a.Metadata = &articleMetadata{&c.GeneratedBy, &c.GenerationDate, &c.ReviewStatus, &c.EvidenceCount}
}

// articleID is the article's own id, or one made of the entry's, which has no
// environment at its end.
func (e *Entry) articleID() string {
	if id, ours := strings.CutPrefix(e.Published.Source, canonBase); ours && articleID.MatchString(id) {
		return id
	}
	parts := strings.Split(e.ID, "/")
	for len(parts) < 3 {
		parts = append(parts, "mqtt")
	}
	return strings.Join(append(parts[:2:2], strings.Join(parts[2:], "-")), "/")
}

// canonOf is what the article said, or what the entry itself says of it.
func (e *Entry) canonOf() Canon {
	if e.Published.Canon != nil {
		return *e.Published.Canon
	}
	domain, _, _ := strings.Cut(e.ID, "/")
	c := Canon{
		Regex: regexp.QuoteMeta(e.Title.En), Domain: domain,
		Category: strings.ReplaceAll(e.Symptoms[0], "-", "_"),
		Runtime:  "mqtt", VersionRange: "*", OS: "any",
		LastUpdated: e.Published.FirstSeen, GenerationDate: e.Published.FirstSeen,
		GeneratedBy: "mqttriage", ReviewStatus: "human_reviewed", EvidenceCount: len(e.Sources),
		Resolvable: "partial",
	}
	// The bounds of deadends.dev's own validation (generator/validate.py).
	switch rate, confidence := *e.Published.FixRate, *e.Published.Confidence; {
	case rate >= 0.7 && confidence >= 0.6:
		c.Resolvable = "true"
	case rate < 0.2:
		c.Resolvable = "false"
	}
	return c
}
