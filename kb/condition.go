package kb

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
	"go.yaml.in/yaml/v3"

	"github.com/mqttriage/mqttriage/analyze"
)

// Conditions come from files that others write. They are short and small, so
// that neither parsing nor running one can cost much; there are no loops.
const maxConditionBytes = 2000

// symptomName is the one name in conditions that is not a fact.
const symptomName = "symptom"

// tri is a truth value of Kleene's three-valued logic.
type tri int8

const (
	no tri = iota - 1
	undecided
	yes
)

// A verdict is what a condition comes to, and the facts that made it so: those
// that decided it or, where it is undecided, those that are missing. They are in
// the order in which the condition names them.
type verdict struct {
	value tri
	facts []string
}

// values are the facts of one finding as conditions see them. Absent facts have
// no key.
type values map[string]any

// node is a compiled part of a condition.
type node interface {
	eval(values) verdict
}

// Condition is an expression over facts. It is compiled when its entry loads.
type Condition struct {
	source string
	line   int // of the file
	block  bool
	root   node
	// names are the facts that the condition uses, in order of appearance.
	names []string
	once  sync.Once
}

// sharedConfig is what embedded conditions are compiled with, when they are first
// needed.
var sharedConfig = sync.OnceValue(newConfig)

// ready compiles a condition that was embedded; others are compiled when they
// are loaded. A test compiles all that are embedded.
func (c *Condition) ready() {
	c.once.Do(func() {
		if c.root == nil {
			if err := c.compile(sharedConfig()); err != nil {
				panic(fmt.Sprintf("embedded condition %q: %v", c.source, err))
			}
		}
	})
}

// String returns the condition as it is written.
func (c *Condition) String() string { return c.source }

// MarshalText returns the condition as it is written.
func (c *Condition) MarshalText() ([]byte, error) { return []byte(c.source), nil }

// UnmarshalText keeps the text; it is compiled when it is first needed.
func (c *Condition) UnmarshalText(text []byte) error {
	c.source = string(text)
	return nil
}

// UnmarshalYAML keeps the text and where it stands. The text is compiled later,
// so that its problems are reported together with all others.
func (c *Condition) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: a condition is one expression in one string", n.Line)
	}
	c.source, c.line = n.Value, n.Line
	c.block = n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
	return nil
}

// eval applies the condition. A nil condition is undecided and misses nothing.
func (c *Condition) eval(v values) verdict {
	if c == nil {
		return verdict{}
	}
	c.ready()
	return c.root.eval(v)
}

// factNames are the names that conditions and texts may use, in order of
// declaration, and environment is what conditions are type-checked against.
var factNames, environment = declared()

func declared() ([]string, map[string]any) {
	var names []string
	env := map[string]any{
		symptomName: "",
		"known":     func(any) bool { return false },
	}
	new(analyze.Facts).Each(func(name string, zero any, _ []int, _ bool) {
		names = append(names, name)
		env[name] = zero
	})
	return names, env
}

func isFact(name string) bool { return slices.Contains(factNames, name) }

// newConfig returns what conditions are type-checked with. It is made once a
// load, for making it costs more than compiling a condition.
func newConfig() *conf.Config {
	config := conf.New(environment)
	config.Expect = reflect.Bool
	return config
}

// compile makes the condition ready to be applied. The error is one line.
func (c *Condition) compile(config *conf.Config) error {
	if strings.TrimSpace(c.source) == "" {
		return errors.New("the condition is empty; leave the key out instead")
	}
	if len(c.source) > maxConditionBytes {
		return fmt.Errorf("the condition has %d bytes; at most %d are allowed", len(c.source), maxConditionBytes)
	}
	tree, err := parser.Parse(c.source)
	if err != nil {
		return oneLine(err)
	}
	var scan scanner
	ast.Walk(&tree.Node, &scan)
	if scan.err != nil {
		return scan.err
	}
	c.names = scan.names
	if c.root, err = build(tree.Node, tree.Source, config); err != nil {
		return err
	}
	if len(c.names) == 0 {
		return errors.New("the condition uses no fact, so it is no condition")
	}
	return nil
}

// placedError is an error at a line of the condition, from 1.
type placedError struct {
	line int
	text string
	// allowed is what might have stood there; empty where the text says it.
	allowed string
}

func (e *placedError) Error() string { return e.text }

// oneLine reduces an error of expr, which draws a picture of the source, to its
// message and place, and says what would have been allowed.
func oneLine(err error) error {
	var at *file.Error
	if !errors.As(err, &at) {
		return errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	message := strings.Join(strings.Fields(at.Message), " ")
	allowed := ""
	if name, found := strings.CutPrefix(message, "unknown name "); found {
		message = fmt.Sprintf("%q is no fact", name)
		allowed = strings.Join(factNames, ", ")
	}
	return &placedError{at.Line, fmt.Sprintf("%s (column %d)", message, at.Column+1), allowed}
}

// operators are what a condition may use. The range operator is left out for the
// memory it can take, and % for its panic.
var operators = []string{
	"and", "&&", "or", "||", "not", "!", "==", "!=", "<", "<=", ">", ">=",
	"in", "contains", "startsWith", "endsWith", "matches", "+", "-", "*", "/",
}

const allowed = "a condition may use facts, symptom, known(fact), numbers, strings, lists, true, false and the operators "

// scanner collects the names that an expression uses and finds what is not
// allowed in it.
type scanner struct {
	names []string
	err   error
}

// Visit is called for every node after those below it.
func (s *scanner) Visit(n *ast.Node) {
	if s.err != nil {
		return
	}
	operator := ""
	switch n := (*n).(type) {
	case *ast.IdentifierNode:
		if (isFact(n.Value) || n.Value == symptomName) && !slices.Contains(s.names, n.Value) {
			s.names = append(s.names, n.Value)
		}
		return
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode, *ast.ArrayNode:
		return
	case *ast.UnaryNode:
		operator = n.Operator
	case *ast.BinaryNode:
		operator = n.Operator
		if operator == "matches" {
			// Checked here and not when a finding comes along.
			pattern, literal := n.Right.(*ast.StringNode)
			if !literal {
				s.err = errors.New("matches takes a regular expression as a plain string")
				return
			}
			if _, err := regexp.Compile(pattern.Value); err != nil {
				s.err = fmt.Errorf("%q is no regular expression: %w", pattern.Value, err)
				return
			}
		}
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok && callee.Value == "known" {
			return
		}
	}
	if !slices.Contains(operators, operator) {
		text := strings.Join(strings.Fields((*n).String()), " ")
		s.err = fmt.Errorf("%s is not allowed: %s%s", text, allowed, strings.Join(operators, " "))
	}
}

// build turns an expression into nodes: and, or, not and known by Kleene's
// logic, everything below them as one program each.
func build(n ast.Node, source file.Source, config *conf.Config) (node, error) {
	switch n := n.(type) {
	case *ast.BinaryNode:
		decides := undecided
		switch n.Operator {
		case "and", "&&":
			decides = no
		case "or", "||":
			decides = yes
		default:
			return buildTest(n, source, config)
		}
		left, err := build(n.Left, source, config)
		if err != nil {
			return nil, err
		}
		right, err := build(n.Right, source, config)
		if err != nil {
			return nil, err
		}
		return junction{left, right, decides}, nil
	case *ast.UnaryNode:
		if n.Operator != "not" && n.Operator != "!" {
			return buildTest(n, source, config)
		}
		inner, err := build(n.Node, source, config)
		if err != nil {
			return nil, err
		}
		return negation{inner}, nil
	case *ast.CallNode:
		return buildKnown(n)
	}
	return buildTest(n, source, config)
}

// buildKnown makes known(fact), the only call that passes the scanner.
func buildKnown(n *ast.CallNode) (node, error) {
	if len(n.Arguments) == 1 {
		if fact, ok := n.Arguments[0].(*ast.IdentifierNode); ok && isFact(fact.Value) {
			return knownTest(fact.Value), nil
		}
	}
	return nil, fmt.Errorf("%s is not allowed: known takes the name of one fact, as in known(%s)", n, factNames[0])
}

// buildTest compiles an expression that needs all its facts.
func buildTest(n ast.Node, source file.Source, config *conf.Config) (node, error) {
	var scan scanner
	ast.Walk(&n, &scan)
	if calls := ast.Find(n, func(n ast.Node) bool { _, call := n.(*ast.CallNode); return call }); calls != nil {
		return nil, fmt.Errorf("%s is not allowed: known stands by itself or under and, or, not", n)
	}
	// Not expr.Compile, which takes source only: the tree has been parsed.
	tree := &parser.Tree{Node: n, Source: source}
	if _, err := checker.Check(tree, config); err != nil {
		return nil, oneLine(err)
	}
	program, err := compiler.Compile(tree, config)
	if err != nil {
		return nil, oneLine(err)
	}
	return test{program, scan.names}, nil
}

// junction is "and" or "or": decides is the value that, on either side,
// settles it.
type junction struct {
	left, right node
	decides     tri
}

func (j junction) eval(v values) verdict {
	left, right := j.left.eval(v), j.right.eval(v)
	switch {
	case left.value == right.value:
		return verdict{left.value, union(left.facts, right.facts)}
	case left.value == j.decides:
		return left
	case right.value == j.decides:
		return right
	case left.value == undecided:
		return left
	}
	return right
}

type negation struct{ inner node }

func (n negation) eval(v values) verdict {
	inner := n.inner.eval(v)
	inner.value = -inner.value
	return inner
}

// knownTest is known(fact).
type knownTest string

func (k knownTest) eval(v values) verdict {
	answer := no
	if _, known := v[string(k)]; known {
		answer = yes
	}
	return verdict{answer, []string{string(k)}}
}

// test is an expression that is undecided as long as one of its facts is
// absent.
type test struct {
	program *vm.Program
	names   []string
}

func (t test) eval(v values) verdict {
	var missing []string
	for _, name := range t.names {
		if _, known := v[name]; !known {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return verdict{undecided, missing}
	}
	result, err := expr.Run(t.program, map[string]any(v))
	holds, ok := result.(bool)
	switch {
	case err != nil || !ok:
		// The operators that are allowed are total, so nothing is known to
		// get here; an undecided condition is the harmless reading.
		return verdict{undecided, t.names}
	case holds:
		return verdict{yes, t.names}
	}
	return verdict{no, t.names}
}

// union joins two lists without repeating a name, in order.
func union(a, b []string) []string {
	out := slices.Clip(a)
	for _, name := range b {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
