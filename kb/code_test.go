package kb

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// TestCodes holds the table of codes to the standard's names, to the brokers that
// can be named, to the symptoms, and to both languages.
func TestCodes(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Codes() {
		name := string(c.Family) + " " + mqtt.FormatCode(byte(c.Value))
		if c.Value < 0 || c.Value > 255 || seen[name] {
			t.Errorf("%s is there twice, or is no byte", name)
		}
		seen[name] = true
		version := mqtt.V311
		if c.Family == ReasonCodes {
			version = mqtt.V5
		}
		if want := mqtt.CodeName(version, byte(c.Value)); c.Name.En != want {
			t.Errorf("%s is named %q, not %q", name, c.Name.En, want)
		}
		texts := []Text{c.Name, c.Means}
		if c.Symptom != "" && !slices.Contains(symptoms, c.Symptom) {
			t.Errorf("%s shows as %q, which is no symptom", name, c.Symptom)
		}
		vendors := map[string]bool{}
		for _, at := range c.At {
			if !slices.Contains(analyze.Vendors(), at.Vendor) || vendors[at.Vendor] {
				t.Errorf("%s: the broker %q is unknown, or there twice", name, at.Vendor)
			}
			vendors[at.Vendor] = true
			if strings.TrimSpace(at.Source) == "" {
				t.Errorf("%s at %s has no source", name, at.Vendor)
			}
			if len(at.Text.En) > 120 {
				t.Errorf("%s at %s is no short line: %d bytes", name, at.Vendor, len(at.Text.En))
			}
			texts = append(texts, at.Text)
		}
		for _, text := range texts {
			checkText(t, name, text)
		}
		if c.Same != nil {
			others := CodesOf(*c.Same)
			if !slices.ContainsFunc(others, func(o Code) bool { return o.Family != c.Family && o.Same != nil && *o.Same == c.Value }) {
				t.Errorf("%s is the same as 0x%02x, which is not the same as it", name, *c.Same)
			}
		}
	}
	for code := range 6 {
		if !seen["3.x "+mqtt.FormatCode(byte(code))] {
			t.Errorf("the return code %d is missing", code)
		}
	}
	// The reason codes of 5, table 3-1.
	for _, code := range []byte("\x00\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8c\x90\x95\x97\x99\x9a\x9b\x9c\x9d\x9f") {
		if !seen["5 "+mqtt.FormatCode(code)] {
			t.Errorf("the reason code %s is missing", mqtt.FormatCode(code))
		}
	}
}

// checkText wants a text in both languages, each in its own.
func checkText(t *testing.T, where string, text Text) {
	t.Helper()
	if text.En == "" || strings.ContainsFunc(text.En, isHan) {
		t.Errorf("%s: no English: %q", where, text.En)
	}
	plain := quoted.ReplaceAllString(text.Zh, "")
	if text.Zh == "" || !strings.ContainsFunc(plain, isHan) && strings.ContainsFunc(plain, func(r rune) bool { return r >= 'a' && r <= 'z' }) {
		t.Errorf("%s: no Chinese: %q", where, text.Zh)
	}
	if found := english.FindString(plain); found != "" {
		t.Errorf("%s: English %q in %q", where, found, text.Zh)
	}
	if found := halfWidth.FindString(quoted.ReplaceAllString(text.Zh, "`")); found != "" {
		t.Errorf("%s: half-width punctuation %q in %q", where, found, text.Zh)
	}
}

func TestSymptomTexts(t *testing.T) {
	var ids []string
	for _, s := range tables().symptoms {
		ids = append(ids, s.ID)
		checkText(t, s.ID, s.Means)
		checkText(t, s.ID, s.Fires)
	}
	if !slices.Equal(ids, symptoms) {
		t.Errorf("the texts are for %v, not for %v", ids, symptoms)
	}
}

// TestCodeSymptoms: every refusal in a case shows as the table says.
func TestCodeSymptoms(t *testing.T) {
	found := 0
	paths, err := filepath.Glob("../testdata/*/capture.pcap")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		for _, f := range findingsIn(t, path) {
			for _, text := range f.Codes {
				n, err := strconv.ParseUint(text, 0, 8)
				if err != nil {
					t.Fatal(err)
				}
				codes := CodesOf(int(n))
				if slices.ContainsFunc(codes, func(c Code) bool { return c.Symptom == f.Symptom }) {
					found++
				} else if strings.HasSuffix(f.Symptom, "rejected") || slices.Contains([]string{"server-unavailable", "bad-credentials", "not-authorized", "version-refused", "server-redirect"}, f.Symptom) {
					t.Errorf("%s: %s shows as %s, which the table does not say", filepath.Dir(path), text, f.Symptom)
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d refusals were compared", found)
	}
}

func TestCodesNamed(t *testing.T) {
	for words, want := range map[string]string{
		"not authorized":           "3.x 5,5 135",
		"Not Authorised":           "3.x 5,5 135",
		"NOT_AUTH":                 "3.x 5,5 135",
		"identifier rejected":      "3.x 2",
		"identifier":               "3.x 2",
		"server unavailable":       "3.x 3,5 136",
		"bad username or password": "3.x 4,5 134",
		"未授权":                      "3.x 5,5 135",
		"quota":                    "5 151",
		"bad":                      "",
		"server":                   "",
		"":                         "",
		"nothing like it":          "",
	} {
		codes, names := CodesNamed(words)
		var got []string
		for _, c := range codes {
			got = append(got, string(c.Family)+" "+strconv.Itoa(c.Value))
		}
		if strings.Join(got, ",") != want {
			t.Errorf("%q is %v, not %s", words, got, want)
		}
		if (words == "bad" || words == "server") && len(names) < 2 {
			t.Errorf("%q may be %v", words, names)
		}
	}
}

func TestCodeName(t *testing.T) {
	for _, test := range []struct {
		version string
		code    byte
		en, zh  string
	}{
		{"3.1.1", 2, "identifier rejected", "标识符被拒绝"},
		{"3.1", 5, "not authorized", "未授权"},
		{"5", 0x87, "not authorized", "未授权"},
		{"3.1.1", 6, "non-standard code 6", "非标准代码 6"},
		{"3.1.1", 77, "non-standard code 77", "非标准代码 77"},
		{"5", 5, "non-standard code 5", "非标准代码 5"},
	} {
		if got := CodeName(test.version, test.code, English); got != test.en {
			t.Errorf("%s %d is %q", test.version, test.code, got)
		}
		if got := CodeName(test.version, test.code, Chinese); got != test.zh {
			t.Errorf("%s %d is %q in Chinese", test.version, test.code, got)
		}
	}
}

func TestAnswering(t *testing.T) {
	b := loadTexts(t, map[string]string{
		"a.yaml": minimal("x/general"),
		"b.yaml": minimal("x/six") + "when: code == 6\n",
		"c.yaml": minimal("x/seven") + "when: code == 7\n",
		"d.yaml": minimal("x/user") + "when: known(username) and username\n",
	})
	var got []string
	for _, e := range b.Answering("no-connack", 6) {
		got = append(got, e.ID)
	}
	if want := []string{"x/six", "x/user", "x/general"}; !slices.Equal(got, want) {
		t.Errorf("%v answer the code, not %v", got, want)
	}
	if n := len(b.Answering("no-connack", -1)); n != 4 {
		t.Errorf("%d answer the symptom", n)
	}
	if n := len(b.Answering("tls-alert", -1)); n != 0 {
		t.Errorf("%d answer another", n)
	}
}

// TestOpen: folders are laid over the embedded entries, and problems name their
// files by path.
func TestOpen(t *testing.T) {
	good, bad := t.TempDir(), t.TempDir()
	write := func(dir, text string) {
		if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(good, minimal("mqtt/empty-client-id"))
	write(bad, strings.Replace(minimal("x/b"), "zh: 标题", "zh: title", 1)+"when: nothing\n")
	b, err := Open(good)
	if err != nil {
		t.Fatal(err)
	}
	if e, _ := b.Entry("mqtt/empty-client-id"); e.Title.En != "A title" {
		t.Errorf("the entry is still %q", e.Title.En)
	}
	if len(b.Entries()) != len(embeddedBase(t).Entries()) {
		t.Errorf("%d entries", len(b.Entries()))
	}
	b, err = Open(good, bad)
	if b != nil || err == nil {
		t.Fatalf("a bad folder gives %v, %v", b, err)
	}
	want := filepath.Join(bad, "a.yaml") + ":2: title.zh: holds no Chinese\n" + filepath.Join(bad, "a.yaml") + ":12: when: \"nothing\" is no fact (column 1); allowed: connects, "
	if !strings.HasPrefix(err.Error(), want) {
		t.Errorf("the problems are\n%v\nnot\n%s", err, want)
	}
	if n, err := Check(good); n != 1 || err != nil {
		t.Errorf("%d files, %v", n, err)
	}
	if n, err := Check(filepath.Join(bad, "none")); n != 0 || err == nil {
		t.Errorf("a folder that is not there: %d files, %v", n, err)
	}
}
