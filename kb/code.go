package kb

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

//go:embed codes.yaml
var codesYAML []byte

//go:embed symptoms.yaml
var symptomsYAML []byte

// CodeFamily says in which versions a code has a meaning.
type CodeFamily string

// The families: the return codes of MQTT 3.1 and 3.1.1, and the reason codes of
// MQTT 5.
const (
	ReturnCodes CodeFamily = "3.x"
	ReasonCodes CodeFamily = "5"
)

// Code is what one CONNACK code means in one family of versions.
type Code struct {
	Family CodeFamily `yaml:"-" json:"mqtt_version"`
	Value  int        `yaml:"code" json:"-"`
	// Name is the standard's. Codes that the standard does not define and that
	// brokers send all the same have none in the file, and "non-standard code 6"
	// here.
	Name  Text `yaml:"name" json:"name"`
	Means Text `yaml:"means" json:"means"`
	// Same is the code of the other family by that meaning, nil without one.
	Same *int `yaml:"same" json:"-"`
	// Symptom is what the code shows as; empty for 0 and for codes that come in
	// a DISCONNECT only.
	Symptom string `yaml:"symptom" json:"symptom,omitempty"`
	// At says what the code means at one broker.
	At []CodeAt `yaml:"at" json:"at,omitempty"`
}

// CodeAt is what a code means at one broker.
type CodeAt struct {
	// Vendor is one of analyze.Vendors.
	Vendor string `yaml:"vendor" json:"vendor"`
	Text   Text   `yaml:"text" json:"text"`
	// Source is a file of the broker's source, a document, or what was measured.
	Source string `yaml:"source" json:"source"`
}

// SymptomText says what a symptom means and when its rule fires.
type SymptomText struct {
	ID    string `yaml:"id" json:"id"`
	Means Text   `yaml:"means" json:"means"`
	Fires Text   `yaml:"fires" json:"fires"`
}

// tables are the two data files. They are part of the program, and a test holds
// them to be right, so that a failure to read one is a defect.
var tables = sync.OnceValue(func() (t struct {
	codes    []Code
	symptoms []SymptomText
}) {
	var file struct {
		Return []Code `yaml:"return_codes"`
		Reason []Code `yaml:"reason_codes"`
	}
	strictly(codesYAML, &file)
	strictly(symptomsYAML, &t.symptoms)
	for _, family := range []struct {
		name  CodeFamily
		codes []Code
	}{{ReturnCodes, file.Return}, {ReasonCodes, file.Reason}} {
		for _, c := range family.codes {
			c.Family = family.name
			if c.Name == (Text{}) {
				c.Name = nonStandard(c.Value)
			}
			t.codes = append(t.codes, c)
		}
	}
	return t
})

func strictly(data []byte, into any) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		panic(fmt.Sprintf("kb: a table of the program cannot be read: %v", err))
	}
}

func nonStandard(code int) Text {
	return Text{En: fmt.Sprintf("non-standard code %d", code), Zh: fmt.Sprintf("非标准代码 %d", code)}
}

// Codes returns what is known of all codes: 3.x first, each family ascending.
func Codes() []Code { return slices.Clone(tables().codes) }

// Symptom returns what a symptom means.
func Symptom(id string) (SymptomText, bool) {
	for _, s := range tables().symptoms {
		if s.ID == id {
			return s, true
		}
	}
	return SymptomText{}, false
}

// Symptoms returns the ids of all symptoms, in the order of the contract.
func Symptoms() []string { return slices.Clone(symptoms) }

// CodeName is the name of a CONNACK code in a language, by the MQTT version of the
// packet that carried it ("3.1", "3.1.1" or "5").
func CodeName(version string, code byte, lang Lang) string {
	family := ReturnCodes
	if version == string(ReasonCodes) {
		family = ReasonCodes
	}
	for _, c := range tables().codes {
		if c.Family == family && c.Value == int(code) {
			return c.Name.In(lang)
		}
	}
	if lang == Chinese {
		return nonStandard(int(code)).Zh
	}
	v := mqtt.V311
	if family == ReasonCodes {
		v = mqtt.V5
	}
	return mqtt.CodeName(v, code)
}

// CodesOf returns what a code means in each family that gives it a meaning; none
// where neither does.
func CodesOf(value int) []Code {
	var found []Code
	for _, c := range tables().codes {
		if c.Value == value {
			found = append(found, c)
		}
	}
	return found
}

// CodesNamed returns the codes whose name, in either language, is the words, or
// begins with them where that leaves one name only. Case and spaces do not
// matter, nor whether it is written authorised or authorized. Otherwise it
// returns the names that begin with the words.
func CodesNamed(words string) (codes []Code, names []string) {
	want := plain(words)
	if want == "" {
		return nil, nil
	}
	var exact, begun []Code
	for _, c := range tables().codes {
		for _, name := range []string{c.Name.En, c.Name.Zh} {
			switch p := plain(name); {
			case p == want:
				exact = append(exact, c)
			case strings.HasPrefix(p, want):
				begun = append(begun, c)
				if !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	switch {
	case len(exact) > 0:
		return exact, nil
	case len(names) == 1:
		return begun, nil
	}
	return nil, names
}

// plain makes words comparable.
func plain(s string) string {
	s = strings.ToLower(strings.Join(strings.Fields(strings.NewReplacer("_", " ", "-", " ").Replace(s)), " "))
	s = strings.ReplaceAll(s, "authoris", "authoriz")
	return strings.ReplaceAll(s, "username", "user name")
}

// Answering returns the entries that answer a symptom or, with a code of 0 to
// 255, that may do so when it shows by this code; -1 stands for no code. Those for
// which that is enough come first, those without a condition last.
func (b *Base) Answering(symptom string, code int) []*Entry {
	f := analyze.Finding{Symptom: symptom}
	if code >= 0 {
		f.Facts.Code.Set(code)
	}
	e := evidenceOf(&f)
	var found [3][]*Entry
	for _, entry := range b.bySymptom[symptom] {
		when := entry.When.eval(e.values)
		switch {
		case entry.When == nil:
			found[2] = append(found[2], entry)
		case when.value == yes:
			found[0] = append(found[0], entry)
		case when.value == undecided, slices.ContainsFunc(when.facts, e.lacks):
			// known(fact) fails for want of packets, which proves nothing here.
			found[1] = append(found[1], entry)
		}
	}
	return slices.Concat(found[:]...)
}

func (e evidence) lacks(fact string) bool {
	_, known := e.values[fact]
	return !known
}
