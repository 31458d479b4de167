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

// captures reads files, several at once where there are processors for it, and
// describes those that could be read. Sessions are emitted, and troubles told,
// in the order of the files, whichever is read first.
func (s *streams) captures(files []string, opts decode.Options, emit func(*decode.Session)) []report.CaptureInput {
	var captures []report.CaptureInput
	atOnce := make(chan struct{}, runtime.GOMAXPROCS(0))
	before := make(chan struct{})
	close(before)
	for i, name := range files {
		atOnce <- struct{}{}
		q := &queue{turn: before, emit: emit, done: make(chan struct{})}
		go func() {
			c, err := s.capture(name, i+1, opts, q.add)
			q.wait()
			if err != nil {
				s.complain(err)
			} else {
				captures = append(captures, c)
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

// capture reads one capture to its end, or as far as it goes.
func (s *streams) capture(name string, index int, opts decode.Options, emit func(*decode.Session)) (report.CaptureInput, error) {
	var none report.CaptureInput
	source, err := pcapfile.Open(name, s.in)
	if err != nil {
		return none, readable(err)
	}
	defer source.Close() // read only: its error says nothing about what was read
	opts.Capture, opts.Index = source.Info().Name, index
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
		return none, readable(last)
	default: // the disk or the pipe failed on the way
		info.Problems = append(slices.Clip(info.Problems), last.Error())
	}
	return report.CaptureInput{Info: info, Stats: decoder.Stats()}, nil
}
