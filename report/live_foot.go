package report

import (
	"strconv"
	"strings"
)

// foot is what was lost, and how much goes on.
func (s *screen) foot() []row {
	var parts []cell
	add := func(look style, text string) { parts = append(parts, cell{text, look}) }
	if n := len(s.Doc.Findings); n > 0 && s.rows < 14 { // no heading tells it
		add("", s.say(liveFindings, values{"n": n}))
	}
	var seen, dropped uint64
	for _, i := range s.Interfaces {
		seen, dropped = seen+i.Packets, dropped+i.Dropped
	}
	if dropped > 0 {
		v := values{"n": amount(float64(dropped)), "long": s.columns >= 72}
		if seen >= dropped {
			v["share"] = percentOf(dropped, seen)
		}
		add(red, s.say(liveDropped, v))
	}
	if totals := outcomesInWords(s.Doc); totals != "" && hasProblem(s.Doc) {
		add("", s.say(liveSessions, values{"n": s.Doc.Totals.Sessions, "list": Escape(totals)}))
	}
	var evicted []string
	for _, k := range evictedKinds {
		if n := s.Evicted[k.kind]; n > 0 {
			evicted = append(evicted, s.say(k.text, values{"n": n}))
		}
	}
	if len(evicted) > 0 {
		add(yellow, s.say(liveEvicted, values{"list": strings.Join(evicted, s.say(listComma, nil))}))
	}
	add("", s.say(liveOpen, values{"n": s.Open}))
	add("", s.say(liveConnects, values{"n": amount(s.ConnectsPerSecond)}))
	add("", s.say(livePackets, values{"n": amount(s.PacketsPerSecond)}))
	bits, unit := amountIn(s.BitsPerSecond)
	add("", s.say(liveBits, values{"n": bits, "unit": unit}))
	if dropped == 0 {
		add("", s.say(liveNoDrops, nil))
	}
	if s.Evidence != "" {
		add("", s.say(liveEvidence, values{"name": Escape(shorten(s.Evidence))}))
	}
	lines := s.packed(parts, s.byRows(1, 2, 3, 3))
	if s.rows >= 20 {
		lines = append([]row{nil}, lines...)
	}
	return lines
}

// packed puts parts into as few lines as they fit, and leaves out what does not fit into
// so many.
func (s *screen) packed(parts []cell, most int) []row {
	const between = " · "
	var lines []row
	used := 0
	for _, p := range parts {
		w := cells(p.text)
		if len(lines) > 0 && used+cells(between)+w <= s.columns {
			last := &lines[len(lines)-1]
			*last = append(*last, cell{between, dim}, p)
			used += cells(between) + w
			continue
		}
		if len(lines) < most {
			lines, used = append(lines, row{p}), min(w, s.columns)
		}
	}
	return lines
}

// amount is a number in at most five characters: 0.4, 12, 1204, 98.1k.
func amount(n float64) string {
	number, unit := amountIn(n)
	return number + unit
}

// amountIn is a number in four characters or less, and its unit.
func amountIn(n float64) (number, unit string) {
	if !(n > 0) { // NaN too
		return "0", ""
	}
	units := []string{"", "k", "M", "G", "T"}
	at := 0
	for most := 9999.5; at < len(units)-1 && n >= most; at++ {
		n, most = n/1000, 999.5
	}
	decimals := 0
	if at == 0 && n < 9.95 || at > 0 && n < 99.95 {
		decimals = 1
	}
	text := strconv.FormatFloat(min(n, 9999), 'f', decimals, 64)
	return strings.TrimSuffix(text, ".0"), units[at]
}
