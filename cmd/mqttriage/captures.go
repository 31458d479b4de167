package main

import (
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/report"
)

// captures reads captures and saved records, several at once where there are processors for it, and
// describes the captures that could be read. Sessions are emitted, and troubles told,
// in the order of the files, whichever is read first.
func (s *streams) captures(files []string, opts decode.Options, emit func(*decode.Session)) []report.CaptureInput {
	var captures []report.CaptureInput
	atOnce := make(chan struct{}, runtime.GOMAXPROCS(0))
	before := make(chan struct{})
	close(before)
	saved := func(name string) bool { return strings.Contains(name, ".ndjson") }
	mixed := slices.ContainsFunc(files, saved)
	for i, name := range files {
		atOnce <- struct{}{}
		q := &queue{turn: before, emit: emit, done: make(chan struct{})}
		if mixed && !saved(name) {
			// CONNECTs of captures and of saved records are to be compared.
			remaker := decode.NewRemaker()
			q.emit = func(session *decode.Session) { remaker.Adopt(session); emit(session) }
		}
		go func() {
			read, err := s.file(name, place{i, len(files)}, opts, q.add)
			q.wait()
			if err != nil {
				s.complain(err)
			}
			captures = append(captures, read...)
			for _, c := range read {
				for _, p := range c.Info.Problems {
					s.note("%s: %s; analysed as far as it goes", c.Info.Name, strings.TrimSuffix(p, "."))
				}
			}
			close(q.done)
			<-atOnce
		}()
		before = q.done
	}
	<-before
	return captures
}

// queue holds a capture's sessions until those of the captures before it have
// been emitted.
type queue struct {
	turn    <-chan struct{} // closed when it is this capture's turn
	emit    func(*decode.Session)
	done    chan struct{} // closed when the turn is over
	waiting []*decode.Session
}

// maxWaiting bounds the sessions that wait; then the capture itself does.
const maxWaiting = 1 << 14

func (q *queue) add(session *decode.Session) {
	if q.waiting = append(q.waiting, session); len(q.waiting) < maxWaiting {
		select {
		case <-q.turn:
		default:
			return
		}
	}
	q.wait()
}

// wait emits what waits, once it is the capture's turn.
func (q *queue) wait() {
	<-q.turn
	for i, session := range q.waiting {
		q.emit(session)
		q.waiting[i] = nil
	}
	q.waiting = q.waiting[:0]
}

// place is which of the files of a run a file is, from 0.
type place struct{ file, files int }

// index numbers a capture in the run: those of a file that holds several have
// different numbers, and those of one file alone have the numbers that they had
// when they were saved.
func (p place) index(saved int) int { return (saved-1)*p.files + p.file + 1 }

// file reads one file: a capture, or the records of several.
func (s *streams) file(name string, at place, opts decode.Options, emit func(*decode.Session)) ([]report.CaptureInput, error) {
	source, text, err := pcapfile.OpenText(name, s.in)
	switch {
	case err != nil:
		return nil, readable(err)
	case text != nil:
		defer text.Close() // read only: its error says nothing about what was read
		return s.saved(text, at, emit)
	}
	defer source.Close()
	opts.Index = at.index(1)
	c, err := s.capture(source, opts, emit)
	if err != nil {
		return nil, readable(err)
	}
	return []report.CaptureInput{c}, nil
}

// saved reads the records that a run has saved.
func (s *streams) saved(text *pcapfile.Text, at place, emit func(*decode.Session)) ([]report.CaptureInput, error) {
	defer s.progress.follow(text)()
	origin := func(capture string, index int) *decode.Origin {
		return &decode.Origin{Capture: capture, Index: at.index(index)}
	}
	captures, err := report.ReadSaved(text, origin, emit)
	switch {
	case errors.Is(err, report.ErrJSONReport):
		return nil, readable(text.Refuse(err.Error(), "save the sessions whole: mqttriage read -f ndjson FILE"))
	case err != nil:
		return nil, readable(text.Refuse(err.Error(), ""))
	}
	return captures, nil
}

// capture reads one capture to its end, or as far as it goes.
func (s *streams) capture(source capture.Source, opts decode.Options, emit func(*decode.Session)) (report.CaptureInput, error) {
	var none report.CaptureInput
	defer s.progress.follow(source)()
	opts.Capture = source.Info().Name
	decoder := decode.New(opts, emit)
	last := decoder.Read(source)
	info := source.Info()
	var cut *capture.TruncatedError
	var damaged *capture.DamagedError
	switch {
	case last == io.EOF:
	case errors.As(last, &cut), errors.As(last, &damaged):
		if !slices.Contains(info.Problems, last.Error()) {
			info.Problems = append(slices.Clip(info.Problems), last.Error())
		}
	case info.Packets == 0:
		return none, last
	default: // the disk or the pipe failed on the way
		info.Problems = append(slices.Clip(info.Problems), last.Error())
	}
	return report.CaptureInput{Info: info, Stats: decoder.Stats()}, nil
}
