package kb

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
)

// texts calls yield for every text of an entry, with its place.
func (e *Entry) texts(yield func(where string, t Text)) {
	yield("title", e.Title)
	yield("summary", e.Summary)
	for _, v := range e.Versions {
		if v.Note != nil {
			yield("version "+v.Name, *v.Note)
		}
	}
	reasons := func(where string, b Because) {
		for status, list := range b {
			for _, r := range list {
				yield(where+" because "+string(status), r.Text)
			}
		}
	}
	for _, c := range e.Causes {
		yield(c.ID, c.Text)
		reasons(c.ID, c.Because)
	}
	for _, f := range e.Fixes {
		yield(f.ID, f.Text)
		reasons(f.ID, f.Because)
		for _, h := range f.How {
			yield(f.ID+" for "+h.For, h.Text)
		}
	}
	for _, d := range e.DeadEnds {
		yield(d.ID, d.Text)
		yield(d.ID, d.Why)
		reasons(d.ID, d.Because)
	}
	if e.CannotTell != nil {
		yield("cannot_tell", *e.CannotTell)
	}
	for _, l := range e.LookNext {
		yield("look_next", l.Text)
	}
}

var (
	quoted  = regexp.MustCompile("`[^`]*`|\"[^\"]*\"")
	english = regexp.MustCompile(`(?:[A-Za-z][a-z']+ ){4,}[a-z]+`)
)

// TestLanguages: Chinese texts are Chinese, with no English sentence outside of
// code and quoted log lines, and English ones hold no Chinese.
func TestLanguages(t *testing.T) {
	for _, e := range embeddedBase(t).Entries() {
		e.texts(func(where string, text Text) {
			if strings.ContainsFunc(text.En, isHan) {
				t.Errorf("%s: %s: Chinese in %q", e.ID, where, text.En)
			}
			plain := quoted.ReplaceAllString(text.Zh, "")
			if !strings.ContainsFunc(plain, isHan) {
				t.Errorf("%s: %s: no Chinese in %q", e.ID, where, text.Zh)
			}
			if found := english.FindString(plain); found != "" {
				t.Errorf("%s: %s: English %q in %q", e.ID, where, found, text.Zh)
			}
			// What one language says of the facts, the other says too.
			en, zh := Text{En: text.En}.placeholders(), Text{Zh: text.Zh}.placeholders()
			slices.Sort(en)
			slices.Sort(zh)
			if !slices.Equal(en, zh) {
				t.Errorf("%s: %s: facts %v in English, %v in Chinese", e.ID, where, en, zh)
			}
		})
	}
}

// halfWidth is punctuation of English width in a Chinese text.
var halfWidth = regexp.MustCompile(`[\p{Han}）」”][,;:.]|[,;:]\p{Han}`)

// TestPunctuation: between Chinese characters stands full-width punctuation.
func TestPunctuation(t *testing.T) {
	for _, e := range embeddedBase(t).Entries() {
		e.texts(func(where string, text Text) {
			if found := halfWidth.FindString(quoted.ReplaceAllString(text.Zh, "`")); found != "" {
				t.Errorf("%s: %s: half-width punctuation %q in %q", e.ID, where, found, text.Zh)
			}
		})
	}
}

// leastEntries is how many entries there are to be; more may come, none may get
// lost.
const leastEntries = 79

// TestEntries: an entry without a source, in one language only, with a rate of
// nobody's, on a fact that there is not, is refused by Load; what Load cannot see
// is demanded here. An entry that no capture shows firing is not trusted.
func TestEntries(t *testing.T) {
	base := embeddedBase(t)
	if n := len(base.Entries()); n < leastEntries {
		t.Errorf("%d entries; there were %d", n, leastEntries)
	}
	for _, e := range base.Entries() {
		if len(e.Captures.Fires) == 0 || len(e.Captures.Silent) == 0 {
			t.Errorf("%s names no capture in which it fires, or none in which it is silent", e.ID)
		}
		if len(e.DeadEnds) == 0 || e.CannotTell == nil || len(e.LookNext) == 0 {
			t.Errorf("%s lacks dead ends, cannot_tell or look_next", e.ID)
		}
		for _, f := range e.Fixes {
			if f.SuccessRate != nil && e.Published == nil {
				t.Errorf("%s: %s has a rate, and the entry no published article", e.ID, f.ID)
			}
		}
	}
	// Every symptom that the rules find is answered.
	for _, s := range analyze.Symptoms() {
		if len(base.Answering(s, -1)) == 0 {
			t.Errorf("no entry answers %s", s)
		}
	}
}

// TestNames: every fact has a name in both languages, and no name is left over.
func TestNames(t *testing.T) {
	for _, name := range append(factNames, symptomName) {
		n, ok := factNamesIn[name]
		if !ok || n.en == "" || !strings.ContainsFunc(n.zh, func(r rune) bool { return isHan(r) || r == 'C' }) {
			t.Errorf("the fact %s has no name in both languages: %+v", name, n)
		}
		switch unit := n.unit; {
		case strings.HasSuffix(name, "_ms") && unit != "ms", strings.HasSuffix(name, "_s") && unit != "s":
			t.Errorf("the fact %s has the unit %q", name, unit)
		}
	}
	if len(factNamesIn) != len(factNames)+1 {
		t.Errorf("%d names for %d facts and symptom", len(factNamesIn), len(factNames))
	}
}

// TestSymptoms: what the rules can find, entries can answer.
func TestSymptoms(t *testing.T) {
	known := strings.Join(symptoms, " ")
	for _, s := range analyze.Symptoms() {
		if !strings.Contains(" "+known+" ", " "+s+" ") {
			t.Errorf("the symptom %s is missing", s)
		}
	}
}

func TestFormat(t *testing.T) {
	for _, test := range []struct {
		name   string
		value  any
		en, zh string
	}{
		{"clean_start", true, "yes", "是"},
		{"clean_start", false, "no", "否"},
		{"retries", 12345, "12345", "12345"},
		{"code", 2, "0x02", "0x02"},
		{"code", 0x9f, "0x9f", "0x9f"},
		{"code", 300, "300", "300"},
		{"retry_span_s", 3.0004, "3", "3"},
		{"retry_span_s", 3.04, "3.04", "3.04"},
		{"retry_span_s", 12.34, "12.3", "12.3"},
		{"retry_span_s", 999.6, "1000", "1000"},
		{"connack_max_ms", 0.31234, "0.312", "0.312"},
		{"connack_max_ms", 0.0123, "0.0123", "0.0123"},
		{"connack_max_ms", 0.0, "0", "0"},
		{"connack_max_ms", -0.00000001, "0", "0"},
		{"close_delay_ms", 95446.2, "95446", "95446"},
		{"reason", "{retries}", "{retries}", "{retries}"},
		{"reason", strings.Repeat("长", 130), strings.Repeat("长", 120) + "…", strings.Repeat("长", 120) + "…"},
	} {
		if got := format(test.name, test.value, English); got != test.en {
			t.Errorf("%s %v is %q, not %q", test.name, test.value, got, test.en)
		}
		if got := format(test.name, test.value, Chinese); got != test.zh {
			t.Errorf("%s %v is %q in Chinese, not %q", test.name, test.value, got, test.zh)
		}
	}
}

// TestReasonChoice: a text is passed over when a fact that it names is absent,
// or was tried and did not decide; values are not filled in twice.
func TestReasonChoice(t *testing.T) {
	b := Because{Seen: {
		{Text: Text{En: "{retries_unchanged} in {retry_span_s} s", Zh: "{retry_span_s} 秒 {retries_unchanged} 次"}},
		{When: compiled(t, "takeovers == 1"), Text: Text{En: "{takeovers takeover/takeovers} only", Zh: "只接管 {takeovers} 次"}},
		{Text: Text{En: "{takeovers takeover/takeovers}", Zh: "接管 {takeovers} 次"}},
		{Text: Text{En: "{reason}", Zh: "原因 {reason}"}},
	}}
	tried := []string{"retries_unchanged", "takeovers"}
	for _, test := range []struct {
		v       values
		decided []string
		want    string
	}{
		{values{"retries_unchanged": 3, "retry_span_s": 2.0, "takeovers": 0}, []string{"retries_unchanged"}, "3 in 2 s"},
		{values{"retries_unchanged": 0, "retry_span_s": 2.0, "takeovers": 4}, []string{"takeovers"}, "4 takeovers"},
		{values{"takeovers": 1}, []string{"takeovers"}, "1 takeover only"},
		{values{"retries_unchanged": 3, "takeovers": 4, "reason": "{takeovers}"}, []string{"retries_unchanged"}, "{takeovers}"},
		{values{"retries_unchanged": 3}, []string{"retries_unchanged"}, ""},
	} {
		got, ok := b.reason(Seen, evidence{values: test.v, shown: test.v}, test.decided, tried)
		if got.En != test.want || ok != (test.want != "") {
			t.Errorf("%v: %q, %v, not %q", test.v, got.En, ok, test.want)
		}
	}
	v := values{"retries": 3, "clean_start": false, "keep_alive_s": 60}
	made := shown([]string{"retries", "clean_start", "keep_alive_s", "will"}, v)
	if made.En != "The packets show retries: 3; clean session set: no; keep-alive: 60 s; will sent: not shown." ||
		made.Zh != "报文显示：重试次数 3，已设置清除会话 否，保活时间 60 s，带有遗嘱 未显示。" {
		t.Errorf("the generated sentence is %+v", made)
	}
}
