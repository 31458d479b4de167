package report

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
)

// WriteComparison renders a comparison in one of Formats.
func WriteComparison(w io.Writer, format string, c *Comparison, opts TableOptions) error {
	switch format {
	case "table":
		return compareTable(w, c, opts)
	case "markdown":
		return compareMarkdown(w, c)
	case "jira":
		return compareJira(w, c)
	case "json":
		return compareJSON(w, c)
	case "ndjson":
		return compareNDJSON(w, c)
	case "csv":
		return compareCSV(w, c)
	case "html":
		return compareHTML(w, c)
	}
	return fmt.Errorf("write the comparison: there is no format %q", format)
}

func compareJSON(w io.Writer, c *Comparison) error {
	b := bufio.NewWriter(w)
	if err := encoder(visible{b}, "").Encode(c); err != nil {
		return err
	}
	return b.Flush()
}

// compareNDJSON writes one line of all but the findings, with their number, and
// then one a finding.
func compareNDJSON(w io.Writer, c *Comparison) error {
	b := bufio.NewWriter(w)
	enc := json.NewEncoder(visible{b})
	enc.SetEscapeHTML(false)
	first := struct {
		Type string `json:"type"`
		*Comparison
		// It hides the Comparison's, which have lines of their own.
		Findings int `json:"findings"`
	}{lineSummary, c, len(c.Findings)}
	if err := enc.Encode(first); err != nil {
		return err
	}
	for i := range c.Findings {
		line := struct {
			Type string `json:"type"`
			*Compared
		}{"compared", &c.Findings[i]}
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	return b.Flush()
}

// compareColumns are the names of the columns in CSV. They are for programs and so
// the same in every language, as are statuses and ids.
var compareColumns = []string{
	"status", "basis", "severity", "symptom", "title", "matched", "broker", "broker_after", "client_ids", "codes", "tls_alert",
	"sessions_before", "sessions_after", "per_hour_before", "per_hour_after", "share_before", "share_after",
	"chance", "needed_ms", "needed_attempts", "conclusion", "entry", "fix",
}

// compareCSV writes one row a finding (RFC 4180).
func compareCSV(w io.Writer, c *Comparison) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	rows := [][]string{compareColumns}
	for i := range c.Findings {
		f := &c.Findings[i]
		neededMS, neededAttempts := "", ""
		if f.Needed != nil {
			neededMS, neededAttempts = decimal(&f.Needed.ObservedMS), strconv.Itoa(f.Needed.Attempts)
		}
		rows = append(rows, []string{
			string(f.Status), f.Basis, f.Severity, f.Symptom, f.Title, f.Matched, f.Broker, f.BrokerAfter,
			joined(f.ClientIDs, "; "), joined(f.Codes, "; "), f.Alert,
			strconv.Itoa(f.Before.Sessions), strconv.Itoa(f.After.Sessions),
			decimal(f.Before.PerHour), decimal(f.After.PerHour), decimal(f.Before.Share), decimal(f.After.Share),
			decimal(f.Chance), neededMS, neededAttempts, f.Conclusion, f.Entry, f.Fix,
		})
	}
	for _, row := range rows {
		for i, cell := range row {
			row[i] = csvCell(cell)
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func decimal(x *float64) string {
	if x == nil {
		return ""
	}
	return strconv.FormatFloat(*x, 'g', 6, 64)
}
