package kb

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The packed entries hold what the YAML files say, whole, and every condition in them
// compiles. What is packed counts, not the bytes that it was packed to: another version
// of Go may pack otherwise.
func TestCompiled(t *testing.T) {
	base, err := Load(os.DirFS("entries"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(base.Entries())
	if err != nil {
		t.Fatal(err)
	}
	got, err := unpack(packedEntries)
	switch same := err == nil && bytes.Equal(got, want); {
	case *update && !same:
		if err := os.WriteFile("entries.json.gz", pack(t, want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	case err != nil:
		t.Fatalf("entries.json.gz: %v; run go generate ./kb", err)
	case !same:
		t.Fatal("entries.json.gz is not what the entries say; run go generate ./kb")
	}
	var read []*Entry
	if err := json.Unmarshal(got, &read); err != nil {
		t.Fatal(err)
	}
	source := cmp.Comparer(func(x, y *Condition) bool {
		return (x == nil) == (y == nil) && (x == nil || x.source == y.source)
	})
	if diff := cmp.Diff(base.Entries(), read, source); diff != "" {
		t.Errorf("read from YAML (-) and from JSON (+):\n%s", diff)
	}
	conditions := 0
	for _, e := range read {
		e.conditions(func(c *Condition) {
			conditions++
			if err := c.compile(sharedConfig()); err != nil {
				t.Errorf("%s: %q: %v", e.ID, c.source, err)
			}
		})
	}
	if conditions < len(read) {
		t.Errorf("only %d conditions in %d entries", conditions, len(read))
	}
}

// pack packs data by gzip, without a name and a time, so that the bytes are data's alone.
func pack(t *testing.T, data []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// conditions calls yield for every condition of an entry.
func (e *Entry) conditions(yield func(*Condition)) {
	some := func(conditions ...*Condition) {
		for _, c := range conditions {
			if c != nil {
				yield(c)
			}
		}
	}
	because := func(b Because) {
		for _, reasons := range b {
			for _, r := range reasons {
				some(r.When)
			}
		}
	}
	some(e.When)
	for _, c := range e.Causes {
		some(c.Contradicted, c.Supported)
		because(c.Because)
	}
	for _, f := range e.Fixes {
		some(f.InPlace, f.NotApplicable, f.Recommended)
		because(f.Because)
	}
	for _, d := range e.DeadEnds {
		some(d.Seen)
		because(d.Because)
	}
}
