package decode

import (
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode/link"
	"github.com/mqttriage/mqttriage/decode/tcp"
)

// A Tracer goes through a capture as a Decoder does, and tells of every packet
// which connection it belongs to. Its connections have the numbers that the
// sessions of a Decoder with the same Options have.
type Tracer struct {
	d     *Decoder
	watch func(*tcp.Conn) tcp.Handler
	all   bool
	f     frame
}

// NewTracer returns a Tracer for one capture. watch, where not nil, is called
// once for a connection and may return who is told what the Decoder is told of
// it, nil for nobody. Unless TellAll is called, payloads that a Decoder need not see are not told, see
// [tcp.Conn].Skip: they are whole MQTT packets that no handshake has.
func NewTracer(opts Options, watch func(*tcp.Conn) tcp.Handler) *Tracer {
	t := &Tracer{watch: watch}
	t.d = New(opts, func(*Session) {})
	table := opts.Bounds.table()
	table.Open = t.open
	t.d.table = tcp.NewTable(table)
	return t
}

// TellAll says that watchers are to be told all payloads.
func (t *Tracer) TellAll() { t.all = true }

// Traced is what a packet turned out to be. It is valid until the next one.
type Traced struct {
	// Reason is OK for a TCP segment, which Segment then is.
	Reason  link.Reason
	Segment *link.Segment
	// Hash is the same for all segments of a 4-tuple.
	Hash uint32
	// Conn is the connection, nil for a straggler of one that has ended; From
	// is the side that sent the segment.
	Conn *tcp.Conn
	From tcp.Side
}

// Add takes the next packet.
func (t *Tracer) Add(p *capture.Packet) Traced {
	t.d.frame(p, &t.f)
	t.d.follow(&t.f, tcp.Place{})
	traced := Traced{Reason: t.f.reason, Segment: &t.f.segment, Hash: t.f.hash}
	if t.f.reason == link.OK {
		traced.Conn, traced.From = t.d.table.Conn(&t.f.segment, t.f.hash)
	}
	return traced
}

// Close ends the capture: whoever watches a connection is told that it ended.
func (t *Tracer) Close() { t.d.Close() }

func (t *Tracer) open(c *tcp.Conn) tcp.Handler {
	f := t.d.open(c)
	if t.watch == nil {
		return f
	}
	if w := t.watch(c); w != nil {
		return &watched{f, w, t.all}
	}
	return f
}

// watched tells two handlers of one connection.
type watched struct {
	follower, watcher tcp.Handler
	all               bool
}

func (w *watched) Data(c *tcp.Conn, from tcp.Side, p []byte, m tcp.Mark) {
	w.watcher.Data(c, from, p, m)
	w.follower.Data(c, from, p, m)
	c.Skip[from] = c.Skip[from] && !w.all
}

func (w *watched) Gap(c *tcp.Conn, from tcp.Side, n int64, cut bool, m tcp.Mark) {
	w.watcher.Gap(c, from, n, cut, m)
	w.follower.Gap(c, from, n, cut, m)
}

// End tells the follower last, which gives the connection away.
func (w *watched) End(c *tcp.Conn) {
	w.watcher.End(c)
	w.follower.End(c)
}
