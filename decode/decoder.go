package decode

import (
	"net/netip"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode/dns"
	"github.com/mqttriage/mqttriage/decode/link"
	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/decode/tcp"
	"github.com/mqttriage/mqttriage/decode/tls"
	"github.com/mqttriage/mqttriage/decode/ws"
)

// Options says which capture is decoded and what is known beforehand.
type Options struct {
	// Capture is the capture's name, Index its number in the run, from 1.
	Capture string
	Index   int
	// Ports are further ports that belong to brokers, beside 1883 and 8883.
	Ports []uint16
	// Keys are secrets of TLS connections that come from elsewhere than the
	// capture. They are only read.
	Keys *tls.Keys
	// Bounds are on what is kept at once.
	Bounds Bounds
	// Early, where not nil, is called by Tell with sessions of connections that
	// have not ended. When more is known of one it gets another session with the same
	// Number, and so does emit in the end.
	Early func(*Session)
}

// Bounds are on what a decoder keeps at once. Zero values are for files, of which
// one is read at a time on a machine of some size.
type Bounds struct {
	// Connections may be open at once, beyond which one of the least recently used is given
	// up; 0 means 131,072.
	Connections int
	// Memory is how many bytes may wait for the rest of something, about: packets
	// behind a hole, a CONNECT that is not whole; 0 means some 100 MiB.
	Memory int
}

func (b Bounds) table() tcp.Options {
	return tcp.Options{
		MaxConns: b.Connections, MaxAlone: b.Connections / 4, MaxEnded: b.Connections / 4, MaxClosed: b.Connections / 4,
		MaxBuffered: b.Memory / 4,
	}
}

// Stats counts what one capture held.
type Stats struct {
	// Packets were added, Segments of them were TCP.
	Packets, Segments int64
	// Connections are TCP connections. Evicted of them were given up while they
	// were open, because too many were.
	Connections, Evicted int64
	// Undecoded counts the packets that gave no TCP segment, by reason.
	Undecoded map[string]int64
}

// Decoder turns the packets of one capture into sessions.
type Decoder struct {
	opts   Options
	origin *Origin
	emit   func(*Session)
	link   *link.Decoder
	parser mqtt.Parser
	table  *tcp.Table

	packets, segments int64
	undecoded         [link.Reasons]int64
	// end is the latest packet so far.
	end Event
	// names are addresses' names from DNS answers, at most maxNames.
	names map[netip.Addr]string
	// spare are followers that can be used again.
	spare []*follower
	// keys are the secrets of TLS connections, inflaters what may be spent on
	// compressed WebSockets.
	keys         tls.Keys
	certificates tls.Certificates
	inflaters    ws.Budget
	// held is how many bytes of memory wait in all connections, see maxHeld.
	held, maxHeld int
	// reset is how the clock of the packets was set a moment ago.
	reset reset
	// untold is used by Tell, again and again.
	untold []untold
	// settling settles connections that have ended; nil when that is done at
	// once.
	settling *settling
}

// maxNames bounds the names kept from DNS answers.
const maxNames = 16384

// New returns a decoder for one capture. It calls emit once for every TCP
// connection, when that has ended or at Close; the session is emit's to keep.
// Within Read emit may run on another goroutine, one call after the other; all
// calls are over when Read returns. The sessions' Origin has its names after
// that.
func New(opts Options, emit func(*Session)) *Decoder {
	d := &Decoder{opts: opts, emit: emit, link: link.NewDecoder()}
	d.origin = &Origin{Capture: opts.Capture, Index: opts.Index}
	d.keys.Base = opts.Keys
	d.names = map[netip.Addr]string{}
	d.maxHeld = maxHeld
	if m := opts.Bounds.Memory; m > 0 {
		d.maxHeld, d.parser.Limit, d.inflaters.Limit = m/2, m/8, m/4
	}
	table := opts.Bounds.table()
	table.Open = d.open
	d.table = tcp.NewTable(table)
	return d
}

// AddSecrets takes key-log lines that the capture itself brings, before the
// packets of the connections that they belong to. Read does that by itself.
func (d *Decoder) AddSecrets(log []byte) { d.keys.Add(log) }

// Add takes the next packet. It never fails: what cannot be decoded is counted
// by reason.
func (d *Decoder) Add(p capture.Packet) {
	var f frame
	d.frame(&p, &f)
	d.follow(&f, tcp.Place{})
}

// A frame is a packet whose layers are undone.
type frame struct {
	segment link.Segment
	at      tcp.Mark
	hash    uint32 // of the segment's endpoints
	reason  link.Reason
	skipped bool // the payload is whole MQTT packets that no handshake has
}

// frame undoes a packet's layers. It changes nothing in the decoder but its
// layers, so that it can run ahead of follow.
func (d *Decoder) frame(p *capture.Packet, f *frame) {
	f.at = tcp.Mark{Number: p.Number, Nano: p.Nano}
	if f.reason = d.link.Decode(p, &f.segment); f.reason == link.OK {
		f.hash = d.table.Hash(&f.segment)
		f.skipped = mqtt.Skipped(f.segment.Payload)
	}
}

// follow takes the next frame to its connection, which may be at a place.
func (d *Decoder) follow(f *frame, at tcp.Place) {
	d.packets++
	if f.at.Nano >= d.end.Nano {
		d.end = event(f.at)
	}
	if n := int64(f.segment.Fragments); n > 0 && f.reason != link.Fragment && f.reason != link.Overlap {
		d.undecoded[link.Fragment] -= n - 1 // they were waiting for this one
	}
	switch f.reason {
	case link.OK:
		d.segments++
		d.table.AddAt(at, &f.segment, f.hash, f.skipped, f.at)
	case link.UDP:
		d.undecoded[link.NotTCP]++
		if f.segment.Src.Port == dnsPort {
			dns.Answers(f.segment.Payload, d.learnName)
		}
	default:
		d.undecoded[f.reason]++
	}
}

const dnsPort = 53

// learnName keeps the first name of an address.
func (d *Decoder) learnName(name string, addr netip.Addr) {
	if _, known := d.names[addr]; !known && len(d.names) < maxNames {
		d.names[addr] = name
	}
}

// Close ends the capture: what is still open is emitted.
func (d *Decoder) Close() {
	d.table.Flush()
	if d.settling != nil {
		d.settling.finish()
		d.settling = nil
	}
	d.origin.Names = d.names
}

// Stats counts what was added so far.
func (d *Decoder) Stats() Stats {
	s := Stats{Packets: d.packets, Segments: d.segments, Connections: d.table.Connections(), Evicted: d.table.Stats().Evicted, Undecoded: map[string]int64{}}
	for reason, n := range d.undecoded {
		if n > 0 {
			s.Undecoded[link.Reason(reason).String()] = n
		}
	}
	return s
}

// maxSpare bounds the followers kept for later connections.
const maxSpare = 4096

func (d *Decoder) open(c *tcp.Conn) tcp.Handler {
	if n := len(d.spare); n > 0 {
		f := d.spare[n-1]
		d.spare = d.spare[:n-1]
		return f
	}
	return &follower{d: d}
}

// ended makes a session of a connection, now or soon.
func (d *Decoder) ended(e ending) {
	if d.settling != nil {
		d.settling.add(e)
		return
	}
	d.emit(e.settle())
	e.clear()
	d.reuse(e)
}

// clear forgets the connection.
func (e *ending) clear() { *e.c, *e.f = tcp.Conn{}, follower{d: e.f.d} }

// reuse keeps what a connection was followed with for a later one.
func (d *Decoder) reuse(e ending) {
	d.table.Reuse(e.c)
	if len(d.spare) < maxSpare {
		d.spare = append(d.spare, e.f)
	}
}

// IsBrokerPort reports whether a port is a broker's by itself: MQTT's two
// registered ports and those that the user named.
func IsBrokerPort(port uint16, more []uint16) bool {
	if port == 1883 || port == 8883 {
		return true
	}
	for _, p := range more {
		if p == port {
			return true
		}
	}
	return false
}
