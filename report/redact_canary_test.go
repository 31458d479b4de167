package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

// cage puts canaries in the place of names, equal ones for equal names, so that
// the rules see the same story.
type cage struct{ names, addrs map[string]int }

func newCage() *cage { return &cage{map[string]int{}, map[string]int{}} }

func ordinal(of map[string]int, name string) int {
	if of[name] == 0 {
		of[name] = len(of) + 1
	}
	return of[name]
}

// hostileText is what the canaries have within, so that every format escapes them.
const hostileText = "=1|`*_[x](y){!}<b>&amp;\"'\x1b[31m\u202e\n,;%41\\"

func (c *cage) name(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprint(canaryHead, ordinal(c.names, name), hostileText, canaryTail)
}

// host keeps what tells whose the broker is.
func (c *cage) host(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf("%s%d.%s.%s", canaryHead, ordinal(c.names, name), canaryTail, name)
}

// addr is one of 203.0.113.0/24 or, beyond them, of fd12:3456::/32.
func (c *cage) addr(a netip.AddrPort) netip.AddrPort {
	n := ordinal(c.addrs, a.Addr().String())
	if n < 256 && a.Addr().Is4() {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(n)}), a.Port())
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0xfd, 0x12, 0x34, 0x56, 14: byte(n >> 8), 15: byte(n)}), a.Port())
}

func (c *cage) session(s *decode.Session, o *decode.Origin) *decode.Session {
	out := *s
	out.Origin, out.Client, out.Broker = o, c.addr(s.Client), c.addr(s.Broker)
	if o.Names == nil {
		o.Names = map[netip.Addr]string{}
	}
	if s.Number%2 == 1 {
		o.Names[out.Broker.Addr()] = c.host(s.Broker.Addr().String())
	}
	if x := s.Connect; x != nil {
		y := *x
		y.ClientID, y.AuthMethod = c.name(x.ClientID), c.name(x.AuthMethod)
		out.Connect = &y
	}
	if x := s.Connack; x != nil {
		y := *x
		y.Reason, y.AssignedID, y.ServerReference, y.AuthMethod = c.name(x.Reason), c.name(x.AssignedID), c.name(x.ServerReference), c.name(x.AuthMethod)
		if y.Code != 0 {
			y.Reason, y.ServerReference = c.name("reason"), c.name("reference")
		}
		out.Connack = &y
	}
	if x := s.Disconnect; x != nil {
		y := *x
		y.Reason, y.ServerReference = c.name("reason"), c.name("reference")
		out.Disconnect = &y
	}
	if x := s.TLS; x != nil {
		y := *x
		y.SNI = c.host(x.SNI)
		y.ALPN = each(x.ALPN, c.name)
		if x.Certificate != nil {
			cert := *x.Certificate
			cert.Subject, cert.Issuer, cert.Names = c.host(cert.Subject), c.name(cert.Issuer), each(cert.Names, c.host)
			y.Certificate = &cert
		}
		out.TLS = &y
	}
	if x := s.HTTP; x != nil {
		y := *x
		y.Path, y.Method, y.Protocols, y.Protocol = "/"+c.name(x.Path), c.name(x.Method), each(x.Protocols, c.name), c.name(x.Protocol)
		out.HTTP = &y
	}
	return &out
}

// caged reads a capture and makes the input of a report about canaries.
func caged(t *testing.T, path string, index int) (CaptureInput, []*decode.Session) {
	t.Helper()
	source, err := pcapfile.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	cage, origin := newCage(), &decode.Origin{Capture: canary(filepath.Base(path)), Index: index}
	var sessions []*decode.Session
	decoder := decode.New(decode.Options{Capture: path, Index: index}, func(s *decode.Session) {
		sessions = append(sessions, cage.session(s, origin))
	})
	if err := decoder.Read(source); err != nil && err != io.EOF {
		var cut *capture.TruncatedError
		if !errors.As(err, &cut) {
			t.Fatal(err)
		}
	}
	info := source.Info()
	info.Name = origin.Capture
	info.Problems = append(info.Problems, "read "+canary("file")+": input/output error")
	return CaptureInput{Info: info, Stats: decoder.Stats()}, sessions
}

// listen renders a document in every format and fails for what sings in it.
func listen(t *testing.T, what string, doc *Document) {
	t.Helper()
	for _, format := range Formats {
		var out bytes.Buffer
		err := Write(&out, format, doc, TableOptions{Width: 200})
		if err != nil {
			t.Fatalf("%s as %s: %v", what, format, err)
		}
		if at := heard(out.String()); at != "" {
			t.Errorf("%s as %s in %s: %s", what, format, doc.Lang, at)
		}
	}
}

// songs are the ends of canaries and the beginnings of their addresses in small
// letters, each as it is and as URLs, HTML, JavaScript, Markdown and we escape it.
var songs = func() []string {
	var all []string
	for _, part := range []string{canaryHead, canaryTail, "203.0.113.", "fd12:3456"} {
		for _, form := range []string{"%%%02x", `\x%02x`, `\u%04x`, "&#%d;", "&#x%x;"} {
			// The letters all alike, or only what is none.
			whole, marks := "", ""
			for _, c := range part {
				code := fmt.Sprintf(form, c)
				if whole += code; c != '.' && c != ':' {
					code = string(c)
				}
				marks += code
			}
			all = append(all, whole, marks)
		}
		all = append(all, part, strings.ReplaceAll(part, ".", `\.`), strings.ReplaceAll(part, ".", "-"), strings.ReplaceAll(part, ":", `\:`))
	}
	for i := range all {
		all[i] = strings.ToLower(all[i])
	}
	slices.Sort(all)
	return slices.Compact(all)
}()

// heard is where a canary is in a text, however it is escaped; "" where none is.
func heard(text string) string {
	lower := strings.ToLower(text)
	for _, song := range songs {
		if at := strings.Index(lower, song); at >= 0 {
			return fmt.Sprintf("%q", lower[max(at-60, 0):min(at+60, len(lower))])
		}
	}
	return ""
}

// essence is what a report must say of a finding under whatever names.
func essence(doc *Document) []string {
	var out []string
	for _, f := range doc.Findings {
		line := fmt.Sprint(f.Symptom, f.Severity, f.Sessions, len(f.ClientIDs), len(f.Clients), f.Codes, f.Versions)
		for _, a := range f.Advice {
			line += " " + a.Entry
			for _, c := range a.Causes {
				line += fmt.Sprint(c.ID, c.Status, c.Packets)
			}
			for _, x := range a.Fixes {
				line += fmt.Sprint(x.ID, x.Status, x.Packets)
			}
			for _, d := range a.DeadEnds {
				line += fmt.Sprint(d.ID, d.Status, d.Packets)
			}
		}
		out = append(out, line)
	}
	return out
}

// Every capture, its names replaced by canaries, is reported without them, and with
// the same findings and advice.
func TestNoCanaryInAnyReport(t *testing.T) {
	captures, err := filepath.Glob("../testdata/*/capture.*")
	if err != nil || len(captures) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	base, err := kb.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	loud := 0
	for i, path := range captures {
		c, sessions := caged(t, path, i+1)
		for _, lang := range []kb.Lang{kb.English, kb.Chinese} {
			in := Input{Version: "v1", Captures: []CaptureInput{c}, Analyzer: analyze.New(analyze.Options{}), Base: base, Lang: lang, Sessions: true}
			for _, s := range sessions {
				in.Analyzer.(*analyze.Analyzer).Add(s)
			}
			open := Build(in)
			in.Redactor = NewRedactor(testKey)
			doc := Build(in)
			listen(t, path, doc)
			if a, b := essence(open), essence(doc); !slices.Equal(a, b) {
				t.Errorf("%s: findings\n%q\nbecame\n%q", path, a, b)
			}
			var text bytes.Buffer
			if err := JSON(&text, open); err != nil {
				t.Fatal(err)
			}
			if heard(text.String()) != "" {
				loud++
			}
		}
	}
	if loud != 2*len(captures) {
		t.Errorf("only %d of %d open reports sing", loud, 2*len(captures))
	}
}

// wordsOfFacts are values of the facts that are words of ours.
var wordsOfFacts = map[string][]string{
	"client_id_chars": {"alnum", "nats", "other"}, "mqtt_version": {"3.1", "3.1.1", "5"}, "connect_problem": {"incomplete", "second-connect", "reserved-flag"},
	"connect_clause": {"MQTT-3.1.2-3"}, "connack_version": {"3.1.1", "5"}, "close_kind": {"fin", "rst", "disconnect"}, "first_packet": {"PUBLISH"},
	"transport": {"tcp", "tls", "ws"}, "tls_version": {"1.2", "1.3"}, "tls_alert": {"unknown_ca", "certificate_expired", "handshake_failure", "no_application_protocol", "unrecognized_name"},
	"tls_alert_by": {"client", "broker"}, "cert_not_after": {"2026-05-01"}, "broker_vendor": analyze.Vendors(), "broker_version": {"2.0"},
	"broker_basis": {"certain", "likely"}, "client_library": {"paho-python", "mqttjs"}, "worked_change": {"client-id", "port", "several"}, "flaps_closed_by": {"client", "broker"},
}

// anyFinding has a symptom, facts at random and canaries for all names.
func anyFinding(t *testing.T, symptom string, random *rand.Rand) analyze.Finding {
	f := filled[analyze.Finding](t)
	f.Symptom, f.Severity, f.Sessions, f.Codes, f.MQTTVersions = symptom, analyze.Error, 3, []string{"0x87"}, []string{"5"}
	f.Broker, f.Clients = "203.0.113.77:1883", []string{"203.0.113.78", "fd12:3456::1"}
	for i := range f.Evidence {
		f.Evidence[i].Session.Connect.Problems = nil
	}
	v := reflect.ValueOf(&f.Facts).Elem()
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		absent := random.IntN(8) == 0
		switch fact := v.Field(i).Addr().Interface().(type) {
		case *analyze.Fact[string]:
			switch words := wordsOfFacts[name]; {
			case absent:
				*fact = analyze.Fact[string]{}
			case words != nil:
				fact.Set(words[random.IntN(len(words))], 5)
			case name == "sni":
				fact.Set(canaryHead+".example.com", 5)
			default:
				fact.Set(canary(name), 5)
			}
		case *analyze.Fact[bool]:
			if !absent {
				fact.Set(random.IntN(2) == 0, 5)
			}
		case *analyze.Fact[int]:
			if !absent {
				fact.Set([]int{0, 1, 2, 5, 400, 0x87}[random.IntN(6)], 5)
			}
		case *analyze.Fact[float64]:
			if !absent {
				fact.Set(random.Float64()*100, 5)
			}
		}
	}
	return f
}

// Every sentence about every symptom, by whatever facts decide it.
func TestNoCanaryInAnySentence(t *testing.T) {
	base, err := kb.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	const seed, rounds = 7, 25
	random := rand.New(rand.NewPCG(seed, seed))
	hide := NewRedactor(testKey)
	quotes := map[string]bool{}
	for symptom := range wordings {
		for _, lang := range []kb.Lang{kb.English, kb.Chinese} {
			doc := &Document{Schema: Schema, Lang: lang}
			for range rounds {
				f := anyFinding(t, symptom, random)
				shown := hide.finding(f)
				finding, answer := findingOf(&shown, base.ConsultShowing(f, shown.Facts), lang)
				doc.Findings, doc.Answer = append(doc.Findings, finding), doc.Answer+answer

				raw, answer := findingOf(&f, base.Consult(f), lang)
				if said := raw.Title + raw.Summary + answer; sings(said) {
					quotes["said"] = true
				}
				for _, a := range raw.Advice {
					for _, c := range a.Causes {
						quotes["advised"] = quotes["advised"] || sings(c.Because)
					}
				}
			}
			listen(t, symptom, doc)
		}
	}
	if !quotes["said"] || !quotes["advised"] {
		t.Errorf("the sentences without redaction quote %v", quotes)
	}
}

// Reports under one key can be compared, under another they tell nothing.
func TestRedactedReportsAgree(t *testing.T) {
	c, sessions := caged(t, "../testdata/cloned-firmware_three-source-ips_same-id_v5/capture.pcap", 1)
	base, err := kb.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	report := func(key string) string {
		in := Input{Captures: []CaptureInput{c}, Analyzer: analyze.New(analyze.Options{}), Base: base, Lang: kb.English, Sessions: true, Redactor: NewRedactor([]byte(key))}
		for _, s := range sessions {
			in.Analyzer.(*analyze.Analyzer).Add(s)
		}
		var out bytes.Buffer
		if err := JSON(&out, Build(in)); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	a, b, other := report("one key"), report("one key"), report("another")
	if a != b {
		t.Error("the same key makes another report")
	}
	if a == other {
		t.Error("another key makes the same report")
	}
}
