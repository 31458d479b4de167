package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/live"
	"github.com/mqttriage/mqttriage/cmd/mqttriage/confine"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
	"github.com/mqttriage/mqttriage/metrics"
	"github.com/mqttriage/mqttriage/report"
	"github.com/mqttriage/mqttriage/slice"
)

const (
	// tick is how often is told what the packets brought. With an analysis and a line
	// written, what goes wrong is reported in half a second.
	tick = 200 * time.Millisecond
	// maxUntold bounds the sessions that wait for the analysis; then packets wait.
	maxUntold = 1 << 11
	// leisure is how many times as long as an analysis took it waits before the next, so that
	// it takes a twentieth of a processor; but no longer than maxLeisure, for what is found
	// is to be told within a second.
	leisure    = 20
	maxLeisure = 400 * time.Millisecond
	// maxDrift is how much the clock may be off from how long it was, before it was set.
	maxDrift = time.Second
	// farewell is for how long a reader may stall that is still to take what was said, where
	// the end was asked for by a program.
	farewell = 2 * time.Second
)

// watcher runs a live capture. One goroutine takes packets and follows connections, which
// must never wait long; the other analyses, and says all there is to say, which outlets
// write. A third takes orders.
type watcher struct {
	s        *streams
	f        *liveFlags
	source   *live.Source
	decoder  *decode.Decoder
	evidence *slice.Evidence  // nil without --write
	metrics  *metrics.Metrics // nil without --metrics
	confined confine.Report
	// out and err write what goes to the standard streams.
	out, err *outlet

	// untold is what the next news has so far, and clock when it was looked at; they are the
	// first goroutine's.
	untold news
	clock  time.Time
	queue  chan news
	// stop and ask are asked of it: to end, and to tell all there is for a report. hasty: the
	// end was asked for by a program.
	stop, ask, hasty atomic.Bool
	health           health

	// The rest is the second one's.
	watch  *analyze.Watch
	viewer viewer
	last   news
	// due is when the next analysis may be.
	due     time.Time
	changed bool
	// mute: nothing can be said any more, and that was told.
	mute bool
}

// news is what came since the news before, and how the capture is by now.
type news struct {
	at           time.Time
	early, ended []*decode.Session
	info         capture.Info
	stats        decode.Stats
	kernel       live.Stats
	events       []live.Event
	// set is by how much the clock was set since the news before.
	set         time.Duration
	evidence    slice.EvidenceStats
	evidenceErr error
	// asked: a report is to be made of it.
	asked bool
}

func newWatcher(s *streams, f *liveFlags, source *live.Source, base *kb.Base, redactor *report.Redactor) *watcher {
	w := &watcher{s: s, f: f, source: source, queue: make(chan news, 1), clock: time.Now()}
	w.watch = analyze.NewWatch(analyze.Options{Ports: f.filter.ports, Broker: string(f.broker)}, f.limits)
	w.viewer = viewer{s: s, f: f, base: base, redactor: redactor, started: time.Now()}
	w.health.heard(w.clock)
	w.health.analysed(w.clock)
	return w
}

// run captures until a signal or the end of --for.
func (w *watcher) run(signals <-chan os.Signal) error {
	w.speakBeside()
	over := make(chan struct{})
	defer close(over)
	go w.takeOrders(signals, over)
	if err := w.viewer.begin(w); err != nil {
		return several([]error{err, w.out.Flush(w.patience)})
	}
	defer w.viewer.leave()
	failed := make(chan error, 1)
	go func() {
		failed <- w.capture()
		close(w.queue)
	}()
	var errs []error
	for n := range w.queue {
		err := cmp.Or(w.take(n), w.muted())
		w.health.analysed(time.Now())
		if err != nil && len(errs) == 0 {
			errs = append(errs, err)
			w.end()
		}
	}
	if err := <-failed; err != nil {
		errs = append(errs, fmt.Errorf("capture: %w", err))
	}
	return several(append(errs, w.finish()...))
}

// speakBeside has outlets write what is said to the standard streams from now on.
func (w *watcher) speakBeside() {
	w.out, w.err = newOutlet(w.s.out, "standard output"), newOutlet(w.s.err, "standard error")
	w.s.out, w.s.err = w.out, w.err
	w.s.last = func() {
		w.err.Flush(func() time.Duration { return w.patience() / 4 }) //nolint:errcheck // there is nobody to tell
	}
}

// patience is for how long nobody may read what is still to be said; 0 is for ever.
func (w *watcher) patience() time.Duration {
	if w.hasty.Load() {
		return farewell
	}
	return 0
}

// muted is why nothing can be said any more, where that is all there is to do. Else it is told
// once, and the capture goes on.
func (w *watcher) muted() error {
	err := w.out.Failed()
	switch {
	case err == nil || w.mute:
		return nil
	case !w.f.elsewhere():
		return err
	}
	w.mute = true
	w.s.note("%v; going on without it", err)
	return nil
}

// elsewhere reports that there is more to do than to write to the standard streams.
func (f *liveFlags) elsewhere() bool {
	return f.toFile() || f.evidence.file != "" || f.metrics != ""
}

// several are errors as one, each said once; nil if there is none.
func several(errs []error) error {
	var said []error
	for _, err := range errs {
		if err != nil && !slices.ContainsFunc(said, func(e error) bool { return e.Error() == err.Error() }) {
			said = append(said, err)
		}
	}
	if len(said) > 1 {
		return &problemList{errors.Join(said...)}
	}
	return errors.Join(said...)
}

// learn has the analysis know what is new.
func (w *watcher) learn(n *news) {
	if n.set != 0 {
		w.watch.ClockSet(n.set)
	}
	for _, s := range n.early {
		w.watch.Early(s)
	}
	for _, s := range n.ended {
		w.watch.Add(s)
	}
}

// take takes news, and analyses when it is time to.
func (w *watcher) take(n news) error {
	w.learn(&n)
	w.changed = w.changed || len(n.early)+len(n.ended) > 0
	n.early, n.ended = nil, nil
	w.last = n
	w.measure()
	if err := w.viewer.happened(n); err != nil {
		return err
	}
	if w.changed && (n.asked || !n.at.Before(w.due)) {
		if err := w.analyse(n.at); err != nil {
			return err
		}
	}
	if n.asked {
		if err := w.viewer.write(w.document(n)); err != nil {
			return err
		}
	}
	return w.viewer.draw(w, n.at)
}

// analyse tells what is new.
func (w *watcher) analyse(now time.Time) error {
	began := time.Now()
	w.changed = false
	found, changes := w.watch.News(), w.watch.Changes()
	if w.metrics != nil {
		for _, s := range found.Answered {
			w.metrics.Session(s)
		}
		w.metrics.Findings(w.watch.Findings())
	}
	err := w.viewer.found(w, now, found, changes)
	w.due = now.Add(min(leisure*time.Since(began), maxLeisure))
	return err
}

// document is the report as it is now.
func (w *watcher) document(n news) *report.Document { return report.Build(w.input(n)) }

// input is what a report is made from.
func (w *watcher) input(n news) report.Input {
	dropped := n.kernel.Dropped
	f := w.f
	in := report.Input{
		Version: version(), Analyzer: w.watch, Base: w.viewer.base, Lang: language(f.lang.value),
		Captures: []report.CaptureInput{{Info: n.info, Stats: n.stats, Dropped: &dropped}},
		Sessions: f.sessions || report.WantsSessions(f.format.value), MinSeverity: severities[f.minSeverity.value],
		Redactor: w.viewer.redactor,
	}
	if terms := f.filter.terms(); len(terms) > 0 {
		in.Selection = &report.Selection{Terms: terms}
	}
	return in
}

// finish ends all connections and writes the last report. The other goroutine is over.
func (w *watcher) finish() (errs []error) {
	now := time.Now()
	w.mindClock(now)
	w.decoder.Tell(now.UnixNano(), true)
	w.decoder.Close()
	w.gather(now)
	if w.evidence != nil {
		// What the disk still has to do goes on beside the report.
		if err := w.evidence.Finish(); err != nil {
			w.untold.evidenceErr = err
		}
		w.untold.evidence = w.evidence.Stats()
	}
	w.watch.Last()
	n := w.untold
	w.learn(&n)
	w.last = n
	w.measure()
	// The report is written even if the lines cannot be, or the evidence: it may go elsewhere.
	errs = append(errs, w.viewer.happened(n), w.analyse(now), w.viewer.end(w, now))
	if w.evidence != nil {
		if err := w.evidence.Close(); err != nil {
			w.s.note("%v", err)
		}
	}
	return append(errs, w.out.Flush(w.patience))
}

// measure sets the metrics that are how the capture is.
func (w *watcher) measure() {
	m, n := w.metrics, &w.last
	interfaces := slices.Clone(n.kernel.Interfaces)
	for i := range interfaces {
		interfaces[i].Name = w.viewer.head.InterfaceName(interfaces[i].Name)
	}
	w.health.sees(interfaces)
	if m == nil {
		return
	}
	c := metrics.Capture{
		Packets: uint64(n.info.Packets), Bytes: uint64(n.info.Bytes), Freezes: n.kernel.Freezes, Undecoded: n.stats.Undecoded,
		Connections: uint64(n.stats.Connections), Open: uint64(w.watch.Open()),
	}
	for _, i := range interfaces {
		c.Interfaces = append(c.Interfaces, metrics.Interface{Name: i.Name, Up: i.State == live.Up, Received: i.Received, Dropped: i.Dropped})
	}
	m.Capture(c)
	evicted := w.watch.Evicted()
	m.Evictions("connections", uint64(n.stats.Evicted))
	m.Evictions("sessions", uint64(evicted.Sessions))
	m.Evictions("client-ids", uint64(evicted.ClientIDs))
	m.Evictions("findings", uint64(evicted.Findings))
	m.Evidence(n.evidence.Packets, n.evidence.Lost, n.evidence.Files)
}
