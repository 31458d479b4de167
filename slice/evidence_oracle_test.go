//go:build oracle

package slice

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
			t.Parallel()
			before := sync.OnceValue(func() []string { return complaints(t, path) })
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
					if !slices.Contains(before(), c) {
						t.Errorf("redacted %v: %s", redact, c)
					}
				}
			}
		})
	}
}

// However the program was stopped, tshark reads its files as far as they go.
func TestTsharkEvidenceKilled(t *testing.T) {
	killedOften(t, func(path string, w walk) {
		tshark := exec.Command("tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.number")
		var said strings.Builder
		tshark.Stderr = &said
		out, err := tshark.Output()
		if n := strings.Count(string(out), "\n"); n != w.packets {
			t.Errorf("tshark reads %d packets of %d", n, w.packets)
		}
		cut := strings.Contains(said.String(), "appears to have been cut short in the middle of a packet")
		if cut != (w.torn > 0) || err != nil && !cut || strings.Contains(said.String(), "damaged") {
			t.Errorf("%d bytes are torn off: %v: %.300s", w.torn, err, said.String())
		}
	})
}

// Files that mergecap joins are one capture again, with the sessions that were open when one ended.
func TestMergecapEvidence(t *testing.T) {
	file := refusals(t, 1500)
	files, stats := writtenFiles(t, fromBytes(file), EvidenceOptions{MaxSize: 64 << 10, MaxFiles: 1000})
	want, parts := outcomes(analysed(t, "capture", fromBytes(file))), outcomes(together(t, files))
	joined := filepath.Join(t.TempDir(), "joined.pcapng")
	if out, err := exec.Command("mergecap", append([]string{"-w", joined}, files...)...).CombinedOutput(); err != nil {
		t.Fatalf("mergecap: %v: %s", err, out)
	}
	got := outcomes(analysed(t, "joined", fromFile(joined)))
	t.Logf("%d files: %v in parts, %v joined", stats.Files, parts, got)
	if stats.Files < 4 || maps.Equal(parts, want) {
		t.Error("no session is in two files")
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, of the capture %v", got, want)
	}
}
