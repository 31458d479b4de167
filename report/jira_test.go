package report

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// shownByJira is the text that a line of wiki markup shows. It fails where anything
// in the line has a meaning.
func shownByJira(t testing.TB, line string) string {
	t.Helper()
	var b, raw strings.Builder
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c == '\\' && i+1 < len(line) && strings.IndexByte("-#*_+?^~|%{}[]()!@", line[i+1]) >= 0 {
			b.WriteByte(line[i+1])
			raw.WriteString("  ")
			i++
			continue
		}
		if strings.IndexByte("-#*_+?^~|%{}[]()!@", c) >= 0 {
			t.Fatalf("%q in %q has a meaning", c, line)
		}
		b.WriteByte(c)
		raw.WriteByte(c)
	}
	if found := jiraActive.FindString(raw.String()); found != "" {
		t.Fatalf("%q in %q has a meaning", found, line)
	}
	return b.String()
}

// jiraActive matches line breaks, addresses, HTML references, emoticons and the
// beginnings of blocks.
var jiraActive = regexp.MustCompile(`\\\\|\\$|\\[^A-Za-z0-9]|://|mailto:[^ ]|:[DPp]|&[A-Za-z0-9]{2,8};|^\s*(h[1-6]|bq)\.`)

// typed undoes what could only be shown as a hexadecimal escape.
func typed(s string) string {
	escapes := strings.NewReplacer(`\x7c`, "|", `\x5c`, `\`, `\x26`, "&", `\x3a`, ":", `\x2e`, ".")
	for {
		next := escapes.Replace(s)
		if next == s {
			return s
		}
		s = next
	}
}

func TestJiraShowsWhatWasTyped(t *testing.T) {
	for _, evil := range evils {
		shown := shownByJira(t, wiki{}.plain(evil))
		if want := Escape(strings.Trim(evil, " ")); typed(shown) != typed(want) {
			t.Errorf("%.100q is shown as %.100q", evil, shown)
		}
	}
	for _, plain := range []string{"127.0.0.1:1883", "2026, 10:44:07.853", "fe80::1", "gw, R&D", `\x1b`, `C:\dir`} {
		if got := (wiki{}).plain(plain); got != plain {
			t.Errorf("%q became %q", plain, got)
		}
	}
}

func TestJiraCode(t *testing.T) {
	for _, tt := range []struct{ text, prose string }{
		{"use `a_b` now", `use {{a\_b}} now`},
		{"`a``b`", `{{a}} {{b}}`},
		{"使用`a`即可。", "使用 {{a}} 即可。"},
		{"f`x`，`y`", "f {{x}}，{{y}}"},
		{"`f\"gw-{n}\"`", `f"gw\-\{n\}"`},
		{"`{{x}}`", `\{\{x\}\}`},
		{"`a|b`", `{{a\|b}}`},
		{"a lone ` stays", "a lone ` stays"},
		{"`curl http://broker:9001/`", "{{curl http://broker:9001/}}"},
	} {
		if got := (wiki{}).prose(tt.text); got != tt.prose {
			t.Errorf("prose(%q) = %q, want %q", tt.text, got, tt.prose)
		}
	}
}

func TestJiraRows(t *testing.T) {
	w := wiki{}
	row := w.tableRow([]string{w.plain("a|b"), "", w.plain(`\|`), w.plain("||")})
	if want := `| a\x7cb |  | \x5c\x7c | \x7c\x7c |` + "\n"; row != want {
		t.Errorf("got %q, want %q", row, want)
	}
	if head := w.tableHead([]string{"A", "B"}); head != "|| A || B ||\n" {
		t.Errorf("got %q", head)
	}
}

func FuzzJira(f *testing.F) {
	for _, evil := range evils {
		if len(evil) < 1000 {
			f.Add(evil)
		}
	}
	f.Fuzz(func(t *testing.T, evil string) {
		shown := shownByJira(t, wiki{}.plain(evil))
		if want := Escape(strings.Trim(evil, " ")); typed(shown) != typed(want) {
			t.Fatalf("%q is shown as %q", evil, shown)
		}
		if strings.Trim(Escape(evil), " .。") != "" {
			checkTicket(t, ".jira.txt", evil)
		}
		prose := wiki{}.prose(evil)
		for i, part := range regexp.MustCompile(`\{\{|\}\}`).Split(escapedJira.ReplaceAllString(prose, "x"), -1) {
			if strings.ContainsAny(part, "{}") {
				t.Fatalf("part %d of %s", i, fmt.Sprintf("%q has a brace", prose))
			}
		}
	})
}

var escapedJira = regexp.MustCompile(`\\[-#*_+?^~|%{}\[\]()!@]`)

// TestJiraEmphasisesOwnWordsOnly: see wiki.answer.
func TestJiraEmphasisesOwnWordsOnly(t *testing.T) {
	out := rendered(t, Jira, wireDocument("EVIL"))
	for _, bold := range regexp.MustCompile(`(?m)(^\*+ )?\*(\S[^*\n]*)\*`).FindAllStringSubmatch(out, -1) {
		if strings.Contains(bold[2], "EVIL") {
			t.Errorf("bold: %q", bold[0])
		}
	}
	if !strings.HasPrefix(out, "{panel}EVIL") || !strings.Contains(out, "*Cause*") {
		t.Errorf("no answer or no labels:\n%s", out)
	}
}
