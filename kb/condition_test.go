package kb

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/expr-lang/expr"
)

func compiled(t testing.TB, source string) *Condition {
	t.Helper()
	c := &Condition{source: source}
	if err := c.compile(newConfig()); err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return c
}

// TestKleene tries and, or, not over all three truth values. retries stands for
// the left side, takeovers for the right; absent is undecided.
func TestKleene(t *testing.T) {
	sides := map[tri]func(values, string){
		yes:       func(v values, name string) { v[name] = 1 },
		no:        func(v values, name string) { v[name] = 0 },
		undecided: func(values, string) {},
	}
	for _, test := range []struct {
		left, right, and, or tri
	}{
		{yes, yes, yes, yes}, {yes, no, no, yes}, {yes, undecided, undecided, yes},
		{no, yes, no, yes}, {no, no, no, no}, {no, undecided, no, undecided},
		{undecided, yes, undecided, yes}, {undecided, no, no, undecided}, {undecided, undecided, undecided, undecided},
	} {
		v := values{}
		sides[test.left](v, "retries")
		sides[test.right](v, "takeovers")
		for source, want := range map[string]tri{
			"retries > 0 and takeovers > 0":                  test.and,
			"retries > 0 && takeovers > 0":                   test.and,
			"retries > 0 or takeovers > 0":                   test.or,
			"retries > 0 || takeovers > 0":                   test.or,
			"not (retries > 0 and takeovers > 0)":            -test.and,
			"!(retries > 0) or !(takeovers > 0)":             -test.and,
			"not (retries > 0)":                              -test.left,
			"known(retries) and retries > 0":                 min(boolTri(test.left != undecided), test.left),
			"(retries > 0 and takeovers > 0) == true":        strict(test.left, test.right, test.and),
			"retries + takeovers > 1":                        strict(test.left, test.right, test.and),
			"not known(takeovers) or takeovers > 0":          max(boolTri(test.right == undecided), test.right),
			"not (known(takeovers) and not (takeovers > 0))": boolTri(test.right != no),
		} {
			if got := compiled(t, source).eval(v).value; got != want {
				t.Errorf("%d, %d: %s is %d, not %d", test.left, test.right, source, got, want)
			}
		}
	}
}

func boolTri(b bool) tri {
	if b {
		return yes
	}
	return no
}

// strict is the value of an expression that needs both sides.
func strict(left, right, value tri) tri {
	if left == undecided || right == undecided {
		return undecided
	}
	return value
}

// TestVerdictFacts wants the facts that decided, or those that are missing.
func TestVerdictFacts(t *testing.T) {
	v := values{"retries": 3, "takeovers": 0, "clean_start": true, symptomName: "no-connack"}
	for source, want := range map[string]string{
		"retries > 0 or takeovers > 0":                     "retries",
		"takeovers > 0 or retries > 0":                     "retries",
		"retries > 0 and clean_start":                      "retries clean_start",
		"retries > 0 and takeovers > 0":                    "takeovers",
		"takeovers > 0 and will":                           "takeovers",
		"will and takeovers > 0":                           "takeovers",
		"clean_start or will":                              "clean_start",
		"retries > 0 and will":                             "will",
		"will or username":                                 "will username",
		"not (takeovers > 0)":                              "takeovers",
		"not known(will) and clean_start":                  "will clean_start",
		"retries > 0 and retries < 5":                      "retries",
		`symptom == "no-connack" and retries > takeovers`:  "symptom retries takeovers",
		`(clean_start or username) and (will or username)`: "will username",
	} {
		if got := strings.Join(compiled(t, source).eval(v).facts, " "); got != want {
			t.Errorf("%s: %q, not %q", source, got, want)
		}
	}
}

func TestOperators(t *testing.T) {
	v := values{"retries": 3, "mqtt_version": "3.1.1", "retry_span_s": 2.5, "reason": "too many (5)", symptomName: "no-connack"}
	for source, want := range map[string]tri{
		`mqtt_version in ["3.1", "3.1.1"]`:                yes,
		`mqtt_version not in ["3.1", "3.1.1"]`:            no,
		`retries in [1, 2]`:                               no,
		`retry_span_s > retries`:                          no,
		`retry_span_s * 2 >= retries + 2`:                 yes,
		`retries / 0 > 1`:                                 yes, // +Inf
		`reason contains "many"`:                          yes,
		`reason startsWith "too" and reason endsWith ")"`: yes,
		`reason matches "\\([0-9]+\\)$"`:                  yes,
		`not (reason matches "^many")`:                    yes,
		`symptom != "no-connack"`:                         no,
		`-retries < 0`:                                    yes,
		"retries > 2 // a comment\nand retry_span_s < 3":  yes,
	} {
		if got := compiled(t, source).eval(v).value; got != want {
			t.Errorf("%s is %d, not %d", source, got, want)
		}
	}
}

func TestConditionRefusals(t *testing.T) {
	for source, want := range map[string]string{
		"all([1], # > 0) and retries > 0":    "is not allowed",
		"len(reason) > 3":                    "is not allowed",
		"1..1000000000 == [] or retries > 0": "is not allowed",
		"retries % 2 == 0":                   "is not allowed",
		"retries ** 2 == 0":                  "is not allowed",
		"let x = retries; x > 0":             "is not allowed",
		"retries > 0 ? will : username":      "is not allowed",
		"{'a': retries}.a > 0":               "is not allowed",
		"[retries][0] > 0":                   "is not allowed",
		"reason[0:1] == 'a'":                 "is not allowed",
		"(will ?? username)":                 "is not allowed",
		"reason matches mqtt_version":        "matches takes a regular expression as a plain string",
		`reason matches "("`:                 "is no regular expression",
		"known(symptom)":                     "known takes the name of one fact",
		"known(retries, will) and will":      "known takes the name of one fact",
		"known('retries') and will":          "known takes the name of one fact",
		"known(retries) == true":             "known stands by itself",
		"retries > 0; will":                  "is not allowed",
		"retries > nil":                      "is not allowed",
		"exec('x') and will":                 "is not allowed",
		strings.Repeat("(", 1500) + "will":   "unexpected token",
		strings.Repeat("not ", 600) + "will": "at most 2000",
		"$env.will":                          "",
		"will and \x00":                      "",
	} {
		c := &Condition{source: source}
		err := c.compile(newConfig())
		switch {
		case err == nil:
			t.Errorf("%.60s compiles", source)
		case !strings.Contains(err.Error(), want):
			t.Errorf("%.60s: no %q in %q", source, want, err)
		case strings.Contains(err.Error(), "\n"):
			t.Errorf("%.60s: more than a line: %q", source, err)
		}
	}
}

// randomCondition writes a condition over a few facts. Each has a true and a
// false value in randomValues.
func randomCondition(r *rand.Rand, depth int) string {
	if depth == 0 || r.IntN(5) == 0 {
		tests := []string{
			"will", "username", "retries > 0", "takeovers >= 1", `mqtt_version == "5"`, "retry_span_s < 1",
			"retries + takeovers == 1", `mqtt_version in ["5", "3.1"]`, `symptom == "no-connack"`,
		}
		return tests[r.IntN(len(tests))]
	}
	left, right := randomCondition(r, depth-1), randomCondition(r, depth-1)
	switch r.IntN(5) {
	case 0:
		return "not (" + left + ")"
	case 1:
		return "(" + left + ") and (" + right + ")"
	case 2:
		return "(" + left + ") or (" + right + ")"
	case 3:
		return left + " && " + right
	}
	return left + " || " + right
}

func randomValues(r *rand.Rand) map[string]any {
	version := []string{"5", "3.1", "3.1.1"}[r.IntN(3)]
	return map[string]any{
		"will": r.IntN(2) == 0, "username": r.IntN(2) == 0, "retries": r.IntN(2), "takeovers": r.IntN(2),
		"mqtt_version": version, "retry_span_s": r.Float64() * 2, symptomName: []string{"no-connack", "slow-connack"}[r.IntN(2)],
	}
}

// TestAgainstExpr compares with expr itself: with all facts known the results
// are the same. With some absent, a decided result is one that no values of the
// absent facts can change.
func TestAgainstExpr(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		source := randomCondition(r, 4)
		if len(source) > maxConditionBytes {
			continue
		}
		c := compiled(t, source)
		program, err := expr.Compile(source, expr.Env(environment), expr.AsBool())
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			whole := randomValues(r)
			result, err := expr.Run(program, whole)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.eval(whole).value; got != boolTri(result.(bool)) {
				t.Fatalf("%s with %v is %d, and %v in expr", source, whole, got, result)
			}
			part := values{symptomName: whole[symptomName]}
			for name, value := range whole {
				if r.IntN(2) == 0 {
					part[name] = value
				}
			}
			got := c.eval(part)
			if got.value == undecided {
				if len(got.facts) == 0 {
					t.Fatalf("%s is undecided and misses nothing", source)
				}
				continue
			}
			if got.value != boolTri(result.(bool)) {
				t.Fatalf("%s is %d with %v, and %v with %v", source, got.value, part, result, whole)
			}
			// What decided it is enough by itself.
			least := values{symptomName: whole[symptomName]}
			for _, name := range got.facts {
				least[name] = part[name]
			}
			if again := c.eval(least).value; again != got.value {
				t.Fatalf("%s is %d with %v, and %d with the facts that decided it, %v", source, got.value, part, again, got.facts)
			}
		}
	}
}

func FuzzCondition(f *testing.F) {
	for _, seed := range []string{
		"will", "not will", "retries > 0 and known(will)", `symptom in ["a", "b"]`, `reason matches "a+"`,
		"1 < retries < 3", "retries > -1", `reason == "\xff\u0000"`, "retries == 0x7fffffffffffffff", "((((will))))",
		"retries == 1e308 * 10", "- - retries > 0", "reason contains reason", "[[will]] == []", "`a` == reason",
	} {
		f.Add(seed)
	}
	r := rand.New(rand.NewPCG(5, 6))
	f.Fuzz(func(t *testing.T, source string) {
		c := &Condition{source: source}
		if err := c.compile(newConfig()); err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("more than a line: %q", err)
			}
			return
		}
		all := values{}
		for name, zero := range environment {
			if name != "known" {
				all[name] = zero
			}
		}
		if v := c.eval(all); v.value == undecided {
			t.Fatalf("%q is undecided with all facts known, for %v", source, v.facts)
		}
		for range 5 {
			part := values{}
			for name, value := range all {
				if r.IntN(2) == 0 {
					part[name] = value
				}
			}
			v := c.eval(part)
			for _, name := range v.facts {
				if !slices.Contains(c.names, name) {
					t.Fatalf("%q is decided by %s, which it does not use", source, name)
				}
			}
		}
	})
}

func BenchmarkCondition(b *testing.B) {
	c := compiled(b, `mqtt_version != "5" and (code == 6 or client_id_chars == "alnum" and client_id_length <= 23 and keep_alive_s > 60)`)
	v := values{"mqtt_version": "3.1.1", "code": 2, "client_id_chars": "alnum", "client_id_length": 3, "keep_alive_s": 120}
	b.ReportAllocs()
	for b.Loop() {
		c.eval(v)
	}
}
