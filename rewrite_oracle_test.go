//go:build oracle

package mqttriage_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The rewritten captures must be what their rows say: tshark finds the same
// segments in them, innermost, and nothing malformed.
func TestRewritingsAreValid(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	_, c := recorded(t, conversed[1])
	for _, r := range rewritings {
		if !r.fits(c) || r.unknown {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "capture")
			if err := os.WriteFile(path, r.write(c), 0o600); err != nil {
				t.Fatal(err)
			}
			var want []string
			_, packets := r.capture(c)
			for _, p := range packets {
				if s := p.of; s != nil {
					want = append(want, fmt.Sprintf("%d %d %d %d", s.src.Port(), s.dst.Port(), s.seq, len(s.payload)))
				}
			}
			// What the segments carry is not the question: a PROXY header or a
			// byte made up for a probe is no MQTT.
			out, err := exec.Command(tshark, "-n", "-r", path, "--disable-protocol", "mqtt",
				"-o", "tcp.desegment_tcp_streams:FALSE", "-T", "fields", "-E", "occurrence=l", "-E", "separator=/s",
				"-e", "tcp.srcport", "-e", "tcp.dstport", "-e", "tcp.seq_raw", "-e", "tcp.len", "-e", "_ws.malformed").Output()
			if err != nil {
				t.Fatalf("tshark: %v", err)
			}
			var got []string
			for line := range strings.Lines(string(out)) {
				line = strings.TrimSpace(line)
				if line == "" || r.name == "amid noise" && !strings.Contains(line, "1883 ") {
					continue // noise, which is broken on purpose
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("segments sent (-) and found by tshark (+) differ:\n%.2000s", diff)
			}
		})
	}
}
