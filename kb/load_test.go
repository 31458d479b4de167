package kb

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// minimal is the smallest entry that loads.
func minimal(id string) string {
	return "id: " + id + `
title: {en: A title, zh: 标题}
summary: {en: A summary., zh: 摘要。}
symptoms: [no-connack]
sources: ["RFC 9293 section 3.4"]
causes:
  - id: c
    text: {en: A cause., zh: 原因。}
fixes:
  - id: f
    text: {en: A fix., zh: 办法。}
`
}

func files(texts map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range texts {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

func loadTexts(t *testing.T, texts map[string]string) *Base {
	t.Helper()
	b, err := Load(files(texts))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLoadMinimal(t *testing.T) {
	b := loadTexts(t, map[string]string{"b.yaml": minimal("x/b"), "a.yaml": minimal("x/z"), "readme.md": "no entry"})
	if got := b.Entries(); len(got) != 2 || got[0].ID != "x/b" || got[1].ID != "x/z" {
		t.Errorf("entries %v", got)
	}
	if e, ok := b.Entry("x/z"); !ok || e.Title.Zh != "标题" {
		t.Errorf("x/z is %+v, %v", e, ok)
	}
	if _, ok := b.Entry("x/none"); ok {
		t.Error("an entry that does not exist was found")
	}
}

func TestOverlay(t *testing.T) {
	under := files(map[string]string{"a.yaml": minimal("x/a"), "b.yaml": minimal("x/b")})
	over := files(map[string]string{"other.yaml": strings.Replace(minimal("x/a"), "A title", "Ours", 1)})
	last := files(map[string]string{"other.yaml": strings.Replace(minimal("x/c"), "A title", "Third", 1)})
	b, err := Load(under, over, last)
	if err != nil {
		t.Fatal(err)
	}
	var titles []string
	for _, e := range b.Entries() {
		titles = append(titles, e.Title.En)
	}
	if got := strings.Join(titles, ","); got != "Ours,A title,Third" {
		t.Errorf("titles %s", got)
	}
	// A bad overlay loads nothing at all.
	b, err = Load(under, files(map[string]string{"o.yaml": "id: x/a\n"}))
	if b != nil || err == nil {
		t.Errorf("a bad overlay gives %v, %v", b, err)
	}
}

// TestLoadProblems changes one thing in an entry that loads, and wants the
// problem's line and words.
func TestLoadProblems(t *testing.T) {
	// Lines of minimal: id 1, title 2, summary 3, symptoms 4, sources 5,
	// causes 6, c 7, its text 8, fixes 9, f 10, its text 11.
	cause := "    text: {en: A cause., zh: 原因。}\n"
	fix := "    text: {en: A fix., zh: 办法。}\n"
	for _, test := range []struct {
		name, old, new string
		want           []string
	}{
		{"unknown key", "title:", "titel:", []string{"a.yaml:2: titel: unknown key; allowed: id, title, summary,", "a.yaml:1: title: missing"}},
		{"unknown key below", cause, cause + "    suported: retries > 0\n", []string{"a.yaml:9: suported: unknown key; allowed: id, text, contradicted, supported, because"}},
		{"key twice", "title:", "id: x/b\ntitle:", []string{`a.yaml:2: id: mapping key "id" already defined at line 1`}},
		{"wrong type", "symptoms: [no-connack]", "symptoms: {a: b}", []string{"a.yaml:4: a: cannot unmarshal"}},
		{"no YAML", "title:", "title: [", []string{"a.yaml:"}},
		{"no value", "summary: {en: A summary., zh: 摘要。}", "summary:", []string{"a.yaml:3: summary: a value is missing here"}},
		{"id", "x/a", "Xa", []string{`a.yaml:1: id: the id "Xa" is no path in kebab-case`}},
		{"no Chinese", "zh: 标题", "zh: ''", []string{"a.yaml:2: title: has no Chinese (zh)"}},
		{"no English", "en: A title, ", "", []string{"a.yaml:2: title: has no English (en)"}},
		{"English for Chinese", "zh: 摘要。", "zh: A summary.", []string{"a.yaml:3: summary.zh: holds no Chinese"}},
		{"unknown symptom", "no-connack", "no-conack", []string{`a.yaml:4: symptoms[1]: "no-conack" is no symptom; allowed: client-id-takeover,`}},
		{"symptom twice", "no-connack", "no-connack, no-connack", []string{`a.yaml:4: symptoms[2]: the symptom "no-connack" is listed twice`}},
		{"no symptom", "[no-connack]", "[]", []string{"a.yaml:4: symptoms: missing"}},
		{"no source", `["RFC 9293 section 3.4"]`, "[]", []string{"sources: missing"}},
		{"source", `"RFC 9293 section 3.4"`, `"ftp://x/y"`, []string{`a.yaml:5: sources[1]: "ftp://x/y" is no http or https URL`}},
		{"no causes", "causes:\n  - id: c\n" + cause, "causes: []\n", []string{"a.yaml:6: causes: missing"}},
		{"no fixes", "fixes:\n  - id: f\n" + fix, "fixes: []\n", []string{"a.yaml:9: fixes: missing"}},
		{"cause twice", cause, cause + "  - id: c\n" + cause, []string{`a.yaml:9: causes.c.id: the id "c" is used twice in causes`}},
		{"cause id", "id: c", "id: C 1", []string{`a.yaml:7: causes.C 1.id: the id "C 1" is not in kebab-case`}},
		{"rate without source", fix, fix + "    success_rate: 0.9\n", []string{"a.yaml:12: fixes.f.success_rate: has no rate_source"}},
		{"source without rate", fix, fix + "    rate_source: https://example.com\n", []string{"a.yaml:12: fixes.f.rate_source: stands without success_rate"}},
		{"rate", fix, fix + "    success_rate: 90\n    rate_source: x\n", []string{"a.yaml:12: fixes.f.success_rate: 90 is no rate; allowed: a number from 0 to 1"}},
		{"rate not a number", fix, fix + "    success_rate: .nan\n    rate_source: x\n", []string{"a.yaml:12: fixes.f.success_rate: NaN is no rate"}},
		{"unknown fact", cause, cause + "    supported: retriez > 0\n", []string{`a.yaml:9: causes.c.supported: "retriez" is no fact (column 1); allowed: connects,`}},
		{"type", cause, cause + "    supported: retries == \"3\"\n", []string{"a.yaml:9: causes.c.supported: invalid operation: == (mismatched types int and string)"}},
		{"no bool", cause, cause + "    supported: retries + 1\n", []string{"a.yaml:9: causes.c.supported: expected bool, but got int"}},
		{"number for and", cause, cause + "    supported: retries and malformed\n", []string{"a.yaml:9: causes.c.supported: expected bool, but got int"}},
		{"syntax", cause, cause + "    supported: retries >\n", []string{"a.yaml:9: causes.c.supported: unexpected token EOF"}},
		{"block", cause, cause + "    supported: |\n      retries > 0\n      and retriez > 0\n", []string{"a.yaml:11: causes.c.supported: \"retriez\" is no fact"}},
		{"constant", cause, cause + "    supported: 1 == 1\n", []string{"a.yaml:9: causes.c.supported: the condition uses no fact"}},
		{"empty condition", cause, cause + "    supported: ''\n", []string{"a.yaml:9: causes.c.supported: the condition is empty"}},
		{"condition in a list", cause, cause + "    supported: [retries > 0]\n", []string{"a.yaml:9: supported: a condition is one expression"}},
		{"when", "title:", "when: nothing\ntitle:", []string{`a.yaml:2: when: "nothing" is no fact`}},
		{"placeholder", cause, cause + "    supported: retries > 0\n    because:\n      supported:\n        - {en: '{retriez} times', zh: '{retries} 次'}\n", []string{"a.yaml:12: causes.c.because.supported[1].en: {retriez} names no fact; allowed: connects,"}},
		{"brace", cause, cause + "    supported: retries > 0\n    because:\n      supported:\n        - {en: '{retries times', zh: '{retries} 次'}\n", []string{"a.yaml:12: causes.c.because.supported[1].en: a brace stands alone"}},
		{"noun", cause, cause + "    supported: retries > 0\n    because:\n      supported:\n        - {en: '{retries time}', zh: '{retries} 次'}\n", []string{"a.yaml:12: causes.c.because.supported[1].en: a brace stands alone"}},
		{"condition of a reason", cause, cause + "    supported: retries > 0\n    because:\n      supported:\n        - {when: retriez > 0, en: So., zh: 是。}\n", []string{`a.yaml:12: causes.c.because.supported[1].when: "retriez" is no fact`}},
		{"unknown key of a reason", cause, cause + "    supported: retries > 0\n    because:\n      supported:\n        - {if: retries > 0, en: So., zh: 是。}\n", []string{"a.yaml:12: if: unknown key; allowed: when, en, zh"}},
		{"because without condition", cause, cause + "    because:\n      supported:\n        - {en: So., zh: 是。}\n", []string{`because.supported: "supported" is never given, for it has no condition`}},
		{"because for another status", cause, cause + "    because:\n      seen:\n        - {en: So., zh: 是。}\n", []string{`because.seen: "seen" is no status here; allowed: contradicted, supported, possible`}},
		{"because in one language", cause, cause + "    supported: retries > 0\n    because:\n      supported:\n        - {en: So.}\n", []string{"a.yaml:12: causes.c.because.supported[1]: has no Chinese (zh)"}},
		{"how", fix, fix + "    how:\n      - {text: {en: Do., zh: 做。}}\n", []string{"a.yaml:13: fixes.f.how[1].for: missing"}},
		{"date", "title:", "published: {source: x, first_seen: yesterday}\ntitle:", []string{`published.first_seen: "yesterday" is no date`}},
		{"published without source", "title:", "published: {confidence: 0.5}\ntitle:", []string{"a.yaml:2: published.source: missing"}},
		{"case", "title:", "captures: {fires: [../x]}\ntitle:", []string{`a.yaml:2: captures.fires[1]: "../x" is no name of a case`}},
		{"second document", "fixes:", "---\nfixes:", []string{"a file holds one entry"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := minimal("x/a")
			if !strings.Contains(text, test.old) {
				t.Fatalf("the entry has no %q", test.old)
			}
			b, err := Load(files(map[string]string{"a.yaml": strings.Replace(text, test.old, test.new, 1)}))
			if b != nil || err == nil {
				t.Fatal("the entry loads")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in:\n%v", want, err)
				}
			}
			for _, line := range strings.Split(err.Error(), "\n") {
				if !strings.HasPrefix(line, "a.yaml:") {
					t.Errorf("a line names no file and line: %q", line)
				}
			}
		})
	}
}

func TestLoadReportsAllProblemsOfAllFiles(t *testing.T) {
	_, err := Load(files(map[string]string{
		"a.yaml": strings.Replace(minimal("x/same"), "zh: 标题", "zh: ''", 1) + "when: nothing\n",
		"b.yaml": minimal("x/same"),
		"c.yml":  minimal("x/c"),
		"d.yaml": "",
	}))
	if err == nil {
		t.Fatal("it loads")
	}
	lines := strings.Split(err.Error(), "\n")
	for i, want := range []string{
		"c.yml: entries are named *.yaml; rename it",
		"a.yaml:2: title: has no Chinese (zh)",
		`a.yaml:12: when: "nothing" is no fact`,
		`b.yaml:1: id: the id "x/same" is taken by a.yaml:1`,
		"d.yaml:1: the file is empty",
	} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Fatalf("line %d is not %q in:\n%v", i+1, want, err)
		}
	}
	if len(lines) != 5 {
		t.Errorf("%d lines:\n%v", len(lines), err)
	}
}

func TestLoadBounds(t *testing.T) {
	if _, err := Load(fstest.MapFS{}); err == nil || !strings.Contains(err.Error(), "holds no entry") {
		t.Errorf("an empty folder gives %v", err)
	}
	if _, err := Load(files(map[string]string{"a.yaml": strings.Repeat("#", maxFileBytes+1)})); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a huge file gives %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(minimal("x/a")))
	f.Add([]byte(strings.Replace(minimal("x/a"), "fixes:", "when: known(retries) and not (retries > 0)\nfixes:", 1)))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("a: &a [1,1]\nb: &b [*a,*a]\nc: &c [*b,*b]\nid: *c"))
	f.Add([]byte("? {a: b}\n: c\n<<: {id: x/a}\n"))
	f.Add([]byte("when: !!binary aGk=\nfixes: [~]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Load(fstest.MapFS{"a.yaml": &fstest.MapFile{Data: data}})
		if (b == nil) != (err != nil) {
			t.Fatalf("base %v with error %v", b, err)
		}
		if err != nil {
			for _, line := range strings.Split(err.Error(), "\n") {
				if !strings.HasPrefix(line, "a.yaml:") {
					t.Fatalf("a line names no file and line: %q", line)
				}
			}
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Load(os.DirFS("entries")); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEmbedded is what every start of the program waits for.
func BenchmarkEmbedded(b *testing.B) {
	for b.Loop() {
		data, err := unpack(packedEntries)
		if err != nil {
			b.Fatal(err)
		}
		var entries []*Entry
		if err := json.Unmarshal(data, &entries); err != nil {
			b.Fatal(err)
		}
	}
}
