package decode_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
)

const year = 365 * 24 * time.Hour

// setBy is how clocks are set: when a gateway learns the time after it has booted, by hand,
// and by as little as anybody takes for it.
var setBy = []time.Duration{time.Second, time.Hour, 10 * year, -time.Second, -time.Hour, -10 * year}

// clocked is a decoder that watches one connection while the clock is set.
type clocked struct {
	*watching
	d *dialog
}

// eachClock runs a test for every way to set the clock, each with the packets that a dialog begins with.
func eachClock(t *testing.T, begin func() *dialog, test func(t *testing.T, c *clocked, by time.Duration)) {
	for _, by := range setBy {
		t.Run(fmt.Sprint("by ", by), func(t *testing.T) {
			c := &clocked{watch(decode.Bounds{}), begin()}
			c.come()
			test(t, c, by)
		})
	}
}

// come adds what the dialog sent since.
func (c *clocked) come() {
	c.add(c.d.packets)
	c.d.packets = nil
}

// passes lets a time pass, during which it is asked what is known.
func (c *clocked) passes(while time.Duration) (told []*decode.Session) {
	const tick = 50 * time.Millisecond
	c.early = nil
	for ; while > 0; while -= tick {
		c.d.wait(min(tick, while))
		c.decoder.Tell(c.d.now.UnixNano(), false)
	}
	return c.early
}

func (c *clocked) set(by time.Duration) {
	c.d.wait(by)
	c.decoder.ClockSet(c.d.now.UnixNano(), by)
}

func asked() *dialog    { return opened().send(fromClient, ack, connect("a")) }
func accepted() *dialog { return asked().send(fromBroker, ack, connackOK) }

func one(t *testing.T, sessions []*decode.Session, want decode.Outcome) *decode.Session {
	t.Helper()
	if len(sessions) != 1 || sessions[0].Outcome != want {
		t.Fatalf("told %d sessions, want one, %s: %+v", len(sessions), want, sessions)
	}
	return sessions[0]
}

// near reports the time between two events, which is up to 300 ms more than was waited for.
func near(t *testing.T, what string, from, to decode.Event, want time.Duration) {
	t.Helper()
	if got := to.Sub(from); got < want || got > want+300*time.Millisecond {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func TestClockSetWhileConnecting(t *testing.T) {
	eachClock(t, asked, func(t *testing.T, c *clocked, by time.Duration) {
		c.passes(10 * time.Millisecond)
		c.set(by)
		if told := c.passes(200 * time.Millisecond); len(told) > 0 {
			t.Fatalf("told a CONNECT under way: %s", told[0].Outcome)
		}
		c.d.send(fromBroker, ack, connackOK)
		c.come()
		s := one(t, c.passes(200*time.Millisecond), decode.Accepted)
		near(t, "CONNACK", s.ConnectAt, s.ConnackAt, 200*time.Millisecond)
		near(t, "opened", s.Opened, s.ConnackAt, 200*time.Millisecond)
		if !s.ConnackAt.Time().Before(c.d.now) || s.CaptureEnd.Time().After(c.d.now) {
			t.Errorf("CONNACK at %s, the end at %s, now it is %s", s.ConnackAt.Time(), s.CaptureEnd.Time(), c.d.now)
		}
	})
}

// A packet that was stamped before the clock was set may be read after.
func TestClockSetLatePackets(t *testing.T) {
	eachClock(t, asked, func(t *testing.T, c *clocked, by time.Duration) {
		c.d.wait(4*time.Millisecond).send(fromBroker, ack, connackRefused)
		answer := c.d.packets
		c.d.packets = nil
		c.d.wait(80 * time.Millisecond)
		c.set(by)
		c.add(answer)
		c.d.send(fromBroker, fin|ack, nil) // by the new clock
		c.come()
		s := one(t, c.passes(200*time.Millisecond), decode.Rejected)
		if got := s.ConnackAt.Sub(s.ConnectAt); got != 5*time.Millisecond {
			t.Errorf("the CONNACK came after %s, want 5 ms", got)
		}
		if got := s.Closed.Sub(s.ConnackAt); got != 81*time.Millisecond {
			t.Errorf("it was closed after %s, want 81 ms", got)
		}
	})
}

func TestClockSetWhileIdle(t *testing.T) {
	eachClock(t, accepted, func(t *testing.T, c *clocked, by time.Duration) {
		one(t, c.passes(5*time.Second), decode.Accepted)
		c.set(by)
		if told := c.passes(time.Second); len(told) > 0 {
			t.Fatalf("told again what is as it was: %+v", told[0])
		}
		c.d.send(fromBroker, fin|ack, nil)
		c.come()
		s := one(t, c.passes(200*time.Millisecond), decode.Accepted)
		near(t, "silence", s.LastFromClient, s.BrokerClosed, 6*time.Second)
		near(t, "session", s.ConnackAt, s.Closed, 6*time.Second)
		if s.ClosedBy != decode.Broker {
			t.Errorf("closed by %s", s.ClosedBy)
		}
	})
}

// What waits for an answer is told when it has waited as long as any other.
func TestClockSetWhileNobodyAnswers(t *testing.T) {
	for _, test := range []struct {
		name   string
		dialog func() *dialog
		told   time.Duration
		want   decode.Outcome
	}{
		{"SYN", func() *dialog { return newDialog().send(fromClient, syn, nil) }, 10 * time.Second, decode.Refused},
		{"CONNECT", func() *dialog { return asked().send(fromBroker, ack, nil) }, 30 * time.Second, decode.Unanswered},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachClock(t, test.dialog, func(t *testing.T, c *clocked, by time.Duration) {
				told := c.passes(5 * time.Second)
				c.set(by)
				if told = append(told, c.passes(test.told-5100*time.Millisecond)...); len(told) > 0 {
					t.Fatalf("told too early: %s", told[0].Outcome)
				}
				s := one(t, c.passes(300*time.Millisecond), test.want)
				near(t, "silence", s.Last, s.CaptureEnd, test.told-100*time.Millisecond)
			})
		})
	}
}

// What a CONNECT that is a moment old comes to is not known when the capture ends.
func TestClockSetBeforeTheEnd(t *testing.T) {
	eachClock(t, func() *dialog { return asked().send(fromBroker, ack, nil) }, func(t *testing.T, c *clocked, by time.Duration) {
		c.set(by)
		c.d.wait(20 * time.Millisecond)
		c.decoder.Tell(c.d.now.UnixNano(), true)
		c.decoder.Close()
		if len(c.early) > 0 {
			t.Errorf("told %s", c.early[0].Outcome)
		}
		one(t, c.ended, decode.Unknown)
	})
}

// A connection that has closed waits for stragglers as long as any other.
func TestClockSetWhileLingering(t *testing.T) {
	ends := func() *dialog { return accepted().send(fromClient, fin|ack, nil).send(fromBroker, fin|ack, nil) }
	eachClock(t, ends, func(t *testing.T, c *clocked, by time.Duration) {
		c.passes(time.Second)
		c.set(by)
		c.passes(900 * time.Millisecond)
		if len(c.ended) > 0 {
			t.Fatal("it ended early")
		}
		c.passes(200 * time.Millisecond)
		if s := one(t, c.ended, decode.Accepted); s.ClosedBy != decode.Client || s.Has(decode.NoteRetransmitted) {
			t.Errorf("closed by %s, notes %v", s.ClosedBy, s.Notes)
		}
	})
}

// A connection of after is told as soon as one of before.
func TestClockSetThenAsBefore(t *testing.T) {
	eachClock(t, accepted, func(t *testing.T, c *clocked, by time.Duration) {
		c.passes(time.Second)
		c.set(by)
		c.passes(10 * time.Millisecond)
		next := newDialog()
		next.client, next.now = netip.MustParseAddrPort("10.0.0.5:51235"), c.d.now
		next.send(fromClient, syn, nil).send(fromBroker, syn|ack, nil).send(fromClient, ack, connect("b")).send(fromBroker, ack, connackOK)
		c.add(next.packets)
		c.d.now = next.now
		if told := c.passes(140 * time.Millisecond); len(told) > 0 {
			t.Fatal("told before it was settled")
		}
		s := one(t, c.passes(20*time.Millisecond), decode.Accepted)
		if s.Client != next.client || s.ConnackAt.Sub(s.Opened) != 3*time.Millisecond {
			t.Errorf("told the session of %s, accepted after %s", s.Client, s.ConnackAt.Sub(s.Opened))
		}
	})
}

// A clock that is set twice in a moment is followed.
func TestClockSetTwice(t *testing.T) {
	c := &clocked{watch(decode.Bounds{}), asked()}
	c.come()
	c.set(10 * year)
	c.d.wait(5 * time.Millisecond)
	c.set(-10*year + time.Hour)
	c.d.wait(5*time.Millisecond).send(fromBroker, ack, connackOK)
	c.come()
	s := one(t, c.passes(200*time.Millisecond), decode.Accepted)
	if got := s.ConnackAt.Sub(s.ConnectAt); got != 11*time.Millisecond {
		t.Errorf("the CONNACK came after %s, want 11 ms", got)
	}
}

// With nothing captured yet there is nothing to move.
func TestClockSetFirst(t *testing.T) {
	w := watch(decode.Bounds{})
	d := accepted()
	w.decoder.ClockSet(d.now.Add(-time.Second).UnixNano(), 56*year)
	w.decoder.AddBatch(&capture.Batch{})
	s := one(t, w.after(d.packets, 200*time.Millisecond), decode.Accepted)
	if s.Opened.Time().Year() != 2026 {
		t.Errorf("opened %s", s.Opened.Time())
	}
}
