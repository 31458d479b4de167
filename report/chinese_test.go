package report

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

// documentOf runs a capture through all rooms.
func documentOf(t *testing.T, path string, lang kb.Lang) *Document {
	t.Helper()
	source, err := pcapfile.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	analyzer := analyze.New(analyze.Options{})
	decoder := decode.New(decode.Options{Capture: filepath.Base(path), Index: 1}, analyzer.Add)
	for {
		p, err := source.Next()
		if err != nil {
			var cut *capture.TruncatedError
			var damaged *capture.DamagedError
			if err != io.EOF && !errors.As(err, &cut) && !errors.As(err, &damaged) {
				t.Fatal(err)
			}
			break
		}
		decoder.Add(p)
	}
	decoder.Close()
	base, err := kb.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return Build(Input{
		Version: "test", Captures: []CaptureInput{{Info: source.Info(), Stats: decoder.Stats()}},
		Analyzer: analyzer, Base: base, Lang: lang, Sessions: true,
	})
}

var (
	// quotations are what a Chinese sentence may quote: code, a client ID or
	// reason string, a Wireshark filter.
	quotations = regexp.MustCompile("`[^`]*`|\"[^\"]*\"|“[^”]*”|tcp\\.stream (?:eq \\d+|in \\{[^}]*\\}?)")
	// fourWords is an English sentence, or a piece of one.
	fourWords = regexp.MustCompile(`[A-Za-z][a-z']*(?:[ ,]+[A-Za-z][a-z']*){3,}`)
	// technical are names of products and protocols, which stay as the field
	// writes them, also several in a row.
	technical = regexp.MustCompile(`\b(?:MQTT|CONNACK|CONNECT|DISCONNECT|TLS|TCP|SYN|RST|FIN|QoS|UTC|ID|Mosquitto|EMQX|RabbitMQ|HiveMQ|VerneMQ|NanoMQ|NATS|Aedes|mochi|ActiveMQ|Artemis|Paho|AWS IoT Core|AWS|Azure|Azure IoT Hub|Azure Event Grid|Event Grid|IoT Hub|Python|Go|ESP-IDF|WebSocket|HTTP|Linux|Wireshark|clean start|keep alive|Classic|Java|Server Reference|Keep Alive|Hub|Grid|Event|IoT|Core|C)\b`)
)

// englishIn returns a run of four or more English words outside of quotations.
func englishIn(text string) string {
	text = quotations.ReplaceAllString(text, "“”")
	return fourWords.FindString(technical.ReplaceAllString(text, "术"))
}

// TestChineseReports: no case's report in Chinese has an English sentence in it.
func TestChineseReports(t *testing.T) {
	captures, err := filepath.Glob("../testdata/*/capture.*")
	if err != nil || len(captures) == 0 {
		t.Fatalf("no cases (%v)", err)
	}
	for _, path := range captures {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			doc := documentOf(t, path, kb.Chinese)
			check := func(where, text string) {
				if found := englishIn(text); found != "" {
					t.Errorf("%s: %q in %q", where, found, text)
				}
			}
			check("answer", doc.Answer)
			for _, f := range doc.Findings {
				check("title", f.Title)
				check("summary", f.Summary)
				for _, a := range f.Advice {
					check(a.Entry+" title", a.Title)
					check(a.Entry+" cannot_tell", a.CannotTell)
					for _, c := range a.Causes {
						check(a.Entry+" "+c.ID, c.Text)
						check(a.Entry+" "+c.ID+" because", c.Because)
					}
					for _, x := range a.Fixes {
						check(a.Entry+" "+x.ID, x.Text)
						check(a.Entry+" "+x.ID+" because", x.Because)
						for _, h := range x.How {
							check(a.Entry+" "+x.ID+" how", h.Text)
						}
					}
					for _, d := range a.DeadEnds {
						check(a.Entry+" "+d.ID, d.Text)
						check(a.Entry+" "+d.ID+" why", d.Why)
						check(a.Entry+" "+d.ID+" because", d.Because)
					}
					for _, h := range a.LookNext {
						check(a.Entry+" look_next", h.Text)
					}
				}
			}
			// The table adds labels, notes and totals, and must keep its width.
			for _, width := range []int{80, 120} {
				for line := range strings.Lines(render(t, doc, TableOptions{Width: width})) {
					line = strings.TrimSuffix(line, "\n")
					if w := textWidth(line); w > width {
						t.Errorf("%d columns at %d: %q", w, width, line)
					}
				}
			}
			t.Run("table", func(t *testing.T) {
				losses := (&table{doc: doc, lang: kb.Chinese}).losses()
				for _, l := range losses {
					check("losses", l)
				}
				for _, c := range doc.Codes {
					if name := codeName(c, kb.Chinese); !strings.ContainsFunc(name, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
						t.Errorf("the code %s of MQTT %s is named %q", c.Code, c.Version, name)
					}
				}
			})
		})
	}
}

func TestEnglishIn(t *testing.T) {
	for text, want := range map[string]string{
		"代理拒绝：the broker refuses this":               "the broker refuses this",
		"写 `mqtt.Client(a, b) and so on and on`。":    "",
		"原因“not authorized to do that here”。":        "",
		"Mosquitto 与 AWS IoT Core、Azure Event Grid。": "",
		"三个 words in a 句子":                           "",
	} {
		if got := englishIn(text); got != want {
			t.Errorf("in %q found %q, not %q", text, got, want)
		}
	}
}

// ruleIDs are the ids of the decoder's rules, read from its source, so that a new
// rule without Chinese is noticed.
func ruleIDs(t *testing.T) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	for _, path := range []string{"problem.go", "property.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "decode", "mqtt", path), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		literal := func(e ast.Expr) string {
			if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
				s, _ := strconv.Unquote(l.Value)
				return s
			}
			return ""
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "id" {
					ids[literal(n.Value)] = true
				}
			case *ast.CallExpr: // where.rule("property-value", …)
				if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "rule" && len(n.Args) > 0 {
					ids[literal(n.Args[0])] = true
				}
			}
			return true
		})
	}
	delete(ids, "")
	return ids
}

func TestEveryProblemHasChinese(t *testing.T) {
	ids := ruleIDs(t)
	if len(ids) < 20 {
		t.Fatalf("only %d rules found in the decoder", len(ids))
	}
	for id := range ids {
		if problemsInChinese[id] == "" {
			t.Errorf("the problem %s has no Chinese", id)
		}
	}
	for id := range problemsInChinese {
		if !ids[id] {
			t.Errorf("%s is no problem of the decoder", id)
		}
	}
	if got := problemInChinese("invalid-utf-8", "the will topic is not well-formed UTF-8"); got != "遗嘱主题不是合法的 UTF-8" {
		t.Errorf("a field is worded %q", got)
	}
	if got := problemInChinese("short-packet", "the packet ends before its password is complete"); got != "报文在密码完整之前就结束" {
		t.Errorf("a short packet is worded %q", got)
	}
}

// noteTemplates are the sentences that the capture readers make, read from their
// source.
func noteTemplates(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("../capture/pcapfile/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\.note\(\w+, "([^"]+)"`).FindAllStringSubmatch(string(src), -1) {
			all = append(all, strings.ReplaceAll(m[1], "%d", "7"))
		}
	}
	return all
}

func TestCaptureProblemsInChinese(t *testing.T) {
	sentences := append(noteTemplates(t),
		(&capture.TruncatedError{Packet: 121}).Error(),
		(&capture.DamagedError{Packet: 3, Offset: 9, Reason: "block length 7 is not a multiple of 4"}).Error())
	if len(sentences) < 10 {
		t.Fatalf("only %d sentences found", len(sentences))
	}
	for _, s := range sentences {
		for _, text := range []string{s, s + " (and 12 more)"} {
			got := captureProblemIn(text, kb.Chinese)
			if found := englishIn(got); found != "" || strings.HasPrefix(got, "“") {
				t.Errorf("%q becomes %q", text, got)
			}
		}
		if captureProblemIn(s, kb.English) != s {
			t.Errorf("%q is changed in English", s)
		}
	}
	if got := captureProblemIn("cut short in packet 121", kb.Chinese); got != "在数据包 121 处被截断" {
		t.Errorf("got %q", got)
	}
	if got := captureProblemIn("read site.pcap: input/output error", kb.Chinese); got != "“read site.pcap: input/output error”" {
		t.Errorf("got %q", got)
	}
}
