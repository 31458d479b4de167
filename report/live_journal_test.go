package report

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

// storyOf is a Finding as it grows.
type storyOf struct {
	id      string
	finding Finding
	told    bool
}

// newStory is of a finding that nothing was told of.
func newStory(id string, f Finding) *storyOf {
	f.Sessions = 0
	return &storyOf{id: id, finding: f}
}

// happens is news of so many sessions, of which some are not named.
func (s *storyOf) happens(at time.Time, sessions, unnamed int) Happening {
	s.finding.Sessions += sessions
	s.finding.Last = decode.Stamp(at)
	var records []decode.Record
	for i := range sessions - unnamed {
		records = append(records, handshake(at, fmt.Sprintf("10.0.0.%d:51234", 2+i), "gw-7", decode.Rejected, "0x05", "not authorized"))
	}
	f := s.finding
	h := Happening{ID: s.id, Finding: &f, New: !s.told, Sessions: RecordsOf(records...), More: unnamed}
	s.told = true
	return h
}

func takeoverFinding(t testing.TB, lang kb.Lang) Finding {
	name := "takeover"
	if lang == kb.Chinese {
		name = "takeover-zh"
	}
	return load(t, "testdata/"+name+".json").Findings[0]
}

var (
	journalLine = regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (ERROR|WARNING|INFO|错误|警告|提示) (\S+) (\S+) (.+)$`)
	oneSession  = regexp.MustCompile(`^session (\d+): `)
	someMore    = regexp.MustCompile(`^\+(\d+) more(?: in \d+ (?:s|min|h|d))?(?:, (\d+) in all)?(?:;|$)`)
)

// countOfLine is how many sessions a line tells; opening those of the line that is of
// neither later session.
func countOfLine(t testing.TB, line string, opening int) int {
	t.Helper()
	m := journalLine.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("not a line of the journal: %q", line)
	}
	if one := oneSession.FindStringSubmatch(m[5]); one != nil {
		return 1
	}
	if some := someMore.FindStringSubmatch(m[5]); some != nil {
		n, err := strconv.Atoi(some[1])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return opening
}

func TestJournalGolden(t *testing.T) {
	for _, lang := range []kb.Lang{kb.English, kb.Chinese} {
		name := "live-journal"
		if lang == kb.Chinese {
			name += "-zh"
		}
		t.Run(name, func(t *testing.T) {
			head := LiveHead{Lang: lang, Started: noon}
			j := NewJournal(head, false)
			var lines []string
			say := func(more ...string) { lines = append(lines, more...) }
			say(j.Notice(Started(noon, []string{"eth0", "wg0"}, "tcp port 1883"))...)
			one, two := newStory("1", takeoverFinding(t, lang)), newStory("2", takeoverFinding(t, lang))
			two.finding.Symptom, two.finding.Severity, two.finding.Broker, two.finding.Advice = "slow-connack", "info", "[2001:db8::1]:8883", nil
			at := func(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }
			say(j.Lines([]Happening{one.happens(at(1), 1, 0)}, at(1.2))...)
			say(j.Lines([]Happening{one.happens(at(2), 1, 0), two.happens(at(2), 2, 0)}, at(2.2))...)
			say(j.Notice(InterfaceDown(at(3), "wg0"))...)
			say(j.Lines([]Happening{one.happens(at(3), 20, 0)}, at(3.2))...)
			say(j.Lines([]Happening{one.happens(at(3.5), 300, 200)}, at(3.7))...)
			say(j.Lines(nil, at(3.9))...)
			say(j.Notice(Dropped(at(4), "eth0", 412, 1_204_000))...)
			say(j.Notice(Dropped(at(5), "eth0", 500, 1_204_000))...)
			say(j.Lines(nil, at(5))...)
			say(j.Notice(InterfaceUp(at(6), "wg0"))...)
			say(j.Notice(Evicted(at(7), "sessions", 1000))...)
			say(j.Notice(EvidenceFailed(at(8), "handshakes.pcapng", errors.New("no space left on device")))...)
			say(j.Lines([]Happening{one.happens(at(9), 1, 0), one.happens(at(9.1), 1, 0)}, at(9.2))...)
			say(j.Lines([]Happening{one.happens(at(9.5), 4, 0)}, at(9.6))...)
			say(j.Lines(nil, at(64))...)
			say(j.Rest(at(80))...)
			say(j.Notice(Ended(at(80), 80*time.Second, 330, 2, 500))...)
			got := strings.Join(lines, "\n") + "\n"
			golden := "testdata/" + name + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the journal differs from %s; got\n%s", golden, got)
			}
			for _, line := range lines {
				if !journalLine.MatchString(line) {
					t.Errorf("not a line of the journal: %q", line)
				}
			}
		})
	}
}

// A storm of hours takes a few lines a minute, and none of it is lost.
func TestJournalKeepsToItsBudget(t *testing.T) {
	j := NewJournal(LiveHead{Lang: kb.English}, false)
	finding := takeoverFinding(t, kb.English)
	stories := []*storyOf{newStory("1", finding), newStory("2", finding), newStory("3", finding)}
	const step = 500 * time.Millisecond
	told, lines, inSecond, worst := 0, 0, 0, 0
	atOnce := 0
	const hours = 2
	end := noon.Add(hours * time.Hour)
	for now := noon; now.Before(end); now = now.Add(step) {
		var happened []Happening
		for _, s := range stories {
			happened = append(happened, s.happens(now, 25, 20)) // fifty a second
		}
		out := j.Lines(happened, now)
		if now == noon {
			atOnce = len(out)
		}
		if now.Sub(noon)%time.Second == 0 {
			inSecond = 0
		}
		inSecond += len(out)
		worst = max(worst, inSecond)
		lines += len(out)
		for _, line := range out {
			told += countOfLine(t, line, 25)
		}
		// Nothing waits for long.
		if waits := all(stories) - told; waits > 3*50*65 {
			t.Fatalf("%d sessions wait at %v", waits, now)
		}
	}
	for _, line := range j.Rest(end) {
		told += countOfLine(t, line, 25)
	}
	if told != all(stories) {
		t.Errorf("%d sessions were told of %d", told, all(stories))
	}
	if atOnce != 3 || worst > 15 {
		t.Errorf("%d lines at once, %d in a second", atOnce, worst)
	}
	if most := 3 * (30 + hours*60 + 1); lines > most {
		t.Errorf("%d lines in %d hours, more than %d", lines, hours, most)
	}
}

func all(stories []*storyOf) (n int) {
	for _, s := range stories {
		n += s.finding.Sessions
	}
	return n
}

// A device that fails now and then is told each time, at once.
func TestJournalTellsEachOfAFew(t *testing.T) {
	j := NewJournal(LiveHead{Lang: kb.English}, false)
	s := newStory("1", takeoverFinding(t, kb.English))
	for i := range 100 {
		now := noon.Add(time.Duration(i) * 65 * time.Second)
		out := j.Lines([]Happening{s.happens(now, 1, 0)}, now)
		if len(out) != 1 || i > 0 && !strings.Contains(out[0], fmt.Sprintf(" session %d: ", i+1)) {
			t.Fatalf("session %d: %q", i+1, out)
		}
		if i > 0 && !strings.Contains(out[0], `"gw-7" from 10.0.0.2:51234, rejected 0x05 not authorized`) {
			t.Errorf("the line does not tell whose it is: %s", out[0])
		}
	}
}

// Whatever happens when, each session is told once, in lines that are lines.
func TestJournalLosesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	for range 60 {
		j := NewJournal(LiveHead{Lang: kb.English}, r.IntN(2) == 0)
		finding := takeoverFinding(t, kb.English)
		finding.Broker, finding.Summary, finding.Symptom = randomName(r), randomName(r)+"\n\x1b[2J", randomName(r)
		var stories []*storyOf
		for i := range 1 + r.IntN(90) {
			stories = append(stories, newStory(strconv.Itoa(i), finding))
		}
		// The sentence of a new finding has its sessions' number in it, to be read again.
		told, now := 0, noon
		read := func(lines []string) {
			for _, line := range lines {
				plain := ansi.ReplaceAllString(line, "")
				opening, _ := strconv.Atoi(plain[strings.LastIndexByte(plain, '#')+1:])
				told += countOfLine(t, plain, opening)
				for _, c := range plain {
					if hidden(c) {
						t.Fatalf("%U in %q", c, line)
					}
				}
			}
		}
		for range r.IntN(200) {
			now = now.Add(time.Duration(r.Int64N(int64(3 * time.Second))))
			if r.IntN(40) == 0 {
				now = now.Add(-time.Minute) // the clock is set
			}
			var happened []Happening
			for range r.IntN(5) {
				n := 1 + r.IntN(12)
				h := stories[r.IntN(len(stories))].happens(now, n, r.IntN(n+1))
				h.Finding.Advice, h.Finding.Summary = nil, fmt.Sprintf("%s#%d", finding.Summary, n)
				happened = append(happened, h)
			}
			read(j.Lines(happened, now))
		}
		read(j.Rest(now))
		if told != all(stories) {
			t.Fatalf("%d sessions were told of %d", told, all(stories))
		}
		if again := j.Rest(now); len(again) > 0 {
			t.Errorf("told twice: %q", again)
		}
	}
}

// New findings are told one by one, but not all at once; and those that there is no room to
// remember together.
func TestJournalOfManyFindings(t *testing.T) {
	j := NewJournal(LiveHead{Lang: kb.English}, false)
	var happened []Happening
	const findings = maxJournalled + 300
	for i := range findings {
		f := takeoverFinding(t, kb.English)
		f.Broker = fmt.Sprintf("10.0.%d.%d:1883", i/256, i%256)
		happened = append(happened, newStory(strconv.Itoa(i), f).happens(noon, 1, 0))
	}
	first := j.Lines(happened, noon)
	if len(first) > journalLimits.soon.burst || len(j.findings) != maxJournalled {
		t.Errorf("%d lines at once, %d findings remembered", len(first), len(j.findings))
	}
	seen, told := map[string]int{}, 0
	read := func(lines []string) {
		for _, line := range lines {
			broker := journalLine.FindStringSubmatch(line)[4]
			seen[broker]++
			told += countOfLine(t, line, 1)
			if broker == "-" && !strings.Contains(line, " ERROR client-id-takeover - +") {
				t.Errorf("of what: %s", line)
			}
		}
	}
	read(first)
	for now := noon; now.Before(noon.Add(2 * time.Hour)); now = now.Add(5 * time.Second) {
		read(j.Lines(nil, now))
	}
	if told != findings || len(seen) != maxJournalled+len(first)+1 {
		t.Errorf("%d findings were told of %d, %d of them one by one", told, findings, len(seen)-1)
	}
	for broker, n := range seen {
		if n != 1 {
			t.Errorf("the finding at %s was told %d times", broker, n)
		}
	}
}

// Findings without end, each new, take no more lines than there is a budget for.
func TestJournalKeepsToItsBudgetWithNewFindings(t *testing.T) {
	j := NewJournal(LiveHead{Lang: kb.English}, false)
	finding := takeoverFinding(t, kb.English)
	told, lines, n, sessions := 0, 0, 0, 0
	read := func(out []string) {
		for _, line := range out {
			// Each finding opens with two sessions.
			told += countOfLine(t, line, 2)
		}
	}
	const seconds = 30
	end := noon.Add(seconds * time.Second)
	for now := noon; now.Before(end); now = now.Add(250 * time.Millisecond) {
		var happened []Happening
		for range 200 {
			finding.Symptom = []string{"connection-refused", "client-id-takeover"}[n%2]
			s := newStory(strconv.Itoa(n), finding)
			happened = append(happened, s.happens(now, 2, 1))
			sessions += 2
			n++
			if n%3 == 0 {
				happened = append(happened, s.happens(now, 1, 0))
				sessions++
			}
		}
		out := j.Lines(happened, now)
		lines += len(out)
		read(out)
		if len(j.findings) > maxJournalled || len(j.forgotten) > 2 {
			t.Fatalf("%d findings and %d symptoms are remembered", len(j.findings), len(j.forgotten))
		}
	}
	if most := journalLimits.soon.burst + seconds; lines > most {
		t.Errorf("%d lines in %d s, more than %d", lines, seconds, most)
	}
	read(j.Rest(end))
	if told != sessions {
		t.Errorf("%d sessions were told of %d", told, sessions)
	}
}

// What was refuted while it was held back is not told: there are never more than all.
func TestJournalTellsNoMoreThanAll(t *testing.T) {
	j := NewJournal(LiveHead{Lang: kb.English}, false)
	s := newStory("1", takeoverFinding(t, kb.English))
	for range findingLimits.soon.burst {
		j.Lines([]Happening{s.happens(noon, 1, 0)}, noon)
	}
	if out := j.Lines([]Happening{s.happens(noon, 90, 90)}, noon); len(out) > 0 {
		t.Fatalf("told at once: %q", out)
	}
	s.finding.Sessions = 60
	j.Lines([]Happening{s.happens(noon, 4, 4)}, noon)
	out := strings.Join(j.Rest(noon), "\n")
	if !strings.Contains(out, "+64 more, 64 in all") {
		t.Error(out)
	}
}

func TestJournalColours(t *testing.T) {
	s := newStory("1", takeoverFinding(t, kb.English))
	h := s.happens(noon, 1, 0)
	plain := NewJournal(LiveHead{Lang: kb.English}, false).Lines([]Happening{h}, noon)[0]
	coloured := NewJournal(LiveHead{Lang: kb.English}, true).Lines([]Happening{h}, noon)[0]
	if strings.Contains(plain, "\x1b") || coloured == plain || ansi.ReplaceAllString(coloured, "") != plain {
		t.Errorf("%q and %q", plain, coloured)
	}
}

func TestJournalNotices(t *testing.T) {
	j := NewJournal(LiveHead{Lang: kb.English}, false)
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	tell := func(what string, n Notice, want string) {
		t.Helper()
		got := strings.Join(j.Notice(n), "\n")
		if want == "" && got != "" || want != "" && !strings.Contains(got, want) {
			t.Errorf("%s: %q, not %q", what, got, want)
		}
	}
	tell("no drops yet", Dropped(at(0), "eth0", 0, 100), "")
	tell("the first", Dropped(at(time.Second), "eth0", 1, 100), "WARNING dropped eth0 the kernel dropped 1 packet of eth0 so far, 1.0 %;")
	tell("no more", Dropped(at(2*time.Hour), "eth0", 1, 200), "")
	tell("more, an hour later", Dropped(at(3*time.Hour), "eth0", 9, 900), "dropped 9 packets")
	tell("more at once", Dropped(at(3*time.Hour+time.Second), "eth0", 10, 900), "")
	tell("another interface", Dropped(at(3*time.Hour+time.Second), "wg0", 10, 900), "dropped 10 packets of wg0")
	if got := j.Lines(nil, at(3*time.Hour+30*time.Second)); len(got) != 0 {
		t.Errorf("told too early: %q", got)
	}
	if got := j.Lines(nil, at(3*time.Hour+61*time.Second)); len(got) != 1 || !strings.Contains(got[0], "dropped 10 packets of eth0") {
		t.Errorf("what was held back: %q", got)
	}
	tell("evictions", Evicted(at(4*time.Hour), "client-ids", 5), "WARNING evicted client-ids 5 client IDs given up so far to stay small; --max-client-ids allows more")
	tell("more of them", Evicted(at(4*time.Hour+59*time.Minute), "client-ids", 6), "")
	tell("and an hour later", Evicted(at(5*time.Hour), "client-ids", 7), "7 client IDs")

	// A link that comes and goes by the second.
	told, left := 0, 0
	count := func(lines []string) {
		for _, line := range lines {
			told++
			if m := regexp.MustCompile(`\(\+(\d+) more\)$`).FindStringSubmatch(line); m != nil {
				n, _ := strconv.Atoi(m[1])
				left += n
			}
		}
	}
	const changes = 7200
	for i := range changes {
		now := at(6*time.Hour + time.Duration(i)*500*time.Millisecond)
		n := InterfaceDown(now, "ppp0")
		if i%2 == 1 {
			n = InterfaceUp(now, "ppp0")
		}
		count(j.Notice(n))
		count(j.Lines(nil, now))
	}
	last := j.Rest(at(8 * time.Hour))
	if len(last) != 1 || !strings.Contains(last[0], "ppp0 is back") {
		t.Errorf("the last is not told: %q", last)
	}
	count(last)
	if told+left != changes || told > 40 {
		t.Errorf("%d of %d changes were told in %d lines", told+left, changes, told)
	}
	tell("the clock", ClockSet(at(8*time.Hour), -90*time.Second), "WARNING clock-set - the clock went back by 90 s, as when it is set or the system sleeps")
	// The beginning and the end are always told.
	for range 100 {
		tell("the start", Started(noon, []string{"eth0"}, ""), "INFO started eth0 watching eth0")
		tell("the end", Ended(noon, time.Minute, 1, 0, 0), "INFO ended - ended after 60 s: 1 session, 0 findings")
	}
}

// However many subjects there are, memory is bounded.
func TestNoticesAreBounded(t *testing.T) {
	var s notices
	for i := range 10 * maxNotices {
		s.tell(InterfaceDown(noon, strconv.Itoa(i)))
	}
	if len(s.states) > maxNotices {
		t.Errorf("%d subjects", len(s.states))
	}
}

// Every notice has words in both languages, and no hole in them.
func TestEveryNoticeHasWords(t *testing.T) {
	all := []Notice{
		Started(noon, []string{"eth0", "wg0", "ppp0", "tun0", "any"}, "tcp port 1883 or tcp port 8883"), Started(noon, nil, ""),
		Ended(noon, time.Hour, 10, 1, 0), Ended(noon, time.Hour, 10, 1, 7),
		InterfaceDown(noon, "eth0"), InterfaceGone(noon, "eth0"), InterfaceUp(noon, "eth0"),
		ClockSet(noon, time.Hour), ClockSet(noon, -10*365*24*time.Hour),
		Dropped(noon, "eth0", 3, 10), Dropped(noon, "eth0", 3, 0), EvidenceFailed(noon, "", os.ErrPermission), EvidenceFailed(noon, "\x1b[2Ja.pcapng", os.ErrPermission),
	}
	for _, k := range evictedKinds {
		all = append(all, Evicted(noon, k.kind, 1))
	}
	for _, n := range all {
		for _, lang := range []kb.Lang{kb.English, kb.Chinese} {
			text := n.text(lang)
			if strings.Contains(text, "  ") || strings.ContainsAny(text, "{}\x1b") || text == "" {
				t.Errorf("%s: %q", n.Event, text)
			}
			if lang == kb.Chinese && englishIn(text) != "" && n.Error == "" {
				t.Errorf("%s in Chinese: %q", n.Event, text)
			}
		}
	}
}
