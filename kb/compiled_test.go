package kb

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// entries.json holds what the YAML files say, whole, and every condition in it
// compiles.
func TestCompiled(t *testing.T) {
	base, err := Load(EmbeddedFiles())
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	encoder := json.NewEncoder(&want)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(base.Entries()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("entries.json", want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(entriesJSON, want.Bytes()) {
		t.Error("entries.json is not what the entries say; run go generate ./kb")
	}
	var read []*Entry
	if err := json.Unmarshal(entriesJSON, &read); err != nil {
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
