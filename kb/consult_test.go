package kb

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
)

func embeddedBase(t testing.TB) *Base {
	t.Helper()
	b, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// statusesOf maps the ids of causes, fixes and dead ends to what came of them.
// No entry uses an id in more than one of its lists.
func statusesOf(a Advice) map[string]judgement {
	all := map[string]judgement{}
	for _, c := range a.Causes {
		all[c.ID] = judgement{c.Status, c.Because, c.Packets}
	}
	for _, f := range a.Fixes {
		all[f.ID] = judgement{f.Status, f.Because, f.Packets}
	}
	for _, d := range a.DeadEnds {
		if _, twice := all[d.ID]; !twice {
			all[d.ID] = judgement{d.Status, d.Because, d.Packets}
		}
	}
	return all
}

func deadEnd(t *testing.T, a Advice, id string) DeadEnd {
	t.Helper()
	i := slices.IndexFunc(a.DeadEnds, func(d DeadEnd) bool { return d.ID == id })
	if i < 0 {
		t.Fatalf("%s has no dead end %s", a.Entry.ID, id)
	}
	return a.DeadEnds[i]
}

func entryIn(t *testing.T, advice []Advice, id string) Advice {
	t.Helper()
	i := slices.IndexFunc(advice, func(a Advice) bool { return a.Entry.ID == id })
	if i < 0 {
		t.Fatalf("%s is not advised", id)
	}
	return advice[i]
}

const seedID = "communication/mqtt-publish-identifier-in-use"

func takeoverLoop(clean bool) analyze.Finding {
	f := analyze.Finding{Symptom: "client-id-takeover"}
	f.Facts.Takeovers.Set(10, 13, 21, 34)
	f.Facts.TakeoverLoop.Set(true)
	f.Facts.Alternations.Set(9, 21, 34)
	f.Facts.StaleReconnect.Set(false)
	f.Facts.IDsDiffer.Set(false)
	f.Facts.IdleBeforeS.Set(0.9)
	f.Facts.TakeoverPeriodS.Set(1.0004)
	f.Facts.Addresses.Set(2)
	f.Facts.CleanStart.Set(clean)
	f.Facts.ClientIDEmpty.Set(false)
	f.Facts.ClientIDLength.Set(4)
	f.Facts.ClientIDChars.Set("punct")
	f.Facts.MQTTVersion.Set("3.1.1")
	f.Facts.RetriesUnchanged.Set(9, 14, 22, 35)
	f.Facts.Retries.Set(9, 14, 22, 35)
	f.Facts.RetrySpanS.Set(9.02)
	f.Facts.RetriesNewID.Set(0)
	f.Facts.RetriesCredsDropped.Set(0)
	return f
}

func TestTakeoverLoop(t *testing.T) {
	for _, clean := range []bool{true, false} {
		advice := embeddedBase(t).Consult(takeoverLoop(clean))
		if len(advice) != 2 || advice[0].Entry.ID != "mqtt/client-id-takeover" || advice[1].Entry.ID != seedID {
			t.Fatalf("clean %v: not the takeover entry before the published article: %v", clean, advice)
		}
		if !advice[0].Specific || advice[1].Specific {
			t.Error("the takeover entry is specific, the published article is not")
		}
		have := statusesOf(advice[1])
		want := map[string]Status{
			"id-in-use": Supported, "connection-limit": Contradicted,
			"clean-session": NotApplicable, "unique-client-id": Recommended, "raise-connection-limit": NotApplicable,
			"same-id-again": Seen, "disable-security": NotSeen, "random-id-persistent": NotSeen,
		}
		if clean {
			want["clean-session"] = InPlace
		}
		for id, status := range want {
			if have[id].status != status {
				t.Errorf("clean %v: %s is %s because %q, not %s", clean, id, have[id].status, have[id].because.En, status)
			}
		}
		again := deadEnd(t, advice[1], "same-id-again")
		if again.Because.En != "The same CONNECT was sent again 9 times in 9.02 s." ||
			again.Because.Zh != "同一 CONNECT 在 9.02 秒内又原样发送了 9 次。" {
			t.Errorf("same-id-again because %+v", again.Because)
		}
		if want := []int{13, 14, 21, 22, 34, 35}; !slices.Equal(again.Packets, want) {
			t.Errorf("same-id-again has packets %v, not %v", again.Packets, want)
		}
	}
}

func TestEmptyIDRetried(t *testing.T) {
	f := analyze.Finding{Symptom: "identifier-rejected"}
	f.Facts.ClientIDEmpty.Set(true)
	f.Facts.ClientIDLength.Set(0)
	f.Facts.CleanStart.Set(false)
	f.Facts.MQTTVersion.Set("3.1.1")
	f.Facts.Code.Set(2)
	f.Facts.KeepAliveS.Set(60)
	f.Facts.RetriesUnchanged.Set(11, 24, 14, 24)
	f.Facts.RetrySpanS.Set(3.04)
	f.Facts.RetriesCredsDropped.Set(0)

	advice := embeddedBase(t).Consult(f)
	ids := []string{}
	for _, a := range advice {
		ids = append(ids, a.Entry.ID)
	}
	if ids[0] != "mqtt/empty-client-id" || !slices.Contains(ids, seedID) {
		t.Fatalf("advised are %v", ids)
	}
	for _, a := range advice[1:] {
		if a.Specific {
			t.Errorf("%s is specific to an empty client ID as well", a.Entry.ID)
		}
	}
	have := statusesOf(advice[0])
	for id, want := range map[string]Status{
		"clean-session-off": Supported, "forbidden-by-configuration": Possible, "username-as-client-id": Possible,
		"clean-session": Recommended, "set-client-id": Recommended, "allow-empty-ids": NotApplicable,
		"drop-credentials": NotSeen, "change-keep-alive": NotVisible,
	} {
		if have[id].status != want {
			t.Errorf("%s is %s because %q, not %s", id, have[id].status, have[id].because.En, want)
		}
	}
	for _, a := range []Advice{advice[0], entryIn(t, advice, seedID)} {
		again := deadEnd(t, a, "same-id-again")
		if again.Status != Seen || !slices.Equal(again.Packets, []int{14, 24}) {
			t.Errorf("%s: same-id-again is %s with packets %v", a.Entry.ID, again.Status, again.Packets)
		}
	}
	seed := entryIn(t, advice, seedID)
	if s := statusesOf(seed)["clean-session"]; s.status != Recommended {
		t.Errorf("the article's clean session is %s", s.status)
	}
	missing := deadEnd(t, advice[0], "change-keep-alive").Because
	if !strings.Contains(missing.En, "do not show") || !strings.Contains(missing.Zh, "未显示") {
		t.Errorf("an absent fact gives the reason %+v", missing)
	}
}

func keepAliveRefusal(keepAlive int) analyze.Finding {
	f := analyze.Finding{Symptom: "identifier-rejected"}
	f.Facts.ClientIDEmpty.Set(false)
	f.Facts.ClientIDLength.Set(3)
	f.Facts.ClientIDChars.Set("alnum")
	f.Facts.CleanStart.Set(true)
	f.Facts.MQTTVersion.Set("3.1.1")
	f.Facts.Code.Set(2)
	f.Facts.KeepAliveS.Set(keepAlive, 4)
	return f
}

func TestKeepAliveRefusal(t *testing.T) {
	for _, test := range []struct {
		name      string
		change    func(*analyze.Facts)
		keepAlive int
		cause     Status
	}{
		{"0 is no limit", func(*analyze.Facts) {}, 0, Supported},
		{"larger than clients commonly ask for", func(*analyze.Facts) {}, 120, Supported},
		{"as clients commonly ask for", func(*analyze.Facts) {}, 60, Possible},
		{"others got in with less", func(f *analyze.Facts) { f.AcceptedKeepAliveS.Set(30) }, 60, Supported},
		{"others got in with less, punctuation in the ID", func(f *analyze.Facts) {
			f.AcceptedKeepAliveS.Set(60)
			f.ClientIDChars.Set("punct")
		}, 120, Supported},
		{"punctuation in the ID may be the reason", func(f *analyze.Facts) { f.ClientIDChars.Set("punct") }, 120, Possible},
		{"others got in with as much", func(f *analyze.Facts) { f.AcceptedKeepAliveS.Set(120) }, 120, Contradicted},
		{"others got in with no limit", func(f *analyze.Facts) { f.AcceptedKeepAliveS.Set(0) }, 120, Contradicted},
		{"MQTT 5 does not refuse a keep-alive", func(f *analyze.Facts) { f.MQTTVersion.Set("5") }, 120, Contradicted},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := keepAliveRefusal(test.keepAlive)
			test.change(&f.Facts)
			advice := embeddedBase(t).Consult(f)
			if advice[0].Entry.ID != "mqtt/identifier-refused" {
				t.Fatalf("first is %s", advice[0].Entry.ID)
			}
			have := statusesOf(advice[0])
			if have["keep-alive-policy"].status != test.cause {
				t.Errorf("the keep-alive is %s because %q, not %s", have["keep-alive-policy"].status, have["keep-alive-policy"].because.En, test.cause)
			}
			if test.cause != Supported {
				return
			}
			if chars, _ := f.Facts.ClientIDChars.Get(); chars == "alnum" {
				for _, id := range []string{"id-too-long", "id-characters", "id-in-use"} {
					if have[id].status != Contradicted {
						t.Errorf("%s is %s because %q", id, have[id].status, have[id].because.En)
					}
				}
			}
			if have["lower-keep-alive"].status != Recommended || have["raise-max-keepalive"].status != Recommended {
				t.Error("neither side's keep-alive is recommended")
			}
			if !slices.Contains(have["keep-alive-policy"].packets, 4) {
				t.Error("the packets of the keep-alive are lost")
			}
			seed := statusesOf(entryIn(t, advice, seedID))
			if seed["id-in-use"].status != Contradicted || seed["unique-client-id"].status == Recommended {
				t.Errorf("the article says %s and %s", seed["id-in-use"].status, seed["unique-client-id"].status)
			}
		})
	}
}

// TestGenericNeverRecommendsWhatFactsContradict holds the published article to
// the design's table.
func TestGenericNeverRecommendsWhatFactsContradict(t *testing.T) {
	for _, symptom := range []string{"client-id-takeover", "client-id-shared", "server-unavailable", "closed-before-connack"} {
		f := takeoverLoop(false)
		f.Symptom = symptom
		if s := statusesOf(entryIn(t, embeddedBase(t).Consult(f), seedID))["clean-session"].status; s != NotApplicable {
			t.Errorf("%s: clean session is %s", symptom, s)
		}
	}
	f := analyze.Finding{Symptom: "server-unavailable"}
	f.Facts.Code.Set(3)
	have := statusesOf(entryIn(t, embeddedBase(t).Consult(f), seedID))
	if have["unique-client-id"].status != NotApplicable {
		t.Errorf("0x03: a unique client ID is %s", have["unique-client-id"].status)
	}
}

func TestPublishedFigures(t *testing.T) {
	e, ok := embeddedBase(t).Entry(seedID)
	if !ok {
		t.Fatal("the published article is missing")
	}
	if e.Published == nil || *e.Published.Confidence != 0.84 || *e.Published.FixRate != 0.83 || e.Published.FirstSeen != "2024-02-28" {
		t.Errorf("published: %+v", e.Published)
	}
	var rates []float64
	for _, f := range e.Fixes {
		rates = append(rates, *f.SuccessRate)
	}
	for _, d := range e.DeadEnds {
		rates = append(rates, *d.FailRate)
	}
	if want := []float64{0.90, 0.95, 0.85, 0.85, 0.90, 0.70}; !slices.Equal(rates, want) {
		t.Errorf("rates %v, not %v", rates, want)
	}
	// No source publishes a rate for the others.
	for _, other := range embeddedBase(t).Entries() {
		if other.ID == seedID {
			continue
		}
		if other.Published != nil {
			t.Errorf("%s has published figures", other.ID)
		}
		for _, f := range other.Fixes {
			if f.SuccessRate != nil {
				t.Errorf("%s: %s has a rate", other.ID, f.ID)
			}
		}
		for _, d := range other.DeadEnds {
			if d.FailRate != nil {
				t.Errorf("%s: %s has a rate", other.ID, d.ID)
			}
		}
	}
}

func TestConsultOrder(t *testing.T) {
	entry := func(id, when, supported string) string {
		s := minimal(id)
		if when != "" {
			s += "when: " + when + "\n"
		}
		if supported != "" {
			s = strings.Replace(s, "    text: {en: A cause., zh: 原因。}\n", "    text: {en: A cause., zh: 原因。}\n    supported: "+supported+"\n", 1)
		}
		return s
	}
	b := loadTexts(t, map[string]string{
		"a.yaml": entry("x/a", "", "retries > 0"),              // generic
		"b.yaml": entry("x/b", "retries > 5", ""),              // fails
		"c.yaml": entry("x/c", "known(retries)", ""),           // holds
		"d.yaml": entry("x/d", "retries > 0", "retries > 0"),   // holds, supported
		"e.yaml": entry("x/e", "takeovers > 0", "retries > 0"), // undecided
		"f.yaml": entry("x/f", "retries < 2", "retries == 1"),  // holds, supported
	})
	f := analyze.Finding{Symptom: "no-connack"}
	f.Facts.Retries.Set(1)
	var ids []string
	for _, a := range b.Consult(f) {
		ids = append(ids, a.Entry.ID)
	}
	if want := []string{"x/d", "x/f", "x/c", "x/a", "x/e"}; !slices.Equal(ids, want) {
		t.Errorf("order %v, not %v", ids, want)
	}
	if got := b.Consult(analyze.Finding{Symptom: "slow-connack"}); got != nil {
		t.Errorf("advice for a symptom that no entry lists: %v", got)
	}
}

func TestPrecedence(t *testing.T) {
	text := minimal("x/a")
	text = strings.Replace(text, "    text: {en: A cause., zh: 原因。}\n",
		"    text: {en: A cause., zh: 原因。}\n    supported: retries > 0\n    contradicted: retries > 1\n", 1)
	text = strings.Replace(text, "    text: {en: A fix., zh: 办法。}\n",
		"    text: {en: A fix., zh: 办法。}\n    recommended: retries > 0\n    not_applicable: retries > 1\n    in_place: retries > 2\n", 1)
	text += "dead_ends:\n  - {id: d, text: {en: Try., zh: 尝试。}, why: {en: No., zh: 无用。}, seen: retries > 0}\n" +
		"  - {id: never, text: {en: Try., zh: 尝试。}, why: {en: No., zh: 无用。}}\n"
	b := loadTexts(t, map[string]string{"a.yaml": text})
	for _, test := range []struct {
		retries         int
		cause, fix, end Status
	}{
		{-1, Possible, Possible, NotVisible}, // absent
		{0, Possible, Possible, NotSeen},
		{1, Supported, Recommended, Seen},
		{2, Contradicted, NotApplicable, Seen},
		{3, Contradicted, InPlace, Seen},
	} {
		f := analyze.Finding{Symptom: "no-connack"}
		if test.retries >= 0 {
			f.Facts.Retries.Set(test.retries)
		}
		a := b.Consult(f)[0]
		if a.Causes[0].Status != test.cause || a.Fixes[0].Status != test.fix || a.DeadEnds[0].Status != test.end {
			t.Errorf("%d retries: %s, %s, %s", test.retries, a.Causes[0].Status, a.Fixes[0].Status, a.DeadEnds[0].Status)
		}
		if a.DeadEnds[1].Status != NotVisible {
			t.Errorf("a dead end without condition is %s", a.DeadEnds[1].Status)
		}
		for _, text := range []Text{a.Causes[0].Because, a.Fixes[0].Because, a.DeadEnds[0].Because, a.DeadEnds[1].Because} {
			if text.En == "" || text.Zh == "" {
				t.Errorf("%d retries: a reason is missing: %+v", test.retries, text)
			}
		}
	}
}

// TestReasonsForAnyFacts consults every entry with facts drawn at random: each
// status has a reason in both languages, without a placeholder left over.
func TestReasonsForAnyFacts(t *testing.T) {
	b := embeddedBase(t)
	seen := map[Status]int{}
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		f := randomFinding(r)
		for _, a := range b.Consult(f) {
			for id, j := range statusesOf(a) {
				seen[j.status]++
				for lang, text := range map[Lang]string{English: j.because.En, Chinese: j.because.Zh} {
					switch {
					case text == "":
						t.Fatalf("%s: %s is %s without a reason in %s", a.Entry.ID, id, j.status, lang)
					case strings.ContainsAny(text, "{}"):
						t.Fatalf("%s: %s: a placeholder is left in %q", a.Entry.ID, id, text)
					}
				}
				if !strings.ContainsFunc(j.because.Zh, isHan) {
					t.Fatalf("%s: %s: no Chinese in %q", a.Entry.ID, id, j.because.Zh)
				}
				if !slices.IsSorted(j.packets) || len(slices.Compact(slices.Clone(j.packets))) != len(j.packets) {
					t.Fatalf("%s: %s: packets %v", a.Entry.ID, id, j.packets)
				}
			}
		}
	}
	for _, s := range []Status{Supported, Contradicted, Possible, Recommended, InPlace, NotApplicable, Seen, NotSeen, NotVisible} {
		if seen[s] == 0 {
			t.Errorf("the status %s never came up", s)
		}
	}
}

// randomFinding draws a symptom and, for about two facts in three, a value.
func randomFinding(r *rand.Rand) analyze.Finding {
	f := analyze.Finding{Symptom: symptoms[r.IntN(len(symptoms))]}
	numbers := []int{0, 1, 2, 3, 6, 24, 60, 120, 136, 137, 151, 159, 70000}
	words := []string{"3.1", "3.1.1", "5", "alnum", "punct", "nats", "other", "fin"}
	v := reflect.ValueOf(&f.Facts).Elem()
	for i := range v.NumField() {
		if r.IntN(3) == 0 {
			continue
		}
		packets := []int{r.IntN(50) + 1, r.IntN(50) + 1}
		switch fact := v.Field(i).Addr().Interface().(type) {
		case *analyze.Fact[bool]:
			fact.Set(r.IntN(2) == 0, packets...)
		case *analyze.Fact[int]:
			fact.Set(numbers[r.IntN(len(numbers))], packets...)
		case *analyze.Fact[float64]:
			fact.Set(float64(numbers[r.IntN(len(numbers))])*r.Float64(), packets...)
		case *analyze.Fact[string]:
			fact.Set(words[r.IntN(len(words))], packets...)
		}
	}
	return f
}

func BenchmarkConsult(b *testing.B) {
	base := embeddedBase(b)
	f := takeoverLoop(true)
	b.ReportAllocs()
	for b.Loop() {
		base.Consult(f)
	}
}
