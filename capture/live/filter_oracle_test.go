//go:build oracle

package live_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

var updateLibpcap = flag.Bool("update-libpcap", false, "rewrite testdata/libpcap.txt")

// TestLibpcapFile holds testdata/libpcap.txt to what the tcpdump of this machine makes of the
// questions.
func TestLibpcapFile(t *testing.T) {
	tcpdump, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Skip("tcpdump is not installed")
	}
	if *updateLibpcap {
		var file bytes.Buffer
		file.WriteString("# What `tcpdump -y LINK -ddd EXPRESSION` makes of the questions of TestLibpcap; written by TestLibpcapFile.\n")
		for _, q := range questions {
			fmt.Fprintf(&file, "\n%s %s\n%s", q.link(), q.expr, compile(t, tcpdump, &q))
		}
		if err := os.WriteFile(libpcapFile, file.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	programs := libpcapPrograms(t)
	for _, q := range questions {
		// Another version may make other instructions, which must say the same.
		now, then := parseLoose(t, compile(t, tcpdump, &q)), programs[q.link()+" "+q.expr]
		if then == nil {
			t.Errorf("%s %s is not in the file; run with -update-libpcap", q.link(), q.expr)
			continue
		}
		for _, s := range allSamples(t) {
			a, _ := interpret(now, s.frame)
			b, _ := interpret(then, s.frame)
			if s.start == q.start && (a != 0) != (b != 0) {
				t.Errorf("%s %s: tcpdump's program and the file's differ on %x", q.link(), q.expr, s.frame)
				break
			}
		}
	}
}

func compile(t *testing.T, tcpdump string, q *question) []byte {
	t.Helper()
	cmd := exec.Command(tcpdump, "-y", q.link(), "-ddd", q.expr)
	var problem bytes.Buffer
	cmd.Stderr = &problem
	program, err := cmd.Output()
	if err != nil {
		t.Fatalf("tcpdump -y %s -ddd %q: %v: %s", q.link(), q.expr, err, problem.Bytes())
	}
	return program
}
