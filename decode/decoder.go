package decode

import (
	"net/netip"
	"time"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode/dns"
	"github.com/mqttriage/mqttriage/decode/link"
	"github.com/mqttriage/mqttriage/decode/tcp"
)

// Options says which capture is decoded and what is known beforehand.
type Options struct {
	// Capture is the capture's name, Index its number in the run, from 1.
	Capture string
	Index   int
	// Ports are further ports that belong to brokers, beside 1883 and 8883.
	Ports []uint16
	// Names gives an address's name where the capture's own blocks have one,
	// else ""; may be nil.
	Names func(netip.Addr) string
}

// Stats counts what one capture held.
type Stats struct {
	// Packets were added, Segments of them were TCP.
	Packets, Segments int
	// Connections are TCP connections. Evicted of them were given up while they
	// were open, because too many were.
	Connections, Evicted int
	// Undecoded counts the packets that gave no TCP segment, by reason.
	Undecoded map[string]int
}

// Decoder turns the packets of one capture into sessions.
type Decoder struct {
	opts   Options
	origin *Origin
	emit   func(*Session)
	link   *link.Decoder
	seg    link.Segment
	table  *tcp.Table

	packets, segments int
	undecoded         [link.Reasons]int
	// end is the latest packet so far.
	end Event
	// names are addresses' names from DNS answers, at most maxNames.
	names map[netip.Addr]string
}

// maxNames bounds the names kept from DNS answers.
const maxNames = 16384

// New returns a decoder for one capture. It calls emit once for every TCP
// connection, when that has ended or at Close; the session is emit's to keep.
func New(opts Options, emit func(*Session)) *Decoder {
	d := &Decoder{opts: opts, origin: &Origin{opts.Capture, opts.Index}, emit: emit, link: link.NewDecoder(), names: map[netip.Addr]string{}}
	d.table = tcp.NewTable(tcp.Options{Open: d.open})
	return d
}

// Add takes the next packet. It never fails: what cannot be decoded is counted
// by reason.
func (d *Decoder) Add(p capture.Packet) {
	d.packets++
	if nano := nanos(p.Time); nano >= d.end.Nano {
		d.end = Event{Packet: p.Number, Nano: nano}
	}
	switch reason := d.link.Decode(p, &d.seg); reason {
	case link.OK:
	case link.UDP:
		d.undecoded[link.NotTCP]++
		if d.seg.Src.Port() == dnsPort {
			dns.Answers(d.seg.Payload, d.learnName)
		}
		return
	default:
		d.undecoded[reason]++
		return
	}
	d.segments++
	d.table.Add(&d.seg, tcp.MarkAt(p.Number, p.Time))
}

const dnsPort = 53

// learnName keeps the first name of an address.
func (d *Decoder) learnName(name string, addr netip.Addr) {
	if _, known := d.names[addr]; !known && len(d.names) < maxNames {
		d.names[addr] = name
	}
}

// nameOf is an address's name by the capture's own blocks, else by DNS.
func (d *Decoder) nameOf(addr netip.Addr) string {
	if d.opts.Names != nil {
		if name := d.opts.Names(addr); name != "" {
			return name
		}
	}
	return d.names[addr]
}

// Close ends the capture: what is still open is emitted.
func (d *Decoder) Close() { d.table.Flush() }

// Stats counts what was added so far.
func (d *Decoder) Stats() Stats {
	s := Stats{Packets: d.packets, Segments: d.segments, Connections: d.table.Connections(), Evicted: d.table.Stats().Evicted, Undecoded: map[string]int{}}
	for reason, n := range d.undecoded {
		if n > 0 {
			s.Undecoded[link.Reason(reason).String()] = n
		}
	}
	return s
}

func (d *Decoder) open(c *tcp.Conn) tcp.Handler {
	return &follower{d: d}
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
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
