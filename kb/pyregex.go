package kb

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// maxRegexBytes bounds a pattern of an article.
const maxRegexBytes = 2000

// pythonRegexp compiles a pattern in the dialect of Python's re module. RE2 takes
// time linear in the text whatever the pattern, and so has no backreferences and
// no look-around: a pattern that uses them is an error, never an approximation.
// What is written differently is translated: \Z, {,n}, (?#comment), (?a), (?u),
// and \u0041. \d, \w, \s and \b are those of ASCII.
func pythonRegexp(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxRegexBytes {
		return nil, fmt.Errorf("the pattern has %d bytes; at most %d are allowed", len(pattern), maxRegexBytes)
	}
	translated, err := fromPython(pattern)
	if err != nil {
		return nil, err
	}
	compiled, err := regexp.Compile(translated)
	if err != nil {
		return nil, fmt.Errorf("RE2 does not take the pattern: %w", err)
	}
	return compiled, nil
}

// groups that RE2 does not have, by what they begin with.
var foreignGroups = []struct{ prefix, name string }{
	{"(?=", "look-ahead"}, {"(?!", "look-ahead"}, {"(?<=", "look-behind"}, {"(?<!", "look-behind"},
	{"(?P=", "a backreference"}, {"(?(", "a conditional group"}, {"(?>", "an atomic group"},
}

func fromPython(p string) (string, error) {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(p); {
		rest := p[i:]
		switch {
		case rest[0] == '\\':
			if len(rest) < 2 {
				return "", errors.New("the pattern ends in a backslash")
			}
			text, n, err := pythonEscape(rest, inClass)
			if err != nil {
				return "", err
			}
			b.WriteString(text)
			i += n
			continue
		case inClass:
			inClass = rest[0] != ']'
		case rest[0] == '[':
			inClass = true
			// A ] right after the opening, or after ^, is a character.
			open := "["
			if strings.HasPrefix(rest, "[^") {
				open = "[^"
			}
			b.WriteString(open)
			i += len(open)
			if strings.HasPrefix(p[i:], "]") {
				b.WriteString(`\]`)
				i++
			}
			continue
		case strings.HasPrefix(rest, "(?#"):
			end := strings.IndexByte(rest, ')')
			if end < 0 {
				return "", errors.New("a comment (?# is not closed")
			}
			i += end + 1
			continue
		case strings.HasPrefix(rest, "(?a)"), strings.HasPrefix(rest, "(?u)"):
			i += 4
			continue
		case strings.HasPrefix(rest, "{,"):
			if end := strings.IndexByte(rest, '}'); end > 2 && strings.Trim(rest[2:end], "0123456789") == "" {
				b.WriteString("{0,")
				i += 2
				continue
			}
		case rest[0] == '(':
			for _, g := range foreignGroups {
				if strings.HasPrefix(rest, g.prefix) {
					return "", fmt.Errorf("%s uses %s, which RE2 does not have", g.prefix, g.name)
				}
			}
		}
		b.WriteByte(rest[0])
		i++
	}
	return b.String(), nil
}

// pythonEscape translates an escape at the start of s and returns its length.
func pythonEscape(s string, inClass bool) (string, int, error) {
	switch c := s[1]; {
	case c == 'Z' && !inClass:
		return `\z`, 2, nil
	case c >= '1' && c <= '9' && !inClass:
		return "", 0, fmt.Errorf(`\%c is a backreference, which RE2 does not have`, c)
	case c == 'u' || c == 'U':
		digits := 4
		if c == 'U' {
			digits = 8
		}
		if len(s) < 2+digits || strings.Trim(s[2:2+digits], "0123456789abcdefABCDEF") != "" {
			return "", 0, fmt.Errorf(`\%c wants %d hexadecimal digits`, c, digits)
		}
		return `\x{` + s[2:2+digits] + `}`, 2 + digits, nil
	}
	return s[:2], 2, nil
}
