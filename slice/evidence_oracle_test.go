//go:build oracle

package slice

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTsharkEvidence holds evidence to tshark: it opens the files without complaint, and finds no wrong
// checksum and no malformed packet where it found none in the capture.
func TestTsharkEvidence(t *testing.T) {
	for i, path := range captures(t) {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			if strings.HasSuffix(path, ".xz") {
				t.Skip("tshark does not read xz")
			}
			before := complaints(t, path)
			for _, redact := range []bool{false, true} {
				if redact && i%5 != 0 {
					continue // a process takes its time
				}
				out, stats := written(t, fromFile(path), EvidenceOptions{Redact: redact})
				if stats.Packets == 0 {
					continue
				}
				file := filepath.Join(t.TempDir(), "evidence.pcapng")
				if err := os.WriteFile(file, out, 0o600); err != nil {
					t.Fatal(err)
				}
				for _, c := range complaints(t, file) {
					if c == "malformed" && redact {
						continue // certificates that are overwritten
					}
					if !slices.Contains(before, c) {
						t.Errorf("redacted %v: %s", redact, c)
					}
				}
			}
		})
	}
}

// However the program was stopped, tshark reads its files to their ends.
func TestTsharkEvidenceKilled(t *testing.T) {
	for range 20 {
		for _, path := range killed(t) {
			out, err := exec.Command("tshark", "-n", "-r", path).CombinedOutput()
			if err != nil || strings.Contains(string(out), "cut short") || strings.Contains(string(out), "damaged") {
				t.Errorf("%v: %.300s", err, out)
			}
		}
	}
}
