package live_test

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/live"
	"github.com/mqttriage/mqttriage/decode"
)

// TestLeanFindings analyses every capture whole and as the lean filter lets through.
// The filter may cost findings, which are listed; it must not make any.
func TestLeanFindings(t *testing.T) {
	paths, err := captures()
	if err != nil {
		t.Fatal(err)
	}
	vms := leanMachines(t)
	all, passed, captures, kept, lost := 0, 0, 0, 0, map[string][]string{}
	for _, path := range paths {
		packets, err := packetsOf(path)
		if err != nil {
			t.Fatal(err)
		}
		through, ok := lean(t, vms, packets)
		if !ok {
			continue // of no interface that live captures
		}
		name := filepath.Base(filepath.Dir(path))
		if filepath.Ext(name) == "" && filepath.Base(filepath.Dir(filepath.Dir(path))) == "recordings" {
			name += "/" + filepath.Base(path)
		}
		captures, all, passed = captures+1, all+len(packets), passed+len(through)
		whole, left := findingsOf(packets), findingsOf(through)
		kept += len(left)
		compareLean(t, name, whole, left)
		for what := range whole {
			if _, ok := left[what]; !ok {
				lost[name] = append(lost[name], what)
			}
		}
		slices.Sort(lost[name])
	}
	t.Logf("%d captures: %d of %d packets pass, %d findings are kept", captures, passed, all, kept)
	if captures < 150 || kept < 50 {
		t.Error("too few to mean anything")
	}
	for _, name := range slices.Sorted(maps.Keys(lost)) {
		if want := leanLoses[name]; !slices.Equal(lost[name], want) {
			t.Errorf("%s: the lean filter costs %q, and the list has %q", name, lost[name], want)
		}
	}
	for name, want := range leanLoses {
		if len(lost[name]) == 0 {
			t.Errorf("%s: the lean filter costs nothing, and the list has %q", name, want)
		}
	}
}

func leanMachines(t *testing.T) [2]*bpf.VM {
	return [...]*bpf.VM{machine(t, live.Filter{Lean: true}, live.StartEthernet), machine(t, live.Filter{Lean: true}, live.StartIP)}
}

// lean are the packets that the lean filter lets through, numbered anew; false where some are of
// other link types than interfaces have.
func lean(t *testing.T, vms [2]*bpf.VM, packets []capture.Packet) (through []capture.Packet, ok bool) {
	for _, p := range packets {
		s, ok := seen(&p)
		if !ok {
			return nil, false
		}
		if passes(t, vms[s.start], s.frame) {
			p.Number = len(through) + 1
			through = append(through, p)
		}
	}
	return through, true
}

// compareLean holds findings with the lean filter to those without: no other ones, in no more
// sessions, and with no other facts.
func compareLean(t *testing.T, name string, whole, lean map[string]found) {
	t.Helper()
	var wrong []string
	for _, what := range slices.Sorted(maps.Keys(lean)) {
		l, w := lean[what], whole[what]
		if l.sessions > w.sessions {
			wrong = append(wrong, what)
			continue
		}
		for _, fact := range slices.Sorted(maps.Keys(l.facts)) {
			// Facts of fewer sessions are other facts.
			if l.sessions == w.sessions && l.facts[fact] != w.facts[fact] {
				wrong = append(wrong, what+": "+fact)
			}
		}
	}
	if want := falseFindings[name]; !slices.Equal(wrong, want) {
		t.Errorf("%s: with the lean filter these are false: %q, and the list has %q", name, wrong, want)
	}
}

// found is what is compared of findings of one symptom.
type found struct {
	sessions int
	facts    map[string]any // of the first finding
}

// findingsOf are the findings of packets, by symptom and broker.
func findingsOf(packets []capture.Packet) map[string]found {
	analyzer := analyze.New(analyze.Options{})
	decoder := decode.New(decode.Options{Capture: "lean", Index: 1}, analyzer.Add)
	for _, p := range packets {
		decoder.Add(p)
	}
	decoder.Close()
	findings := map[string]found{}
	for _, f := range analyzer.Findings() {
		what := fmt.Sprintf("%s at %s", f.Symptom, cmp.Or(f.Broker, "no broker"))
		all := findings[what]
		if all.sessions += f.Sessions; all.facts == nil {
			all.facts = map[string]any{}
			f.Facts.Each(func(fact string, value any, _ []int, known bool) {
				if known {
					all.facts[fact] = value
				}
			})
		}
		findings[what] = all
	}
	return findings
}

// falseFindings are those that the lean filter makes, and facts of true ones, by capture or scenario.
// There are none.
var falseFindings = map[string][]string{}

// leanLoses are the findings that the lean filter costs, by capture.
var leanLoses = map[string][]string{
	// That the broker acknowledged the CONNECT is a segment without payload.
	"mosquitto-2.0.11_frozen-broker_connect-acked-no-connack": {"no-connack at 127.0.0.1:1883"},
	"scripted_vernemq_max-connections_backlog":                {"no-connack at 10.0.0.1:1883"},
	"ws/mochi-2.7.9_raw_plain-mqtt.pcap":                      {"no-connack at 127.0.0.1:9201"},

	// What the client said before it was closed is not seen, and so not whether it was a CONNECT, or
	// behind one a DISCONNECT.
	"mosquitto-2.1.2_first-packet-pingreq_silent-close": {"closed-before-connack at 127.0.0.1:1883"},
	"scripted_session-flapping_closed-after-subscribe":  {"session-flapping at 10.0.0.1:1883"},

	// What TLS carries, and alerts that are encrypted (TLS 1.3), are application data.
	"mosquitto-2.0.11_tls_require-certificate_no-client-cert_tls13": {"tls-alert at 127.0.0.1:8883"},
	"mosquitto-2.0.11_tls_use-identity-no-cert_connack4-inside-tls": {"closed-inside-tls at 127.0.0.1:8883"},
	"scripted_aws-iot_policy-close-behind-tls":                      {"closed-before-connack at 10.0.0.1:8883"},
	"tls/tls12_rejected.pcap":                                       {"closed-inside-tls at 127.0.0.1:8883"},
	"tls/tls12_rejected_CBC.pcap":                                   {"closed-inside-tls at 127.0.0.1:8883"},
	"tls/tls12_takeover.pcap":                                       {"closed-inside-tls at 127.0.0.1:8883"},
	"tls/tls12_takeover_CBC.pcap":                                   {"closed-inside-tls at 127.0.0.1:8883"},
	"tls/tls13_fails_no-client-certificate.pcap":                    {"tls-alert at 127.0.0.1:8883"},
	"tls/tls13_rejected.pcap":                                       {"closed-inside-tls at 127.0.0.1:8883"},
	"tls/tls13_takeover.pcap":                                       {"closed-inside-tls at 127.0.0.1:8883"},

	// HTTP and WebSockets begin with other bytes.
	"mosquitto-2.0.11_http-get-on-mqtt-port_silent-close":               {"http-on-mqtt-port at 127.0.0.1:1883"},
	"mosquitto-2.1.2_websocket_without-subprotocol":                     {"http-on-mqtt-port at 127.0.0.1:1883"},
	"nats-2.15.2_http-get-on-mqtt-port":                                 {"http-on-mqtt-port at 127.0.0.1:1883"},
	"ws/aedes-1.2.0_mqttjs-5.16.0_v311_deflate_takeover.pcap":           {"client-id-takeover at 127.0.0.1:9101"},
	"ws/aedes-1.2.0_mqttjs-5.16.0_wrong-path.pcap":                      {"ws-upgrade-failed at 127.0.0.1:9101"},
	"ws/aedes-1.2.0_raw_level-9.pcap":                                   {"closed-before-connack at 127.0.0.1:9101"},
	"ws/aedes-1.2.0_raw_plain-mqtt.pcap":                                {"closed-before-connack at 127.0.0.1:9101"},
	"ws/aedes-1.2.0_raw_rsv1-not-negotiated.pcap":                       {"closed-before-connack at 127.0.0.1:9101"},
	"ws/aedes-1.2.0_raw_second-connect.pcap":                            {"malformed-connect at 127.0.0.1:9101"},
	"ws/aedes-1.2.0_raw_unmasked.pcap":                                  {"closed-before-connack at 127.0.0.1:9101"},
	"ws/aedes-1.2.0_raw_version-5.pcap":                                 {"version-refused at 127.0.0.1:9101"},
	"ws/aedes-1.2.0_raw_websocket-to-plain-port.pcap":                   {"http-on-mqtt-port at 127.0.0.1:1883"},
	"ws/aedes-1.2.0_raw_websocket-version-99.pcap":                      {"ws-upgrade-failed at 127.0.0.1:9101"},
	"ws/aedes-1.2.0_raw_wrong-path.pcap":                                {"ws-upgrade-failed at 127.0.0.1:9101"},
	"ws/mochi-2.7.9_mqttjs-5.16.0_v5_takeover.pcap":                     {"client-id-takeover at 127.0.0.1:9201"},
	"ws/mochi-2.7.9_raw_text-frame.pcap":                                {"closed-before-connack at 127.0.0.1:9201"},
	"ws/mosquitto-2.0.11_mqttjs-5.16.0_plain-port.pcap":                 {"http-on-mqtt-port at 127.0.0.1:1883"},
	"ws/mosquitto-2.0.11_mqttjs-5.16.0_v311_not-authorized.pcap":        {"not-authorized at 127.0.0.1:9001"},
	"ws/mosquitto-2.0.11_mqttjs-5.16.0_v5_not-authorized.pcap":          {"not-authorized at 127.0.0.1:9001"},
	"ws/mosquitto-2.0.11_mqttjs-5.16.0_v5_takeover.pcap":                {"client-id-takeover at 127.0.0.1:9001"},
	"ws/mosquitto-2.0.11_paho-js-1.1.0_not-authorized_retries-v31.pcap": {"not-authorized at 127.0.0.1:9001"},
	"ws/mosquitto-2.0.11_raw_level-9.pcap":                              {"version-refused at 127.0.0.1:9001"},
	"ws/mosquitto-2.0.11_raw_no-subprotocol.pcap":                       {"ws-upgrade-failed at 127.0.0.1:9001"},
	"ws/mosquitto-2.0.11_raw_plain-mqtt.pcap":                           {"closed-before-connack at 127.0.0.1:9001"},
	"ws/mosquitto-2.0.11_raw_rsv1-not-negotiated.pcap":                  {"closed-before-connack at 127.0.0.1:9001"},
	"ws/mosquitto-2.0.11_raw_second-connect.pcap":                       {"malformed-connect at 127.0.0.1:9001"},
	"ws/mosquitto-2.0.11_raw_websocket-to-plain-port.pcap":              {"http-on-mqtt-port at 127.0.0.1:1883"},
	"ws/nats-2.15.2_raw_wrong-path.pcap":                                {"ws-upgrade-failed at 127.0.0.1:9301"},
	"ws/nginx-1.22.1_raw_broker-down_502.pcap":                          {"ws-upgrade-failed at 127.0.0.1:8080"},
	"ws/nginx-1.22.1_raw_upgrade-not-forwarded.pcap":                    {"ws-upgrade-failed at 127.0.0.1:8080"},
	"ws/nginx-1.22.1_raw_wrong-path_404.pcap":                           {"ws-upgrade-failed at 127.0.0.1:8080"},
}
