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
	"unicode/utf8"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
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
			if n := utf8.RuneCountInString(cell); n > 32_767 {
				t.Fatalf("%s has %d characters: %.100q", name, n, cell)
			}
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
		if got, want := rows[0][name], cutCell(Escape(evil), maxCell); quotes.Replace(got) != quotes.Replace(want) || len(got) > 2*len(want)+1 {
			t.Fatalf("%s = %.100q, want %.100q", name, got, want)
		}
	}
	doc.Sessions = Records{}
	_, rows = readCSV(t, rendered(t, CSV, doc))
	checkCells(t, rows)
	if len(rows) != 2 || quotes.Replace(rows[0]["summary"]) != quotes.Replace(cutCell(Escape(evil), maxCell)) {
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

// TestCSVCellsAreBounded: so is a text alone, whatever it consists of.
func TestCSVCellsAreBounded(t *testing.T) {
	for _, tt := range []struct {
		letter, cell string // cell is what of a text of 65,535 bytes is kept
	}{
		{"A", strings.Repeat("A", 32_000) + "…(+33535)"},
		{"客", strings.Repeat("客", 10_666) + "…(+33537)"},
		{"=;", "'" + strings.Repeat("=;'", 10_666) + "=…(+44202)"},
		{"\x00", strings.Repeat(`\x00`, 8000) + "…(+230140)"},
	} {
		long := strings.Repeat(tt.letter, 65_535/len(tt.letter)) + strings.Repeat("z", 65_535%len(tt.letter))
		got := csvCell(long)
		if got != tt.cell {
			t.Errorf("%q: %d bytes end in %q, want %d that end in %q", tt.letter, len(got), got[max(0, len(got)-20):], len(tt.cell), tt.cell[len(tt.cell)-20:])
		}
		for _, list := range [][]string{{long}, {long, long}, {"a", long}, slices.Repeat([]string{"=;"}, 30_000)} {
			cell := csvCell(joined(list, "; "))
			if !utf8.ValidString(cell) || utf8.RuneCountInString(cell) > 32_767 || strings.Count(cell, "…") > 1 || !strings.HasSuffix(cell, ")") {
				t.Errorf("%d of %q: %d bytes end in %q", len(list), tt.letter, len(cell), cell[len(cell)-20:])
			}
		}
	}
	if exact := strings.Repeat("A", maxCell); csvCell(exact) != exact {
		t.Error("a text that fits is cut")
	}
}

// TestCSVAdviceIsTheMostSpecific: a general entry has no say against it.
func TestCSVAdviceIsTheMostSpecific(t *testing.T) {
	entry := func(name string) Advice {
		return Advice{
			Entry:    name,
			Causes:   []Cause{{Text: name + " cause", Status: kb.Supported}},
			Fixes:    []Fix{{Text: name + " fix", Status: kb.Recommended}},
			DeadEnds: []End{{Text: name + " end", Status: kb.Seen}},
		}
	}
	_, rows := readCSV(t, rendered(t, CSV, &Document{Findings: []Finding{{Advice: []Advice{entry("specific"), entry("general")}}, {}}}))
	for column, want := range map[string]string{
		"advice.entry": "specific; general", "advice.causes": "specific cause", "advice.fixes": "specific fix", "advice.dead_ends": "specific end",
	} {
		if rows[0][column] != want || rows[1][column] != "" {
			t.Errorf("%s = %q, want %q, without advice %q", column, rows[0][column], want, rows[1][column])
		}
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
