package main

import (
	"os"
	"slices"
	"time"
)

// takeOrders has reports made and the capture ended, by signals and by the clock. It waits for
// nothing else: standard output may be a pipe that nobody reads. A second signal to end does
// so at once.
func (w *watcher) takeOrders(signals <-chan os.Signal, over <-chan struct{}) {
	var enough, again <-chan time.Time
	if w.f.duration > 0 {
		enough = time.After(w.f.duration)
	}
	if w.f.every > 0 {
		ticker := time.NewTicker(w.f.every)
		defer ticker.Stop()
		again = ticker.C
	}
	for ended := false; ; {
		select {
		case sig := <-signals:
			switch {
			case slices.Contains(reportSignals, sig):
				w.report()
			case ended:
				w.quit()
			default:
				ended = true
				// Who presses Ctrl-C may still want to read on; nobody else does.
				w.hasty.Store(sig != os.Interrupt)
				w.end()
			}
		case <-again:
			w.report()
		case <-enough:
			w.end()
		case <-over:
			return
		}
	}
}

// report asks for a report of all there is.
func (w *watcher) report() {
	w.ask.Store(true)
	w.source.Wake()
}

// end asks for the end.
func (w *watcher) end() {
	w.out.Hurry()
	w.err.Hurry()
	w.stop.Store(true)
	w.source.Wake()
}

// quit ends the program as it is. The terminal is given back, if it takes anything.
func (w *watcher) quit() {
	if w.viewer.shows.Load() {
		w.out.Write([]byte(leaveScreen)) //nolint:errcheck // it never fails
	}
	w.out.Flush(func() time.Duration { return blink }) //nolint:errcheck // so it is
	os.Exit(exitFailed)
}

// blink is for how long the terminal is waited for at such an end.
const blink = 100 * time.Millisecond
