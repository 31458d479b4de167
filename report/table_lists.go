package report

import (
	"strconv"
	"strings"
	"time"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/mqttriage/mqttriage/decode"
)

// codes writes the CONNACK codes as a table.
func (t *table) codes() { t.columns(codeHeads, t.codeRows(), 2) }

var codeHeads = []message{headVersion, headCode, headName, headCount}

func (t *table) codeRows() [][]string {
	rows := make([][]string, 0, len(t.doc.Codes))
	for _, c := range t.doc.Codes {
		rows = append(rows, []string{c.Version, c.Code, codeName(c, t.lang), strconv.Itoa(c.Count)})
	}
	return rows
}

var outcomeMessages = map[decode.Outcome]message{
	decode.Accepted: outcomeAccepted, decode.Rejected: outcomeRejected,
	decode.Unanswered: outcomeUnanswered, decode.Refused: outcomeRefused,
	decode.TLSFailed: outcomeTLSFailed, decode.NotMQTT: outcomeNotMQTT,
	decode.Unknown: outcomeUnknown,
}

// maxSessions bounds the list of sessions on a terminal; JSON has all.
const maxSessions = 1000

// sessions lists every session, when the document has them.
func (t *table) sessions() {
	all := t.doc.Sessions
	if all.Len() == 0 {
		return
	}
	heads := t.sessionHeads()
	rows := make([][]string, 0, min(all.Len(), maxSessions))
	for i := range min(all.Len(), maxSessions) {
		rows = append(rows, t.sessionRow(all.At(i))[:len(heads)])
	}
	t.columns(heads, rows, 4)
	if left := all.Len() - len(rows); left > 0 {
		t.print(t.say(more, values{"n": left}), "\n")
	}
	t.print("\n")
}

// sessionHeads are the heads of the list of sessions. One broker's name in every
// row tells nothing and takes room.
func (t *table) sessionHeads() []message {
	heads := []message{headSession, headTime, headClient, headVersion, headClientID, headOutcome, headConnack, headBroker}
	if t.doc.Totals.Brokers < 2 {
		return heads[:len(heads)-1]
	}
	return heads
}

// sessionRow is a session's cells, under every head there may be.
func (t *table) sessionRow(s decode.Record) []string {
	opened := ""
	if !s.Opened.IsZero() {
		opened = time.Time(s.Opened).UTC().Format("15:04:05.000")
	}
	id := ""
	if s.ClientID != nil {
		id = `"` + *s.ClientID + `"`
	}
	outcome := s.Outcome.String()
	if m, ok := outcomeMessages[s.Outcome]; ok {
		outcome = t.say(m, nil)
	}
	if s.Code != "" {
		outcome += " " + s.Code
	}
	latency := ""
	if s.ConnackMS != nil {
		latency = millis(*s.ConnackMS, t.lang)
	}
	return []string{s.ID, opened, s.Client, s.MQTTVersion, id, outcome, latency, s.Broker}
}

// columns writes a table and escapes and shortens its cells. What is too wide is taken from
// the flexible column first, then from whichever is the widest.
func (t *table) columns(heads []message, rows [][]string, flexible int) {
	const space = 2
	header := make([]string, len(heads))
	widths := make([]int, len(heads))
	for i, m := range heads {
		header[i] = t.say(m, nil)
		widths[i] = textWidth(header[i])
	}
	for _, row := range rows {
		for i, cell := range row {
			row[i] = Escape(shorten(cell))
			widths[i] = max(widths[i], textWidth(row[i]))
		}
	}
	total := space * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; total > t.width && widths[flexible] > 12; total-- {
		widths[flexible]--
	}
	for ; total > t.width; total-- {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		widths[widest]--
	}
	writer := tablewriter.NewTable(trimmer{t},
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders: tw.BorderNone,
			Settings: tw.Settings{
				Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off, ShowHeader: tw.Off},
				Lines:      tw.LinesNone,
			},
		})),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAlignment(tw.AlignLeft),
		tablewriter.WithRowAlignment(tw.AlignLeft),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithTrimSpace(tw.Off),
		tablewriter.WithEastAsian(tw.Off),
		tablewriter.WithPadding(tw.Padding{Left: "", Right: strings.Repeat(" ", space), Overwrite: true}),
	)
	fold := func(cells []string) []string {
		out := make([]string, len(cells))
		for i, c := range cells {
			out[i] = strings.Join(wrap(c, widths[i]), "\n")
		}
		return out
	}
	writer.Header(fold(header))
	for _, row := range rows {
		if err := writer.Append(fold(row)); err != nil {
			t.fail(err)
			return
		}
	}
	t.fail(writer.Render())
}

// trimmer drops the spaces that pad the last column of each line.
type trimmer struct{ t *table }

func (w trimmer) Write(b []byte) (int, error) {
	for line := range strings.SplitAfterSeq(string(b), "\n") {
		text, end := strings.CutSuffix(line, "\n")
		w.t.print(strings.TrimRight(text, " "))
		if end {
			w.t.print("\n")
		}
	}
	return len(b), w.t.err
}
