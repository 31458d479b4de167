package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mqttriage/mqttriage/decode"
)

const (
	// maxLine bounds a line that is read for its session: a CONNECT's texts have
	// 64 KiB in all, a CONNACK's less, and escapes make six bytes of one.
	maxLine = 1 << 20
	// maxFindingLine bounds any line: a finding names all its client IDs.
	maxFindingLine = 64 << 20
)

var (
	// ErrNoRecords says that a text is not what NDJSON writes.
	ErrNoRecords = errors.New("it is JSON text")
	// ErrJSONReport says that a text is a report as JSON writes it, in which
	// sessions are not whole.
	ErrJSONReport = errors.New("it is a report in the format json")
	// ErrLiveStream says that a text is what LiveStream writes, which is no report.
	ErrLiveStream = errors.New("it is the stream of a live capture; mqttriage read -f ndjson makes a report of it")
)

// lineReader gives a file's lines, numbered from 1.
type lineReader struct {
	r    *bufio.Reader
	max  int
	line []byte
	n    int
}

func newLineReader(r io.Reader, most int) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 1<<16), max: most}
}

// next returns the next line that is not empty, valid until the next call, and
// whether it is whole: of one that is too long only the beginning is there.
// It ends with io.EOF.
func (l *lineReader) next() (line []byte, whole bool, err error) {
	for err == nil {
		l.n++
		l.line, whole = l.line[:0], true
		for {
			var part []byte
			part, err = l.r.ReadSlice('\n')
			room := l.max - len(l.line)
			whole = whole && len(part) <= room
			l.line = append(l.line, part[:min(len(part), room)]...)
			if err != bufio.ErrBufferFull {
				break
			}
		}
		if line = bytes.TrimSpace(l.line); len(line) > 0 && (err == nil || err == io.EOF) {
			return line, whole, nil
		}
	}
	return nil, false, err
}

// typeOf tells what a line is by its member "type", "" where it has none. The
// first member is looked at first, which is where NDJSON writes it.
func typeOf(line []byte) string {
	for _, typ := range lineTypes {
		if rest, ok := bytes.CutPrefix(line, []byte(`{"type":"`+typ+`"`)); ok && len(rest) > 0 && (rest[0] == ',' || rest[0] == '}') {
			return typ
		}
	}
	var member struct {
		Type string `json:"type"`
	}
	json.Unmarshal(line, &member) //nolint:errcheck // no object has no type
	return member.Type
}

// first returns the first line, if it is one that NDJSON writes.
func (l *lineReader) first() (line []byte, whole bool, err error) {
	line, whole, err = l.next()
	if err == io.EOF {
		return nil, false, ErrNoRecords
	} else if err != nil {
		return nil, false, err
	}
	if slices.Contains(lineTypes, typeOf(line)) {
		return line, whole, nil
	}
	if bytes.Equal(line, []byte("{")) { // the object is indented
		if line, _, err = l.next(); err != nil {
			return nil, false, ErrNoRecords
		}
		line = append([]byte("{"), bytes.TrimSuffix(line, []byte(","))...)
		line = append(line, '}')
	}
	var report struct{ Schema string }
	if json.Unmarshal(line, &report) == nil && report.Schema == Schema {
		return nil, false, ErrJSONReport
	}
	return nil, false, ErrNoRecords
}

// ReadNDJSON reads the document that NDJSON wrote. Lines of types that it does
// not know it leaves out, for a newer program may have written them. It holds
// the document whole in memory.
func ReadNDJSON(r io.Reader) (*Document, error) {
	lines := newLineReader(r, maxFindingLine)
	d := &documentReader{entries: map[string]*entryLine{}}
	for line, whole, err := lines.first(); err != io.EOF; line, whole, err = lines.next() {
		if err != nil {
			return nil, fmt.Errorf("read the report: %w", err)
		}
		if !whole {
			return nil, fmt.Errorf("read the report: line %d is longer than %d bytes", lines.n, maxFindingLine)
		}
		if err := d.add(typeOf(line), line); err != nil {
			return nil, fmt.Errorf("read the report: line %d: %w", lines.n, err)
		}
	}
	return d.document()
}

// documentReader puts a document together.
type documentReader struct {
	doc      *Document
	lines    lineCounts
	sessions []decode.Record
	entries  map[string]*entryLine
}

func (d *documentReader) add(typ string, line []byte) error {
	switch {
	case typ == lineLive, typ == lineHappening, typ == lineNotice:
		return ErrLiveStream
	case d.doc == nil && typ != lineSummary:
		return fmt.Errorf("a %s comes before the summary", typ)
	}
	switch typ {
	case lineSummary:
		if d.doc != nil {
			return errors.New("another summary: a file holds one report")
		}
		summary, err := parseSummary(line)
		if err != nil {
			return err
		}
		if summary.Live {
			return ErrLiveStream
		}
		d.doc, d.lines = summary.Document, summary.Lines
		d.doc.Captures, d.doc.Findings = []Capture{}, []Finding{}
	case lineCapture:
		var c captureLine
		if err := json.Unmarshal(line, &c); err != nil {
			return inLine(typ, err)
		}
		d.doc.Captures = append(d.doc.Captures, c.Capture)
	case lineSession:
		record, err := decode.ParseRecord(line)
		if err != nil {
			return inLine(typ, err)
		}
		d.sessions = append(d.sessions, *record)
	case lineEntry:
		e := &entryLine{}
		if err := json.Unmarshal(line, e); err != nil {
			return inLine(typ, err)
		}
		d.entries[e.Entry] = e
	case lineFinding:
		var f findingLine
		if err := json.Unmarshal(line, &f); err != nil {
			return inLine(typ, err)
		}
		return d.finding(&f)
	}
	return nil
}

func (d *documentReader) finding(f *findingLine) error {
	f.Finding.Advice = []Advice{}
	for _, said := range f.Advice {
		e := d.entries[said.Entry]
		if e == nil {
			return fmt.Errorf("finding: field advice: no line before it is about the entry %q", said.Entry)
		}
		advice, err := said.with(e)
		if err != nil {
			return fmt.Errorf("finding: field advice: %s: %w", said.Entry, err)
		}
		f.Finding.Advice = append(f.Finding.Advice, advice)
	}
	d.doc.Findings = append(d.doc.Findings, *f.Finding)
	return nil
}

// document is the document, if all its lines were there.
func (d *documentReader) document() (*Document, error) {
	if d.doc == nil {
		return nil, fmt.Errorf("read the report: %w", ErrNoRecords)
	}
	want, sessions := d.lines, len(d.sessions)
	if want.Sessions == nil {
		want.Sessions = new(int)
	} else {
		d.doc.Sessions = RecordsOf(d.sessions...)
	}
	for _, part := range []struct {
		name      string
		have, all int
	}{
		{"captures", len(d.doc.Captures), want.Captures}, {"sessions", sessions, *want.Sessions},
		{"entries", len(d.entries), want.Entries}, {"findings", len(d.doc.Findings), want.Findings},
	} {
		if part.have != part.all {
			return nil, fmt.Errorf("read the report: it is not whole: it has %d of %d %s", part.have, part.all, part.name)
		}
	}
	return d.doc, nil
}

// parseSummary reads a summary line of this version of the contract.
func parseSummary(line []byte) (*summaryLine, error) {
	s := &summaryLine{}
	if err := json.Unmarshal(line, s); err != nil {
		return nil, inLine(lineSummary, err)
	}
	if s.Document == nil || s.Schema != Schema {
		return nil, fmt.Errorf("summary: field schema: it is not %s", Schema)
	}
	return s, nil
}

// inLine says in what kind of line an error is, and in which field where
// encoding/json tells it.
func inLine(typ string, err error) error {
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) && wrong.Field != "" {
		field := wrong.Field
		for _, embedded := range []string{"Document.", "Capture.", "Finding."} { // Go's names, not the contract's
			field = strings.TrimPrefix(field, embedded)
		}
		return fmt.Errorf("%s: field %s: it must not be a %s", typ, field, wrong.Value)
	}
	return fmt.Errorf("%s: %w", typ, err)
}
