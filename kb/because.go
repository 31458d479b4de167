package kb

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// placeholder matches {fact} and {fact one/many} in a reason: the name, and the
// nouns for one and for many.
var placeholder = regexp.MustCompile(`\{([^{} ]*)(?: ([^{}/]+)/([^{}/]+))?\}`)

// maxValueRunes caps a string from the wire inside a sentence.
const maxValueRunes = 120

// reason chooses the text for a status: the author's first that can be said,
// else none. decided are the facts that decided the status, tried those that
// its condition uses.
func (b Because) reason(s Status, e evidence, decided, tried []string) (Text, bool) {
	for _, r := range b[s] {
		if r.sayable(e.values, decided, tried) {
			return Text{En: fill(r.En, e.shown, English), Zh: fill(r.Zh, e.shown, Chinese)}, true
		}
	}
	return Text{}, false
}

// sayable reports that the reason's own condition holds, and that every fact
// which it names is known and is none that the status' condition tried without
// its having decided anything.
func (r Reason) sayable(v values, decided, tried []string) bool {
	if r.When != nil && r.When.eval(v).value != yes {
		return false
	}
	for _, name := range r.placeholders() {
		if _, known := v[name]; !known {
			return false
		}
		if slices.Contains(tried, name) && !slices.Contains(decided, name) {
			return false
		}
	}
	return true
}

// placeholders returns the names of the facts in both languages.
func (t Text) placeholders() []string {
	var names []string
	for _, found := range placeholder.FindAllStringSubmatch(t.En+" "+t.Zh, -1) {
		names = append(names, found[1])
	}
	return names
}

// fill replaces the placeholders in one pass, so that a value from the wire
// which looks like one stays as it is.
func fill(text string, v values, l Lang) string {
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		m := placeholder.FindStringSubmatch(found)
		value := format(m[1], v[m[1]], l)
		switch {
		case m[2] == "":
			return value
		case value == "1":
			return value + " " + m[2]
		}
		return value + " " + m[3]
	})
}

// shown makes the sentence that names what decided a status.
func shown(facts []string, v values) Text {
	return Text{
		En: "The packets show " + list(facts, v, English) + ".",
		Zh: "报文显示：" + list(facts, v, Chinese) + "。",
	}
}

// list names facts with their values.
func list(facts []string, v values, l Lang) string {
	if len(facts) > 1 {
		// The reader has the symptom before him.
		facts = slices.DeleteFunc(slices.Clone(facts), func(name string) bool { return name == symptomName })
	}
	parts := make([]string, len(facts))
	for i, name := range facts {
		value, known := v[name]
		n := factNamesIn[name]
		switch {
		case l == Chinese && known:
			parts[i] = n.zh + " " + withUnit(name, value, l)
		case l == Chinese:
			parts[i] = n.zh + " 未显示"
		case known:
			parts[i] = n.en + ": " + withUnit(name, value, l)
		default:
			parts[i] = n.en + ": not shown"
		}
	}
	if l == Chinese {
		return strings.Join(parts, "，")
	}
	return strings.Join(parts, "; ")
}

// missing makes the sentence that names what the packets would have to show.
func missing(facts []string) Text {
	en, zh := make([]string, len(facts)), make([]string, len(facts))
	for i, name := range facts {
		en[i], zh[i] = factNamesIn[name].en, factNamesIn[name].zh
	}
	return Text{
		En: "The packets do not show what would decide it: " + strings.Join(en, "; ") + ".",
		Zh: "报文未显示可作判断的信息：" + strings.Join(zh, "、") + "。",
	}
}

func withUnit(name string, value any, l Lang) string {
	if unit := factNamesIn[name].unit; unit != "" {
		return format(name, value, l) + " " + unit
	}
	return format(name, value, l)
}

// format writes the value of a fact: counts plainly, measurements with three
// digits, codes as the contract writes them.
func format(name string, value any, l Lang) string {
	switch value := value.(type) {
	case bool:
		switch {
		case l == Chinese && value:
			return "是"
		case l == Chinese:
			return "否"
		case value:
			return "yes"
		}
		return "no"
	case int:
		if name == "code" && value >= 0 && value <= math.MaxUint8 {
			const hex = "0123456789abcdef"
			return string([]byte{'0', 'x', hex[value>>4], hex[value&15]})
		}
		return strconv.Itoa(value)
	case float64:
		return digits(value)
	case string:
		runes := []rune(value)
		if len(runes) > maxValueRunes {
			return string(runes[:maxValueRunes]) + "…"
		}
		return value
	}
	return ""
}

// digits writes three significant digits, all before the point, and no zeros
// at the end.
func digits(f float64) string {
	places := 2
	for limit := 10.0; places > 0 && math.Abs(f) >= limit; limit *= 10 {
		places--
	}
	for small := 1.0; f != 0 && places < 6 && math.Abs(f) < small; small /= 10 {
		places++
	}
	s := strconv.FormatFloat(f, 'f', places, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}
