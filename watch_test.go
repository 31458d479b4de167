package mqttriage_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/bench/traffic"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode"
)

// watched reads a capture as if it came from an interface: what is known of open
// connections is told at random moments, and findings are asked for. It returns what
// was told of findings, by symptom and broker: sessions that show it.
func watched(t *testing.T, source capture.Source, opts analyze.Options, limits analyze.Limits, random *rand.Rand) (*analyze.Watch, map[string]int) {
	t.Helper()
	w := analyze.NewWatch(opts, limits)
	told := map[string]int{}
	ask := func() {
		changes := w.Changes()
		findings := w.Findings()
		for _, c := range changes {
			f := findings[c.Finding]
			if c.New && told[fmt.Sprint(c.ID)] > 0 {
				t.Errorf("%s at %s is new the second time", f.Symptom, f.Broker)
			}
			told[fmt.Sprint(c.ID)]++
			told[f.Symptom+" "+f.Broker] += len(c.Sessions) + c.More
		}
	}
	early := func(s *decode.Session) {
		told["early"]++
		w.Early(s)
	}
	decoder := decode.New(decode.Options{Capture: "live", Index: 1, Ports: opts.Ports, Early: early}, w.Add)
	var batch capture.Batch
	for {
		err := source.Read(&batch)
		if err != nil {
			var cut *capture.TruncatedError
			var damaged *capture.DamagedError
			if err != io.EOF && !errors.As(err, &cut) && !errors.As(err, &damaged) {
				t.Fatal(err)
			}
			break
		}
		for packets := batch.Packets; len(packets) > 0; {
			n := min(len(packets), 1+random.IntN(8))
			now := packets[n-1].Nano
			decoder.AddBatch(&capture.Batch{Packets: packets[:n], Secrets: batch.Secrets})
			packets, batch.Secrets = packets[n:], nil
			for range random.IntN(3) {
				now += int64(random.IntN(200e6))
				decoder.Tell(now, random.IntN(5) == 0)
			}
			if random.IntN(3) == 0 {
				ask()
			}
		}
	}
	decoder.Close()
	ask()
	return w, told
}

// What is told on the way is corrected in the end: a capture that is watched gives the
// findings of one that is read.
func TestWatchEqualsAnalyzer(t *testing.T) {
	captures, err := filepath.Glob("testdata/*/capture.*")
	if err != nil || len(captures) == 0 {
		t.Fatalf("no cases in testdata (%v)", err)
	}
	for _, path := range captures {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			t.Parallel()
			analyzer, _ := run(t, path)
			for seed := range uint64(4) {
				source, err := pcapfile.Open(path, nil)
				if err != nil {
					t.Skip(err)
				}
				defer source.Close()
				w, told := watched(t, source, analyze.Options{}, analyze.Limits{}, rand.New(rand.NewPCG(seed, 7)))
				for _, f := range w.Findings() {
					if n := told[f.Symptom+" "+f.Broker]; n < f.Sessions {
						t.Errorf("%s at %s: %d sessions show it, %d were told", f.Symptom, f.Broker, f.Sessions, n)
					}
				}
				brief := func(findings []analyze.Finding) []string {
					var all []string
					for _, f := range findings {
						all = append(all, fmt.Sprintln(f.Symptom, f.Severity, f.Broker, f.ClientIDs, f.Clients, f.Codes, f.Sessions, f.First, f.Last, len(f.Evidence), f.Facts.Takeovers))
					}
					slices.Sort(all)
					return all
				}
				if diff := cmp.Diff(brief(analyzer.Findings()), brief(w.Findings())); diff != "" {
					t.Errorf("findings when watched (-read +watched):\n%s", diff)
				}
				want, got := analyzer.Totals(), w.Totals()
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("totals when watched (-read +watched):\n%s", diff)
				}
			}
		})
	}
}

// A Watch that keeps little counts as one that keeps all.
func TestWatchForgets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "storm.pcap")
	writeStorm(t, path, 6000)
	analyzer, _ := run(t, path)
	source, err := pcapfile.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	limits := analyze.Limits{Sessions: 1600, Findings: 1, ClientIDs: 1 << 20} // takeovers of three client IDs
	w, _ := watched(t, source, analyze.Options{}, limits, rand.New(rand.NewPCG(1, 7)))
	if n := w.Evicted(); n.Sessions < 4000 || n.Findings < 2 || n.Findings > 3 || n.ClientIDs != 0 {
		t.Errorf("it forgot %+v, want nearly all sessions and the takeovers", n)
	}
	want, got := analyzer.Totals(), w.Totals()
	want.ConnackMedianMS, got.ConnackMedianMS = 0, 0
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("totals (-read +watched):\n%s", diff)
	}
	sums := func(findings []analyze.Finding) map[string]int {
		sums := map[string]int{}
		for _, f := range findings {
			sums[f.Symptom] += f.Sessions
			if n, ok := f.Facts.Takeovers.Get(); ok {
				sums["takeovers"] += n
			}
		}
		return sums
	}
	if diff := cmp.Diff(sums(analyzer.Findings()), sums(w.Findings())); diff != "" {
		t.Errorf("sessions by symptom (-read +watched):\n%s", diff)
	}
	if n := len(w.Sessions()); n > 2*limits.Sessions {
		t.Errorf("%d sessions are kept", n)
	}
}

// BenchmarkWatch is one analysis of what a Watch keeps by default, among a storm of takeovers
// and rejections: what a live capture does a few times a second.
func BenchmarkWatch(b *testing.B) {
	path := filepath.Join(b.TempDir(), "storm.pcap")
	writeStorm(b, path, 8000)
	source, err := pcapfile.Open(path, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer source.Close()
	var sessions []*decode.Session
	decode.New(decode.Options{}, func(s *decode.Session) { sessions = append(sessions, s) }).Read(source)
	w := analyze.NewWatch(analyze.Options{}, analyze.Limits{})
	for _, s := range sessions {
		w.Add(s)
	}
	w.Changes()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s := *sessions[i%len(sessions)]
		w.Add(&s)
		w.Changes()
	}
}

// writeStorm writes a storm of so many connections.
func writeStorm(t testing.TB, path string, connections int) {
	t.Helper()
	storm, err := traffic.Find("storm")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := storm.Write(file, traffic.Options{Seed: 1, Connections: connections}); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
