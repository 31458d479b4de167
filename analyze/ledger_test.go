package analyze

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// sessionsOf adds up the sessions of findings by symptom.
func sessionsOf(found []Finding) map[string]int {
	sum := map[string]int{}
	for _, f := range found {
		sum[f.Symptom] += f.Sessions
	}
	return sum
}

// tellings is what Changes told.
type tellings struct {
	sessions map[string]int // by symptom
	known    map[int]bool
	changes  []string
}

// ask asks for changes.
func (ts *tellings) ask(t *testing.T, w *Watch) {
	t.Helper()
	if ts.sessions == nil {
		ts.sessions, ts.known = map[string]int{}, map[int]bool{}
	}
	changes, found := w.Changes(), w.Findings()
	for _, c := range changes {
		f := found[c.Finding]
		if c.New == ts.known[c.ID] {
			t.Fatalf("finding %d is new: %v, and was told before: %v", c.ID, c.New, ts.known[c.ID])
		}
		ts.known[c.ID] = true
		ts.sessions[f.Symptom] += len(c.Sessions) + c.More
		ts.changes = append(ts.changes, fmt.Sprintf("%s %s new=%v %d", f.Severity, f.Symptom, c.New, len(c.Sessions)+c.More))
	}
}

// unanswered tells of clients that wait for a CONNACK in vain, on connections that stay open.
func (st *story) unanswered(n int) {
	for i := range n {
		s := st.connect(float64(i), "10.0.0.9", fmt.Sprint("dev-", i))
		s.Outcome = decode.Unanswered
		s.CaptureEnd = s.ConnectAt
		s.CaptureEnd.Nano += 35e9
	}
}

// well tells of so many clients that come, are let in and go.
func (st *story) well(from float64, n int) {
	for i := range n {
		at := from + float64(i)
		s := st.accepted(at, "10.0.0.5", fmt.Sprint("ok-", len(st.sessions)))
		st.close(s, at+0.02, decode.Client)
		s.Close = decode.CloseDisconnect
	}
}

func early(w *Watch, sessions ...*decode.Session) {
	for _, s := range sessions {
		w.Early(clone(s))
	}
}

func add(w *Watch, sessions ...*decode.Session) {
	for _, s := range sessions {
		w.Add(clone(s))
	}
}

// What is refuted just when sessions are forgotten is withdrawn like any other.
func TestLedgerWithdrawsAfterForgetting(t *testing.T) {
	for more := range 20 { // one of these many makes it forget
		st := &story{}
		st.unanswered(3)
		open := st.sessions[:3]
		st.well(100, 60)
		rest := st.sessions[3:]
		w := NewWatch(Options{}, Limits{Sessions: 32})
		early(w, open...)
		w.Changes()
		add(w, rest[:20+more]...)
		for _, s := range open[:2] {
			st.answer(s, 140, 0)
		}
		early(w, open[:2]...)
		w.Changes()
		add(w, rest[20+more:]...)
		if got := sessionsOf(w.Findings()); got[NoConnack] != 1 || got[SlowConnack] != 2 {
			t.Errorf("after %d others: %v, want one without CONNACK and two late ones", more, got)
		}
	}
}

// A session that shows a finding only together with one that is forgotten stays counted; and
// it does not begin to show another.
func TestLedgerForgettingChangesNothing(t *testing.T) {
	for _, test := range []struct {
		name string
		tell func(st *story) // two sessions that stay, behind one that does not
	}{
		{"taken over from one that is forgotten", func(st *story) {
			old := st.accepted(0, "10.0.0.2", "pump")
			st.accepted(5, "10.0.0.3", "pump")
			st.close(old, 5.003, decode.Broker)
			st.accepted(6, "10.0.0.4", "valve")
		}},
		{"that was taken over, and those behind it alternate", func(st *story) {
			old := st.accepted(0, "10.0.0.2", "pump")
			next := st.accepted(5, "10.0.0.3", "pump")
			st.close(old, 5.003, decode.Broker)
			st.close(next, 6, decode.Client)
			st.accepted(7, "10.0.0.2", "pump")
			st.accepted(8, "10.0.0.3", "pump")
		}},
		{"that shows that MQTT is spoken without TLS", func(st *story) {
			plain := st.accepted(0, "10.0.0.2", "pump")
			st.close(plain, 1, decode.Client)
			for i := range 2 {
				s := st.connect(float64(5+i), "10.0.0.3", "valve")
				st.close(s, 5.1+float64(i), decode.Broker)
			}
			for _, s := range st.sessions {
				s.Broker = addr(8883)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			st := &story{}
			test.tell(st)
			w := NewWatch(Options{}, Limits{Sessions: 40})
			var told tellings
			add(w, st.sessions[0])
			early(w, st.sessions[1:]...)
			told.ask(t, w)
			want, tells := sessionsOf(w.Findings()), len(told.changes)
			if len(want) == 0 {
				t.Fatal("nothing is found")
			}
			others := &story{}
			others.well(100, 45)
			for i, s := range others.sessions {
				s.Number = uint32(1000 + i)
				add(w, s)
				told.ask(t, w)
			}
			if w.Evicted().Sessions == 0 {
				t.Fatal("it forgot nothing")
			}
			if got := sessionsOf(w.Findings()); !maps.Equal(got, want) || len(told.changes) != tells {
				t.Errorf("%v was told, %v when it had forgotten; told %q", want, got, told.changes)
			}
		})
	}
}

// A copy of a session does not count for it when that is forgotten.
func TestLedgerForgetsCopies(t *testing.T) {
	st := &story{}
	st.rejects(200, func(i int) string { return fmt.Sprint("gw-", i) })
	var all []*decode.Session
	for i, s := range st.sessions {
		s.HasISN, s.ClientISN, s.BrokerISN = true, uint32(7+i), uint32(1000+i)
		twin := clone(s)
		twin.Number, twin.Client = uint32(1000+i), netip.MustParseAddrPort("192.0.2.1:1234")
		all = append(all, s, twin)
	}
	w := NewWatch(Options{}, Limits{Sessions: 32})
	for _, s := range all {
		add(w, s)
		w.News()
	}
	got, want := w.Totals(), analyzed(all).Totals()
	if got.Sessions != want.Sessions || got.Connections != want.Connections || got.Sessions != 200 {
		t.Errorf("%d sessions of %d connections, want %d of %d", got.Sessions, got.Connections, want.Sessions, want.Connections)
	}
	if n := sessionsOf(w.Findings())[NotAuthorized]; n != 200 {
		t.Errorf("%d sessions are rejected, want 200", n)
	}
}

// What gets worse is told again, and nothing else is.
func TestLedgerTellsWorse(t *testing.T) {
	waits := func(st *story) *decode.Session {
		s := st.connect(0, "10.0.0.2", "pump")
		s.Connect, s.ConnectAt, s.ConnectBegan, s.FirstFromClient = nil, decode.Event{}, decode.Event{}, decode.Event{}
		s.MQTT, s.First, s.FirstPacket, s.Inner = false, decode.FirstNothing, 0, decode.FirstNothing
		st.close(s, 5, decode.Broker)
		s.Outcome = decode.Unknown
		return s
	}
	asks := func(st *story) *decode.Session {
		s := st.connect(0, "10.0.0.2", "pump")
		st.close(s, 5, decode.Broker)
		return s
	}
	late := func(note bool) func(*story) *decode.Session {
		return func(st *story) *decode.Session {
			s := st.connect(0, "10.0.0.2", "pump")
			st.answer(s, 4, 0)
			if note {
				s.Notes.Add(decode.NoteLateConnack)
			}
			return s
		}
	}
	for _, test := range []struct {
		name          string
		before, after func(*story) *decode.Session
		want          []string
	}{
		{"in another line", waits, asks, []string{
			"warning closed-before-connack new=true 1", "error closed-before-connack new=true 1",
		}},
		{"back again", asks, waits, []string{"error closed-before-connack new=true 1"}},
		{"in its line", late(false), late(true), []string{
			"warning slow-connack new=true 1", "error slow-connack new=false 1",
		}},
		{"and better", late(true), late(false), []string{"error slow-connack new=true 1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := NewWatch(Options{}, Limits{})
			var told tellings
			for range 3 {
				for _, now := range []func(*story) *decode.Session{test.before, test.after} {
					early(w, now(&story{}))
					told.ask(t, w)
					told.ask(t, w)
				}
			}
			if !slices.Equal(told.changes, test.want) {
				t.Errorf("told %q, want %q", told.changes, test.want)
			}
			if got := sessionsOf(w.Findings()); len(got) != 1 || slices.Max(slices.Collect(maps.Values(got))) != 1 {
				t.Errorf("findings %v, want one session", got)
			}
		})
	}
}

// A session that moves before it was told is told once, where it is by then.
func TestLedgerTellsWhatMoved(t *testing.T) {
	st := &story{}
	s := st.connect(0, "10.0.0.2", "pump")
	s.Connect.ClientID = ""
	st.answer(s, 0.1, 2)
	w := NewWatch(Options{}, Limits{})
	early(w, s)
	w.News()
	s.Connect = clone(s.Connect)
	s.Connect.ClientID = "pump"
	early(w, s)
	w.News()
	var told tellings
	told.ask(t, w)
	if want := []string{"error identifier-rejected new=true 1"}; !slices.Equal(told.changes, want) {
		t.Errorf("told %q, want %q", told.changes, want)
	}
}

// A finding that was joined with others and shows up again is told by what is new of it; and
// what is joined stays as severe as the worst of it.
func TestLedgerJoinsWhatWasTold(t *testing.T) {
	st := &story{}
	w := NewWatch(Options{}, Limits{Findings: 2})
	var told tellings
	last := map[string]*decode.Session{}
	takeOver := func(at float64, id, client string) {
		s := st.accepted(at, client, id)
		s.Last = s.ConnackAt
		if old := last[id]; old != nil {
			st.close(old, at+0.003, decode.Broker)
			early(w, old)
		}
		last[id] = s
		early(w, s)
		told.ask(t, w)
	}
	reject := func(at float64) {
		for _, code := range []byte{5, 3} {
			s := st.connect(at, "10.0.0.9", "tap")
			st.answer(s, at+0.05-float64(code)/100, code)
			s.Last = s.ConnackAt
			early(w, s)
		}
		told.ask(t, w)
	}
	takeOver(0, "pump", "10.0.0.2")
	takeOver(1, "pump", "10.0.0.3")
	takeOver(2, "pump", "10.0.0.2") // back again: worse
	reject(3)
	takeOver(4, "pump", "10.0.0.3")
	reject(5)
	takeOver(6, "valve", "10.0.0.2")
	takeOver(7, "valve", "10.0.0.3")
	reject(8)
	want := []string{
		"warning client-id-takeover new=true 2",
		"error client-id-takeover new=false 1",
		"error not-authorized new=true 1", "error server-unavailable new=true 1",
		// There is room for two: takeovers have become a line of several, by their ID.
		"error client-id-takeover new=false 1",
		"error not-authorized new=false 1", "error server-unavailable new=false 1",
		"error client-id-takeover new=false 2", // the valve, which is no worse
		"error not-authorized new=false 1", "error server-unavailable new=false 1",
	}
	if !slices.Equal(told.changes, want) {
		t.Errorf("told\n%q, want\n%q", told.changes, want)
	}
	var got []string
	for _, f := range w.Findings() {
		got = append(got, fmt.Sprint(f.Severity, " ", f.Symptom, " ", f.Sessions))
	}
	if want := []string{"error client-id-takeover 6", "error not-authorized 3", "error server-unavailable 3"}; !slices.Equal(got, want) {
		t.Errorf("findings %q, want %q", got, want)
	}
}

// A session that forgetting barred from a symptom counts when it shows it for another reason.
func TestLedgerCountsAnew(t *testing.T) {
	st := &story{}
	old := st.accepted(0, "10.0.0.2", "pump")
	next := st.accepted(5, "10.0.0.3", "pump")
	st.close(old, 5.003, decode.Broker)
	st.close(next, 6, decode.Client)
	stays := st.accepted(7, "10.0.0.2", "pump")
	goes := st.accepted(8, "10.0.0.3", "pump")
	w := NewWatch(Options{}, Limits{Sessions: 40})
	add(w, old)
	early(w, next, stays, goes)
	w.Changes()
	others := func(from float64) {
		st := &story{}
		st.well(from, 45)
		for _, s := range st.sessions {
			s.Number += uint32(from)
			add(w, s)
			w.Changes()
		}
	}
	others(100) // after which that one was taken over is forgotten, and the others seem to share
	if got := sessionsOf(w.Findings()); got[ClientIDShared] != 0 {
		t.Fatalf("findings %v, want none of a shared ID", got)
	}
	st.close(goes, 200, decode.Client)
	add(w, next, goes)
	others(300)
	others(400)
	early(w, st.accepted(500, "10.0.0.4", "pump"))
	if got := sessionsOf(w.Findings()); got[ClientIDShared] != 2 {
		t.Errorf("findings %v, want two sessions that share an ID", got)
	}
}

// What a session showed with one that is forgotten is not refuted by what it shows with others.
func TestLedgerHoldsWhatMoves(t *testing.T) {
	st := &story{}
	w := NewWatch(Options{}, Limits{Sessions: 40})
	check := func(when string, want int) {
		t.Helper()
		if got := sessionsOf(w.Findings())[ClientIDTakeover]; got != want {
			t.Errorf("%s: %d sessions of takeovers, want %d", when, got, want)
		}
	}
	of7 := func(at float64, client, id string) *decode.Session {
		s := st.accepted(at, client, id)
		s.Connect.UserTag = 7
		early(w, s)
		return s
	}
	old := st.accepted(0, "10.0.0.2", "pump")
	now := of7(5, "10.0.0.3", "pump")
	st.close(old, 5.003, decode.Broker)
	add(w, old)
	check("taken over", 2)
	others := &story{}
	others.well(100, 45)
	for _, s := range others.sessions {
		s.Number += 1000
		add(w, s)
	}
	check("forgotten", 2)
	now.LastFromClient = st.at(190)
	of7(200, "10.0.0.4", "valve")
	st.close(now, 200.003, decode.Broker)
	early(w, now)
	check("taken over again, it seems, by the user's name", 3)
	of7(300, "10.0.0.5", "tap")
	check("and it does not, for the user has several", 2)
}

// Takeovers by user name are one finding a user, whenever they come.
func TestLedgerTellsUsersApart(t *testing.T) {
	st := &story{}
	w := NewWatch(Options{}, Limits{})
	for i := range 2 {
		at := float64(i * 10)
		old := st.accepted(at, "10.0.0.2", fmt.Sprint("a-", i))
		now := st.accepted(at+1, "10.0.0.3", fmt.Sprint("b-", i))
		old.Connect.UserTag, now.Connect.UserTag = mqtt.Tag(7+i), mqtt.Tag(7+i)
		st.close(old, at+1.0021, decode.Broker)
		if i == 0 {
			st.close(now, at+2, decode.Client)
			add(w, old, now)
			w.Last()
			w.forget(&w.ended)
			w.forget(&w.ended)
			continue
		}
		early(w, old, now)
	}
	found := w.Findings()
	if len(found) != 2 || found[0].Sessions != 2 || found[1].Sessions != 2 {
		t.Errorf("findings %+v, want two of two sessions", found)
	}
}

// What is withdrawn before it was told is not told, however much else there is to tell.
func TestLedgerTellsNoMoreThanIs(t *testing.T) {
	const n = maxFresh + 500
	st := &story{}
	st.unanswered(n)
	w := NewWatch(Options{}, Limits{})
	early(w, st.sessions...)
	w.News() // an analysis, and nothing told
	for _, s := range st.sessions[n/2:] {
		st.answer(s, float64(n), 5)
	}
	early(w, st.sessions[n/2:]...)
	var told tellings
	told.ask(t, w)
	if got := sessionsOf(w.Findings()); got[NoConnack] != n/2 || told.sessions[NoConnack] != n/2 {
		t.Errorf("%d of %d are told, and %d counted", told.sessions[NoConnack], n/2, got[NoConnack])
	}
}

// A finding stays as severe as what is forgotten of it was.
func TestLedgerKeepsSeverity(t *testing.T) {
	st := &story{}
	for i := range 10 { // two devices that take the session from each other
		at := float64(i)
		st.accepted(at, fmt.Sprint("10.0.0.", 2+i%2), "pump")
		if i > 0 {
			st.close(st.sessions[i-1], at+0.003, decode.Broker)
		}
	}
	st.close(st.sessions[9], 10, decode.Client)
	st.well(20, 60)
	w := NewWatch(Options{}, Limits{Sessions: 32})
	add(w, st.sessions...)
	// One that replaces its own half-open connection.
	old := st.accepted(5000, "10.0.0.2", "pump")
	now := st.accepted(5100, "10.0.0.2", "pump")
	st.close(old, 5100.003, decode.Broker)
	add(w, old)
	early(w, now)
	for _, f := range w.Findings() {
		if n, _ := f.Facts.Takeovers.Get(); f.Symptom == ClientIDTakeover && f.Severity == Error && f.Sessions == 12 && n == 10 {
			return
		}
	}
	t.Errorf("findings %+v, want an error of 10 takeovers", w.Findings())
}

// scan tells of a host that tries so many endpoints, each once: some refuse, some say no.
func scan(n int) []*decode.Session {
	c := newCrowd()
	for i := range n {
		s := c.connect(host(1), "scanner")
		s.Broker = netip.AddrPortFrom(host(1000+i), 1883)
		if i%2 == 0 {
			c.refuse(s)
			s.Last = s.Rare().Refusal
			continue
		}
		c.answer(s, 5)
		c.end(s, 1e6, decode.Broker)
	}
	return c.sessions
}

// A scan makes as many findings as endpoints. They are joined, and none is left out.
func TestLedgerCountsScan(t *testing.T) {
	const n = 5000
	sessions := scan(n)
	for _, test := range []struct {
		name         string
		limits       Limits
		every, lines int
	}{
		{"at once", Limits{Sessions: 2 * n}, n, 600},
		{"little by little", Limits{}, 50, 600},
		{"in a window", Limits{Sessions: 300, Findings: 20}, 100, 70},
		{"one by one", Limits{Sessions: 60, Findings: 5}, 1, 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := NewWatch(Options{}, test.limits)
			var told tellings
			made := 0
			for i, s := range sessions {
				add(w, s)
				if (i+1)%test.every == 0 {
					told.ask(t, w)
				}
				room := 2*max(test.limits.Findings, 200) + 2*len(rules)
				if n := w.ledger.made - made; n > room || len(w.ledger.lines) > room {
					t.Fatalf("there are %d lines, and %d were made at once", len(w.ledger.lines), n)
				}
				made = w.ledger.made
			}
			told.ask(t, w)
			want := map[string]int{ConnectionRefused: n / 2, NotAuthorized: n / 2}
			found := w.Findings()
			if got := sessionsOf(found); !maps.Equal(got, want) || !maps.Equal(told.sessions, want) {
				t.Errorf("findings of %v were told, and %v counted, want %v", told.sessions, got, want)
			}
			for _, f := range found {
				if f.Severity != Error || f.Broker == "" || len(f.Clients) == 0 || len(f.Evidence) == 0 || f.Last.Before(f.First) {
					t.Fatalf("finding %+v", f)
				}
				// Each endpoint shows its finding once: more are those of others.
				if joined := f.Joined != nil && f.Joined.Brokers && f.Joined.Sessions == 1; joined != (f.Sessions > 1) {
					t.Errorf("%d sessions are of one finding: %+v", f.Sessions, f.Joined)
				}
			}
			if len(found) > test.lines || w.Omitted() != 0 {
				t.Errorf("%d findings and %d others, want %d at most", len(found), w.Omitted(), test.lines)
			}
			if e := w.Evicted().Findings; e == 0 || e > n {
				t.Errorf("it joined %d findings of %d", e, n)
			}
			if got := w.Totals().Brokers; got != n {
				t.Errorf("%d brokers, want %d", got, n)
			}
		})
	}
}

// However many endpoints a scan tries, about as many findings are new as are kept apart, and
// what comes after tells how many there are.
func TestLedgerTellsOfScan(t *testing.T) {
	const n, every = 1000, 5
	for _, limits := range []Limits{{}, {Sessions: 60, Findings: 5}, {Findings: 1}} {
		w := NewWatch(Options{}, limits)
		news, told := 0, 0
		for i, s := range scan(n) {
			add(w, s)
			if i%every != 0 && i != n-1 {
				continue
			}
			for _, c := range w.Changes() {
				told += len(c.Sessions) + c.More
				if c.New {
					news++
				}
			}
		}
		// All are new that come together when room runs out.
		if most := w.limits.Findings + every; news > most || told != n {
			t.Errorf("with %+v %d findings are new, want %d at most; %d of %d sessions were told", limits, news, most, told, n)
		}
		// What is kept apart is not among the joined.
		if e := w.Evicted().Findings; e < n-w.limits.Findings || e > n {
			t.Errorf("with %+v %d findings are joined", limits, e)
		}
	}
}

// Steady symptoms, more than there is room for, are told each under one ID, have one line
// each, and say that they are joined only where they are.
func TestLedgerDoesNotThrash(t *testing.T) {
	const rounds = 50
	for most := 1; most <= 4; most++ {
		for _, window := range []int{40, 3000} {
			st := &story{}
			w := NewWatch(Options{}, Limits{Findings: most, Sessions: window})
			ids := map[string]map[int]bool{}
			news := 0
			for i := range rounds {
				for j, code := range []byte{5, 3, 2, 99} {
					at := float64(i*100 + 20*j) // no storm
					s := st.connect(at, "10.0.0.9", fmt.Sprint("dev-", i))
					st.answer(s, at+0.01, code)
					st.close(s, at+0.02, decode.Broker)
					add(w, s)
					changes, found := w.Changes(), w.Findings()
					for _, c := range changes {
						symptom := found[c.Finding].Symptom
						if ids[symptom] == nil {
							ids[symptom] = map[int]bool{}
						}
						ids[symptom][c.ID] = true
						if c.New {
							news++
						}
					}
				}
			}
			found := w.Findings()
			if len(found) != 4 || len(ids) != 4 || news != 4 {
				t.Errorf("room for %d of %d sessions: %d findings, %d symptoms told, %d times as new; want 4 of each", most, window, len(found), len(ids), news)
			}
			for symptom, of := range ids {
				if len(of) != 1 {
					t.Errorf("room for %d: %s was told under %d IDs", most, symptom, len(of))
				}
			}
			for _, f := range found {
				if f.Sessions != rounds || f.Joined != nil {
					t.Errorf("room for %d: %s of %d sessions, joined %+v", most, f.Symptom, f.Sessions, f.Joined)
				}
			}
			if e := w.Evicted().Findings; e != 0 {
				t.Errorf("room for %d: %d findings are joined with others", most, e)
			}
		}
	}
}

// What is joined is counted by findings, however often they come, and says that it is of
// other brokers only if it is.
func TestLedgerCountsJoined(t *testing.T) {
	for _, test := range []struct {
		name           string
		codes, brokers int
		times          int
	}{
		{"four kinds at one broker", 4, 1, 30},
		{"one kind at many", 1, 300, 5},
		{"some kinds at some", 3, 20, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			st := &story{}
			w := NewWatch(Options{}, Limits{Findings: 1})
			for range test.times {
				for b := range test.brokers {
					for code := range test.codes {
						at := float64(len(st.sessions))
						s := st.connect(at, "10.0.0.9", fmt.Sprint("dev-", len(st.sessions)))
						s.Broker = netip.AddrPortFrom(host(1000+b), 1883)
						st.answer(s, at+0.01, byte(100+code)) // no code that has a rule of its own
						st.close(s, at+0.02, decode.Broker)
						add(w, s)
					}
				}
				w.Changes()
			}
			n := test.codes * test.brokers
			if e := w.Evicted().Findings; e != n && e != n-1 { // one may be apart
				t.Errorf("%d of %d findings are joined", e, n)
			}
			joined := 0
			for _, f := range w.Findings() {
				if f.Joined == nil {
					continue
				}
				joined++
				if f.Joined.Brokers != (test.brokers > 1) {
					t.Errorf("of %d brokers: %+v", test.brokers, f.Joined)
				}
			}
			if joined != 1 {
				t.Errorf("%d findings stand for others, want 1", joined)
			}
		})
	}
}

// A session that shows a finding, then does not and then does again, is told once.
func TestLedgerTellsOnceWhatComesBack(t *testing.T) {
	st := &story{}
	w := NewWatch(Options{}, Limits{})
	told, ids, withdrawn := 0, map[int]bool{}, 0
	at, was := 0.0, 0
	for i := range 7 {
		every := 2.0 // a storm, and then a client that waits between attempts
		if i%2 == 1 {
			every = 40
		}
		for range 4 << i {
			at += every
			s := st.connect(at, "10.0.0.9", "pump")
			st.answer(s, at+0.01, 5)
			st.close(s, at+0.02, decode.Broker)
			add(w, s)
			changes, found := w.Changes(), w.Findings()
			for _, c := range changes {
				if found[c.Finding].Symptom != RetryStorm {
					continue
				}
				told += len(c.Sessions) + c.More
				if c.New != (len(ids) == 0) {
					t.Errorf("the storm is new: %v, and was told as %v", c.New, ids)
				}
				ids[c.ID] = true
			}
			now := sessionsOf(found)[RetryStorm]
			if now < was {
				withdrawn++
			}
			was = now
		}
	}
	if withdrawn < 2 || was == 0 {
		t.Fatalf("the storm was refuted %d times and has %d sessions: nothing is tested", withdrawn, was)
	}
	if told > len(st.sessions) || told < was || len(ids) != 1 {
		t.Errorf("of %d sessions %d are of the storm, and %d were told under %d IDs", len(st.sessions), was, told, len(ids))
	}
	for _, k := range w.all() {
		if len(k.withdrawn) > 1 {
			t.Fatalf("a session remembers %d withdrawals", len(k.withdrawn))
		}
	}
}

// Takeovers are those of the finding: a session that took one over and was taken over itself
// by one that is not seen is one in each of two findings.
func TestLedgerCountsTakeovers(t *testing.T) {
	st := &story{}
	old := st.accepted(0, "10.0.0.2", "pump")
	next := st.accepted(5, "10.0.0.3", "pump")
	st.close(old, 5.003, decode.Broker)
	st.close(next, 9, decode.Broker)
	next.Disconnect, next.DisconnectBy = &mqtt.Disconnect{Code: takenOver, HasCode: true}, decode.Broker
	w := NewWatch(Options{}, Limits{})
	for range 3 {
		early(w, st.sessions...)
		brief := func(found []Finding) (all []string) {
			for _, f := range found {
				n, _ := f.Facts.Takeovers.Get()
				all = append(all, fmt.Sprint(f.Symptom, f.Sessions, n))
			}
			slices.Sort(all)
			return all
		}
		if got, want := brief(w.Findings()), brief(st.findings()); !slices.Equal(got, want) || len(want) != 2 {
			t.Errorf("findings %q, want %q", got, want)
		}
	}
}

// Any conversation, watched with room for few findings, is counted as one that is read.
func TestLedgerCountsAsAnalyzer(t *testing.T) {
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 1))
		b := newBustle(random, 300)
		limits := Limits{Findings: 1 + random.IntN(8)}
		if seed%2 == 0 {
			limits.Findings = 1000
		}
		w := NewWatch(Options{}, limits)
		var told tellings
		b.watch(w, func() {
			told.ask(t, w)
			ix := analyzed(b.known()).index()
			want := map[string]int{}
			for _, d := range ix.allDrafts() {
				want[rules[d.rule].symptom] += len(d.sessions)
			}
			if got := sessionsOf(w.Findings()); !maps.Equal(got, want) {
				t.Fatalf("seed %d: %v, want %v", seed, got, want)
			}
			for symptom, n := range want {
				if told.sessions[symptom] < n {
					t.Fatalf("seed %d: of %d sessions of %s %d were told", seed, n, symptom, told.sessions[symptom])
				}
			}
		})
	}
}

// And so it is, by all that a session shows itself, when it keeps few sessions.
func TestLedgerCountsWhatItForgot(t *testing.T) {
	alone := []string{NotAuthorized, IdentifierRejected, ServerUnavailable, ConnectionRefused, ClosedBeforeConnack, NoConnack, SlowConnack, ConnackOther}
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 2))
		b := newBustle(random, 400)
		w := NewWatch(Options{}, Limits{Sessions: 8 + random.IntN(60), Findings: 1 + random.IntN(8)})
		b.watch(w, func() {
			before := sessionsOf(w.Findings())
			forgot := w.evicted
			w.forget(&w.ended)
			if after := sessionsOf(w.Findings()); !maps.Equal(before, after) {
				t.Fatalf("seed %d: %v before it forgot %d sessions, then %v", seed, before, w.evicted-forgot, after)
			}
		})
		got, want := sessionsOf(w.Findings()), sessionsOf(analyzed(b.known()).Findings())
		for _, symptom := range alone {
			if got[symptom] != want[symptom] {
				t.Errorf("seed %d: %d sessions of %s, want %d", seed, got[symptom], symptom, want[symptom])
			}
		}
		if got[ClientIDTakeover] > want[ClientIDTakeover] {
			t.Errorf("seed %d: %d sessions of takeovers, of %d", seed, got[ClientIDTakeover], want[ClientIDTakeover])
		}
		total := w.Totals()
		if want := analyzed(b.known()).Totals(); total.Sessions != want.Sessions || total.Brokers != want.Brokers || total.Rejected != want.Rejected {
			t.Errorf("seed %d: totals %+v, want %+v", seed, total, want)
		}
	}
}

// bustle is random sessions, and each as it was told while it was open.
type bustle struct {
	random *rand.Rand
	// told holds, by session, all that was told of it by the end.
	told [][]*decode.Session
	// now is what was told last of each that was told at all.
	now map[uint32]*decode.Session
}

func newBustle(random *rand.Rand, n int) *bustle {
	b := &bustle{random: random, now: map[uint32]*decode.Session{}}
	st := &story{}
	held := map[string]*decode.Session{}
	for i := range n {
		at := float64(i)
		client, id := fmt.Sprint("10.0.0.", random.IntN(4)), fmt.Sprint("dev-", random.IntN(6))
		if random.IntN(3) == 0 {
			id = fmt.Sprint("other-", i)
		}
		s := st.connect(at, client, id)
		s.Broker = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(random.IntN(5))}), 1883)
		s.Connect.UserTag = mqtt.Tag(random.IntN(60))
		waits := clone(s)
		waits.Outcome, waits.CaptureEnd = decode.Unanswered, waits.ConnectAt
		waits.CaptureEnd.Nano += 35e9
		versions := []*decode.Session{}
		if random.IntN(2) == 0 {
			versions = append(versions, waits)
		}
		switch random.IntN(8) {
		case 0:
			st.answer(s, at+0.01, []byte{2, 3, 5, 5, 77, 78, 79}[random.IntN(7)])
			st.close(s, at+0.02, decode.Broker)
		case 1:
			st.close(s, at+0.01, decode.Broker)
		case 2:
			st.answer(s, at+3, 0)
			versions = append(versions, clone(s))
			st.close(s, at+20, decode.Client)
		case 3:
			st.close(s, at+40, decode.Client)
		case 4:
			s.MakeRare().Refusal = st.at(at + 0.01)
			s.Connect, s.MQTT, s.First, s.FirstPacket, s.Outcome = nil, false, 0, 0, decode.Refused
			s.SynAck, s.ConnectAt, s.ConnectBegan = decode.Event{}, decode.Event{}, decode.Event{}
			versions = nil
		default:
			st.answer(s, at+0.01, 0)
			key := id + s.Broker.String()
			if old := held[key]; old != nil && !old.Closed.Seen() {
				st.close(old, at+0.012, decode.Broker)
				sayTaken(old, random)
			}
			held[key] = s
			versions = append(versions, clone(s))
			switch random.IntN(4) {
			case 0:
				st.close(s, at+0.5, decode.Broker)
				sayTaken(s, random)
			case 1:
				st.close(s, at+0.5, decode.Client)
			}
		}
		b.told = append(b.told, append(versions, s))
	}
	return b
}

// sayTaken has the broker say, or not, that a session is taken over.
func sayTaken(s *decode.Session, random *rand.Rand) {
	if random.IntN(2) == 0 {
		s.Disconnect, s.DisconnectBy = &mqtt.Disconnect{Code: takenOver, HasCode: true}, decode.Broker
	}
}

// watch tells a Watch of the sessions, several of them open at any time, and calls check now
// and then and in the end.
func (b *bustle) watch(w *Watch, check func()) {
	open := []int{}
	step := func() {
		i := b.random.IntN(min(len(open), 12))
		versions := &b.told[open[i]]
		s := (*versions)[0]
		b.now[s.Number] = s
		if *versions = (*versions)[1:]; len(*versions) > 0 {
			w.Early(clone(s))
		} else {
			w.Add(clone(s))
			open = slices.Delete(open, i, i+1)
		}
		if b.random.IntN(20) == 0 {
			check()
		}
	}
	for i := range b.told {
		open = append(open, i)
		for len(open) > 1 && b.random.IntN(3) > 0 {
			step()
		}
	}
	for len(open) > 0 {
		step()
	}
	check()
}

// known are the sessions as they were told last.
func (b *bustle) known() []*decode.Session { return slices.Collect(maps.Values(b.now)) }

// A seenSet counts what is new, and forgets what came first.
func TestSeenSet(t *testing.T) {
	s := newSeenSet[int](4)
	for _, test := range []struct{ add, count, evicted int }{
		{1, 1, 0}, {1, 1, 0}, {2, 2, 0}, {3, 3, 0}, {4, 4, 0}, {1, 4, 0},
		{5, 5, 1}, {2, 5, 1}, {1, 6, 2}, {2, 7, 3}, {5, 7, 3}, {4, 7, 3},
	} {
		if s.add(test.add); s.count != test.count || s.evicted != test.evicted || len(s.known) > 4 {
			t.Fatalf("with %d: %d were counted and %d forgotten, want %d and %d", test.add, s.count, s.evicted, test.count, test.evicted)
		}
	}
}

// BenchmarkWatchScan is one analysis of what a Watch keeps by default while a scan goes on.
func BenchmarkWatchScan(b *testing.B) {
	sessions := scan(20_000)
	w := NewWatch(Options{}, Limits{})
	add(w, sessions[:5000]...)
	b.ReportAllocs()
	for i := 5000; b.Loop(); i++ {
		add(w, sessions[i%len(sessions)])
		w.Changes()
	}
}
