package report

import (
	"fmt"
	"strings"

	"github.com/mqttriage/mqttriage/kb"
)

// A message is a sentence or a label of the report. Its text in each language
// is a template:
//
//	{name}             the value of that name
//	{name|one|many}    "one" when the value is the number 1, else "many"
//	[text {name} …]    left out when one of its values is absent
//	{?name} {!name}    nothing, and absent unless the value is true (false)
//
// Values are put in as they are and never read as a template, whatever they hold.
type message uint16

// values are what a message's placeholders stand for: strings, ints and bools.
// A value that is missing is absent.
type values map[string]any

// has sets a value that is known, and leaves it absent when it is empty.
func (v values) has(name, value string) {
	if value != "" {
		v[name] = value
	}
}

// text returns the template of a message in a language.
func (m message) text(lang kb.Lang) string {
	if lang == kb.Chinese {
		return chinese[m]
	}
	return english[m]
}

// say fills a message in.
func say(lang kb.Lang, m message, v values) string {
	s, _ := fill(m.text(lang), v)
	return s
}

// fill replaces the placeholders and reports whether all were known.
func fill(template string, v values) (string, bool) {
	var b strings.Builder
	known := true
	for template != "" {
		open := strings.IndexAny(template, "{[")
		if open < 0 {
			b.WriteString(template)
			break
		}
		b.WriteString(template[:open])
		end := "}"
		if template[open] == '[' {
			end = "]"
		}
		inner, rest, _ := strings.Cut(template[open+1:], end)
		template = rest
		if end == "]" {
			if s, ok := fill(inner, v); ok {
				b.WriteString(s)
			}
			continue
		}
		s, ok := place(inner, v)
		known = known && ok
		b.WriteString(s)
	}
	return b.String(), known
}

// place is the text for one placeholder.
func place(inner string, v values) (string, bool) {
	switch inner[0] {
	case '?', '!':
		value, ok := v[inner[1:]].(bool)
		return "", ok && value == (inner[0] == '?')
	}
	name, forms, plural := strings.Cut(inner, "|")
	value, ok := v[name]
	if !ok {
		return "", false
	}
	text := fmt.Sprint(value)
	if plural {
		one, many, _ := strings.Cut(forms, "|")
		if text == "1" {
			return one, true
		}
		return many, true
	}
	return text, true
}
