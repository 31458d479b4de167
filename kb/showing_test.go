package kb

import (
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
)

// Advice in other words is the same advice: conditions see the facts themselves,
// every sentence the values that are shown.
func TestConsultShowing(t *testing.T) {
	b := embeddedBase(t)
	f := analyze.Finding{Symptom: "http-on-mqtt-port"}
	f.Facts.HTTPPath.Set("/healthz", 4)
	f.Facts.WSUpgrade.Set(false, 4)
	shown := f.Facts
	shown.HTTPPath.Set("/veil", 4)
	plain, veiled := b.Consult(f), b.ConsultShowing(f, shown)
	if len(plain) == 0 || len(plain) != len(veiled) {
		t.Fatalf("%d pieces of advice, shown otherwise %d", len(plain), len(veiled))
	}
	told := 0
	for i := range plain {
		if plain[i].Entry != veiled[i].Entry {
			t.Errorf("entry %s became %s", plain[i].Entry.ID, veiled[i].Entry.ID)
		}
		want, got := statusesOf(plain[i]), statusesOf(veiled[i])
		for id, w := range want {
			g := got[id]
			if w.status != g.status {
				t.Errorf("%s: %s became %s", id, w.status, g.status)
			}
			for _, text := range [][2]string{{w.because.En, g.because.En}, {w.because.Zh, g.because.Zh}} {
				told += strings.Count(text[0], "/healthz")
				if replaced := strings.ReplaceAll(text[0], "/healthz", "/veil"); text[1] != replaced {
					t.Errorf("%s: %q, want %q", id, text[1], replaced)
				}
			}
		}
	}
	if told == 0 {
		t.Error("no sentence tells the path")
	}
}
