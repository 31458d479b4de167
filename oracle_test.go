//go:build oracle

package mqttriage_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/kb"
	"github.com/mqttriage/mqttriage/report"
)

// Every Wireshark filter in the evidence must select the packets that the
// evidence names. tshark itself is the judge.
func TestFiltersSelectEvidence(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	captures, err := filepath.Glob("testdata/*/capture.pcap*")
	if err != nil || len(captures) == 0 {
		t.Fatalf("no cases in testdata (%v)", err)
	}
	base, err := kb.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, path := range captures {
		if strings.HasSuffix(path, ".zst") || strings.HasSuffix(path, ".xz") {
			continue // not every tshark reads them
		}
		analyzer, info := run(t, path)
		doc := report.Build(report.Input{Captures: []report.CaptureInput{{Info: info}}, Analyzer: analyzer, Base: base, Lang: kb.English})
		for _, f := range doc.Findings {
			// One piece of evidence a finding is enough; each has its own filter.
			for _, e := range f.Evidence[:min(len(f.Evidence), 1)] {
				selected := map[string]bool{}
				for _, number := range display(t, tshark, path, e.Filter) {
					selected[number] = true
				}
				for _, p := range e.Packets {
					checked++
					if !selected[fmt.Sprint(p)] {
						t.Errorf("%s: %s: %q does not select packet %d", path, f.Symptom, e.Filter, p)
					}
				}
			}
		}
	}
	if checked == 0 {
		t.Error("nothing was checked")
	}
}

func display(t *testing.T, tshark, path, filter string) []string {
	t.Helper()
	out, err := exec.Command(tshark, "-n", "-r", path, "-Y", filter, "-T", "fields", "-e", "frame.number").Output()
	// A capture that is cut short makes tshark fail after its output.
	if err != nil && len(out) == 0 {
		t.Fatalf("tshark -r %s -Y %q: %v", path, filter, err)
	}
	return strings.Fields(string(out))
}
