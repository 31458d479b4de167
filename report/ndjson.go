package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
)

// NDJSON writes the document as lines of JSON, one object each, that tell by
// "type" what they are; see the types of lines in ndjson_lines.go. It is the
// document whole, and each session is there with its trace, so that the file can
// be analysed again. The summary comes first: it says at once what the file is
// and what the answer is, and counts the lines to follow, so that a file that
// was cut short shows.
func NDJSON(w io.Writer, doc *Document) error { return writeReport(w, doc, false) }

// writeReport writes a document as NDJSON does, or as a part of a live capture's stream.
func writeReport(w io.Writer, doc *Document, live bool) error {
	b := bufio.NewWriterSize(w, 1<<16)
	lines := json.NewEncoder(visible{b})
	lines.SetEscapeHTML(false)
	entries, findings, err := tellApart(doc.Findings)
	if err != nil {
		return err
	}
	count := lineCounts{Captures: len(doc.Captures), Entries: len(entries), Findings: len(findings)}
	if !doc.Sessions.IsZero() {
		n := doc.Sessions.Len()
		count.Sessions = &n
	}
	if err := lines.Encode(summaryLine{Type: lineSummary, Document: doc, Lines: count, Live: live}); err != nil {
		return err
	}
	for _, c := range doc.Captures {
		if err := lines.Encode(captureLine{lineCapture, c}); err != nil {
			return err
		}
	}
	if err := writeSessions(b, doc.Sessions); err != nil {
		return err
	}
	for _, e := range entries {
		if err := lines.Encode(e); err != nil {
			return err
		}
	}
	for _, f := range findings {
		if err := lines.Encode(f); err != nil {
			return err
		}
	}
	return b.Flush()
}

// tellApart takes the texts of the entries out of the findings, so that each
// is written once.
func tellApart(all []Finding) ([]entryLine, []findingLine, error) {
	var entries []entryLine
	known := map[string]*entryLine{}
	findings := make([]findingLine, 0, len(all))
	for i := range all {
		f := findingLine{Type: lineFinding, Finding: &all[i], Advice: []adviceLine{}}
		for _, a := range all[i].Advice {
			if known[a.Entry] == nil {
				e := entryOf(&a)
				entries = append(entries, e)
				known[a.Entry] = &e
			}
			said := adviceIn(&a, known[a.Entry])
			if whole, err := said.with(known[a.Entry]); err != nil || !reflect.DeepEqual(whole, a) {
				return nil, nil, fmt.Errorf("write finding %d: its advice is not that of the entry %s elsewhere", i+1, a.Entry)
			}
			f.Advice = append(f.Advice, said)
		}
		findings = append(findings, f)
	}
	return entries, findings, nil
}
