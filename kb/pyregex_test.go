package kb

import (
	"strings"
	"testing"
)

func TestPythonRegexp(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		match         bool
	}{
		{`(MQTT.*connection.*lost|keep.?alive.*timeout)`, "MQTT connection lost", true},
		{`(?P<code>0x0[23])`, "CONNACK 0x03", true},
		{`(?i)identifier\s+rejected`, "Identifier  Rejected", true},
		{`a{,2}b\Z`, "aab", true},
		{`^a{,2}b\Z`, "aaab", false},
		{`(?#a comment)x(?a)`, "x", true},
		{`A\u0042`, "AB", true},
		{`[]x]+`, "]", true},
		{`[^]x]`, "]", false},
		{`[(?=]`, "?", true},
		{`[\]a]`, "]", true},
		{`\(?=`, "(=", true},
		{`x{,}`, "x{,}", true},
	} {
		compiled, err := pythonRegexp(test.pattern)
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
			continue
		}
		if compiled.MatchString(test.text) != test.match {
			t.Errorf("%s (as %s) matches %q: %v", test.pattern, compiled, test.text, !test.match)
		}
	}
}

func TestPythonRegexpRefuses(t *testing.T) {
	for pattern, want := range map[string]string{
		`(a)\1`:                              "backreference",
		`(?P<x>a)(?P=x)`:                     "backreference",
		`a(?=b)`:                             "look-ahead",
		`(?<!a)b`:                            "look-behind",
		`(?>a+)b`:                            "atomic",
		`(a)?(?(1)b|c)`:                      "conditional",
		`(`:                                  "RE2 does not take",
		`a{1001}`:                            "RE2 does not take",
		`((a{1000}){1000}){10}`:              "RE2 does not take",
		`a\`:                                 "ends in a backslash",
		`\u12`:                               "4 hexadecimal digits",
		`(?#open`:                            "not closed",
		strings.Repeat("a", maxRegexBytes+1): "at most 2000",
	} {
		if _, err := pythonRegexp(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, not %q", pattern, err, want)
		}
	}
}

func FuzzPythonRegexp(f *testing.F) {
	for _, seed := range []string{`(a|b)*\Z`, `[^]]{,3}`, `(?P<n>\d+)(?#x)`, `\u0041[\Z`, `[`, `(?`, `{,`, "\xff[\\"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		if compiled, err := pythonRegexp(pattern); err == nil {
			compiled.MatchString("MQTT CONNACK return code 0x02 identifier rejected")
		}
	})
}
