package report

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/link"
	"github.com/mqttriage/mqttriage/kb"
)

// answerOf is the first thing the report says. first is the answer of the most
// severe finding, "" without one. The sessions are only asked for where nothing was
// found.
func answerOf(doc *Document, first string, sessions func() []*decode.Session) string {
	problems, remarks := 0, 0
	for _, f := range doc.Findings {
		if f.Severity == "info" {
			remarks++
		} else {
			problems++
		}
	}
	var parts []string
	add := func(m message, v values) { parts = append(parts, say(doc.Lang, m, v)) }
	switch {
	case problems > 0:
		parts = append(parts, first)
		if problems > 1 {
			add(answerMore, values{"n": problems - 1})
		}
	case doc.Hidden > 0:
		add(answerNothingShown, values{"sessions": doc.Totals.Sessions, "brokers": doc.Totals.Brokers})
	default:
		parts = append(parts, quiet(doc, sessions)...)
		if remarks > 0 {
			add(answerRemark, values{"n": remarks})
		}
	}
	if doc.Hidden > 0 {
		add(answerHidden, values{"n": doc.Hidden})
	}
	// What is well is well only as far as was looked.
	if f := filteredInWords(doc); f != "" && problems == 0 {
		parts = append(parts, f)
	}
	return strings.Join(parts, gap(doc.Lang))
}

// quiet is the answer without a problem: that all is well, or why the capture
// cannot tell. Silence is no proof, so "no problems" needs an accepted session.
func quiet(doc *Document, sessions func() []*decode.Session) []string {
	t := doc.Totals
	packets, links := int64(0), []string(nil)
	for _, c := range doc.Captures {
		packets += c.Packets
		for _, l := range c.LinkTypes {
			if !slices.Contains(links, l) {
				links = append(links, l)
			}
		}
	}
	v := values{
		"sessions": t.Sessions, "brokers": t.Brokers, "connections": t.Connections,
		"packets": packets, "links": strings.Join(links, ", "),
	}
	var parts []string
	add := func(m message) { parts = append(parts, say(doc.Lang, m, v)) }
	switch {
	case nothingMatches(doc):
		v["filters"], v["n"] = filtersInWords(doc.Filters, doc.Lang), t.FilteredOut
		add(answerNoMatch)
	case packets == 0:
		add(answerNoPackets)
	case t.Accepted > 0 && t.Accepted+t.Unknown < t.Sessions:
		v["all"] = outcomesInWords(doc)
		add(answerNoFinding)
	case t.Accepted > 0:
		v["all"] = outcomesInWords(doc)
		if t.Accepted == t.Sessions {
			v["all"] = say(doc.Lang, answerAllAccepted, nil)
		}
		if t.ConnackMaxMS != nil && t.Accepted == 1 {
			v["only"] = millis(*t.ConnackMaxMS, doc.Lang)
		} else if t.ConnackMaxMS != nil {
			v["median"], v["worst"] = millis(*t.ConnackMedianMS, doc.Lang), millis(*t.ConnackMaxMS, doc.Lang)
		}
		add(answerQuiet)
	case t.Sessions == 0 && t.Connections == 0 && unreadable(doc):
		add(answerUnreadable)
	case t.Sessions == 0 && t.Connections == 0 && damagedRecords(doc):
		add(answerDamagedRecords)
	case t.Sessions == 0 && t.Connections == 0:
		add(answerNoTCP)
	case t.Sessions == 0:
		add(answerNoTraffic)
	case t.Encrypted == t.Sessions:
		v["n"] = t.Encrypted
		v["ports"] = portsInWords(sessions(), doc.Lang)
		m := answerEncrypted
		if t.Encrypted == 1 {
			m = answerEncryptedOne
		}
		add(m)
	case t.NotMQTT == t.Sessions:
		v["n"] = t.NotMQTT
		add(answerNotMQTT)
	case !slices.ContainsFunc(sessions(), func(s *decode.Session) bool { return s.MQTT }):
		add(answerSilentPort)
	default:
		add(answerUnseen)
	}
	if t.Accepted == 0 && !nothingMatches(doc) {
		if list := undecodedInWords(doc, packets/100); list != "" {
			v["list"] = list
			add(answerUndecoded)
		}
	}
	return parts
}

func millis(ms float64, lang kb.Lang) string {
	return duration(time.Duration(ms*float64(time.Millisecond)), lang)
}

// outcomesInWords counts the sessions by outcome; the counts add up.
func outcomesInWords(doc *Document) string {
	t, lang := doc.Totals, doc.Lang
	var parts []string
	add := func(m message, n int) {
		if n > 0 {
			parts = append(parts, say(lang, m, values{"n": n}))
		}
	}
	add(totalAccepted, t.Accepted)
	switch named := namedCodes(doc); {
	case t.Rejected > 0 && named != "":
		parts = append(parts, say(lang, totalRejectedWith, values{"n": t.Rejected, "codes": named}))
	default:
		add(totalRejected, t.Rejected)
	}
	add(totalUnanswered, t.Unanswered)
	add(totalRefused, t.Refused)
	add(totalTLSFailed, t.TLSFailed)
	add(totalNotMQTT, t.NotMQTT)
	add(totalEncrypted, t.Encrypted)
	add(totalUnknown, t.Unknown-t.Encrypted)
	return strings.Join(parts, say(lang, listComma, nil))
}

// namedCodes is the codes in a sentence, "" when they are so many that a table
// shows them better.
func namedCodes(doc *Document) string {
	if len(doc.Codes) > maxNamedCodes {
		return ""
	}
	names := make([]string, 0, len(doc.Codes))
	for _, c := range doc.Codes {
		name := strings.TrimSpace(c.Code + " " + codeName(c, doc.Lang))
		if slices.ContainsFunc(doc.Codes, func(o Code) bool { return o.Code == c.Code && o.Version != c.Version }) && c.Version != "" {
			name += " (" + say(doc.Lang, mqttVersion, values{"version": c.Version}) + ")"
		}
		if len(doc.Codes) > 1 {
			name = strconv.Itoa(c.Count) + " × " + name
		}
		names = append(names, name)
	}
	return strings.Join(names, say(doc.Lang, listComma, nil))
}

const maxNamedCodes = 2

// codeName is the name of a code in the report's language. In the document it is
// the standard's, for programs.
func codeName(c Code, lang kb.Lang) string {
	if n, err := strconv.ParseUint(c.Code, 0, 8); err == nil && lang == kb.Chinese {
		return kb.CodeName(c.Version, byte(n), lang)
	}
	return c.Name
}

func portsInWords(sessions []*decode.Session, lang kb.Lang) string {
	seen := map[uint16]bool{}
	for _, s := range sessions {
		seen[s.Broker.Port()] = true
	}
	var names []string
	for _, p := range slices.Sorted(maps.Keys(seen)) {
		names = append(names, strconv.Itoa(int(p)))
	}
	m := portOne
	if len(names) > 1 {
		m = portMany
	}
	return say(lang, m, values{"list": inWords(names, 3, lang)})
}

var reasonMessages = map[string]message{
	link.NotTCP.String():      reasonNotTCP,
	link.NotIP.String():       reasonNotIP,
	link.UDP.String():         reasonUDP,
	link.Fragment.String():    reasonFragment,
	link.UnknownLink.String(): reasonUnknownLink,
	link.Cut.String():         reasonCut,
	link.Malformed.String():   reasonMalformed,
	link.Encrypted.String():   reasonEncrypted,
	link.Overlap.String():     reasonOverlap,
	link.TooDeep.String():     reasonTooDeep,
}

// undecodedInWords lists the reasons why packets gave no TCP segment, over all
// captures, leaving out those with fewer packets than least.
func undecodedInWords(doc *Document, least int64) string {
	sum := map[string]int64{}
	for _, c := range doc.Captures {
		for reason, n := range c.Undecoded {
			sum[reason] += n
		}
	}
	return reasonsInWords(sum, least, doc.Lang)
}

func reasonsInWords(counts map[string]int64, least int64, lang kb.Lang) string {
	reasons := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	var parts []string
	for _, r := range reasons {
		n := counts[r]
		if n == 0 || n < least {
			continue
		}
		name := r
		if m, ok := reasonMessages[r]; ok {
			name = say(lang, m, nil)
		}
		parts = append(parts, say(lang, reasonCount, values{"reason": name, "n": n}))
	}
	return strings.Join(parts, say(lang, listComma, nil))
}

// damagedRecords reports saved records of which sessions could not be read.
func damagedRecords(doc *Document) bool {
	return slices.ContainsFunc(doc.Captures, func(c Capture) bool {
		return slices.ContainsFunc(c.Problems, func(p string) bool { return strings.HasPrefix(p, savedProblem) })
	})
}

// unreadable reports packets that may have been TCP.
func unreadable(doc *Document) bool {
	for _, c := range doc.Captures {
		for reason, n := range c.Undecoded {
			if n > 0 && !harmless[reason] {
				return true
			}
		}
	}
	return false
}

// harmless are the reasons that lose nothing: MQTT runs over TCP.
var harmless = map[string]bool{link.NotTCP.String(): true, link.NotIP.String(): true, link.UDP.String(): true}
