package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

// CSV writes one row a finding, or one a session where the document lists them:
// RFC 4180, UTF-8, with a header row. Columns have the names of the JSON, a dot
// between an object and its member.
//
// Lists are joined by "; ", packet numbers by a space. The lists of a finding's
// evidence go side by side, one item a session. An absent fact is an empty cell, and
// so is an empty client ID: clean_start tells whether there was a CONNECT. What is
// not seen is written as Escape does. A text that is too long for a spreadsheet ends
// in "…(+n)", n bytes left out, and a list in "(+n)", n items. No cell is a formula
// to a spreadsheet: an apostrophe stands before what would begin one.
func CSV(w io.Writer, doc *Document) error {
	out := &csvWriter{w: csv.NewWriter(w)}
	out.w.UseCRLF = true
	if doc.Sessions.IsZero() {
		out.findings(doc)
	} else {
		out.sessions(doc)
	}
	out.w.Flush()
	return out.w.Error()
}

// csvWriter makes one row at a time.
type csvWriter struct {
	w   *csv.Writer
	row []string
}

func (c *csvWriter) add(cells ...string) {
	for _, cell := range cells {
		c.row = append(c.row, csvCell(cell))
	}
}

// end writes the row. A csv.Writer keeps its error.
func (c *csvWriter) end() {
	c.w.Write(c.row) //nolint:errcheck
	c.row = c.row[:0]
}

// csvCell makes a value harmless. A formula may begin at the beginning of a cell
// and, where a spreadsheet takes ";" for the separator as in Germany, after one.
func csvCell(s string) string {
	s = cutCell(Escape(s), maxCell)
	if !strings.Contains(s, ";") {
		if beginsFormula(s) {
			return "'" + s
		}
		return s
	}
	var b strings.Builder
	for part := range strings.SplitAfterSeq(s, ";") {
		if beginsFormula(part) {
			b.WriteByte('\'')
		}
		b.WriteString(part)
	}
	return b.String()
}

// beginsFormula looks past spaces and quotes. Excel in Chinese and Japanese takes
// the wide forms too. Tabs and line breaks need no look, for Escape shows them.
func beginsFormula(s string) bool {
	r, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " \"'"))
	return strings.ContainsRune("=+-@＝＋－＠", r)
}

// maxCell is how many bytes of a cell are written, but for a mark: Excel takes
// 32,767 characters. maxList leaves a list room for its marks.
const (
	maxCell = 32_000
	maxList = maxCell - 100
)

// cellSize is how many bytes a text may have in a cell: after each semicolon
// csvCell may put an apostrophe.
func cellSize(s string) int { return len(s) + strings.Count(s, ";") }

// cutCell cuts a text that is larger than a cell, between characters, and says how
// many bytes went.
func cutCell(s string, most int) string {
	if 2*len(s) <= most || cellSize(s) <= most {
		return s
	}
	size := 0
	for i, r := range s {
		size += cellSize(string(r))
		if size > most {
			return s[:i] + "…(+" + strconv.Itoa(len(s)-i) + ")"
		}
	}
	return s
}

// joined is a list in a cell, cut between items with the number of the rest.
func joined(items []string, separator string) string {
	var b strings.Builder
	size := 0
	for i, item := range items {
		item = cutCell(Escape(item), maxList)
		if i > 0 {
			size += cellSize(separator)
		}
		size += cellSize(item)
		if i > 0 && size > maxList {
			return b.String() + separator + "(+" + strconv.Itoa(len(items)-i) + ")"
		}
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(item)
	}
	return b.String()
}

var findingColumns = strings.Fields(`symptom severity title summary broker client_ids clients codes mqtt_versions
	sessions first last evidence.session evidence.capture evidence.packets evidence.filter
	advice.entry advice.causes advice.fixes advice.dead_ends`)

func (c *csvWriter) findings(doc *Document) {
	c.add(findingColumns...)
	c.end()
	for i := range doc.Findings {
		f := &doc.Findings[i]
		c.add(f.Symptom, f.Severity, f.Title, f.Summary, f.Broker,
			joined(f.ClientIDs, "; "), joined(f.Clients, "; "), joined(f.Codes, "; "), joined(f.Versions, "; "),
			strconv.Itoa(f.Sessions), stamp(f.First), stamp(f.Last))
		var sessions, captures, packets, filters []string
		for _, e := range f.Evidence {
			numbers := make([]string, 0, len(e.Packets))
			for _, n := range e.Packets {
				numbers = append(numbers, strconv.Itoa(n))
			}
			sessions, captures = append(sessions, e.Session), append(captures, e.Capture)
			packets, filters = append(packets, strings.Join(numbers, " ")), append(filters, e.Filter)
		}
		c.add(joined(sessions, "; "), joined(captures, "; "), joined(packets, "; "), joined(filters, "; "))
		c.advice(f.Advice)
		c.end()
	}
}

// advice adds the entries and, of the first, which is the most specific, the causes
// that the packets support, the fixes to try and what was tried in vain: a general
// entry may recommend what the specific one knows to be no help.
func (c *csvWriter) advice(all []Advice) {
	var entries, causes, fixes, ends []string
	for i := range all {
		entries = append(entries, all[i].Entry)
	}
	if len(all) > 0 {
		top := &all[0]
		for _, x := range supported(top) {
			causes = append(causes, x.Text)
		}
		for _, x := range withStatus(top.Fixes, func(f *Fix) kb.Status { return f.Status }, kb.Recommended) {
			fixes = append(fixes, x.Text)
		}
		for _, x := range withStatus(top.DeadEnds, func(d *End) kb.Status { return d.Status }, kb.Seen) {
			ends = append(ends, x.Text)
		}
	}
	c.add(joined(entries, "; "), joined(causes, "; "), joined(fixes, "; "), joined(ends, "; "))
}

func stamp(t decode.Stamp) string {
	if t.IsZero() {
		return ""
	}
	b, _ := t.MarshalText() //nolint:errcheck // it makes none
	return string(b)
}
