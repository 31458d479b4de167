package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// slow is a reader of a pipe that can stall.
type slow struct {
	sync.Mutex
	bytes.Buffer
	err error
}

func (s *slow) Write(b []byte) (int, error) {
	s.Lock()
	defer s.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	return s.Buffer.Write(b)
}

func TestOutletKeepsOrder(t *testing.T) {
	var to slow
	o := newOutlet(&to, "standard output")
	var want strings.Builder
	for i := range 100_000 {
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		io.WriteString(o, line)
	}
	if err := o.Flush(forEver); err != nil || to.String() != want.String() {
		t.Errorf("%v; %d bytes of %d, or others", err, to.Len(), want.Len())
	}
}

// A reader that stalls holds up a writer once much waits, until the end has come.
func TestOutletStalls(t *testing.T) {
	var to slow
	to.Lock()
	o := newOutlet(&to, "standard output")
	line := bytes.Repeat([]byte("x"), 1000)
	wrote := make(chan int, 10_000)
	go func() {
		for i := range 3000 {
			o.Write(line) //nolint:errcheck // never fails
			wrote <- i
		}
		close(wrote)
	}()
	for begun := time.Now(); len(wrote) < maxBacklog/1000 && time.Since(begun) < 10*time.Second; {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	if n := len(wrote); n < maxBacklog/1000 || n > maxBacklog/1000+maxPiece/1000+1 {
		t.Errorf("%d lines were taken", n)
	}
	if o.Stalled() < 50*time.Millisecond {
		t.Errorf("stalled for %v", o.Stalled())
	}
	o.Hurry()
	for range wrote {
	}
	err := o.Flush(func() time.Duration { return 50 * time.Millisecond })
	if err == nil || !strings.Contains(err.Error(), "write to standard output: nobody reads it") {
		t.Errorf("flush: %v", err)
	}
	to.Unlock()
	if err := o.Flush(forEver); err != nil || to.Len() != 3_000_000 {
		t.Errorf("%v, %d bytes", err, to.Len())
	}
	if o.Stalled() != 0 {
		t.Error("stalled at the end")
	}
}

// What cannot be written is dropped, and the reason is kept.
func TestOutletFails(t *testing.T) {
	broken := errors.New("broken pipe")
	to := slow{err: broken}
	o := newOutlet(&to, "standard output")
	for range 3000 {
		o.Write(make([]byte, 1000)) //nolint:errcheck // never fails
	}
	if err := o.Flush(forEver); !errors.Is(err, broken) || o.Failed() == nil {
		t.Errorf("%v, %v", err, o.Failed())
	}
	if o.Stalled() != 0 {
		t.Error("it waits for nobody")
	}
}

func forEver() time.Duration { return 0 }
