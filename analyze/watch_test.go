package analyze

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/decode"
)

// rejects tells of clients that are refused, each with a client ID of its own, and closed.
func (st *story) rejects(n int, id func(i int) string) {
	for i := range n {
		at := float64(len(st.sessions))
		s := st.connect(at, "10.0.0.5", id(i))
		st.answer(s, at+0.01, 5)
		st.close(s, at+0.02, decode.Broker)
	}
}

func TestWatchIsSmall(t *testing.T) {
	const kept, all = 100, 5000
	for _, test := range []struct {
		name string
		id   func(i int) string
		most int
	}{
		{"short client IDs", func(i int) string { return fmt.Sprint("gw-", i) }, kept},
		{"long client IDs", func(i int) string { return fmt.Sprint(strings.Repeat("x", 60_000), i) }, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			st := &story{}
			st.rejects(all/max(1, len(test.id(0))/1000), test.id)
			w := NewWatch(Options{}, Limits{Sessions: kept, ClientIDs: 50, Findings: 5})
			for _, s := range st.sessions {
				w.Add(s)
			}
			if n := len(w.Sessions()); n > test.most {
				t.Errorf("%d sessions are kept, want %d at most", n, test.most)
			}
			n := len(st.sessions)
			if got := w.Totals(); got.Sessions != n || got.Rejected != n || got.ClientIDs != n || len(got.Codes) != 1 || got.Codes[0].Count != n {
				t.Errorf("totals %+v, want %d of all", got, n)
			}
			found := w.Findings()
			if len(found) != 1 || found[0].Sessions != n || found[0].Last.Sub(found[0].First).Seconds() < float64(n-1) {
				t.Errorf("findings %+v, want one of %d sessions", found, n)
			}
			if e := w.Evicted(); e.Sessions < n-kept || n > 50 && e.ClientIDs != n-50 {
				t.Errorf("forgot %+v of %d", e, n)
			}
		})
	}
}

// Findings that nothing shows any more keep their counts and little else.
func TestWatchKeepsCounts(t *testing.T) {
	st := &story{}
	st.rejects(300, func(i int) string { return fmt.Sprint("gw-", i) })
	old := len(st.sessions)
	for i := range 500 {
		s := st.accepted(1000+float64(i), "10.0.0.6", fmt.Sprint("ok-", i))
		st.close(s, 1000.5+float64(i), decode.Client)
	}
	w := NewWatch(Options{}, Limits{Sessions: 200})
	told := 0
	for i, s := range st.sessions {
		w.Add(s)
		if i%7 == 0 {
			for _, c := range w.Changes() {
				told += len(c.Sessions) + c.More
			}
		}
	}
	for _, c := range w.Changes() {
		told += len(c.Sessions) + c.More
	}
	found := w.Findings()
	if len(found) != 1 || found[0].Sessions != old || told != old {
		t.Fatalf("%d sessions were told, findings %+v; want one of %d sessions", told, found, old)
	}
	if f := found[0]; len(f.ClientIDs) > maxNamed || len(f.Evidence) > maxSeen || len(f.Evidence) == 0 {
		t.Errorf("a finding of the past keeps %d client IDs and %d sessions", len(f.ClientIDs), len(f.Evidence))
	}
}

// Where there are too many findings, the oldest are joined, and no session is lost.
func TestWatchJoinsFindings(t *testing.T) {
	st := &story{}
	const brokers = 30
	st.rejects(brokers*4, func(i int) string { return fmt.Sprint("gw-", i) })
	for i, s := range st.sessions {
		s.Connack = clone(s.Connack)
		s.Connack.Code = byte(100 + i%brokers) // no code that has a rule of its own
	}
	w := NewWatch(Options{}, Limits{Findings: 5})
	for _, s := range st.sessions {
		w.Add(s)
		w.Changes()
	}
	sum := 0
	found := w.Findings()
	for _, f := range found {
		sum += f.Sessions
	}
	if len(found) > 6 || sum != len(st.sessions) {
		t.Errorf("%d findings of %d sessions in all, want 6 at most of %d", len(found), sum, len(st.sessions))
	}
	if e := w.Evicted(); e.Findings == 0 {
		t.Error("it does not say that findings were joined")
	}
}

// What was told of an open connection is withdrawn when it turns out otherwise.
func TestWatchWithdraws(t *testing.T) {
	st := &story{}
	s := st.connect(0, "10.0.0.5", "gw-7")
	st.answer(s, 3, 0) // slow, and accepted in the end
	late := *s
	early := *s
	early.Connack, early.ConnackAt, early.Outcome = nil, early.Closed, decode.Unanswered
	early.CaptureEnd = early.ConnectAt
	early.CaptureEnd.Nano += 40e9
	w := NewWatch(Options{}, Limits{})
	w.Early(&early)
	if c, f := w.Changes(), w.Findings(); len(c) != 1 || len(f) != 1 || f[0].Symptom != NoConnack {
		t.Fatalf("changes %v, findings %v", c, f)
	}
	w.Early(&late)
	w.Changes()
	if f := w.Findings(); len(f) != 1 || f[0].Symptom != SlowConnack {
		t.Errorf("findings %+v, want only that it is slow", f)
	}
	if got := w.Totals(); got.Sessions != 1 || got.Accepted != 1 || got.Unanswered != 0 {
		t.Errorf("totals %+v, want one that was accepted", got)
	}
}

func clone[T any](v *T) *T {
	c := *v
	return &c
}
