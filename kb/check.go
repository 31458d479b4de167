package kb

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/expr-lang/expr/conf"
	"go.yaml.in/yaml/v3"
)

// problem is something wrong in a file.
type problem struct {
	line int
	// key leads to the value, as in "fixes.clean-session.how[1].for"; empty
	// where the whole file is meant.
	key  string
	text string
	// allowed is what the key may hold; empty where the text says it.
	allowed string
}

func (p problem) String() string {
	s := p.text
	if p.key != "" {
		s = p.key + ": " + s
	}
	if p.allowed != "" {
		s += "; allowed: " + p.allowed
	}
	return s
}

// review finds everything that is wrong with one entry.
type review struct {
	file     string
	root     *yaml.Node
	config   *conf.Config
	problems []problem
}

// place leads from the top of the file to a value, by keys and indexes.
type place []any

// in returns the place of a value below.
func (p place) in(steps ...any) place { return append(slices.Clone(p), steps...) }

// at notes a problem with the value at a place.
func (c *review) at(p place, format string, args ...any) {
	c.only("", p, format, args...)
}

// only does so and says what is allowed instead.
func (c *review) only(allowed string, p place, format string, args ...any) {
	c.problems = append(c.problems, problem{c.line(p...), c.key(p), fmt.Sprintf(format, args...), allowed})
}

// key writes a place. An item of a list is named by its id where it has one,
// else by its number from 1.
func (c *review) key(p place) string {
	var b strings.Builder
	n := c.top()
	for _, step := range p {
		if n != nil {
			n = child(n, step)
		}
		name := fmt.Sprint(step)
		if index, isIndex := step.(int); isIndex {
			id := (*yaml.Node)(nil)
			if n != nil {
				id = child(n, "id")
			}
			if id == nil || id.Value == "" {
				fmt.Fprintf(&b, "[%d]", index+1)
				continue
			}
			name = id.Value
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(name)
	}
	return b.String()
}

// top is the mapping that the file holds.
func (c *review) top() *yaml.Node {
	if c.root.Kind == yaml.DocumentNode && len(c.root.Content) > 0 {
		return c.root.Content[0]
	}
	return c.root
}

// keyOf names the last key that begins on a line or before it.
func (c *review) keyOf(line int) string {
	key, at := "", 0
	var visit func(n *yaml.Node)
	visit = func(n *yaml.Node) {
		for i, below := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 0 && below.Line <= line && below.Line >= at {
				key, at = below.Value, below.Line
			}
			visit(below)
		}
	}
	visit(c.root)
	return key
}

// line finds where a value stands: path leads to it by keys and indexes. Where
// it is missing, the line of what should hold it is returned.
func (c *review) line(path ...any) int {
	n := c.top()
	for _, step := range path {
		next := child(n, step)
		if next == nil {
			break
		}
		n = next
	}
	return max(n.Line, 1)
}

// empty finds keys that were left without a value, which YAML would pass over.
func (c *review) empty(n *yaml.Node) {
	for _, below := range n.Content {
		if below.Kind == yaml.ScalarNode && below.Tag == "!!null" {
			c.problems = append(c.problems, problem{line: below.Line, key: c.keyOf(below.Line), text: "a value is missing here; leave the key out instead"})
		}
		c.empty(below)
	}
}

func child(n *yaml.Node, step any) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch step := step.(type) {
	case string:
		if n.Kind != yaml.MappingNode {
			return nil
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				// A key and its nested value start on different lines; the
				// key is where the author looks.
				value := n.Content[i+1]
				if value.Kind == yaml.ScalarNode {
					at := *value
					at.Line = n.Content[i].Line
					return &at
				}
				return value
			}
		}
	case int:
		if n.Kind == yaml.SequenceNode && step < len(n.Content) {
			return n.Content[step]
		}
	}
	return nil
}

var (
	yamlLine     = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
	unknownField = regexp.MustCompile(`^field (.*) not found in type kb\.(\w+)$`)
)

// yaml takes over the errors of the YAML decoder, with what would have been
// allowed where the error is an unknown key.
func (c *review) yaml(err error) {
	texts := []string{err.Error()}
	var several *yaml.TypeError
	if errors.As(err, &several) {
		texts = several.Errors
	}
	for _, text := range texts {
		line := 1
		if m := yamlLine.FindStringSubmatch(text); m != nil {
			line, _ = strconv.Atoi(m[1])
			text = m[2]
		}
		p := problem{line: max(line, 1), key: c.keyOf(line), text: strings.Join(strings.Fields(text), " ")}
		if m := unknownField.FindStringSubmatch(text); m != nil {
			p.key, p.text, p.allowed = m[1], "unknown key", strings.Join(keysOf[m[2]], ", ")
		}
		c.problems = append(c.problems, p)
	}
}

// keysOf lists the keys of every part of an entry by the name of its type.
var keysOf = func() map[string][]string {
	keys := map[string][]string{}
	var visit func(reflect.Type)
	visit = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || keys[t.Name()] != nil || t == reflect.TypeFor[Condition]() {
			return
		}
		for i := range t.NumField() {
			visit(t.Field(i).Type)
			key, option, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
			if option == "inline" {
				keys[t.Name()] = append(keys[t.Name()], keys[t.Field(i).Type.Name()]...)
				continue
			}
			keys[t.Name()] = append(keys[t.Name()], key)
		}
	}
	visit(reflect.TypeFor[Entry]())
	return keys
}()

var (
	entryID  = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*(/[a-z0-9]+(-[a-z0-9]+)*)+$`)
	itemID   = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	caseName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
)

func (c *review) entry(e *Entry) {
	if !entryID.MatchString(e.ID) {
		c.at(place{"id"}, "the id %q is no path in kebab-case such as mqtt/empty-client-id", e.ID)
	}
	c.text(e.Title, place{"title"})
	c.text(e.Summary, place{"summary"})
	c.symptoms(e.Symptoms)
	c.condition(e.When, place{"when"})
	c.published(e.Published)
	for i, v := range e.Versions {
		at := place{"versions", i}
		if v.Name == "" {
			c.at(at.in("name"), "a version needs a name, such as Mosquitto 2.0.15")
		}
		if v.Note != nil {
			c.text(*v.Note, at.in("note"))
		}
	}
	c.causes(e.Causes)
	c.fixes(e.Fixes)
	c.deadEnds(e.DeadEnds)
	if e.CannotTell != nil {
		c.text(*e.CannotTell, place{"cannot_tell"})
	}
	for i, l := range e.LookNext {
		c.text(l.Text, place{"look_next", i, "text"})
	}
	if len(e.Sources) == 0 {
		c.at(place{"sources"}, "missing: name at least one URL or clause")
	}
	for i, s := range e.Sources {
		c.source(s, place{"sources", i})
	}
	for i, name := range e.Captures.Fires {
		c.caseName(name, place{"captures", "fires", i})
	}
	for i, name := range e.Captures.Silent {
		c.caseName(name, place{"captures", "silent", i})
	}
}

// text wants both languages, and Chinese in the Chinese one.
func (c *review) text(t Text, at place) {
	switch {
	case strings.TrimSpace(t.En) == "" && strings.TrimSpace(t.Zh) == "":
		c.at(at, "missing: write {en: ..., zh: ...}")
	case strings.TrimSpace(t.En) == "":
		c.at(at, "has no English (en)")
	case strings.TrimSpace(t.Zh) == "":
		c.at(at, "has no Chinese (zh)")
	case !strings.ContainsFunc(t.Zh, isHan):
		c.at(at.in("zh"), "holds no Chinese")
	}
}

func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }

func (c *review) symptoms(ids []string) {
	all := strings.Join(symptoms, ", ")
	if len(ids) == 0 {
		c.only(all, place{"symptoms"}, "missing: name at least one")
	}
	for i, s := range ids {
		switch {
		case !slices.Contains(symptoms, s):
			c.only(all, place{"symptoms", i}, "%q is no symptom", s)
		case slices.Contains(ids[:i], s):
			c.at(place{"symptoms", i}, "the symptom %q is listed twice", s)
		}
	}
}

// condition compiles a condition; none is fine.
func (c *review) condition(cond *Condition, at place) {
	if cond == nil {
		return
	}
	if err := cond.compile(c.config); err != nil {
		p := problem{line: cond.line, key: c.key(at), text: err.Error()}
		if placed, ok := errors.AsType[*placedError](err); ok {
			p.allowed = placed.allowed
			if cond.block { // its lines follow the one that opens it
				p.line += placed.line
			}
		}
		c.problems = append(c.problems, p)
	}
}

func (c *review) published(p *Published) {
	if p == nil {
		return
	}
	at := place{"published"}
	c.source(p.Source, at.in("source"))
	if p.FirstSeen != "" {
		if _, err := time.Parse(time.DateOnly, p.FirstSeen); err != nil {
			c.at(at.in("first_seen"), "%q is no date such as 2024-02-28", p.FirstSeen)
		}
	}
	c.rate(p.Confidence, at.in("confidence"))
	c.rate(p.FixRate, at.in("fix_rate"))
	c.canon(p.Canon, at.in("canon"))
}

func (c *review) rate(r *float64, at place) {
	if r != nil && !(*r >= 0 && *r <= 1) {
		c.only("a number from 0 to 1", at, "%v is no rate", *r)
	}
}

// source wants an https URL, or words that name a clause or document.
func (c *review) source(s string, at place) {
	if strings.TrimSpace(s) == "" {
		c.at(at, "missing: give a URL or a clause")
		return
	}
	if strings.Contains(s, "://") {
		if u, err := url.Parse(s); err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
			c.at(at, "%q is no http or https URL", s)
		}
	}
}

func (c *review) caseName(name string, at place) {
	if !caseName.MatchString(name) {
		c.only("letters, digits, dots, - and _", at, "%q is no name of a case", name)
	}
}

// ids wants an id in every item of a list, and none twice.
type ids map[string]bool

func (c *review) id(seen ids, id string, at place) {
	switch {
	case !itemID.MatchString(id):
		c.at(at.in("id"), "the id %q is not in kebab-case, such as same-id-again", id)
	case seen[id]:
		c.at(at.in("id"), "the id %q is used twice in %s", id, at[0])
	}
	seen[id] = true
}

func (c *review) causes(causes []CauseEntry) {
	if len(causes) == 0 {
		c.at(place{"causes"}, "missing: name at least one")
	}
	seen := ids{}
	for i := range causes {
		x, at := &causes[i], place{"causes", i}
		c.id(seen, x.ID, at)
		c.text(x.Text, at.in("text"))
		c.condition(x.Contradicted, at.in("contradicted"))
		c.condition(x.Supported, at.in("supported"))
		c.because(x.Because, []choice{{Contradicted, x.Contradicted}, {Supported, x.Supported}}, Possible, at.in("because"))
	}
}

func (c *review) fixes(fixes []FixEntry) {
	if len(fixes) == 0 {
		c.at(place{"fixes"}, "missing: name at least one")
	}
	seen := ids{}
	for i := range fixes {
		x, at := &fixes[i], place{"fixes", i}
		c.id(seen, x.ID, at)
		c.text(x.Text, at.in("text"))
		c.figure("success_rate", x.SuccessRate, x.RateSource, at)
		c.condition(x.InPlace, at.in("in_place"))
		c.condition(x.NotApplicable, at.in("not_applicable"))
		c.condition(x.Recommended, at.in("recommended"))
		if x.Worked != "" && !slices.Contains(workedChanges, x.Worked) {
			c.only(strings.Join(workedChanges, ", "), at.in("worked"), "%q is no change that a CONNECT can show", x.Worked)
		}
		c.because(x.Because, []choice{{InPlace, x.InPlace}, {NotApplicable, x.NotApplicable}, {Recommended, x.Recommended}}, Possible, at.in("because"))
		for j, how := range x.How {
			if strings.TrimSpace(how.For) == "" {
				c.at(at.in("how", j, "for"), "missing: say which product and versions it is for")
			}
			c.text(how.Text, at.in("how", j, "text"))
		}
	}
}

func (c *review) deadEnds(ends []DeadEndEntry) {
	seen := ids{}
	for i := range ends {
		x, at := &ends[i], place{"dead_ends", i}
		c.id(seen, x.ID, at)
		c.text(x.Text, at.in("text"))
		c.text(x.Why, at.in("why"))
		c.figure("fail_rate", x.FailRate, x.RateSource, at)
		c.condition(x.Seen, at.in("seen"))
		c.because(x.Because, []choice{{Seen, x.Seen}, {NotSeen, x.Seen}}, NotVisible, at.in("because"))
	}
}

// figure wants a source beside a rate, and no source without one.
func (c *review) figure(key string, rate *float64, source string, at place) {
	c.rate(rate, at.in(key))
	switch {
	case rate != nil && source == "":
		c.at(at.in(key), "has no rate_source: a rate is given only where a source published one")
	case rate == nil && source != "":
		c.at(at.in("rate_source"), "stands without %s", key)
	case source != "":
		c.source(source, at.in("rate_source"))
	}
}

// because wants reasons only for statuses that can be given, with placeholders
// that name facts.
func (c *review) because(b Because, choices []choice, otherwise Status, at place) {
	var can []string
	for _, x := range choices {
		can = append(can, string(x.status))
	}
	can = append(can, string(otherwise))
	for status, texts := range b {
		here := at.in(string(status))
		i := slices.IndexFunc(choices, func(x choice) bool { return x.status == status })
		switch {
		case i < 0 && status != otherwise:
			c.only(strings.Join(can, ", "), here, "%q is no status here", status)
		case i >= 0 && choices[i].condition == nil:
			c.at(here, "%q is never given, for it has no condition", status)
		}
		for j, r := range texts {
			item := here.in(j)
			c.text(r.Text, item)
			c.condition(r.When, item.in("when"))
			c.placeholders(r.En, item.in("en"))
			c.placeholders(r.Zh, item.in("zh"))
		}
	}
}

func (c *review) placeholders(text string, at place) {
	for _, found := range placeholder.FindAllStringSubmatch(text, -1) {
		if !isFact(found[1]) {
			c.only(strings.Join(factNames, ", "), at, "%s names no fact", found[0])
		}
	}
	if rest := placeholder.ReplaceAllString(text, ""); strings.ContainsAny(rest, "{}") {
		c.at(at, "a brace stands alone; in a reason braces hold {fact} or {fact one/many}")
	}
}
