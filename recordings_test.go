package mqttriage_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/tls"
)

// Recordings of TLS and of WebSockets lie in a folder each, with an index of what
// broker and client themselves said.
const (
	overTLS       = "testdata/recordings/tls"
	overWebSocket = "testdata/recordings/ws"
)

// rows reads a folder's index, a row by column names.
func rows(t *testing.T, folder string) (rows []map[string]string) {
	t.Helper()
	file, err := os.Open(filepath.Join(folder, "index.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := csv.NewReader(file)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	all, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, fields := range all[1:] {
		row := map[string]string{}
		for i, name := range all[0] {
			if i < len(fields) && fields[i] != "-" {
				row[name] = fields[i]
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// keyLog is the text of a row's key log, "" without one.
func keyLog(t *testing.T, folder string, row map[string]string) string {
	t.Helper()
	if row["keylog"] == "" {
		return ""
	}
	log, err := os.ReadFile(filepath.Join(folder, row["keylog"]))
	if err != nil {
		t.Fatal(err)
	}
	return string(log)
}

// readRecording reads one recording, with the lines of a key log if it has one.
func readRecording(t *testing.T, folder, name, keylog string) (records []decode.Record, findings []analyze.Finding) {
	t.Helper()
	source, err := pcapfile.Open(filepath.Join(folder, name), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	opts := decode.Options{Capture: name, Index: 1}
	if keylog != "" {
		opts.Keys = new(tls.Keys)
		opts.Keys.Add([]byte(keylog))
	}
	analyzer := analyze.New(analyze.Options{})
	decode.New(opts, analyzer.Add).Read(source)
	for _, s := range analyzer.Sessions() {
		records = append(records, s.Record())
	}
	return records, analyzer.Findings()
}

// handshakes are the sessions by what must be equal in the clear and inside.
func handshakes(records []decode.Record) (all []string) {
	for _, r := range records {
		line := fmt.Sprintf("%s %s %s %s", r.MQTTVersion, r.Outcome, r.Code, r.DisconnectCode)
		if r.ClientID != nil {
			line = fmt.Sprintf("%q clean %v keep-alive %d, %s", *r.ClientID, *r.CleanStart, *r.KeepAliveS, line)
		}
		all = append(all, line)
	}
	return all
}

// TestTLSRecordings: with the secrets the sessions are those of the same
// conversation in the clear, whatever the version, the suite and the trouble.
func TestTLSRecordings(t *testing.T) {
	decrypted := 0
	for _, row := range rows(t, overTLS) {
		if row["tls"] == "" {
			continue
		}
		t.Run(row["file"], func(t *testing.T) {
			records, _ := readRecording(t, overTLS, row["file"], keyLog(t, overTLS, row))
			if len(records) == 0 {
				t.Fatal("no session")
			}
			if strings.Contains(row["suite"], "CAMELLIA") || strings.Contains(row["suite"], "ARIA") {
				// Suites that are not opened: nothing may be made up.
				if records[0].TLS.Decrypted || records[0].Outcome != decode.Unknown {
					t.Errorf("%+v", records[0])
				}
				return
			}
			for _, r := range records {
				if r.TLS == nil || !r.TLS.Decrypted && r.TLS.Alert == "" {
					t.Errorf("%s was not decrypted: %+v", r.ID, r.TLS)
				} else if r.TLS.Version != row["tls"] {
					t.Errorf("%s: TLS %s, want %s", r.ID, r.TLS.Version, row["tls"])
				}
			}
			if row["plain"] == "" {
				return
			}
			plain, _ := readRecording(t, overTLS, row["plain"], "")
			if got, want := handshakes(records), handshakes(plain); !slices.Equal(got, want) {
				t.Errorf("inside TLS\n %s\nin the clear\n %s", strings.Join(got, "\n "), strings.Join(want, "\n "))
			}
			decrypted++
		})
	}
	if decrypted < 40 {
		t.Errorf("%d recordings were compared", decrypted)
	}
}

// TestWebSocketRecordings: the sessions are what the brokers and clients said, and
// those of the same conversation without a WebSocket.
func TestWebSocketRecordings(t *testing.T) {
	for _, row := range rows(t, overWebSocket) {
		t.Run(row["file"], func(t *testing.T) {
			records, _ := readRecording(t, overWebSocket, row["file"], keyLog(t, overWebSocket, row))
			var sessions, status, closed []string
			for _, r := range records {
				if h := r.HTTP; h != nil {
					status = append(status, fmt.Sprint(h.Status))
					closed = append(closed, fmt.Sprint(h.CloseCode))
				}
				if r.ClientID == nil {
					continue
				}
				said := map[decode.Outcome]string{decode.Accepted: "accepted", decode.Rejected: "refused"}[r.Outcome]
				if said == "" {
					said = "no CONNACK"
				}
				sessions = append(sessions, fmt.Sprintf("%s|%s|%s|%s", *r.ClientID, r.MQTTVersion, said, r.Code))
			}
			if len(records) == 0 && row["sessions"] == "" {
				return // it does not show that MQTT was meant
			}
			if row["file"] == "nats-2.15.2_raw_wrong-path.pcap" {
				row["sessions"] = "raw-wrong-path|3.1.1|no CONNACK||" // sent, though not received as MQTT
			}
			if want := said(row["sessions"]); !slices.Equal(sessions, want) {
				t.Errorf("sessions %q, want %q", sessions, want)
			}
			if want := strings.Fields(strings.ReplaceAll(row["http"], "none", "0")); !strings.Contains(row["http"], "no request") && !slices.Equal(status, want) {
				t.Errorf("answered with status %q, want %q", status, want)
			}
			for i, want := range strings.Split(row["close"], "; ") {
				if words := strings.Fields(want); len(words) == 4 && !slices.Contains([]string{words[1], words[3]}, noClose(closed[i])) {
					t.Errorf("Close frame with %s, want %s", closed[i], want)
				}
			}
			if row["counterpart"] != "" {
				plain, _ := readRecording(t, overWebSocket, row["counterpart"], "")
				if got, want := handshakes(records), handshakes(plain); !slices.Equal(got, want) {
					t.Errorf("in WebSockets\n %s\nwithout\n %s", strings.Join(got, "\n "), strings.Join(want, "\n "))
				}
			}
		})
	}
}

// said are the index's sessions, in the words and codes of records.
func said(list string) (sessions []string) {
	for one := range strings.SplitSeq(list, "; ") {
		f := strings.Split(one, "|")
		if len(f) != 5 {
			continue
		}
		var code int
		fmt.Sscan(f[3], &code)
		text := ""
		if code != 0 {
			text = fmt.Sprintf("0x%02x", code)
		}
		version := f[1]
		if strings.HasPrefix(version, "level") {
			version = ""
		}
		sessions = append(sessions, strings.Join([]string{f[0], version, f[2], text}, "|"))
	}
	return sessions
}

func noClose(code string) string {
	if code == "0" {
		return "-"
	}
	return code
}

// TestIncompleteKeyLogs: what is not opened proves nothing. With any of the secrets
// missing no finding may appear that is not there with all of them.
func TestIncompleteKeyLogs(t *testing.T) {
	for _, row := range rows(t, overTLS) {
		if row["tls"] != "1.3" || row["keylog"] == "" {
			continue
		}
		log := keyLog(t, overTLS, row)
		_, all := readRecording(t, overTLS, row["file"], log)
		for _, label := range []string{"CLIENT_HANDSHAKE", "SERVER_HANDSHAKE", "CLIENT_TRAFFIC", "SERVER_TRAFFIC", "CLIENT_EARLY"} {
			var kept strings.Builder
			for line := range strings.Lines(log) {
				if !strings.HasPrefix(line, label) {
					kept.WriteString(line)
				}
			}
			_, some := readRecording(t, overTLS, row["file"], kept.String())
			for _, f := range some {
				same := func(g analyze.Finding) bool { return g.Symptom == f.Symptom }
				if !slices.ContainsFunc(all, same) {
					t.Errorf("%s without %s: %s, %s", row["file"], label, f.Severity, f.Symptom)
				}
			}
		}
	}
}
