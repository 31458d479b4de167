package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture/live"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
	"github.com/mqttriage/mqttriage/report"
)

// viewer shows a live capture: as a screen, as lines of a log, or as lines of JSON; and
// writes its reports.
type viewer struct {
	s        *streams
	f        *liveFlags
	base     *kb.Base
	redactor *report.Redactor
	started  time.Time

	head    report.LiveHead
	journal *report.Journal    // nil where there is a stream
	stream  *report.LiveStream // nil without -f ndjson to standard output
	lines   io.Writer          // where the journal goes
	screen  *display           // nil where there is none
	shows   atomic.Bool        // the screen is the terminal's
	reports int
}

// begin says that the capture begins.
func (v *viewer) begin(w *watcher) error {
	f, now := v.f, v.started
	info := w.source.Info()
	v.head = report.LiveHead{
		Version: version(), Lang: language(f.lang.value), Started: now, Expression: f.expression(), Redactor: v.redactor,
		Captures: []report.CaptureInput{{Info: info, Dropped: new(uint64)}},
	}
	for _, t := range f.filter.terms() {
		v.head.Filters = append(v.head.Filters, t.String())
	}
	v.lines = v.s.out
	switch {
	case f.format.value == "ndjson" && !f.toFile():
		var err error
		if v.stream, err = report.NewLiveStream(v.s.out, v.head); err != nil {
			return err
		}
	case f.linesToErr():
		v.lines = v.s.err
	default:
		if terminal := v.s.terminal(); terminal != nil && !f.noScreen {
			v.screen = newDisplay(terminal, v, w.out)
		}
	}
	if v.stream == nil {
		v.journal = report.NewJournal(v.head, tableOptions(&f.readFlags, v.lines).Color)
	}
	if v.screen != nil {
		v.screen.enter()
		return nil
	}
	if text := w.confined.String(); text != "" && v.stream == nil {
		v.s.note("capturing as %s", text)
	}
	return v.notice(report.Started(now, f.interfaces, v.head.Expression))
}

// toFile reports that reports go to a file.
func (f *liveFlags) toFile() bool { return f.output != "" && f.output != "-" }

// linesToErr reports that news go to standard error, because standard output takes reports of
// a format that has no lines of news.
func (f *liveFlags) linesToErr() bool {
	return !f.toFile() && f.format.value != "table" && f.format.value != "ndjson"
}

// happened tells of what is no finding.
func (v *viewer) happened(n news) error {
	for _, e := range n.events {
		if err := v.notice(eventNotice(e)); err != nil {
			return err
		}
	}
	if n.set != 0 {
		if err := v.notice(report.ClockSet(n.at, n.set)); err != nil {
			return err
		}
	}
	notices := []report.Notice{
		report.Evicted(n.at, "connections", uint64(n.stats.Evicted)),
	}
	for _, i := range n.kernel.Interfaces {
		notices = append(notices, report.Dropped(n.at, i.Name, i.Dropped, i.Received+i.Dropped))
	}
	if n.evidenceErr != nil {
		notices = append(notices, report.EvidenceFailed(n.at, n.evidence.Name, n.evidenceErr))
	}
	for _, one := range notices {
		if one.Total == 0 && one.Error == "" {
			continue
		}
		if err := v.notice(one); err != nil {
			return err
		}
	}
	return nil
}

func eventNotice(e live.Event) report.Notice {
	switch e.Kind {
	case live.CameUp, live.CameBack:
		return report.InterfaceUp(e.Time, e.Interface)
	case live.WentAway, live.ChangedKind:
		return report.InterfaceGone(e.Time, e.Interface)
	}
	return report.InterfaceDown(e.Time, e.Interface)
}

func (v *viewer) notice(n report.Notice) error {
	switch {
	case v.stream != nil:
		return v.stream.Notice(n)
	case v.screen != nil:
		v.screen.notice(n)
		return nil
	}
	return v.write1(v.journal.Notice(n))
}

// write1 writes lines in one call, so that those of several programs do not mix.
func (v *viewer) write1(lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	var b bytes.Buffer
	for _, line := range lines {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	if _, err := v.lines.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write what happens: %w", err)
	}
	return nil
}

// found tells what an analysis found.
func (v *viewer) found(w *watcher, now time.Time, news analyze.News, changes []analyze.Change) error {
	if v.screen != nil {
		v.screen.changed = true
		v.screen.answered(news.Answered)
		return nil
	}
	if err := v.tell(v.happenings(w, changes), now); err != nil {
		return err
	}
	if v.stream != nil {
		for _, s := range news.Ended {
			if err := v.stream.Session(s); err != nil {
				return err
			}
		}
	}
	evicted := w.watch.Evicted()
	for _, of := range []struct {
		kind string
		n    int
	}{{"sessions", evicted.Sessions}, {"client-ids", evicted.ClientIDs}, {"findings", evicted.Findings}} {
		if of.n > 0 {
			if err := v.notice(report.Evicted(now, of.kind, uint64(of.n))); err != nil {
				return err
			}
		}
	}
	return nil
}

// happenings puts changes in terms of the report. Only the findings that changed are worded:
// to consult the knowledge base about all of them would be most of the work.
func (v *viewer) happenings(w *watcher, changes []analyze.Change) []report.Happening {
	if len(changes) == 0 {
		return nil
	}
	least := severities[v.f.minSeverity.value]
	all := w.watch.Findings()
	part := changed{Watch: w.watch}
	changes = slices.DeleteFunc(changes, func(c analyze.Change) bool { return all[c.Finding].Severity < least })
	for _, c := range changes {
		part.findings = append(part.findings, all[c.Finding])
	}
	in := w.input(w.last)
	in.Analyzer, in.Sessions = part, false
	doc := report.Build(in)
	happened := make([]report.Happening, 0, len(changes))
	for i, c := range changes {
		happened = append(happened, report.Happening{
			ID: "f" + strconv.Itoa(c.ID), Finding: &doc.Findings[i], New: c.New,
			Sessions: report.Recorded(c.Sessions, v.redactor), More: c.More,
		})
	}
	return happened
}

// changed is an analysis of which only some findings are asked for.
type changed struct {
	*analyze.Watch
	findings []analyze.Finding
}

// Findings returns those.
func (c changed) Findings() []analyze.Finding { return c.findings }

func (v *viewer) tell(happened []report.Happening, now time.Time) error {
	switch {
	case v.stream != nil:
		return v.stream.Happened(happened, now)
	case v.screen != nil:
		return nil
	}
	return v.write1(v.journal.Lines(happened, now))
}

// draw shows the capture as it is by now.
func (v *viewer) draw(w *watcher, now time.Time) error {
	if v.screen == nil {
		return v.tell(nil, now)
	}
	v.screen.draw(w, now)
	return nil
}

// write writes a report.
func (v *viewer) write(doc *report.Document) error {
	f := &v.f.readFlags
	if v.stream != nil {
		return v.stream.Report(doc)
	}
	if v.screen != nil && !v.f.toFile() {
		return v.screen.show(func() error { return v.s.write(f, nil, doc) })
	}
	if !v.f.toFile() {
		if v.reports++; v.reports > 1 && f.format.value == "table" {
			if _, err := io.WriteString(v.s.out, "\n"); err != nil {
				return fmt.Errorf("write the report: %w", err)
			}
		}
	}
	return v.s.write(f, nil, doc)
}

// end writes what is left to write, and the last report.
func (v *viewer) end(w *watcher, now time.Time) error {
	v.leave()
	doc := w.document(w.last)
	ended := report.Ended(now, now.Sub(v.started), doc.Totals.Sessions, len(doc.Findings), w.last.kernel.Dropped)
	switch {
	case v.stream != nil:
		if err := v.stream.Rest(now); err != nil {
			return err
		}
		if err := v.stream.Report(doc); err != nil {
			return err
		}
		return v.stream.Notice(ended)
	case v.journal != nil && v.f.screenless(v.s):
		if err := v.write1(append(v.journal.Rest(now), v.journal.Notice(ended)...)); err != nil {
			return cmp.Or(err, v.write(doc))
		}
	}
	if v.lines == v.s.out {
		v.reports++ // an empty line between the two
	}
	return v.write(doc)
}

// screenless reports that lines were written instead of a screen.
func (f *liveFlags) screenless(s *streams) bool { return f.noScreen || s.terminal() == nil }

// leave gives the terminal back.
func (v *viewer) leave() {
	if v.screen != nil {
		v.screen.leave()
		v.screen = nil
	}
}

// sizeOf is how large a terminal is.
func sizeOf(fd uintptr) (columns, rows int) {
	columns, rows, err := term.GetSize(int(fd))
	if err != nil || columns < 1 || rows < 1 {
		return 80, 24
	}
	return columns, rows
}

// recentSessions bounds the handshakes that a screen shows: more than fit on any.
const recentSessions = 100

func latest(list, more []*decode.Session) []*decode.Session {
	list = append(list, more...)
	return slices.Clone(list[max(0, len(list)-recentSessions):])
}
