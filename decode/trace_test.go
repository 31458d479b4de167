package decode

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// highest is the highest value of each type that has few.
var highest = map[reflect.Type]int{
	reflect.TypeFor[Outcome]():      len(outcomeWords) - 1,
	reflect.TypeFor[Side]():         len(sideWords) - 1,
	reflect.TypeFor[Close]():        len(closeWords) - 1,
	reflect.TypeFor[First]():        len(firstWords) - 1,
	reflect.TypeFor[Transport]():    len(transportWords) - 1,
	reflect.TypeFor[Roles]():        len(rolesWords) - 1,
	reflect.TypeFor[mqtt.Version](): int(mqtt.V5),
	reflect.TypeFor[mqtt.Type]():    int(mqtt.TypeAuth),
}

// fill sets a value and all in it at random, so that a field that is added later
// is set too.
func fill(r *rand.Rand, v reflect.Value) {
	switch v.Type() {
	case reflect.TypeFor[netip.AddrPort]():
		addr := netip.AddrFrom4([4]byte{10, 0, byte(r.IntN(2)), byte(r.IntN(4))})
		if r.IntN(3) == 0 {
			addr = netip.AddrFrom16([16]byte{0x20, 1, 15: byte(r.IntN(4))})
		}
		v.Set(reflect.ValueOf(netip.AddrPortFrom(addr, uint16(r.Uint32()))))
		return
	case reflect.TypeFor[Event]():
		if r.IntN(3) > 0 {
			v.Set(reflect.ValueOf(Event{1 + r.IntN(1e6), []int64{0, r.Int64N(1 << 62)}[r.IntN(2)]}))
		}
		return
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(r.Int64N(1<<33), r.Int64N(1e9)).UTC()))
		return
	case reflect.TypeFor[Notes]():
		var n Notes
		for range r.IntN(5) {
			n.Add(Note(1 + r.IntN(len(noteWords)-1)))
		}
		v.SetUint(uint64(n))
		return
	}
	if top, ok := highest[v.Type()]; ok {
		v.SetUint(uint64(r.IntN(top + 1)))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(r.Int64N(1e6))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(r.Uint64() >> (64 - v.Type().Bits()) >> r.IntN(v.Type().Bits()))
	case reflect.String:
		v.SetString([]string{"", "a", "gw-7", "\xff\xfe", "µ \"<&>\" \u2028\x00", "\xed\xa0\x80x"}[r.IntN(6)])
	case reflect.Slice:
		if n := r.IntN(3); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(r, v.Index(i))
			}
		}
	case reflect.Pointer:
		if r.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Type != reflect.TypeFor[*Origin]() {
				fill(r, v.Field(i))
			}
		}
	default:
		panic(fmt.Sprint("no way to fill a ", v.Type()))
	}
}

// randomSession is one that keeps what the decoder promises.
func randomSession(r *rand.Rand) *Session {
	s := &Session{Origin: &Origin{Capture: "a.pcap", Index: 2}}
	fill(r, reflect.ValueOf(s).Elem())
	s.Number = 1 + s.Number/2
	fill(r, reflect.ValueOf(s.MakeRare()).Elem())
	if r.IntN(2) == 0 {
		s.rare = nil
	}
	plain := func(text ...*string) {
		for _, t := range text {
			*t = strings.ToValidUTF8(*t, "?")
		}
	}
	plainAll := func(list []mqtt.Problem) {
		for i := range list {
			plain(&list[i].ID, &list[i].Clause, &list[i].Text)
		}
	}
	seen := Event{7, 1e9}
	if c := s.Connect; c == nil {
		s.ConnectAt = Event{}
	} else {
		if c.IDUnknown {
			c.ClientID = ""
		}
		plainAll(c.Problems)
	}
	if c := s.Connack; c == nil {
		s.ConnackAt = Event{}
		if s.Outcome == Accepted || s.Outcome == Rejected {
			s.Outcome = Unknown
		}
	} else {
		s.ConnackAt, s.Outcome = seen, Rejected
		if c.Code == 0 {
			s.Outcome = Accepted
		}
		plainAll(c.Problems)
	}
	s.DisconnectAt, s.DisconnectBy = Event{}, Nobody
	if d := s.Disconnect; d != nil {
		s.DisconnectAt, s.DisconnectBy = seen, Client
		if !d.HasCode {
			d.Code = 0
		}
		plainAll(d.Problems)
	}
	if s.ClosedBy == Nobody {
		s.Closed = Event{}
	} else {
		s.Closed = seen
	}
	if t := s.TLS; t != nil {
		plain(&t.Version, &t.Alert)
	}
	if r.IntN(2) == 0 {
		s.Origin.Names = map[netip.Addr]string{s.Broker.Addr(): []string{"broker.example", "bad\xff.example"}[r.IntN(2)]}
	}
	return s
}

// everything compares sessions whole.
var everything = cmp.Options{
	cmp.AllowUnexported(Session{}), cmpopts.EquateComparable(netip.AddrPort{}, netip.Addr{}, Notes(0)), cmp.Comparer(func(x, y time.Time) bool { return x == y }),
}

// remake sends a session through JSON.
func remake(t *testing.T, s *Session) *Session {
	t.Helper()
	text, err := json.Marshal(s.TracedRecord())
	if err != nil {
		t.Fatal(err)
	}
	record, err := ParseRecord(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	got, err := record.Session(&Origin{Capture: record.Capture, Index: 2})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return got
}

func TestTraceKeepsEverything(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		want := randomSession(r)
		got := remake(t, want)
		if diff := cmp.Diff(want, got, everything); diff != "" {
			t.Fatalf("the session before (-) and after (+) differ:\n%s", diff)
		}
		if again := got.TracedRecord(); again.Trace == nil || !reflect.DeepEqual(again, want.TracedRecord()) {
			t.Fatal("the records differ")
		}
	}
}

// Every field of a session must be lost by a test that forgets it: the
// generator sets each, at one time or another.
func TestRandomSessionSetsEveryField(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	unset := map[string]bool{}
	var walk func(path string, v reflect.Value, note func(string, bool))
	walk = func(path string, v reflect.Value, note func(string, bool)) {
		note(path, !v.IsZero())
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() && v.Type() != reflect.TypeFor[*Origin]() {
				walk(path, v.Elem(), note)
			}
		case reflect.Struct:
			if v.Type().PkgPath() == "time" || v.Type().PkgPath() == "net/netip" {
				return
			}
			for i := range v.NumField() {
				walk(path+"."+v.Type().Field(i).Name, v.Field(i), note)
			}
		}
	}
	for range 500 {
		walk("", reflect.ValueOf(randomSession(r)), func(path string, set bool) {
			if before, known := unset[path]; !known || before {
				unset[path] = !set
			}
		})
	}
	for path, is := range unset {
		if is {
			t.Errorf("%s is never set", path)
		}
	}
}

func TestRecordsOfReportsHaveNoTrace(t *testing.T) {
	s := randomSession(rand.New(rand.NewPCG(5, 6)))
	if s.Record().Trace != nil {
		t.Error("a record has a trace unasked")
	}
	r := s.Record()
	if _, err := r.Session(&Origin{}); err == nil || !strings.Contains(err.Error(), "field trace") {
		t.Errorf("a record without its trace gives %v", err)
	}
}

// traced is the JSON of a session's record, with a change to it.
func traced(t testing.TB, s *Session, change func(map[string]any)) []byte {
	t.Helper()
	text, err := json.Marshal(s.TracedRecord())
	if err != nil {
		t.Fatal(err)
	}
	var record map[string]any
	if err := json.Unmarshal(text, &record); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(record)
	}
	text, err = json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// rejectedSession has a CONNECT, a CONNACK and a DISCONNECT.
func rejectedSession() *Session {
	at := func(n int) Event { return Event{n, int64(1e18) + int64(n)} }
	return &Session{
		Origin: &Origin{Capture: "a.pcap", Index: 1}, Number: 4, Stream: 3, MQTT: true, First: FirstMQTT, RolesFrom: RolesFromSYN,
		Client: netip.MustParseAddrPort("10.0.0.5:51234"), Broker: netip.MustParseAddrPort("10.0.0.1:1883"),
		Connect: &mqtt.Connect{Name: "MQTT", Level: 4, Version: mqtt.V311, KeepAlive: 60, Length: 14, Tag: 1 << 63, UserTag: 5, Username: true},
		Connack: &mqtt.Connack{Version: mqtt.V311, Code: 2}, Disconnect: &mqtt.Disconnect{}, DisconnectBy: Client, DisconnectAt: at(7),
		TLS:     &TLS{Version: "1.3", SNI: "broker.example"},
		Outcome: Rejected, Opened: at(1), ConnectAt: at(4), ConnackAt: at(6), Closed: at(7), ClosedBy: Client, ClientClosed: at(7),
	}
}

func TestRecordsWithWrongValues(t *testing.T) {
	inTrace := func(set func(map[string]any)) func(map[string]any) {
		return func(r map[string]any) { set(r["trace"].(map[string]any)) }
	}
	for _, test := range []struct {
		field  string
		change func(map[string]any)
	}{
		{"id", func(r map[string]any) { r["id"] = "17" }},
		{"id", func(r map[string]any) { r["id"] = "c0.1" }},
		{"id", func(r map[string]any) { r["id"] = "c1.99999999999" }},
		{"stream", func(r map[string]any) { r["stream"] = -1 }},
		{"stream", func(r map[string]any) { r["stream"] = "three" }},
		{"client", func(r map[string]any) { r["client"] = "10.0.0.5" }},
		{"client", func(r map[string]any) { r["client"] = "[fe80::1%eth0]:1" }},
		{"outcome", func(r map[string]any) { r["outcome"] = "perhaps" }},
		{"outcome", func(r map[string]any) { r["outcome"] = "accepted" }},
		{"outcome", func(r map[string]any) {
			delete(r["trace"].(map[string]any), "connack")
			delete(r["packets"].(map[string]any), "connack")
			delete(r, "connack")
		}},
		{"code", func(r map[string]any) { r["code"] = "0x1000" }},
		{"mqtt_version", func(r map[string]any) { r["mqtt_version"] = "4" }},
		{"keep_alive_s", func(r map[string]any) { r["keep_alive_s"] = 65536 }},
		{"clean_start", func(r map[string]any) { delete(r, "clean_start") }},
		{"opened", func(r map[string]any) { r["opened"] = "yesterday" }},
		{"opened", func(r map[string]any) { r["opened"] = "9999-01-01T00:00:00Z" }},
		{"closed_by", func(r map[string]any) { r["closed_by"] = "" }},
		{"packets.connack", func(r map[string]any) { delete(r["packets"].(map[string]any), "connack"); delete(r, "connack") }},
		{"packets.connect", func(r map[string]any) { delete(r["trace"].(map[string]any), "connect") }},
		{"notes", func(r map[string]any) { r["notes"] = []string{"gap", "tired"} }},
		{"tls.alert_by", func(r map[string]any) { r["tls"].(map[string]any)["alert_by"] = "nobody" }},
		{"trace", func(r map[string]any) { delete(r, "trace") }},
		{"trace.tls", func(r map[string]any) { delete(r, "tls") }},
		{"trace.last", inTrace(func(x map[string]any) { x["last"] = []int{-1, 0} })},
		{"trace.first", inTrace(func(x map[string]any) { x["first"] = "ftp" })},
		{"trace.first_packet", inTrace(func(x map[string]any) { x["first_packet"] = 16 })},
		{"trace.first_packet", inTrace(func(x map[string]any) { x["first_packet"] = 256 })},
		{"trace.connect.tag", inTrace(func(x map[string]any) { x["connect"].(map[string]any)["tag"] = "xyz" })},
		{"trace.disconnect", inTrace(func(x map[string]any) { x["disconnect"].(map[string]any)["by"] = "" })},
		{"trace.syn_retries", inTrace(func(x map[string]any) { x["syn_retries"] = make([]int, 1000) })},
	} {
		record, err := ParseRecord(traced(t, rejectedSession(), test.change))
		if err == nil {
			_, err = record.Session(&Origin{})
		}
		if err == nil || !strings.HasPrefix(err.Error(), "field "+test.field+":") {
			t.Errorf("a wrong %s gives: %v", test.field, err)
		}
	}
	if _, err := ParseRecord([]byte(`{"id": `)); err == nil || !strings.Contains(err.Error(), "no JSON") {
		t.Errorf("half an object gives: %v", err)
	}
	newer := traced(t, rejectedSession(), func(r map[string]any) {
		r["mood"] = "good"
		inTrace(func(x map[string]any) { x["mood"] = []int{1} })(r)
	})
	record, err := ParseRecord(newer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := record.Session(&Origin{}); err != nil {
		t.Errorf("fields of a newer program: %v", err)
	}
}

func TestRemakerTags(t *testing.T) {
	record := rejectedSession().TracedRecord()
	other := rejectedSession()
	other.Connect.Tag = 9
	otherRecord := other.TracedRecord()
	session := func(m *Remaker, r *Record) *Session {
		s, err := m.Session(r, &Origin{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one, two := NewRemaker(), NewRemaker()
	x, y, z := session(one, &record), session(one, &record), session(one, &otherRecord)
	if x.Connect != y.Connect || x.Connack != y.Connack {
		t.Error("equal packets of a file are not shared")
	}
	if x.Connect.Tag == z.Connect.Tag || x.Connect == z.Connect {
		t.Error("different CONNECTs of a file are equal")
	}
	if x.Connect.Tag == 1<<63 || x.Connect.UserTag == 5 {
		t.Error("a tag of the file is used as it is")
	}
	w := session(two, &otherRecord)
	if w.Connect.Tag != x.Connect.Tag {
		t.Error("CONNECTs of two files that look the same differ")
	}
	if w.Connect.UserTag == x.Connect.UserTag {
		t.Error("users of two files are taken for one")
	}
	if v := session(two, &record); v.Connect.Tag == w.Connect.Tag {
		t.Error("different CONNECTs of a file are equal")
	}
	longer := rejectedSession()
	longer.Connect.Length++
	longerRecord := longer.TracedRecord()
	if v := session(two, &longerRecord); v.Connect.Tag == w.Connect.Tag {
		t.Error("CONNECTs of two lengths are equal")
	}
	decoded := rejectedSession()
	NewRemaker().Adopt(decoded)
	if decoded.Connect.Tag != x.Connect.Tag {
		t.Error("a CONNECT that was decoded here differs from a saved one that looks the same")
	}
	nobody := rejectedSession()
	nobody.Connect.UserTag = 0
	nobodyRecord := nobody.TracedRecord()
	if s := session(one, &nobodyRecord); s.Connect.UserTag != 0 {
		t.Error("an absent tag is not absent any more")
	}
}

func FuzzParseRecord(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 20 {
		f.Add(traced(f, randomSession(r), nil))
	}
	f.Add(traced(f, rejectedSession(), nil))
	f.Add([]byte(`{"id":"c1.1","trace":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		record, err := ParseRecord(text)
		if err != nil {
			return
		}
		s, err := record.Session(&Origin{Capture: record.Capture, Index: 2})
		if err != nil {
			return
		}
		// What was read can be written, and is then the same session.
		if diff := cmp.Diff(s, remake(t, s), everything, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("the session read (-) and read again (+) differ:\n%s", diff)
		}
	})
}
