package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

var monday = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// capturedFor is a document of so many sessions in a capture of so long.
func capturedFor(start time.Time, d time.Duration, accepted int, findings ...Finding) *Document {
	doc := &Document{
		Schema: Schema, Lang: kb.English,
		Captures: []Capture{{Name: "a.pcap", First: decode.Stamp(start), Last: decode.Stamp(start.Add(d))}},
		Totals:   Totals{Accepted: accepted, Sessions: accepted, Brokers: 1},
		Findings: findings,
	}
	for _, f := range findings {
		doc.Totals.Sessions += f.Sessions
		doc.Totals.Rejected += f.Sessions
	}
	return doc
}

// shown is a finding that so many sessions show, spread over so long.
func shown(symptom string, sessions int, start time.Time, d time.Duration) Finding {
	return Finding{
		Symptom: symptom, Severity: "error", Title: symptom, Broker: "10.0.0.1:1883",
		ClientIDs: []string{"gw-7"}, Clients: []string{"10.0.0.2"}, Codes: []string{}, Sessions: sessions,
		First: decode.Stamp(start), Last: decode.Stamp(start.Add(d)),
		Advice: []Advice{{Entry: "auth/wrong", Fixes: []Fix{{Text: "Not this.", Status: kb.Possible}, {Text: "Set it.", Status: kb.Recommended}}}},
	}
}

func compareOne(t *testing.T, before, after *Document) Compared {
	t.Helper()
	c := Compare(before, after, CompareOptions{Lang: kb.English})
	if len(c.Findings) != 1 {
		t.Fatalf("%d findings, want 1: %+v", len(c.Findings), c.Findings)
	}
	return c.Findings[0]
}

func TestCompareStatus(t *testing.T) {
	const symptom = "server-unavailable"
	tuesday := monday.Add(24 * time.Hour)
	all := func(n int) Finding { return shown(symptom, n, monday, time.Hour) } // all through an hour
	record := func(addr, id string, outcome decode.Outcome) decode.Record {
		return decode.Record{Client: addr + ":1000", Broker: "10.0.0.1:1883", ClientID: &id, Outcome: outcome}
	}
	with := func(doc *Document, records ...decode.Record) *Document {
		doc.Sessions = RecordsOf(records...)
		return doc
	}
	refused := shown("bad-credentials", 5, monday, 7*time.Second)
	refusals := []decode.Record{record("10.0.0.2", "gw-7", decode.Rejected)}

	stormOf := func(codes ...string) Finding {
		f := shown("retry-storm", 5, monday, 7*time.Second)
		f.Codes = codes
		return f
	}

	for _, tt := range []struct {
		name          string
		before, after *Document
		status        Status
		basis         string
		sure          bool // a chance of 5 % or less is given
	}{
		{"a loop of an hour is over", capturedFor(monday, time.Hour, 100, all(60)), capturedFor(tuesday, time.Hour, 100), Gone, "counts", true},
		{"nobody tried", capturedFor(monday, time.Hour, 100, all(60)), capturedFor(tuesday, time.Hour, 0), Unproven, "counts", false},
		{"too short", capturedFor(monday, time.Hour, 100, all(60)), capturedFor(tuesday, time.Minute, 100), Unproven, "counts", false},
		{"a thousand retries of one minute are one occurrence", capturedFor(monday, time.Hour, 100, shown(symptom, 1000, monday, time.Minute)), capturedFor(tuesday, time.Hour, 1000), Unproven, "counts", false},
		{"and so are those of ten", capturedFor(monday, time.Hour, 100, shown(symptom, 1000, monday, 10*time.Minute)), capturedFor(tuesday, time.Hour, 1000), Unproven, "counts", false},
		{"a day is enough for one", capturedFor(monday, time.Hour, 100, shown(symptom, 1000, monday, time.Minute)), capturedFor(tuesday, 20*time.Hour, 3000), Gone, "counts", true},
		{"still", capturedFor(monday, time.Hour, 100, all(60)), capturedFor(tuesday, time.Hour, 100, shown(symptom, 50, tuesday, time.Hour)), Still, "counts", false},
		{"less", capturedFor(monday, time.Hour, 500, all(30)), capturedFor(tuesday, time.Hour, 500, shown(symptom, 4, tuesday, time.Hour)), Less, "counts", true},
		{"more", capturedFor(monday, time.Hour, 500, all(4)), capturedFor(tuesday, time.Hour, 500, shown(symptom, 30, tuesday, time.Hour)), More, "counts", true},
		{"new", capturedFor(monday, time.Hour, 500), capturedFor(tuesday, time.Hour, 500, shown(symptom, 30, tuesday, time.Hour)), New, "counts", true},
		{"perhaps new", capturedFor(monday, time.Minute, 500), capturedFor(tuesday, time.Hour, 500, shown(symptom, 3, tuesday, time.Hour)), New, "counts", false},

		{"refused and then let in", with(capturedFor(monday, 7*time.Second, 0, refused), refusals...),
			with(capturedFor(tuesday, time.Second, 1), record("10.0.0.9", "gw-7", decode.Accepted)), Gone, "accepted", false},
		{"let in before as well", with(capturedFor(monday, 7*time.Second, 1, refused), append(refusals, record("10.0.0.2", "gw-7", decode.Accepted))...),
			with(capturedFor(tuesday, time.Second, 1), record("10.0.0.2", "gw-7", decode.Accepted)), Unproven, "counts", false},
		{"another client is let in", with(capturedFor(monday, 7*time.Second, 0, refused), refusals...),
			with(capturedFor(tuesday, 24*time.Hour, 1000), record("10.0.0.3", "gw-8", decode.Accepted)), Unproven, "absent", false},
		{"another ID of that address is let in", with(capturedFor(monday, 7*time.Second, 0, refused), refusals...),
			with(capturedFor(tuesday, time.Second, 1), record("10.0.0.2", "gw-8", decode.Accepted)), Unproven, "counts", false},
		{"what comes and goes is not cured by one success", with(capturedFor(monday, 7*time.Second, 0, shown(symptom, 5, monday, 7*time.Second)), refusals...),
			with(capturedFor(tuesday, time.Second, 1), record("10.0.0.2", "gw-7", decode.Accepted)), Unproven, "counts", false},
		{"a storm of refusals ends with them", with(capturedFor(monday, 7*time.Second, 0, stormOf("0x05")), refusals...),
			with(capturedFor(tuesday, time.Second, 1), record("10.0.0.2", "gw-7", decode.Accepted)), Gone, "accepted", false},
		{"one of an unavailable broker may come back", with(capturedFor(monday, 7*time.Second, 0, stormOf("0x05", "0x03")), refusals...),
			with(capturedFor(tuesday, time.Second, 1), record("10.0.0.2", "gw-7", decode.Accepted)), Unproven, "counts", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := compareOne(t, tt.before, tt.after)
			if got.Status != tt.status || got.Basis != tt.basis {
				t.Errorf("%s by %s, want %s by %s: %s", got.Status, got.Basis, tt.status, tt.basis, got.Conclusion)
			}
			if sure := got.Chance != nil && *got.Chance <= maxChance; sure != tt.sure {
				t.Errorf("sure %v, want %v: %v", sure, tt.sure, got.Chance)
			}
			if needs := got.Status == Unproven && got.Basis == "counts"; (got.Needed != nil) != needs {
				t.Errorf("needed %+v", got.Needed)
			}
			if there := got.After.Sessions > 0; (got.Fix == "Set it.") != there || (got.Entry == "auth/wrong") != there {
				t.Errorf("fix %q of %q with %d sessions after", got.Fix, got.Entry, got.After.Sessions)
			}
		})
	}
}

// TestTheNeededObservationProves: with what an unproven finding is said to need,
// it is gone.
func TestTheNeededObservationProves(t *testing.T) {
	before := capturedFor(monday, time.Hour, 100, shown("server-unavailable", 12, monday, time.Hour))
	unproven := compareOne(t, before, capturedFor(monday.Add(24*time.Hour), time.Minute, 1))
	if unproven.Status != Unproven {
		t.Fatal(unproven.Status)
	}
	enough := capturedFor(monday.Add(24*time.Hour), unproven.Needed.observed(), unproven.Needed.Attempts)
	if got := compareOne(t, before, enough); got.Status != Gone {
		t.Errorf("%s after %+v: %s", got.Status, unproven.Needed, got.Conclusion)
	}
}

func TestWhatAReportLeavesOutIsNotGone(t *testing.T) {
	warning := shown("server-unavailable", 60, monday, time.Hour)
	warning.Severity = "warning"
	serious := shown("server-unavailable", 60, monday, time.Hour)
	for _, tt := range []struct {
		name    string
		finding Finding
		change  func(*Document)
		status  Status
	}{
		{"nothing", warning, func(*Document) {}, Gone},
		{"low severities", warning, func(d *Document) { d.Hidden = 1 }, Unproven},
		{"an error is never hidden", serious, func(d *Document) { d.Hidden = 1 }, Gone},
		{"the least severe", serious, func(d *Document) { d.Totals.FindingsOmitted = 1 }, Unproven},
	} {
		t.Run(tt.name, func(t *testing.T) {
			after := capturedFor(monday.Add(24*time.Hour), 10*time.Hour, 1000)
			tt.change(after)
			if got := compareOne(t, capturedFor(monday, time.Hour, 100, tt.finding), after); got.Status != tt.status {
				t.Errorf("%s, want %s", got.Status, tt.status)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	finding := func(symptom, broker string, codes []string, ids ...string) Finding {
		f := shown(symptom, 3, monday, time.Minute)
		f.Broker, f.Codes, f.ClientIDs = broker, codes, ids
		return f
	}
	const here, moved = "10.0.0.1:1883", "10.9.9.9:1883"
	empty := finding("identifier-rejected", here, []string{"0x02"}, "")
	empty.Facts.ClientIDEmpty.Set(true)
	unknownCA, expired := finding("tls-alert", here, nil), finding("tls-alert", here, nil)
	unknownCA.Facts.TLSAlert.Set("unknown_ca")
	expired.Facts.TLSAlert.Set("certificate_expired")
	elsewhere := finding("not-authorized", moved, []string{"0x05"})
	elsewhere.Clients = []string{"10.7.7.7"}
	for _, tt := range []struct {
		name          string
		before, after []Finding
		want          string // pairs as before:after:by
	}{
		{"the same", []Finding{finding("no-connack", here, nil, "a")}, []Finding{finding("no-connack", here, nil, "b")}, "0:0:broker"},
		{"another symptom", []Finding{finding("no-connack", here, nil, "a")}, []Finding{finding("slow-connack", here, nil, "a")}, "-:0: 0:-:"},
		{"another code", []Finding{finding("not-authorized", here, []string{"0x05"})}, []Finding{finding("not-authorized", here, []string{"0x87"})}, "-:0: 0:-:"},
		{"a code in common", []Finding{finding("not-authorized", here, []string{"0x05"})}, []Finding{finding("not-authorized", here, []string{"0x05", "0x87"})}, "0:0:broker"},
		{"another alert", []Finding{unknownCA}, []Finding{expired}, "-:0: 0:-:"},
		{"an empty ID is another problem", []Finding{empty}, []Finding{finding("identifier-rejected", here, []string{"0x02"}, "a b")}, "-:0: 0:-:"},
		{"takeovers go by the ID", []Finding{finding("client-id-takeover", here, nil, "a")}, []Finding{finding("client-id-takeover", here, nil, "b")}, "-:0: 0:-:"},
		{"whichever comes first", []Finding{finding("client-id-takeover", here, nil, "a"), finding("client-id-takeover", here, nil, "b")},
			[]Finding{finding("client-id-takeover", here, nil, "b"), finding("client-id-takeover", here, nil, "a")}, "1:0:broker 0:1:broker"},
		{"the most in common", []Finding{finding("no-connack", here, nil, "a", "b", "c"), finding("no-connack", here, nil, "c")},
			[]Finding{finding("no-connack", here, nil, "c"), finding("no-connack", here, nil, "b", "c")}, "1:0:broker 0:1:broker"},
		{"the broker moved", []Finding{finding("not-authorized", here, []string{"0x05"}, "a")}, []Finding{finding("not-authorized", moved, []string{"0x05"}, "a", "b")}, "0:0:clients"},
		{"the broker moved, and the clients have no IDs", []Finding{finding("not-authorized", here, []string{"0x05"})}, []Finding{finding("not-authorized", moved, []string{"0x05"})}, "0:0:clients"},
		{"another broker with others", []Finding{finding("not-authorized", here, []string{"0x05"})}, []Finding{elsewhere}, "-:0: 0:-:"},
		{"one address, other IDs, another broker", []Finding{finding("not-authorized", here, []string{"0x05"}, "a")}, []Finding{finding("not-authorized", moved, []string{"0x05"}, "b")}, "-:0: 0:-:"},
		{"the same broker before a moved one", []Finding{finding("no-connack", here, nil, "a")}, []Finding{finding("no-connack", moved, nil, "a"), finding("no-connack", here, nil, "z")}, "-:0: 0:1:broker"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			name := func(list []Finding, f *Finding) string {
				for i := range list {
					if &list[i] == f {
						return fmt.Sprint(i)
					}
				}
				return "-"
			}
			for _, p := range match(tt.before, tt.after) {
				got = append(got, name(tt.before, p.before)+":"+name(tt.after, p.after)+":"+p.by)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", strings.Join(got, " "), tt.want)
			}
		})
	}
}

func TestObservedCountsTimeOnce(t *testing.T) {
	at := func(from, to int) Capture {
		return Capture{First: decode.Stamp(monday.Add(time.Duration(from) * time.Hour)), Last: decode.Stamp(monday.Add(time.Duration(to) * time.Hour))}
	}
	for _, tt := range []struct {
		captures []Capture
		want     time.Duration
	}{
		{nil, 0},
		{[]Capture{{}}, 0},
		{[]Capture{at(0, 2)}, 2 * time.Hour},
		{[]Capture{at(5, 6), at(0, 2)}, 3 * time.Hour},
		{[]Capture{at(0, 4), at(1, 2), at(3, 5)}, 5 * time.Hour},
		{[]Capture{at(0, 2), at(0, 2)}, 2 * time.Hour},
		{[]Capture{at(2, 0)}, 0},
	} {
		if got := observed(&Document{Captures: tt.captures}); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.captures, got, tt.want)
		}
	}
}

func TestRatesAndShares(t *testing.T) {
	got := compareOne(t, capturedFor(monday, 2*time.Hour, 90, shown("no-connack", 10, monday, time.Hour)), capturedFor(monday.Add(24*time.Hour), 30*time.Second, 4, shown("no-connack", 1, monday, 0)))
	if got.Before.PerHour == nil || *got.Before.PerHour != 5 || *got.Before.Share != 0.1 {
		t.Errorf("before %+v", got.Before)
	}
	if got.After.PerHour != nil { // half a minute makes no rate an hour
		t.Errorf("an hourly rate of %v", *got.After.PerHour)
	}
	if *got.After.Share != 0.2 {
		t.Errorf("a share of %v", *got.After.Share)
	}
	if f := figures(&got, kb.English); f != "10 → 1 sessions, 5 → ? an hour, 10 % → 20 % of attempts" {
		t.Errorf("figures %q", f)
	}
}

func TestCompareAnswer(t *testing.T) {
	fixed, stays, fresh := shown("no-connack", 60, monday, time.Hour), shown("not-authorized", 60, monday, time.Hour), shown("tls-alert", 60, monday, time.Hour)
	remark := shown("client-id-takeover", 60, monday, time.Hour)
	remark.Severity = "info"
	takeover := func(id string) Finding {
		f := shown("client-id-takeover", 60, monday, time.Hour)
		f.ClientIDs = []string{id}
		return f
	}
	hour := func(findings ...Finding) *Document { return capturedFor(monday, time.Hour, 100, findings...) }
	for _, tt := range []struct {
		before, after *Document
		want          string
		info, warning bool // what There says
	}{
		{hour(), hour(), "Nothing to compare: no problem before, none after.", false, false},
		{hour(fixed), hour(), `Fixed: Broker does not answer CONNECT ("gw-7").`, false, false},
		{hour(stays), hour(stays), "Still there: Broker does not authorise the client", true, true},
		{hour(takeover("a"), takeover("b"), stays), hour(takeover("a"), takeover("b"), stays), `Still there: Clients take over each other's session ("a"; 2 findings); Broker does not authorise the client ("gw-7").`, true, true},
		{hour(), hour(fresh), "New: The TLS handshake ends in an alert", true, true},
		{hour(fixed), capturedFor(monday, time.Minute, 1), "Nothing can be said yet. Not seen again, but too little to tell: Broker does not answer CONNECT", true, true},
		{hour(remark), hour(remark), "Nothing to compare: no problem before, none after. 1 remark below.", true, false},
	} {
		c := Compare(tt.before, tt.after, CompareOptions{Lang: kb.English})
		if !strings.HasPrefix(c.Answer, tt.want) {
			t.Errorf("answer %q, want %q", c.Answer, tt.want)
		}
		if c.There("info") != tt.info || c.There("warning") != tt.warning {
			t.Errorf("%q: there %v and %v, want %v and %v", c.Answer, c.There("info"), c.There("warning"), tt.info, tt.warning)
		}
	}
	c := Compare(hour(fixed, stays), hour(stays, fresh), CompareOptions{Lang: kb.English})
	still, isNew, gone := strings.Index(c.Answer, "Still there: "), strings.Index(c.Answer, "New: "), strings.Index(c.Answer, "Fixed: ")
	if still != 0 || isNew < still || gone < isNew {
		t.Errorf("answer %q", c.Answer)
	}
	if c.Counts != (Counts{Still: 1, New: 1, Gone: 1}) {
		t.Errorf("counts %+v", c.Counts)
	}
}

func TestNothingIsGoneInReversedOrder(t *testing.T) {
	const said = "AFTER was captured before BEFORE"
	hour := func(from time.Duration, findings ...Finding) *Document {
		return capturedFor(monday.Add(from), time.Hour, 5000, findings...)
	}
	fixed := shown("server-unavailable", 60, monday, time.Hour)
	letIn := shown("bad-credentials", 5, monday, time.Minute)
	id := "gw-7"
	of := func(doc *Document, outcome decode.Outcome) *Document {
		doc.Sessions = RecordsOf(decode.Record{Client: "10.0.0.2:1000", Broker: "10.0.0.1:1883", ClientID: &id, Outcome: outcome})
		return doc
	}
	for _, tt := range []struct {
		name          string
		before, after *Document
		reversed      bool
		gone          int
	}{
		{"in order", hour(0, fixed), hour(24 * time.Hour), false, 1},
		{"reversed", hour(0, fixed), hour(-24 * time.Hour), true, 0},
		{"the next file of a ring", hour(0, fixed), hour(time.Hour), false, 1},
		{"the last file of a ring", hour(0, fixed), hour(-time.Hour), true, 0},
		{"at once", hour(0, fixed), hour(0), false, 1},
		{"overlapping", hour(0, fixed), hour(-30 * time.Minute), false, 1},
		{"let in", of(hour(0, letIn), decode.Rejected), of(hour(24*time.Hour), decode.Accepted), false, 1},
		{"let in before", of(hour(0, letIn), decode.Rejected), of(hour(-24*time.Hour), decode.Accepted), true, 0},
		{"nothing found", hour(0), hour(-24 * time.Hour), true, 0},
		{"no times", hour(0, fixed), &Document{Totals: Totals{Accepted: 5000, Sessions: 5000}}, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Compare(tt.before, tt.after, CompareOptions{Lang: kb.English})
			if c.Reversed != tt.reversed || strings.HasPrefix(c.Answer, said) != tt.reversed {
				t.Errorf("reversed %v, want %v: %q", c.Reversed, tt.reversed, c.Answer)
			}
			if c.Counts.Gone != tt.gone || strings.Contains(c.Answer, "Fixed:") != (tt.gone > 0) {
				t.Errorf("%d gone, want %d: %q", c.Counts.Gone, tt.gone, c.Answer)
			}
			if tt.reversed {
				if !c.There("error") {
					t.Error("the exit status would be 0")
				}
				for _, f := range c.Findings {
					if f.Status != Unproven || f.Basis != "order" || f.Chance != nil || f.Needed != nil {
						t.Errorf("%+v", f)
					}
				}
			}
		})
	}
}

// TestConclusionsNameWhatIsLacking: only the count that decides, and in grammar.
func TestConclusionsNameWhatIsLacking(t *testing.T) {
	tuesday := monday.Add(24 * time.Hour)
	all := func(start time.Time) Finding { return shown("server-unavailable", 60, start, time.Hour) }
	during := func(start time.Time, d time.Duration, accepted int, f ...Finding) *Document {
		return capturedFor(start, d, accepted, f...)
	}
	for _, tt := range []struct {
		before, after *Document
		want, never   string
	}{
		{during(monday, time.Hour, 100, all(monday)), during(tuesday, 651*time.Millisecond, 1000), "Not seen, but 651 ms is too short to tell", "attempt"},
		{during(monday, time.Hour, 100, all(monday)), during(tuesday, time.Hour, 1), "Not seen, but 1 attempt is too few to tell", " 60 min"},
		{during(monday, time.Hour, 100, all(monday)), during(tuesday, time.Hour, 2), "Not seen, but 2 attempts are too few to tell", " 60 min"},
		{during(monday, time.Hour, 100, all(monday)), during(tuesday, time.Second, 1), "too little to tell: 1 attempt in 1.0 s", "are"},
		{during(monday, time.Second, 1000), during(tuesday, time.Hour, 100, all(tuesday)), "It may have been there before too: 1.0 s is too short to show it.", "attempt"},
		{during(monday, time.Hour, 1), during(tuesday, time.Hour, 100, all(tuesday)), "It may have been there before too: 1 attempt is too few to show it.", " 60 min"},
		{during(monday, time.Second, 1), during(tuesday, time.Hour, 100, all(tuesday)), "too little was seen to tell: 1 attempt in 1.0 s.", " are "},
	} {
		got := compareOne(t, tt.before, tt.after).Conclusion
		if !strings.Contains(got, tt.want) || strings.Contains(got, tt.never) {
			t.Errorf("%q: want %q without %q", got, tt.want, tt.never)
		}
	}
}

func TestCompareNotes(t *testing.T) {
	day := func(n int) *Document { return capturedFor(monday.Add(time.Duration(n)*24*time.Hour), time.Hour, 9) }
	filtered := day(1)
	filtered.Filters = []string{"--port 1883"}
	encrypted := day(1)
	encrypted.Totals = Totals{Sessions: 9, Unknown: 9, Encrypted: 9}
	for _, tt := range []struct {
		name          string
		before, after *Document
		want          []message
	}{
		{"in order", day(0), day(1), nil},
		{"exchanged", day(1), day(0), nil}, // which the answer says
		{"the same", day(0), day(0), []message{diffNoteOverlap}},
		{"filters", day(0), filtered, []message{diffNoteFilters}},
		{"encrypted", day(0), encrypted, []message{diffNoteEncrypted}},
	} {
		var want []string
		for _, m := range tt.want {
			want = append(want, english[m])
		}
		if got := compareNotes(tt.before, tt.after, kb.English); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", tt.name, got, want)
		}
	}
}

var compareEndings = map[string]string{
	"table": "txt", "markdown": "md", "jira": "jira.txt", "json": "jsn", "ndjson": "ndjson", "csv": "csv", "html": "html",
}

func renderComparison(t testing.TB, format string, c *Comparison) string {
	t.Helper()
	var b strings.Builder
	if err := WriteComparison(&b, format, c, TableOptions{Width: 80}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// several is a comparison with every status.
func several(lang kb.Lang) *Comparison {
	tuesday := monday.Add(24 * time.Hour)
	at := func(symptom, broker string, sessions int, start time.Time) Finding {
		f := shown(symptom, sessions, start, time.Hour)
		f.Broker, f.ClientIDs = broker, []string{"gw-" + symptom[:2], `=cmd|"x"`}
		return f
	}
	before := capturedFor(monday, time.Hour, 700,
		at("not-authorized", "10.0.0.1:1883", 60, monday), at("server-unavailable", "10.0.0.1:1883", 4, monday),
		at("slow-connack", "10.0.0.1:1883", 80, monday), at("no-connack", "10.0.0.1:1883", 90, monday), at("tls-alert", "10.0.0.1:8883", 1, monday))
	after := capturedFor(tuesday, time.Hour, 700,
		at("not-authorized", "10.0.9.1:1883", 50, tuesday), at("server-unavailable", "10.0.0.1:1883", 60, tuesday),
		at("slow-connack", "10.0.0.1:1883", 9, tuesday), at("retry-storm", "10.0.0.1:1883", 40, tuesday))
	return Compare(before, after, CompareOptions{Version: "v1", Lang: lang, BeforeName: "before.pcapng", AfterName: "after.pcapng"})
}

func TestCompareGolden(t *testing.T) {
	takeover := Compare(load(t, "testdata/takeover.json"), load(t, "testdata/quiet.json"), CompareOptions{Version: "v1", Lang: kb.English, BeforeName: "takeover.json", AfterName: "quiet.json"})
	for name, c := range map[string]*Comparison{"diff-several": several(kb.English), "diff-several-zh": several(kb.Chinese), "diff-takeover": takeover} {
		for format, ending := range compareEndings {
			golden := "testdata/" + name + "." + ending
			t.Run(name+"."+format, func(t *testing.T) {
				got := renderComparison(t, format, c)
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
					t.Errorf("it differs from %s; got\n%s", golden, got)
				}
			})
		}
	}
}

func TestCompareSeveralHasEveryStatus(t *testing.T) {
	if c := several(kb.English); c.Counts != (Counts{More: 1, Still: 1, Less: 1, New: 1, Unproven: 1, Gone: 1}) {
		t.Errorf("counts %+v", c.Counts)
	}
}

// TestComparisonsAreHarmless renders what means harm in every format.
func TestComparisonsAreHarmless(t *testing.T) {
	before, after := hostile(65000), hostile(65000)
	after.Findings = append(after.Findings, shown("=1+1", 1, monday, 0))
	after.Findings[2].Broker, after.Findings[2].ClientIDs = "-2+3", []string{"@SUM(1)", "<script>alert(1)</script>", "[x](javascript:alert(1))", "{html}x{html}", "!http://x/y.png!"}
	for _, lang := range []kb.Lang{kb.English, kb.Chinese} {
		c := Compare(before, after, CompareOptions{Lang: lang, BeforeName: "\x1b[2J<b>", AfterName: "=1"})
		for _, format := range Formats {
			out := renderComparison(t, format, c)
			for _, r := range out {
				if r != '\n' && !(r == '\r' && format == "csv") && hidden(r) {
					t.Fatalf("%s holds %U", format, r)
				}
			}
			if len(out) > 4<<20 {
				t.Errorf("%s has %d bytes", format, len(out))
			}
			for _, evil := range map[string][]string{
				"html": {"<script", "<b>"}, "markdown": {"<script", "<b>", "[x]", "\n|  b>"}, "jira": {"{html}", "!http"},
			}[format] {
				prose := out
				if format == "markdown" { // code is shown as it is
					prose = regexp.MustCompile("`+[^`]*`+").ReplaceAllString(prose, "")
				}
				if strings.Contains(strings.ReplaceAll(prose, `\`+evil, ""), evil) {
					t.Errorf("%s holds %q", format, evil)
				}
			}
		}
		rows, err := csv.NewReader(strings.NewReader(renderComparison(t, "csv", c))).ReadAll()
		if err != nil || len(rows) != len(c.Findings)+1 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		for _, row := range rows {
			for _, cell := range row {
				if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
					t.Errorf("a cell is a formula: %.40q", cell)
				}
			}
		}
		for line := range strings.Lines(renderComparison(t, "table", c)) {
			if w := textWidth(strings.TrimSuffix(line, "\n")); w > 80 {
				t.Errorf("a line of %d columns: %q", w, line)
			}
		}
		for line := range strings.Lines(renderComparison(t, "ndjson", c)) {
			var v struct{ Type string }
			if err := json.Unmarshal([]byte(line), &v); err != nil || v.Type == "" {
				t.Errorf("%v in %.80q", err, line)
			}
		}
	}
}

func TestCompareTableFitsItsWidth(t *testing.T) {
	for width := MinWidth; width <= MaxWidth; width += 8 {
		var plain, colour strings.Builder
		for b, on := range map[*strings.Builder]bool{&plain: false, &colour: true} {
			if err := WriteComparison(b, "table", several(kb.Chinese), TableOptions{Width: width, Color: on}); err != nil {
				t.Fatal(err)
			}
		}
		for line := range strings.Lines(plain.String()) {
			if w := textWidth(strings.TrimSuffix(line, "\n")); w > width {
				t.Errorf("at %d columns: a line of %d: %q", width, w, line)
			}
		}
		if ansi.ReplaceAllString(colour.String(), "") != plain.String() || plain.String() == colour.String() {
			t.Errorf("at %d columns: colour changes the text, or there is none", width)
		}
	}
}

func TestCompareSaysWhenItCannotWrite(t *testing.T) {
	for _, format := range Formats {
		if err := WriteComparison(&failing{left: 50}, format, several(kb.English), TableOptions{}); err == nil {
			t.Errorf("%s: no error from a full disk", format)
		}
	}
	if err := WriteComparison(&bytes.Buffer{}, "odt", several(kb.English), TableOptions{}); err == nil {
		t.Error("no error for an unknown format")
	}
}

func TestReadDocument(t *testing.T) {
	var saved bytes.Buffer
	if err := JSON(&saved, load(t, "testdata/takeover.json")); err != nil {
		t.Fatal(err)
	}
	doc, err := ReadDocument(bytes.NewReader(saved.Bytes()))
	if err != nil || len(doc.Findings) != len(load(t, "testdata/takeover.json").Findings) {
		t.Fatalf("%+v, %v", doc, err)
	}
	saved.Reset()
	if err := NDJSON(&saved, load(t, "testdata/takeover.json")); err != nil {
		t.Fatal(err)
	}
	if lines, err := ReadDocument(bytes.NewReader(saved.Bytes())); err != nil || len(lines.Findings) != len(doc.Findings) {
		t.Errorf("as lines: %+v, %v", lines, err)
	}
	for name, text := range map[string]string{
		"cut":       saved.String()[:saved.Len()/2],
		"no object": `[1]`, "other JSON": `{"schema": "x"}`, "empty": `{}`,
		"no sessions": `{"schema": "mqttriage/report/v1", "findings": [{"symptom": "x", "severity": "error", "sessions": -1}]}`,
		"too many":    `{"schema": "mqttriage/report/v1", "findings": [{"severity": "error", "sessions": 9000000000}]}`,
		"no severity": `{"schema": "mqttriage/report/v1", "findings": [{"severity": "dire", "sessions": 1}]}`,
	} {
		if doc, err := ReadDocument(strings.NewReader(text)); err == nil {
			t.Errorf("%s: read as %+v", name, doc)
		}
	}
}

// FuzzCompare compares whatever can be read as a report, both ways.
func FuzzCompare(f *testing.F) {
	for _, path := range recorded(f) {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	other := capturedFor(monday, time.Hour, 100, shown("not-authorized", 60, monday, time.Hour))
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, err := ReadDocument(bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, c := range []*Comparison{Compare(doc, other, CompareOptions{}), Compare(other, doc, CompareOptions{Lang: kb.Chinese}), Compare(doc, doc, CompareOptions{})} {
			for _, one := range c.Findings {
				if p := one.Chance; p != nil && !(*p >= 0 && *p <= 1) {
					t.Fatalf("a chance of %v", *p)
				}
			}
			for _, format := range Formats {
				renderComparison(t, format, c)
			}
		}
	})
}
