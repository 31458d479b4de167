//go:build live && linux

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/report"
)

// promptly is how long after the packet that shows it something is reported.
const promptly = time.Second

// delays are how long reports took, of all labs.
var delays struct {
	sync.Mutex
	of map[string][]time.Duration
}

// TestReports plays every scenario in every lab, before the program under test in
// three forms: lines for people, lines for programs, and a report in the end.
func TestReports(t *testing.T) {
	needs(t, "mosquitto", "mosquitto_pub", "mosquitto_passwd", "openssl")
	needsPaho(t)
	program(t)
	delays.of = map[string][]time.Duration{}
	t.Run("labs", func(t *testing.T) {
		for _, place := range labs {
			t.Run(place.name, func(t *testing.T) {
				t.Parallel()
				playAll(t, place.build(t))
			})
		}
	})
	var rows strings.Builder
	for _, name := range slices.Sorted(maps.Keys(delays.of)) {
		all := delays.of[name]
		slices.Sort(all)
		fmt.Fprintf(&rows, "  %-56s %3d  %7.1f %7.1f %7.1f\n", name, len(all), inMS(all[0]), inMS(all[len(all)/2]), inMS(all[len(all)-1]))
	}
	t.Logf("from the packet to the line, in milliseconds: least, median, most\n%s", rows.String())
}

func inMS(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// watched is the program under test and how its news are read.
type watched struct {
	name    string
	process *process
	news    func([]line) []news
}

func playAll(t *testing.T, l *lab) {
	sniffer := sniff(t, l.capture, l.clock)
	watch := []watched{
		{"journal", l.watch(), journalNews},
		{"stream", l.watch("-f", "ndjson"), streamNews},
		{"lean stream", l.watch("--lean", "-f", "ndjson"), streamNews},
	}
	silent := l.watch("-f", "json")
	want := map[string]int{}
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) { play(t, l, s, sniffer, watch, want) })
	}
	for _, seg := range sniffer.since(time.Time{}) {
		if seg.vlan != l.vlan {
			t.Fatalf("a segment was on VLAN %d, not %d: the lab is not what it should be", seg.vlan, l.vlan)
		}
	}
	for _, w := range watch {
		status, took := w.process.stop()
		if status != 0 {
			t.Errorf("%s ended with status %d", w.name, status)
		}
		t.Logf("%s ended %v after SIGINT", w.name, took)
	}
	if silent.stop(); t.Failed() || testing.Verbose() {
		for _, w := range watch {
			t.Logf("%s:\n%s%s", w.name, text(w.process.stdout()), text(w.process.stderr()))
		}
	}
	doc := document(t, []byte(text(silent.stdout())))
	got := map[string]int{
		"accepted": doc.Totals.Accepted, "rejected": doc.Totals.Rejected, "refused": doc.Totals.Refused,
		"unanswered": doc.Totals.Unanswered, "tls_failed": doc.Totals.TLSFailed,
	}
	for _, f := range doc.Findings {
		got[f.Symptom] += f.Sessions
	}
	if !maps.Equal(got, want) {
		t.Errorf("the final report has\n  %v, not\n  %v\n%s", got, want, brief(doc))
	}
	holdsNoSecret(t, append(watch, watched{name: "json", process: silent}))
}

// play plays one scenario and waits for what is to be reported of it.
func play(t *testing.T, l *lab, s scenario, sniffer *sniffer, watch []watched, want map[string]int) {
	begin := time.Now()
	if err := s.play(l); err != nil {
		t.Fatalf("the scenario itself: %v", err)
	}
	sessions := s.sessions
	accepted := s.accepted
	if s.symptom == "client-id-takeover" && sessions < 0 {
		// How often two clients take each other over is theirs to decide; all of their
		// sessions are in the finding.
		sessions = connacks(sniffer.since(begin))
		accepted = sessions
	}
	expected := map[string]int{}
	if s.symptom != "" {
		expected[s.symptom] = sessions
	}
	maps.Copy(expected, s.besides)
	for name, n := range expected {
		want[name] += n
	}
	for name, n := range map[string]int{"accepted": accepted, "rejected": s.rejected, "refused": s.refused, "unanswered": s.unanswered, "tls_failed": s.tlsFailed} {
		want[name] += n
	}
	if len(expected) == 0 {
		time.Sleep(promptly) // nothing may come
	}
	for _, w := range watch {
		all := func() []news { return since(w.news(w.process.stdout()), begin) }
		// What comes too late is not taken for the next scenario's.
		err := eventually(30*time.Second, func() error { return s.toldBy(all(), expected) })
		if err != nil {
			t.Errorf("%s: %v\n%s", w.name, err, newsText(all()))
			continue
		}
		if s.tells == nil || s.symptom == "" {
			continue
		}
		at, ok := s.tells(l.clients[0], sniffer.since(begin))
		if !ok {
			t.Errorf("the packet that shows it was not seen")
			continue
		}
		last := time.Time{}
		for _, n := range all() {
			if n.symptom == s.symptom {
				last = n.at
			}
		}
		delay := last.Sub(at)
		if delay > promptly || delay < 0 {
			t.Errorf("%s: reported %v after the packet", w.name, delay)
		}
		delays.Lock()
		delays.of[s.name+", "+w.name] = append(delays.of[s.name+", "+w.name], delay)
		delays.Unlock()
	}
}

// toldBy reports whether the news are those expected: each symptom once, for its
// sessions, under its name, and no other symptom.
func (s *scenario) toldBy(all []news, expected map[string]int) error {
	lines, fresh := map[string]int{}, map[string]int{}
	for _, n := range all {
		lines[n.symptom]++
		fresh[n.symptom] += n.fresh
		if expected[n.symptom] == 0 {
			return fmt.Errorf("%s is reported, and was not done", n.symptom)
		}
		if n.symptom == s.symptom && !strings.Contains(n.text, s.names) {
			return fmt.Errorf("%s is reported, and not of %q", n.symptom, s.names)
		}
	}
	for name, sessions := range expected {
		most := 1 // line; the sessions of a loop come one after the other
		if s.twice {
			most = 2
		}
		if s.sessions < 0 {
			most = sessions
		}
		switch {
		case lines[name] == 0:
			return fmt.Errorf("%s is not reported", name)
		case fresh[name] > 0 && fresh[name] != sessions:
			return fmt.Errorf("%s is reported for %d sessions, and is of %d", name, fresh[name], sessions)
		case lines[name] > most:
			return fmt.Errorf("%s has %d lines", name, lines[name])
		}
	}
	return nil
}

func newsText(all []news) string {
	var b strings.Builder
	for _, n := range all {
		fmt.Fprintf(&b, "  %s %s\n", n.at.Format("15:04:05.000"), n.text)
	}
	return b.String()
}

// connacks counts the CONNACKs that accept.
func connacks(seen []segment) int {
	n := 0
	for _, s := range seen {
		if s.from.Port() == plainPort && len(s.payload) >= 4 && s.payload[0] == 0x20 && s.payload[3] == 0 {
			n++
		}
	}
	return n
}

// brief is a report in a few lines.
func brief(doc *report.Document) string {
	var b strings.Builder
	totals, _ := json.Marshal(doc.Totals)
	fmt.Fprintf(&b, "  totals %s\n", totals)
	for _, f := range doc.Findings {
		fmt.Fprintf(&b, "  %s %s ×%d %v at %s: %s\n", f.Severity, f.Symptom, f.Sessions, f.ClientIDs, f.Broker, f.Summary)
	}
	return b.String()
}

// holdsNoSecret reads all that was written: no password may be in it.
func holdsNoSecret(t *testing.T, watch []watched) {
	t.Helper()
	for _, w := range watch {
		all := text(w.process.stdout()) + text(w.process.stderr())
		for _, secret := range []string{goodPassword, wrongPassword, goodUser} {
			if strings.Contains(all, secret) {
				t.Errorf("%s: the output has %q in it", w.name, secret)
			}
		}
	}
}
