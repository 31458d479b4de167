package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

// liveCaptures are two interfaces at the start.
func liveCaptures() []CaptureInput {
	none := uint64(0)
	return []CaptureInput{
		{Info: capture.Info{Name: "eth0", Interfaces: []string{"eth0"}, Format: "live", LinkTypes: []capture.LinkType{1}}, Dropped: &none},
		{Info: capture.Info{Name: "wg0", Interfaces: []string{"wg0"}, Format: "live", LinkTypes: []capture.LinkType{101}}, Dropped: &none},
	}
}

// liveSession is the n-th session of a capture that is live.
func liveSession(n, index int) *decode.Session {
	s := *rejected()
	s.Origin = &decode.Origin{Capture: []string{"", "eth0", "wg0"}[index], Index: index}
	s.Number, s.Stream = uint32(n), uint32(n)
	s.Client = netip.AddrPortFrom(s.Client.Addr(), uint16(50000+n))
	for _, e := range []*decode.Event{&s.Opened, &s.Syn, &s.SynAck, &s.ConnectAt, &s.ConnackAt, &s.ConnectBegan, &s.Closed, &s.BrokerClosed, &s.Last, &s.CaptureEnd} {
		e.Packet += 10 * n
		e.Nano += int64(n) * int64(time.Second)
	}
	return &s
}

// written is a stream of so many sessions at each interface, as a capture writes it that
// ends.
func written(t testing.TB, head LiveHead, sessions int) string {
	t.Helper()
	var text bytes.Buffer
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	base, err := kb.Embedded()
	must(err)
	stream, err := NewLiveStream(&text, head)
	must(err)
	must(stream.Notice(Started(noon, []string{"eth0", "wg0"}, head.Expression)))
	analyzer, captures := analyze.New(analyze.Options{}), liveCaptures()
	report := func() {
		must(stream.Report(Build(Input{
			Version: "v1", Captures: captures, Analyzer: analyzer, Base: base, Lang: head.Lang, Redactor: head.Redactor, Sessions: true,
		})))
	}
	known := false
	for n := range sessions {
		for index := 1; index <= 2; index++ {
			s := liveSession(n+1, index)
			analyzer.Add(s)
			must(stream.Session(s))
			doc := Build(Input{Version: "v1", Captures: captures, Analyzer: analyzer, Base: base, Lang: head.Lang, Redactor: head.Redactor})
			h := Happening{ID: "f1", Finding: &doc.Findings[0], New: !known, Sessions: Recorded([]*decode.Session{s}, head.Redactor)}
			known = true
			must(stream.Happened([]Happening{h}, s.ConnackAt.Time()))
			c := &captures[index-1]
			c.Info.Packets, c.Info.First, c.Info.Last = int64(s.CaptureEnd.Packet+3), rejected().Opened.Time(), s.CaptureEnd.Time().Add(time.Second)
		}
		must(stream.Notice(Dropped(noon, "eth0", uint64(n), 1000)))
		if n == sessions/2 {
			must(stream.Notice(InterfaceDown(noon, "wg0")))
			report()
		}
	}
	must(stream.Rest(noon))
	report()
	must(stream.Notice(Ended(noon, time.Hour, 2*sessions, 1, 0)))
	return text.String()
}

// readBack reads a stream as saved records are read.
func readBack(text string) ([]CaptureInput, []*decode.Session, error) {
	var sessions []*decode.Session
	captures, err := ReadSaved(strings.NewReader(text), originOf, func(s *decode.Session) { sessions = append(sessions, s) })
	return captures, sessions, err
}

func liveHead(lang kb.Lang) LiveHead {
	return LiveHead{Version: "v1", Lang: lang, Started: noon, Captures: liveCaptures(), Expression: "tcp port 1883"}
}

func TestLiveStreamIsReadAgain(t *testing.T) {
	for _, lang := range []kb.Lang{kb.English, kb.Chinese} {
		text := written(t, liveHead(lang), 5)
		captures, sessions, err := readBack(text)
		if err != nil {
			t.Fatal(err)
		}
		if len(sessions) != 10 || len(captures) != 2 || captures[0].Info.Name != "eth0" || captures[1].Info.Name != "wg0" {
			t.Fatalf("%d sessions, captures %+v", len(sessions), captures)
		}
		for i, c := range captures {
			last := liveSession(5, i+1).CaptureEnd
			if c.Info.Packets != int64(last.Packet+3) || len(c.Info.Problems) > 0 || c.Dropped == nil || c.Info.Format != "live" {
				t.Errorf("capture %d: %+v", i+1, c)
			}
		}
		want := analyze.New(analyze.Options{})
		for _, s := range sessions {
			want.Add(s)
		}
		doc := Build(Input{Captures: captures, Analyzer: want, Base: mustBase(t), Lang: lang, Sessions: true})
		if rejections(doc) != 10 || doc.Totals.Rejected != 10 {
			t.Errorf("%d rejections, totals %+v", rejections(doc), doc.Totals)
		}
		if got, want := sessions[3].TracedRecord(), liveSession(2, 2).TracedRecord(); fmt.Sprint(got.ID, got.Packets) != fmt.Sprint(want.ID, want.Packets) {
			t.Errorf("session %+v, not %+v", got, want)
		}
	}
}

// rejections is how many sessions show that the client ID is rejected.
func rejections(doc *Document) int {
	for _, f := range doc.Findings {
		if f.Symptom == "identifier-rejected" {
			return f.Sessions
		}
	}
	return 0
}

func mustBase(t testing.TB) *kb.Base {
	t.Helper()
	base, err := kb.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return base
}

// A stream may be cut anywhere, by a power cut or because it is still written, and its
// beginning may be gone with an older log: what is there is analysed.
func TestLiveStreamIsReadFromAnywhereToAnywhere(t *testing.T) {
	text := written(t, liveHead(kb.English), 4)
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	base := mustBase(t)
	check := func(what, part string) {
		t.Helper()
		captures, sessions, err := readBack(part)
		whole := strings.Count(part, `{"type":"session"`)
		if !strings.HasSuffix(part, "\n") && part != text {
			if last := part[strings.LastIndexByte(part, '\n')+1:]; strings.HasPrefix(last, `{"type":"session"`) && !json.Valid([]byte(last)) {
				whole--
			}
		}
		if len(sessions) != whole {
			t.Errorf("%s: %d sessions of %d (%v)", what, len(sessions), whole, err)
		}
		if err != nil {
			if whole > 0 {
				t.Errorf("%s: %v", what, err)
			}
			return
		}
		a := analyze.New(analyze.Options{})
		for _, s := range sessions {
			a.Add(s)
		}
		doc := Build(Input{Captures: captures, Analyzer: a, Base: base, Lang: kb.English})
		if whole > 0 && rejections(doc) != whole {
			t.Errorf("%s: %d rejections of %d", what, rejections(doc), whole)
		}
		for _, c := range doc.Captures {
			for _, s := range sessions {
				if s.Origin.Capture == c.Name && (int(c.Packets) < s.CaptureEnd.Packet || time.Time(c.Last).Before(s.Last.Time()) || time.Time(c.First).After(s.Opened.Time())) {
					t.Errorf("%s: capture %+v ends before session %s", what, c, s.ID())
				}
			}
			for _, p := range c.Problems {
				if p != notOver && !strings.HasPrefix(p, savedProblem) && !strings.Contains(p, "its own line is missing") {
					t.Errorf("%s: problem %q", what, p)
				}
			}
			over := slices.Contains(c.Problems, notOver)
			if ended := strings.Contains(part, lines[len(lines)-1][:len(lines[len(lines)-1])-1]); ended == over && strings.Contains(part, `"type":"live"`) {
				t.Errorf("%s: ended %v, problems %q", what, ended, c.Problems)
			}
		}
		var out strings.Builder
		if err := Table(&out, doc, TableOptions{}); err != nil {
			t.Error(err)
		}
	}
	for i := range lines {
		check(fmt.Sprintf("to line %d", i+1), strings.Join(lines[:i+1], ""))
		check(fmt.Sprintf("to within line %d", i+1), strings.Join(lines[:i], "")+lines[i][:len(lines[i])/2])
		check(fmt.Sprintf("from line %d", i+1), strings.Join(lines[i:], ""))
	}
}

// A capture that is started again may write to the same file: its captures and packets are
// others, though they have the same names and numbers.
func TestLiveStreamsInOneFile(t *testing.T) {
	first, second := written(t, liveHead(kb.English), 3), written(t, liveHead(kb.English), 2)
	cut := strings.Join(strings.SplitAfter(first, "\n")[:12], "") // the power went
	for name, text := range map[string]string{"ended": first + second, "cut": cut + second, "cut within a line": cut + `{"type":"session","id":"c1` + "\n" + second} {
		captures, sessions, err := readBack(text)
		if err != nil || len(captures) != 4 {
			t.Errorf("%s: %d captures, %v", name, len(captures), err)
			continue
		}
		if want := strings.Count(text, `{"type":"session","id":"c`) - strings.Count(text, "\"id\":\"c1\n"); len(sessions) != want {
			t.Errorf("%s: %d sessions of %d", name, len(sessions), want)
		}
		ids := map[string]bool{}
		for _, s := range sessions {
			if ids[s.ID()] {
				t.Errorf("%s: %s twice", name, s.ID())
			}
			ids[s.ID()] = true
		}
		if last := captures[3].Info; int(last.Packets) != liveSession(2, 2).CaptureEnd.Packet+3 || slices.Contains(last.Problems, notOver) {
			t.Errorf("%s: the last capture is %+v", name, last)
		}
		if slices.Contains(captures[0].Info.Problems, notOver) != (name != "ended") {
			t.Errorf("%s: the first capture has the problems %q", name, captures[0].Info.Problems)
		}
	}
	huge := `{"type":"live","schema":"` + Schema + `"}` + "\n" + strings.ReplaceAll(strings.Split(savedText(t), "\n")[1], `"id":"c1.4"`, `"id":"c4294967295.4"`) + "\n"
	captures, sessions, err := readBack(huge + huge)
	if err != nil || len(sessions) != 1 || !strings.Contains(fmt.Sprint(captures), "no run has so many captures") {
		t.Errorf("%d sessions, %v, %+v", len(sessions), err, captures)
	}
}

func TestLiveStreamFitsItsSchema(t *testing.T) {
	schema := compiled(t, recordsSchema)
	types := map[string]int{}
	text := written(t, liveHead(kb.English), 3)
	var more bytes.Buffer
	stream, err := NewLiveStream(&more, LiveHead{Lang: kb.Chinese})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []Notice{InterfaceGone(noon, "a"), InterfaceUp(noon, "b"), Evicted(noon, "client-ids", 3), EvidenceFailed(noon, "f.pcapng", errors.New("no space left")), Ended(noon, 0, 0, 0, 0)} {
		if err := stream.Notice(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.Happened([]Happening{{ID: "x", Finding: &Finding{Symptom: "tls-alert", Severity: "warning"}, More: 3}}, noon); err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(text+more.String()), "\n") {
		if err := fits(schema, []byte(line)); err != nil {
			t.Errorf("line %d: %v\n%s", i+1, err, line)
		}
		types[typeOf([]byte(line))]++
		if fits(schema, wrongly(t, []byte(line), func(o map[string]any) { o["mood"] = "good" })) == nil {
			t.Errorf("line %d fits with a field more", i+1)
		}
	}
	for _, typ := range lineTypes {
		if types[typ] == 0 {
			t.Errorf("no line of the type %s", typ)
		}
	}
}

// News is there once, with who it is, and adds up to the finding's sessions.
func TestLiveStreamTellsHappenings(t *testing.T) {
	fresh, last := 0, happeningLine{}
	for line := range strings.Lines(written(t, liveHead(kb.English), 4)) {
		var h happeningLine
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			t.Fatal(err)
		}
		if h.Type != lineHappening {
			continue
		}
		fresh += h.Fresh
		if (h.Event == "new") != (fresh == 1) || (h.Event == "new") != (h.Do != "") || h.Sessions != fresh || h.Latest == nil || h.ID != "f1" {
			t.Errorf("%s", line)
		}
		last = h
	}
	if fresh != 8 || last.Latest.ID != "c2.4" || last.Latest.Code != "0x02" || last.Latest.Client != "10.0.0.5:50004" {
		t.Errorf("%d sessions, the last %+v", fresh, last.Latest)
	}
}

func TestLiveStreamIsNoReport(t *testing.T) {
	text := written(t, liveHead(kb.English), 2)
	lines := strings.SplitAfter(text, "\n")
	for name, part := range map[string]string{"whole": text, "from a notice": strings.Join(lines[3:], ""), "from a report": text[strings.Index(text, `{"type":"summary"`):]} {
		if _, err := ReadDocument(strings.NewReader(part)); !errors.Is(err, ErrLiveStream) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nothing of a site is in a stream, a journal or a sentence that is redacted, and its
// sessions name the captures that its reports name.
func TestLiveIsRedacted(t *testing.T) {
	const secret = "plant-nine"
	captures := liveCaptures()
	head := liveHead(kb.English)
	head.Redactor, head.Expression, head.Filters = NewRedactor([]byte("key")), "host "+secret, []string{"--client-id " + secret}
	captures[0].Info.Name, captures[0].Info.Interfaces = secret+"0", []string{secret + "0"}
	head.Captures = captures
	var text bytes.Buffer
	stream, err := NewLiveStream(&text, head)
	if err != nil {
		t.Fatal(err)
	}
	s := liveSession(1, 1)
	s.Origin.Capture = secret + "0"
	connect := *s.Connect
	connect.ClientID = secret
	s.Connect = &connect
	a := analyze.New(analyze.Options{})
	a.Add(s)
	doc := Build(Input{Captures: captures, Analyzer: a, Base: mustBase(t), Lang: kb.English, Redactor: head.Redactor})
	happened := []Happening{
		{ID: "1", Finding: &doc.Findings[0], New: true, Sessions: Recorded([]*decode.Session{s}, head.Redactor)},
		{ID: "1", Finding: &doc.Findings[0], Sessions: Recorded([]*decode.Session{s}, head.Redactor)},
	}
	j := NewJournal(head, false)
	lines := j.Lines(happened, noon)
	if stream.Session(s) != nil || stream.Happened(happened, noon) != nil || stream.Report(doc) != nil {
		t.Fatal("not written")
	}
	for _, n := range []Notice{
		Started(noon, []string{secret + "0"}, "host "+secret), InterfaceDown(noon, secret+"0"), Dropped(noon, secret+"0", 1, 2),
		EvidenceFailed(noon, secret+".pcapng", errors.New("open "+secret)),
	} {
		if err := stream.Notice(n); err != nil {
			t.Fatal(err)
		}
		lines = append(append(lines, j.Notice(n)...), head.Say(n))
	}
	all := text.String() + strings.Join(lines, "\n")
	if strings.Contains(all, secret) || strings.Contains(all, "10.0.0.") {
		t.Errorf("a name is there:\n%s", all)
	}
	if n := strings.Count(text.String(), `"capture":"capture-1"`); n != 2 {
		t.Errorf("the session's capture is not that of the report (%d):\n%s", n, text.String())
	}
	if name := head.InterfaceName(secret + "0"); !strings.Contains(all, name+" went down") || !strings.Contains(all, `"interfaces":["`+name+`",`) {
		t.Errorf("the interface is not %s everywhere:\n%s", name, all)
	}
	back, sessions, err := readBack(text.String())
	if err != nil || len(sessions) != 1 || len(back) != 2 {
		t.Errorf("%d sessions, %d captures, %v", len(sessions), len(back), err)
	}
}

// countingWriter counts writes, and fails at the end of its patience.
type countingWriter struct{ writes, most int }

func (w *countingWriter) Write(b []byte) (int, error) {
	if w.writes++; w.writes > w.most {
		return 0, io.ErrShortWrite
	}
	return len(b), nil
}

func TestLiveStreamWritesAtOnce(t *testing.T) {
	w := &countingWriter{most: 3}
	stream, err := NewLiveStream(w, liveHead(kb.English))
	if err != nil {
		t.Fatal(err)
	}
	doc := buildOf(t, kb.English, nil)
	h := Happening{ID: "1", Finding: &doc.Findings[0], More: 2}
	if err := errors.Join(stream.Happened([]Happening{h, h, h}, noon), stream.Happened(nil, noon), stream.Report(doc)); err != nil || w.writes != 3 {
		t.Errorf("%d writes, %v", w.writes, err)
	}
	if err := stream.Session(rejected()); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("the writer's error is lost: %v", err)
	}
	if _, err := NewLiveStream(&countingWriter{}, liveHead(kb.English)); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("the writer's error is lost at the head: %v", err)
	}
}
