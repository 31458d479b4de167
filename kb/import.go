package kb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Imported is an article turned into the file of an entry.
type Imported struct {
	// ID is the entry's.
	ID string
	// YAML is the file. It is meant to be finished by hand: an article has no
	// Chinese and no causes with conditions, and [Check] demands what is missing.
	YAML []byte
	// Symptoms are those that the article's pattern matches, or that were given.
	Symptoms []string
	// Notes say what could not be taken over.
	Notes []string
}

// maxArticles bounds how many articles one file may hold.
const maxArticles = 1000

// Import reads deadends.dev's canonical JSON, schema 1.0.0: one article or a
// list of them. Unknown keys are ignored. Every figure is marked as published,
// with the article as its source. Which symptoms an article answers is found by
// its pattern, tried on what clients print for each symptom; symptoms, where
// given, is used instead. The error names every problem, one a line.
func Import(data []byte, given []string) ([]Imported, error) {
	for _, s := range given {
		if !slices.Contains(symptoms, s) {
			return nil, fmt.Errorf("%q is no symptom; allowed: %s", s, strings.Join(symptoms, ", "))
		}
	}
	raw := []json.RawMessage{data}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		if len(data) > maxFileBytes {
			return nil, fmt.Errorf("the file is larger than %d bytes", maxFileBytes)
		}
		raw = nil
		if err := json.Unmarshal(data, &raw); err != nil {
			return nil, fmt.Errorf("no list of articles in canonical JSON: %w", err)
		}
		if len(raw) == 0 || len(raw) > maxArticles {
			return nil, fmt.Errorf("the list holds %d articles; allowed: 1 to %d", len(raw), maxArticles)
		}
	}
	var all []Imported
	var problems []error
	for i, one := range raw {
		a, err := readArticle(one)
		if err != nil {
			if len(raw) > 1 {
				err = fmt.Errorf("article %d: %w", i+1, err)
			}
			problems = append(problems, err)
			continue
		}
		in, err := a.entry(given)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		all = append(all, in)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return all, nil
}

// entry writes the article as an entry.
func (a *article) entry(given []string) (Imported, error) {
	in := Imported{ID: entryIDOf(*a.ID), Symptoms: given}
	pattern, err := pythonRegexp(*a.Error.Regex)
	switch {
	case err != nil:
		in.Notes = append(in.Notes, "error.regex is kept and not used: "+err.Error())
	case len(given) == 0:
		in.Symptoms = symptomsMatching(pattern)
	}
	if len(in.Symptoms) == 0 {
		in.Notes = append(in.Notes, "no symptom fits the article; name its symptoms in the entry")
	}
	url := *a.URL
	e := mapping{}
	e.set("id", word(in.ID))
	e.set("title", untranslated(*a.Error.Signature))
	e.set("summary", untranslated(*a.Verdict.Summary))
	e.set("symptoms", words(in.Symptoms))
	e.set("published", a.published().node())
	cause := mapping{}
	cause.set("id", word("as-published"))
	cause.set("text", untranslated(*a.Verdict.Summary))
	e.set("causes", sequence(cause.node()))

	sources := []string{url}
	var taken []string
	var fixes, ends []*yaml.Node
	for _, w := range *a.Workarounds {
		x := mapping{}
		x.set("id", word(slug(*w.Action, &taken)))
		x.note(conditionNote(w.Condition, w.Tradeoff))
		x.set("text", untranslated(*w.Action))
		x.set("success_rate", rate(*w.SuccessRate))
		x.set("rate_source", word(url))
		if w.How != "" {
			how := mapping{}
			how.set("for", word(a.product()))
			how.set("text", untranslated(w.How))
			x.set("how", sequence(how.node()))
		}
		fixes = append(fixes, x.node())
		sources = union(sources, w.Sources)
	}
	taken = nil
	for _, d := range *a.DeadEnds {
		x := mapping{}
		x.set("id", word(slug(*d.Action, &taken)))
		x.note(conditionNote(d.Condition, ""))
		x.set("text", untranslated(*d.Action))
		x.set("why", untranslated(*d.WhyFails))
		x.set("fail_rate", rate(*d.FailRate))
		x.set("rate_source", word(url))
		ends = append(ends, x.node())
		sources = union(sources, d.Sources)
	}
	e.set("fixes", sequence(fixes...))
	e.set("dead_ends", sequence(ends...))
	e.set("sources", words(sources))
	top := e.node()
	top.HeadComment = "Imported from " + strings.Join(strings.Fields(url), " ") + "\n" +
		"The figures are the article's own. Write the Chinese where zh is empty, say what\n" +
		"the causes are and when they hold, then run: mqttriage kb check DIR"
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(top), encoder.Close()); err != nil {
		return in, fmt.Errorf("write the article %s as an entry: %w", *a.ID, err)
	}
	in.YAML = b.Bytes()
	return in, nil
}

func (a *article) product() string {
	if name := strings.TrimSpace(*a.Environment.Runtime.Name + " " + *a.Environment.Runtime.VersionRange); name != "" {
		return name
	}
	return "all"
}

func (a *article) published() *mapping {
	p, c := &mapping{}, mapping{}
	text := func(key string, value string) {
		if value != "" {
			c.set(key, word(value))
		}
	}
	text("regex", *a.Error.Regex)
	text("domain", *a.Error.Domain)
	text("category", *a.Error.Category)
	text("last_confirmed", a.Error.LastConfirmed)
	text("last_updated", *a.Verdict.LastUpdated)
	text("runtime", *a.Environment.Runtime.Name)
	text("version_range", *a.Environment.Runtime.VersionRange)
	text("os", *a.Environment.OS)
	text("resolvable", *a.Verdict.Resolvable)
	text("generated_by", *a.Metadata.GeneratedBy)
	text("generation_date", *a.Metadata.GenerationDate)
	text("review_status", *a.Metadata.ReviewStatus)
	c.set("evidence_count", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(*a.Metadata.EvidenceCount)})
	p.set("source", word(*a.URL))
	if a.Error.FirstSeen != "" {
		p.set("first_seen", word(a.Error.FirstSeen))
	}
	p.set("confidence", rate(*a.Verdict.Confidence))
	p.set("fix_rate", rate(*a.Verdict.FixSuccessRate))
	p.set("canon", c.node())
	return p
}

// conditionNote keeps what an entry has no place for: conditions in words.
func conditionNote(condition, tradeoff string) string {
	var lines []string
	if condition = strings.Join(strings.Fields(condition), " "); condition != "" {
		lines = append(lines, "published condition: "+condition)
	}
	if tradeoff = strings.Join(strings.Fields(tradeoff), " "); tradeoff != "" {
		lines = append(lines, "published trade-off: "+tradeoff)
	}
	// What a comment cannot hold is left out of it.
	return strings.Map(func(r rune) rune {
		if r != '\n' && (r < ' ' || r == 0x7f || r == 0xfffd || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff) {
			return -1
		}
		return r
	}, strings.Join(lines, "\n"))
}

// mapping builds a YAML mapping in the order of its keys.
type mapping struct {
	content []*yaml.Node
	comment string // of the next key
}

// note puts a comment above the next key.
func (m *mapping) note(text string) { m.comment = text }

func (m *mapping) set(key string, value *yaml.Node) {
	m.content = append(m.content, &yaml.Node{Kind: yaml.ScalarNode, Value: key, HeadComment: m.comment}, value)
	m.comment = ""
}

func (m *mapping) node() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Content: m.content} }

// word is a string, written so that YAML cannot take it for anything else.
func word(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(strings.ToValidUTF8(s, "\uFFFD"))
	if n.Tag == "!!binary" { // cannot be: the text is valid
		n.Tag = "!!str"
	}
	return n
}

// untranslated is a text whose Chinese is still to be written: it is there, empty, and
// is demanded.
func untranslated(s string) *yaml.Node {
	m := mapping{}
	m.set("en", word(s))
	m.set("zh", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, LineComment: "to be written"})
	return m.node()
}

func words(all []string) *yaml.Node {
	n := sequence()
	for _, s := range all {
		n.Content = append(n.Content, word(s))
	}
	return n
}

func sequence(items ...*yaml.Node) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Content: items}
	if len(items) == 0 {
		n.Style = yaml.FlowStyle
	}
	return n
}

func rate(f float64) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: strconv.FormatFloat(f, 'g', -1, 64)}
}

// notInID are the characters that an id does not have.
var notInID = regexp.MustCompile(`[^a-z0-9]+`)

func kebab(s string) string {
	return strings.Trim(notInID.ReplaceAllString(strings.ToLower(s), "-"), "-")
}

// entryIDOf makes an entry's id of an article's. The article's own is kept in
// published.source.
func entryIDOf(id string) string {
	var parts []string
	for part := range strings.SplitSeq(id, "/") {
		if part = kebab(part); part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) < 2 {
		parts = append([]string{"imported"}, parts...)
	}
	if len(parts) < 2 {
		parts = append(parts, "article")
	}
	return strings.Join(parts, "/")
}

// slug makes an id of the first words of a text.
func slug(text string, taken *[]string) string {
	parts := strings.Split(kebab(text), "-")
	base := strings.Join(parts[:min(len(parts), 5)], "-")
	if len(base) > 60 {
		base = strings.Trim(base[:60], "-")
	}
	if base == "" {
		base = "item"
	}
	id := base
	for n := 2; slices.Contains(*taken, id); n++ {
		id = base + "-" + strconv.Itoa(n)
	}
	*taken = append(*taken, id)
	return id
}

// printed is what clients and brokers print for a symptom, where it is plain
// enough to tell symptoms apart: Paho's and Mosquitto's texts, the standard's
// names of the codes, and the words of trouble tickets.
var printed = map[string][]string{
	"client-id-takeover":    {"session taken over", "Client gw-7 already connected, closing old connection", "DUPLICATE_CLIENTID"},
	"identifier-rejected":   {"Connection Refused: identifier rejected.", "Connection refused - invalid client identifier", "MQTT CONNACK return code 0x02 identifier rejected", "client identifier not valid"},
	"server-unavailable":    {"Connection Refused: broker unavailable.", "Connection refused - server unavailable", "MQTT CONNACK return code 0x03 server unavailable", "server busy"},
	"bad-credentials":       {"Connection Refused: bad user name or password.", "Connection refused - bad username or password", "MQTT CONNACK return code 0x04 bad user name or password"},
	"not-authorized":        {"Connection Refused: not authorised.", "Connection refused - not authorized", "MQTT CONNACK return code 0x05 not authorized"},
	"version-refused":       {"Connection Refused: unacceptable protocol version.", "Connection refused - incorrect protocol version", "unsupported protocol version"},
	"server-redirect":       {"use another server", "server moved"},
	"closed-before-connack": {"MQTT connection closed before CONNACK", "AWS_ERROR_MQTT_UNEXPECTED_HANGUP"},
	"no-connack":            {"MQTT connack timeout", "timeout waiting for CONNACK"},
	"connection-refused":    {"MQTT connection refused: ECONNREFUSED", "[Errno 111] Connection refused"},
	"connection-timeout":    {"MQTT connect ETIMEDOUT", "MQTT connection timed out"},
	"tls-alert":             {"tlsv1 alert unknown ca", "sslv3 alert handshake failure", "certificate verify failed"},
	"ws-upgrade-failed":     {"WebSocket handshake error, connection not upgraded"},
	"keepalive-timeout":     {"MQTT keep alive timeout", "Client gw-7 has exceeded timeout, disconnecting.", "MQTT connection lost: keep-alive timeout"},
	"session-flapping":      {"MQTT disconnected and reconnecting again and again"},
	"retry-storm":           {"MQTT reconnect storm"},
	"malformed-connect":     {"malformed packet", "protocol error"},
}

// symptomsMatching are the symptoms of which the pattern matches a text, in the
// order of the contract.
func symptomsMatching(pattern *regexp.Regexp) []string {
	var found []string
	for _, s := range symptoms {
		if slices.ContainsFunc(printed[s], pattern.MatchString) {
			found = append(found, s)
		}
	}
	return found
}
