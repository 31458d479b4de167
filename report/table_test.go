package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// load reads a recorded document.
func load(t testing.TB, path string) *Document {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var doc Document
	if err := d.Decode(&doc); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return &doc
}

func recorded(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recorded documents: %v", err)
	}
	return paths
}

func render(t testing.TB, doc *Document, opts TableOptions) string {
	t.Helper()
	var b strings.Builder
	if err := Table(&b, doc, opts); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTableGolden(t *testing.T) {
	for _, path := range recorded(t) {
		doc := load(t, path)
		for _, width := range []int{80, 120} {
			golden := strings.TrimSuffix(path, ".json") + fmt.Sprintf(".%d.txt", width)
			t.Run(filepath.Base(golden), func(t *testing.T) {
				got := render(t, doc, TableOptions{Width: width})
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("the table differs from %s; got\n%s", golden, got)
				}
			})
		}
	}
}

var ansi = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestTableFitsItsWidth(t *testing.T) {
	docs := map[string]*Document{"hostile": hostile(300)}
	for _, path := range recorded(t) {
		docs[path] = load(t, path)
	}
	for name, doc := range docs {
		for width := MinWidth; width <= MaxWidth; width += 4 {
			out := render(t, doc, TableOptions{Width: width})
			for line := range strings.Lines(out) {
				line = strings.TrimSuffix(line, "\n")
				if w := textWidth(line); w > width {
					t.Errorf("%s at %d columns: a line of %d: %q", name, width, w, line)
				}
				if strings.HasSuffix(line, " ") {
					t.Errorf("%s at %d columns: spaces at the end of %q", name, width, line)
				}
			}
			if coloured := ansi.ReplaceAllString(render(t, doc, TableOptions{Width: width, Color: true}), ""); coloured != out {
				t.Errorf("%s at %d columns: colour changes the text", name, width)
			}
		}
	}
}

func TestTableWidthIsKeptInBounds(t *testing.T) {
	doc := hostile(300)
	for _, tt := range []struct{ asked, got int }{{0, 80}, {1, MinWidth}, {-5, MinWidth}, {100000, MaxWidth}} {
		if render(t, doc, TableOptions{Width: tt.asked}) != render(t, doc, TableOptions{Width: tt.got}) {
			t.Errorf("width %d is not laid out as %d", tt.asked, tt.got)
		}
	}
}

// hostile is a document whose every string means harm, and is as long as told.
func hostile(length int) *Document {
	evil := "\x1b]0;owned\x07\x1b[2J\u202e\u200b\x9b31m\xff\r\n| <b>" + strings.Repeat("A", length)
	rate := 0.5
	at := decode.Stamp(time.Date(2026, 3, 2, 22, 13, 20, 0, time.UTC))
	ids, packets := []string{}, []int{}
	for i := range 10000 {
		ids = append(ids, fmt.Sprintf("%s%d", evil[:40], i))
		packets = append(packets, i+1)
	}
	advice := Advice{
		Entry: evil, Title: evil, Confidence: &rate, CannotTell: evil,
		Causes:   []Cause{{ID: evil, Text: evil, Status: kb.Supported, Because: evil, Packets: packets}},
		Fixes:    []Fix{{ID: evil, Text: evil, Status: kb.Recommended, Rate: &rate, How: []Hint{{For: evil, Text: evil}}}, {Text: evil, Status: kb.InPlace, Because: evil}},
		DeadEnds: []End{{ID: evil, Text: evil, Status: kb.Seen, Why: evil, Because: evil, Packets: packets}},
		LookNext: []Hint{{For: evil, Text: evil}},
	}
	f := Finding{
		Symptom: evil, Severity: "error", Title: evil, Summary: evil, Broker: evil,
		ClientIDs: append([]string{evil}, ids...), Clients: append([]string{evil}, ids...), Codes: []string{evil},
		Sessions: 10001, First: at, Last: at, Advice: []Advice{advice, advice},
		Evidence: []Evidence{{Session: evil, Capture: evil, Stream: 7, Packets: packets, Filter: evil}},
	}
	return &Document{
		Schema: Schema, Lang: kb.English, Answer: evil,
		Captures: []Capture{{Name: evil, Format: evil, LinkTypes: []string{evil}, Packets: 9, Problems: []string{evil, evil}, Undecoded: map[string]int64{evil: 3}}, {Name: "b"}},
		Totals:   Totals{Connections: 3, Sessions: 3, Brokers: 1, Rejected: 3},
		Codes:    []Code{{evil, "0x02", evil, 1}, {"5", "0x85", evil, 1}, {"5", "0x86", evil, 1}},
		Sessions: RecordsOf(decode.Record{ID: "c1.1", Client: "[2001:db8:1111:2222:3333:4444:5555:6666]:51234", Broker: "[2001:db8:1111:2222:3333:4444:5555:7777]:1883", ClientID: &evil, Outcome: decode.Rejected, Code: "0x02", Opened: at}),
		Findings: []Finding{f, f},
	}
}

func TestTableEscapesTheWire(t *testing.T) {
	out := render(t, hostile(65000), TableOptions{Width: 80})
	for _, r := range out {
		if r != '\n' && hidden(r) {
			t.Fatalf("the table holds %U", r)
		}
	}
	if !strings.Contains(out, `\x1b]0;owned\x07`) {
		t.Error("the escape sequence is not shown")
	}
	if n := strings.Count(out, "\n"); n > 20000 {
		t.Errorf("%d lines", n)
	}
}

func TestJSONIsReadBackWhole(t *testing.T) {
	docs := []*Document{hostile(65000)}
	for _, path := range recorded(t) {
		docs = append(docs, load(t, path))
	}
	for _, doc := range docs {
		var first, second bytes.Buffer
		if err := JSON(&first, doc); err != nil {
			t.Fatal(err)
		}
		for _, r := range first.String() {
			if r != '\n' && hidden(r) {
				t.Fatalf("the JSON holds %U", r)
			}
		}
		var back Document
		if err := json.Unmarshal(first.Bytes(), &back); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(doc.Answer, "\uFFFD"); back.Answer != want {
			t.Errorf("the answer became %.100q, want %.100q", back.Answer, want)
		}
		if err := JSON(&second, &back); err != nil {
			t.Fatal(err)
		}
		var again Document
		if err := json.Unmarshal(second.Bytes(), &again); err != nil {
			t.Fatal(err)
		}
		var third bytes.Buffer
		if err := JSON(&third, &again); err != nil {
			t.Fatal(err)
		}
		if third.String() != second.String() || !reflect.DeepEqual(back.Findings, again.Findings) {
			t.Error("a document that was read back is written differently")
		}
	}
}

// failing fails after some bytes, as a full disk does.
type failing struct {
	left   int
	failed bool
	after  int
}

var errFull = errors.New("no space left")

func (f *failing) Write(b []byte) (int, error) {
	if f.failed {
		f.after++
	}
	if f.left -= len(b); f.left < 0 {
		f.failed = true
		return 0, errFull
	}
	return len(b), nil
}

func TestTheFirstWriteErrorIsReturned(t *testing.T) {
	doc := hostile(65000)
	for _, left := range []int{0, 1, 100, 5000} {
		table := &failing{left: left}
		if err := Table(table, doc, TableOptions{}); !errors.Is(err, errFull) {
			t.Errorf("Table into %d bytes: %v", left, err)
		}
		if table.after > 0 {
			t.Errorf("Table wrote %d times after the error", table.after)
		}
		if err := JSON(&failing{left: left}, doc); !errors.Is(err, errFull) {
			t.Errorf("JSON into %d bytes: %v", left, err)
		}
	}
}

func TestDuration(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want string
	}{
		{0, "0 ms"}, {31 * time.Microsecond, "0.03 ms"}, {300 * time.Microsecond, "0.3 ms"}, {9960 * time.Microsecond, "10 ms"},
		{31 * time.Millisecond, "31 ms"}, {999400 * time.Microsecond, "999 ms"}, {999600 * time.Microsecond, "1.0 s"},
		{9400 * time.Millisecond, "9.4 s"}, {95 * time.Second, "95 s"}, {10 * time.Minute, "10 min"},
		{5 * time.Hour, "5.0 h"}, {75 * time.Hour, "3.1 d"},
	}
	for _, tt := range tests {
		if got := duration(tt.d, kb.English); got != tt.want {
			t.Errorf("duration(%v) = %s, want %s", tt.d, got, tt.want)
		}
	}
}

func BenchmarkTable(b *testing.B) {
	doc := hostile(65000)
	for b.Loop() {
		if err := Table(&bytes.Buffer{}, doc, TableOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
