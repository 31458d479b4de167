package main

import (
	"cmp"
	"fmt"
	"os"
	"os/signal"
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
	maxUntold = 1 << 16
	// leisure is how many times as long as an analysis took it waits before the next, so that
	// it takes a twentieth of a processor; but no longer than maxLeisure, for what is found
	// is to be told within a second.
	leisure    = 20
	maxLeisure = 400 * time.Millisecond
)

// watcher runs a live capture. One goroutine takes packets and follows connections, which
// must never wait long; the other analyses, and writes all there is to write.
type watcher struct {
	s        *streams
	f        *liveFlags
	source   *live.Source
	decoder  *decode.Decoder
	evidence *slice.Evidence  // nil without --write
	metrics  *metrics.Metrics // nil without --metrics
	confined confine.Report

	// untold is what the next news has so far; it is the first goroutine's.
	untold news
	queue  chan news
	// stop and ask are asked of it: to end, and to tell all there is for a report.
	stop, ask atomic.Bool
	// heard is when the first goroutine last spoke, in nanoseconds since 1970.
	heard atomic.Int64

	// The rest is the second one's.
	watch  *analyze.Watch
	viewer viewer
	last   news
	// due is when the next analysis may be.
	due     time.Time
	changed bool
}

// news is what came since the news before, and how the capture is by now.
type news struct {
	at           time.Time
	early, ended []*decode.Session
	info         capture.Info
	stats        decode.Stats
	kernel       live.Stats
	events       []live.Event
	evidence     slice.EvidenceStats
	evidenceErr  error
	// asked: a report is to be made of it.
	asked bool
}

func newWatcher(s *streams, f *liveFlags, source *live.Source, base *kb.Base, redactor *report.Redactor) *watcher {
	w := &watcher{s: s, f: f, source: source, queue: make(chan news, 4)}
	w.watch = analyze.NewWatch(analyze.Options{Ports: f.filter.ports, Broker: string(f.broker)}, f.limits)
	w.viewer = viewer{s: s, f: f, base: base, redactor: redactor, started: time.Now()}
	w.heard.Store(time.Now().UnixNano())
	return w
}

func (w *watcher) early(s *decode.Session) {
	if w.f.wants(s) {
		w.untold.early = append(w.untold.early, s)
	}
}

func (w *watcher) ended(s *decode.Session) {
	if w.f.wants(s) {
		w.untold.ended = append(w.untold.ended, s)
	}
}

// wants reports that a session fits the flags that the kernel knows nothing of.
func (f *liveFlags) wants(s *decode.Session) bool {
	return oneOf(f.filter.clientIDs, func(id string) bool { return hasClientID(s, id) })
}

// run captures until a signal or the end of --for.
func (w *watcher) run(signals <-chan os.Signal) error {
	if err := w.viewer.begin(w); err != nil {
		return err
	}
	defer w.viewer.leave()

	defer insist()()
	failed := make(chan error, 1)
	go func() {
		failed <- w.capture()
		close(w.queue)
	}()
	stop := func() {
		w.stop.Store(true)
		w.source.Wake()
	}
	ask := func() {
		w.ask.Store(true)
		w.source.Wake()
	}
	var over, again <-chan time.Time
	if w.f.duration > 0 {
		over = time.After(w.f.duration)
	}
	if w.f.every > 0 {
		ticker := time.NewTicker(w.f.every)
		defer ticker.Stop()
		again = ticker.C
	}
	var err error
	fail := func(e error) {
		if e != nil && err == nil {
			err = e
			stop()
		}
	}
	for open := true; open; {
		select {
		case n, more := <-w.queue:
			if open = more; more {
				fail(w.take(n))
			}
		case sig := <-signals:
			if slices.Contains(reportSignals, sig) {
				ask()
			} else {
				stop()
			}
		case <-again:
			ask()
		case <-over:
			stop()
		}
	}
	if e := <-failed; err == nil && e != nil {
		err = fmt.Errorf("capture: %w", e)
	}
	return cmp.Or(err, w.finish())
}

// insist ends the program at the second signal to end, whatever it waits for: standard output
// may be a pipe that nobody reads.
func insist() (stop func()) {
	ends := make(chan os.Signal, 2)
	signal.Notify(ends, endSignals...)
	go func() {
		for n := 1; ; n++ {
			if _, open := <-ends; !open {
				return
			}
			if n == 2 {
				os.Exit(exitFailed)
			}
		}
	}()
	return func() {
		signal.Stop(ends)
		close(ends)
	}
}

// capture takes packets until it is told to stop.
func (w *watcher) capture() error {
	var batch capture.Batch
	for due := time.Now().Add(tick); ; {
		if err := w.source.Read(&batch, max(time.Until(due), 0)); err != nil {
			return err
		}
		w.add(&batch)
		if w.stop.Load() {
			return w.rest(&batch)
		}
		asked := w.ask.Swap(false)
		if asked {
			if err := w.rest(&batch); err != nil {
				return err
			}
		}
		now := time.Now()
		if now.Before(due) && !asked {
			continue
		}
		due = now.Add(tick)
		w.tell(now, asked)
	}
}

// rest takes the packets that the kernel still holds.
func (w *watcher) rest(batch *capture.Batch) error {
	// The ring hands packets out after 50 ms at most; those of several are put in order for
	// another 100 ms.
	wait := 60 * time.Millisecond
	if len(w.f.interfaces) > 1 {
		wait = 155 * time.Millisecond
	}
	for due := time.Now().Add(wait); ; {
		err := w.source.Read(batch, max(time.Until(due), 0))
		if err != nil {
			return err
		}
		w.add(batch)
		if !time.Now().Before(due) {
			return nil
		}
	}
}

// add adds packets.
func (w *watcher) add(batch *capture.Batch) {
	if len(batch.Packets) == 0 {
		return
	}
	if w.evidence != nil {
		for i := range batch.Packets {
			w.evidence.Add(&batch.Packets[i])
		}
	}
	w.decoder.AddBatch(batch)
}

// tell hands over what there is, unless the analysis is busy and there is little.
func (w *watcher) tell(now time.Time, asked bool) {
	w.heard.Store(now.UnixNano())
	w.decoder.Tell(now.UnixNano(), asked)
	w.gather(now)
	w.untold.asked = asked
	if asked || len(w.untold.early)+len(w.untold.ended) >= maxUntold {
		w.queue <- w.untold
		w.untold = news{}
		return
	}
	select {
	case w.queue <- w.untold:
		w.untold = news{}
	default:
	}
}

// gather adds to the news how the capture is.
func (w *watcher) gather(now time.Time) {
	n := &w.untold
	n.at, n.info, n.stats, n.kernel = now, w.source.Info(), w.decoder.Stats(), w.source.Stats()
	n.events = append(n.events, w.source.Events()...)
	if w.evidence != nil {
		w.evidence.SetInterfaces(n.info.Interfaces)
		if err := w.evidence.Tick(now); err != nil {
			n.evidenceErr = err
		}
		n.evidence = w.evidence.Stats()
	}
}

// take takes news, and analyses when it is time to.
func (w *watcher) take(n news) error {
	for _, s := range n.early {
		w.watch.Early(s)
	}
	for _, s := range n.ended {
		w.watch.Add(s)
	}
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
func (w *watcher) finish() error {
	now := time.Now()
	w.decoder.Tell(now.UnixNano(), true)
	w.decoder.Close()
	w.gather(now)
	w.watch.Last()
	n := w.untold
	if w.evidence != nil {
		if err := w.evidence.Close(); err != nil {
			n.evidenceErr = err
		}
		n.evidence = w.evidence.Stats()
	}
	for _, s := range n.early {
		w.watch.Early(s)
	}
	for _, s := range n.ended {
		w.watch.Add(s)
	}
	w.last = n
	w.measure()
	// The report is written even if the lines cannot be: it may go elsewhere.
	return cmp.Or(w.viewer.happened(n), w.analyse(now), w.viewer.end(w, now))
}

// measure sets the metrics that are how the capture is.
func (w *watcher) measure() {
	m, n := w.metrics, &w.last
	if m == nil {
		return
	}
	c := metrics.Capture{
		Packets: uint64(n.info.Packets), Bytes: uint64(n.info.Bytes), Freezes: n.kernel.Freezes, Undecoded: n.stats.Undecoded,
		Connections: uint64(n.stats.Connections), Open: uint64(w.watch.Open()),
	}
	for _, i := range n.kernel.Interfaces {
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

// silence is after how long without a word of the goroutine that captures something is
// wrong with it.
const silence = 5 * time.Second

// healthy reports what is wrong with the capture.
func (w *watcher) healthy() error {
	if since := time.Since(time.Unix(0, w.heard.Load())); since > silence {
		return fmt.Errorf("nothing was captured or analysed for %v", since.Round(time.Second))
	}
	return nil
}
