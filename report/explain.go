package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/kb"
)

// ExplainSchema names this version of the JSON of an explanation.
const ExplainSchema = "mqttriage/explain/v1"

// Explanation is what explain says, in one language. Kind is "code", "symptom" or
// "entry".
type Explanation struct {
	Schema string  `json:"schema"`
	Kind   string  `json:"kind"`
	Lang   kb.Lang `json:"lang"`
	Title  string  `json:"title"`
	// Codes are what a code means in each family of versions, or the codes that
	// show as a symptom.
	Codes    []CodeMeaning    `json:"codes"`
	Symptoms []SymptomMeaning `json:"symptoms"`
	// Entries answer the symptoms, or are the one asked for.
	Entries []EntrySummary `json:"entries"`
}

// CodeMeaning is a CONNACK code in MQTT 3.x or in 5.
type CodeMeaning struct {
	Version string `json:"mqtt_version"`
	Code    string `json:"code"`
	Name    string `json:"name"`
	Means   string `json:"means"`
	// Same is the other version's code by that meaning.
	Same    string         `json:"same,omitempty"`
	Symptom string         `json:"symptom,omitempty"`
	At      []CodeAtBroker `json:"at"`
}

// CodeAtBroker is what a code means at one broker.
type CodeAtBroker struct {
	Vendor string `json:"vendor"`
	Text   string `json:"text"`
	Source string `json:"source"`
}

// SymptomMeaning is a symptom in words.
type SymptomMeaning struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Means string `json:"means"`
	Fires string `json:"fires"`
}

// EntrySummary is an entry in a list.
type EntrySummary struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Symptoms []string `json:"symptoms"`
	// The rest is there where one entry was asked for.
	Summary  string   `json:"summary,omitempty"`
	Causes   []string `json:"causes,omitempty"`
	Fixes    []string `json:"fixes,omitempty"`
	DeadEnds []string `json:"dead_ends,omitempty"`
	Sources  []string `json:"sources,omitempty"`
}

func hex(code int) string { return mqtt.FormatCode(byte(code)) }

// ExplainCodes explains a code, or the codes that share a name.
func ExplainCodes(base *kb.Base, codes []kb.Code, lang kb.Lang) *Explanation {
	x := &Explanation{Schema: ExplainSchema, Kind: "code", Lang: lang, Entries: []EntrySummary{}, Symptoms: []SymptomMeaning{}}
	titles := []string{}
	for _, c := range codes {
		x.Codes = append(x.Codes, codeMeaning(c, lang))
		if t := hex(c.Value); !slices.Contains(titles, t) {
			titles = append(titles, t)
		}
		if c.Symptom == "" {
			continue
		}
		if !slices.ContainsFunc(x.Symptoms, func(s SymptomMeaning) bool { return s.ID == c.Symptom }) {
			x.Symptoms = append(x.Symptoms, symptomMeaning(c.Symptom, lang))
		}
		x.addEntries(base.Answering(c.Symptom, c.Value), lang)
	}
	x.Title = strings.Join(titles, say(lang, listAnd, nil))
	return x
}

// ExplainSymptom explains a symptom.
func ExplainSymptom(base *kb.Base, id string, lang kb.Lang) *Explanation {
	s := symptomMeaning(id, lang)
	x := &Explanation{
		Schema: ExplainSchema, Kind: "symptom", Lang: lang, Title: id + say(lang, colon, nil) + s.Title,
		Codes: []CodeMeaning{}, Symptoms: []SymptomMeaning{s}, Entries: []EntrySummary{},
	}
	for _, c := range kb.Codes() {
		if c.Symptom == id {
			x.Codes = append(x.Codes, codeMeaning(c, lang))
		}
	}
	x.addEntries(base.Answering(id, -1), lang)
	return x
}

// ExplainEntry explains an entry.
func ExplainEntry(e *kb.Entry, lang kb.Lang) *Explanation {
	x := &Explanation{
		Schema: ExplainSchema, Kind: "entry", Lang: lang, Title: e.Title.In(lang),
		Codes: []CodeMeaning{}, Symptoms: []SymptomMeaning{},
	}
	s := EntrySummary{
		ID: e.ID, Title: e.Title.In(lang), Symptoms: e.Symptoms,
		Summary: e.Summary.In(lang), Sources: e.Sources,
	}
	for _, c := range e.Causes {
		s.Causes = append(s.Causes, c.Text.In(lang))
	}
	for _, f := range e.Fixes {
		s.Fixes = append(s.Fixes, f.Text.In(lang))
	}
	for _, d := range e.DeadEnds {
		s.DeadEnds = append(s.DeadEnds, d.Text.In(lang))
	}
	x.Entries = []EntrySummary{s}
	for _, id := range e.Symptoms {
		x.Symptoms = append(x.Symptoms, symptomMeaning(id, lang))
	}
	return x
}

func (x *Explanation) addEntries(entries []*kb.Entry, lang kb.Lang) {
	for _, e := range entries {
		if !slices.ContainsFunc(x.Entries, func(have EntrySummary) bool { return have.ID == e.ID }) {
			x.Entries = append(x.Entries, EntrySummary{ID: e.ID, Title: e.Title.In(lang), Symptoms: e.Symptoms})
		}
	}
}

func codeMeaning(c kb.Code, lang kb.Lang) CodeMeaning {
	m := CodeMeaning{
		Version: string(c.Family), Code: hex(c.Value), Name: c.Name.In(lang), Means: c.Means.In(lang),
		Symptom: c.Symptom, At: []CodeAtBroker{},
	}
	if c.Same != nil {
		m.Same = hex(*c.Same)
	}
	for _, at := range c.At {
		m.At = append(m.At, CodeAtBroker{at.Vendor, at.Text.In(lang), at.Source})
	}
	return m
}

func symptomMeaning(id string, lang kb.Lang) SymptomMeaning {
	s, _ := kb.Symptom(id)
	return SymptomMeaning{ID: id, Title: say(lang, wordings[id].title, values{"symptom": id}), Means: s.Means.In(lang), Fires: s.Fires.In(lang)}
}

// Explain writes an explanation on one screen: at most PageLines lines.
func Explain(w io.Writer, x *Explanation, width int) error {
	p := newPage(x.Lang, width)
	switch x.Kind {
	case "code":
		p.code(x)
	case "symptom":
		p.symptom(x)
	default:
		p.entry(x)
	}
	return p.write(w)
}

func (p *page) code(x *Explanation) {
	p.text(0, 1, x.Title)
	for _, version := range []string{string(kb.ReturnCodes), string(kb.ReasonCodes)} {
		i := slices.IndexFunc(x.Codes, func(c CodeMeaning) bool { return c.Version == version })
		if i < 0 {
			p.row(p.say(explainVersion, values{"version": version}), 2, p.say(explainUndefined, p.same(x, version)))
			continue
		}
		c := x.Codes[i]
		name := c.Name
		if strings.Contains(x.Title, " ") { // more than one code
			name = c.Code + " " + name
		}
		p.row(p.say(explainVersion, values{"version": version}), 3, name+p.say(colon, nil)+c.Means)
	}
	lines := p.atBrokers(x)
	foot := newPage(x.Lang, p.width)
	foot.answers(x, 5)
	p.items(p.say(explainAt, nil), len(lines), len(foot.lines), func(i int) string { return lines[i] })
	p.lines = append(p.lines, foot.lines...)
}

// same names the code of the other version that has this meaning.
func (p *page) same(x *Explanation, version string) values {
	v := values{}
	for _, c := range x.Codes {
		if c.Version != version {
			v.has("same", c.Same)
		}
	}
	return v
}

// atBrokers is one text a broker and code. Where the codes of both versions are
// there, all lines of a broker stand together and say which version they are for.
func (p *page) atBrokers(x *Explanation) []string {
	var vendors, lines []string
	families := 0
	for _, c := range x.Codes {
		if len(c.At) > 0 {
			families++
		}
		for _, at := range c.At {
			if !slices.Contains(vendors, at.Vendor) {
				vendors = append(vendors, at.Vendor)
			}
		}
	}
	for _, vendor := range vendors {
		for _, c := range x.Codes {
			for _, at := range c.At {
				alone := vendor + p.say(colon, nil) + at.Text
				switch {
				case at.Vendor != vendor || slices.Contains(lines, alone):
				case families > 1 && !everywhere(x, at):
					lines = append(lines, fmt.Sprintf("%s (MQTT %s)%s%s", vendor, c.Version, p.say(colon, nil), at.Text))
				default:
					lines = append(lines, alone)
				}
			}
		}
	}
	return lines
}

// everywhere reports that a broker means the same by all the codes.
func everywhere(x *Explanation, at CodeAtBroker) bool {
	for _, c := range x.Codes {
		if !slices.ContainsFunc(c.At, func(other CodeAtBroker) bool { return other.Vendor == at.Vendor && other.Text == at.Text }) {
			return false
		}
	}
	return true
}

// answers writes the symptoms and, at most so many lines of them, the entries.
func (p *page) answers(x *Explanation, most int) {
	for i, s := range x.Symptoms {
		label := ""
		if i == 0 {
			label = p.say(explainSymptom, nil)
		}
		p.row(label, 1, s.ID+p.say(colon, nil)+s.Title)
	}
	p.entries(x, most)
}

// entries writes a line for each entry or, where they are more than that, their
// ids one after another.
func (p *page) entries(x *Explanation, most int) {
	if len(x.Entries) > most {
		ids := make([]string, 0, len(x.Entries))
		for _, e := range x.Entries {
			ids = append(ids, e.ID)
		}
		p.row(p.say(labelArticle, nil), most, strings.Join(ids, ", "))
		return
	}
	for i, e := range x.Entries {
		label := ""
		if i == 0 {
			label = p.say(labelArticle, nil)
		}
		p.row(label, 1, e.ID+p.say(colon, nil)+e.Title)
	}
}

func (p *page) symptom(x *Explanation) {
	s := x.Symptoms[0]
	p.text(0, 2, x.Title)
	p.row(p.say(explainMeans, nil), 3, s.Means)
	p.row(p.say(explainFires, nil), 3, s.Fires)
	codes := make([]string, 0, len(x.Codes))
	for _, c := range x.Codes {
		codes = append(codes, fmt.Sprintf("%s %s (MQTT %s)", c.Code, c.Name, c.Version))
	}
	foot := newPage(x.Lang, p.width)
	foot.entries(x, 8)
	p.items(p.say(explainCodes, nil), len(codes), len(foot.lines), func(i int) string { return codes[i] })
	p.lines = append(p.lines, foot.lines...)
}

func (p *page) entry(x *Explanation) {
	e := x.Entries[0]
	p.text(0, 2, x.Title)
	p.text(0, 4, e.Summary)
	p.row(p.say(explainSymptom, nil), 2, strings.Join(e.Symptoms, ", "))
	foot := newPage(x.Lang, p.width)
	foot.row(p.say(explainMore, nil), 1, "`mqttriage kb show "+e.ID+"`")
	// Each list leaves the following ones a line or two.
	lists := []struct {
		label message
		texts []string
	}{{labelCause, e.Causes}, {labelDo, e.Fixes}, {labelDeadEnd, e.DeadEnds}}
	for i, list := range lists {
		reserved := len(foot.lines) + 4*(len(lists)-1-i)
		p.items(p.say(list.label, nil), len(list.texts), reserved, func(i int) string { return list.texts[i] })
	}
	p.lines = append(p.lines, foot.lines...)
}
