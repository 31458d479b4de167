package analyze

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// Every story lists the findings that it must give, as "severity symptom", and
// no others. The quiet ones are as important as the others.
func TestRules(t *testing.T) {
	tests := []struct {
		name string
		tell func(st *story)
		want []string
	}{
		{"one session", func(st *story) { st.accepted(0, "10.0.0.2", "a") }, nil},
		{"two devices fight over an ID", func(st *story) {
			var open *decode.Session
			for i := range 6 {
				s := st.accepted(float64(i), []string{"10.0.0.2", "10.0.0.3"}[i%2], "gw-7")
				if open != nil {
					st.close(open, float64(i)+0.0021, decode.Broker)
				}
				open = s
			}
		}, []string{"error client-id-takeover"}},
		{"a device replaces its half-open connection", func(st *story) {
			old := st.accepted(0, "10.0.0.2", "pump")
			st.accepted(30, "10.0.0.2", "pump")
			st.close(old, 30.0021, decode.Broker)
		}, []string{"info client-id-takeover"}},
		{"one takeover by a live client at another address", func(st *story) {
			old := st.accepted(0, "10.0.0.2", "pump")
			st.accepted(0.5, "10.0.0.3", "pump")
			st.close(old, 0.5021, decode.Broker)
		}, []string{"warning client-id-takeover"}},
		{"the broker closes for its own reason and the client comes back", func(st *story) {
			old := st.accepted(0, "10.0.0.2", "pump")
			st.close(old, 90, decode.Broker)
			st.accepted(91, "10.0.0.2", "pump")
		}, []string{"warning keepalive-timeout"}},
		{"the broker closes long before the keep-alive runs out", func(st *story) {
			old := st.accepted(0, "10.0.0.2", "pump")
			st.close(old, 40, decode.Broker)
			st.accepted(41, "10.0.0.2", "pump")
		}, nil},
		{"keep-alive off and a close after a long silence", func(st *story) {
			s := st.accepted(0, "10.0.0.2", "pump")
			s.Connect.KeepAlive = 0
			st.close(s, 900, decode.Broker)
		}, nil},
		{"the broker's own keep-alive is in force", func(st *story) {
			s := st.accepted(0, "10.0.0.2", "pump")
			order := uint16(10)
			s.Connack.ServerKeepAlive = &order
			st.close(s, 15.5, decode.Broker)
		}, []string{"warning keepalive-timeout"}},
		{"accepted and dropped within seconds, again and again", func(st *story) {
			for i := range 5 {
				s := st.accepted(float64(i*5), "10.0.0.2", "pump")
				st.close(s, float64(i*5)+0.3, decode.Broker)
			}
		}, []string{"warning session-flapping"}},
		{"short visits that end with DISCONNECT", func(st *story) {
			for i := range 5 {
				s := st.accepted(float64(i*5), "10.0.0.2", "pump")
				st.close(s, float64(i*5)+0.3, decode.Client)
				s.Close = decode.CloseDisconnect
			}
		}, nil},
		{"MQTT in clear to a TLS port", func(st *story) {
			s := st.connect(0, "10.0.0.2", "a")
			s.Broker = addr(8883)
			st.close(s, 0.002, decode.Broker)
		}, []string{"error plain-to-tls-port"}},
		{"a close without CONNACK on 8883 where MQTT in clear is spoken", func(st *story) {
			st.accepted(0, "10.0.0.3", "b").Broker = addr(8883)
			s := st.connect(1, "10.0.0.2", "a")
			s.Broker = addr(8883)
			st.close(s, 1.002, decode.Broker)
		}, []string{"error closed-before-connack"}},
		{"a TLS client does not trust the broker", func(st *story) {
			s := st.secure(0, "mqtt.example.com")
			s.TLS.Alert, s.TLS.AlertBy, s.TLS.AlertAt = "unknown_ca", decode.Client, st.at(0.01)
			s.Outcome = decode.TLSFailed
		}, []string{"error tls-alert"}},
		{"behind TLS the broker closes after the first data and sends nothing that could be a CONNACK", func(st *story) {
			s := st.secure(0, "x-ats.iot.eu-west-1.amazonaws.com")
			s.TLS.FirstData = st.at(0.02)
			st.close(s, 0.05, decode.Broker)
			s.Outcome = decode.Unknown
		}, []string{"error closed-before-connack"}},
		{"behind TLS the broker sends something before it closes", func(st *story) {
			s := st.secure(0, "x-ats.iot.eu-west-1.amazonaws.com")
			s.TLS.FirstData, s.TLS.AnswerRecords = st.at(0.02), 1
			st.close(s, 0.05, decode.Broker)
			s.Outcome = decode.Unknown
		}, nil},
		{"a WebSocket upgrade without the subprotocol", func(st *story) {
			s := st.secure(0, "")
			s.TLS, s.Transport, s.First, s.BrokerFirst = nil, decode.WS, decode.FirstHTTP, decode.FirstHTTP
			s.HTTP = &decode.HTTP{Method: "GET", Path: "/mqtt", Upgrade: true, Subprotocol: true, Status: 400}
		}, []string{"error ws-upgrade-failed"}},
		{"an ID is used again after the client closed", func(st *story) {
			old := st.accepted(0, "10.0.0.2", "pump")
			st.close(old, 1, decode.Client)
			st.accepted(1.1, "10.0.0.3", "pump")
		}, nil},
		{"empty IDs by the hundred", func(st *story) {
			for i := range 100 {
				st.accepted(float64(i)/100, "10.0.0.2", "")
			}
		}, nil},
		{"one ID at two addresses, both stay", func(st *story) {
			st.accepted(0, "10.0.0.2", "meter")
			st.accepted(1, "10.0.0.3", "meter")
		}, []string{"warning client-id-shared"}},
		{"one ID at two addresses in turn", func(st *story) {
			for i := range 3 {
				s := st.accepted(float64(i), []string{"10.0.0.2", "10.0.0.3"}[i%2], "meter")
				st.close(s, float64(i)+0.5, decode.Client)
			}
		}, []string{"warning client-id-shared"}},
		{"the broker takes user names for IDs", func(st *story) {
			a := st.accepted(0, "10.0.0.2", "a")
			b := st.accepted(1, "10.0.0.3", "b")
			a.Connect.UserTag, b.Connect.UserTag = 7, 7
			st.close(a, 1.0021, decode.Broker)
		}, []string{"warning client-id-takeover"}},
		{"two sessions of one user, one of them closed by chance", func(st *story) {
			a := st.accepted(0, "10.0.0.2", "a")
			b := st.accepted(60, "10.0.0.3", "b")
			a.Connect.UserTag, b.Connect.UserTag = 7, 7
			st.close(a, 60.9, decode.Broker)
		}, nil},
		{"and one whose keep-alive had just run out", func(st *story) {
			a := st.accepted(0, "10.0.0.2", "a")
			b := st.accepted(90, "10.0.0.3", "b")
			a.Connect.UserTag, b.Connect.UserTag = 7, 7
			st.close(a, 90.0021, decode.Broker)
		}, []string{"warning keepalive-timeout"}},
		{"sensors behind one address that publish in turn", func(st *story) {
			for i := range 6 {
				s := st.accepted(float64(i), "10.0.0.2", "sensor-"+string(rune('1'+i)))
				s.Connect.CleanStart = false
				st.close(s, float64(i)+0.5, decode.Client)
			}
		}, nil},
		{"devices behind one address that are refused", func(st *story) {
			for i := range 5 {
				s := st.connect(float64(i), "10.0.0.2", "dev-"+string(rune('1'+i)))
				st.answer(s, float64(i)+0.002, 5)
				st.close(s, float64(i)+0.003, decode.Broker)
			}
		}, []string{"error not-authorized"}},
		{"the client is back a millisecond after the broker closed for its own reason", func(st *story) {
			var old *decode.Session
			for i := range 5 {
				if old != nil {
					st.close(old, float64(i*90)-0.001, decode.Broker)
				}
				old = st.accepted(float64(i*90), "10.0.0.2", "pump")
			}
		}, []string{"warning keepalive-timeout"}},
		{"one user for a fleet, and a broker close among it", func(st *story) {
			for i := range 5 {
				st.accepted(float64(i), "10.0.0."+string(rune('2'+i)), "dev-"+string(rune('1'+i))).Connect.UserTag = 7
			}
			st.close(st.sessions[0], 4.0021, decode.Broker)
		}, nil},
		{"a new ID every time, session state kept", func(st *story) {
			for i, id := range []string{"sensor-569048d9", "sensor-09dba162", "sensor-6cf81427", "sensor-2772db74"} {
				s := st.accepted(float64(i), "10.0.0.2", id)
				s.Connect.CleanStart = false
				st.close(s, float64(i)+0.5, decode.Client)
			}
		}, []string{"warning client-id-churn"}},
		{"a new ID every time, no session state kept", func(st *story) {
			for i, id := range []string{"sensor-569048d9", "sensor-09dba162", "sensor-6cf81427", "sensor-2772db74"} {
				s := st.accepted(float64(i), "10.0.0.2", id)
				st.close(s, float64(i)+0.5, decode.Client)
			}
		}, nil},
		{"many devices behind one address", func(st *story) {
			for i := range 20 {
				st.accepted(float64(i), "10.0.0.2", "dev-"+string(rune('a'+i))).Connect.CleanStart = false
			}
		}, nil},
		{"a refused client that backs off", func(st *story) {
			at := 0.0
			for _, pause := range []float64{1, 2, 4, 8, 16} {
				s := st.connect(at, "10.0.0.2", "a")
				st.answer(s, at+0.002, 5)
				st.close(s, at+0.003, decode.Broker)
				at += pause
			}
		}, []string{"error not-authorized"}},
		{"a refused client that does not", func(st *story) {
			for i := range 5 {
				s := st.connect(float64(i), "10.0.0.2", "a")
				st.answer(s, float64(i)+0.002, 5)
				st.close(s, float64(i)+0.003, decode.Broker)
			}
		}, []string{"error not-authorized", "warning retry-storm"}},
		{"closed without CONNACK", func(st *story) {
			st.close(st.connect(0, "10.0.0.2", "a"), 0.002, decode.Broker)
		}, []string{"error closed-before-connack"}},
		{"closed without CONNACK, but bytes of the broker are missing", func(st *story) {
			s := st.connect(0, "10.0.0.2", "a")
			st.close(s, 0.002, decode.Broker)
			s.BrokerGap, s.Outcome = true, decode.Unknown
		}, nil},
		{"no answer until the client gives up", func(st *story) {
			st.close(st.connect(0, "10.0.0.2", "a"), 10, decode.Client)
		}, []string{"error no-connack"}},
		{"no answer to a CONNECT that may never have arrived", func(st *story) {
			s := st.connect(0, "10.0.0.2", "a")
			st.close(s, 10, decode.Client)
			s.ConnectAcked = false
		}, nil},
		{"a client that leaves at once", func(st *story) {
			st.close(st.connect(0, "10.0.0.2", "a"), 0.2, decode.Client)
		}, nil},
		{"a slow CONNACK", func(st *story) {
			st.answer(st.connect(0, "10.0.0.2", "a"), 2.5, 0)
		}, []string{"warning slow-connack"}},
		{"a CONNACK after two seconds sharp", func(st *story) {
			st.answer(st.connect(0, "10.0.0.2", "a"), 2.001, 0)
		}, nil},
		{"a 3.x answer to a version 5 client", func(st *story) {
			for i, code := range []byte{0x01, 0x84} {
				s := st.connect(float64(i*100), "10.0.0.2", "a")
				s.Connect.Version, s.Connect.Level = mqtt.V5, 5
				st.answer(s, float64(i*100)+0.002, code)
			}
		}, []string{"error version-refused"}},
		{"codes of their own", func(st *story) {
			for i, code := range []byte{0x02, 0x03, 0x04, 0x05, 0x06, 0x80} {
				st.answer(st.connect(float64(i*1000), "10.0.0.2", "a"), float64(i*1000)+0.002, code)
			}
		}, []string{"error identifier-rejected", "error bad-credentials", "error not-authorized", "error server-unavailable", "error connack-other", "error connack-other"}},
		{"two CONNECTs on one connection", func(st *story) {
			s := st.accepted(0, "10.0.0.2", "a")
			s.MakeRare().SecondConnect = st.at(1)
			st.close(s, 1.001, decode.Broker)
		}, []string{"error malformed-connect"}},
		{"a second CONNECT after the refusal", func(st *story) {
			s := st.connect(0, "10.0.0.2", "a")
			st.answer(s, 0.002, 5)
			s.MakeRare().SecondConnect = st.at(1)
		}, []string{"error not-authorized"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			st := &story{}
			test.tell(st)
			var got []string
			for _, f := range st.findings() {
				got = append(got, f.Severity.String()+" "+f.Symptom)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestTakeoverFacts(t *testing.T) {
	st := &story{}
	var open *decode.Session
	for i := range 6 {
		s := st.accepted(float64(i), []string{"10.0.0.2", "10.0.0.3"}[i%2], "gw-7")
		if open != nil {
			st.close(open, float64(i)+0.0021, decode.Broker)
		}
		open = s
	}
	f := st.findings()[0]
	check := func(name string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	facts := &f.Facts
	takeovers, _ := facts.Takeovers.Get()
	again, _ := facts.Alternations.Get()
	moved, _ := facts.AddressChanges.Get()
	period, _ := facts.TakeoverPeriodS.Get()
	delay, _ := facts.TakeoverDelayMS.Get()
	loop, _ := facts.TakeoverLoop.Get()
	retries, _ := facts.RetriesUnchanged.Get()
	check("takeovers", takeovers, 5)
	check("alternations", again, 4)
	check("address_changes", moved, 5)
	check("takeover_period_s", period, 1.0)
	check("takeover_delay_ms", delay, 0.1)
	check("takeover_loop", loop, true)
	check("retries_unchanged", retries, 4)
	check("clients", strings.Join(f.Clients, " "), "10.0.0.2 10.0.0.3")
	check("sessions", f.Sessions, 6)
}

// One conversation captured before and after a NAT is one session, and no
// shared ID; two clients with equal sequence numbers are two.
func TestFold(t *testing.T) {
	st := &story{}
	inside := st.accepted(0, "10.0.0.2", "a")
	outside := st.accepted(0.0005, "192.0.2.7", "a")
	for _, s := range st.sessions {
		s.HasISN, s.ClientISN, s.BrokerISN = true, 111, 222
	}
	a := New(Options{})
	a.Add(inside)
	a.Add(outside)
	if got := a.Sessions(); len(got) != 1 || !got[0].Has(decode.NoteDuplicate) {
		t.Errorf("%d sessions, want the one seen twice", len(got))
	}
	if f := a.Findings(); len(f) != 0 {
		t.Errorf("findings %v", f)
	}
	if got := a.Totals(); got.Connections != 1 || got.Sessions != 1 {
		t.Errorf("totals %+v", got)
	}

	st = &story{}
	old := st.accepted(0, "10.0.0.2", "a")
	st.accepted(0.5, "10.0.0.3", "a")
	st.close(old, 0.5021, decode.Broker)
	for _, s := range st.sessions {
		s.HasISN, s.ClientISN, s.BrokerISN = true, 111, 222
	}
	if f := st.findings(); len(f) != 1 || f[0].Symptom != ClientIDTakeover {
		t.Errorf("findings %v, want the takeover", f)
	}
}

// Brokers are recognised by MQTT seen before or after, and by port.
func TestBrokerEndpoints(t *testing.T) {
	refused := func(st *story, port uint16) *decode.Session {
		s := st.connect(0, "10.0.0.2", "")
		s.Connect, s.MQTT, s.ConnectAt, s.ConnectBegan = nil, false, decode.Event{}, decode.Event{}
		s.Broker = addr(port)
		s.MakeRare().Refusal = st.at(0.001)
		s.SynAck = decode.Event{}
		s.Outcome = decode.Refused
		return s
	}
	for _, test := range []struct {
		name  string
		ports []uint16
		port  uint16
		mqtt  bool
		want  int
	}{
		{"1883", nil, 1883, false, 1},
		{"8883", nil, 8883, false, 1},
		{"a web server", nil, 443, false, 0},
		{"a port given", []uint16{443}, 443, false, 1},
		{"MQTT seen later", nil, 443, true, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			st := &story{}
			refused(st, test.port)
			if test.mqtt {
				st.accepted(5, "10.0.0.3", "a").Broker = addr(test.port)
			}
			a := New(Options{Ports: test.ports})
			for _, s := range st.sessions {
				a.Add(s)
			}
			found := a.Findings()
			if len(found) != test.want {
				t.Errorf("%d findings, want %d: %v", len(found), test.want, found)
			}
			if got := a.Totals(); got.Connections != len(st.sessions) {
				t.Errorf("%d connections, want %d", got.Connections, len(st.sessions))
			}
		})
	}
}

// What is left out is counted: findings beyond the most severe, connections
// without MQTT beyond those that are kept.
func TestNothingIsDroppedSilently(t *testing.T) {
	st := &story{}
	const brokers = maxFindings*5 + 7
	for i := range brokers {
		s := st.connect(0, "10.0.0.2", "")
		s.Connect, s.MQTT, s.SynAck, s.ConnectAt, s.ConnectBegan = nil, false, decode.Event{}, decode.Event{}, decode.Event{}
		s.Broker = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 1883)
		s.MakeRare().Refusal, s.Outcome = st.at(0.001), decode.Refused
	}
	a := New(Options{})
	for _, s := range st.sessions {
		a.Add(s)
	}
	if found := len(a.Findings()); found != maxFindings || a.Omitted() != brokers-maxFindings {
		t.Errorf("%d findings and %d left out, want %d and %d", found, a.Omitted(), maxFindings, brokers-maxFindings)
	}
	a.silent = maxSilent
	a.Add(st.sessions[0])
	if got := a.Totals(); got.NotKept != 1 || got.Connections != brokers+1 || got.Sessions != brokers {
		t.Errorf("totals %+v", got)
	}
}

// A rule over a hundred thousand sessions of one client and one ID, all open at
// once, must not take quadratic time.
func TestNoQuadraticStorm(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second or two")
	}
	st := &story{}
	for i := range 100_000 {
		s := st.accepted(float64(i)/1000, "10.0.0.2", "same")
		s.HasISN = true
		if i%2 == 0 {
			st.close(s, float64(i)/1000+0.01, decode.Broker)
		}
	}
	if len(st.findings()) == 0 {
		t.Error("nothing was found")
	}
}
