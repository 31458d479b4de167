package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// recorded are all captures of the repository.
func recorded(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, pattern := range []string{"../../testdata/*/capture.*", "../../testdata/recordings/*/*/*.pcap*", "../../testdata/recordings/*/*.pcap*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	if len(paths) < 100 {
		t.Fatalf("only %d captures", len(paths))
	}
	return paths
}

// reported runs read and returns what it writes.
func reported(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	var out, err bytes.Buffer
	if status := run(append([]string{"read"}, args...), bytes.NewReader(stdin), &out, &err); status != exitOK {
		t.Fatalf("read %q: status %d: %s", args, status, err.String())
	}
	return out.Bytes()
}

// document is a report in JSON without what saved records do not have: the
// connections in which there was no MQTT.
func document(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	totals := doc["totals"].(map[string]any)
	delete(totals, "connections")
	if totals["sessions"] == 0.0 {
		delete(doc, "answer")
	}
	return doc
}

// What is found in saved records is what is found in the capture, to the letter;
// and reports have the form that their schemas tell.
func TestSavedRecordsGiveTheSameReport(t *testing.T) {
	saved := filepath.Join(t.TempDir(), "saved.ndjson")
	ofReports, ofLines := schema(t, "report"), schema(t, "records")
	for _, path := range recorded(t) {
		args := []string{path}
		if keylog := strings.TrimSuffix(path, filepath.Ext(path)) + ".keylog"; exists(keylog) {
			args = append(args, "--keylog", keylog)
		}
		report := reported(t, nil, append(args, "-f", "json", "--sessions")...)
		want := document(t, report)
		text := reported(t, nil, append(args, "-f", "ndjson")...)
		fits(t, ofReports, path, report)
		for line := range bytes.Lines(text) {
			fits(t, ofLines, path, line)
		}
		if err := os.WriteFile(saved, text, 0o600); err != nil {
			t.Fatal(err)
		}
		got := document(t, reported(t, nil, "-f", "json", "--sessions", saved))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: the reports of the capture (-) and of its saved records (+) differ:\n%s", path, diff)
		}
		// Saved again they are the same, but for the tags, which have another key.
		again := reported(t, text, "-f", "ndjson", "-")
		if got, want := sessionLines(again), sessionLines(text); got != want {
			t.Errorf("%s: saved again:\n%s", path, cmp.Diff(want, got))
		}
	}
}

// schema is one of those in docs.
func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiled, err := compiler.Compile("../../docs/" + name + ".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// fits fails unless a JSON text has the form that a schema tells.
func fits(t *testing.T, schema *jsonschema.Schema, path string, text []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

var tags = regexp.MustCompile(`"(user_)?tag":"[0-9a-f]{16}"`)

// sessionLines are the lines about sessions, with equal tags.
func sessionLines(text []byte) string {
	var b strings.Builder
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte(`{"type":"session"`)) {
			b.Write(tags.ReplaceAll(line, []byte(`"${1}tag":"0000000000000001"`)))
		}
	}
	return b.String()
}

// Saved records may be compressed, as captures may.
func TestCompressedRecords(t *testing.T) {
	text := reported(t, nil, "-f", "ndjson", "../../testdata/no-broker_connection-refused/capture.pcap")
	want := reported(t, text, "-")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "saved.ndjson.gz")
	if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, got := range map[string][]byte{"a file": reported(t, nil, path), "standard input": reported(t, packed.Bytes(), "-")} {
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("compressed, from %s:\n%s", what, diff)
		}
	}
	cut := packed.Bytes()[:packed.Len()-20]
	var out, errs bytes.Buffer
	if status := run([]string{"read", "-"}, bytes.NewReader(cut), &out, &errs); status != exitOK || !strings.Contains(errs.String(), "analysed as far as it goes") {
		t.Errorf("compressed and cut short: status %d: %s", status, errs.String())
	}
}

// Records whose fields were swapped and lost are refused or analysed, and the
// program goes on.
func TestMangledRecords(t *testing.T) {
	var records []map[string]any
	for _, path := range recorded(t) {
		for line := range strings.Lines(sessionLines(reported(t, nil, path, "-f", "ndjson"))) {
			var record map[string]any
			if err := json.Unmarshal([]byte(line), &record); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			records = append(records, record)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	read := 0
	for range 300 {
		var text bytes.Buffer
		for i := range 12 {
			record := maps.Clone(records[r.IntN(len(records))])
			record["id"], record["capture"] = fmt.Sprintf("c1.%d", i+1), "a.pcap"
			for range r.IntN(6) {
				mangle(r, record, records[r.IntN(len(records))])
			}
			line, err := json.Marshal(record)
			if err != nil {
				t.Fatal(err)
			}
			text.Write(append(line, '\n'))
		}
		var out, err bytes.Buffer
		if run([]string{"read", "-f", "ndjson", "-"}, &text, &out, &err) == exitOK {
			read += strings.Count(sessionLines(out.Bytes()), "\n")
		}
	}
	if read < 1000 {
		t.Errorf("only %d sessions were analysed: the records are mangled too much", read)
	}
}

// mangle takes a field of a record away, or gives it the value of another's.
func mangle(r *rand.Rand, record, other map[string]any) {
	names := slices.Sorted(maps.Keys(record))
	name := names[r.IntN(len(names))]
	inner, ok := record[name].(map[string]any)
	theirs, has := other[name].(map[string]any)
	switch {
	case ok && has && len(inner) > 0 && r.IntN(4) > 0:
		inner = maps.Clone(inner)
		record[name] = inner
		mangle(r, inner, theirs)
	case name == "id" || name == "capture":
	case r.IntN(2) == 0:
		delete(record, name)
	default:
		record[name] = other[name]
	}
}
