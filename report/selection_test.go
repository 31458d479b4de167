package report

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/kb"
)

func TestTermString(t *testing.T) {
	for value, want := range map[string]string{
		"gw-7":                 "--client-id gw-7",
		"":                     "--client-id ''",
		"a b":                  "--client-id 'a b'",
		"it's":                 `--client-id 'it'\''s'`,
		"$(reboot)":            "--client-id '$(reboot)'",
		"~":                    "--client-id '~'",
		"2026-03-02T22:13:20Z": "--client-id 2026-03-02T22:13:20Z",
		"\x1b[31m":             "--client-id '\x1b[31m'",
	} {
		if got := (Term{"--client-id", value}).String(); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

// A term is read back by a shell as the value that it holds.
func TestTermsAreShellWords(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell")
	}
	for _, value := range []string{"gw-7", "", "a b", "it's", "''", "$HOME", "`id`", "a;b", "*", "~", "#", `\`, "!", "-x", "世界"} {
		out, err := exec.Command(sh, "-c", "printf %s "+shellWord(value)).Output()
		if err != nil && value != "-x" || err == nil && string(out) != value {
			t.Errorf("%q came back as %q (%v)", value, out, err)
		}
	}
}

func TestBuildWithSelection(t *testing.T) {
	some := &Selection{Terms: []Term{{"--host", "10.0.0.5"}, {"--since", "5m"}}, LeftOut: 7, NotKept: 2}
	doc := buildOf(t, kb.English, func(in *Input) { in.Selection = some })
	if want := []string{"--host 10.0.0.5", "--since 5m"}; !slices.Equal(doc.Filters, want) || doc.Totals.FilteredOut != 7 || doc.Totals.NotKept != 2 {
		t.Errorf("filters %q, totals %+v", doc.Filters, doc.Totals)
	}
	if table := strings.Join(strings.Fields(render(t, doc, TableOptions{Width: 80})), " "); !strings.Contains(table, "Looked only at --host 10.0.0.5 and --since 5m; 7 other sessions are left out.") {
		t.Errorf("the table does not tell of the filters:\n%s", table)
	}
	// What is well is well as far as was looked: the first words say how far.
	quiet := buildOf(t, kb.English, func(in *Input) {
		accepted := rejected()
		accepted.Outcome, accepted.Connack = decode.Accepted, &mqtt.Connack{Version: mqtt.V311}
		accepted.ClosedBy, accepted.BrokerClosed, accepted.ClientClosed = decode.Client, decode.Event{}, accepted.Closed
		in.Selection, in.Analyzer = some, analyze.New(analyze.Options{})
		in.Analyzer.(*analyze.Analyzer).Add(accepted)
	})
	if table := strings.Join(strings.Fields(render(t, quiet, TableOptions{Width: 80})), " "); len(quiet.Findings) != 0 ||
		!strings.HasSuffix(quiet.Answer, " Looked only at --host 10.0.0.5 and --since 5m; 7 other sessions are left out.") || strings.Count(table, "Looked only") != 1 {
		t.Errorf("without findings:\n%s", table)
	}
	none := func(in *Input) { in.Selection, in.Analyzer = some, analyze.New(analyze.Options{}) }
	for lang, want := range map[kb.Lang]string{
		kb.English: "Nothing matches --host 10.0.0.5 and --since 5m: none of 7 sessions.",
		kb.Chinese: "没有会话符合 --host 10.0.0.5 和 --since 5m：共有 7 个会话。",
	} {
		if got := buildOf(t, lang, none).Answer; got != want {
			t.Errorf("answer %q, want %q", got, want)
		}
	}
}

// What a filter names is as secret as what it selects.
func TestSelectionRedacted(t *testing.T) {
	doc := buildOf(t, kb.English, func(in *Input) {
		in.Selection = &Selection{Terms: []Term{{"--client-id", "canary"}}, LeftOut: 1}
		in.Redactor = NewRedactor(make([]byte, 32))
	})
	if !slices.Equal(doc.Filters, []string{"--client-id"}) {
		t.Errorf("filters %q", doc.Filters)
	}
}
