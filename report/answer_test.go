package report

import (
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/link"
	"github.com/mqttriage/mqttriage/kb"
)

func ms(n float64) *float64 { return &n }

func TestAnswerWithoutFindings(t *testing.T) {
	ethernet := func(packets int64, undecoded map[string]int64) []Capture {
		return []Capture{{Name: "a.pcap", LinkTypes: []string{"EN10MB"}, Packets: packets, Undecoded: undecoded}}
	}
	tls := &decode.Session{First: decode.FirstTLS, Outcome: decode.Unknown}
	mqtt := &decode.Session{MQTT: true, Outcome: decode.Unknown}
	tests := []struct {
		name     string
		doc      Document
		sessions []*decode.Session
		en       string
	}{
		{"empty", Document{Captures: ethernet(0, nil)}, nil,
			"There is nothing to analyse: the capture holds no packets."},
		{"all well", Document{Captures: ethernet(400, nil), Totals: Totals{Connections: 40, Sessions: 40, Accepted: 40, Brokers: 1, ConnackMedianMS: ms(0.3), ConnackMaxMS: ms(2.1)}}, nil,
			"No handshake problems: 40 sessions on 1 broker, all accepted, CONNACK in 0.3 ms (median), 2.1 ms (worst)."},
		{"one session", Document{Captures: ethernet(11, nil), Totals: Totals{Connections: 1, Sessions: 1, Accepted: 1, Brokers: 1, ConnackMedianMS: ms(1.1), ConnackMaxMS: ms(1.1)}}, nil,
			"No handshake problems: 1 session on 1 broker, all accepted, CONNACK in 1.1 ms."},
		{"partly unknown", Document{Captures: ethernet(50, nil), Totals: Totals{Connections: 5, Sessions: 5, Accepted: 3, Unknown: 2, Brokers: 1}}, nil,
			"No handshake problems: 5 sessions on 1 broker, 3 accepted, 2 unknown."},
		{"a failure that no rule explains", Document{Captures: ethernet(50, nil), Totals: Totals{Connections: 2, Sessions: 2, Accepted: 1, Unanswered: 1, Brokers: 1}}, nil,
			"No finding: 2 sessions on 1 broker, 1 accepted, 1 unanswered; the packets do not show why the others failed."},
		{"all unknown", Document{Captures: ethernet(50, nil), Totals: Totals{Connections: 1, Sessions: 1, Unknown: 1, Brokers: 1}}, []*decode.Session{mqtt},
			"No verdict: the capture shows no whole handshake in 1 session on 1 broker."},
		{"encrypted", Document{Captures: ethernet(50, nil), Totals: Totals{Connections: 2, Sessions: 2, Unknown: 2, Encrypted: 2, Brokers: 1}}, []*decode.Session{tls, tls},
			"Nothing can be said about MQTT here: all 2 sessions to port 0 are encrypted. To look inside, let a client log its TLS secrets (SSLKEYLOGFILE) while you capture, and add --keylog FILE."},
		{"something else on the port", Document{Captures: ethernet(50, nil), Totals: Totals{Connections: 1, Sessions: 1, NotMQTT: 1, Brokers: 1}}, nil,
			"No MQTT in this capture: 1 connection to a broker's port carries something else."},
		{"other TCP", Document{Captures: ethernet(300, map[string]int64{"not TCP": 2}), Totals: Totals{Connections: 7}}, nil,
			"No MQTT in this capture: 7 TCP connections in 300 packets (EN10MB), and no port of a broker among them. If a broker listens elsewhere, perhaps with TLS, name its port with --port."},
		{"no TCP", Document{Captures: ethernet(300, map[string]int64{"not TCP": 299, "not IP": 1})}, nil,
			"No MQTT in this capture: 300 packets (EN10MB) without a readable TCP segment. Not decoded: not TCP (299 packets)."},
		{"unreadable", Document{Captures: ethernet(3, map[string]int64{"unknown link type": 3})}, nil,
			"Nothing can be said about MQTT here: 3 packets (EN10MB), and no TCP segment could be read from them. Not decoded: unknown link type (3 packets)."},
		{"hidden", Document{Captures: ethernet(3, nil), Totals: Totals{Sessions: 2, Brokers: 1, Rejected: 2}, Hidden: 1}, nil,
			"No finding at or above the severity asked for: 2 sessions on 1 broker. 1 finding of lower severity is not shown."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.doc.Lang = kb.English
			if got := answerOf(&tt.doc, "", func() []*decode.Session { return tt.sessions }); got != tt.en {
				t.Errorf("answer\n got %s\nwant %s", got, tt.en)
			}
			tt.doc.Lang = kb.Chinese
			got := answerOf(&tt.doc, "", func() []*decode.Session { return tt.sessions })
			if got == "" || got == tt.en || strings.ContainsAny(got, "{}[]") {
				t.Errorf("answer in Chinese: %q", got)
			}
		})
	}
}

// A reason that the decoder gives must have words, and be known as harmless or
// not.
func TestEveryReasonHasWords(t *testing.T) {
	for r := link.OK + 1; r < link.Reasons; r++ {
		if _, ok := reasonMessages[r.String()]; !ok {
			t.Errorf("no words for %q", r)
		}
	}
}

func TestBuildOfNothing(t *testing.T) {
	base, err := kb.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	doc := Build(Input{
		Version:  "v1.2.3",
		Captures: []CaptureInput{{Info: capture.Info{Name: "a.pcap", Format: "pcap"}}},
		Analyzer: analyze.New(analyze.Options{}), Base: base, Lang: kb.English,
	})
	var b strings.Builder
	if err := JSON(&b, doc); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "null") {
		t.Errorf("an array is null:\n%s", b.String())
	}
	if strings.Contains(b.String(), `"sessions": [`) {
		t.Error("sessions are listed unasked")
	}
	if doc.Tool.Version != "v1.2.3" || doc.Schema != Schema || len(doc.Captures) != 1 {
		t.Errorf("document %+v", doc)
	}
}
