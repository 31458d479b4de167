package main

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the report in README.md")

// The report in the README is what the command above it prints.
func TestREADME(t *testing.T) {
	const path = "README.md"
	t.Chdir("../..")
	t.Setenv("LC_ALL", "C")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```\n\\$ go run ./cmd/mqttriage (read [^\n]*)\n(.*?)```").FindSubmatchIndex(text)
	if block == nil {
		t.Fatal("README.md shows no report")
	}
	var out, errs bytes.Buffer
	if status := run(strings.Fields(string(text[block[2]:block[3]])), nil, &out, &errs); status != 0 {
		t.Fatalf("exit status %d: %s", status, errs.String())
	}
	if *update {
		text = bytes.Join([][]byte{text[:block[4]], out.Bytes(), text[block[5]:]}, nil)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if shown := text[block[4]:block[5]]; !bytes.Equal(shown, out.Bytes()) {
		t.Errorf("README.md shows another report than the program prints; run with -update. It prints:\n%s", out.String())
	}
}
