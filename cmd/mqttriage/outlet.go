package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"
)

const (
	// maxBacklog is how many bytes wait for a reader that stalls, before who writes waits
	// too: some ten thousand lines.
	maxBacklog = 1 << 20
	// maxPiece is how much is written at once: as much as a pipe holds.
	maxPiece = 64 << 10
)

// outlet writes beside, so that a reader that stalls, as less does at the end of a page,
// holds up nothing but what it is to read. Write never fails: what went wrong is what
// Failed and Flush return.
type outlet struct {
	to   io.Writer
	name string

	mu      sync.Mutex
	changed *sync.Cond
	// waiting is what is not written yet.
	waiting []byte
	// patient: Write waits while there is too much.
	patient bool
	closed  bool
	err     error
	// moved is when something was last written, or came where nothing waited.
	moved time.Time
}

func newOutlet(to io.Writer, name string) *outlet {
	o := &outlet{to: to, name: name, patient: true}
	o.changed = sync.NewCond(&o.mu)
	go o.run()
	return o
}

// Write takes bytes to be written.
func (o *outlet) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.patient && o.err == nil && len(o.waiting) > 0 && len(o.waiting)+len(b) > maxBacklog {
		o.changed.Wait()
	}
	if o.err == nil {
		if len(o.waiting) == 0 {
			o.moved = time.Now()
		}
		o.waiting = append(o.waiting, b...)
		o.changed.Broadcast()
	}
	return len(b), nil
}

func (o *outlet) run() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		for len(o.waiting) == 0 && !o.closed {
			o.changed.Wait()
		}
		if len(o.waiting) == 0 || o.err != nil {
			return
		}
		piece := o.waiting[:min(len(o.waiting), maxPiece)]
		o.mu.Unlock()
		_, err := o.to.Write(piece)
		o.mu.Lock()
		// What was added meanwhile is behind it.
		o.waiting, o.err, o.moved = o.waiting[len(piece):], err, time.Now()
		if err != nil || len(o.waiting) == 0 {
			o.waiting = nil
		}
		o.changed.Broadcast()
	}
}

// Hurry has Write wait no more: the end has come, and what is still to be said is not
// much.
func (o *outlet) Hurry() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.patient = false
	o.changed.Broadcast()
}

// Failed is the error of a write, nil while there is none.
func (o *outlet) Failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed()
}

func (o *outlet) failed() error {
	if o.err == nil {
		return nil
	}
	reason := o.err
	if path := (*fs.PathError)(nil); errors.As(reason, &path) {
		reason = path.Err // its name says less than ours
	}
	return fmt.Errorf("write to %s: %w", o.name, reason)
}

// Stalled is for how long nobody has read what waits, 0 where nothing does.
func (o *outlet) Stalled() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 {
		return 0
	}
	return time.Since(o.moved)
}

// Flush waits until all is written and ends the outlet. It gives up when nothing is read for as
// long as patience says then, never where that is 0.
func (o *outlet) Flush(patience func() time.Duration) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.patient, o.closed = false, true
	o.changed.Broadcast()
	for begun := time.Now(); len(o.waiting) > 0 && o.err == nil; {
		if p := patience(); p > 0 && time.Since(begun) >= p && time.Since(o.moved) >= p {
			return fmt.Errorf("write to %s: nobody reads it; %d bytes are left", o.name, len(o.waiting))
		}
		o.mu.Unlock()
		time.Sleep(time.Millisecond)
		o.mu.Lock()
	}
	return o.failed()
}
