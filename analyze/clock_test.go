package analyze

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode"
)

const year = 365 * 24 * time.Hour

// setBy is how clocks are set: when a gateway learns the time after it has booted, and by
// hand.
var setBy = []time.Duration{time.Hour, 10 * year, -time.Hour, -10 * year}

// Sessions of before and after the clock was set are in the order in which they were, and as
// far apart.
func TestWatchClockSet(t *testing.T) {
	for _, test := range []struct {
		name string
		tell func(st *story)
		// set is when the clock is set, in seconds.
		set  float64
		want []string
	}{
		{"a client ID that moves to another address", func(st *story) {
			st.close(st.accepted(0, "10.0.0.5", "gw-7"), 1800, decode.Client)
			st.accepted(2000, "10.0.0.6", "gw-7")
		}, 1900, nil},
		{"a client ID that is open at two addresses", func(st *story) {
			st.accepted(0, "10.0.0.5", "gw-7")
			st.accepted(2000, "10.0.0.6", "gw-7")
		}, 1900, []string{ClientIDShared}},
		{"attempts every 20 s", func(st *story) {
			for i := range 360 {
				at := 20 * float64(i)
				st.close(st.connect(at, "10.0.0.5", "gw-7"), at+0.1, decode.Broker)
			}
		}, 3590, []string{ClosedBeforeConnack}},
		{"attempts every 12 s", func(st *story) {
			for i := range 10 {
				at := 12 * float64(i)
				st.close(st.connect(at, "10.0.0.5", "gw-7"), at+0.1, decode.Broker)
			}
		}, 50, []string{ClosedBeforeConnack, RetryStorm}},
		{"one for another again and again", func(st *story) {
			clients := []string{"10.0.0.5", "10.0.0.6"}
			last := st.accepted(0, clients[0], "gw-7")
			for i := range 6 {
				at := 5 * float64(i+1)
				s := st.accepted(at, clients[(i+1)%2], "gw-7")
				st.close(last, at+0.003, decode.Broker)
				last = s
			}
		}, 12, []string{ClientIDTakeover}},
	} {
		for _, by := range setBy {
			t.Run(fmt.Sprint(test.name, ", by ", by), func(t *testing.T) {
				st := &story{}
				test.tell(st)
				w := NewWatch(Options{}, Limits{})
				set := (&story{}).at(test.set).Nano
				before, after := []*decode.Session{}, []*decode.Session{}
				for _, s := range st.sessions {
					switch {
					case s.Opened.Nano >= set:
						after = append(after, s)
					case s.Closed.Seen() && s.Closed.Nano >= set:
						early := *s // so it was known before
						early.Closed, early.BrokerClosed, early.ClosedBy, early.Close = decode.Event{}, decode.Event{}, 0, 0
						before, after = append(before, &early), append(after, s)
					default:
						before = append(before, s)
					}
				}
				for _, s := range before {
					if s.Closed.Seen() {
						w.Add(s)
					} else {
						w.Early(s)
					}
				}
				w.Changes()
				w.ClockSet(by)
				for _, s := range after {
					s.ClockSet(by)
					w.Early(s)
				}
				var got []string
				findings := w.Findings()
				for _, f := range findings {
					got = append(got, f.Symptom)
				}
				if !slices.Equal(got, test.want) {
					t.Fatalf("findings %v, want %v", got, test.want)
				}
				first := st.sessions[0].Opened.Time()
				for _, f := range findings {
					if !f.First.Equal(first) || !f.Last.IsZero() && f.Last.Before(f.First) {
						t.Errorf("%s from %s to %s, want from %s", f.Symptom, f.First, f.Last, first)
					}
				}
			})
		}
	}
}

// What a finding keeps of sessions that are forgotten moves too, and so do those that were
// not told yet; each once.
func TestWatchClockSetLongAfter(t *testing.T) {
	for name, untold := range map[string]func(*Watch) []*decode.Session{
		"evidence": func(w *Watch) (named []*decode.Session) {
			w.News()
			w.Changes()
			for _, e := range w.Findings()[0].Evidence {
				named = append(named, e.Session)
			}
			return named
		},
		"answered": func(w *Watch) []*decode.Session { w.Changes(); return w.news.Answered },
		"ended":    func(w *Watch) []*decode.Session { w.Changes(); return w.news.Ended },
		"changed":  func(w *Watch) []*decode.Session { w.News(); return w.ledger.sort()[0].fresh },
	} {
		t.Run(name, func(t *testing.T) {
			st := &story{}
			st.rejects(300, func(i int) string { return fmt.Sprint("gw-", i) })
			for i := range 500 {
				at := 1000 + float64(i)
				st.close(st.accepted(at, "10.0.0.6", fmt.Sprint("ok-", i)), at+0.5, decode.Client)
			}
			w := NewWatch(Options{}, Limits{Sessions: 200})
			was := map[*decode.Session]decode.Event{}
			for _, s := range st.sessions {
				was[s] = s.Opened
				w.Add(s)
			}
			before := w.Findings()[0]
			forgotten := slices.DeleteFunc(slices.Clone(untold(w)), func(s *decode.Session) bool { return slices.Contains(w.Sessions(), s) })
			if len(forgotten) == 0 {
				t.Fatal("none is forgotten")
			}
			w.ClockSet(year)
			for _, s := range slices.Concat(forgotten, w.Sessions()) {
				if by := s.Opened.Sub(was[s]); by != year {
					t.Fatalf("session %s was moved by %s", s.ID(), by)
				}
			}
			after := w.Findings()[0]
			if after.First.Sub(before.First) != year || after.Last.Sub(before.Last) != year {
				t.Errorf("from %s to %s, was from %s to %s", after.First, after.Last, before.First, before.Last)
			}
		})
	}
}

// watchedWhileSet watches a capture, and sets the clock at moments that are drawn by lot. It
// returns all that it found, with times as if nobody had set it.
func watchedWhileSet(t *testing.T, packets []capture.Packet, secrets [][]byte, seed uint64, by time.Duration) (told []string) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 11))
	w := NewWatch(Options{}, Limits{})
	d := decode.New(decode.Options{Capture: "live", Index: 1, Early: w.Early}, w.Add)
	now, offset, late := int64(0), int64(0), int64(0)
	sets := 1 + random.IntN(2)
	for i := 0; i < len(packets); {
		n := min(1+random.IntN(6), len(packets)-i)
		batch := capture.Batch{Packets: slices.Clone(packets[i : i+n]), Secrets: secrets}
		secrets, i = nil, i+n
		for j := range batch.Packets {
			p := &batch.Packets[j]
			now = max(now, p.Nano)
			if p.Nano > late { // else it was stamped before
				p.Nano += offset
			} else {
				p.Nano += offset - int64(by)
			}
		}
		d.AddBatch(&batch)
		for range random.IntN(3) {
			now += int64(random.IntN(200e6))
			if i < len(packets) {
				now = min(now, packets[i].Nano)
			}
			d.Tell(now+offset, random.IntN(5) == 0)
		}
		if random.IntN(3) == 0 {
			w.Changes()
		}
		if sets > 0 && now > late+int64(time.Second) && random.IntN(len(packets)/4+1) == 0 {
			sets--
			offset += int64(by)
			late = now + int64(random.IntN(50e6))
			d.ClockSet(now+offset, by)
			w.ClockSet(by)
		}
	}
	d.Close()
	for _, f := range w.Findings() {
		f.Facts.CertInDate = Fact[bool]{} // that goes by the clock as it is
		facts, err := json.Marshal(f.Facts)
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, fmt.Sprintln(f.Symptom, f.Severity, f.Broker, f.ClientIDs, f.Clients, f.Codes, f.Sessions,
			f.First.Add(-time.Duration(offset)), f.Last.Add(-time.Duration(offset)), len(f.Evidence), string(facts)))
	}
	for _, s := range w.Sessions() {
		s.ClockSet(-time.Duration(offset))
		record, err := json.Marshal(s.Record())
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, string(record))
	}
	return told
}

// Whoever sets the clock while a capture is watched, nothing else comes of it.
func TestWatchClockSetChangesNothing(t *testing.T) {
	captures, err := filepath.Glob("../testdata/*/capture.*")
	if err != nil || len(captures) == 0 {
		t.Fatalf("no cases in testdata (%v)", err)
	}
	compared := 0
	for _, path := range captures {
		packets, secrets := liveLike(t, path)
		if packets == nil {
			continue
		}
		compared++
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			for seed, by := range setBy {
				want := watchedWhileSet(t, packets, secrets, uint64(seed), 0)
				got := watchedWhileSet(t, packets, secrets, uint64(seed), by)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("set by %s (-not set, +set):\n%s", by, diff)
				}
			}
		})
	}
	if compared < len(captures)/2 {
		t.Errorf("only %d of %d captures are as live ones are", compared, len(captures))
	}
}

// liveLike returns the packets of a capture whose times are as those of a live one: each
// packet has one, and they go forward.
func liveLike(t *testing.T, path string) (packets []capture.Packet, secrets [][]byte) {
	t.Helper()
	source, err := pcapfile.Open(path, nil)
	if err != nil {
		return nil, nil
	}
	defer source.Close()
	var batch capture.Batch
	for last := int64(1); ; {
		if err := source.Read(&batch); err != nil {
			return packets, secrets
		}
		for _, s := range batch.Secrets {
			secrets = append(secrets, slices.Clone(s))
		}
		for _, p := range batch.Packets {
			if p.Nano < last {
				return nil, nil
			}
			last = p.Nano
			p.Data = slices.Clone(p.Data)
			packets = append(packets, p)
		}
	}
}
