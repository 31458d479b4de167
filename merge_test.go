package mqttriage_test

import (
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/decode"
)

// Any division of the sessions among analyzers, in any order and merged in any
// order, must give what one analyzer gives.
func TestMergeEqualsWhole(t *testing.T) {
	captures, err := filepath.Glob("testdata/*/capture.*")
	if err != nil || len(captures) == 0 {
		t.Fatalf("no cases in testdata (%v)", err)
	}
	var sessions []*decode.Session
	whole := analyze.New(analyze.Options{})
	for i, path := range captures {
		one, _ := run(t, path)
		for _, s := range one.Sessions() {
			// As if read in one run, each from a capture of its own.
			s.Origin = &decode.Origin{Capture: path, Index: i}
			sessions = append(sessions, s)
			whole.Add(s)
		}
	}
	want := summary(t, whole)
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		parts := make([]*analyze.Analyzer, 1+random.IntN(5))
		for i := range parts {
			parts[i] = analyze.New(analyze.Options{})
		}
		for _, i := range random.Perm(len(sessions)) {
			parts[random.IntN(len(parts))].Add(sessions[i])
		}
		merged := analyze.New(analyze.Options{})
		for _, i := range random.Perm(len(parts)) {
			merged.Merge(parts[i])
		}
		if diff := cmp.Diff(want, summary(t, merged)); diff != "" {
			t.Fatalf("seed %d: whole (-) and merged (+) differ:\n%s", seed, diff)
		}
	}
}

// summary is everything that an analysis says, as text.
func summary(t *testing.T, a *analyze.Analyzer) []string {
	t.Helper()
	var lines []string
	add := func(v any) {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(b))
	}
	add(a.Totals())
	for _, s := range a.Sessions() {
		add(s.Record())
	}
	for _, f := range a.Findings() {
		f.Facts.Each(func(name string, value any, packets []int, known bool) {
			if known {
				add([]any{name, value, packets})
			}
		})
		for i := range f.Evidence {
			add([]any{f.Evidence[i].Session.ID(), f.Evidence[i].Packets})
			f.Evidence[i].Session = nil
		}
		add(f)
	}
	return lines
}
