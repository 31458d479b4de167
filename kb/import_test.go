package kb

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// sample is an article in canonical JSON, with every key that is required, some
// that are not, and some that the format does not name.
const sample = `{
  "schema_version": "1.0.0",
  "id": "communication/mqtt-connack-refused/paho-1.6_linux",
  "url": "https://deadends.dev/communication/mqtt-connack-refused/paho-1.6_linux",
  "error": {
    "signature": "Connection Refused: identifier rejected.",
    "regex": "(?i)connection refused.{,4}identifier rejected\\.?\\Z|server (?P<what>unavailable)",
    "domain": "communication", "category": "connection_error",
    "first_seen": "2023-01-01", "last_confirmed": "2026-02-26"
  },
  "environment": {"runtime": {"name": "paho-python", "version_range": ">=1.6,<2"}, "os": "linux", "framework": "none"},
  "verdict": {
    "resolvable": "partial", "fix_success_rate": 0.62, "confidence": 0.7, "last_updated": "2026-02-26",
    "summary": "The broker refuses the client: \"identifier rejected\"."
  },
  "dead_ends": [
    {"action": "Reconnect at once", "why_fails": "The answer is the same", "fail_rate": 0.85, "condition": "", "sources": ["https://example.com/a"]},
    {"action": "Reconnect at once", "why_fails": "Still the same", "fail_rate": 1, "condition": "in a loop\nwithout end", "tradeoff": "noise"}
  ],
  "workarounds": [
    {"action": "Set a client ID: yes", "success_rate": 0.9, "how": "mqtt.Client(client_id=\"gw7\")", "tradeoff": "none", "condition": "", "sources": []},
    {"action": "# 设置 ID", "success_rate": 0}
  ],
  "transition_graph": {"leads_to": [], "preceded_by": [{"error_id": "x/y/z", "probability": 0.1}], "frequently_confused_with": []},
  "metadata": {"generated_by": "someone", "generation_date": "2026-02-26", "review_status": "auto_generated", "evidence_count": 3, "page_views": 7}
}`

// finished is the imported entry with the Chinese written.
func finished(t *testing.T, text []byte) []byte {
	t.Helper()
	done := strings.ReplaceAll(string(text), `zh: "" # to be written`, "zh: 中文")
	if done == string(text) {
		t.Fatal("no Chinese is marked as missing")
	}
	return []byte(done)
}

func importOne(t *testing.T, article string, given ...string) Imported {
	t.Helper()
	all, err := Import([]byte(article), given)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 {
		t.Fatalf("%d entries", len(all))
	}
	return all[0]
}

func TestImport(t *testing.T) {
	in := importOne(t, sample)
	if in.ID != "communication/mqtt-connack-refused/paho-1-6-linux" {
		t.Errorf("the id is %s", in.ID)
	}
	if want := []string{"identifier-rejected", "server-unavailable"}; !slices.Equal(in.Symptoms, want) {
		t.Errorf("the symptoms are %v", in.Symptoms)
	}
	// What is missing is demanded, and nothing else is wrong.
	dir := t.TempDir()
	path := filepath.Join(dir, "in.yaml")
	if err := os.WriteFile(path, in.YAML, 0o666); err != nil {
		t.Fatal(err)
	}
	n, err := Check(dir)
	if n != 1 || err == nil {
		t.Fatalf("%d files, %v", n, err)
	}
	lines := strings.Split(err.Error(), "\n")
	for _, line := range lines {
		if !strings.HasSuffix(line, "has no Chinese (zh)") || !strings.HasPrefix(line, path+":") {
			t.Errorf("a problem is %q", line)
		}
	}
	if len(lines) != 10 {
		t.Errorf("%d texts lack Chinese, not 10", len(lines))
	}
	if err := os.WriteFile(path, finished(t, in.YAML), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Check(dir); err != nil {
		t.Fatalf("the finished entry: %v\n%s", err, in.YAML)
	}
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := b.Entry(in.ID)
	if e.Published.Source != "https://deadends.dev/communication/mqtt-connack-refused/paho-1.6_linux" || *e.Published.FixRate != 0.62 {
		t.Errorf("published: %+v", e.Published)
	}
	if f := e.Fixes[0]; *f.SuccessRate != 0.9 || f.RateSource != e.Published.Source || f.How[0].For != "paho-python >=1.6,<2" {
		t.Errorf("the first fix: %+v", f)
	}
	if ids := []string{e.DeadEnds[0].ID, e.DeadEnds[1].ID}; ids[0] != "reconnect-at-once" || ids[1] != "reconnect-at-once-2" {
		t.Errorf("the dead ends are called %v", ids)
	}
	if e.Fixes[1].Text.En != "# 设置 ID" {
		t.Errorf("a text became %q", e.Fixes[1].Text.En)
	}
	if !strings.Contains(string(in.YAML), "# published condition: in a loop without end") {
		t.Errorf("the condition is lost:\n%s", in.YAML)
	}
	if !slices.Contains(e.Sources, "https://example.com/a") {
		t.Errorf("sources %v", e.Sources)
	}
}

// TestRoundTrip: what the format demands survives import and export.
func TestRoundTrip(t *testing.T) {
	in := importOne(t, sample)
	b, err := Load(files(map[string]string{"a.yaml": string(finished(t, in.YAML))}))
	if err != nil {
		t.Fatal(err)
	}
	data, leftOut, err := Canons(b.Entries())
	if err != nil || leftOut != 0 {
		t.Fatalf("%d left out, %v", leftOut, err)
	}
	var before, after map[string]any
	for text, into := range map[string]*map[string]any{sample: &before, string(data): &after} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range []map[string]any{before, after} { // what an entry does not keep
		graph := m["transition_graph"].(map[string]any)
		graph["preceded_by"] = []any{}
		delete(m["environment"].(map[string]any), "framework")
		delete(m["metadata"].(map[string]any), "page_views")
		for _, list := range []string{"dead_ends", "workarounds"} {
			for _, item := range m[list].([]any) {
				maps.DeleteFunc(item.(map[string]any), func(key string, _ any) bool {
					return key == "condition" || key == "tradeoff" || key == "sources"
				})
			}
		}
	}
	if !reflect.DeepEqual(before, after) {
		t.Errorf("became\n%s", data)
	}
	// And a list of articles is read as well.
	again, err := Import([]byte("["+string(data)+","+strings.ReplaceAll(sample, "mqtt-connack-refused", "mqtt-other")+"]"), nil)
	if err != nil || len(again) != 2 || string(again[0].YAML) == "" {
		t.Errorf("a list gives %d entries, %v", len(again), err)
	}
}

// TestExportInventsNothing: only what has a published rate is written.
func TestExportInventsNothing(t *testing.T) {
	data, leftOut, err := Canons(embeddedBase(t).Entries())
	if err != nil {
		t.Fatal(err)
	}
	rated := 0
	for _, e := range embeddedBase(t).Entries() {
		if e.Published != nil && e.Published.Confidence != nil {
			rated++
		}
	}
	if rated == 0 || leftOut != len(embeddedBase(t).Entries())-rated {
		t.Errorf("%d left out, %d have figures", leftOut, rated)
	}
	if _, err := readArticle(data); rated == 1 && err != nil {
		t.Errorf("what is exported is no article: %v", err)
	}
	b := loadTexts(t, map[string]string{"a.yaml": minimal("x/a")})
	if data, leftOut, err := Canons(b.Entries()); data != nil || leftOut != 1 || err != nil {
		t.Errorf("an entry without rates gives %s, %d, %v", data, leftOut, err)
	}
}

func TestImportProblems(t *testing.T) {
	for _, test := range []struct{ name, old, new, want string }{
		{"version", `"1.0.0"`, `"2.0.0"`, "schema_version: 2.0.0 is not known"},
		{"no version", `"schema_version": "1.0.0",`, ``, "schema_version: missing"},
		{"id", `"id": "communication/mqtt-connack-refused/paho-1.6_linux"`, `"id": "x"`, `id: "x" is no path`},
		{"url", `"url": "https://deadends.dev/comm`, `"url": "https://example.com/comm`, "url: "},
		{"regex", `"category": "connection_error",`, `"category": "",`, "error.category: empty"},
		{"date", `"2023-01-01"`, `"in 2023"`, `error.first_seen: "in 2023" is no date`},
		{"resolvable", `"partial"`, `true`, "cannot unmarshal"},
		{"resolvable word", `"partial"`, `"maybe"`, "verdict.resolvable: \"maybe\" is unknown; allowed: true, partial, false"},
		{"rate", `0.62`, `62`, "verdict.fix_success_rate: 62 is no rate"},
		{"fail rate", `"fail_rate": 0.85,`, ``, "dead_ends[1].fail_rate: missing"},
		{"source", `https://example.com/a`, `javascript:1`, `dead_ends[1].sources: "javascript:1" is no http or https URL`},
		{"graph", `"leads_to": [],`, ``, "transition_graph.leads_to: missing"},
		{"review", `"auto_generated"`, `"trusted"`, "metadata.review_status"},
		{"evidence", `"evidence_count": 3`, `"evidence_count": -3`, "metadata.evidence_count"},
		{"no JSON", `{`, `<`, "no article in canonical JSON"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(sample, test.old, test.new, 1)
			if text == sample {
				t.Fatal("nothing was changed")
			}
			_, err := Import([]byte(text), nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, not %q", err, test.want)
			}
		})
	}
	// All problems come at once.
	_, err := Import([]byte("{}"), nil)
	if err == nil || strings.Count(err.Error(), "\n") != 9 {
		t.Errorf("an empty article gives %v", err)
	}
	if _, err := Import([]byte(sample), []string{"no-such"}); err == nil || !strings.Contains(err.Error(), "allowed: client-id-takeover") {
		t.Errorf("a symptom that is none gives %v", err)
	}
}

// TestImportPattern: a pattern that RE2 does not take is kept, and said.
func TestImportPattern(t *testing.T) {
	in := importOne(t, strings.Replace(sample, `(?i)conn`, `(?<=x)conn`, 1))
	if len(in.Symptoms) != 0 || len(in.Notes) != 2 || !strings.Contains(in.Notes[0], "look-behind") {
		t.Errorf("symptoms %v, notes %v", in.Symptoms, in.Notes)
	}
	if !strings.Contains(string(in.YAML), "symptoms: []") || !strings.Contains(string(in.YAML), `(?<=x)conn`) {
		t.Errorf("the entry is\n%s", in.YAML)
	}
	if in = importOne(t, strings.Replace(sample, `(?i)conn`, `(?<=x)conn`, 1), "no-connack"); !slices.Equal(in.Symptoms, []string{"no-connack"}) || len(in.Notes) != 1 {
		t.Errorf("symptoms %v, notes %v", in.Symptoms, in.Notes)
	}
}

// TestPrinted: every text that patterns are tried on belongs to a symptom.
func TestPrinted(t *testing.T) {
	for s := range printed {
		if !slices.Contains(symptoms, s) {
			t.Errorf("%s is no symptom", s)
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("[" + sample + "]"))
	f.Add([]byte(`{"error": null, "dead_ends": [{}], "workarounds": [null]}`))
	f.Add([]byte(strings.ReplaceAll(sample, "Reconnect at once", `\u0000\u2028\ud800: "'#{}[]&*!|>%@`)))
	f.Add([]byte(strings.ReplaceAll(sample, "in a loop", `\u0007\u0085 --- \ufeff`)))
	f.Add([]byte(strings.Repeat("[", 20000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := Import(data, nil)
		if err != nil {
			return
		}
		for _, in := range all {
			var e Entry
			decoder := yaml.NewDecoder(strings.NewReader(string(in.YAML)))
			decoder.KnownFields(true)
			if err := decoder.Decode(&e); err != nil {
				t.Fatalf("what was imported is no entry: %v\n%s", err, in.YAML)
			}
			if e.ID != in.ID || !entryID.MatchString(e.ID) {
				t.Errorf("the id %q became %q", in.ID, e.ID)
			}
		}
	})
}
