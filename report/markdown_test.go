package report

import (
	"html"
	"regexp"
	"strings"
	"testing"
)

// shownByMarkdown is the text that a line of Markdown shows, with code between the
// runes « and ». It fails where anything in the line has a meaning.
func shownByMarkdown(t testing.TB, line string) string {
	t.Helper()
	var b, outside strings.Builder
	for i := 0; i < len(line); {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line) && strings.IndexByte("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", line[i+1]) >= 0:
			b.WriteByte(line[i+1])
			outside.WriteByte(line[i+1])
			i += 2
		case c == '`':
			fence := line[i : i+len(line[i:])-len(strings.TrimLeft(line[i:], "`"))]
			rest := line[i+len(fence):]
			end := endOfCode(rest, len(fence))
			if end < 0 {
				t.Fatalf("a fence does not end in %q", line)
			}
			code := rest[:end]
			if len(code) > 1 && code[0] == ' ' && code[len(code)-1] == ' ' && strings.Trim(code, " ") != "" {
				code = code[1 : len(code)-1]
			}
			b.WriteString("«" + code + "»")
			outside.WriteByte(' ')
			i += 2*len(fence) + end
		case strings.IndexByte("*_[]~<>|", c) >= 0:
			t.Fatalf("%q in %q has a meaning", c, line)
		case c == '&':
			end := strings.IndexByte(line[i:], ';')
			if end < 0 {
				t.Fatalf("a bare & in %q", line)
			}
			s := html.UnescapeString(line[i : i+end+1])
			b.WriteString(s)
			outside.WriteString(s)
			i += end + 1
		default:
			b.WriteByte(c)
			outside.WriteByte(c)
			i++
		}
	}
	if found := linked.FindString(outside.String()); found != "" {
		t.Fatalf("%q becomes a link or a picture in %q", found, line)
	}
	return b.String()
}

// endOfCode finds the run of exactly n backquotes.
func endOfCode(s string, n int) int {
	for i := 0; i < len(s); {
		run := len(s[i:]) - len(strings.TrimLeft(s[i:], "`"))
		if run == n {
			return i
		}
		i += max(run, 1)
	}
	return -1
}

// linked matches what the two make links and pictures of, as their manuals name it.
var linked = regexp.MustCompile(`@[A-Za-z0-9]|[#!~%$&][0-9]|~[a-z]|://|www\.|[^@ ]@[^@ ]|:(smile|\+1|100):|GH-[0-9]|\$[^ ]|\[\[|\{[+-]`)

func TestMarkdownShowsWhatWasTyped(t *testing.T) {
	marks := strings.NewReplacer("«", "", "»", "")
	for _, evil := range append(evils, "«quoted»", "use `a` and ``", "(@x), 'y@z'; #1.", "100 % # & $", "a  b") {
		shown := marks.Replace(shownByMarkdown(t, gfm{}.plain(evil)))
		if want := marks.Replace(strings.TrimSpace(Escape(evil))); shown != want {
			t.Errorf("%.100q is shown as %.100q", evil, shown)
		}
	}
}

func TestMarkdownCode(t *testing.T) {
	tests := []struct{ text, prose string }{
		{"use `a_b` now", "use `a_b` now"},
		{"`a``b`", "`a` `b`"},
		{"a lone ` stays", "a lone \\` stays"},
		{"`a|b` and c|d", "`a|b` and c&#124;d"},
		{"see @me and `x`", "see `@me` and `x`"},
		{"@a`x`", "`@a` `x`"},
		{"two\n lines", "two lines"},
		{"device-0003419 sent 1234567", "device-0003419 sent 1234567"},
		{"build deadbeef1", "build `deadbeef1`"},
		{`as "![](http://e/x.png)", twice`, "as \"`![](http://e/x.png)`\", twice"},
		{`("a@b;")`, "(\"`a@b;`\")"},
		{`'a@b'.`, "'`a@b`'."},
	}
	for _, tt := range tests {
		if got := (gfm{}).prose(tt.text); got != tt.prose {
			t.Errorf("prose(%q) = %q, want %q", tt.text, got, tt.prose)
		}
	}
	for _, tt := range tests {
		for _, code := range []string{tt.text, "`" + tt.text + "`", " " + tt.text + " ", "``" + tt.text} {
			if got, want := shownByMarkdown(t, gfm{}.code(code)), "«"+Escape(code)+"»"; got != want {
				t.Errorf("code(%q) shows %q", code, got)
			}
		}
	}
}

func TestMarkdownAtTheBeginningOfALine(t *testing.T) {
	for _, s := range []string{"- a", "+ a", "* a", "# a", "1. a", "12) a", "1.", "> a", "=== a", "---", "/close", "    a", "~~~", "```", ":::"} {
		got := gfm{}.plain(s)
		if regexp.MustCompile(`^(\s|[-+*#>=/:]|~~~|` + "```" + `|[0-9]+[.)](\s|$))`).MatchString(got) {
			t.Errorf("%q begins as %q", s, got)
		}
	}
	if got := (gfm{}).plain("10.0.0.1 connects"); got != "10.0.0.1 connects" {
		t.Errorf("an address became %q", got)
	}
}

func TestSourcesAreLinks(t *testing.T) {
	for _, tt := range []struct{ source, markdown, jira string }{
		{"https://e.example/a-b_c#d", "<https://e.example/a-b_c#d>", "[https://e.example/a-b_c#d]"},
		{"https://e.example/a|b]", "`https://e.example/a`&#124;b\\]", `https\x3a//e.example/a\|b\]`},
		{"javascript:alert(1)", "javascript:alert(1)", `javascript\x3aalert\(1\)`},
		{"MQTT 5", "MQTT 5", "MQTT 5"},
	} {
		if got := (gfm{}).link(tt.source); got != tt.markdown {
			t.Errorf("Markdown: %q becomes %q, want %q", tt.source, got, tt.markdown)
		}
		if got := (wiki{}).link(tt.source); got != tt.jira {
			t.Errorf("Jira: %q becomes %q, want %q", tt.source, got, tt.jira)
		}
	}
}

func FuzzMarkdown(f *testing.F) {
	for _, evil := range evils {
		if len(evil) < 1000 {
			f.Add(evil)
		}
	}
	marks := strings.NewReplacer("«", "", "»", "")
	f.Fuzz(func(t *testing.T, evil string) {
		shown := marks.Replace(shownByMarkdown(t, gfm{}.plain(evil)))
		if want := marks.Replace(strings.TrimSpace(Escape(evil))); shown != want {
			t.Fatalf("%q is shown as %q", evil, shown)
		}
		shownByMarkdown(t, gfm{}.prose(evil))
		if text := Escape(evil); text != "" {
			if got := shownByMarkdown(t, gfm{}.code(evil)); got != "«"+text+"»" && strings.Trim(text, " ") != "" {
				t.Fatalf("code(%q) shows %q", evil, got)
			}
		}
		if strings.Trim(Escape(evil), " .。") != "" {
			checkTicket(t, ".md", evil)
		}
	})
}
