package main

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/report"
)

func sessionAt(client, broker string, opened, last time.Time) *decode.Session {
	return &decode.Session{
		Origin: &decode.Origin{Names: map[netip.Addr]string{
			netip.MustParseAddr("10.0.0.1"): "Broker.Example.com", netip.MustParseAddr("10.0.0.5"): "gateway",
		}},
		Client: netip.MustParseAddrPort(client), Broker: netip.MustParseAddrPort(broker),
		Opened: decode.EventAt(1, opened), Last: decode.EventAt(2, last),
	}
}

func TestFilterPasses(t *testing.T) {
	at := time.Unix(1700000000, 0)
	plain := sessionAt("10.0.0.5:50000", "10.0.0.1:1883", at, at)
	plain.Connect = &mqtt.Connect{ClientID: "gw-7"}
	empty := sessionAt("10.0.0.5:50001", "10.0.0.1:1883", at, at)
	empty.Connect = &mqtt.Connect{}
	unknown := sessionAt("10.0.0.6:50001", "10.0.0.1:1883", at, at)
	unknown.Connect = &mqtt.Connect{IDUnknown: true}
	broken := sessionAt("10.0.0.6:50002", "10.0.0.1:1883", at, at)
	broken.Connect = &mqtt.Connect{ClientID: "gw\xff"}
	tls := sessionAt("[fd00::5]:50000", "[fd00::1]:8883", at, at)
	tls.TLS = &decode.TLS{SNI: "mqtt.example.com"}
	all := []*decode.Session{plain, empty, unknown, broken, tls}
	tests := []struct {
		flags string
		want  []*decode.Session
	}{
		{"", all},
		{"--port 1883", []*decode.Session{plain, empty, unknown, broken}},
		{"--port 1883,8883", all},
		{"--port 1883 --port 8883", all},
		{"--port 50000", nil}, // a client's
		{"--host 10.0.0.1", []*decode.Session{plain, empty, unknown, broken}},
		{"--host ::ffff:10.0.0.5", []*decode.Session{plain, empty}},
		{"--host 10.0.0.6 --host fd00::1", []*decode.Session{unknown, broken, tls}},
		{"--host [fd00::5]", []*decode.Session{tls}},
		{"--host broker.example.com.", []*decode.Session{plain, empty, unknown, broken}},
		{"--host GATEWAY", []*decode.Session{plain, empty}},
		{"--host mqtt.example.com", []*decode.Session{tls}},
		{"--host example.com", nil},
		{"--net 10.0.0.4/30", []*decode.Session{plain, empty, unknown, broken}},
		{"--net 10.0.0.5/32", []*decode.Session{plain, empty}},
		{"--net fd00::/8", []*decode.Session{tls}},
		{"--net 10.0.0.77/8 --net fd00::/8", all},
		{"--net ::/0", []*decode.Session{tls}},
		{"--client-id gw-7", []*decode.Session{plain}},
		{"--client-id gw", nil},
		{"--client-id=", []*decode.Session{empty}},
		{"--client-id= --client-id gw-7", []*decode.Session{plain, empty}},
		{"--client-id gw\xff", []*decode.Session{broken}},
		{"--client-id gw\uFFFD", []*decode.Session{broken}},
		{"--client-id gw-7 --port 8883", nil},
		{"--client-id= --host 10.0.0.5 --net 10.0.0.1/32 --port 1883", []*decode.Session{empty}},
	}
	for _, tt := range tests {
		f := filterOf(t, tt.flags)
		var got []*decode.Session
		for _, s := range all {
			if f.passes(s) {
				got = append(got, s)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %d sessions pass, want %d", tt.flags, len(got), len(tt.want))
		}
	}
}

func filterOf(t *testing.T, flags string) *filter {
	t.Helper()
	var f filter
	cmd := &cobra.Command{}
	f.declare(cmd)
	if err := cmd.ParseFlags(strings.Fields(flags)); err != nil {
		t.Fatalf("%s: %v", flags, err)
	}
	return &f
}

func TestFilterWindow(t *testing.T) {
	start := time.Date(2026, 3, 2, 22, 0, 0, 0, time.UTC)
	minute := func(m int) time.Time { return start.Add(time.Duration(m) * time.Minute) }
	captures := []report.CaptureInput{
		{Info: capture.Info{First: minute(30), Last: minute(60)}},
		{}, // without a packet
		{Info: capture.Info{First: minute(0), Last: minute(20)}},
	}
	// Sessions of a minute, one every ten: 0, 10, … 50.
	var sessions []*decode.Session
	for m := 0; m < 60; m += 10 {
		sessions = append(sessions, sessionAt("10.0.0.5:50000", "10.0.0.1:1883", minute(m), minute(m+1)))
	}
	long := sessionAt("10.0.0.5:50000", "10.0.0.1:1883", minute(5), minute(55))
	timeless := sessionAt("10.0.0.5:50000", "10.0.0.1:1883", time.Time{}, time.Time{})
	tests := []struct {
		flags string
		want  []int
		long  bool
	}{
		{"", []int{0, 10, 20, 30, 40, 50}, true},
		{"--since 2026-03-02T22:20:30Z", []int{20, 30, 40, 50}, true},
		{"--since 2026-03-02T23:20:30+01:00", []int{20, 30, 40, 50}, true},
		{"--since 2026-03-02T22:56:00Z", nil, false},
		{"--until 2026-03-02T22:20:00Z", []int{0, 10, 20}, true},
		{"--until 2026-03-02T22:04:00Z", []int{0}, false},
		{"--since 2026-03-02T22:20:30Z --until 2026-03-02T22:40:59.5Z", []int{20, 30, 40}, true},
		{"--since 22m", []int{30, 40, 50}, true},
		{"--since -22m", []int{40, 50}, true},
		{"--until 22m", []int{0, 10, 20, 30}, true},
		{"--until -22m", []int{0, 10, 20}, true},
		{"--since 22m --until 22m", []int{30}, true},
		{"--since 40m --until 40m", nil, true}, // it goes on through all of the time between
		{"--since 0s --until 0s", []int{0, 10, 20, 30, 40, 50}, true},
		{"--since 2h", nil, false},
		{"--since 2540400h", nil, false},
	}
	for _, tt := range tests {
		w := filterOf(t, tt.flags).window(captures)
		var got []int
		for i, s := range sessions {
			if w.has(s) {
				got = append(got, i*10)
			}
		}
		if !slices.Equal(got, tt.want) || w.has(long) != tt.long {
			t.Errorf("%s: sessions of minutes %v, want %v; the long one %v, want %v", tt.flags, got, tt.want, w.has(long), tt.long)
		}
		if w.has(timeless) != (tt.flags == "") {
			t.Errorf("%s: a session without a time passes: %v", tt.flags, w.has(timeless))
		}
	}
}

// What a broker is because of a session that is left out, it still is.
func TestFilterKeepsBrokers(t *testing.T) {
	at := time.Unix(1700000000, 0)
	spoke := sessionAt("10.0.0.5:50000", "10.0.0.1:9999", at, at)
	spoke.MQTT, spoke.Outcome = true, decode.Accepted
	refused := sessionAt("10.0.0.6:50000", "10.0.0.1:9999", at, at)
	refused.Outcome = decode.Refused
	web := sessionAt("10.0.0.6:50001", "10.0.0.2:80", at, at)
	all := analyze.New(analyze.Options{})
	for i, s := range []*decode.Session{spoke, refused, web} {
		s.Number = uint32(i + 1)
		all.Add(s)
	}
	chosen, said := filterOf(t, "--host 10.0.0.6").apply(all, analyze.Options{}, nil)
	if got := chosen.Sessions(); len(got) != 1 || got[0] != refused || said.LeftOut != 1 {
		t.Errorf("sessions %v, %d left out, want the refused one and 1", got, said.LeftOut)
	}
}

// Where there are no sessions at all, no filter is the reason.
func TestFilterOfNothing(t *testing.T) {
	all := analyze.New(analyze.Options{})
	if chosen, said := filterOf(t, "--client-id gw-7").apply(all, analyze.Options{}, nil); chosen != all || said == nil || said.LeftOut != 0 {
		t.Errorf("another analyzer, %+v", said)
	}
	if chosen, said := filterOf(t, "").apply(all, analyze.Options{}, nil); chosen != all || said != nil {
		t.Errorf("no filter says %+v", said)
	}
}

// TestClientIDsPartition: the sessions of every client ID in turn, and those of
// which none is known, are all sessions once.
func TestClientIDsPartition(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	captures, err := filepath.Glob("../../testdata/*/capture.*")
	if err != nil || len(captures) == 0 {
		t.Fatalf("no captures (%v)", err)
	}
	// One in eight, and one with many client IDs.
	files := []string{"../../testdata/mosquitto-2.0.11_v311_fleet-of-30_all-accepted/capture.pcap"}
	for i := 0; i < len(captures); i += 8 {
		files = append(files, captures[i])
	}
	for _, path := range files {
		whole := documentOf(t, path)
		found := map[string]int{}
		ids := map[string]bool{}
		unknown := 0
		for i := range whole.Sessions.Len() {
			if id := whole.Sessions.At(i).ClientID; id != nil {
				ids[*id] = true
			} else {
				unknown++
			}
		}
		for id := range ids {
			part := documentOf(t, "--client-id="+id, path)
			if part.Totals.Sessions+part.Totals.FilteredOut != whole.Totals.Sessions {
				t.Errorf("%s, client ID %q: %d sessions and %d left out of %d", path, id, part.Totals.Sessions, part.Totals.FilteredOut, whole.Totals.Sessions)
			}
			for i := range part.Sessions.Len() {
				found[part.Sessions.At(i).ID]++
			}
		}
		if len(found)+unknown != whole.Totals.Sessions {
			t.Errorf("%s: %d sessions by client ID and %d without one, of %d", path, len(found), unknown, whole.Totals.Sessions)
		}
		for id, n := range found {
			if n != 1 {
				t.Errorf("%s: session %s passes %d client IDs", path, id, n)
			}
		}
	}
}

// A filter that every session passes changes nothing but the note of it.
func TestFilterOfAll(t *testing.T) {
	captures, err := filepath.Glob("../../testdata/*/capture.*")
	if err != nil || len(captures) == 0 {
		t.Fatalf("no captures (%v)", err)
	}
	for i := 3; i < len(captures); i += 6 {
		whole, all := documentOf(t, captures[i]), documentOf(t, "--since=0s", captures[i])
		if whole.Totals.Sessions > 0 && !slices.Equal(all.Filters, []string{"--since 0s"}) || all.Totals.FilteredOut != 0 {
			t.Errorf("%s: filters %q, %d left out", captures[i], all.Filters, all.Totals.FilteredOut)
		}
		all.Filters, all.Answer = nil, strings.TrimSuffix(all.Answer, " Looked only at --since 0s.")
		// Connections that are no sessions do not pass.
		all.Totals.Connections = whole.Totals.Connections
		if a, b := asJSON(t, whole), asJSON(t, all); a != b {
			t.Errorf("%s: a filter that all pass gives another report:\n%s\n%s", captures[i], a, b)
		}
	}
}

func asJSON(t *testing.T, doc *report.Document) string {
	t.Helper()
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// documentOf is the report of mqttriage read.
func documentOf(t *testing.T, args ...string) *report.Document {
	t.Helper()
	t.Setenv("LC_ALL", "C")
	var out, errs bytes.Buffer
	if status := run(append([]string{"read", "-f", "json", "--sessions"}, args...), nil, &out, &errs); status != 0 {
		t.Fatalf("%q: exit status %d: %s", args, status, errs.String())
	}
	var doc report.Document
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	return &doc
}
