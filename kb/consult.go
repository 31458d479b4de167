package kb

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mqttriage/mqttriage/analyze"
)

// evidence is a finding as conditions see it, with the packets of its facts.
type evidence struct {
	values  values
	packets map[string][]int
	// shown are the values as sentences say them.
	shown values
}

func evidenceOf(f *analyze.Finding) evidence {
	e := evidence{values: values{symptomName: f.Symptom}, packets: map[string][]int{}}
	f.Facts.Each(func(name string, value any, packets []int, known bool) {
		if known {
			e.values[name] = value
			e.packets[name] = packets
		}
	})
	e.shown = e.values
	return e
}

// show gives the sentences other values of the same facts.
func (e *evidence) show(symptom string, facts *analyze.Facts) {
	e.shown = values{symptomName: symptom}
	facts.Each(func(name string, value any, _ []int, known bool) {
		if known {
			e.shown[name] = value
		}
	})
}

// of joins the packets of facts, ascending and each once.
func (e evidence) of(facts []string) []int {
	var all []int
	for _, name := range facts {
		all = append(all, e.packets[name]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// compare orders advice, best first. An entry whose own condition holds and
// which has a supported cause comes before one whose condition holds, and that
// before a generic one. An entry that supports no cause and whose main cause, the
// first, is contradicted comes last: of its kind where its condition holds and
// another cause remains possible, else of all. Among equals, an entry for this
// very broker is first, then the one whose condition took more facts to hold.
func compare(a, b *Advice) int {
	return cmp.Or(
		cmp.Compare(a.rank(), b.rank()),
		cmp.Compare(b.ofVendor(), a.ofVendor()),
		cmp.Compare(len(b.deciding), len(a.deciding)),
	)
}

func (a *Advice) rank() int {
	has := func(s Status) bool {
		return slices.ContainsFunc(a.Causes, func(c Cause) bool { return c.Status == s })
	}
	supported := has(Supported)
	contradicted := !supported && len(a.Causes) > 0 && a.Causes[0].Status == Contradicted
	switch {
	case contradicted && a.Specific && has(Possible):
		return 2
	case contradicted:
		return 4
	case a.Specific && supported:
		return 0
	case a.Specific:
		return 1
	}
	return 3
}

// ofVendor is 1 for an entry that holds because of which broker it is.
func (a *Advice) ofVendor() int {
	if slices.Contains(a.deciding, "broker_vendor") {
		return 1
	}
	return 0
}

func (b *Base) consult(f analyze.Finding, shown *analyze.Facts) []Advice {
	listed := b.bySymptom[f.Symptom]
	if len(listed) == 0 {
		return nil
	}
	e := evidenceOf(&f)
	if shown != nil {
		e.show(f.Symptom, shown)
	}
	advice := make([]Advice, 0, len(listed))
	for _, entry := range listed {
		when := entry.When.eval(e.values)
		if when.value == no {
			continue
		}
		a := entry.advise(e)
		if a.Specific = when.value == yes; a.Specific {
			// The symptom is what the entry was looked up by.
			a.deciding = slices.DeleteFunc(slices.Clone(when.facts), func(name string) bool { return name == symptomName })
		}
		advice = append(advice, a)
	}
	// Entries are in the order of their ids, and that is kept among equals.
	slices.SortStableFunc(advice, func(x, y Advice) int { return compare(&x, &y) })
	return advice
}

func (entry *Entry) advise(e evidence) Advice {
	a := Advice{Entry: entry, LookNext: mineFirst(e, entry.LookNext, func(l LookNext) string { return l.For })}
	for i := range entry.Causes {
		c := &entry.Causes[i]
		j := e.judge(c.Because, Possible,
			choice{Contradicted, c.Contradicted}, choice{Supported, c.Supported})
		a.Causes = append(a.Causes, Cause{c.ID, c.Text, j.status, j.because, j.packets})
	}
	for i := range entry.Fixes {
		x := &entry.Fixes[i]
		j := e.judge(x.Because, Possible,
			choice{InPlace, x.InPlace}, choice{NotApplicable, x.NotApplicable}, choice{Recommended, x.Recommended})
		worked := x.Worked != "" && e.values[workedFact] == x.Worked
		if worked {
			j = e.worked()
		}
		a.Fixes = append(a.Fixes, Fix{x.ID, x.Text, x.SuccessRate, j.status, j.because, j.packets, mineFirst(e, x.How, func(h How) string { return h.For }), worked})
	}
	slices.SortStableFunc(a.Fixes, func(x, y Fix) int {
		switch {
		case x.Worked == y.Worked:
			return 0
		case x.Worked:
			return -1
		}
		return 1
	})
	for i := range entry.DeadEnds {
		d := &entry.DeadEnds[i]
		j := e.tried(d)
		a.DeadEnds = append(a.DeadEnds, DeadEnd{d.ID, d.Text, d.Why, d.FailRate, j.status, j.because, j.packets})
	}
	return a
}

// mineFirst puts what is for the finding's own broker or client first, where
// the facts name one, and otherwise keeps the entry's order.
func mineFirst[T any](e evidence, items []T, product func(T) string) []T {
	mine := func(item T) bool {
		name := strings.ReplaceAll(strings.ToLower(product(item)), " ", "-")
		for _, fact := range []string{"broker_vendor", "client_library"} {
			if known, _ := e.values[fact].(string); known != "" && strings.HasPrefix(name, known) {
				return true
			}
		}
		return false
	}
	sorted := slices.Clone(items)
	slices.SortStableFunc(sorted, func(x, y T) int {
		switch mx, my := mine(x), mine(y); {
		case mx == my:
			return 0
		case mx:
			return -1
		}
		return 1
	})
	return sorted
}

// choice is a status and the condition under which it is given.
type choice struct {
	status    Status
	condition *Condition
}

type judgement struct {
	status  Status
	because Text
	packets []int
}

// judge gives the status of the first condition that holds, otherwise the one
// for undecided.
func (e evidence) judge(because Because, otherwise Status, choices ...choice) judgement {
	var tried, absent []string
	for _, c := range choices {
		if c.condition == nil {
			continue
		}
		v := c.condition.eval(e.values)
		if v.value == yes {
			return e.decided(because, c.status, v.facts, c.condition.names)
		}
		if v.value == undecided {
			absent = union(absent, v.facts)
		}
		tried = union(tried, c.condition.names)
	}
	if text, ok := because.reason(otherwise, e, nil, nil); ok {
		return judgement{status: otherwise, because: text}
	}
	j := judgement{status: otherwise}
	switch {
	case len(tried) == 0:
		j.because = Text{En: "Packets cannot decide it.", Zh: "仅凭报文无法判断。"}
	case len(absent) > 0:
		j.because = missing(absent)
	default:
		j.because = Text{
			En: "What the packets show decides it neither way.",
			Zh: "报文所示信息不足以证实，也不足以排除。",
		}
	}
	return j
}

// tried judges a dead end.
func (e evidence) tried(d *DeadEndEntry) judgement {
	if d.Seen == nil {
		if text, ok := d.Because.reason(NotVisible, e, nil, nil); ok {
			return judgement{status: NotVisible, because: text}
		}
		return judgement{status: NotVisible, because: Text{
			En: "Packets cannot show whether it was tried.",
			Zh: "报文无法显示是否有人尝试过。",
		}}
	}
	v := d.Seen.eval(e.values)
	switch v.value {
	case yes:
		return e.decided(d.Because, Seen, v.facts, d.Seen.names)
	case no:
		j := e.decided(d.Because, NotSeen, v.facts, d.Seen.names)
		if len(d.Because[NotSeen]) == 0 {
			j.because = Text{
				En: "The packets do not show it being tried (" + list(v.facts, e.shown, English) + ").",
				Zh: "报文未显示有人尝试（" + list(v.facts, e.shown, Chinese) + "）。",
			}
		}
		return j
	}
	if text, ok := d.Because.reason(NotVisible, e, nil, nil); ok {
		return judgement{status: NotVisible, because: text}
	}
	return judgement{status: NotVisible, because: missing(v.facts)}
}

// decided gives a status that facts decided, with its reason and packets.
func (e evidence) decided(because Because, s Status, facts, tried []string) judgement {
	text, ok := because.reason(s, e, facts, tried)
	if !ok {
		text = shown(facts, e.shown)
	}
	return judgement{s, text, e.of(facts)}
}
