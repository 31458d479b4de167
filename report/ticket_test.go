package report

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

// texts are the formats for tickets and spreadsheets, by the ending of their
// goldens.
var texts = map[string]func(io.Writer, *Document) error{".md": Markdown, ".jira.txt": Jira, ".csv": CSV}

func rendered(t testing.TB, write func(io.Writer, *Document) error, doc *Document) string {
	t.Helper()
	var b strings.Builder
	if err := write(&b, doc); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTextGolden(t *testing.T) {
	for _, path := range recorded(t) {
		doc := load(t, path)
		for ending, write := range texts {
			golden := strings.TrimSuffix(path, ".json") + ending
			t.Run(filepath.Base(golden), func(t *testing.T) {
				got := rendered(t, write, doc)
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("the report differs from %s; got\n%s", golden, got)
				}
			})
		}
	}
}

// evils are texts that mean harm to one format or another.
var evils = []string{
	"|", "||", "a|b", `\|`, `\\|`, "@x|y@z", "`", "``", "a`b`c", "`` ` ``", "```\ncode",
	"<script>alert(1)</script>", "</details>", "<!--", "&lt;b&gt;", "&#60;", "&amp;",
	"[x](javascript:alert(1))", "![x](http://e.example/p.png)", "[[wiki]]", "[x]: http://e.example", "[^1]",
	"@all #1", "@user", "GH-1", "owner/repo#1", "!1", "~bug", "%1", "$1", "&1", "$`x`$", "$$x$$", "/close", "/assign @me",
	"http://e.example/?a=b", "https://e.example", "www.e.example", "mailto:a@e.example", "a@e.example", "ftp://e.example", "file:///x",
	":smile:", ":+1:", ":100:", ":)", ":D", "(y)", "(!)", "deadbeefdeadbeef", "{+a+}", "[-b-]", "{-c-}",
	"# h", "h1. h", "H2.x", "bq. q", "----", "---", "===", "- a", "+ a", "* a", "1. a", "2) a", "> q", "    code", "~~~", "~~x~~",
	"*b*", "**b**", "_i_", "__b__", "-s-", "+u+", "^s^", "~s~", "??c??", "a -- b --- c", "%t%",
	"{code}", "{{", "}}", "{{x}}", "{noformat}", "{color:red}x{color}", "{html}x{html}", "{quote}", "[~admin]", "[^a.txt]", "[a|http://e.example]", "!a.png!", "ABC-123",
	`\`, `\\`, `a\`, `\\server\share`, `C:\x`, `\{x\}`, `\*`,
	"=cmd|' /C calc'!A1", "+1+1", "-2+3", "@SUM(1)", " =1", "\"=1", "'=1", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠1", "a;=1", "a; \"-1", `=HYPERLINK("http://e.example")`, "a,b", "a\"b",
	"\u202egnp.exe", "\u200b\u2066", "\x1b[2J\x1b]0;owned\x07", "\x00", "\xff\xfe", "a\nb", "a\r\n\r\n# h\n", "\u2028| x |", "客户端`一`@二", "x\x7fy", "\u00a0=1",
	strings.Repeat("A", 1<<16), strings.Repeat("|", 300), strings.Repeat("`", 300), strings.Repeat("[", 300),
}

// wireDocument has a text from the wire wherever there may be one, and always the
// same parts. Texts of entries are hostile too, but none is empty.
func wireDocument(evil string) *Document {
	at := decode.Stamp(time.Date(2026, 3, 2, 22, 13, 20, 0, time.UTC))
	rate, ms, full := 0.5, 0.3, "x "+evil+" x"
	advice := Advice{
		Entry: full, Title: full, Confidence: &rate, CannotTell: full, Sources: []string{full, "https://e.example/x"},
		Causes:   []Cause{{Text: full, Status: kb.Supported, Because: evil}, {Text: full, Status: kb.Possible}, {Text: full, Status: kb.Contradicted}},
		Fixes:    []Fix{{ID: "a", Text: full, Status: kb.Recommended, Rate: &rate, How: []Hint{{full, full}}}, {ID: "b", Text: full + "2", Status: kb.InPlace, Because: evil}},
		DeadEnds: []End{{ID: "c", Text: full, Status: kb.Seen, Why: full, Because: evil, Packets: []int{1}}, {ID: "d", Text: full, Status: kb.NotSeen}},
		LookNext: []Hint{{full, full}},
	}
	finding := func(severity string) Finding {
		return Finding{
			Symptom: evil, Severity: severity, Title: evil, Summary: evil, Broker: evil, Sessions: 2, First: at, Last: at,
			ClientIDs: []string{evil, "b", "c", "d"}, Clients: []string{evil}, Codes: []string{evil}, Versions: []string{evil},
			Evidence: []Evidence{{Session: evil, Capture: evil, Stream: 7, Packets: []int{4, 6}, Filter: evil}}, Advice: []Advice{advice},
		}
	}
	return &Document{
		Schema: Schema, Lang: kb.English, Answer: evil + " " + sentence(full, kb.English) + " " + evil,
		Captures: []Capture{{Name: evil, Problems: []string{evil}, Undecoded: map[string]int64{evil: 3}}, {Name: "b"}},
		Totals:   Totals{Connections: 3, Sessions: 3, Brokers: 2, Rejected: 3},
		Codes:    []Code{{evil, "0x02", evil, 1}},
		Sessions: RecordsOf(decode.Record{
			ID: evil, Capture: evil, Client: evil, Broker: evil, BrokerName: evil, ClientID: &evil, ClientIDAssigned: evil,
			Outcome: decode.Rejected, Code: "0x02", CodeName: evil, Reason: evil, Opened: at, ConnackMS: &ms,
			TLS: &decode.RecordTLS{SNI: evil, ALPN: []string{evil, evil}}, Problems: []string{evil, evil},
		}),
		Findings: []Finding{finding("error"), finding("warning")},
	}
}

// beginnings is how lines of a ticket may begin: what they are.
var beginnings = map[string]*regexp.Regexp{
	".md":       regexp.MustCompile(`^(### |- |[0-9]\. |   - |\| |\*\*|<details>|</details>|$)`),
	".jira.txt": regexp.MustCompile(`^(h3\. |\* |# |#\* |\| |\|\| |\*|\{panel\}|$)`),
}

// shape is what the lines of a ticket are, with the bars of a table's rows.
func shape(ending, ticket string) string {
	var b strings.Builder
	for line := range strings.Lines(ticket) {
		begin := beginnings[ending].FindString(strings.TrimSuffix(line, "\n"))
		fmt.Fprintf(&b, "%q", begin)
		if strings.HasPrefix(begin, "|") {
			fmt.Fprint(&b, strings.Count(line, "|"))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// allSeen checks that nothing in a text is hidden.
func allSeen(t testing.TB, out string) {
	t.Helper()
	for _, r := range out {
		if r != '\n' && hidden(r) {
			t.Fatalf("the report holds %U", r)
		}
	}
}

// checkTicket checks that a text from the wire changes nothing but words.
func checkTicket(t testing.TB, ending, evil string) {
	t.Helper()
	out := rendered(t, texts[ending], wireDocument(evil))
	allSeen(t, out)
	if got, want := shape(ending, out), shape(ending, rendered(t, texts[ending], wireDocument("x"))); got != want {
		t.Fatalf("%.200q changes the structure: %s\nnow %s\nis  %s", evil, out, got, want)
	}
	if n := len(out); n > 1<<18 { // some 150 lines of 1,000 characters
		t.Fatalf("%.20q makes %d bytes", evil, n)
	}
}

func TestTicketsHoldHostileText(t *testing.T) {
	for ending, write := range texts {
		if ending == ".csv" {
			continue
		}
		for _, evil := range evils {
			t.Run(fmt.Sprintf("%s %.20q", ending, evil), func(t *testing.T) { checkTicket(t, ending, evil) })
		}
		allSeen(t, rendered(t, write, hostile(65000)))
	}
}

// TestTicketsAreNotEndless: many findings and sessions are cut, and the cut is told.
func TestTicketsAreNotEndless(t *testing.T) {
	doc := load(t, "testdata/takeover.json")
	doc.Sessions = RecordsOf(make([]decode.Record, maxTicketSessions+7)...)
	for range maxSpelledOut + 4 {
		f := doc.Findings[0]
		f.Summary += " "
		doc.Findings = append(doc.Findings, f)
	}
	for ending, write := range texts {
		out := rendered(t, write, doc)
		if ending == ".csv" {
			if n := strings.Count(out, "\r\n"); n != 1+maxTicketSessions+7 {
				t.Errorf("%d rows", n)
			}
			continue
		}
		if !strings.Contains(out, "7 more sessions") || !strings.Contains(out, "5 more findings") {
			t.Errorf("%s does not say how much is left out:\n%s", ending, out)
		}
		if n := strings.Count(out, "\n"); n > 1200 {
			t.Errorf("%s has %d lines", ending, n)
		}
		if n := strings.Count(out, "as in 1"); n < maxSpelledOut-1 {
			t.Errorf("%s: advice is spelled out again: %d", ending, n)
		}
	}
}

func TestTheFirstWriteErrorOfATextIsReturned(t *testing.T) {
	for ending, write := range texts {
		for _, left := range []int{0, 1, 100, 5000} {
			if err := write(&failing{left: left}, hostile(65000)); err == nil {
				t.Errorf("%s into %d bytes: no error", ending, left)
			}
		}
	}
}
