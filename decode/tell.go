package decode

import (
	"time"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode/link"
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
	// pending: the rest was seen by the last Tell.
	pending
)

const (
	// synPatience is how long after the first SYN it is told that nobody answers:
	// three more have been sent by then (RFC 6298 §2, §5.5: after 1, 3 and 7 s).
	synPatience = 10 * time.Second
	// connackPatience is the same for a CONNECT without an answer: longer than the
	// slowest broker that still lets clients in, as far as any is known.
	connackPatience = 30 * time.Second
	// settled is for how long nothing must have come of a connection before it is
	// told early, so that a FIN which overtook what was sent before it is not told
	// as if that had been lost.
	settled = 50 * time.Millisecond
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
// the packets: where none come, silence lasts all the same. It looks at every open
// connection, and is to be called a few times a second.
func (d *Decoder) Tell(now int64) {
	if now > d.end.Nano {
		d.end.Nano = now
	}
	d.table.Advance(now)
	d.table.Each(func(c *tcp.Conn, handler tcp.Handler) {
		f, _ := handler.(*follower)
		s := d.stage(c, f, now)
		if f == nil {
			if s == 0 {
				return
			}
			f, _ = d.table.Follow(c).(*follower)
		}
		if s == f.stage&^pending {
			return
		}
		if f.stage&pending == 0 && s&waiting == 0 {
			f.stage |= pending // what follows at once is to be told with it
			return
		}
		// What is missing behind the handshake takes nothing from what is told early.
		if f.connack == nil && !c.Whole() || now-c.Last.Nano < int64(settled) {
			return
		}
		f.stage = s
		d.tell(c, f)
	})
}

// stage is how far a connection is that may be a session's.
func (d *Decoder) stage(c *tcp.Conn, f *follower, now int64) (s stage) {
	ours := IsBrokerPort(c.Port(0), d.opts.Ports) || IsBrokerPort(c.Port(1), d.opts.Ports)
	if !ours && (f == nil || !f.mqtt) {
		return 0
	}
	if c.Refused.Seen() {
		s |= refused
	}
	for side, ended := range [...]stage{clientEnded, brokerEnded} {
		if c.Closings[side].FIN.Seen() || c.Closings[side].RST.Seen() {
			s |= ended
		}
	}
	if f == nil || !c.Sides[0].LastData.Seen() && !c.Sides[1].LastData.Seen() {
		if c.HasSYN && !c.HasSYNACK && s == 0 && now-c.Syn.Nano > int64(synPatience) {
			s |= waiting
		}
		return s
	}
	if f.connack != nil {
		s |= answered
	} else if f.connectAt.Seen() && s == 0 && now-f.connectAt.Nano > int64(connackPatience) {
		s |= waiting
	}
	if f.disconnect != nil {
		s |= disconnected
	}
	if f.secure != nil && f.secure.out.Alert != "" {
		s |= alerted
	}
	return s
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
