package slice

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/tls"
)

// exceptions are the recordings whose slices give other findings, and why.
var exceptions = map[string]string{
	"aedes-1.2.0_mqttjs-5.16.0_v311_deflate_takeover": "compressed WebSocket messages are overwritten as a whole",
	"tls13_takeover_secrets-inside":                   "secrets that a capture brings are not copied",
}

// Behind TLS, with its secrets, and in WebSockets findings stay the same too. The
// secrets in a capture are not in its slice.
func TestRecordings(t *testing.T) {
	paths, err := filepath.Glob("../testdata/recordings/*/*.pcap*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recordings (%v)", err)
	}
	found := 0
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		if _, err := fromFile(path)(); err != nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			keys := new(tls.Keys)
			if log, err := os.ReadFile(strings.TrimSuffix(path, filepath.Ext(path)) + ".keylog"); err == nil {
				for line := range bytes.Lines(log) {
					keys.Add(line)
				}
			}
			a := opened(t, path, keys)
			want := a.Findings()
			if len(want) == 0 {
				t.Skip("nothing was found")
			}
			found++
			out, plan := sliced(t, a, fromFile(path), Choice{}, Options{})
			if !plan.Same {
				t.Error("the sessions alone give other findings")
			}
			if bytes.Contains(out, []byte("CLIENT_")) {
				t.Error("secrets were copied")
			}
			file := filepath.Join(t.TempDir(), "slice.pcapng")
			if err := os.WriteFile(file, out, 0o600); err != nil {
				t.Fatal(err)
			}
			got := opened(t, file, keys).Findings()
			if reason := exceptions[name]; reason != "" {
				if sameFindings(want, got, nil) {
					t.Errorf("no exception any more: %s", reason)
				}
				return
			}
			compare(t, want, got)
			for i := range min(len(want), len(got)) {
				compareFacts(t, want[i], got[i])
			}
		})
	}
	if found == 0 {
		t.Error("nothing was found in any recording")
	}
}

func opened(t *testing.T, path string, keys *tls.Keys) *analyze.Analyzer {
	t.Helper()
	source, err := fromFile(path)()
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	a := analyze.New(analyze.Options{})
	if err := decode.New(decode.Options{Capture: path, Index: 1, Keys: keys}, a.Add).Read(source); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return a
}
