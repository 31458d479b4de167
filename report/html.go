package report

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/kb"
)

// The page, its style and its script. They are put into every report, so that it
// is one file that asks for nothing.
var (
	//go:embed html/*.html
	htmlPages embed.FS
	//go:embed html/style.css
	htmlStyle string
	//go:embed html/script.js
	htmlScript string
)

// htmlPolicy forbids the page everything but its own style and script: should
// text from the wire ever get out of its context, it still cannot run or fetch
// (CSP Level 3, section 6).
var htmlPolicy = fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; img-src data:; base-uri 'none'; form-action 'none'",
	htmlHash(htmlStyle), htmlHash(htmlScript))

func htmlHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// HTML writes the report as one page that needs neither network nor script: the
// answer, the findings, a picture of the sessions over time, histograms, and a
// table of the sessions. What there may be hundreds of thousands of is thinned,
// and the page says so.
func HTML(w io.Writer, doc *Document) error {
	page, err := template.New("page").Funcs(template.FuncMap{
		"label": func(name string) (string, error) {
			m, ok := htmlLabels[name]
			if !ok {
				return "", fmt.Errorf("there is no label %q", name)
			}
			return say(doc.Lang, m, nil), nil
		},
		"items": func(name string, items []htmlItem) htmlItems { return htmlItems{name, items} },
	}).ParseFS(htmlPages, "html/*.html")
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	b := bufio.NewWriterSize(w, 1<<16)
	if err := page.ExecuteTemplate(b, "page.html", htmlPageOf(doc)); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return b.Flush()
}

// htmlLabels are the messages that the templates name.
var htmlLabels = map[string]message{
	"contents": htmlContents, "findings": htmlFindings, "timeline": htmlTimelineTitle, "histograms": htmlHistograms,
	"sessions": htmlSessionsTitle, "captures": htmlCaptures, "legend": htmlLegend, "takeover": htmlLegendTakeover,
	"timeline-how": htmlTimelineHow, "as-text": htmlAsText, "took-over": htmlTakenOver, "not-accepted": htmlNotAccepted,
	"who": labelWho, "when": labelWhen, "packets": labelPackets, "wireshark": labelWireshark, "cause": labelCause, "not-cause": labelNotCause, "more": htmlMoreAbout,
	"do": labelDo, "could": labelCould, "no-use": labelNoUse, "dead-end": labelDeadEnd, "also-dead": labelAlsoDead,
	"cannot-tell": labelCannotTell, "look": labelLook, "article": labelArticle, "sources": labelSources, "advice": labelAdvice,
	"how":          labelHow,
	"all-evidence": htmlAllEvidence, "range": htmlRange, "no-sessions": htmlNoSessions, "nothing-measured": htmlNothingMeasured,
	"filter": htmlFilter, "print-note": htmlPrintNote, "losses": htmlLosses, "format": htmlFormat, "size": htmlSize, "session": headSession,
	"head-session": headSession, "head-sessions": headCount, "head-client": headClient, "head-capture": headCapture,
	"head-packets": headPackets, "head-first": headFirst, "head-span": headSpan, "head-code": headCode, "head-version": headVersion,
	"head-name": headName,
}

// htmlPage is what the page's template is filled with. Its strings are for
// people: escaped by Escape, and then by html/template for where they stand.
type htmlPage struct {
	Lang, Title, Policy string
	Style               template.CSS
	Script              template.JS
	Captured            string
	Answer              []htmlSpan
	Totals              string
	Outcomes            []htmlOutcome
	Findings            []htmlFinding
	Others              []htmlFinding // those that are only named
	Unlisted            string
	Recorded            bool // the document has session records
	Timeline            *htmlTimeline
	Histograms          []htmlHistogram
	Sessions            htmlSessions
	Codes               []Code
	Captures            []htmlCapture
	Losses              []string
	Clean               string
	MadeBy              string
}

func htmlPageOf(doc *Document) *htmlPage {
	p := &htmlPage{
		Lang: htmlLang(doc.Lang), Policy: htmlPolicy, Style: template.CSS(htmlStyle), Script: template.JS(htmlScript),
		Answer: htmlText(doc.Answer), Outcomes: htmlOutcomes(doc), Recorded: !doc.Sessions.IsZero(),
	}
	names := make([]string, 0, len(doc.Captures))
	for _, c := range doc.Captures {
		names = append(names, Escape(cut(c.Name, 100)))
	}
	where := inWords(names, 3, doc.Lang)
	p.Title = say(doc.Lang, htmlTitle, values{"names": where})
	first, last := htmlCaptured(doc)
	p.Captured = where
	if !first.IsZero() {
		p.Captured = strings.TrimSpace(where + " · " + htmlSpanOf(first, last, doc.Lang))
	}
	t := table{doc: doc, lang: doc.Lang}
	p.Totals = Escape(cut(t.totalLine(false), maxText))
	p.Findings, p.Others = htmlFindingsOf(doc)
	if p.Recorded {
		story := htmlStoryOf(doc)
		p.Timeline = htmlTimelineOf(doc, story)
		p.Histograms = htmlHistogramsOf(doc, story)
		p.Sessions = htmlSessionsOf(doc, story)
	}
	for _, c := range doc.Codes[:min(len(doc.Codes), maxListed)] {
		p.Codes = append(p.Codes, Code{Escape(shorten(c.Version)), Escape(shorten(c.Code)), Escape(shorten(codeName(c, doc.Lang))), c.Count})
	}
	for i := range doc.Captures[:min(len(doc.Captures), maxHTMLCaptures)] {
		p.Captures = append(p.Captures, htmlCaptureOf(&doc.Captures[i], doc.Lang))
	}
	for _, l := range t.losses() {
		p.Losses = append(p.Losses, Escape(cut(l, maxText)))
	}
	if n := len(doc.Captures) - len(p.Captures); n > 0 {
		p.Losses = append(p.Losses, say(doc.Lang, htmlMoreCaptures, values{"n": n}))
	}
	if len(p.Losses) == 0 {
		p.Clean = say(doc.Lang, totalClean, nil)
	}
	p.MadeBy = say(doc.Lang, htmlMadeBy, values{"name": Escape(shorten(cmp.Or(doc.Tool.Name, "mqttriage"))), "version": Escape(shorten(doc.Tool.Version))})
	return p
}

const maxHTMLCaptures = 100

// htmlLang is the language tag (RFC 5646); the Chinese is written in simplified
// characters, which a browser's choice of font goes by.
func htmlLang(lang kb.Lang) string {
	if lang == kb.Chinese {
		return "zh-Hans"
	}
	return "en"
}

// htmlSpan is a piece of text, which is code where it stood between backquotes.
type htmlSpan struct {
	Text string
	Code bool
}

// htmlText is a text for people, with its code told apart.
func htmlText(s string) []htmlSpan {
	if s == "" {
		return nil
	}
	pieces := strings.Split(Escape(cut(s, maxText)), "`")
	if len(pieces)%2 == 0 { // a backquote without its partner is one
		last := len(pieces) - 1
		pieces = append(pieces[:last-1], pieces[last-1]+"`"+pieces[last])
	}
	spans := make([]htmlSpan, 0, len(pieces))
	for i, piece := range pieces {
		if piece != "" {
			spans = append(spans, htmlSpan{piece, i%2 == 1})
		}
	}
	return spans
}

// htmlCaptured is when the captures were made.
func htmlCaptured(doc *Document) (first, last time.Time) {
	for _, c := range doc.Captures {
		if f := time.Time(c.First); !f.IsZero() && (first.IsZero() || f.Before(first)) {
			first = f
		}
		if l := time.Time(c.Last); l.After(last) {
			last = l
		}
	}
	return first, last
}

// htmlSpanOf says from when to when, the second date only where it differs.
func htmlSpanOf(first, last time.Time, lang kb.Lang) string {
	first, last = first.UTC(), last.UTC()
	layout := "2006-01-02 15:04:05"
	if !last.After(first) {
		return first.Format(layout) + " UTC"
	}
	short := layout
	if first.Format(time.DateOnly) == last.Format(time.DateOnly) {
		short = "15:04:05"
	}
	return say(lang, htmlFromTo, values{"from": first.Format(layout), "to": last.Format(short)})
}

// htmlCapture is a row of the table of captures.
type htmlCapture struct {
	Name, Format, Size, Packets, First, Span string
}

func htmlCaptureOf(c *Capture, lang kb.Lang) htmlCapture {
	links := strings.Join(c.LinkTypes[:min(len(c.LinkTypes), 4)], ", ")
	format := strings.Join(slices.DeleteFunc([]string{c.Format, c.Compression, links}, func(s string) bool { return s == "" }), " · ")
	out := htmlCapture{
		Name: Escape(cut(c.Name, 100)), Format: Escape(cut(format, 100)),
		Size: htmlBytes(c.Bytes), Packets: strconv.FormatInt(c.Packets, 10),
	}
	if first, last := time.Time(c.First), time.Time(c.Last); !first.IsZero() {
		out.First = first.UTC().Format("2006-01-02 15:04:05")
		out.Span = duration(max(last.Sub(first), 0), lang)
	}
	return out
}

// htmlBytes is a size in powers of 1024, as file managers have it.
func htmlBytes(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	size, unit := float64(n), 0
	for size >= 1024 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	decimals := 0
	if unit > 0 && size < 100 {
		decimals = 1
	}
	return strconv.FormatFloat(size, 'f', decimals, 64) + " " + units[unit]
}
