package decode

import (
	"time"

	"github.com/mqttriage/mqttriage/decode/tcp"
)

// lateness is how late a packet may come that was stamped before the clock was set: live
// packets are given out within 60 ms, those of several interfaces within 155 ms.
const lateness = 250 * time.Millisecond

// ClockSet says that the system's clock was set by so much and is at now, in nanoseconds
// since 1970: a gateway without a battery learns the time some seconds after it has booted.
// Connections that have not ended move with it, as if the clock had been right before, so
// that nobody seems to have been silent for the years between, nor an answer to have come
// before its question.
//
// It is to be called by the goroutine that calls AddBatch and Tell, before any packet that
// was stamped by the new clock, and before Tell with a time of it. Packets that were stamped
// by the old one may still come, for some 250 ms. Sessions that were told before keep their
// times; Session.ClockSet moves them. It looks at every open connection.
func (d *Decoder) ClockSet(now int64, by time.Duration) {
	d.reset = reset{now: now, by: int64(by)}
	d.end.Nano = now
	d.table.ClockSet(now, by)
	d.table.Each(func(_ *tcp.Conn, handler tcp.Handler) {
		if f, _ := handler.(*follower); f != nil {
			f.clockSet(by)
		}
	})
}

// reset is how the clock was set a moment ago; zero when that is over.
type reset struct{ now, by int64 }

// stamp is the time of a packet by the new clock. By one of the two it is of a moment ago.
func (r reset) stamp(nano int64) int64 {
	off := func(nano int64) time.Duration { return time.Duration(nano - r.now).Abs() }
	if moved := nano + r.by; off(moved) < off(nano) {
		return moved
	}
	return nano
}

// passes forgets how the clock was set when that was long enough ago.
func (r *reset) passes(now int64) {
	if now-r.now > int64(lateness) {
		*r = reset{}
	}
}

func (f *follower) clockSet(by time.Duration) {
	moveAll(by, &f.connectAt, &f.connectBegan, &f.connackAt, &f.disconnectAt)
	for i := range f.dirs {
		moveAll(by, &f.dirs[i].first, &f.dirs[i].began)
	}
	if x := f.secure; x != nil {
		moveAll(by, &x.firstSealed[0], &x.firstSealed[1], &x.at)
		x.out.clockSet(by)
	}
	if f.within != nil {
		moveAll(by, &f.within.closed[0], &f.within.closed[1])
	}
	if f.rare != nil {
		f.rare.clockSet(by)
	}
}

// ClockSet moves all times of the session by so much. Who keeps sessions moves those that
// were told before the clock was set, so that they can be compared with those told since.
func (s *Session) ClockSet(by time.Duration) {
	moveAll(by,
		&s.Opened, &s.Syn, &s.SynAck, &s.ConnectBegan, &s.ConnectAt, &s.ConnackAt, &s.DisconnectAt,
		&s.Closed, &s.BrokerClosed, &s.ClientClosed, &s.Last,
		&s.FirstFromClient, &s.LastFromClient, &s.LastFromBroker, &s.CaptureEnd,
	)
	// A copy of the session may share these.
	if s.TLS != nil {
		tls := *s.TLS
		tls.clockSet(by)
		s.TLS = &tls
	}
	if s.rare != nil {
		rare := *s.rare
		rare.clockSet(by)
		s.rare = &rare
	}
}

func (t *TLS) clockSet(by time.Duration) { moveAll(by, &t.AlertAt, &t.FirstData) }

func (r *Rare) clockSet(by time.Duration) { moveAll(by, &r.Refusal, &r.SecondConnect) }

// moveAll moves events, as far as their time is known.
func moveAll(by time.Duration, events ...*Event) {
	for _, e := range events {
		if e.Nano != 0 {
			e.Nano += int64(by)
		}
	}
}
