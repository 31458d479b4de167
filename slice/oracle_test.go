//go:build oracle

package slice

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestTshark holds slices to tshark: it opens them without complaint, and finds no
// malformed packet and no wrong checksum where it found none in the capture.
func TestTshark(t *testing.T) {
	for _, path := range captures(t) {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			open := fromFile(path)
			a := analysed(t, path, open)
			if len(a.Findings()) == 0 {
				t.Skip("nothing was found")
			}
			if strings.HasSuffix(path, ".xz") {
				t.Skip("tshark does not read xz")
			}
			t.Parallel()
			before := sync.OnceValue(func() []string { return complaints(t, path) })
			for _, redact := range []bool{false, true} {
				out, _ := sliced(t, a, open, Choice{}, Options{Redact: redact})
				file := filepath.Join(t.TempDir(), "slice.pcapng")
				if err := os.WriteFile(file, out, 0o600); err != nil {
					t.Fatal(err)
				}
				for _, c := range complaints(t, file) {
					if redact && c == "malformed" {
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

// complaints are what tshark has against a file, each once.
func complaints(t *testing.T, path string) []string {
	t.Helper()
	cmd := exec.Command("tshark", "-n", "-r", path, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
		"-T", "fields", "-e", "ip.checksum.status", "-e", "tcp.checksum.status", "-e", "udp.checksum.status", "-e", "_ws.malformed")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && !strings.Contains(stderr.String(), "cut short") {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var all []string
	add := func(s string) {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	for line := range strings.SplitSeq(stdout.String(), "\n") {
		fields := strings.Split(line, "\t")
		for i, name := range []string{"IP checksum", "TCP checksum", "UDP checksum"} {
			if i < len(fields) && strings.Contains(fields[i], "0") {
				add(name)
			}
		}
		if len(fields) > 3 && fields[3] != "" {
			add("malformed")
		}
	}
	return all
}
