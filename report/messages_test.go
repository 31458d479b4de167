package report

import (
	"slices"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/kb"
)

// placeholders are the names of the values that a template uses.
func placeholders(template string) []string {
	var names []string
	for rest := template; ; {
		_, after, found := strings.Cut(rest, "{")
		if !found {
			slices.Sort(names)
			return slices.Compact(names)
		}
		inner, tail, _ := strings.Cut(after, "}")
		name, _, _ := strings.Cut(strings.TrimLeft(inner, "?!"), "|")
		names = append(names, strings.ToLower(name)) // {Subject} begins a sentence
		rest = tail
	}
}

func TestEveryMessageIsThereInBothLanguages(t *testing.T) {
	// The value that only one language's wording needs.
	only := map[message]string{andMore: "total"}
	for m := range messages {
		en, zh := english[m], chinese[m]
		if en == "" || zh == "" {
			t.Errorf("message %d: English %q, Chinese %q", m, en, zh)
		}
		for _, s := range []string{en, zh} {
			if strings.Count(s, "{") != strings.Count(s, "}") || strings.Count(s, "[") != strings.Count(s, "]") {
				t.Errorf("message %d: unbalanced: %q", m, s)
			}
			if strings.Contains(s, "{}") {
				t.Errorf("message %d: a placeholder without a name: %q", m, s)
			}
		}
		for _, name := range placeholders(zh) {
			if !slices.Contains(placeholders(en), name) && only[m] != name {
				t.Errorf("message %d: Chinese uses {%s}, English does not: %q, %q", m, name, en, zh)
			}
		}
	}
}

func TestFill(t *testing.T) {
	tests := []struct {
		name, template string
		v              values
		want           string
		known          bool
	}{
		{"plain", "plain", nil, "plain", true},
		{"value", "a {x} b", values{"x": 3}, "a 3 b", true},
		{"one", "{n} {n|day|days}", values{"n": 1}, "1 day", true},
		{"many", "{n} {n|day|days}", values{"n": 0}, "0 days", true},
		{"absent", "a {x} b", nil, "a  b", false},
		{"optional there", "a[ {x}] b", values{"x": "y"}, "a y b", true},
		{"optional absent", "a[ {x}] b", nil, "a b", true},
		{"true", "a[{?x} yes][{!x} no]", values{"x": true}, "a yes", true},
		{"false", "a[{?x} yes][{!x} no]", values{"x": false}, "a no", true},
		{"neither", "a[{?x} yes][{!x} no]", nil, "a", true},
		{"a value is no template", "a {x}", values{"x": "{y} [z]"}, "a {y} [z]", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, known := fill(tt.template, tt.v)
			if got != tt.want || known != tt.known {
				t.Errorf("fill(%q) = %q, %v, want %q, %v", tt.template, got, known, tt.want, tt.known)
			}
		})
	}
}

// contractSymptoms are the ids of the contract.
var contractSymptoms = []string{
	"client-id-takeover", "client-id-shared", "client-id-churn",
	"identifier-rejected", "server-unavailable", "bad-credentials",
	"not-authorized", "version-refused", "connack-other", "server-redirect",
	"closed-before-connack", "no-connack", "slow-connack",
	"connection-refused", "connection-timeout",
	"tls-to-plain-port", "plain-to-tls-port", "http-on-mqtt-port", "tls-alert", "closed-inside-tls",
	"ws-upgrade-failed", "retry-storm", "keepalive-timeout",
	"session-flapping", "malformed-connect",
}

func TestEverySymptomHasWords(t *testing.T) {
	for _, symptom := range slices.Concat(contractSymptoms, analyze.Symptoms()) {
		w, ok := wordings[symptom]
		if !ok {
			t.Errorf("no words for %s", symptom)
			continue
		}
		// Facts may be absent, and mostly client IDs too; a sentence must not
		// have a hole then.
		for _, ids := range [][]string{nil, {"gw-7"}, {"a", "b", "c", "d", "e"}} {
			f := &analyze.Finding{
				Symptom: symptom, Broker: "10.0.0.1:1883", Sessions: 1,
				ClientIDs: ids, Clients: []string{"10.0.0.2"}, Codes: []string{"0x02"},
			}
			if ids == nil && aboutIDs[symptom] {
				continue
			}
			for _, lang := range []kb.Lang{kb.English, kb.Chinese} {
				v := valuesOf(f, lang)
				for _, m := range []message{w.title, w.summary, w.answer} {
					if s, known := fill(m.text(lang), v); !known {
						t.Errorf("%s with %d client IDs: a value is missing in %q", symptom, len(ids), s)
					}
				}
			}
		}
	}
}

// aboutIDs are the symptoms whose sentences need a client ID: those that are
// about one, and the rejected one, which has a sentence for an empty ID.
var aboutIDs = map[string]bool{"client-id-takeover": true, "client-id-shared": true, "identifier-rejected": true}

func TestDescribe(t *testing.T) {
	base := analyze.Finding{
		Symptom: "client-id-takeover", Broker: "10.0.0.1:1883",
		ClientIDs: []string{"gw-7"}, Clients: []string{"10.0.0.2", "10.0.0.3"}, Sessions: 12,
	}
	base.Facts.Takeovers.Set(10)
	loop := base
	loop.Facts.TakeoverLoop.Set(true)
	one := loop
	one.Clients = []string{"10.0.0.2"}
	stale := base
	stale.Facts.StaleReconnect.Set(true)
	user := base
	user.ClientIDs = []string{"a", "b"}
	user.Facts.IDsDiffer.Set(true)
	empty := analyze.Finding{Symptom: "identifier-rejected", Broker: "10.0.0.1:1883", Sessions: 2, Codes: []string{"0x02"}}
	tests := []struct {
		name   string
		f      analyze.Finding
		en, zh string
	}{
		{"loop", loop, `Two clients share client ID "gw-7" and take each other's session over, again and again: 10 times.`, `两个客户端共用客户端 ID "gw-7"，反复互相接管会话：共 10 次。`},
		{"loop at one address", one, `Sessions with client ID "gw-7", all from 10.0.0.2, take each other over, again and again: 10 times.`, ""},
		{"stale", stale, `No harm seen: client "gw-7" came back and replaced its own dead connection, 10 times.`, ""},
		{"shared user name", user, `Sessions with different client IDs ("a" and "b") take each other over, 10 times: they share one user name, which the broker seems to use as the client ID.`, ""},
		{"empty ID", empty, "Broker 10.0.0.1:1883 rejects an empty client ID with 0x02 (identifier rejected), twice.", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := describe(&tt.f, kb.English).answer; got != tt.en {
				t.Errorf("answer\n got %s\nwant %s", got, tt.en)
			}
			if got := describe(&tt.f, kb.Chinese).answer; tt.zh != "" && got != tt.zh {
				t.Errorf("answer\n got %s\nwant %s", got, tt.zh)
			}
		})
	}
}

// TestWorkedIsSaidFirst: what a client changed before it was accepted begins the
// summary, with its packets, and its fix begins the advice.
func TestWorkedIsSaidFirst(t *testing.T) {
	f := analyze.Finding{Symptom: "identifier-rejected", Broker: "10.0.0.1:1883", Sessions: 2, ClientIDs: []string{"gw-7"}, Codes: []string{"0x02"}}
	for change, want := range map[string][2]string{
		"keep-alive": {"What then worked: another keep-alive; the CONNECT in packet 17 was accepted. ", "之后奏效的改动：更改保活时间；数据包 17 中的 CONNECT 被接受。"},
		"several":    {"What then worked: several changes at once; the CONNECT in packet 17 was accepted. ", "之后奏效的改动：同时作了几项改动；数据包 17 中的 CONNECT 被接受。"},
	} {
		f.Facts.WorkedChange.Set(change, 17)
		if got := describe(&f, kb.English).summary; !strings.HasPrefix(got, want[0]) {
			t.Errorf("%s: %q", change, got)
		}
		if got := describe(&f, kb.Chinese).summary; !strings.HasPrefix(got, want[1]) {
			t.Errorf("%s: %q", change, got)
		}
	}
	f.Facts.WorkedChange.Set("client-id", 17, 30)
	if got := describe(&f, kb.English).summary; !strings.Contains(got, "in packets 17 and 30 was") {
		t.Errorf("two packets: %q", got)
	}
	for _, change := range []string{"nothing", "[{?x}"} {
		f.Facts.WorkedChange.Set(change, 17)
		if got := describe(&f, kb.English).summary; strings.Contains(got, "worked") {
			t.Errorf("%s: %q", change, got)
		}
	}
	advice := []kb.Advice{
		{Fixes: []kb.Fix{{Text: kb.Text{En: "first"}, Status: kb.Recommended}}},
		{Fixes: []kb.Fix{{Text: kb.Text{En: "worked"}, Status: kb.Recommended, Worked: true}}},
	}
	if got := firstFix(advice, kb.English); got != "worked" {
		t.Errorf("the first fix is %q", got)
	}
}
