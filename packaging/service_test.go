// Package packaging_test asks systemd about the unit.
package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func analyze(t *testing.T, args ...string) string {
	t.Helper()
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("needs systemd-analyze")
	}
	out, err := exec.Command(tool, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-analyze %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// The least score is 0 and means safe; 3 is what the project allows itself.
func TestExposure(t *testing.T) {
	if help := analyze(t, "--help"); !strings.Contains(help, "--offline") {
		t.Skip("this systemd-analyze scores no files; systemd 250 does")
	}
	out := analyze(t, "security", "--offline=true", "--no-pager", "mqttriage.service")
	level := regexp.MustCompile(`Overall exposure level for mqttriage\.service: ([0-9.]+)`).FindStringSubmatch(out)
	if level == nil {
		t.Fatalf("no score in:\n%s", out)
	}
	score, err := strconv.ParseFloat(level[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	if score >= 2 {
		t.Errorf("the unit scores %s:\n%s", level[1], out)
	}
}

// systemd knows every line of the unit.
func TestVerify(t *testing.T) {
	text, err := os.ReadFile("mqttriage.service")
	if err != nil {
		t.Fatal(err)
	}
	// The program need not be installed.
	changed := strings.Replace(string(text), "ExecStart=/usr/bin/mqttriage", "ExecStart=/bin/sh", 1)
	if changed == string(text) {
		t.Fatal("the unit starts something else")
	}
	path := filepath.Join(t.TempDir(), "mqttriage.service")
	if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := analyze(t, "verify", "--man=no", path); strings.Contains(out, "mqttriage.service") {
		t.Errorf("systemd-analyze verify says:\n%s", out)
	}
}
