package report

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/kb"
)

// The JSON Schemas in docs are generated from the types of the contract and
// their comments; go test -run Schema -update writes them.
const (
	reportSchema  = "../docs/report.schema.json"
	recordsSchema = "../docs/records.schema.json"
)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(m.name)
		b.Write(append(name, ':'))
		if err := json.NewEncoder(&b).Encode(m.value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// schemas makes JSON Schemas of types.
type schemas struct {
	comments map[string]string // of "Type" and "Type.Field"
	defs     map[string]any
}

// formOf is the form of texts that are not free, by type.
var formOf = map[reflect.Type]object{
	reflect.TypeFor[decode.Stamp](): {{"type", "string"}, {"format", "date-time"}, {"pattern", `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$`}},
	reflect.TypeFor[kb.Lang]():      {{"enum", []string{string(kb.English), string(kb.Chinese)}}},
	reflect.TypeFor[mqtt.Type]():    {{"type", "integer"}, {"minimum", 0}, {"maximum", 15}},
	reflect.TypeFor[decode.Moment](): {
		{"type", "array"}, {"items", object{{"type", "integer"}}}, {"minItems", 2}, {"maxItems", 2},
	},
}

// formOfField is the same by field.
var formOfField = map[string]object{
	"Document.Schema":        {{"const", Schema}},
	"Record.ID":              {{"type", "string"}, {"pattern", `^c[0-9]+\.[0-9]+$`}},
	"Record.MQTTVersion":     {{"enum", []string{"3.1", "3.1.1", "5"}}},
	"Record.Code":            {{"type", "string"}, {"pattern", "^0x[0-9a-f]{2}$"}},
	"Record.DisconnectCode":  {{"type", "string"}, {"pattern", "^0x[0-9a-f]{2}$"}},
	"Code.Code":              {{"type", "string"}, {"pattern", "^0x[0-9a-f]{2}$"}},
	"liveLine.Schema":        {{"const", Schema}},
	"happeningLine.Event":    {{"enum", []string{"new", "more"}}},
	"happeningLine.Severity": {{"enum", []string{"error", "warning", "info"}}},
	"happeningSession.ID":    {{"type", "string"}, {"pattern", `^c[0-9]+\.[0-9]+$`}},
	"happeningSession.Code":  {{"type", "string"}, {"pattern", "^0x[0-9a-f]{2}$"}},
	"noticeLine.Severity":    {{"enum", []string{"error", "warning", "info"}}},
	"noticeLine.Kind":        {{"enum", []string{"connections", "sessions", "client-ids", "findings"}}},
	"noticeLine.Event": {{"enum", []NoticeEvent{EventStarted, EventEnded, EventInterfaceDown, EventInterfaceGone, EventInterfaceUp, EventClockSet,
		EventDropped, EventEvicted, EventEvidence}}},
	"Finding.Severity": {{"enum", []string{"error", "warning", "info"}}},
	"Cause.Status":     {{"enum", []kb.Status{kb.Supported, kb.Contradicted, kb.Possible}}},
	"Fix.Status":       {{"enum", []kb.Status{kb.Recommended, kb.InPlace, kb.NotApplicable, kb.Possible}}},
	"End.Status":       {{"enum", []kb.Status{kb.Seen, kb.NotSeen, kb.NotVisible}}},
}

var textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()

// of is the schema of a type.
func (s *schemas) of(t reflect.Type) any {
	if form, ok := formOf[t]; ok {
		return form
	}
	switch {
	case t == reflect.TypeFor[Records]():
		return object{{"type", "array"}, {"items", s.of(reflect.TypeFor[decode.Record]())}}
	case t.PkgPath() == reflect.TypeFor[analyze.Facts]().PkgPath() && strings.HasPrefix(t.Name(), "Fact["):
		return s.of(t.Field(0).Type)
	case t.Kind() == reflect.Uint8 && t.Implements(textMarshaler):
		return object{{"enum", words(t)}}
	case t.Implements(textMarshaler) && t.PkgPath() != "":
		return object{{"type", "string"}, {"pattern", "^([0-9a-f]{2})*$"}}
	case t == reflect.TypeFor[[]byte]():
		return object{{"type", "string"}, {"contentEncoding", "base64"}}
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{{"type", "boolean"}}
	case reflect.Int, reflect.Int64:
		return object{{"type", "integer"}}
	case reflect.Uint64:
		return object{{"type", "integer"}, {"minimum", 0}}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return object{{"type", "integer"}, {"minimum", 0}, {"maximum", 1<<t.Bits() - 1}}
	case reflect.Float64:
		return object{{"type", "number"}}
	case reflect.String:
		return object{{"type", "string"}}
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Slice:
		return object{{"type", "array"}, {"items", s.of(t.Elem())}}
	case reflect.Array:
		return object{{"type", "array"}, {"items", s.of(t.Elem())}, {"minItems", t.Len()}, {"maxItems", t.Len()}}
	case reflect.Map:
		o := object{{"type", "object"}, {"additionalProperties", s.of(t.Elem())}}
		if t.Key().Kind() == reflect.Uint8 {
			o = append(o, member{"propertyNames", s.of(t.Key())})
		}
		return o
	case reflect.Struct:
		if _, known := s.defs[t.Name()]; !known {
			s.defs[t.Name()] = nil // it may be in itself
			s.defs[t.Name()] = s.object(t)
		}
		return object{{"$ref", "#/$defs/" + t.Name()}}
	}
	panic(fmt.Sprint("no schema for ", t))
}

// words are those of a type that has few values.
func words(t reflect.Type) []string {
	var all []string
	for i := range 256 {
		v := reflect.New(t).Elem()
		v.SetUint(uint64(i))
		text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil || string(text) == fmt.Sprint(i) {
			break
		}
		if len(text) > 0 || t != reflect.TypeFor[decode.Note]() {
			all = append(all, string(text))
		}
	}
	return all
}

// object is the schema of a struct, as encoding/json writes it.
func (s *schemas) object(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous || !f.IsExported() || name == "-":
			continue
		case f.Type == reflect.TypeFor[*struct{}](): // hides a field that has lines of its own
			continue
		}
		owner := s.owner(t, f)
		form, ok := formOfField[owner+"."+f.Name]
		if !ok {
			switch v := s.of(f.Type).(type) {
			case object:
				form = v
			}
		}
		if comment := s.comments[owner+"."+f.Name]; comment != "" {
			form = append(object{{"description", comment}}, form...)
		}
		if f.Name == "Type" && strings.HasSuffix(t.Name(), "Line") {
			form = object{{"const", strings.TrimSuffix(t.Name(), "Line")}}
		}
		properties = append(properties, member{name, form})
		if options != "omitempty" && options != "omitzero" {
			required = append(required, name)
		}
	}
	out := object{{"type", "object"}, {"properties", properties}}
	if comment := s.comments[t.Name()]; comment != "" {
		out = append(object{{"description", comment}}, out...)
	}
	if len(required) > 0 {
		out = append(out, member{"required", required})
	}
	return append(out, member{"additionalProperties", false})
}

// owner is the struct in which a field is declared.
func (s *schemas) owner(t reflect.Type, f reflect.StructField) string {
	for _, at := range f.Index[:len(f.Index)-1] {
		if t = t.Field(at).Type; t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
	}
	return t.Name()
}

// commentsIn are the comments on types and their fields in folders.
func commentsIn(t *testing.T, folders ...string) map[string]string {
	t.Helper()
	comments := map[string]string{}
	for _, folder := range folders {
		paths, err := filepath.Glob(folder + "/*.go")
		if err != nil || len(paths) == 0 {
			t.Fatalf("no files in %s (%v)", folder, err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				declaration, ok := n.(*ast.GenDecl)
				if !ok {
					return true
				}
				for _, spec := range declaration.Specs {
					typ, ok := spec.(*ast.TypeSpec)
					if !ok {
						continue
					}
					comments[typ.Name.Name] = oneLine(declaration.Doc)
					fields, ok := typ.Type.(*ast.StructType)
					if !ok {
						continue
					}
					for _, f := range fields.Fields.List {
						for _, name := range f.Names {
							comments[typ.Name.Name+"."+name.Name] = oneLine(f.Doc)
						}
					}
				}
				return true
			})
		}
	}
	return comments
}

func oneLine(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }

// made makes a schema of the types, one of which a text is.
func made(t *testing.T, id, title, description string, comments map[string]string, types ...reflect.Type) []byte {
	s := &schemas{comments: comments, defs: map[string]any{}}
	var either []any
	for _, typ := range types {
		either = append(either, s.of(typ))
	}
	head := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"$id", "https://github.com/mqttriage/mqttriage/docs/" + id},
		{"title", title}, {"description", description},
	}
	if len(either) == 1 {
		head = append(head, member{"$ref", either[0].(object)[0].value})
	} else {
		head = append(head, member{"oneOf", either})
	}
	defs := object{}
	for name, def := range s.defs {
		defs = append(defs, member{name, def})
	}
	slices.SortFunc(defs, func(x, y member) int { return strings.Compare(x.name, y.name) })
	compact, err := json.Marshal(append(head, member{"$defs", defs}))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), '\n')
}

const schemaNote = "Absent facts are left out, arrays are never null, times are UTC, " +
	"durations end in _ms or _s, packet numbers are Wireshark's. A newer version of the program may add fields: it comes with its own schema."

func TestSchemasFitTheTypes(t *testing.T) {
	comments := commentsIn(t, ".", "../decode", "../analyze")
	for path, want := range map[string][]byte{
		reportSchema: made(t, "report.schema.json", "A report of mqttriage: -f json",
			"One object. "+schemaNote, comments, reflect.TypeFor[Document]()),
		recordsSchema: made(t, "records.schema.json", "A line of a report of mqttriage: -f ndjson",
			"Each line is one object, and \"type\" says which: first the summary, then captures, sessions, entries, findings. "+
				"The stream of a live capture begins with a live line; then come captures, sessions, happenings and notices, "+
				"and between them summaries with their captures, entries and findings: of a capture the last line holds. "+
				"mqttriage read takes such a file in place of the captures. "+schemaNote, comments,
			reflect.TypeFor[summaryLine](), reflect.TypeFor[captureLine](), reflect.TypeFor[sessionLine](), reflect.TypeFor[entryLine](), reflect.TypeFor[findingLine](),
			reflect.TypeFor[liveLine](), reflect.TypeFor[happeningLine](), reflect.TypeFor[noticeLine]()),
	} {
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		have, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, want) {
			t.Errorf("%s is not that of the types: go test ./report -run Schema -update", path)
		}
	}
}

func compiled(t testing.TB, path string) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiler.AssertContent()
	schema, err := compiler.Compile(path)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// fits reports why a JSON text does not fit a schema, nil when it does.
func fits(schema *jsonschema.Schema, text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// wrongly returns a JSON object with one change at a path of members and
// array indices.
func wrongly(t *testing.T, text []byte, change func(object map[string]any), path ...any) []byte {
	t.Helper()
	var root any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	at := root
	for _, step := range path {
		switch step := step.(type) {
		case string:
			at = at.(map[string]any)[step]
		case int:
			at = at.([]any)[step]
		}
	}
	change(at.(map[string]any))
	out, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSchemasRefuseOtherDocuments(t *testing.T) {
	doc := buildOf(t, kb.English, func(in *Input) { in.Sessions = true })
	var b bytes.Buffer
	if err := JSON(&b, doc); err != nil {
		t.Fatal(err)
	}
	schema := compiled(t, reportSchema)
	if err := fits(schema, b.Bytes()); err != nil {
		t.Fatal(err)
	}
	add := func(o map[string]any) { o["mood"] = "good" }
	without := func(name string) func(map[string]any) { return func(o map[string]any) { delete(o, name) } }
	set := func(name string, value any) func(map[string]any) {
		return func(o map[string]any) { o[name] = value }
	}
	for i, text := range [][]byte{
		wrongly(t, b.Bytes(), add),
		wrongly(t, b.Bytes(), without("schema")),
		wrongly(t, b.Bytes(), set("schema", "mqttriage/report/v2")),
		wrongly(t, b.Bytes(), without("findings")),
		wrongly(t, b.Bytes(), set("findings", nil)),
		wrongly(t, b.Bytes(), add, "totals"),
		wrongly(t, b.Bytes(), add, "findings", 0, "facts"),
		wrongly(t, b.Bytes(), set("code", "2"), "findings", 0, "facts"),
		wrongly(t, b.Bytes(), set("severity", "grave"), "findings", 0),
		wrongly(t, b.Bytes(), set("status", "seen"), "findings", 0, "advice", 0, "causes", 0),
		wrongly(t, b.Bytes(), set("outcome", "lost"), "sessions", 0),
		wrongly(t, b.Bytes(), set("opened", "2026-03-02 22:13:20"), "sessions", 0),
		wrongly(t, b.Bytes(), set("code", "0x2"), "sessions", 0),
		wrongly(t, b.Bytes(), without("packets"), "sessions", 0),
	} {
		if fits(schema, text) == nil {
			t.Errorf("wrong document %d fits", i)
		}
	}
}

func TestSchemaOfRecordsRefusesOtherLines(t *testing.T) {
	schema := compiled(t, recordsSchema)
	lines := strings.Split(strings.TrimSpace(savedText(t)), "\n")
	for i, line := range lines {
		if err := fits(schema, []byte(line)); err != nil {
			t.Errorf("line %d: %v", i+1, err)
		}
		for what, change := range map[string]func(map[string]any){
			"a field more": func(o map[string]any) { o["mood"] = "good" },
			"no type":      func(o map[string]any) { delete(o, "type") },
			"another type": func(o map[string]any) { o["type"] = "weather" },
		} {
			if fits(schema, wrongly(t, []byte(line), change)) == nil {
				t.Errorf("line %d with %s fits", i+1, what)
			}
		}
	}
	session := []byte(lines[1])
	if fits(schema, wrongly(t, session, func(o map[string]any) { o["tag"] = "xyz" }, "trace", "connect")) == nil {
		t.Error("a wrong tag fits")
	}
	if fits(schema, wrongly(t, session, func(o map[string]any) { o["last"] = []int{1} }, "trace")) == nil {
		t.Error("half an event fits")
	}
}
