package report

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

func renderHTML(t testing.TB, doc *Document) string {
	t.Helper()
	var b strings.Builder
	if err := HTML(&b, doc); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var begin = time.Date(2026, 3, 2, 22, 13, 20, 0, time.UTC)

// recordAt is an accepted session from a millisecond after begin to another; 0
// leaves it open.
func recordAt(n int, client, id string, from, to int) decode.Record {
	at := func(ms int) decode.Stamp { return decode.Stamp(begin.Add(time.Duration(ms) * time.Millisecond)) }
	latency := 1.0
	r := decode.Record{
		ID: fmt.Sprintf("c1.%d", n), Capture: "a.pcap", Stream: n, Client: fmt.Sprintf("%s:%d", client, 40000+n), Broker: "10.0.0.1:1883",
		MQTTVersion: "3.1.1", ClientID: &id, Outcome: decode.Accepted,
		Opened: at(from), Connect: at(from), Connack: at(from + 1), ConnackMS: &latency, Packets: decode.RecordPackets{Syn: 10*n + 1, Connect: 10*n + 4, Connack: 10*n + 6},
	}
	if to != 0 {
		r.Closed, r.ClosedBy, r.Close, r.Packets.Close = at(to), decode.Broker, decode.CloseFIN, 10*n+9
	}
	return r
}

// pictured is a document whose sessions have something of everything: a takeover
// loop, each outcome, an open session, one without a time.
func pictured(lang kb.Lang) *Document {
	records := []decode.Record{
		recordAt(0, "10.0.0.2", "gw-7", 0, 1001), recordAt(1, "10.0.0.3", "gw-7", 1000, 2001),
		recordAt(2, "10.0.0.2", "gw-7", 2000, 3001), recordAt(3, "10.0.0.3", "gw-7", 3000, 0),
		{ID: "c1.99", Client: "10.0.0.9:1", Broker: "10.0.0.1:1883", Outcome: decode.Unknown},
	}
	for i, o := range []decode.Outcome{decode.Rejected, decode.Unanswered, decode.Refused, decode.TLSFailed, decode.NotMQTT, decode.Unknown} {
		r := recordAt(10+i, "10.0.0.4", "", 500*i, 500*i+3)
		r.Outcome = o
		if o == decode.Rejected {
			r.Code, r.CodeName = "0x02", "identifier rejected"
		} else {
			r.Connack, r.ConnackMS = decode.Stamp{}, nil
		}
		records = append(records, r)
	}
	doc := load(&testing.T{}, "testdata/takeover.json")
	doc.Lang, doc.Sessions = lang, RecordsOf(records...)
	doc.Captures = []Capture{{
		Name: "a.pcap", Format: "pcap", LinkTypes: []string{"EN10MB"}, Packets: 120, Bytes: 12350,
		First: decode.Stamp(begin), Last: decode.Stamp(begin.Add(5 * time.Second)), Problems: []string{}, Undecoded: map[string]int64{"UDP": 3},
	}}
	doc.Totals = Totals{Connections: 11, Sessions: 11, Accepted: 4, Rejected: 1, Unanswered: 1, Refused: 1, TLSFailed: 1, NotMQTT: 1, Unknown: 2, ClientIDs: 1, Clients: 4, Brokers: 1}
	return doc
}

// ours are the style and the script, which have tests of their own.
var ours = regexp.MustCompile(`(?s)(<style>).*?(</style>)|(<script>).*?(</script>)|'sha256-[^']*'`)

func TestHTMLGolden(t *testing.T) {
	docs := map[string]*Document{"pictured": pictured(kb.English), "pictured-zh": pictured(kb.Chinese)}
	for _, path := range recorded(t) {
		docs[strings.TrimSuffix(filepath.Base(path), ".json")] = load(t, path)
	}
	for name, doc := range docs {
		t.Run(name, func(t *testing.T) {
			golden := filepath.Join("testdata", name+".html")
			got := ours.ReplaceAllString(renderHTML(t, doc), "$1$2$3$4")
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
				t.Errorf("the page differs from %s", golden)
			}
		})
	}
}

// hostilePage is hostile with text against a browser in it, and sessions.
func hostilePage() *Document {
	doc := hostile(3000)
	evil := "\"'><script>alert(1)</script><img src=x onerror=alert(1)>javascript:alert(1) `</style></title>-->{{.}}\u202e\x1b[2J\x00\ufeff&lt;"
	f := &doc.Findings[0]
	f.Severity, f.Title, f.Broker = evil, evil, evil
	f.Evidence[0].Filter = evil
	f.Advice[0].Sources = []string{"javascript:alert(1)", "https://example.com/" + evil, "data:text/html," + evil, "//evil.example"}
	records := []decode.Record{}
	for i := range 40 {
		r := recordAt(i, evil, evil, 100*i, 100*i+101)
		r.ID, r.Broker, r.MQTTVersion, r.ClientIDAssigned, r.Reason = evil, evil, evil, evil, evil
		r.Client = evil + strconv.Itoa(i%3)
		if i%2 == 0 {
			r.Outcome, r.Code, r.CodeName, r.DisconnectCode = decode.Outcome(200), evil, evil, evil
		}
		records = append(records, r)
	}
	far := recordAt(50, "10.0.0.5", "x", 0, 0)
	far.Opened, far.Connect = decode.Stamp(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)), decode.Stamp(time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC))
	backwards := recordAt(51, "", "y", 5000, 1000)
	nan := math.NaN()
	backwards.ConnackMS = &nan
	doc.Sessions = RecordsOf(append(records, far, backwards)...)
	doc.Tool = Tool{evil, evil}
	doc.Lang = kb.English
	return doc
}

// TestHTMLEscapesTheWire reads a hostile document's page as a browser does: the
// wire may be seen as text, and be nothing else.
func TestHTMLEscapesTheWire(t *testing.T) {
	out := renderHTML(t, hostilePage())
	for _, r := range out {
		if r != '\n' && hidden(r) {
			t.Fatalf("the page holds %U", r)
		}
	}
	elements := []string{}
	plain := renderHTML(t, pictured(kb.English)) // what a page of ours is made of
	for _, page := range []string{plain, out} {
		tokens := html.NewTokenizer(strings.NewReader(page))
		for {
			kind := tokens.Next()
			if kind == html.ErrorToken {
				if !errors.Is(tokens.Err(), io.EOF) {
					t.Fatal(tokens.Err())
				}
				break
			}
			if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
				continue
			}
			token := tokens.Token()
			if page == plain {
				elements = append(elements, token.Data)
				continue
			}
			if !slices.Contains(elements, token.Data) && !slices.Contains([]string{"br", "ol", "b", "a"}, token.Data) {
				t.Errorf("the page has an element <%s>", token.Data)
			}
			for _, a := range token.Attr {
				switch {
				case strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "style":
					t.Errorf("<%s> has %s=%q", token.Data, a.Key, a.Val)
				case a.Key == "href":
					if !strings.HasPrefix(a.Val, "#") && !strings.HasPrefix(a.Val, "https://example.com/") && a.Val != "data:," {
						t.Errorf("a link to %q", a.Val)
					}
				case a.Key == "id" || a.Key == "class" || a.Key == "for":
					if !regexp.MustCompile(`^[a-z0-9 -]*$`).MatchString(a.Val) {
						t.Errorf("<%s> has %s=%q", token.Data, a.Key, a.Val)
					}
				}
			}
		}
	}
	if n := strings.Count(out, "<script>"); n != 1 {
		t.Errorf("%d scripts", n)
	}
	if strings.Contains(out, "ZgotmplZ") {
		t.Error("a value stands where the template cannot make it safe")
	}
	if !strings.Contains(out, `\u202e\x1b[2J`) {
		t.Error("what is invisible is not shown")
	}
}

// TestHTMLPolicy: the policy allows exactly the style and the script in the page.
func TestHTMLPolicy(t *testing.T) {
	out := renderHTML(t, pictured(kb.English))
	for _, part := range []string{"style", "script"} {
		_, rest, _ := strings.Cut(out, "<"+part+">")
		content, _, found := strings.Cut(rest, "</"+part+">")
		if !found || len(content) < 500 {
			t.Fatalf("no %s", part)
		}
		if want := part + "-src '" + htmlHash(content) + "'"; !strings.Contains(html.UnescapeString(out), want) {
			t.Errorf("the policy does not have %s", want)
		}
	}
	for _, not := range []string{"http://", "url(http", "@import", " style=", " onclick="} {
		if strings.Contains(out, not) {
			t.Errorf("the page holds %q", not)
		}
	}
}

func TestHTMLReturnsTheWriteError(t *testing.T) {
	for _, left := range []int{0, 1, 5000} {
		if err := HTML(&failing{left: left}, pictured(kb.English)); !errors.Is(err, errFull) {
			t.Errorf("into %d bytes: %v", left, err)
		}
	}
}

// TestHTMLOfManySessions: the page stays small and records are made one by one,
// each a few times at most.
func TestHTMLOfManySessions(t *testing.T) {
	const n = 100_000
	doc := pictured(kb.English)
	made := 0
	record := func(i int, _ bool) decode.Record {
		made++
		id := fmt.Sprintf("device-%05d-%s", i%997, strings.Repeat("\u202e", 200))
		r := recordAt(i, fmt.Sprintf("10.1.%d.%d", i%997/250, i%997%250), id, 7*i, 7*i+40+i%6990)
		if i%3 == 0 {
			r.Outcome, r.Code, r.CodeName = decode.Rejected, "0x05", "not authorized"
		}
		return r
	}
	doc.Sessions = Records{n, record}
	for range 170 {
		doc.Findings = append(doc.Findings, doc.Findings[0])
	}
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	var peak atomic.Uint64
	stop, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				runtime.ReadMemStats(&now)
				peak.Store(max(peak.Load(), now.HeapAlloc))
			}
		}
	}()
	started := time.Now()
	out := renderHTML(t, doc)
	took := time.Since(started)
	close(stop)
	<-done
	grown := (int64(peak.Load()) - int64(before.HeapAlloc)) >> 20
	t.Logf("%d bytes, %v, %d records made, heap %d MiB", len(out), took, made, grown)
	if len(out) > 5_000_000 {
		t.Errorf("%d bytes", len(out))
	}
	if took > 20*time.Second { // a second or two; machines that test are busy
		t.Errorf("took %v", took)
	}
	if most := n + 3*(maxBars+maxHTMLRows+maxArrows) + maxLanes; made > most {
		t.Errorf("%d records made, want %d at most", made, most)
	}
	if grown > 150 {
		t.Errorf("the heap grew by %d MiB", grown)
	}
	if rows := strings.Count(out, "<tr>") - strings.Count(out[:strings.Index(out, `id="sessions"`)], "<tr>"); rows > maxHTMLRows+100 {
		t.Errorf("%d rows", rows)
	}
	if !strings.Contains(out, "5000 of 100000 sessions") {
		t.Error("the page does not say what it leaves out")
	}
}

// TestHTMLContrast computes the contrast of the palette (WCAG 2.2, success
// criteria 1.4.3 and 1.4.11): 4.5 for text, 3 for what is drawn.
func TestHTMLContrast(t *testing.T) {
	theme := regexp.MustCompile(`(?s):root \{(.*?)\}`)
	variable := regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{3,6});`)
	themes := theme.FindAllStringSubmatch(htmlStyle, -1)
	if len(themes) != 3 {
		t.Fatalf("%d themes, want light, dark and print", len(themes))
	}
	for i, name := range []string{"light", "dark", "print"} {
		colour := map[string]float64{}
		for _, v := range variable.FindAllStringSubmatch(themes[i][1], -1) {
			colour[v[1]] = luminance(t, v[2])
		}
		check := func(least float64, front, ground string) {
			a, okA := colour[front]
			b, okB := colour[ground]
			if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); !okA || !okB || ratio < least {
				t.Errorf("%s: %s on %s has %.2f, want %v", name, front, ground, ratio, least)
			}
		}
		for _, ground := range []string{"ground", "panel", "sunk"} {
			for _, front := range []string{"text", "muted", "link", "error", "good"} {
				check(4.5, front, ground)
			}
		}
		for _, badge := range []string{"error", "warning", "info"} {
			check(4.5, "on-badge", badge)
		}
		check(4.5, "on-bar", "accepted")
		for _, class := range htmlClasses {
			check(3, class, "ground")
			check(3, class, "panel")
		}
		check(3, "bar", "ground")
	}
}

// luminance is WCAG's relative luminance of a colour such as #1f2 or #10ff20.
func luminance(t *testing.T, colour string) float64 {
	hex := colour[1:]
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	linear := func(c uint64) float64 {
		v := float64(c&0xff) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}
