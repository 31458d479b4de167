package report

import (
	"strconv"
	"strings"
	"time"

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

// columnSpace is between two columns.
const columnSpace = 2

// columns writes a table and escapes and shortens its cells. What is too wide is taken from
// the flexible column first, then from whichever is the widest.
func (t *table) columns(heads []message, rows [][]string, flexible int) {
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
	total := columnSpace * (len(widths) - 1)
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
	t.grid(append([][]string{header}, rows...), widths)
}

// grid prints rows of cells that are folded at the widths. A column is as wide as its
// longest line, which folding may leave shorter than its width.
func (t *table) grid(rows [][]string, widths []int) {
	folded := make([][][]string, len(rows))
	used := make([]int, len(widths))
	for n, row := range rows {
		for i, cell := range row {
			lines := wrap(cell, widths[i])
			folded[n] = append(folded[n], lines)
			for _, line := range lines {
				used[i] = max(used[i], textWidth(line))
			}
		}
	}
	for _, row := range folded {
		t.cells(row, used)
	}
}

// cells prints the lines of a row's cells beside each other.
func (t *table) cells(row [][]string, widths []int) {
	height := 0
	for _, lines := range row {
		height = max(height, len(lines))
	}
	for n := range height {
		var b strings.Builder
		for i, lines := range row {
			text := ""
			if n < len(lines) {
				text = lines[n]
			}
			b.WriteString(text)
			b.WriteString(strings.Repeat(" ", widths[i]-textWidth(text)+columnSpace))
		}
		t.print(strings.TrimRight(b.String(), " "), "\n")
	}
}
