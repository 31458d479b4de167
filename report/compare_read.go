package report

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// maxSavedFindings is more than any analysis lists.
const maxSavedFindings = 10_000

// ErrNotReport says that something is JSON and no report.
var ErrNotReport = errors.New("this is no report of mqttriage read -f json or -f ndjson")

// ReadDocument reads a report that was saved as JSON or NDJSON. What it claims is
// bounded and checked as far as a comparison relies on it.
func ReadDocument(r io.Reader) (*Document, error) {
	text := bufio.NewReader(r)
	const typed = `{"type":` // a line of NDJSON
	if begin, _ := text.Peek(len(typed)); string(begin) == typed {
		doc, err := ReadNDJSON(text)
		if err != nil {
			return nil, err
		}
		return doc, checkSaved(doc)
	}
	var doc Document
	if err := json.NewDecoder(text).Decode(&doc); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("the report is damaged or cut short: %w", err)
		}
		return nil, fmt.Errorf("%w: %v", ErrNotReport, err)
	}
	return &doc, checkSaved(&doc)
}

func checkSaved(doc *Document) error {
	switch {
	case doc.Schema != Schema:
		return fmt.Errorf("%w: its schema is %q, not %q", ErrNotReport, shorten(doc.Schema), Schema)
	case len(doc.Findings) > maxSavedFindings:
		return fmt.Errorf("%w: it has %d findings", ErrNotReport, len(doc.Findings))
	}
	for i := range doc.Findings {
		f := &doc.Findings[i]
		if f.Sessions < 1 || f.Sessions > math.MaxInt32 || severityRank[f.Severity] == 0 {
			return fmt.Errorf("%w: finding %d has %d sessions and severity %q", ErrNotReport, i+1, f.Sessions, shorten(f.Severity))
		}
	}
	return nil
}
