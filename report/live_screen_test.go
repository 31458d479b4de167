package report

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

var showScreens = flag.Bool("screens", false, "print the screens of the goldens in colour")

// screenSizes are those of the goldens: the smallest that is laid out for, a telephone's, the
// usual one and a large one.
var screenSizes = [][2]int{{40, 10}, {56, 18}, {80, 24}, {120, 40}}

// noon is when the watched captures of these tests are looked at.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// handshake is a record as the last handshakes have it.
func handshake(at time.Time, client, id string, outcome decode.Outcome, code, name string) decode.Record {
	ms := 0.31
	r := decode.Record{
		ID: "c1.1", Client: client, Broker: "10.0.0.1:1883", MQTTVersion: "3.1.1", ClientID: &id,
		Opened: decode.Stamp(at.Add(-time.Millisecond)), Connect: decode.Stamp(at.Add(-time.Millisecond)), Outcome: outcome, Code: code, CodeName: name,
	}
	if outcome == decode.Accepted || outcome == decode.Rejected {
		r.Connack, r.ConnackMS = decode.Stamp(at), &ms
	}
	return r
}

// someHandshakes are of a few devices, newest first.
func someHandshakes(n int) Records {
	var all []decode.Record
	for i := range n {
		at := noon.Add(-time.Duration(i) * 1700 * time.Millisecond)
		client, id := fmt.Sprintf("10.0.0.%d:%d", 2+i%7, 51234+i), fmt.Sprintf("gw-%d", i%7)
		switch i % 6 {
		case 1:
			all = append(all, handshake(at, client, id, decode.Rejected, "0x05", "not authorized"))
		case 3:
			r := handshake(at, "[2001:db8:1111:2222:3333:4444:5555:6666]:51234", "", decode.TLSFailed, "", "")
			r.ClientID, r.MQTTVersion, r.Transport, r.TLS = nil, "", decode.TLSTransport, &decode.RecordTLS{Alert: "unknown_ca"}
			all = append(all, r)
		case 4:
			r := handshake(at, client, "传感器-"+id, decode.Unanswered, "", "")
			r.MQTTVersion, r.Transport = "5", decode.WSS
			all = append(all, r)
		default:
			all = append(all, handshake(at, client, id, decode.Accepted, "", ""))
		}
	}
	return RecordsOf(all...)
}

// watchingOf is a healthy capture of an hour, in which a document was made.
func watchingOf(doc *Document) Watching {
	return Watching{
		Doc: doc, Now: noon, Started: noon.Add(-time.Hour),
		Interfaces:       []WatchedInterface{{Name: "eth0", State: "up", Packets: 4_512_003}},
		PacketsPerSecond: 1253.4, BitsPerSecond: 9.81e6, ConnectsPerSecond: 0.62, Open: 118, Recent: someHandshakes(50),
	}
}

// shifted moves the times of a document's findings so that the last was seen a while ago.
func shifted(doc *Document, ago time.Duration) *Document {
	var last time.Time
	for _, f := range doc.Findings {
		if t := time.Time(f.Last); t.After(last) {
			last = t
		}
	}
	by := noon.Add(-ago).Sub(last)
	for i := range doc.Findings {
		f := &doc.Findings[i]
		f.First, f.Last = decode.Stamp(time.Time(f.First).Add(by)), decode.Stamp(time.Time(f.Last).Add(by))
	}
	return doc
}

// sixty is a document with sixty findings at several brokers, whose names mean harm.
func sixty(lang kb.Lang, one *Document) *Document {
	doc := *one
	doc.Lang, doc.Totals.Brokers, doc.Findings = lang, 20, nil
	names := []string{"gw-7", "\x1b[2J\x1b[31mowned\x07", "\u202egw-8", "温度传感器-一号-三楼-东侧-配电间", "🇩🇪🇩🇪🇩🇪🇩🇪🇩🇪🇩🇪", "e\u0301\u0301\u0301\u0301", strings.Repeat("A", 65535), "a\nb\tc d"}
	brokers := []string{"10.0.0.1:1883", "[2001:db8:1111:2222:3333:4444:5555:6666]:8883", "mqtt.example.com:1883"}
	symptoms := contractSymptoms
	for i := range 60 {
		f := one.Findings[0]
		f.Symptom, f.Severity = symptoms[i%len(symptoms)], []string{"error", "warning", "info"}[i/20]
		f.ClientIDs, f.Broker = []string{names[i%len(names)]}, brokers[i%len(brokers)]
		if i%4 == 0 {
			f.ClientIDs = append(f.ClientIDs, "b", "c")
		}
		f.Sessions = 1 << (i % 20)
		f.Last = decode.Stamp(noon.Add(-time.Duration(i) * time.Duration(i) * time.Minute))
		doc.Findings = append(doc.Findings, f)
	}
	// The one that changed last is not among the first.
	doc.Findings[41].Last = decode.Stamp(noon.Add(-800 * time.Millisecond))
	return &doc
}

// watchedCases are the screens of the goldens.
func watchedCases(t testing.TB, lang kb.Lang) map[string]Watching {
	name := func(s string) string {
		if lang == kb.Chinese {
			s += "-zh"
		}
		return "testdata/" + s + ".json"
	}
	empty := &Document{Lang: lang, Captures: []Capture{{Name: "eth0"}}}
	waiting := watchingOf(empty)
	waiting.Recent, waiting.Started, waiting.Open = RecordsOf(), noon.Add(-3*time.Second), 0
	waiting.PacketsPerSecond, waiting.BitsPerSecond, waiting.ConnectsPerSecond = 0, 0, 0
	silent := waiting
	silent.Started = noon.Add(-95 * time.Second)
	silent.Interfaces = []WatchedInterface{{Name: "eth0", State: "up"}, {Name: "wg0", State: "down"}}
	silent.Notes = []string{LiveHead{Lang: lang}.Say(InterfaceDown(noon, "wg0"))}
	quiet := watchingOf(load(t, name("quiet")))
	quiet.Evidence = "handshakes-0001.pcapng"
	one := watchingOf(shifted(load(t, name("takeover")), 1200*time.Millisecond))
	mixed := watchingOf(shifted(load(t, name("mixed")), 4*time.Minute))
	mixed.Interfaces = []WatchedInterface{{"eth0", "up", 4_512_003, 0}, {"ppp0", "gone", 4003, 12}}
	mixed.Notes = []string{LiveHead{Lang: lang}.Say(InterfaceGone(noon, "ppp0")), LiveHead{Lang: lang}.Say(EvidenceFailed(noon, "", os.ErrPermission))}
	many := watchingOf(sixty(lang, load(t, name("takeover"))))
	many.Interfaces = []WatchedInterface{{"eth0", "up", 4_512_003_000, 1_204_311}, {"wlan0", "up", 12, 0}, {"\x1b[2Jeth1", "up", 12, 0}}
	many.Evicted = map[string]uint64{"connections": 12, "sessions": 120_000, "client-ids": 1}
	many.Evidence = "handshakes-0412.pcapng"
	hostileNames := someHandshakes(12)
	evil := "\x1b]0;owned\x07\u202e" + strings.Repeat("中", 300)
	many.Recent = RecordsOf(handshake(noon, "10.0.0.9:1", evil, decode.Rejected, "0x85", "\x1b[31m"), hostileNames.At(3), hostileNames.At(4), hostileNames.At(1))
	return map[string]Watching{"waiting": waiting, "silent": silent, "quiet": quiet, "one": one, "mixed": mixed, "sixty": many}
}

func TestScreenGolden(t *testing.T) {
	for _, lang := range []kb.Lang{kb.English, kb.Chinese} {
		for name, w := range watchedCases(t, lang) {
			if lang == kb.Chinese {
				name += "-zh"
			}
			t.Run(name, func(t *testing.T) {
				var got strings.Builder
				for _, size := range screenSizes {
					fmt.Fprintf(&got, "%s %dx%d\n", strings.Repeat("=", size[0]-len(fmt.Sprintf(" %dx%d", size[0], size[1]))), size[0], size[1])
					got.WriteString(Screen(w, size[0], size[1], false) + "\n")
					if *showScreens {
						fmt.Printf("%s %s %v\n%s\n", strings.Repeat("=", size[0]-20), name, size, Screen(w, size[0], size[1], true))
					}
				}
				golden := "testdata/live-" + name + ".txt"
				if *update {
					if err := os.WriteFile(golden, []byte(got.String()), 0o666); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if got.String() != string(want) {
					t.Errorf("the screens differ from %s; got\n%s", golden, got.String())
				}
			})
		}
	}
}

// checkScreen fails unless a screen has its size and nothing in it that a terminal obeys
// but colours.
func checkScreen(t *testing.T, w Watching, columns, rows int) {
	t.Helper()
	plain := Screen(w, columns, rows, false)
	lines := strings.Split(plain, "\n")
	if len(lines) != rows {
		t.Errorf("%d lines, not %d", len(lines), rows)
	}
	for _, line := range lines {
		if n := max(cells(line), textWidth(line)); n > columns {
			t.Errorf("a line of %d columns, not %d: %q", n, columns, line)
		}
		if strings.HasSuffix(line, " ") {
			t.Errorf("spaces at the end of %q", line)
		}
		for _, r := range line {
			if hidden(r) {
				t.Errorf("%U in %q", r, line)
			}
		}
	}
	if coloured := ansi.ReplaceAllString(Screen(w, columns, rows, true), ""); coloured != plain {
		t.Errorf("colour changes the text:\n%q\n%q", coloured, plain)
	}
}

func TestScreenFits(t *testing.T) {
	hostile := watchingOf(hostile(65000))
	evil := hostile.Doc.Answer
	hostile.Notes, hostile.Evidence, hostile.Interfaces = []string{evil, evil}, evil, []WatchedInterface{{evil, evil, 1, 2}, {evil, "gone", 2, 1}}
	hostile.Recent, hostile.Evicted = hostile.Doc.Sessions, map[string]uint64{"sessions": math.MaxUint64, evil: 1}
	hostile.BitsPerSecond, hostile.PacketsPerSecond, hostile.ConnectsPerSecond = math.Inf(1), math.NaN(), -1
	all := map[string]Watching{"hostile": hostile}
	for _, lang := range []kb.Lang{kb.English, kb.Chinese} {
		for name, w := range watchedCases(t, lang) {
			all[name+string(lang)] = w
		}
	}
	for name, w := range all {
		for columns := 1; columns <= 210; columns += 1 + columns/8 {
			for _, rows := range []int{1, 2, 3, 5, 8, 9, 10, 13, 14, 19, 20, 24, 31, 32, 40, 70} {
				t.Run(fmt.Sprintf("%s/%dx%d", name, columns, rows), func(t *testing.T) { checkScreen(t, w, columns, rows) })
			}
		}
		for _, size := range [][2]int{{0, 10}, {10, 0}, {-1, -1}} {
			if got := Screen(w, size[0], size[1], true); got != "" {
				t.Errorf("%s at %v: %q", name, size, got)
			}
		}
	}
}

// randomName is a text that a device may send.
func randomName(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(40) {
		switch r.IntN(6) {
		case 0:
			b.WriteByte(byte(r.IntN(256)))
		case 1:
			b.WriteRune(rune(0x4e00 + r.IntN(100)))
		case 2:
			b.WriteRune(rune(0x1f1e6 + r.IntN(26))) // letters of flags
		case 3:
			b.WriteRune(rune(0x300 + r.IntN(60))) // combining marks
		case 4:
			b.WriteRune(rune(0x1100 + r.IntN(256))) // conjoining Hangul
		default:
			b.WriteRune(rune(r.IntN(0x1fbff)))
		}
	}
	return b.String()
}

func TestScreenFitsWhateverComes(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	for n := range 400 {
		doc := randomDocument(r)
		doc.Answer, doc.Lang = strings.Repeat(randomName(r)+" ", r.IntN(20)), []kb.Lang{kb.English, kb.Chinese}[r.IntN(2)]
		for i := range doc.Findings {
			f := &doc.Findings[i]
			f.Symptom, f.Broker, f.ClientIDs = randomName(r), randomName(r), []string{randomName(r), ""}
			f.Severity = []string{"error", "warning", "info", randomName(r)}[r.IntN(4)]
			f.Last = decode.Stamp(noon.Add(time.Duration(r.Int64N(1e12)) - time.Duration(r.Int64N(1e15))))
		}
		w := watchingOf(doc)
		w.Recent = RecordsOf(handshake(noon, randomName(r), randomName(r), decode.Outcome(r.IntN(9)), randomName(r), randomName(r)))
		w.Notes = []string{randomName(r)}
		w.Interfaces = append(w.Interfaces, WatchedInterface{Name: randomName(r), State: "down", Dropped: r.Uint64()})
		columns, rows := 1+r.IntN(150), 1+r.IntN(60)
		t.Run(fmt.Sprintf("%d/%dx%d", n, columns, rows), func(t *testing.T) { checkScreen(t, w, columns, rows) })
	}
}

// What a person must see on any screen that is large enough to be laid out for.
func TestScreenShowsWhatMatters(t *testing.T) {
	for _, size := range screenSizes {
		w := watchedCases(t, kb.English)["sixty"]
		got := Screen(w, size[0], size[1], false)
		for _, want := range []string{
			w.Doc.Answer[:30], "»", "client-id-takeover", "1.2M", "dropped", "60 findings", "0x85",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("%v: no %q in\n%s", size, want, got)
			}
		}
		// What changed just now shows, though forty others are before it.
		if changed := w.Doc.Findings[41]; !strings.Contains(got, changed.Symptom) {
			t.Errorf("%v: the newest change, %s, does not show\n%s", size, changed.Symptom, got)
		}
		w = watchedCases(t, kb.English)["silent"]
		if got := Screen(w, size[0], size[1], false); !strings.Contains(got, "wg0 went down; waiting") || !strings.Contains(got, "No packet on eth0 and wg0 in 95 s.") {
			t.Errorf("%v: an interface that is down does not show\n%s", size, got)
		}
	}
}

// What to do next is on the screen once: in the answer or under its finding.
func TestScreenSaysNextSteps(t *testing.T) {
	w := watchedCases(t, kb.English)["mixed"]
	got := Screen(w, 200, 60, false)
	for i := range w.Doc.Findings {
		step := sentence(nextStep(&w.Doc.Findings[i]), kb.English)
		if step == "" {
			continue
		}
		beginning := step[:min(len(step), 60)]
		if n := strings.Count(strings.Join(strings.Fields(got), " "), beginning); n == 0 {
			t.Errorf("finding %d: %q is not said\n%s", i+1, beginning, got)
		}
	}
}

func TestNextStepIsTheAnswers(t *testing.T) {
	for _, path := range recorded(t) {
		doc := load(t, path)
		if !hasProblem(doc) {
			continue
		}
		status := func(x *Fix) kb.Status { return x.Status }
		f := &doc.Findings[0]
		step := sentence(nextStep(f), doc.Lang)
		recommends := len(f.Advice) > 0 && len(withStatus(f.Advice[0].Fixes, status, kb.Recommended)) > 0
		if step != "" && recommends != strings.Contains(doc.Answer, step) {
			t.Errorf("%s: the step %q, the answer %q", path, step, doc.Answer)
		}
	}
	var f Finding
	f.Severity = "error"
	f.Facts.WorkedChange.Set("keep-alive", 17, 20)
	f.Advice = []Advice{
		{Fixes: []Fix{{Text: "first", Status: kb.Recommended}}},
		{Fixes: []Fix{{Text: "worked", Status: kb.Recommended, Packets: []int{17, 20}}}},
	}
	if got := nextStep(&f); got != "worked" {
		t.Errorf("what worked is not the next step but %q", got)
	}
	f.Severity = "info"
	if got := nextStep(&f); got != "" {
		t.Errorf("what is harmless has the next step %q", got)
	}
}

func TestAmount(t *testing.T) {
	for n, want := range map[float64]string{
		0: "0", -3: "0", math.NaN(): "0", 0.04: "0", 0.4: "0.4", 9.94: "9.9", 9.96: "10", 1204.4: "1204", 9999: "9999", 9999.6: "10k",
		12345: "12.3k", 99_960: "100k", 4_512_003: "4.5M", 999_400: "999k", 999_600: "1M", 98_100_000: "98.1M", 1e30: "9999T", math.Inf(1): "9999T",
	} {
		if got := amount(n); got != want {
			t.Errorf("amount(%v) = %s, not %s", n, got, want)
		}
	}
}

func TestPercentOf(t *testing.T) {
	for _, tt := range []struct {
		part, whole uint64
		want        string
	}{{0, 5, "0"}, {1, 1e9, "< 0.01"}, {1, 1000, "0.10"}, {1, 3, "33.3"}, {5, 5, "100.0"}, {999_999, 1e6, "> 99.9"}} {
		if got := percentOf(tt.part, tt.whole); got != tt.want {
			t.Errorf("%d of %d are %s %%, not %s", tt.part, tt.whole, got, tt.want)
		}
	}
}

func TestFit(t *testing.T) {
	for _, tt := range []struct {
		text      string
		columns   int
		end, both string
	}{
		{"abcdef", 6, "abcdef", "abcdef"}, {"abcdefg", 6, "abcde…", "abc…fg"}, {"abcdefg", 1, "…", "…"}, {"abc", 0, "", ""},
		{"中文中文", 8, "中文中文", "中文中文"}, {"中文中文", 7, "中文中…", "中…文"}, {"中文中文", 2, "…", "…"},
	} {
		if end, both := fit(tt.text, tt.columns), fitName(tt.text, tt.columns); end != tt.end || both != tt.both {
			t.Errorf("%q in %d columns: %q and %q, not %q and %q", tt.text, tt.columns, end, both, tt.end, tt.both)
		}
	}
}

// A screen does not change what it is made of.
func TestScreenOnlyLooks(t *testing.T) {
	w, same := watchedCases(t, kb.English)["mixed"], watchedCases(t, kb.English)["mixed"]
	w.Recent, same.Recent = Records{}, Records{}
	Screen(w, 80, 24, true)
	var before, after bytes.Buffer
	if JSON(&before, same.Doc) != nil || JSON(&after, w.Doc) != nil || before.String() != after.String() {
		t.Error("the document changed")
	}
	w.Doc, same.Doc = nil, nil
	if !reflect.DeepEqual(w, same) {
		t.Errorf("%+v became %+v", same, w)
	}
}

func BenchmarkScreen(b *testing.B) {
	w := watchedCases(b, kb.English)["sixty"]
	b.ReportAllocs()
	for b.Loop() {
		Screen(w, 120, 40, true)
	}
}
