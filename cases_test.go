package mqttriage_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

var update = flag.Bool("update", false, "rewrite testdata/*/expect.yaml; read the diff before you believe it")

// expectation is what a capture must give. Sessions and findings are whole:
// anything else that appears fails. Of facts only those named are compared.
type expectation struct {
	Sessions []sessionExpectation `yaml:"sessions"`
	Findings []findingExpectation `yaml:"findings"`
	Problems []string             `yaml:"problems,omitempty"`
}

type sessionExpectation struct {
	Stream    int            `yaml:"stream"`
	Version   string         `yaml:"version,omitempty"`
	ClientID  *string        `yaml:"client_id,omitempty"`
	Clean     *bool          `yaml:"clean_start,omitempty"`
	KeepAlive *int           `yaml:"keep_alive_s,omitempty"`
	Outcome   decode.Outcome `yaml:"outcome"`
	Code      string         `yaml:"code,omitempty"`
	ClosedBy  decode.Side    `yaml:"closed_by,omitempty"`
	Close     decode.Close   `yaml:"close,omitempty"`
	Notes     []decode.Note  `yaml:"notes,omitempty,flow"`
}

// MarshalYAML writes a session on one line.
func (s sessionExpectation) MarshalYAML() (any, error) {
	type plain sessionExpectation
	var node yaml.Node
	if err := node.Encode(plain(s)); err != nil {
		return nil, err
	}
	node.Style = yaml.FlowStyle
	return &node, nil
}

type findingExpectation struct {
	Symptom   string   `yaml:"symptom"`
	Severity  string   `yaml:"severity"`
	Broker    string   `yaml:"broker"`
	ClientIDs []string `yaml:"client_ids,flow"`
	Clients   []string `yaml:"clients,flow"`
	Sessions  int      `yaml:"sessions"`
	// Facts are those that matter to the case, by name.
	Facts map[string]any `yaml:"facts,omitempty"`
	// Advice is the top entry, Statuses its causes, fixes and dead ends that
	// matter to the case, by id.
	Advice   string               `yaml:"advice,omitempty"`
	Statuses map[string]kb.Status `yaml:"statuses,omitempty"`
}

func TestCases(t *testing.T) {
	base, err := kb.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	captures, err := filepath.Glob("testdata/*/capture.*")
	if err != nil || len(captures) == 0 {
		t.Fatalf("no cases in testdata (%v)", err)
	}
	for _, path := range captures {
		folder := filepath.Dir(path)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			if line, err := os.ReadFile(filepath.Join(folder, "README.md")); err != nil || len(strings.TrimSpace(string(line))) == 0 {
				t.Errorf("the case says nothing of where its capture came from: %v", err)
			}
			want, err := readExpectation(filepath.Join(folder, "expect.yaml"))
			if err != nil && !*update {
				t.Fatal(err)
			}
			analyzer, info := run(t, path)
			got := observe(t, analyzer, info, base, want)
			if *update {
				writeExpectation(t, filepath.Join(folder, "expect.yaml"), got)
				return
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("want (-) and got (+) differ:\n%s", diff)
			}
		})
	}
}

// run reads one capture through the rooms.
func run(t *testing.T, path string) (*analyze.Analyzer, capture.Info) {
	t.Helper()
	source, err := pcapfile.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	analyzer := analyze.New(analyze.Options{})
	decoder := decode.New(decode.Options{Capture: filepath.Base(path), Index: 1}, analyzer.Add)
	for {
		p, err := source.Next()
		if err != nil {
			var cut *capture.TruncatedError
			var damaged *capture.DamagedError
			if err != io.EOF && !errors.As(err, &cut) && !errors.As(err, &damaged) {
				t.Fatal(err)
			}
			break
		}
		decoder.Add(p)
	}
	decoder.Close()
	return analyzer, source.Info()
}

// observe puts what came out in the shape of an expectation. Facts and
// statuses are those that want names.
func observe(t *testing.T, analyzer *analyze.Analyzer, info capture.Info, base *kb.Base, want expectation) expectation {
	t.Helper()
	got := expectation{Problems: info.Problems}
	for _, s := range analyzer.Sessions() {
		r := s.Record()
		got.Sessions = append(got.Sessions, sessionExpectation{
			Stream: r.Stream, Version: r.MQTTVersion, ClientID: r.ClientID, Clean: r.CleanStart, KeepAlive: r.KeepAliveS,
			Outcome: r.Outcome, Code: r.Code, ClosedBy: r.ClosedBy, Close: r.Close, Notes: s.Notes.List(),
		})
	}
	for i, f := range analyzer.Findings() {
		o := findingExpectation{
			Symptom: f.Symptom, Severity: f.Severity.String(), Broker: f.Broker,
			ClientIDs: f.ClientIDs, Clients: f.Clients, Sessions: f.Sessions,
		}
		var named findingExpectation
		if i < len(want.Findings) {
			named = want.Findings[i]
		}
		// A new finding, or one under new advice, begins with a draft; else an
		// update renews the facts and statuses that are named already.
		advice := base.Consult(f)
		draft := *update && (named.Symptom != f.Symptom || len(advice) > 0 && named.Advice != advice[0].Entry.ID)
		f.Facts.Each(func(name string, value any, _ []int, known bool) {
			if _, asked := named.Facts[name]; !asked && !(draft && known && worthNaming(name)) {
				return
			}
			if o.Facts == nil {
				o.Facts = map[string]any{}
			}
			o.Facts[name] = value
			if !known {
				o.Facts[name] = "absent"
			}
		})
		if len(advice) > 0 && (named.Advice != "" || *update) {
			o.Advice = advice[0].Entry.ID
			status := func(id string, s kb.Status) {
				if _, asked := named.Statuses[id]; asked || draft && s != kb.Possible && s != kb.NotVisible && s != kb.NotSeen {
					if o.Statuses == nil {
						o.Statuses = map[string]kb.Status{}
					}
					o.Statuses[id] = s
				}
			}
			for _, c := range advice[0].Causes {
				status(c.ID, c.Status)
			}
			for _, x := range advice[0].Fixes {
				status(x.ID, x.Status)
			}
			for _, d := range advice[0].DeadEnds {
				status(d.ID, d.Status)
			}
		}
		got.Findings = append(got.Findings, o)
	}
	return got
}

// worthNaming says which facts a new case begins with; trim them to those that
// make the case.
func worthNaming(fact string) bool {
	switch fact {
	case "takeovers", "takeover_loop", "stale_reconnect", "retries_unchanged", "client_id_empty", "clean_start",
		"keep_alive_s", "addresses", "connect_sent", "connect_problem", "address_changes", "client_ids_differ", "late_connacks", "username":
		return true
	}
	return false
}

func readExpectation(path string) (expectation, error) {
	var want expectation
	file, err := os.Open(path)
	if err != nil {
		return want, fmt.Errorf("read the case's expectation: %w", err)
	}
	defer file.Close()
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	return want, decoder.Decode(&want)
}

func writeExpectation(t *testing.T, path string, e expectation) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	encoder := yaml.NewEncoder(file)
	encoder.SetIndent(2)
	if err := encoder.Encode(e); err != nil {
		t.Fatal(err)
	}
}
