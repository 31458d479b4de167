package report

import (
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/kb"
)

// TestQuotesWhatAllSessionsSay: the broker's words are quoted as its answer where
// it gave every session the same, and else as an example.
func TestQuotesWhatAllSessionsSay(t *testing.T) {
	connack := func(text string) *decode.Session {
		return &decode.Session{Connack: &mqtt.Connack{Reason: text, ServerReference: text}}
	}
	disconnect := func(by decode.Side) *decode.Session {
		return &decode.Session{Connack: &mqtt.Connack{}, DisconnectBy: by, Disconnect: &mqtt.Disconnect{Reason: "r1", ServerReference: "r1"}}
	}
	for _, tt := range []struct {
		name     string
		sessions []*decode.Session
		unseen   int // sessions that the evidence leaves out
		all      bool
	}{
		{"one", []*decode.Session{connack("r1")}, 0, true},
		{"all the same", []*decode.Session{connack("r1"), connack("r1"), disconnect(decode.Broker)}, 0, true},
		{"the client's DISCONNECT", []*decode.Session{connack("r1"), disconnect(decode.Client)}, 0, false},
		{"another", []*decode.Session{connack("r1"), connack("r2")}, 0, false},
		{"one says nothing", []*decode.Session{connack("r1"), connack("")}, 0, false},
		{"no CONNACK", []*decode.Session{connack("r1"), {}}, 0, false},
		{"more than the evidence holds", []*decode.Session{connack("r1"), connack("r1")}, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := analyze.Finding{Symptom: "server-redirect", Codes: []string{"0x9d"}, Sessions: len(tt.sessions) + tt.unseen}
			for _, s := range tt.sessions {
				f.Evidence = append(f.Evidence, analyze.Evidence{Session: s})
			}
			f.Facts.Reason.Set("r1", 4)
			f.Facts.ServerReference.Set("r1", 4)
			want := map[kb.Lang][2]string{
				kb.English: {` and names, for example, r1 and says, for example, "r1".`, "another server, for example r1, with"},
				kb.Chinese: {"，并指明其他服务器，例如 r1，原因例如“r1”。", "其他服务器（例如 r1），"},
			}
			if tt.all {
				want = map[kb.Lang][2]string{
					kb.English: {` and names r1 "r1".`, "another server, r1, with"},
					kb.Chinese: {"，并指明 r1“r1”。", "其他服务器 r1，"},
				}
			}
			for lang, want := range want {
				d := describe(&f, lang)
				if !strings.HasSuffix(d.summary, want[0]) || !strings.Contains(d.answer, want[1]) {
					t.Errorf("summary %q, want %q\nanswer %q, want %q", d.summary, want[0], d.answer, want[1])
				}
			}
			for _, f.Symptom = range []string{"not-authorized", "identifier-rejected"} {
				if got := describe(&f, kb.English).summary; strings.Contains(got, `says, for example, "r1"`) == tt.all || !strings.Contains(got, `"r1"`) {
					t.Errorf("%s: %q", f.Symptom, got)
				}
			}
		})
	}
}
