package report

import (
	"slices"
	"strings"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/kb"
)

// Selection says which sessions a report is about, where it is not about all.
type Selection struct {
	// Terms are what was asked for.
	Terms []Term
	// LeftOut counts the sessions that do not pass. NotKept counts connections
	// that were only counted, so that nobody knows whether they would have.
	LeftOut, NotKept int
	// SameIDs counts those left out that have a client ID of those that pass, at
	// the same broker.
	SameIDs int
}

// Term is a flag that selects sessions, such as --client-id, and its value.
type Term struct{ Flag, Value string }

// String is the term as one types it in a shell.
func (t Term) String() string { return t.Flag + " " + shellWord(t.Value) }

// shellWord quotes a word for a POSIX shell (XCU section 2.2.2) if it needs that.
func shellWord(s string) string {
	special := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("@%+=:,./_-", r))
	}
	if s != "" && strings.IndexFunc(s, special) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// apply writes the selection into a document whose totals are those of the
// sessions that pass. A value names what it selects: redacted it is left out.
func (s *Selection) apply(doc *Document, redacted bool) {
	for _, t := range s.Terms {
		if redacted {
			doc.Filters = append(doc.Filters, t.Flag)
		} else {
			doc.Filters = append(doc.Filters, t.String())
		}
	}
	doc.Totals.FilteredOut, doc.Totals.FilteredSameID = s.LeftOut, s.SameIDs
	doc.Totals.NotKept += s.NotKept
}

// nothingMatches reports that there are sessions, and none passes the filters.
func nothingMatches(doc *Document) bool {
	return doc.Totals.Sessions == 0 && doc.Totals.FilteredOut > 0
}

// hasProblem reports that something was found that is more than a remark.
func hasProblem(doc *Document) bool {
	return slices.ContainsFunc(doc.Findings, func(f Finding) bool { return f.Severity != analyze.Info.String() })
}

// filteredInWords says what a report is about, "" when it is about everything, or
// about nothing.
func filteredInWords(doc *Document) string {
	if len(doc.Filters) == 0 || nothingMatches(doc) {
		return ""
	}
	v := values{"filters": filtersInWords(doc.Filters, doc.Lang)}
	if n := doc.Totals.FilteredOut; n > 0 {
		v["n"] = n
	}
	if n := doc.Totals.FilteredSameID; n > 0 {
		v["same"] = n
	}
	return say(doc.Lang, filtered, v)
}

// filtersInWords lists the filters, as many as a sentence has room for.
func filtersInWords(filters []string, lang kb.Lang) string {
	shown := make([]string, len(filters))
	for i, f := range filters {
		shown[i] = shorten(Escape(f))
	}
	return inWords(shown, 3, lang)
}
