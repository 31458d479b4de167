package main

import (
	"slices"
	"time"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
)

// What follows is the first goroutine's: it takes packets and follows connections.

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
			if err := w.await(&batch, outstanding(len(w.f.interfaces))); err != nil {
				return err
			}
		}
		now := time.Now()
		if now.Before(due) && !asked && w.waiting() < maxUntold {
			continue
		}
		due = now.Add(tick)
		w.tell(now, asked)
	}
}

// outstanding is after what time packets are certain to have been given out by the kernel: in
// 50 ms, and those of several interfaces are put in order for another 100 ms.
func outstanding(interfaces int) time.Duration {
	if interfaces > 1 {
		return 155 * time.Millisecond
	}
	return 60 * time.Millisecond
}

// await takes packets for a time.
func (w *watcher) await(batch *capture.Batch, wait time.Duration) error {
	for due := time.Now().Add(wait); time.Now().Before(due); {
		if err := w.source.Read(batch, time.Until(due)); err != nil {
			return err
		}
		w.add(batch)
	}
	return nil
}

// rest takes the packets that the kernel still holds, for the end.
func (w *watcher) rest(batch *capture.Batch) error {
	if err := w.await(batch, outstanding(1)); err != nil {
		return err
	}
	w.source.Hurry()
	for until := time.Now().Add(tick); time.Now().Before(until); {
		err := w.source.Read(batch, 0)
		if err != nil || len(batch.Packets) == 0 {
			return err
		}
		w.add(batch)
	}
	return nil
}

// waiting is how many sessions wait for the analysis.
func (w *watcher) waiting() int { return len(w.untold.early) + len(w.untold.ended) }

// add adds packets.
func (w *watcher) add(batch *capture.Batch) {
	w.mindClock(time.Now())
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

// mindClock notices that the system's clock was set, by which packets have their times.
func (w *watcher) mindClock(now time.Time) {
	set := now.Round(0).Sub(w.clock.Round(0)) - now.Sub(w.clock)
	w.clock = now
	if set.Abs() > maxDrift {
		w.decoder.ClockSet(now.UnixNano(), set)
		w.source.ClockSet(set)
		if w.evidence != nil {
			w.evidence.ClockSet(now.UnixNano(), set)
		}
		for _, s := range slices.Concat(w.untold.early, w.untold.ended) {
			s.ClockSet(set)
		}
		w.untold.set += set
	}
}

// tell hands over what there is, unless the analysis is busy and there is little.
func (w *watcher) tell(now time.Time, asked bool) {
	w.health.heard(now)
	w.mindClock(now)
	w.decoder.Tell(now.UnixNano(), asked)
	w.gather(now)
	w.untold.asked = asked
	if w.waiting() >= maxUntold {
		w.queue <- w.untold
		w.untold = news{}
		return
	}
	select {
	case w.queue <- w.untold:
		w.untold = news{}
	default:
		if asked {
			w.ask.Store(true)
		}
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
