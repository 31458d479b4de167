package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/kb"
)

// explanations is everything that can be explained, in both languages.
func explanations(t *testing.T) map[string]*Explanation {
	t.Helper()
	base, err := kb.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*Explanation{}
	for _, lang := range []kb.Lang{kb.English, kb.Chinese} {
		for _, c := range kb.Codes() {
			all[fmt.Sprintf("%s code %d", lang, c.Value)] = ExplainCodes(base, kb.CodesOf(c.Value), lang)
			named, _ := kb.CodesNamed(c.Name.En)
			all[fmt.Sprintf("%s code %s", lang, c.Name.En)] = ExplainCodes(base, named, lang)
		}
		for _, s := range kb.Symptoms() {
			all[fmt.Sprintf("%s symptom %s", lang, s)] = ExplainSymptom(base, s, lang)
		}
		for _, e := range base.Entries() {
			all[fmt.Sprintf("%s entry %s", lang, e.ID)] = ExplainEntry(e, lang)
		}
	}
	return all
}

// TestExplainFitsOneScreen: whatever is explained is on one screen, and in the
// language asked for.
func TestExplainFitsOneScreen(t *testing.T) {
	for name, x := range explanations(t) {
		for _, width := range []int{MinWidth, 80, 120} {
			var b strings.Builder
			if err := Explain(&b, x, width); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
			if len(lines) > PageLines && width >= 80 {
				t.Errorf("%s at %d columns has %d lines:\n%s", name, width, len(lines), b.String())
			}
			for _, l := range lines {
				if textWidth(l) > width || strings.HasSuffix(l, " ") {
					t.Errorf("%s at %d columns: the line %q", name, width, l)
				}
				if x.Lang == kb.Chinese && width >= 80 && englishIn(l) != "" {
					t.Errorf("%s: English in %q", name, l)
				}
			}
		}
	}
}

func TestExplainCode(t *testing.T) {
	all := explanations(t)
	for name, want := range map[string][]string{
		"en code 2":                     {"0x02\n", "MQTT 3.x      identifier rejected", "not defined for CONNACK; 0x85 is the code of that meaning", "mosquitto: empty ID", "max_keepalive", "identifier-rejected", "mqtt/identifier-refused"},
		"en code 135":                   {"0x87\n", "MQTT 3.x      not defined for CONNACK; 0x05 is", "MQTT 5        not authorized"},
		"en code not authorized":        {"0x05 and 0x87\n", "MQTT 3.x      0x05 not authorized", "MQTT 5        0x87 not authorized", "mosquitto (MQTT 3.x)", "rabbitmq"},
		"en code 6":                     {"non-standard code 6", "aedes: the keep-alive is over keepaliveLimit", "connack-other"},
		"en code 142":                   {"session taken over", "client-id-takeover"},
		"zh code 2":                     {"标识符被拒绝", "各代理", "mosquitto：ID 为空", "条目"},
		"en symptom client-id-takeover": {"Means ", "Fires when ", "0x8e session taken over (MQTT 5)", "mqtt/client-id-takeover"},
		"en entry mqtt/empty-client-id": {"The broker refuses an empty client ID", "Cause ", "Do ", "Dead end ", "mqttriage kb show mqtt/empty-client-id"},
	} {
		x := all[name]
		if x == nil {
			t.Fatalf("%s is not there", name)
		}
		var b strings.Builder
		if err := Explain(&b, x, 80); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(b.String(), w) {
				t.Errorf("%s lacks %q:\n%s", name, w, b.String())
			}
		}
	}
	// JSON has no null and no secret of the layout.
	for name, x := range all {
		b, err := json.Marshal(x)
		if err != nil || strings.Contains(string(b), ":null") {
			t.Errorf("%s in JSON: %v, %s", name, err, b)
		}
	}
}

func TestEntriesText(t *testing.T) {
	base, err := kb.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range []kb.Lang{kb.English, kb.Chinese} {
		var list, md strings.Builder
		if err := ListEntries(&list, base.Entries(), lang, 80); err != nil {
			t.Fatal(err)
		}
		if err := EntriesMarkdown(&md, base.Entries(), lang); err != nil {
			t.Fatal(err)
		}
		for _, e := range base.Entries() {
			var show strings.Builder
			if err := ShowEntry(&show, e, lang, 80); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(list.String(), e.ID+"\n") || !strings.Contains(md.String(), "`"+e.ID+"`\n") {
				t.Errorf("%s is not listed", e.ID)
			}
			// Nothing of an entry is left out.
			squeezed := squeeze(show.String())
			for _, f := range e.Fixes {
				for _, h := range f.How {
					if !strings.Contains(squeezed, squeeze(h.Text.In(lang))) {
						t.Errorf("%s: %q is not shown", e.ID, h.Text.In(lang))
					}
				}
			}
			for _, s := range e.Sources {
				if !strings.Contains(squeezed, squeeze(s)) {
					t.Errorf("%s: the source %q is not shown", e.ID, s)
				}
			}
			for line := range strings.Lines(show.String()) {
				if w := textWidth(strings.TrimSuffix(line, "\n")); w > 80 {
					t.Errorf("%s: a line of %d: %q", e.ID, w, line)
				}
			}
		}
		if got := EntryList(base.Entries(), lang); len(got) != len(base.Entries()) || !slices.IsSortedFunc(got, func(a, b EntrySummary) int { return strings.Compare(a.ID, b.ID) }) {
			t.Error("the list is not that of the entries")
		}
	}
}

// squeeze takes out all spaces, at which lines are broken.
func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

func TestMarkdownText(t *testing.T) {
	for in, want := range map[string]string{
		"set `max_*` to <n>":   "set `max_*` to &lt;n>",
		"a * b | c # d":        `a \* b \| c \# d`,
		"one ` alone *":        "one \\` alone \\*",
		"line\n  break\x1b[2J": `line break\\x1b[2J`,
	} {
		if got := markdownText(in); got != want {
			t.Errorf("%q becomes %q, not %q", in, got, want)
		}
	}
}
