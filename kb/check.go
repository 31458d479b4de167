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
	text string
}

// review finds everything that is wrong with one entry.
type review struct {
	file     string
	root     *yaml.Node
	config   *conf.Config
	problems []problem
}

func (c *review) at(line int, format string, args ...any) {
	c.problems = append(c.problems, problem{line, fmt.Sprintf(format, args...)})
}

// line finds where a value stands: path leads to it by keys and indexes. Where
// it is missing, the line of what should hold it is returned.
func (c *review) line(path ...any) int {
	n := c.root
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
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
			c.at(below.Line, "a value is missing here; leave the key out instead")
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
		if m := unknownField.FindStringSubmatch(text); m != nil {
			text = fmt.Sprintf("unknown key %q; allowed here: %s", m[1], strings.Join(keysOf[m[2]], ", "))
		}
		c.at(max(line, 1), "%s", strings.Join(strings.Fields(text), " "))
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
		c.at(c.line("id"), "the id %q is no path in kebab-case such as mqtt/empty-client-id", e.ID)
	}
	c.text(e.Title, "title")
	c.text(e.Summary, "summary")
	c.symptoms(e.Symptoms)
	c.condition(e.When)
	c.published(e.Published)
	for i, v := range e.Versions {
		if v.Name == "" {
			c.at(c.line("versions", i), "a version needs a name, such as Mosquitto 2.0.15")
		}
		if v.Note != nil {
			c.text(*v.Note, "versions", i, "note")
		}
	}
	c.causes(e.Causes)
	c.fixes(e.Fixes)
	c.deadEnds(e.DeadEnds)
	if e.CannotTell != nil {
		c.text(*e.CannotTell, "cannot_tell")
	}
	for i, l := range e.LookNext {
		c.text(l.Text, "look_next", i, "text")
	}
	if len(e.Sources) == 0 {
		c.at(c.line(), "sources is missing: name at least one URL or clause")
	}
	for i, s := range e.Sources {
		c.source(s, "sources", i)
	}
	for i, name := range e.Captures.Fires {
		c.caseName(name, "captures", "fires", i)
	}
	for i, name := range e.Captures.Silent {
		c.caseName(name, "captures", "silent", i)
	}
}

// text wants both languages, and Chinese in the Chinese one.
func (c *review) text(t Text, path ...any) {
	name := path[len(path)-1]
	if index, isIndex := name.(int); isIndex {
		name = fmt.Sprintf("text %d", index+1)
	}
	switch {
	case strings.TrimSpace(t.En) == "" && strings.TrimSpace(t.Zh) == "":
		c.at(c.line(path...), "%s is missing: write {en: ..., zh: ...}", name)
	case strings.TrimSpace(t.En) == "":
		c.at(c.line(path...), "%s has no English (en)", name)
	case strings.TrimSpace(t.Zh) == "":
		c.at(c.line(path...), "%s has no Chinese (zh)", name)
	case !strings.ContainsFunc(t.Zh, isHan):
		c.at(c.line(append(path, "zh")...), "%s: zh holds no Chinese", name)
	}
}

func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }

func (c *review) symptoms(ids []string) {
	if len(ids) == 0 {
		c.at(c.line("symptoms"), "symptoms is missing; the symptoms are %s", strings.Join(symptoms, ", "))
	}
	for i, s := range ids {
		switch {
		case !slices.Contains(symptoms, s):
			c.at(c.line("symptoms", i), "%q is no symptom; the symptoms are %s", s, strings.Join(symptoms, ", "))
		case slices.Contains(ids[:i], s):
			c.at(c.line("symptoms", i), "the symptom %q is listed twice", s)
		}
	}
}

// condition compiles a condition; none is fine.
func (c *review) condition(cond *Condition) {
	if cond == nil {
		return
	}
	if err := cond.compile(c.config); err != nil {
		line := cond.line
		// The lines of a block follow the one that opens it.
		if placed, ok := errors.AsType[*placedError](err); ok && cond.block {
			line += placed.line
		}
		c.at(line, "%v", err)
	}
}

func (c *review) published(p *Published) {
	if p == nil {
		return
	}
	c.source(p.Source, "published", "source")
	if p.FirstSeen != "" {
		if _, err := time.Parse(time.DateOnly, p.FirstSeen); err != nil {
			c.at(c.line("published", "first_seen"), "first_seen %q is no date such as 2024-02-28", p.FirstSeen)
		}
	}
	c.rate(p.Confidence, "published", "confidence")
	c.rate(p.FixRate, "published", "fix_rate")
}

func (c *review) rate(r *float64, path ...any) {
	if r != nil && !(*r >= 0 && *r <= 1) {
		c.at(c.line(path...), "%s %v is not from 0 to 1", path[len(path)-1], *r)
	}
}

// source wants an https URL, or words that name a clause or document.
func (c *review) source(s string, path ...any) {
	if strings.TrimSpace(s) == "" {
		c.at(c.line(path...), "the source is missing: give a URL or a clause")
		return
	}
	if strings.Contains(s, "://") {
		if u, err := url.Parse(s); err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
			c.at(c.line(path...), "the source %q is no http or https URL", s)
		}
	}
}

func (c *review) caseName(name string, path ...any) {
	if !caseName.MatchString(name) {
		c.at(c.line(path...), "%q is no name of a case: letters, digits, dots, - and _", name)
	}
}

// ids wants an id in every item of a list, and none twice.
type ids map[string]bool

func (c *review) id(seen ids, id string, path ...any) {
	line := c.line(append(path, "id")...)
	switch {
	case !itemID.MatchString(id):
		c.at(line, "the id %q is not in kebab-case, such as same-id-again", id)
	case seen[id]:
		c.at(line, "the id %q is used twice in %s", id, path[0])
	}
	seen[id] = true
}

func (c *review) causes(causes []CauseEntry) {
	if len(causes) == 0 {
		c.at(c.line("causes"), "causes is missing: name at least one")
	}
	seen := ids{}
	for i := range causes {
		x := &causes[i]
		c.id(seen, x.ID, "causes", i)
		c.text(x.Text, "causes", i, "text")
		c.condition(x.Contradicted)
		c.condition(x.Supported)
		c.because(x.Because, []choice{{Contradicted, x.Contradicted}, {Supported, x.Supported}}, Possible, "causes", i)
	}
}

func (c *review) fixes(fixes []FixEntry) {
	if len(fixes) == 0 {
		c.at(c.line("fixes"), "fixes is missing: name at least one")
	}
	seen := ids{}
	for i := range fixes {
		x := &fixes[i]
		c.id(seen, x.ID, "fixes", i)
		c.text(x.Text, "fixes", i, "text")
		c.figure("success_rate", x.SuccessRate, x.RateSource, "fixes", i)
		c.condition(x.InPlace)
		c.condition(x.NotApplicable)
		c.condition(x.Recommended)
		c.because(x.Because, []choice{{InPlace, x.InPlace}, {NotApplicable, x.NotApplicable}, {Recommended, x.Recommended}}, Possible, "fixes", i)
		for j, how := range x.How {
			if strings.TrimSpace(how.For) == "" {
				c.at(c.line("fixes", i, "how", j), "for is missing: say which product and versions it is for")
			}
			c.text(how.Text, "fixes", i, "how", j, "text")
		}
	}
}

func (c *review) deadEnds(ends []DeadEndEntry) {
	seen := ids{}
	for i := range ends {
		x := &ends[i]
		c.id(seen, x.ID, "dead_ends", i)
		c.text(x.Text, "dead_ends", i, "text")
		c.text(x.Why, "dead_ends", i, "why")
		c.figure("fail_rate", x.FailRate, x.RateSource, "dead_ends", i)
		c.condition(x.Seen)
		c.because(x.Because, []choice{{Seen, x.Seen}, {NotSeen, x.Seen}}, NotVisible, "dead_ends", i)
	}
}

// figure wants a source beside a rate, and no source without one.
func (c *review) figure(key string, rate *float64, source string, path ...any) {
	c.rate(rate, append(path, key)...)
	switch {
	case rate != nil && source == "":
		c.at(c.line(append(path, key)...), "%s has no rate_source: a rate is given only where a source published one", key)
	case rate == nil && source != "":
		c.at(c.line(append(path, "rate_source")...), "rate_source stands without %s", key)
	case source != "":
		c.source(source, append(path, "rate_source")...)
	}
}

// because wants reasons only for statuses that can be given, with placeholders
// that name facts.
func (c *review) because(b Because, choices []choice, otherwise Status, path ...any) {
	var can []string
	for _, x := range choices {
		can = append(can, string(x.status))
	}
	can = append(can, string(otherwise))
	for status, texts := range b {
		here := append(slices.Clone(path), "because", string(status))
		at := slices.IndexFunc(choices, func(x choice) bool { return x.status == status })
		switch {
		case at < 0 && status != otherwise:
			c.at(c.line(here...), "because: %q is no status here; allowed: %s", status, strings.Join(can, ", "))
		case at >= 0 && choices[at].condition == nil:
			c.at(c.line(here...), "because: %q is never given, for it has no condition", status)
		}
		for i, r := range texts {
			item := append(slices.Clone(here), i)
			c.text(r.Text, item...)
			c.condition(r.When)
			c.placeholders(r.En, append(slices.Clone(item), "en")...)
			c.placeholders(r.Zh, append(slices.Clone(item), "zh")...)
		}
	}
}

func (c *review) placeholders(text string, path ...any) {
	for _, found := range placeholder.FindAllStringSubmatch(text, -1) {
		if !isFact(found[1]) {
			c.at(c.line(path...), "%s names no fact; the facts are %s", found[0], strings.Join(factNames, ", "))
		}
	}
	if rest := placeholder.ReplaceAllString(text, ""); strings.ContainsAny(rest, "{}") {
		c.at(c.line(path...), "a brace stands alone; in a reason braces hold {fact} or {fact one/many}")
	}
}
