package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress shows on a terminal how far the reading of captures is. Whatever else
// is written to the terminal meanwhile goes through it, so that lines do not mix.
// A nil progress shows nothing.
type progress struct {
	terminal io.Writer
	columns  func() int
	total    int64 // bytes, 0 where a size is not known
	started  time.Time

	mu    sync.Mutex
	open  map[offsetter]bool
	done  int64 // bytes of what is closed
	shown int   // columns that the line takes, 0 when it is cleared
}

// offsetter tells how many bytes of a file were read so far.
type offsetter interface{ Offset() int64 }

const (
	// largeInput is shown from the start, the rest after patience.
	largeInput = 64 << 20
	patience   = time.Second
	// redraw is the time between two lines.
	redraw = 150 * time.Millisecond
)

// watched returns streams that show the progress of reading the files, where
// standard error is a terminal, and what ends the show.
func (s *streams) watched(files []string, off bool) (*streams, func()) {
	file, isFile := s.err.(*os.File)
	if off || !isFile || !term.IsTerminal(int(file.Fd())) || os.Getenv("TERM") == "dumb" {
		return s, func() {}
	}
	p := newProgress(file, s.sizeOf(files), time.Now())
	p.columns = func() int {
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 {
			return columns
		}
		return 80
	}
	ticker := time.NewTicker(redraw)
	quit, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for {
			select {
			case now := <-ticker.C:
				p.draw(now)
			case <-quit:
				return
			}
		}
	}()
	shown := *s
	shown.err, shown.progress = p, p
	return &shown, func() {
		ticker.Stop()
		close(quit)
		<-over
		p.clear()
	}
}

// sizeOf is the size of the files in bytes, 0 where one has none.
func (s *streams) sizeOf(files []string) int64 {
	total := int64(0)
	for _, name := range files {
		stat := func() (os.FileInfo, error) { return os.Stat(name) }
		if name == "-" {
			file, ok := s.in.(*os.File)
			if !ok {
				return 0
			}
			stat = file.Stat
		}
		switch info, err := stat(); {
		case err != nil: // reading it will tell
		case !info.Mode().IsRegular():
			return 0
		default:
			total += info.Size()
		}
	}
	return total
}

func newProgress(terminal io.Writer, total int64, now time.Time) *progress {
	return &progress{
		terminal: terminal, total: total, started: now,
		columns: func() int { return 80 }, open: map[offsetter]bool{},
	}
}

// follow counts what is read of a source until what it returns is called. A source
// that does not tell is not counted.
func (p *progress) follow(source any) func() {
	o, ok := source.(offsetter)
	if p == nil || !ok {
		return func() {}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[o] = true
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, o)
		p.done += o.Offset()
	}
}

// draw shows the line of a moment, once it is time for one.
func (p *progress) draw(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	elapsed := now.Sub(p.started)
	if elapsed < patience && p.total < largeInput {
		return
	}
	read := p.done
	for o := range p.open {
		read += o.Offset()
	}
	// The last column stays free: some terminals go to the next line with it.
	room := max(p.columns()-1, 0)
	line := progressLine(read, p.total, elapsed)
	line = line[:min(len(line), room)]
	io.WriteString(p.terminal, "\r"+line+strings.Repeat(" ", max(min(p.shown, room)-len(line), 0))) //nolint:errcheck // it is for show
	p.shown = len(line)
}

// progressLine says how much was read, of how much, how fast, and how long the
// rest will take.
func progressLine(read, total int64, elapsed time.Duration) string {
	seconds := max(elapsed.Seconds(), 1e-3)
	line := byteCount(float64(read))
	if total > 0 {
		line += " of " + byteCount(float64(total)) + fmt.Sprintf(" (%.0f %%)", math.Floor(min(float64(read)/float64(total), 1)*100))
	}
	line += ", " + byteCount(float64(read)/seconds) + "/s"
	if 0 < read && read < total {
		left := time.Duration(seconds / float64(read) * float64(total-read) * float64(time.Second))
		line += ", " + max(left.Round(time.Second), time.Second).String() + " left"
	}
	return line
}

// byteCount is a number of bytes in words.
func byteCount(n float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}} {
		if n >= unit.size {
			if n < 10*unit.size {
				return fmt.Sprintf("%.1f %s", n/unit.size, unit.name)
			}
			return fmt.Sprintf("%.0f %s", n/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%.0f bytes", n)
}

// Write clears the line and writes to the terminal.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	return p.terminal.Write(b)
}

// clear takes the line away.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

// erase does so while the lock is held.
func (p *progress) erase() {
	if p.shown > 0 {
		io.WriteString(p.terminal, "\r"+strings.Repeat(" ", p.shown)+"\r") //nolint:errcheck // it is for show
		p.shown = 0
	}
}
