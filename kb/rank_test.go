package kb

import (
	"slices"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
)

// ranked is an entry with a condition and, of one cause each, what supports and
// what contradicts it.
func ranked(id, when string, causes ...string) string {
	text := "id: " + id + `
title: {en: A title, zh: 标题}
summary: {en: A summary., zh: 摘要。}
symptoms: [no-connack]
sources: ["RFC 9293 section 3.4"]
`
	if when != "" {
		text += "when: " + when + "\n"
	}
	text += "causes:\n"
	for i, c := range causes {
		text += "  - {id: c" + string(rune('a'+i)) + ", text: {en: A cause., zh: 原因。}" + c + "}\n"
	}
	return text + "fixes: [{id: f, text: {en: A fix., zh: 办法。}}]\n"
}

// TestRanking: an entry for this very broker first, then the one that more facts
// made hold, then by id; entries whose main cause is contradicted last.
func TestRanking(t *testing.T) {
	const yes, no, open = ", supported: retries > 0", ", contradicted: retries > 0", ""
	b := loadTexts(t, map[string]string{
		"a.yaml": ranked("x/a-one-fact", "connects > 0", yes),
		"b.yaml": ranked("x/b-two-facts", "connects > 0 and retries > 0", yes),
		"c.yaml": ranked("x/c-vendor", `broker_vendor == "emqx"`, yes),
		"d.yaml": ranked("x/d-vendor-and-more", `broker_vendor == "emqx" and connects > 0`, yes),
		"e.yaml": ranked("x/e-one-fact", "retries > 0", yes),
		"f.yaml": ranked("x/f-open", `broker_vendor == "emqx" and connects > 0 and retries > 0`, open),
		"g.yaml": ranked("x/g-main-contradicted", `broker_vendor == "emqx"`, no, open),
		"h.yaml": ranked("x/h-general", "", open),
		"i.yaml": ranked("x/i-undecided", `sni == "x"`, open),
		"j.yaml": ranked("x/j-all-contradicted", `broker_vendor == "emqx"`, no, no),
		"k.yaml": ranked("x/k-second-supported", "connects > 0", no, yes),
		"l.yaml": ranked("x/l-symptom-counts-not", `symptom == "no-connack" and connects > 0`, yes),
		"m.yaml": ranked("x/m-other-broker", `broker_vendor == "nats"`, yes),
	})
	f := analyze.Finding{Symptom: "no-connack"}
	f.Facts.Connects.Set(3)
	f.Facts.Retries.Set(2)
	f.Facts.BrokerVendor.Set("emqx")
	var got []string
	for _, a := range b.Consult(f) {
		got = append(got, strings.TrimPrefix(a.Entry.ID, "x/"))
	}
	want := []string{
		"d-vendor-and-more", "c-vendor", "b-two-facts", "a-one-fact", "e-one-fact", "k-second-supported", "l-symptom-counts-not",
		"f-open", "g-main-contradicted", "h-general", "i-undecided", "j-all-contradicted",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the order is\n%v\nnot\n%v", got, want)
	}
}

// TestWorked: a fix that a client made with success is recommended before all
// others, with the packets, whatever its own conditions say.
func TestWorked(t *testing.T) {
	b := loadTexts(t, map[string]string{"a.yaml": strings.Replace(minimal("x/a"), "  - id: f\n    text: {en: A fix., zh: 办法。}\n", `
  - {id: other, text: {en: Another., zh: 另一个。}, recommended: retries > 0}
  - {id: longer, text: {en: Raise it., zh: 调大。}, not_applicable: retries > 0, worked: keep-alive, because: {not-applicable: [{en: No., zh: 否。}]}}
  - {id: id, text: {en: An ID., zh: 设 ID。}, worked: client-id}
`, 1)})
	f := analyze.Finding{Symptom: "no-connack"}
	f.Facts.Retries.Set(2)
	order := func() []string {
		var ids []string
		for _, x := range b.Consult(f)[0].Fixes {
			ids = append(ids, x.ID)
		}
		return ids
	}
	if got := order(); !slices.Equal(got, []string{"other", "longer", "id"}) {
		t.Errorf("without success the order is %v", got)
	}
	f.Facts.WorkedChange.Set("keep-alive", 17)
	if got := order(); !slices.Equal(got, []string{"longer", "other", "id"}) {
		t.Errorf("the order is %v", got)
	}
	first := b.Consult(f)[0].Fixes[0]
	if first.Status != Recommended || !first.Worked || !slices.Equal(first.Packets, []int{17}) {
		t.Errorf("the fix is %+v", first)
	}
	if want := (Text{"The CONNECT was accepted at packet 17 after this change.", "作此改动之后，数据包 17 处的 CONNECT 被接受。"}); first.Because != want {
		t.Errorf("because %+v", first.Because)
	}
	f.Facts.WorkedChange.Set("keep-alive", 17, 20, 25, 30)
	if got := b.Consult(f)[0].Fixes[0].Because.En; got != "CONNECTs were accepted at packets 17, 20, 25 … after this change." {
		t.Errorf("because %q", got)
	}
	for _, change := range []string{"nothing", "several"} {
		f.Facts.WorkedChange.Set(change, 17)
		if got := order(); got[0] != "other" {
			t.Errorf("%s: the order is %v", change, got)
		}
	}
	_, err := Load(files(map[string]string{"a.yaml": minimal("x/a") + "    worked: luck\n"}))
	if err == nil || err.Error() != `a.yaml:12: fixes.f.worked: "luck" is no change that a CONNECT can show; allowed: client-id, clean-start, keep-alive, version, credentials, port` {
		t.Errorf("a change that is none gives %v", err)
	}
}
