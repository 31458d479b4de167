package kb

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode"
)

// caseFile is the capture of a case in the repository.
func caseFile(name string) string { return filepath.Join("..", "testdata", name, "capture.pcap") }

// recordingFile is the capture of a case or, where it is none, one of the
// recordings that cases are taken from, which lie beside the checkout of those
// who made them.
func recordingFile(t *testing.T, name string) string {
	t.Helper()
	recording := filepath.Join("..", "..", "shared", "brokers", name+".pcap")
	for _, path := range []string{caseFile(name), recording} {
		_, err := os.Stat(path)
		if err == nil {
			return path
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	t.Skipf("%s is no case, and the recordings are not here", name)
	return ""
}

// findingsIn runs a capture through decoding and analysis.
func findingsIn(t *testing.T, path string) []analyze.Finding {
	t.Helper()
	source, err := pcapfile.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	analyzer := analyze.New(analyze.Options{})
	decoder := decode.New(decode.Options{Capture: path, Index: 1}, analyzer.Add)
	for {
		p, err := source.Next()
		if cut := (*capture.TruncatedError)(nil); errors.Is(err, io.EOF) || errors.As(err, &cut) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		decoder.Add(p)
	}
	decoder.Close()
	return analyzer.Findings()
}

// adviceIn returns the advice for all findings in a capture.
func adviceIn(t *testing.T, path string) []Advice {
	t.Helper()
	var all []Advice
	for _, f := range findingsIn(t, path) {
		all = append(all, embeddedBase(t).Consult(f)...)
	}
	return all
}

// TestCases holds every entry to the captures that it names.
func TestCases(t *testing.T) {
	for _, e := range embeddedBase(t).Entries() {
		advised := func(t *testing.T, name string) bool {
			return slices.ContainsFunc(adviceIn(t, caseFile(name)), func(a Advice) bool {
				return a.Entry == e && (a.Specific || e.When == nil)
			})
		}
		for _, name := range e.Captures.Fires {
			t.Run(e.ID+"/fires/"+name, func(t *testing.T) {
				if !advised(t, name) {
					t.Errorf("the entry is not advised; findings: %v", findingsIn(t, caseFile(name)))
				}
			})
		}
		for _, name := range e.Captures.Silent {
			t.Run(e.ID+"/silent/"+name, func(t *testing.T) {
				if advised(t, name) {
					t.Errorf("the entry is advised; findings: %v", findingsIn(t, caseFile(name)))
				}
			})
		}
	}
}

// TestCaseStatuses says what must come of captures whose story is known.
func TestCaseStatuses(t *testing.T) {
	for _, test := range []struct {
		capture, entry string
		want           map[string]Status // by id
	}{
		{"mosquitto-2.0.11_v311_duplicate-id_ping-pong_two-paho16-clients", seedID, map[string]Status{
			"id-in-use": Supported, "connection-limit": Contradicted,
			"unique-client-id": Recommended, "clean-session": InPlace, "raise-connection-limit": NotApplicable,
			"same-id-again": Seen, "disable-security": NotSeen,
		}},
		{"mosquitto-2.0.11_v311_duplicate-id_ping-pong_two-paho16-clients", "mqtt/client-id-takeover", map[string]Status{
			"two-clients-one-id": Supported, "stale-reconnect": Contradicted, "username-as-client-id": Contradicted,
			"unique-client-id": Recommended, "same-id-again": Seen, "unique-username": NotApplicable,
		}},
		{"cloned-firmware_three-source-ips_same-id_v5", "mqtt/client-id-takeover", map[string]Status{
			"two-clients-one-id": Supported, "cloned-image": Supported, "unique-client-id": Recommended,
		}},
		{"benign-takeover_same-source-ip_stale-half-open", "mqtt/client-id-takeover", map[string]Status{
			"two-clients-one-id": Contradicted, "stale-reconnect": Supported, "unique-client-id": NotApplicable,
			"stop-second-client": NotApplicable, "same-id-again": NotSeen,
		}},
		{"benign-takeover_same-source-ip_stale-half-open", seedID, map[string]Status{
			"id-in-use": Contradicted, "unique-client-id": NotApplicable, "clean-session": NotApplicable, "same-id-again": NotSeen,
		}},
		{"mosquitto-2.0.15_v311_use-username-as-clientid_shared-username_takeover", "mqtt/client-id-takeover", map[string]Status{
			"username-as-client-id": Supported, "two-clients-one-id": Contradicted,
			"unique-username": Recommended, "unique-client-id": NotApplicable,
		}},
		{"mosquitto-2.0.11_v311_empty-id_clean0_retried-12-times", "mqtt/empty-client-id", map[string]Status{
			"clean-session-off": Supported, "clean-session": Recommended, "same-id-again": Seen,
		}},
		{"mosquitto-2.0.11_v311_one-id_two-addresses_in-turn", "mqtt/client-id-takeover", map[string]Status{
			"two-clients-one-id": Possible, "unique-client-id": Possible,
		}},
		{"any-interface_takeover-loop", seedID, map[string]Status{
			"id-in-use": Supported, "unique-client-id": Recommended, "same-id-again": Seen,
		}},
		{"mosquitto-2.0.11_v311_empty-id_clean0_connack2", "mqtt/empty-client-id", map[string]Status{
			"clean-session-off": Supported, "mqtt-31": Contradicted, "forbidden-by-configuration": Possible,
			"set-client-id": Recommended, "clean-session": Recommended, "allow-empty-ids": NotApplicable,
		}},
		{"mosquitto-2.0.11_v31_empty-id_connack2", "mqtt/empty-client-id", map[string]Status{
			"mqtt-31": Supported, "clean-session-off": Contradicted, "use-mqtt-311": Recommended, "clean-session": InPlace,
		}},
		{"mosquitto-2.0.11_v311_empty-id_clean1_allow-zero-false_connack2", "mqtt/empty-client-id", map[string]Status{
			"forbidden-by-configuration": Supported, "clean-session": InPlace, "allow-empty-ids": Recommended,
		}},
		{"mosquitto-2.0.15_v311_keepalive120_max-keepalive60", "mqtt/identifier-refused", map[string]Status{
			"keep-alive-policy": Supported, "id-too-long": Contradicted, "id-characters": Contradicted, "id-in-use": Contradicted,
			"lower-keep-alive": Recommended, "plain-short-id": InPlace,
		}},
		{"mosquitto-2.0.15_v311_keepalive0_max-keepalive60", "mqtt/identifier-refused", map[string]Status{
			"keep-alive-policy": Supported, "id-too-long": Contradicted, "id-characters": Contradicted, "raise-max-keepalive": Recommended,
		}},
		{"mosquitto-2.0.15_v311_keepalive120_max-keepalive60", seedID, map[string]Status{
			"id-in-use": Contradicted, "connection-limit": Contradicted, "unique-client-id": NotApplicable, "clean-session": InPlace,
		}},
		{"nats-2.15.2_v311_id-with-dot", "mqtt/identifier-refused", map[string]Status{
			"id-characters": Supported, "keep-alive-policy": Possible, "plain-short-id": Recommended,
		}},
		{"aedes-1.2.0_v311_keepalive120_keepaliveLimit60_connack6", "mqtt/identifier-refused", map[string]Status{
			"keep-alive-policy": Supported, "id-in-use": Contradicted, "broker-policy": Contradicted,
		}},
		{"mosquitto-2.1.2_v311_global-max-connections-1", "mqtt/closed-before-connack", map[string]Status{
			"connection-limit": Supported, "raise-connection-limit": Recommended, "version-not-supported": Contradicted,
			"policy-or-credentials": Contradicted,
		}},
		{"mosquitto-2.0.11_v311_max-connections-1_second-client-closed-before-connect", seedID, map[string]Status{
			"connection-limit": Supported, "id-in-use": Contradicted, "raise-connection-limit": Recommended, "unique-client-id": NotApplicable,
		}},
		{"mosquitto-2.0.11_v311_reserved-flag-set_silent-close", "mqtt/closed-before-connack", map[string]Status{
			"malformed-connect": Supported, "connection-limit": Contradicted, "repair-connect": Recommended,
		}},
		{"mosquitto-2.0.11_v311_will-retain_retain-unavailable_silent-close", "mqtt/closed-before-connack", map[string]Status{
			"will-refused": Supported, "malformed-connect": Contradicted, "change-will": Recommended,
		}},
		{"mosquitto-2.0.15_half-open_no-connect-sent", "mqtt/closed-before-connack", map[string]Status{
			"no-connect-in-time": Supported, "connection-limit": Contradicted, "send-connect": Recommended,
		}},
		{"nanomq-0.25.3_v31_long-id-30", "mqtt/closed-before-connack", map[string]Status{
			"long-id-in-mqtt-31": Supported, "use-mqtt-311": Recommended, "will-refused": Contradicted,
		}},
		{"nats-2.15.2_v311_duplicate-id_flapper-jail-fast", "mqtt/closed-before-connack", map[string]Status{
			"reconnect-held-back": Supported, "connection-limit": Possible,
		}},
		{"rabbitmq-3.10.8_v311_memory-alarm_no-connack_login-timeout", "mqtt/closed-before-connack", map[string]Status{
			"broker-blocked": Supported, "free-broker": Recommended, "connection-limit": Contradicted, "no-connect-in-time": Contradicted,
		}},
		{"mosquitto-2.1.2_v5_bad-utf8-id", "mqtt/identifier-refused", map[string]Status{
			"id-characters": Supported, "keep-alive-policy": Contradicted, "plain-short-id": Recommended,
		}},
		{"rabbitmq-3.10.8_v5_duplicate-id_takeover", "mqtt/closed-before-connack", map[string]Status{
			"version-not-supported": Possible, "malformed-connect": Contradicted, "use-mqtt-311": Possible,
		}},
		{"mochi-2.7.9_v5_maximum-clients-1_connack0x89", "mqtt/server-unavailable", map[string]Status{
			"limit-or-quota": Supported, "device-disabled": Contradicted, "raise-limit": Recommended,
		}},
		{"mochi-2.7.9_v311_maximum-clients-1_connack3", "mqtt/server-unavailable", map[string]Status{
			"limit-or-quota": Possible, "connection-rate": Possible,
		}},
	} {
		t.Run(test.capture+"/"+test.entry, func(t *testing.T) {
			var found *Advice
			for _, a := range adviceIn(t, recordingFile(t, test.capture)) {
				if a.Entry.ID == test.entry {
					found = &a
					break
				}
			}
			if found == nil {
				t.Fatal("the entry is not advised")
			}
			have := statusesOf(*found)
			for id, want := range test.want {
				if have[id].status != want {
					t.Errorf("%s is %q because %q, not %q", id, have[id].status, have[id].because.En, want)
				}
			}
		})
	}
}
