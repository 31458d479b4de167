package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

// whole is all that a document says, as text: its JSON, and the traces that
// JSON leaves out.
func whole(t *testing.T, doc *Document) string {
	t.Helper()
	var b bytes.Buffer
	if err := JSON(&b, doc); err != nil {
		t.Fatal(err)
	}
	for i := range doc.Sessions.Len() {
		text, err := json.Marshal(doc.Sessions.Traced(i).Trace)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	}
	return b.String()
}

// throughNDJSON writes a document and reads it again.
func throughNDJSON(t *testing.T, doc *Document) (*Document, []byte) {
	t.Helper()
	var text bytes.Buffer
	if err := NDJSON(&text, doc); err != nil {
		t.Fatal(err)
	}
	got, err := ReadNDJSON(bytes.NewReader(text.Bytes()))
	if err != nil {
		t.Fatalf("%v\n%s", err, text.Bytes())
	}
	return got, text.Bytes()
}

func TestNDJSONHoldsRecordedDocuments(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no documents (%v)", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		doc := &Document{}
		if err := json.Unmarshal(text, doc); err != nil {
			t.Fatal(err)
		}
		got, _ := throughNDJSON(t, doc)
		if diff := cmp.Diff(whole(t, doc), whole(t, got)); diff != "" {
			t.Errorf("%s: before (-) and after (+):\n%s", path, diff)
		}
	}
}

// fillDocument sets a value of a document and all in it at random. Lists are
// never nil, texts are UTF-8.
func fillDocument(r *rand.Rand, v reflect.Value) {
	switch v.Type() {
	case reflect.TypeFor[decode.Stamp]():
		if r.IntN(3) > 0 {
			v.Set(reflect.ValueOf(decode.Stamp(time.Unix(r.Int64N(1<<33), r.Int64N(1e9)).UTC())))
		}
		return
	case reflect.TypeFor[Records]():
		switch n := r.IntN(4); n {
		case 0: // not asked for
		default:
			sessions := make([]decode.Record, n-1)
			for i := range sessions {
				sessions[i] = rejected().TracedRecord()
				sessions[i].ID = fmt.Sprintf("c1.%d", i+1)
			}
			v.Set(reflect.ValueOf(RecordsOf(sessions...)))
		}
		return
	case reflect.TypeFor[decode.Note]():
		v.SetUint(uint64(decode.NoteMidStream) + uint64(r.IntN(3)))
		return
	}
	if set := v.Addr().MethodByName("Set"); set.IsValid() { // a Fact
		if r.IntN(3) == 0 {
			value := reflect.New(set.Type().In(0)).Elem()
			fillDocument(r, value)
			set.Call([]reflect.Value{value})
		}
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(r.Int64N(1e6))
	case reflect.Uint64:
		v.SetUint(r.Uint64N(1e6))
	case reflect.Float64:
		v.SetFloat(float64(r.IntN(1000)) / 8)
	case reflect.String:
		v.SetString([]string{"", "a", "gw-7", "µ \"<&>\" \u2028\x00\x1b[31m", "\U000e0041 中文"}[r.IntN(5)])
	case reflect.Slice:
		n := r.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fillDocument(r, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(3) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fillDocument(r, key)
			fillDocument(r, value)
			v.SetMapIndex(key, value)
		}
	case reflect.Pointer:
		if r.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fillDocument(r, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fillDocument(r, v.Field(i))
		}
	default:
		panic(fmt.Sprint("no way to fill a ", v.Type()))
	}
}

// randomDocument is one whose advice is consistent, as Build makes it: from an
// entry, whose hints may come in another order.
func randomDocument(r *rand.Rand) *Document {
	doc := &Document{}
	fillDocument(r, reflect.ValueOf(doc).Elem())
	doc.Schema = Schema
	entries := make([]Advice, 3)
	for i := range entries {
		e := &entries[i]
		fillDocument(r, reflect.ValueOf(e).Elem())
		e.Entry = fmt.Sprint("x/", i)
		for j := range e.Causes {
			e.Causes[j].ID = fmt.Sprint("cause-", j)
		}
		for j := range e.Fixes {
			e.Fixes[j].ID = fmt.Sprint("fix-", j)
		}
		for j := range e.DeadEnds {
			e.DeadEnds[j].ID = fmt.Sprint("end-", j)
		}
	}
	shuffled := func(hints []Hint) []Hint {
		out := append([]Hint{}, hints...)
		r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		return out
	}
	said := func(status *kb.Status, because *string, packets *[]int) {
		fillDocument(r, reflect.ValueOf(status).Elem())
		fillDocument(r, reflect.ValueOf(because).Elem())
		*packets = nil
		for range r.IntN(3) {
			*packets = append(*packets, r.IntN(100))
		}
	}
	for i := range doc.Findings {
		f := &doc.Findings[i]
		f.Advice = []Advice{}
		for _, at := range r.Perm(len(entries))[:r.IntN(len(entries)+1)] {
			a := entries[at]
			a.Causes, a.Fixes, a.DeadEnds = append([]Cause{}, a.Causes...), append([]Fix{}, a.Fixes...), append([]End{}, a.DeadEnds...)
			a.LookNext = shuffled(a.LookNext)
			for j := range a.Causes {
				said(&a.Causes[j].Status, &a.Causes[j].Because, &a.Causes[j].Packets)
			}
			for j := range a.Fixes {
				said(&a.Fixes[j].Status, &a.Fixes[j].Because, &a.Fixes[j].Packets)
				a.Fixes[j].How = shuffled(a.Fixes[j].How)
			}
			for j := range a.DeadEnds {
				said(&a.DeadEnds[j].Status, &a.DeadEnds[j].Because, &a.DeadEnds[j].Packets)
			}
			f.Advice = append(f.Advice, a)
		}
	}
	return doc
}

func TestNDJSONHoldsEverything(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		doc := randomDocument(r)
		got, text := throughNDJSON(t, doc)
		if diff := cmp.Diff(whole(t, doc), whole(t, got)); diff != "" {
			t.Fatalf("before (-) and after (+):\n%s\n%s", diff, text)
		}
		if got.Sessions.IsZero() != doc.Sessions.IsZero() {
			t.Fatal("no sessions became an empty list of them, or the reverse")
		}
		for line := range bytes.Lines(text) {
			if !json.Valid(line) || !bytes.HasPrefix(line, []byte(`{"type":"`)) {
				t.Fatalf("not a line of NDJSON: %s", line)
			}
		}
		if bytes.ContainsAny(text, "\x1b\x00\u2028") {
			t.Fatal("something hidden is written as it is")
		}
	}
}

// The texts of an entry are written once, however many findings have it.
func TestNDJSONSaysEntriesOnce(t *testing.T) {
	doc := buildOf(t, kb.English, nil)
	doc.Findings = append(doc.Findings, doc.Findings[0])
	_, text := throughNDJSON(t, doc)
	fix := doc.Findings[0].Advice[0].Fixes[0].Text
	quoted, err := json.Marshal(fix)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, append([]byte(`"text":`), quoted...)); n != 1 {
		t.Errorf("the fix is there %d times", n)
	}
	doc.Findings[1].Advice = append([]Advice{}, doc.Findings[1].Advice...)
	doc.Findings[1].Advice[0].Title += "?"
	if err := NDJSON(io.Discard, doc); err == nil {
		t.Error("two texts of one entry are written as one")
	}
}

func TestNDJSONOfManySessions(t *testing.T) {
	in := Input{Analyzer: analyze.New(analyze.Options{}), Lang: kb.English, Sessions: true}
	base, err := kb.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	in.Base = base
	sessions := busySessions()[:5*batchSize+7]
	for _, s := range sessions {
		in.Analyzer.(*analyze.Analyzer).Add(s)
	}
	doc := Build(in)
	got, _ := throughNDJSON(t, doc)
	if got.Sessions.Len() != len(sessions) {
		t.Fatalf("%d sessions of %d", got.Sessions.Len(), len(sessions))
	}
	for i := range sessions {
		if got, want := got.Sessions.At(i).ID, doc.Sessions.At(i).ID; got != want {
			t.Fatalf("session %d is %s, not %s", i, got, want)
		}
	}
	broken := fullDisk(3)
	if err := NDJSON(&broken, doc); err == nil {
		t.Error("the writer's error is lost")
	}
}

// fullDisk is a writer that fails after so many writes.
type fullDisk int

func (e *fullDisk) Write(b []byte) (int, error) {
	if *e--; *e < 0 {
		return 0, io.ErrShortWrite
	}
	return len(b), nil
}

func TestReadNDJSONErrors(t *testing.T) {
	doc := buildOf(t, kb.English, func(in *Input) { in.Sessions = true })
	_, text := throughNDJSON(t, doc)
	lines := strings.SplitAfter(string(text), "\n")
	for _, test := range []struct{ text, want string }{
		{"", "it is JSON text"},
		{"{}", "it is JSON text"},
		{"[1]", "it is JSON text"},
		{`{"schema": "mqttriage/report/v1"}`, "in the format json"},
		{"{\n  \"schema\": \"mqttriage/report/v1\",\n  \"lang\": \"en\"\n}", "in the format json"},
		{strings.Join(lines[1:], ""), "line 1: a session comes before the summary"},
		{strings.Join(lines[:len(lines)-2], ""), "not whole: it has 0 of 1 findings"},
		{lines[0] + strings.Join(lines[2:], ""), "not whole: it has 0 of 1 sessions"},
		{string(text) + lines[0], "another summary"},
		{strings.Replace(string(text), "report/v1", "report/v2", 1), "line 1: summary: field schema"},
		{strings.Replace(string(text), `"mqtt/empty-client-id","causes"`, `"mqtt/full-client-id","causes"`, 1), `about the entry "mqtt/full-client-id"`},
		{strings.Replace(string(text), `"stream":3`, `"stream":"3"`, 1), "line 2: session: field stream"},
		{strings.Replace(string(text), `"answer":`, `"answer":1,"old":`, 1), "line 1: summary: field answer"},
	} {
		_, err := ReadNDJSON(strings.NewReader(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.200s\ngives: %v\nwant: %s", test.text, err, test.want)
		}
	}
	newer := lines[0] + `{"type":"weather","sun":true}` + "\n\n" + strings.Join(lines[1:], "")
	if _, err := ReadNDJSON(strings.NewReader(newer)); err != nil {
		t.Errorf("a line of a newer program: %v", err)
	}
}

// savedText is what NDJSON writes of one session.
func savedText(t testing.TB) string {
	a := analyze.New(analyze.Options{})
	a.Add(rejected())
	base, err := kb.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := NDJSON(&b, Build(Input{Version: "v1", Analyzer: a, Base: base, Lang: kb.English, Sessions: true})); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func originOf(name string, index int) *decode.Origin {
	return &decode.Origin{Capture: name, Index: index}
}

func TestReadSavedBoundsLines(t *testing.T) {
	text := savedText(t)
	summary, rest, _ := strings.Cut(text, "\n")
	long := `{"type":"session","x":"` + strings.Repeat("a", maxLine) + `"}`
	finding := `{"type":"finding","x":"` + strings.Repeat("a", 3*maxLine) + `"}`
	count := 0
	captures, err := ReadSaved(strings.NewReader(summary+"\n"+long+"\n"+finding+"\n"+rest), originOf, func(*decode.Session) { count++ })
	if err != nil || count != 1 {
		t.Fatalf("%d sessions, %v", count, err)
	}
	problems := captures[len(captures)-1].Info.Problems
	if last := problems[len(problems)-1]; last != fmt.Sprintf("saved records, line 2: session: it is longer than %d bytes", maxLine) {
		t.Errorf("the problem is %q", last)
	}
}

func TestReadSavedKeepsCapturesApart(t *testing.T) {
	record := strings.Split(savedText(t), "\n")[1]
	second := strings.Replace(record, `"id":"c1.4"`, `"id":"c2.4"`, 1)
	other := strings.Replace(second, `"capture":"a.pcap"`, `"capture":"b.pcap"`, 1)
	var origins []*decode.Origin
	captures, err := ReadSaved(strings.NewReader(record+"\n"+second+"\n"+other+"\n"), originOf, func(s *decode.Session) { origins = append(origins, s.Origin) })
	if err != nil || len(origins) != 2 || origins[0].Same(origins[1]) {
		t.Errorf("captures of one name are one: %v, %v", origins, err)
	}
	if problems := captures[0].Info.Problems; !strings.Contains(problems[len(problems)-1], `capture 2 is called "a.pcap" before`) {
		t.Errorf("problems %q", problems)
	}
}

// Whatever a file of records says, it can be analysed and reported.
func FuzzReadSaved(f *testing.F) {
	text := savedText(f)
	f.Add([]byte(text))
	stream := ""
	for line := range strings.Lines(written(f, liveHead(kb.English), 1)) {
		if typ := typeOf([]byte(line)); typ != lineEntry && typ != lineFinding { // they are not read
			stream += line
		}
	}
	f.Add([]byte(stream))
	f.Add([]byte(stream[len(stream)/2:] + stream))
	record := strings.Split(text, "\n")[1]
	for _, change := range [][2]string{
		{`"outcome":"rejected","code":"0x02","code_name":"identifier rejected"`, `"outcome":"accepted"`},
		{`"notes":[]`, `"notes":["late-connack","second-connect","broken-length"]`},
		{`"closed_by":"broker"`, `"closed_by":"client"`},
		{`"client_id":""`, `"client_id":"gw-7"`},
	} {
		f.Add([]byte(record + "\n" + strings.Replace(strings.Replace(record, change[0], change[1], 1), "c1.4", "c1.5", 1) + "\n" + strings.Replace(record, "c1.4", "c1.6", 1)))
	}
	base, err := kb.Embedded()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a := analyze.New(analyze.Options{})
		captures, err := ReadSaved(bytes.NewReader(text), originOf, a.Add)
		if err != nil {
			return
		}
		doc := Build(Input{Captures: captures, Analyzer: a, Base: base, Lang: kb.English, Sessions: true})
		if err := Table(io.Discard, doc, TableOptions{}); err != nil {
			t.Fatal(err)
		}
		got, _ := throughNDJSON(t, doc)
		if whole(t, doc) != whole(t, got) {
			t.Error("the document changes")
		}
	})
}

// BenchmarkNDJSON writes sessions; the document is made before.
func BenchmarkNDJSON(b *testing.B) {
	in := benchInput(b)
	in.Sessions, in.Analyzer = true, analyze.New(analyze.Options{})
	for _, s := range busySessions() {
		in.Analyzer.(*analyze.Analyzer).Add(s)
	}
	doc := Build(in)
	b.ReportAllocs()
	for b.Loop() {
		if err := NDJSON(io.Discard, doc); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchSessions, "ns/session")
}
