package decode

import (
	"fmt"
	"hash/maphash"
	"time"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode/link"
	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/decode/tcp"
)

// A stage is how far a connection is: a set of what it has shown.
type stage uint8

const (
	answered stage = 1 << iota // CONNACK
	disconnected
	alerted
	clientEnded
	brokerEnded
	refused
	// waiting: nothing came for so long that this is worth telling.
	waiting
)

const (
	// synPatience is how long after the first SYN it is told that nobody answers:
	// three more have been sent by then (RFC 6298 §2, §5.5: after 1, 3 and 7 s).
	synPatience = 10 * time.Second
	// connackPatience is the same for a CONNECT without an answer: longer than the
	// slowest broker that still lets clients in, as far as any is known.
	connackPatience = 30 * time.Second
	// settled is how old news must be to be told, so that a FIN which overtook what was
	// sent before it is not told as if that had been lost. Where anything is told, so
	// is what is nearly as old: of a takeover both sessions.
	settled       = 150 * time.Millisecond
	nearlySettled = 80 * time.Millisecond
)

// AddBatch takes the packets of a batch.
func (d *Decoder) AddBatch(b *capture.Batch) {
	for _, log := range b.Secrets {
		d.AddSecrets(log)
	}
	for packets := b.Packets; len(packets) > 0; {
		group := packets[:min(len(packets), lookAhead)]
		packets = packets[len(group):]
		var frames [lookAhead]frame
		var places [lookAhead]tcp.Place
		for i := range group {
			d.frame(&group[i], &frames[i])
			if d.reset.by != 0 {
				frames[i].at.Nano = d.reset.stamp(frames[i].at.Nano)
			}
		}
		for i := range group {
			places[i] = d.table.Look(frames[i].hash)
		}
		for i := range group {
			d.follow(&frames[i], places[i])
		}
	}
}

// Tell passes Options.Early the sessions of connections that have not ended and show
// something new: an answer, an end of one side, or that nothing comes. It ends those
// that closed a while ago. now is the present in nanoseconds since 1970, by the clock of
// the packets: where none come, silence lasts all the same. What is a moment old only is left
// for the next time, unless all is asked for. It looks at every open
// connection, and is to be called a few times a second.
func (d *Decoder) Tell(now int64, all bool) {
	if now > d.end.Nano {
		d.end.Nano = now
	}
	d.reset.passes(now)
	d.table.Advance(now)
	d.untold = d.untold[:0]
	due := all
	d.table.Each(func(c *tcp.Conn, handler tcp.Handler) {
		f, _ := handler.(*follower)
		s, since := d.stage(c, f, now)
		if f == nil {
			if s == 0 {
				return
			}
			f, _ = d.table.Follow(c).(*follower)
		}
		// What is missing behind the handshake takes nothing from what is told early.
		if s == f.stage || (f.connack == nil || !f.connectAt.Seen()) && !c.Whole() {
			return
		}
		age := now - since
		if age < -int64(time.Second) {
			age = int64(settled) // the clock was set back
		}
		due = due || age >= int64(settled)
		if all || age >= int64(nearlySettled) {
			d.untold = append(d.untold, untold{c, f, s})
		}
	})
	for i, u := range d.untold {
		if due {
			u.f.stage = u.stage
			d.tell(u.c, u.f)
		}
		d.untold[i] = untold{}
	}
}

// untold is a connection of which there is news.
type untold struct {
	c     *tcp.Conn
	f     *follower
	stage stage
}

// stage is how far a connection is that may be a session's, and since when.
func (d *Decoder) stage(c *tcp.Conn, f *follower, now int64) (s stage, since int64) {
	ours := IsBrokerPort(c.Port(0), d.opts.Ports) || IsBrokerPort(c.Port(1), d.opts.Ports)
	if !ours && (f == nil || !f.mqtt) {
		return 0, 0
	}
	reach := func(this stage, seen bool, nano int64) {
		if seen {
			s |= this
			since = max(since, nano)
		}
	}
	reach(refused, c.Refused.Seen(), c.Refused.Nano)
	for side, ended := range [...]stage{clientEnded, brokerEnded} {
		by := &c.Closings[side]
		reach(ended, by.FIN.Seen(), by.FIN.Nano)
		reach(ended, by.RST.Seen(), by.RST.Nano)
	}
	if f == nil || !c.Sides[0].LastData.Seen() && !c.Sides[1].LastData.Seen() {
		late := c.Syn.Nano + int64(synPatience)
		reach(waiting, c.HasSYN && !c.HasSYNACK && s == 0 && now > late, late-int64(settled))
		return s, since
	}
	late := f.connectAt.Nano + int64(connackPatience)
	reach(waiting, f.connack == nil && f.connectAt.Seen() && s == 0 && now > late, late-int64(settled))
	reach(answered, f.connack != nil, f.connackAt.Nano)
	reach(disconnected, f.disconnect != nil, f.disconnectAt.Nano)
	if f.secure != nil {
		reach(alerted, f.secure.out.Alert != "", f.secure.out.AlertAt.Nano)
	}
	return s, since
}

// tell makes the session as it is known so far. It is the receiver's: nothing in it
// changes any more.
func (d *Decoder) tell(c *tcp.Conn, f *follower) {
	// Guesses that are made at the end are not to stay with the connection.
	now := *f
	if f.rare != nil {
		rare := *f.rare
		now.rare = &rare
	}
	e := ending{c: c, f: &now, ends: [2]link.Endpoint{c.Endpoint(0), c.Endpoint(1)}, at: d.end}
	d.opts.Early(e.look())
}

// maxLiveID is how much of a client ID is kept where memory is bounded, in bytes: no device has
// one as long, and a flood of the longest would fill the memory.
const maxLiveID = 1000

// shortened is a CONNECT whose client ID is no longer than that and a hash of the rest.
func shortened(c *mqtt.Connect) *mqtt.Connect {
	if len(c.ClientID) <= maxLiveID {
		return c
	}
	short := *c
	short.ClientID = c.ClientID[:maxLiveID] + fmt.Sprintf("…%016x", maphash.String(idSeed, c.ClientID))
	return &short
}

var idSeed = maphash.MakeSeed()
