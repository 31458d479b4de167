package report

import (
	"fmt"
	"io"
	"slices"
)

// Formats are the formats of a report, the first one for people at a terminal.
var Formats = []string{"table", "markdown", "jira", "json", "ndjson", "csv", "html"}

// WantsSessions reports that a format shows every session, asked for or not.
func WantsSessions(format string) bool { return slices.Contains([]string{"ndjson", "html"}, format) }

// Write renders a document in one of Formats.
func Write(w io.Writer, format string, doc *Document, opts TableOptions) error {
	switch format {
	case "table":
		return Table(w, doc, opts)
	case "markdown":
		return Markdown(w, doc)
	case "jira":
		return Jira(w, doc)
	case "json":
		return JSON(w, doc)
	case "ndjson":
		return NDJSON(w, doc)
	case "csv":
		return CSV(w, doc)
	case "html":
		return HTML(w, doc)
	}
	return fmt.Errorf("write the report: there is no format %q", format)
}
