package mqttriage_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// recordings are 224 captures of real brokers, beside a checkout of those who
// made them. About forty of them are cases in testdata; the others are
// compared where they lie.
const recordings = "../shared/brokers"

// indexed is one row of the recordings' index. The sessions are what another
// decoder, tshark, saw.
type indexed struct {
	File     string `json:"file"`
	Sessions []struct {
		Stream    int    `json:"stream"`
		ClientID  string `json:"client_id"`
		Version   string `json:"mqtt_version"`
		Clean     bool   `json:"clean_start"`
		KeepAlive int    `json:"keep_alive_s"`
		Outcome   string `json:"outcome"`
		Code      string `json:"code"`
	} `json:"sessions"`
}

// wrongInIndex lists the rows in which the index itself is wrong, with the
// bytes that prove it.
var wrongInIndex = map[string]string{}

func TestRecordings(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(recordings, "INDEX.json"))
	if err != nil {
		t.Skipf("the recordings are not here: %v", err)
	}
	var rows []indexed
	if err := json.Unmarshal(raw, &rows); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, row := range rows {
		analyzer, _ := run(t, filepath.Join(recordings, row.File))
		byStream := map[int]*decode.Session{}
		for _, s := range analyzer.Sessions() {
			byStream[int(s.Stream)] = s
		}
		for _, want := range row.Sessions {
			s := byStream[want.Stream]
			if s == nil {
				t.Errorf("%s: stream %d is no session", row.File, want.Stream)
				continue
			}
			compared++
			got := want
			r := s.Record()
			got.ClientID, got.Version, got.Outcome, got.Code = "absent", r.MQTTVersion, r.Outcome.String(), r.Code
			got.KeepAlive = -1
			if r.ClientID != nil {
				got.ClientID, got.Clean, got.KeepAlive = *r.ClientID, *r.CleanStart, *r.KeepAliveS
			}
			if want.Outcome == "none" && (r.Outcome == decode.Unanswered || r.Outcome == decode.Unknown) {
				got.Outcome = "none"
			}
			if got != want {
				if why := wrongInIndex[row.File]; why != "" {
					t.Logf("%s: the index is wrong: %s", row.File, why)
					continue
				}
				t.Errorf("%s stream %d:\n want %+v\n got  %+v", row.File, want.Stream, want, got)
			}
			delete(byStream, want.Stream)
		}
		// The index lists every CONNECT of a version that exists; another
		// would be invented.
		for stream, s := range byStream {
			if len(row.Sessions) == 0 {
				break // TLS, WebSocket and HTTP captures are not in it
			}
			if s.ConnectAt.Seen() && s.Version() != mqtt.VersionUnknown {
				t.Errorf("%s stream %d: a CONNECT of %q that the index does not have", row.File, stream, s.Connect.ClientID)
			}
		}
	}
	t.Logf("%d captures, %d sessions compared", len(rows), compared)
	if compared == 0 {
		t.Error("nothing was compared")
	}
}
