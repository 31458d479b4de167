package metrics

import (
	"flag"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/link"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

var update = flag.Bool("update", false, "rewrite golden files")

// exposed is what a collector gets.
func exposed(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler(func() error { return nil }).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Fatalf("%d %q: %s", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	return w.Body.String()
}

// series are the samples of an exposition by their names and labels.
func series(text string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			i := strings.LastIndex(line, " ")
			all[line[:i]] = strings.TrimSpace(line[i:])
		}
	}
	return all
}

// want holds series to their values.
func want(t *testing.T, m *Metrics, values map[string]string) {
	t.Helper()
	all := series(exposed(t, m))
	for name, v := range values {
		if all[name] != v {
			t.Errorf("%s is %q, want %s", name, all[name], v)
		}
	}
}

// secret is in every place from where nothing may get into a label.
const secret = "s3cret"

func session(outcome decode.Outcome, version mqtt.Version, code int, wait time.Duration) *decode.Session {
	s := &decode.Session{
		Outcome: outcome, Client: netip.MustParseAddrPort("203.0.113.77:1"), Broker: netip.MustParseAddrPort("198.51.100.88:1883"),
		Connect:   &mqtt.Connect{Version: version, Name: secret, ClientID: secret},
		ConnectAt: decode.Event{Packet: 4, Nano: 1e18},
		HTTP:      &decode.HTTP{Path: secret}, TLS: &decode.TLS{SNI: secret},
	}
	if code >= 0 {
		s.Connack = &mqtt.Connack{Version: version, Code: byte(code), Reason: secret, AssignedID: secret, ServerReference: secret}
		s.ConnackAt = decode.Event{Packet: 6, Nano: 1e18 + int64(wait)}
	}
	return s
}

// example is a capture with some of everything.
func example() *Metrics {
	m := New("1.2.3")
	for range 3 {
		m.Session(session(decode.Accepted, mqtt.V311, 0, 800*time.Microsecond))
	}
	m.Session(session(decode.Accepted, mqtt.V5, 0, 3*time.Second))
	m.Session(session(decode.Rejected, mqtt.V311, 2, 20*time.Millisecond))
	m.Session(session(decode.Rejected, mqtt.V5, 0x87, time.Minute))
	m.Session(session(decode.Rejected, mqtt.V31, 0x77, time.Millisecond))
	m.Session(session(decode.Unanswered, mqtt.V5, -1, 0))
	m.Session(&decode.Session{Outcome: decode.TLSFailed, Transport: decode.TLSTransport})
	m.Session(&decode.Session{Outcome: decode.Refused})
	m.Capture(Capture{
		Packets: 100, Bytes: 12_345, Freezes: 1, Connections: 9, Open: 2,
		Interfaces: []Interface{{"eth0", true, 90, 0}, {"wg0", false, 12, 5}},
		Undecoded:  map[string]int64{link.NotTCP.String(): 7, link.UDP.String(): 3},
	})
	m.Evictions("sessions", 11)
	m.Evidence(40, 2, 3)
	m.Findings([]analyze.Finding{
		{Symptom: analyze.ClientIDTakeover, Severity: analyze.Error, Broker: "198.51.100.88:1883", ClientIDs: []string{secret}, Clients: []string{"203.0.113.77"}, Sessions: 5},
		{Symptom: analyze.ClientIDTakeover, Severity: analyze.Error, Broker: "198.51.100.89:1883", Sessions: 2},
		{Symptom: analyze.ClientIDTakeover, Severity: analyze.Info, Broker: "198.51.100.90:1883", Sessions: 1},
		{Symptom: analyze.NotAuthorized, Severity: analyze.Error, Broker: "198.51.100.88:1883", Sessions: 1},
	})
	return m
}

var goVersion = regexp.MustCompile(`goversion="[^"]*"`)

// The metrics of the process, which are last, are not in the golden file: they depend on
// the system, and differ from run to run.
func TestExposition(t *testing.T) {
	got, _, _ := strings.Cut(exposed(t, example()), "# HELP process_")
	got = goVersion.ReplaceAllString(got, `goversion="…"`)
	const path = "testdata/exposition.txt"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(golden) {
		t.Errorf("the exposition differs from %s (-update rewrites it):\n%s", path, got)
	}
}

// Names, units and help texts are as Prometheus wants them.
func TestLint(t *testing.T) {
	problems, err := promlint.New(strings.NewReader(exposed(t, example()))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// What has nothing to do with what was captured is there before anything is, as 0: the
// first takeover must be seen to come.
func TestBeginsAtZero(t *testing.T) {
	all := series(exposed(t, New("1")))
	for _, symptom := range analyze.Symptoms() {
		if v := all[`mqttriage_finding_sessions_total{symptom="`+symptom+`"}`]; v != "0" {
			t.Errorf("%s begins as %q", symptom, v)
		}
	}
	for _, kind := range EvictionKinds {
		if v := all[`mqttriage_evictions_total{kind="`+kind+`"}`]; v != "0" {
			t.Errorf("%s begins as %q", kind, v)
		}
	}
	if all["mqttriage_connack_seconds_count"] != "0" {
		t.Error("there is no histogram")
	}
}

func TestSession(t *testing.T) {
	one := func(labels string) map[string]string {
		return map[string]string{"mqttriage_sessions_total{" + labels + "}": "1"}
	}
	late := session(decode.Accepted, mqtt.V311, 0, time.Second)
	late.ConnackAt.Nano = late.ConnectAt.Nano - 1
	unseen := session(decode.Accepted, mqtt.V311, 0, time.Second)
	unseen.Connect, unseen.ConnectAt = nil, decode.Event{}
	for _, tt := range []struct {
		name    string
		s       *decode.Session
		labels  string
		latency string // how many were observed
	}{
		{"accepted", session(decode.Accepted, mqtt.V311, 0, time.Second), `code="0x00",outcome="accepted",transport="tcp",version="3.1.1"`, "1"},
		{"rejected", session(decode.Rejected, mqtt.V5, 0x9f, 0), `code="0x9f",outcome="rejected",transport="tcp",version="5"`, "1"},
		{"a code of 5 in the shape of 3.1.1", session(decode.Rejected, mqtt.V311, 0x84, 0), `code="0x84",outcome="rejected",transport="tcp",version="3.1.1"`, "1"},
		{"a code for DISCONNECT only", session(decode.Rejected, mqtt.V5, 0x8e, 0), `code="other",outcome="rejected",transport="tcp",version="5"`, "1"},
		{"unanswered", session(decode.Unanswered, mqtt.V31, -1, 0), `code="none",outcome="unanswered",transport="tcp",version="3.1"`, "0"},
		{"unknown, with a CONNACK", session(decode.Unknown, mqtt.V5, 0, 0), `code="none",outcome="unknown",transport="tcp",version="5"`, "0"},
		{"a version that there is not", session(decode.Rejected, 0, 1, 0), `code="0x01",outcome="rejected",transport="tcp",version="unknown"`, "1"},
		{"no CONNECT seen", unseen, `code="0x00",outcome="accepted",transport="tcp",version="3.1.1"`, "0"},
		{"a clock that was set back", late, `code="0x00",outcome="accepted",transport="tcp",version="3.1.1"`, "0"},
		{"refused", &decode.Session{Outcome: decode.Refused}, `code="none",outcome="refused",transport="tcp",version="unknown"`, "0"},
		{"WebSocket", &decode.Session{Outcome: decode.NotMQTT, Transport: decode.WSS}, `code="none",outcome="not-mqtt",transport="wss",version="unknown"`, "0"},
		{"of a newer program", &decode.Session{Outcome: 99, Transport: 99}, `code="none",outcome="other",transport="other",version="unknown"`, "0"},
	} {
		m := New("1")
		m.Session(tt.s)
		t.Run(tt.name, func(t *testing.T) {
			want(t, m, one(tt.labels))
			want(t, m, map[string]string{"mqttriage_connack_seconds_count": tt.latency})
		})
	}
}

func TestConnackBuckets(t *testing.T) {
	m := New("1")
	for _, wait := range []time.Duration{time.Millisecond, 1100 * time.Microsecond, 2 * time.Second, 30 * time.Second, 31 * time.Second} {
		m.Session(session(decode.Accepted, mqtt.V5, 0, wait))
	}
	want(t, m, map[string]string{
		`mqttriage_connack_seconds_bucket{le="0.001"}`: "1", `mqttriage_connack_seconds_bucket{le="0.002"}`: "2",
		`mqttriage_connack_seconds_bucket{le="1"}`: "2", `mqttriage_connack_seconds_bucket{le="2"}`: "3",
		`mqttriage_connack_seconds_bucket{le="30"}`: "4", `mqttriage_connack_seconds_bucket{le="+Inf"}`: "5",
	})
}

// Whoever can send packets cannot make as many series as they like, nor get into them
// what they say.
func TestSeriesAreBounded(t *testing.T) {
	m := New("1")
	before := len(series(exposed(t, m)))
	random := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		b := make([]byte, random.IntN(20))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return secret + string(b)
	}
	for range 200_000 {
		code := -1
		if random.IntN(4) > 0 {
			code = random.IntN(256)
		}
		s := session(decode.Outcome(random.IntN(12)), mqtt.Version(random.IntN(8)), code, time.Duration(random.Int64()))
		if s.Connack != nil {
			s.Connack.Version = mqtt.Version(random.IntN(8))
		}
		if random.IntN(4) == 0 {
			s.Connect = nil
		}
		s.Transport = decode.Transport(random.IntN(8))
		m.Session(s)
	}
	undecoded := map[string]int64{}
	var found []analyze.Finding
	for range 1000 {
		undecoded[word()]++
		m.Evictions(word(), random.Uint64())
		found = append(found, analyze.Finding{
			Symptom: word(), Severity: analyze.Severity(random.IntN(9)), Broker: word(), ClientIDs: []string{word()}, Clients: []string{word()}, Sessions: 1,
		})
	}
	m.Capture(Capture{Undecoded: undecoded})
	m.Findings(found)
	text := exposed(t, m)
	if strings.Contains(text, secret) {
		t.Error("something from a packet is in the metrics")
	}
	// Two outcomes with 29 codes each, the others with one; five transports and four
	// versions; and the findings of one symptom that is unknown.
	const most = (2*29+6)*5*4 + 4
	if n := len(series(text)) - before; n > most {
		t.Errorf("%d series more, at most %d were to be", n, most)
	} else {
		t.Logf("%d series more, of at most %d", n, most)
	}
}

func TestExampleTellsNoSecret(t *testing.T) {
	text := exposed(t, example())
	for _, private := range []string{secret, "203.0.113", "198.51.100"} {
		if strings.Contains(text, private) {
			t.Errorf("%q is in the metrics", private)
		}
	}
}

// The sessions that show a finding never become fewer, and findings that are gone are 0.
func TestFindingsOverTime(t *testing.T) {
	m := New("1")
	finding := func(s analyze.Severity, sessions int) analyze.Finding {
		return analyze.Finding{Symptom: analyze.RetryStorm, Severity: s, Sessions: sessions}
	}
	const (
		sessions = `mqttriage_finding_sessions_total{symptom="retry-storm"}`
		errors   = `mqttriage_findings{severity="error",symptom="retry-storm"}`
		warnings = `mqttriage_findings{severity="warning",symptom="retry-storm"}`
	)
	for _, step := range []struct {
		found  []analyze.Finding
		values map[string]string
	}{
		{nil, map[string]string{sessions: "0"}},
		{[]analyze.Finding{finding(analyze.Warning, 3)}, map[string]string{sessions: "3", warnings: "1"}},
		{[]analyze.Finding{finding(analyze.Error, 4), finding(analyze.Error, 2)}, map[string]string{sessions: "6", warnings: "0", errors: "2"}},
		{[]analyze.Finding{finding(analyze.Error, 5)}, map[string]string{sessions: "6", errors: "1"}},
		{nil, map[string]string{sessions: "6", errors: "0"}},
		{[]analyze.Finding{finding(analyze.Error, 7)}, map[string]string{sessions: "7", errors: "1"}},
	} {
		m.Findings(step.found)
		want(t, m, step.values)
	}
}

// The caller goes on with what it handed over.
func TestCaptureIsCopied(t *testing.T) {
	m := New("1")
	c := Capture{Interfaces: []Interface{{"eth0", true, 1, 0}}, Undecoded: map[string]int64{link.UDP.String(): 1}}
	m.Capture(c)
	c.Interfaces[0].Received, c.Undecoded[link.UDP.String()] = 2, 2
	want(t, m, map[string]string{`mqttriage_packets_total{interface="eth0"}`: "1", `mqttriage_undecoded_packets_total{reason="UDP"}`: "1"})
}

func TestLargeFigures(t *testing.T) {
	m := New("1")
	m.Capture(Capture{Bytes: math.MaxUint64, Interfaces: []Interface{{"b\xff\"\n\\", true, 1 << 53, 0}}})
	want(t, m, map[string]string{"mqttriage_read_bytes_total": "1.8446744073709552e+19", `mqttriage_packets_total{interface="b�\"\n\\"}`: "9.007199254740992e+15"})
}

// Everything may happen at once.
func TestConcurrent(t *testing.T) {
	m := New("1")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 200 {
			m.Session(session(decode.Accepted, mqtt.V5, 0, 0))
			m.Capture(Capture{Packets: uint64(i), Undecoded: map[string]int64{"UDP": int64(i)}, Interfaces: []Interface{{Name: "eth0"}}})
			m.Findings([]analyze.Finding{{Symptom: analyze.NoConnack, Sessions: i}})
			m.Evictions("findings", uint64(i))
			m.Evidence(uint64(i), 0, 1)
		}
	}()
	for range 20 {
		exposed(t, m)
	}
	<-done
	want(t, m, map[string]string{"mqttriage_connack_seconds_count": "200", "mqttriage_read_packets_total": "199"})
}
