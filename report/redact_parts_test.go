package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
)

// A canary is a text that must not come out. Both its ends are letters, which no
// format escapes, so that what is left of it after a cut is found as well.
const canaryHead, canaryTail = "ZqCanary", "YxKanari"

func canary(what string) string { return canaryHead + "<" + what + ">" + canaryTail }

// sings reports that a text holds a canary, or as much as eight letters of one.
func sings(text string) bool {
	lower := strings.ToLower(text)
	return strings.Contains(lower, strings.ToLower(canaryHead)) || strings.Contains(lower, strings.ToLower(canaryTail))
}

var canaryAddr = netip.MustParseAddr("203.0.113.77")

// safeInputs are the texts, by type and field, that stay as they are: words of
// ours or of the standards. All others that sessions, findings and captures have are
// replaced.
var safeInputs = []string{
	"mqtt.Problem.ID", "mqtt.Problem.Clause", "mqtt.Problem.Text",
	"decode.TLS.Version", "decode.TLS.Alert",
	"analyze.Finding.Symptom", "analyze.Finding.Codes", "analyze.Finding.MQTTVersions",
	"capture.Info.Format", "capture.Info.Compression",

	"analyze.Facts.ClientIDChars", "analyze.Facts.MQTTVersion", "analyze.Facts.ConnectProblem", "analyze.Facts.ConnectClause",
	"analyze.Facts.ConnackVersion", "analyze.Facts.CloseKind", "analyze.Facts.FirstPacket", "analyze.Facts.Transport",
	"analyze.Facts.TLSVersion", "analyze.Facts.TLSAlert", "analyze.Facts.TLSAlertBy", "analyze.Facts.CertNotAfter",
	"analyze.Facts.BrokerVendor", "analyze.Facts.BrokerVersion", "analyze.Facts.BrokerBasis", "analyze.Facts.ClientLibrary",
	"analyze.Facts.WorkedChange", "analyze.Facts.FlapsClosedBy",
}

// plant puts canaries into every text below a value, save for safe ones.
func plant(t *testing.T, v reflect.Value, field string) {
	t.Helper()
	switch v.Interface().(type) {
	case time.Time:
		return
	case netip.AddrPort:
		v.Set(reflect.ValueOf(netip.AddrPortFrom(canaryAddr, 1883)))
		return
	case map[netip.Addr]string:
		v.Set(reflect.ValueOf(map[netip.Addr]string{canaryAddr: canary(field)}))
		return
	}
	switch v.Kind() {
	case reflect.String:
		if !slices.Contains(safeInputs, field) {
			v.SetString(canary(field))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		plant(t, v.Elem(), field)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		plant(t, v.Index(0), field)
		plant(t, v.Index(1), field)
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name := v.Type().String() + "." + f.Name
			switch {
			case f.Type == reflect.TypeFor[analyze.Fact[string]]():
				if !slices.Contains(safeInputs, name) {
					v.Field(i).Addr().Interface().(*analyze.Fact[string]).Set(canary(name))
				}
			case f.IsExported():
				plant(t, v.Field(i), name)
			case hasText(f.Type):
				t.Errorf("%s may hold a text and cannot be filled from here", name)
			}
		}
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float64:
	default:
		t.Errorf("%s is a %s, of which this test knows nothing", field, v.Type())
	}
}

// hasText reports that a type may hold a text somewhere.
func hasText(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return hasText(t.Elem())
	case reflect.Map:
		return hasText(t.Key()) || hasText(t.Elem())
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return false
		}
		for i := range t.NumField() {
			if hasText(t.Field(i).Type) {
				return true
			}
		}
		return false
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float64:
		return false
	}
	return true
}

// hear fails for every canary below a value.
func hear(t *testing.T, v reflect.Value, field string) {
	t.Helper()
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		return
	case reflect.TypeFor[netip.AddrPort](), reflect.TypeFor[netip.Addr]():
		if strings.Contains(v.Interface().(fmt.Stringer).String(), canaryAddr.String()) {
			t.Errorf("%s has the address", field)
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		if sings(v.String()) || strings.Contains(v.String(), canaryAddr.String()) {
			t.Errorf("%s has %q", field, v)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			hear(t, v.Elem(), field)
		}
	case reflect.Slice:
		for i := range v.Len() {
			hear(t, v.Index(i), field)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			hear(t, key, field)
			hear(t, v.MapIndex(key), field)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			hear(t, v.Field(i), v.Type().String()+"."+v.Type().Field(i).Name)
		}
	}
}

// filled makes a value full of canaries.
func filled[T any](t *testing.T) T {
	t.Helper()
	var x T
	plant(t, reflect.ValueOf(&x).Elem(), reflect.TypeFor[T]().String())
	return x
}

// Whatever text a session, a finding or a capture has, or gets one day, it is
// replaced or declared safe.
func TestEveryTextIsReplaced(t *testing.T) {
	r := NewRedactor(testKey)
	s, f, c := filled[decode.Session](t), filled[analyze.Finding](t), filled[capture.Info](t)
	f, c = r.finding(f), r.info(c)
	hear(t, reflect.ValueOf(r.session(&s)), "session")
	hear(t, reflect.ValueOf(&f), "finding")
	hear(t, reflect.ValueOf(&c), "capture")
}

// The test above hears a canary that is let through.
func TestCanariesAreHeard(t *testing.T) {
	s := filled[decode.Session](t)
	for _, text := range []string{s.Connect.ClientID, s.Connack.Reason, s.TLS.Certificate.Names[1], s.Origin.Names[s.Broker.Addr()], s.HTTP.Path} {
		if !sings(text) {
			t.Errorf("%q does not sing", text)
		}
	}
	for _, text := range []string{"x ZQCANARY…", "…(+9)…yxkanari", canary("x")[1:]} {
		if !sings(text) {
			t.Errorf("%q is not heard", text)
		}
	}
}

func TestEscapedCanariesAreHeard(t *testing.T) {
	for _, text := range []string{
		"…ZQCANARY-", `\x5a\x71\x43\x61\x6e\x61\x72\x79`, "%59%78%4B%61%6E%61%72%69", "&#90;&#113;&#67;&#97;&#110;&#97;&#114;&#121;",
		"203.0.113.77", "203&#46;0&#46;113&#46;77", `203\.0\.113\.77`, "203%2E0%2E113%2E77", "203-0-113-77", "[FD12:3456::9]:1", "fd12%3a3456",
	} {
		if heard(text) == "" {
			t.Errorf("%s is not heard", text)
		}
	}
	if heard("client-380a9d9d9516 at 2001:db8::fe06:4968:1214") != "" {
		t.Error("a pseudonym is heard")
	}
}

// The order of pseudonyms tells nothing of that of names; no name comes first.
func TestListsAreSortedAnew(t *testing.T) {
	f := analyze.Finding{ClientIDs: []string{"", "a", "b", "c", "d", "e", "f"}, Clients: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"}}
	out := NewRedactor(testKey).finding(f)
	if !slices.IsSorted(out.ClientIDs) || !slices.IsSorted(out.Clients) || out.ClientIDs[0] != "" {
		t.Errorf("%q, %q", out.ClientIDs, out.Clients)
	}
	if f.ClientIDs[1] != "a" || f.Clients[0] != "10.0.0.1" {
		t.Error("the finding itself was changed")
	}
}

// A record is made of a session under pseudonyms, its trace too.
func TestRecordsAreRedacted(t *testing.T) {
	s := filled[decode.Session](t)
	record := NewRedactor(testKey).session(&s).TracedRecord()
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	if sings(string(text)) || strings.Contains(string(text), canaryAddr.String()) {
		t.Errorf("the record is %s", text)
	}
	if record.ClientID == nil || !strings.HasPrefix(*record.ClientID, "client-") || record.Trace == nil || !strings.HasPrefix(record.BrokerName, "host-") {
		t.Errorf("the record has lost its names: %s", text)
	}
	if _, err := netip.ParseAddrPort(record.Client); err != nil {
		t.Errorf("client %q: %v", record.Client, err)
	}
}

// documentTexts are the texts of a document and of its records, by type and field,
// with where they come from: pseudonyms, or words of ours and of the standards, which
// are safe. Sentences are made of redacted findings, or say nothing of the
// captures. Whoever adds a text decides here.
var documentTexts = map[string]origin{
	"report.Document.Schema": safe, "report.Document.Lang": safe, "report.Document.Answer": sentenceOf,
	"report.Document.Filters": sentenceOf, // only the flags, see Selection
	"report.Tool.Name":        safe, "report.Tool.Version": safe,

	"report.Capture.Name": redacted, "report.Capture.Problems": redacted,
	"report.Capture.Format": safe, "report.Capture.Compression": safe, "report.Capture.LinkTypes": safe, "report.Capture.Undecoded": safe,

	"report.Code.Version": safe, "report.Code.Code": safe, "report.Code.Name": safe,

	"report.Finding.Broker": redacted, "report.Finding.ClientIDs": redacted, "report.Finding.Clients": redacted,
	"report.Finding.Symptom": safe, "report.Finding.Severity": safe, "report.Finding.Codes": safe, "report.Finding.Versions": safe,
	"report.Finding.Title": sentenceOf, "report.Finding.Summary": sentenceOf,
	"report.Evidence.Capture": redacted, "report.Evidence.Session": safe, "report.Evidence.Filter": safe, // by numbers only

	"report.Advice.Entry": safe, "report.Advice.Title": safe, "report.Advice.Sources": safe, "report.Advice.CannotTell": safe,
	"report.Cause.ID": safe, "report.Cause.Text": safe, "report.Cause.Status": safe, "report.Cause.Because": sentenceOf,
	"report.Fix.ID": safe, "report.Fix.Text": safe, "report.Fix.Status": safe, "report.Fix.Because": sentenceOf,
	"report.End.ID": safe, "report.End.Text": safe, "report.End.Why": safe, "report.End.Status": safe, "report.End.Because": sentenceOf,
	"report.Hint.For": safe, "report.Hint.Text": safe,

	"decode.Record.ID": safe, "decode.Record.MQTTVersion": safe, "decode.Record.Code": safe, "decode.Record.CodeName": safe,
	"decode.Record.DisconnectCode": safe, "decode.Record.Problems": safe,
	"decode.Record.Capture": redacted, "decode.Record.Client": redacted, "decode.Record.Broker": redacted, "decode.Record.BrokerName": redacted,
	"decode.Record.ClientID": redacted, "decode.Record.ClientIDAssigned": redacted, "decode.Record.Reason": redacted,
	"decode.RecordTLS.Version": safe, "decode.RecordTLS.Alert": safe, "decode.RecordTLS.SNI": redacted, "decode.RecordTLS.ALPN": redacted,
	"decode.RecordCertificate.Subject": redacted, "decode.RecordCertificate.Issuer": redacted, "decode.RecordCertificate.Names": redacted,
	"decode.RecordHTTP.Method": redacted, "decode.RecordHTTP.Path": redacted, "decode.RecordHTTP.Protocols": redacted, "decode.RecordHTTP.Protocol": redacted,

	"decode.Trace.Name": redacted, "decode.Trace.Raw": redacted, // pseudonyms are UTF-8, so that there is none
	"decode.TraceConnect.Name": redacted, "decode.TraceConnect.AuthMethod": redacted,
	"decode.TraceConnack.Shape": safe, "decode.TraceConnack.ServerReference": redacted, "decode.TraceConnack.AuthMethod": redacted,
	"decode.TraceConnack.Properties":         safe, // identifiers
	"decode.TraceDisconnect.Reason":          redacted,
	"decode.TraceDisconnect.ServerReference": redacted,
	"decode.traceProblem.ID":                 safe, "decode.traceProblem.Clause": safe, "decode.traceProblem.Text": safe,
}

type origin uint8

const (
	undeclared origin = iota
	safe
	redacted
	sentenceOf
)

func TestEveryTextOfADocumentIsDeclared(t *testing.T) {
	met := map[string]bool{}
	declared(t, reflect.TypeFor[Document](), "", met)
	declared(t, reflect.TypeFor[decode.Record](), "", met)
	for name := range documentTexts {
		if !met[name] {
			t.Errorf("%s is declared and no text of a document", name)
		}
	}
	names := map[string]bool{}
	new(analyze.Facts).Each(func(name string, value any, _ []int, _ bool) {
		if _, text := value.(string); text {
			names[name] = true
			if _, ok := textFacts[name]; !ok {
				t.Errorf("textFacts does not say what becomes of the fact %s", name)
			}
		}
	})
	for name := range maps.Keys(textFacts) {
		if !names[name] {
			t.Errorf("textFacts speaks of %s, which is no text", name)
		}
	}
}

// declared fails for every text below a type that documentTexts does not have.
func declared(t *testing.T, typ reflect.Type, field string, met map[string]bool) {
	switch typ {
	case reflect.TypeFor[decode.Stamp](), reflect.TypeFor[analyze.Facts](), reflect.TypeFor[Records]():
		return // a time; facts and records are looked at for themselves
	}
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		if typ.Elem() != reflect.TypeFor[byte]() {
			declared(t, typ.Elem(), field, met)
			return
		}
	case reflect.Map:
		declared(t, typ.Elem(), field, met)
		declared(t, typ.Key(), field, met)
		return
	case reflect.Struct:
		for i := range typ.NumField() {
			declared(t, typ.Field(i).Type, typ.String()+"."+typ.Field(i).Name, met)
		}
		return
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float64:
		return // or a word of a list, or digits
	}
	met[field] = true
	if documentTexts[field] == undeclared {
		t.Errorf("%s (%s) is declared neither safe nor redacted", field, typ)
	}
}
