package report

import (
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/kb"
)

// A finding that stands for many says of itself only what is its own.
func TestJoinedIsSaid(t *testing.T) {
	f := analyze.Finding{
		Symptom: "connection-refused", Severity: analyze.Error, Broker: "192.0.2.7:1883", Clients: []string{"10.0.0.1"}, Sessions: 19600,
		Joined: &analyze.Joined{Sessions: 1, Brokers: true},
	}
	for lang, want := range map[kb.Lang]string{
		kb.English: "Others like it, of other brokers, are counted with it: 19600 sessions in all.",
		kb.Chinese: "其他代理上的同类问题一并计入：共 19600 个会话。",
	} {
		d := describe(&f, lang)
		for what, text := range map[string]string{"summary": d.summary, "answer": d.answer} {
			if !strings.HasSuffix(text, want) || strings.Count(text, "19600") != 1 {
				t.Errorf("%s %s: %s", lang, what, text)
			}
		}
	}
	f.Joined.Brokers = false
	if d := describe(&f, kb.English); !strings.HasSuffix(d.summary, "Others like it are counted with it: 19600 sessions in all.") {
		t.Error(d.summary)
	}
	out, _ := findingOf(&f, nil, kb.English)
	if out.Joined == nil || out.Joined.Sessions != 1 || out.Joined.OtherBrokers || out.Sessions != 19600 {
		t.Errorf("%+v", out.Joined)
	}
}
