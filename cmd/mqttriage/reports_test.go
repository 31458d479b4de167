package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mqttriage/mqttriage/report"
)

// TestReports: docs/reports.md shows what the commands in it print.
func TestReports(t *testing.T) {
	const path = "docs/reports.md"
	t.Chdir("../..")
	t.Setenv("LC_ALL", "C")
	defer func(was string) { release = was }(release)
	release = "devel"

	var page bytes.Buffer
	page.WriteString(reportsIntro)
	shown := []string{}
	for _, s := range reportSections {
		fmt.Fprintf(&page, "\n## %s\n\n%s\n", s.title, s.text)
		if s.flags == "" && s.cut == nil {
			continue
		}
		args := append(append([]string{"read"}, strings.Fields(s.flags)...), shownCapture)
		if i := slices.Index(args, "-f"); i > 0 {
			shown = append(shown, args[i+1])
		} else {
			shown = append(shown, "table")
		}
		var out, errs bytes.Buffer
		if status := run(args, nil, &out, &errs); status != 0 {
			t.Fatalf("%q: exit status %d: %s", args, status, errs.String())
		}
		text := out.String()
		if s.cut != nil {
			text = s.cut(t, text)
		}
		// A fence longer than any in the report.
		fmt.Fprintf(&page, "\n    mqttriage %s\n\n`````%s\n%s`````\n", strings.Join(args, " "), s.language, text)
	}
	for _, f := range report.Formats {
		if !slices.Contains(shown, f) && f != "html" {
			t.Errorf("format %s is not shown", f)
		}
	}
	if *update {
		if err := os.WriteFile(path, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(was, page.Bytes()) {
		t.Errorf("%s shows other reports than the program writes; run go generate ./cmd/mqttriage and read the difference", path)
	}
}

const shownCapture = "testdata/any-interface_takeover-loop/capture.pcap"

const reportsIntro = `# Reports

What each format looks like, all from one capture of six sessions in which two clients share a client ID. Every format says
the same, for all are made of one document; the answer comes first in each. This page is made by ` + "`go generate ./cmd/mqttriage`" + `.

| you want to | use |
| --- | --- |
| read it now | ` + "`-f table`" + `, the default |
| paste it into GitHub, GitLab or a wiki | ` + "`-f markdown`" + ` |
| paste it into Jira or Confluence | ` + "`-f jira`" + ` |
| send it to someone, look at the times | ` + "`-f html`" + ` |
| load it into a spreadsheet | ` + "`-f csv`" + `, with ` + "`--sessions`" + ` a row a session |
| load it into a program | ` + "`-f json`" + `, or ` + "`-f ndjson`" + ` line by line |
`

// reportSections are the parts of the page. A section without flags and cut has
// no report.
var reportSections = []struct {
	title, text     string
	flags, language string
	cut             func(*testing.T, string) string
}{
	{"Table", "For a terminal of 80 columns or any other width, in colour where there is some.", "", "", whole},
	{"Markdown", "For a ticket or a page; it takes no table wider than the text, and what came from the wire is never markup.", "-f markdown", "markdown", nil},
	{"Jira", "Jira's wiki markup, which Confluence takes too.", "-f jira", "", nil},
	{"HTML", "One file without network and without a script that is needed to read it, to be sent or printed. It has the time line of the\n" +
		"sessions: below, each bar is one, and each arrow a takeover.\n\n" +
		"    mqttriage read -f html -o report.html " + shownCapture + "\n\n" +
		"![The HTML report: the answer, and below it the sessions of both clients as bars that end where the other's begin](images/report-takeover.png)", "", "", nil},
	{"CSV", "A row a finding, or a session with `--sessions`, as RFC 4180 has it; no cell is a formula. Long lines are cut here.", "-f csv", "", lines(170)},
	{"CSV of sessions", "Long lines are cut here.", "-f csv --sessions", "", lines(170)},
	{"JSON", "The whole document as one object, documented as the contract with programs. Of each list only the first element is shown here.", "-f json", "json", firsts},
	{"NDJSON", "The same as a stream: the summary, then captures, sessions, entries once each, and findings. Long lines are cut here.", "-f ndjson", "", lines(170)},
	{"Only some sessions", "With `--port`, `--host`, `--net`, `--client-id`, `--since` or `--until` totals and findings count only what passes, and the report says so.", "--host 127.0.0.41 --sessions", "", nil},
	{"Chinese", "Every format speaks Chinese too. The first lines of the table:", "--lang zh", "", head(12)},
}

func whole(_ *testing.T, text string) string { return text }

// head keeps the first lines.
func head(n int) func(*testing.T, string) string {
	return func(_ *testing.T, text string) string {
		kept := slices.Collect(strings.Lines(text))
		return strings.Join(kept[:min(n, len(kept))], "") + "…\n"
	}
}

// lines cuts lines to a length in characters.
func lines(most int) func(*testing.T, string) string {
	return func(_ *testing.T, text string) string {
		var b strings.Builder
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, "\r\n")
			if utf8.RuneCountInString(line) > most {
				line = string([]rune(line)[:most]) + "…"
			}
			b.WriteString(line + "\n")
		}
		return b.String()
	}
}

// firsts keeps the first element of each list of a document.
func firsts(t *testing.T, text string) string {
	var doc report.Document
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	doc.Findings = first(doc.Findings)
	for i := range doc.Findings {
		f := &doc.Findings[i]
		f.Evidence, f.Advice = first(f.Evidence), first(f.Advice)
		for j := range f.Advice {
			a := &f.Advice[j]
			a.Sources, a.Causes, a.Fixes = first(a.Sources), first(a.Causes), first(a.Fixes)
			a.DeadEnds, a.LookNext = first(a.DeadEnds), first(a.LookNext)
			for k := range a.Fixes {
				a.Fixes[k].How = first(a.Fixes[k].How)
			}
		}
	}
	var b bytes.Buffer
	if err := report.JSON(&b, &doc); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func first[T any](list []T) []T { return list[:min(len(list), 1)] }
