package kb

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
)

var update = flag.Bool("update", false, "rewrite the table of facts in docs/kb.md")

const manual = "../docs/kb.md"

// between returns what stands between two marks of the manual, and the whole
// around it.
func between(t *testing.T, mark string) (before, inside, after string) {
	t.Helper()
	data, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+mark+": begin -->\n", "<!-- "+mark+": end -->"
	before, rest, found := strings.Cut(string(data), begin)
	inside, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no part marked %s", manual, mark)
	}
	return before + begin, inside, end + after
}

// factTable makes the table of facts from the comments of analyze.Facts. Fields
// without a comment share the one above them.
func factTable(t *testing.T) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../analyze/facts.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var fields []*ast.Field
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.Name == "Facts" {
			fields = spec.Type.(*ast.StructType).Fields.List
		}
		return true
	})
	type row struct{ names, types []string }
	var b strings.Builder
	b.WriteString("| fact | type | what it is |\n| --- | --- | --- |\n")
	var goNames []string
	var current row
	var doc string
	flush := func() {
		if len(current.names) == 0 {
			return
		}
		text := strings.Join(strings.Fields(doc), " ")
		for i, name := range goNames {
			text = regexp.MustCompile(`\b`+name+`\b`).ReplaceAllLiteralString(text, "`"+current.names[i]+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", strings.Join(current.names, "`, `"), strings.Join(slices.Compact(current.types), ", "), strings.ReplaceAll(text, "|", `\|`))
		current, goNames = row{}, nil
	}
	for _, f := range fields {
		if f.Doc != nil {
			flush()
			doc = f.Doc.Text()
		}
		tag, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		current.names = append(current.names, name)
		goNames = append(goNames, f.Names[0].Name)
		kind := f.Type.(*ast.IndexExpr).Index.(*ast.Ident).Name
		current.types = append(current.types, map[string]string{
			"bool": "yes or no", "int": "whole number", "float64": "number", "string": "text",
		}[kind])
	}
	flush()
	return b.String()
}

// TestFactTable: the manual's table of facts is that of the comments.
func TestFactTable(t *testing.T) {
	before, have, after := between(t, "facts")
	want := factTable(t)
	if *update {
		if err := os.WriteFile(manual, []byte(before+want+after), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have != want {
		t.Error("the table of facts in docs/kb.md is out of date; run: go generate ./kb")
	}
	for _, name := range factNames {
		if !strings.Contains(want, "`"+name+"`") {
			t.Errorf("the table lacks %s", name)
		}
	}
}

// TestManualExample: the manual's example is an entry without a problem, and gives
// the advice that the manual speaks of.
func TestManualExample(t *testing.T) {
	_, example, _ := between(t, "example")
	example = strings.TrimSuffix(strings.TrimPrefix(example, "```yaml\n"), "```\n")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "example.yaml"), []byte(example), 0o666); err != nil {
		t.Fatal(err)
	}
	if n, err := Check(dir); n != 1 || err != nil {
		t.Fatalf("%d files, %v", n, err)
	}
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := analyze.Finding{Symptom: "no-connack"}
	f.Facts.BrokerAccepted.Set(12)
	f.Facts.ConnectAcked.Set(true)
	f.Facts.ClientGaveUpMS.Set(30000, 4, 9)
	f.Facts.RetriesUnchanged.Set(5)
	f.Facts.RetryBackoff.Set(false)
	advice := entryIn(t, b.Consult(f), "site/gateway-behind-slow-login")
	if !advice.Specific {
		t.Error("the example's condition does not hold")
	}
	for id, want := range map[string]Status{"slow-login-service": Supported, "longer-connect-timeout": Recommended, "retry-faster": Seen} {
		if got := statusesOf(advice)[id]; got.status != want {
			t.Errorf("%s is %s because %q", id, got.status, got.because.En)
		}
	}
	if got := statusesOf(advice)["slow-login-service"].because.En; got != "The client gave up after 30000 ms without an answer." {
		t.Errorf("the reason is %q", got)
	}
}

// TestManualKeys: the manual names every key of an entry, every change that may
// have worked.
func TestManualKeys(t *testing.T) {
	data, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range slices.Concat(keysOf["Entry"], keysOf["FixEntry"], keysOf["CauseEntry"], keysOf["DeadEndEntry"], workedChanges) {
		if !strings.Contains(string(data), "`"+key+"`") {
			t.Errorf("%s does not name `%s`", manual, key)
		}
	}
}
