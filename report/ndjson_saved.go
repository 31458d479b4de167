package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
)

// ReadSaved reads what NDJSON wrote so that it is analysed again: it calls emit
// for every session, and returns the captures that they come from. origin
// returns the capture of a name and number in the run that wrote the file; it is
// asked once for each. Findings and advice are left out, for they are to be
// found anew. The stream of a live capture is read as far as it is there; several in one
// file, as where the capture was started again, are captures of their own.
//
// A line that cannot be read is left out; the last of the captures has a
// problem then. The error is for a text that is no such file: ErrNoRecords,
// ErrJSONReport, or why it cannot be read.
func ReadSaved(r io.Reader, origin func(capture string, index int) *decode.Origin, emit func(*decode.Session)) ([]CaptureInput, error) {
	lines := newLineReader(r, maxLine)
	s := &savedReader{remaker: decode.NewRemaker(), origin: origin, emit: emit, origins: map[int]*decode.Origin{}}
	line, whole, err := lines.first()
	if err != nil {
		return nil, err
	}
	// Parsing is most of the work, and each line is by itself.
	next := func() (func() []savedLine, bool) {
		var batch []savedLine
		for size := 0; err == nil && len(batch) < batchSize && size < maxLine; line, whole, err = lines.next() {
			batch = append(batch, savedLine{number: lines.n, text: bytes.Clone(line), whole: whole})
			size += len(line)
		}
		return func() []savedLine {
			for i := range batch {
				batch[i].parse()
			}
			return batch
		}, len(batch) > 0
	}
	inOrder(next, func(batch []savedLine) error { //nolint:errcheck // it cannot fail
		for i := range batch {
			s.add(&batch[i])
		}
		return nil
	})
	if err != io.EOF {
		s.problem(fmt.Sprintf("line %d: %v", lines.n, err))
	}
	s.endPart()
	captures := s.captures()
	if len(captures) == 0 {
		return nil, errors.New(cmp.Or(s.first, "it names no capture"))
	}
	return captures, nil
}

// savedLine is a line, and what it says.
type savedLine struct {
	number int
	text   []byte
	whole  bool

	typ     string
	summary *summaryLine
	input   CaptureInput
	record  *decode.Record
	// over: it says that a live capture ended.
	over bool
	err  error
}

// parse reads the lines that the analysis needs.
func (l *savedLine) parse() {
	l.typ = typeOf(l.text)
	switch l.typ {
	case lineSummary, lineCapture, lineSession, lineLive, lineNotice:
		if !l.whole {
			l.err = fmt.Errorf("%s: it is longer than %d bytes", l.typ, maxLine)
			return
		}
	case "":
		l.err = errors.New("it is no JSON object with a \"type\"")
	}
	switch l.typ {
	case lineSummary:
		l.summary, l.err = parseSummary(l.text)
	case lineCapture:
		var c captureLine
		if err := json.Unmarshal(l.text, &c); err != nil {
			l.err = inLine(l.typ, err)
			return
		}
		l.input, l.err = c.input()
	case lineSession:
		if l.record, l.err = decode.ParseRecord(l.text); l.err != nil {
			l.err = inLine(l.typ, l.err)
		}
	case lineLive:
		l.err = parseLive(l.text)
	case lineNotice:
		var n noticeLine
		if err := json.Unmarshal(l.text, &n); err != nil {
			l.err = inLine(l.typ, err)
		}
		l.over = n.Event == EventEnded
	}
	l.text = nil
}

type savedReader struct {
	remaker *decode.Remaker
	origin  func(string, int) *decode.Origin
	emit    func(*decode.Session)
	// origins are by their number in the run that wrote the file.
	origins map[int]*decode.Origin
	inputs  []CaptureInput
	summary *summaryLine
	live    liveParts
	// sessions counts those that were emitted.
	sessions int
	// first is the first problem, problems counts them; ended says that no more
	// is read.
	first    string
	problems int
	ended    bool
}

func (s *savedReader) problem(text string) {
	if s.problems++; s.problems == 1 {
		s.first = text
	}
}

// add takes the next line.
func (s *savedReader) add(l *savedLine) {
	if s.ended {
		return
	}
	err := l.err
	switch {
	case s.addLive(l):
	case l.typ == lineSummary && (s.summary != nil || s.sessions > 0):
		s.ended, err = true, errors.New("another report begins; a file holds one")
	case l.typ == lineSummary:
		s.summary, s.ended = l.summary, err != nil
	case err != nil:
	case l.typ == lineCapture:
		s.inputs = append(s.inputs, l.input)
	case l.typ == lineSession:
		if err = s.session(l.record); err != nil {
			err = inLine(l.typ, err)
		}
	}
	if err != nil {
		s.problem(fmt.Sprintf("line %d: %v", l.number, err))
	}
}

func (s *savedReader) session(record *decode.Record) error {
	index, err := record.RecordIndex()
	if err != nil {
		return err
	}
	from := s.origins[index]
	switch {
	case from == nil:
		number, err := s.live.number(index)
		if err != nil {
			return err
		}
		from = s.origin(record.Capture, number)
		s.origins[index] = from
	case from.Capture != record.Capture:
		return fmt.Errorf("field capture: capture %d is called %q before", index, from.Capture)
	}
	session, err := s.remaker.Session(record, from)
	if err != nil {
		return err
	}
	s.sessions++
	s.live.saw(session)
	s.emit(session)
	return nil
}

// endPart adds the captures that only sessions tell of, and what a live capture's stream
// does not say of its captures.
func (s *savedReader) endPart() {
	inputs := s.inputs[s.live.from:]
	known := map[string]bool{}
	for _, c := range inputs {
		known[c.Info.Name] = true
	}
	for _, index := range slices.Sorted(maps.Keys(s.origins)) {
		if name := s.origins[index].Capture; !known[name] {
			known[name] = true
			s.inputs = append(s.inputs, CaptureInput{Info: capture.Info{Name: name, Problems: []string{"its own line is missing from the saved records"}}})
		}
	}
	s.live.complete(s.inputs[s.live.from:])
}

// captures are those of the file.
func (s *savedReader) captures() []CaptureInput {
	if s.summary != nil && s.summary.Lines.Sessions != nil && s.problems == 0 && s.sessions != *s.summary.Lines.Sessions {
		s.problem(fmt.Sprintf("cut short: it has %d of %d sessions", s.sessions, *s.summary.Lines.Sessions))
	}
	if s.problems > 0 && len(s.inputs) > 0 {
		text := savedProblem + s.first
		if s.problems > 1 {
			text += fmt.Sprintf(" (and %d more)", s.problems-1)
		}
		last := &s.inputs[len(s.inputs)-1].Info
		last.Problems = append(last.Problems, text)
	}
	return s.inputs
}

// savedProblem begins a problem of the records themselves.
const savedProblem = "saved records, "

// input is the capture as it was when it was read.
func (c *Capture) input() (CaptureInput, error) {
	in := CaptureInput{
		Info: capture.Info{
			Name: c.Name, Format: c.Format, Compression: c.Compression, Packets: c.Packets, Bytes: c.Bytes,
			First: time.Time(c.First), Last: time.Time(c.Last), Cut: c.Cut, Problems: c.Problems,
		},
		Stats:   decode.Stats{Packets: c.Packets, Evicted: c.Evicted, Undecoded: c.Undecoded},
		Dropped: c.Dropped,
	}
	for _, name := range c.LinkTypes {
		link, err := linkType(name)
		if err != nil {
			return in, err
		}
		in.Info.LinkTypes = append(in.Info.LinkTypes, link)
	}
	return in, nil
}

// linkType is the link type of a name.
func linkType(name string) (capture.LinkType, error) {
	if number, ok := strings.CutPrefix(name, "LINKTYPE "); ok {
		if n, err := strconv.ParseUint(number, 10, 16); err == nil {
			return capture.LinkType(n), nil
		}
	}
	const named = 512 // all that have a name are below
	for t := range capture.LinkType(named) {
		if t.String() == name {
			return t, nil
		}
	}
	return 0, fmt.Errorf("capture: field link_types: there is no %.40q", name)
}
