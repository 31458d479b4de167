package report

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/kb"
)

// rejected is a session whose empty client ID the broker refuses.
func rejected() *decode.Session {
	at := time.Date(2026, 3, 2, 22, 13, 20, 0, time.UTC)
	event := func(packet int) decode.Event {
		return decode.EventAt(packet, at.Add(time.Duration(packet)*time.Millisecond))
	}
	return &decode.Session{
		Origin: &decode.Origin{Capture: "a.pcap", Index: 1}, Number: 4, Stream: 3, MQTT: true, First: decode.FirstMQTT,
		Client:  netip.MustParseAddrPort("10.0.0.5:51234"),
		Broker:  netip.MustParseAddrPort("10.0.0.1:1883"),
		Connect: &mqtt.Connect{Name: "MQTT", Level: 4, Version: mqtt.V311, KeepAlive: 60, Length: 14},
		Connack: &mqtt.Connack{Version: mqtt.V311, Code: 2},
		Outcome: decode.Rejected,
		Opened:  event(1), Syn: event(1), SynAck: event(2), ConnectAt: event(4), ConnackAt: event(6),
		ConnectBegan: event(4), Closed: event(7), BrokerClosed: event(7), Last: event(9), CaptureEnd: event(9),
		ClosedBy: decode.Broker, Close: decode.CloseFIN,
	}
}

func buildOf(t *testing.T, lang kb.Lang, change func(*Input)) *Document {
	t.Helper()
	base, err := kb.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	a := analyze.New(analyze.Options{})
	a.Add(rejected())
	in := Input{Version: "v1", Analyzer: a, Base: base, Lang: lang}
	if change != nil {
		change(&in)
	}
	return Build(in)
}

func TestBuild(t *testing.T) {
	doc := buildOf(t, kb.English, nil)
	if len(doc.Findings) != 1 {
		t.Fatalf("%d findings, want 1", len(doc.Findings))
	}
	f := doc.Findings[0]
	if f.Symptom != "identifier-rejected" || f.Severity != "error" || f.Broker != "10.0.0.1:1883" || f.Sessions != 1 {
		t.Errorf("finding %+v", f)
	}
	if len(f.Evidence) != 1 || f.Evidence[0].Filter != "tcp.stream eq 3" || f.Evidence[0].Session != "c1.4" || !slices.Contains(f.Evidence[0].Packets, 6) {
		t.Errorf("evidence %+v", f.Evidence)
	}
	if want := "Broker 10.0.0.1:1883 rejects an empty client ID with 0x02 (identifier rejected), once."; !strings.HasPrefix(doc.Answer, want) {
		t.Errorf("answer %q", doc.Answer)
	}
	fix := withStatus(f.Advice[0].Fixes, func(f *Fix) kb.Status { return f.Status }, kb.Recommended)[0].Text
	if fix == "" || !strings.Contains(doc.Answer, fix) {
		t.Errorf("the answer %q does not end with the first fix %q", doc.Answer, fix)
	}
	if doc.Totals.Rejected != 1 || doc.Totals.ConnackMaxMS != nil {
		t.Errorf("totals %+v", doc.Totals)
	}
	if want := (Code{"3.1.1", "0x02", "identifier rejected", 1}); len(doc.Codes) != 1 || doc.Codes[0] != want {
		t.Errorf("codes %+v, want %+v", doc.Codes, want)
	}
	if !doc.Sessions.IsZero() {
		t.Error("sessions are there unasked")
	}
}

func TestBuildInChinese(t *testing.T) {
	doc := buildOf(t, kb.Chinese, nil)
	f := doc.Findings[0]
	for what, text := range map[string]string{
		"answer": doc.Answer, "title": f.Title, "summary": f.Summary,
		"entry": f.Advice[0].Title, "cause": f.Advice[0].Causes[0].Text, "fix": f.Advice[0].Fixes[0].Text,
	} {
		if !strings.ContainsFunc(text, func(r rune) bool { return r >= 0x4e00 && r <= 0x9fff }) {
			t.Errorf("the %s is not Chinese: %q", what, text)
		}
	}
}

func TestBuildHidesLowerSeverities(t *testing.T) {
	doc := buildOf(t, kb.English, func(in *Input) { in.MinSeverity = analyze.Error + 1 })
	if len(doc.Findings) != 0 || doc.Hidden != 1 {
		t.Errorf("%d findings, %d hidden", len(doc.Findings), doc.Hidden)
	}
	if !strings.Contains(doc.Answer, "1 finding of lower severity is not shown") {
		t.Errorf("answer %q", doc.Answer)
	}
}

func TestBuildListsSessionsWhenAsked(t *testing.T) {
	doc := buildOf(t, kb.English, func(in *Input) { in.Sessions = true })
	if doc.Sessions.Len() != 1 || doc.Sessions.At(0).ID != "c1.4" || doc.Sessions.At(0).Code != "0x02" {
		t.Errorf("sessions %+v", doc.Sessions)
	}
	none := buildOf(t, kb.English, func(in *Input) { in.Sessions, in.Analyzer = true, analyze.New(analyze.Options{}) })
	if none.Sessions.IsZero() {
		t.Error("an empty list of sessions is null")
	}
}

// Advice that was spelled out is not repeated for the next finding.
func TestTableSaysAdviceOnce(t *testing.T) {
	doc := buildOf(t, kb.English, nil)
	once := render(t, doc, TableOptions{Width: 80})
	doc.Findings = append(doc.Findings, doc.Findings[0])
	twice := render(t, doc, TableOptions{Width: 80})
	if !strings.Contains(twice, "Advice      as in 1\n") || strings.Contains(once, "as in") {
		t.Errorf("the second finding repeats the advice:\n%s", twice)
	}
	if a, b := strings.Count(once, "\n"), strings.Count(twice, "\n"); b-a > 12 {
		t.Errorf("the second finding takes %d lines", b-a)
	}
}
