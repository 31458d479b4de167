//go:build oracle

package mqttriage_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
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
	checked := 0
	for _, path := range captures {
		if strings.HasSuffix(path, ".zst") {
			continue // not every tshark reads it
		}
		analyzer, _ := run(t, path)
		for _, f := range analyzer.Findings() {
			selected := map[string]bool{}
			for _, number := range display(t, tshark, path, filter(f)) {
				selected[number] = true
			}
			for _, e := range f.Evidence {
				for _, p := range e.Packets {
					checked++
					if !selected[fmt.Sprint(p)] {
						t.Errorf("%s: %s: %q does not select packet %d", path, f.Symptom, filter(f), p)
					}
				}
			}
		}
	}
	if checked == 0 {
		t.Error("nothing was checked")
	}
}

// filter is the display filter of a finding's evidence.
func filter(f analyze.Finding) string {
	var streams []string
	for _, e := range f.Evidence {
		streams = append(streams, fmt.Sprint(e.Session.Stream))
	}
	return "tcp.stream in {" + strings.Join(streams, ", ") + "}"
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
