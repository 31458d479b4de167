package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

func readCSV(t testing.TB, text string) (head []string, rows []map[string]string) {
	t.Helper()
	if strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") || strings.HasPrefix(text, "\ufeff") {
		t.Fatal("not CRLF throughout, or a byte order mark")
	}
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll() // fails where rows differ in length
	if err != nil {
		t.Fatal(err)
	}
	for _, cells := range all[1:] {
		row := map[string]string{}
		for i, cell := range cells {
			row[all[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return all[0], rows
}

// checkCells checks that no cell is a formula or holds anything hidden.
func checkCells(t testing.TB, rows []map[string]string) {
	t.Helper()
	for _, row := range rows {
		for name, cell := range row {
			allSeen(t, cell)
			for part := range strings.SplitSeq(cell, ";") {
				if bare := strings.TrimLeft(part, ` "`); bare != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(bare)[0]) {
					t.Fatalf("%s holds a formula: %.100q", name, cell)
				}
			}
		}
	}
}

func checkCSV(t testing.TB, evil string) {
	t.Helper()
	doc := wireDocument(evil)
	_, rows := readCSV(t, rendered(t, CSV, doc))
	checkCells(t, rows)
	if len(rows) != 1 {
		t.Fatalf("%d rows of a session", len(rows))
	}
	quotes := strings.NewReplacer("'", "")
	for _, name := range []string{"id", "client_id", "client_id_assigned", "broker_name", "reason", "tls.sni"} {
		if got, want := rows[0][name], Escape(evil); quotes.Replace(got) != quotes.Replace(want) || len(got) > 2*len(want)+1 {
			t.Fatalf("%s = %.100q, want %.100q", name, got, want)
		}
	}
	doc.Sessions = Records{}
	_, rows = readCSV(t, rendered(t, CSV, doc))
	checkCells(t, rows)
	if len(rows) != 2 || quotes.Replace(rows[0]["summary"]) != quotes.Replace(Escape(evil)) {
		t.Fatalf("%d rows, summary %.100q", len(rows), rows[0]["summary"])
	}
}

func TestCSVHoldsHostileText(t *testing.T) {
	for _, evil := range evils {
		t.Run(fmt.Sprintf("%.20q", evil), func(t *testing.T) { checkCSV(t, evil) })
	}
}

func TestCSVApostrophe(t *testing.T) {
	for _, tt := range []struct{ value, cell string }{
		{"gw-7", "gw-7"}, {"10.0.0.1:1883", "10.0.0.1:1883"}, {"", ""}, {"'", "'"}, {"a=b", "a=b"},
		{"=1", "'=1"}, {"+1", "'+1"}, {"-1", "'-1"}, {"@a", "'@a"}, {" =1", "' =1"}, {`"=1`, `'"=1`}, {"'=1", "''=1"},
		{"＝1", "'＝1"}, {"＠a", "'＠a"}, {"\t=1", `\x09=1`}, {"\r=1", `\x0d=1`}, {"a;=1", "a;'=1"}, {"a; +1;b", "a;' +1;b"},
	} {
		if got := csvCell(tt.value); got != tt.cell {
			t.Errorf("csvCell(%q) = %q, want %q", tt.value, got, tt.cell)
		}
	}
}

// TestCSVHasEveryMember holds the columns to the JSON of a session record.
func TestCSVHasEveryMember(t *testing.T) {
	at, yes, n, ms, id := decode.Stamp(time.Unix(1, 5)), true, 60, 0.25, "gw"
	cert := &decode.RecordCertificate{Subject: "s", Issuer: "i", Names: []string{"n", "m"}, MoreNames: true, NotBefore: at, NotAfter: at}
	r := decode.Record{
		ID: "c1.1", Capture: "a", Stream: 3, Client: "c", Broker: "b", BrokerName: "n", Transport: decode.TLSTransport, MQTTVersion: "5",
		ClientID: &id, ClientIDAssigned: "x", CleanStart: &yes, KeepAliveS: &n, Username: &yes, Password: &yes, Will: &yes,
		Outcome: decode.Rejected, Code: "0x85", CodeName: "y", Reason: "z", SessionPresent: &yes,
		Opened: at, Connect: at, Connack: at, Closed: at, ConnackMS: &ms, ClosedBy: decode.Broker, Close: decode.CloseRST, DisconnectCode: "0x8e",
		TLS:     &decode.RecordTLS{Version: "1.3", SNI: "s", ALPN: []string{"mqtt", "h2"}, Alert: "a", AlertBy: decode.Client, Decrypted: true, Certificate: cert, ClientCertificate: cert},
		HTTP:    &decode.RecordHTTP{Method: "GET", Path: "/", Upgrade: true, Subprotocol: true, Status: 101, Protocols: []string{"mqtt"}, Protocol: "mqtt", Text: true, CloseCode: 1002},
		Packets: decode.RecordPackets{Syn: 1, Connect: 2, Connack: 3, Close: 4}, Notes: []decode.Note{decode.NoteGap, decode.NoteCutPackets}, Problems: []string{"p", "q"},
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&object); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	flatten(want, "", object)

	head, rows := readCSV(t, rendered(t, CSV, &Document{Sessions: RecordsOf(r, decode.Record{})}))
	if len(head) != len(want) {
		t.Errorf("%d columns, the JSON has %d members: %v", len(head), len(want), slices.Sorted(maps.Keys(want)))
	}
	for name, cell := range want {
		if rows[0][name] != cell {
			t.Errorf("%s = %q, the JSON says %q", name, rows[0][name], cell)
		}
	}
	for name, cell := range rows[1] {
		if cell != "" && name != "stream" && name != "transport" && name != "outcome" {
			t.Errorf("%s of an empty record is %q", name, cell)
		}
	}
}

func flatten(to map[string]string, prefix string, object map[string]any) {
	for name, value := range object {
		switch value := value.(type) {
		case map[string]any:
			flatten(to, prefix+name+".", value)
		case []any:
			items := make([]string, len(value))
			for i, item := range value {
				items[i] = fmt.Sprint(item)
			}
			to[prefix+name] = strings.Join(items, "; ")
		default:
			to[prefix+name] = fmt.Sprint(value)
		}
	}
}

// TestCSVListsAreBounded: a spreadsheet takes 32,767 characters in a cell.
func TestCSVListsAreBounded(t *testing.T) {
	_, rows := readCSV(t, rendered(t, CSV, func() *Document { d := hostile(10); d.Sessions = Records{}; return d }()))
	ids := rows[0]["client_ids"]
	if len(ids) > 40000 || !strings.Contains(ids[len(ids)-12:], "(+") {
		t.Errorf("%d bytes end in %q", len(ids), ids[len(ids)-12:])
	}
}

func FuzzCSV(f *testing.F) {
	for _, evil := range evils {
		if len(evil) < 1000 {
			f.Add(evil)
		}
	}
	f.Fuzz(func(t *testing.T, evil string) { checkCSV(t, evil) })
}

// BenchmarkCSV writes 100,000 sessions.
func BenchmarkCSV(b *testing.B) {
	var records []decode.Record
	for _, s := range busySessions() {
		records = append(records, s.Record())
	}
	doc := &Document{Sessions: RecordsOf(slices.Repeat(records, 100_000/len(records))...)}
	b.ReportAllocs()
	for b.Loop() {
		if err := CSV(io.Discard, doc); err != nil {
			b.Fatal(err)
		}
	}
}
