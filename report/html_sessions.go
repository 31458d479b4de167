package report

import (
	"iter"
	"slices"
	"strconv"
	"time"
)

// maxHTMLRows bounds the table of sessions: a browser shows no more of them
// quickly, and nobody reads them.
const maxHTMLRows = 5000

// htmlSessions is the table of sessions. Rows makes them one by one.
type htmlSessions struct {
	Heads []htmlHead
	Rows  iter.Seq[htmlRow]
	Shown int
	// Note says what was left out, Count is the script's text for the rows that
	// a filter leaves, with {shown} and {all} in it.
	Note, Count string
}

type htmlHead struct {
	Name   string
	Number bool
}

// htmlRow is one session. Class is its outcome's.
type htmlRow struct {
	Class string
	Cells []htmlCell
}

// htmlCell is a cell; Sort is what a column of numbers sorts by.
type htmlCell struct {
	Text, Sort string
	Number     bool
	Swatch     string // the outcome's letter, in the cell that names it
	Mark       bool
}

func htmlSessionsOf(doc *Document, story *htmlStory) htmlSessions {
	lang := doc.Lang
	// One broker's name in every row tells nothing and takes room.
	several := doc.Totals.Brokers > 1
	out := htmlSessions{Count: say(lang, htmlFilterCount, values{"shown": "{shown}", "all": "{all}"})}
	head := func(m message, number bool) { out.Heads = append(out.Heads, htmlHead{say(lang, m, nil), number}) }
	head(headTime, true)
	head(headClient, false)
	if several {
		head(headBroker, false)
	}
	head(headClientID, false)
	head(headVersion, false)
	head(headOutcome, false)
	head(headConnack, true)
	head(htmlLasted, true)
	head(htmlEndedBy, false)
	head(headPackets, false)
	head(headSession, false)

	rows := htmlRowsShown(story)
	out.Shown = len(rows)
	switch all := doc.Sessions.Len(); {
	case story.untimed > 0 && len(rows) == len(story.moments):
		out.Note = say(lang, htmlUntimed, values{"n": story.untimed})
	case all > len(rows):
		out.Note = say(lang, htmlRowsLeft, values{"shown": len(rows), "all": all})
	}
	layout := "15:04:05.000"
	if time.Unix(0, story.first).UTC().Format(time.DateOnly) != time.Unix(0, story.last).UTC().Format(time.DateOnly) {
		layout = "2006-01-02 15:04:05.000"
	}
	out.Rows = func(yield func(htmlRow) bool) {
		for _, i := range rows {
			m := &story.moments[i]
			if !yield(htmlRowOf(doc, story, m, several, layout)) {
				return
			}
		}
	}
	return out
}

// htmlRowsShown are places in the story: all in order of time, or where there are
// too many those with trouble and then the first others.
func htmlRowsShown(story *htmlStory) []int32 {
	all := make([]int32, 0, len(story.moments))
	for _, trouble := range []bool{true, false} {
		for i := range story.moments {
			if len(all) < maxHTMLRows && story.moments[i].trouble() == trouble {
				all = append(all, int32(i))
			}
		}
	}
	if len(all) == len(story.moments) {
		slices.Sort(all)
	}
	return all
}

func htmlRowOf(doc *Document, story *htmlStory, m *htmlMoment, several bool, layout string) htmlRow {
	lang := doc.Lang
	r := doc.Sessions.At(int(m.record))
	row := htmlRow{Class: htmlClasses[r.Outcome]}
	add := func(c htmlCell) {
		c.Text = Escape(c.Text)
		row.Cells = append(row.Cells, c)
	}
	add(htmlCell{Text: time.Unix(0, m.start).UTC().Format(layout), Sort: strconv.FormatInt((m.start-story.first)/1000, 10), Number: true})
	add(htmlCell{Text: shorten(r.Client)})
	if several {
		add(htmlCell{Text: shorten(r.Broker)})
	}
	id := ""
	if r.ClientID != nil {
		id = `"` + shorten(*r.ClientID) + `"`
	}
	if r.ClientIDAssigned != "" {
		id += " → \"" + shorten(r.ClientIDAssigned) + `"`
	}
	add(htmlCell{Text: id})
	add(htmlCell{Text: r.MQTTVersion})
	outcome := say(lang, outcomeMessages[r.Outcome], nil)
	if r.Code != "" {
		outcome += " " + r.Code + " " + codeName(Code{Version: r.MQTTVersion, Code: r.Code, Name: r.CodeName}, lang)
	}
	add(htmlCell{Text: cut(outcome, 80), Swatch: htmlLetters[r.Outcome], Mark: true})
	latency := htmlCell{Number: true}
	if r.ConnackMS != nil {
		latency.Text, latency.Sort = millis(*r.ConnackMS, lang), strconv.FormatFloat(*r.ConnackMS, 'f', -1, 64)
	}
	add(latency)
	lasted := htmlCell{Number: true}
	if !r.Closed.IsZero() {
		d := time.Duration(m.end - m.start)
		lasted.Text, lasted.Sort = duration(d, lang), strconv.FormatInt(d.Microseconds(), 10)
	}
	add(lasted)
	ended := htmlEnd(&r, lang)
	if m.endedBy >= 0 {
		ended = say(lang, htmlTakenOverBy, values{"id": shorten(doc.Sessions.At(int(story.moments[m.endedBy].record)).ID)})
	}
	add(htmlCell{Text: ended})
	add(htmlCell{Text: htmlPackets([]int{r.Packets.Syn, r.Packets.Connect, r.Packets.Connack, r.Packets.Close}, lang)})
	add(htmlCell{Text: shorten(r.ID)})
	return row
}
