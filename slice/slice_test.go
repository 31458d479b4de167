package slice

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode"
)

// analysed is the analysis of a capture.
func analysed(t testing.TB, name string, open func() (capture.Source, error)) *analyze.Analyzer {
	t.Helper()
	source, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	a := analyze.New(analyze.Options{})
	err = decode.New(decode.Options{Capture: name, Index: 1}, a.Add).Read(source)
	var cut *capture.TruncatedError
	var damaged *capture.DamagedError
	if err != io.EOF && !errors.As(err, &cut) && !errors.As(err, &damaged) {
		t.Fatal(err)
	}
	return a
}

func fromFile(path string) func() (capture.Source, error) {
	return func() (capture.Source, error) { return pcapfile.Open(path, nil) }
}

func fromBytes(b []byte) func() (capture.Source, error) {
	return func() (capture.Source, error) { return pcapfile.NewReader("slice", bytes.NewReader(b)) }
}

// sliced is the slice of a capture.
func sliced(t testing.TB, a *analyze.Analyzer, open func() (capture.Source, error), want Choice, o Options) ([]byte, *Plan) {
	t.Helper()
	plan, err := Choose(a, analyze.Options{}, want)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if o.Key == nil {
		o.Key = []byte("a key for tests")
	}
	if _, err := Write(&out, plan, []Input{{Index: 1, Open: open}}, o); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), plan
}

// captures are the repository's cases.
func captures(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("../testdata/*/capture.*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no captures (%v)", err)
	}
	return paths
}

// What a slice gives is what its capture gave.
func TestSameFindings(t *testing.T) {
	for _, path := range captures(t) {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			open := fromFile(path)
			a := analysed(t, path, open)
			want := a.Findings()
			if len(want) == 0 {
				if _, err := Choose(a, analyze.Options{}, Choice{}); !errors.Is(err, ErrNothing) {
					t.Fatalf("no findings, but %v", err)
				}
				t.Skip("nothing was found")
			}
			out, plan := sliced(t, a, open, Choice{}, Options{})
			if !plan.Same {
				t.Error("the sessions alone give other findings")
			}
			got := analysed(t, "slice", fromBytes(out)).Findings()
			compare(t, want, got)
			for i := range min(len(want), len(got)) {
				compareFacts(t, want[i], got[i])
			}
		})
	}
}

func compare(t *testing.T, want, got []analyze.Finding) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%d findings, then %d", len(want), len(got))
	}
	for i := range min(len(want), len(got)) {
		if !SameFinding(want[i], got[i]) {
			t.Errorf("finding %d was\n%+v\nand is\n%+v", i+1, brief(want[i]), brief(got[i]))
		}
	}
}

// outside are the facts that count what else the broker did: a slice has only some
// of it.
var outside = map[string]bool{"broker_sessions": true, "broker_accepted": true, "open_sessions": true}

func compareFacts(t *testing.T, want, got analyze.Finding) {
	t.Helper()
	facts := func(f analyze.Finding) map[string]any {
		all := map[string]any{}
		f.Facts.Each(func(name string, value any, _ []int, known bool) {
			if known && !outside[name] {
				all[name] = value
			}
		})
		return all
	}
	if diff := cmp.Diff(facts(want), facts(got)); diff != "" {
		t.Errorf("%s: facts of the capture (-) and of its slice (+) differ:\n%s", want.Symptom, diff)
	}
}

func brief(f analyze.Finding) analyze.Finding {
	f.Evidence, f.Facts = nil, analyze.Facts{}
	return f
}
