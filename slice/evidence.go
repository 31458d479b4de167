package slice

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"net/netip"
	"time"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/dns"
	"github.com/mqttriage/mqttriage/decode/link"
	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/decode/tcp"
)

// EvidenceOptions say where the evidence of a live capture is kept, and how much of
// it. Zero values mean the defaults.
type EvidenceOptions struct {
	// File is what the files are called after: evidence.pcapng gives
	// evidence-20261122T224501Z.pcapng and so on, in a directory that exists.
	File string
	// MaxSize is how large a file becomes, in bytes; default 10 MiB. MaxFiles is how many
	// are kept, default 10. MaxAge is how long packets go into one file, default 24 h.
	MaxSize  int64
	MaxFiles int
	MaxAge   time.Duration
	// Ports are brokers' ports beside 1883 and 8883.
	Ports []uint16
	// Redact replaces names and addresses as well, see Options. Key is what
	// pseudonyms and tags are made under; without one it is drawn.
	Redact bool
	Key    []byte
	// Connections are how many are followed at once; default 16,384.
	Connections int
	// Memory is how many bytes of packets may wait until it is known what is secret
	// in them; default 8 MiB.
	Memory int
	// Hold is how long a packet waits for that at most; default 5 s.
	Hold time.Duration

	now func() time.Time
}

const (
	defaultMaxSize     = 10 << 20
	defaultMaxFiles    = 10
	defaultMaxAge      = 24 * time.Hour
	defaultConnections = 1 << 14
	defaultMemory      = 8 << 20
	defaultHold        = 5 * time.Second

	// Of the connections that say nothing, as a flood of SYNs opens them, so many packets are
	// written in a second, and so many at once.
	mutePerSecond = 200
	muteAtOnce    = 2000

	// maxBrokers bounds the endpoints that are known as brokers.
	maxBrokers = 1024
	// maxHosts bounds the names from DNS answers.
	maxHosts = 4096
	// maxAddresses bounds the addresses and names that pseudonyms are remembered for.
	maxAddresses = 1 << 15
)

// EvidenceStats count what has become of the packets.
type EvidenceStats struct {
	// Packets were written. Lost are those that could not be, because of errors. GivenUp
	// are packets that were left out to stay within bounds, and connections that were
	// not followed on for that.
	Packets, Lost, GivenUp uint64
	// Files were begun, Deleted of ours were to keep the number.
	Files, Deleted uint64
	// Name is the path of the file that is being written.
	Name string
}

// Evidence writes the packets of the handshakes of a live capture, with the secrets in
// them overwritten. There is only one pass: the packets of a connection
// wait until its handshake is through, or for some seconds. Its methods
// must be called by one goroutine.
type Evidence struct {
	options EvidenceOptions
	survey  survey
	link    *link.Decoder
	table   *tcp.Table
	queue   queue
	files   *rotation
	writer  *pcapfile.Writer
	// interfaces are the file's, by what they were; names are theirs.
	interfaces map[seenInterface]int
	names      []string
	brokers    map[link.Endpoint]bool
	// hosts are names from DNS answers, named those that the file has.
	hosts map[netip.Addr]string
	named map[netip.Addr]bool

	segment link.Segment
	number  int
	scratch []byte
	layers  []link.Layer
	// latest is the last packet of the capture, without its bytes; written the time of the
	// latest one written.
	latest  capture.Packet
	written int64
	// started and elapsed are by the clock of Tick.
	started time.Time
	elapsed time.Duration
	mute    float64 // packets of connections that say nothing may be written
	// parted counts the connections of which packets wait behind one that was written.
	parted int

	packets, givenUp uint64
	looked           time.Duration // when the file was last looked for
	failure          string        // the last error that was told
	trouble          error         // one between two Ticks
	finished         bool
}

// NewEvidence begins the first file. Its error says what can be done about it.
func NewEvidence(o EvidenceOptions) (*Evidence, error) {
	setDefault(&o.MaxSize, defaultMaxSize)
	setDefault(&o.MaxFiles, defaultMaxFiles)
	setDefault(&o.MaxAge, defaultMaxAge)
	setDefault(&o.Connections, defaultConnections)
	setDefault(&o.Memory, defaultMemory)
	setDefault(&o.Hold, defaultHold)
	if o.now == nil {
		o.now = time.Now
	}
	if len(o.Key) == 0 {
		o.Key = make([]byte, 32)
		rand.Read(o.Key) //nolint:errcheck // it never fails (crypto/rand, Go 1.24)
	}
	e := &Evidence{
		options: o, link: link.NewDecoder(), brokers: map[link.Endpoint]bool{}, hosts: map[netip.Addr]string{}, mute: muteAtOnce,
		survey: survey{
			tagger: tagger{o.Key}, bodies: true,
			bounds: surveyBounds{held: o.Memory / 4, spans: o.Memory / 4 / spanSize, ownSpans: 4096},
		},
	}
	if o.Redact {
		e.survey.redact = newRedactor(o.Key)
	}
	e.table = tcp.NewTable(tcp.Options{
		Open: e.open, MaxConns: o.Connections, MaxAlone: o.Connections / 4, MaxEnded: o.Connections / 4,
		MaxClosed: o.Connections / 4, MaxBuffered: o.Memory / 4,
	})
	var head bytes.Buffer
	pcapfile.NewWriter(&head, application) //nolint:errcheck // a buffer takes everything
	files, err := newRotation(&o, head.Bytes())
	if err != nil {
		return nil, err
	}
	e.files, e.started = files, o.now()
	e.begin()
	return e, nil
}

// application is what files say that they are written by.
const application = "mqttriage"

// spanSize is what a span takes, in bytes.
const spanSize = 72

func setDefault[T int | int64 | time.Duration](v *T, to T) {
	if *v <= 0 {
		*v = to
	}
}

// SetInterfaces says what the interfaces are called, by index. It is for files that
// are begun later, and for interfaces that had no packet yet.
func (e *Evidence) SetInterfaces(names []string) { e.names = names }

// Add takes the next packet, which it looks at only during the call.
func (e *Evidence) Add(p *capture.Packet) {
	e.latest.Nano, e.latest.Interface, e.latest.Link, e.latest.Length = p.Nano, p.Interface, p.Link, p.Length
	s := &e.segment
	switch e.link.Decode(p, s) {
	case link.OK:
	case link.UDP:
		if s.Src.Port == dnsPort && e.survey.redact == nil {
			dns.Answers(s.Payload, e.learnName)
		}
		return
	case link.Fragment, link.Overlap:
		e.givenUp++
		return
	default:
		return
	}
	e.number++
	control := s.Flags&(link.SYN|link.FIN|link.RST) != 0
	// What comes with a FIN is written, and must be known.
	skip := !control && mqtt.Skipped(s.Payload)
	hash := e.table.Hash(s)
	e.table.AddAt(tcp.Place{}, s, hash, skip, tcp.Mark{Number: e.number, Nano: p.Nano})
	c, from := e.table.Conn(s, hash)
	if c == nil {
		return // sent again after the end
	}
	g, _ := e.table.Follow(c).(*dialog)
	if g == nil {
		return
	}
	if g.through && skip && c.Skip[from] {
		g.remember(p, s, from, !g.stream.dirs[from].mqtt.framer.Lost())
		return
	}
	g.take(p, s, from, control)
}

const dnsPort = 53

// learnName keeps the first name of an address, as the decoder does.
func (e *Evidence) learnName(name string, addr netip.Addr) {
	if _, known := e.hosts[addr]; !known && len(e.hosts) < maxHosts {
		e.hosts[addr] = name
	}
}

// nameHosts writes what the ends of a connection are called, once a file.
func (e *Evidence) nameHosts(g *dialog) {
	if len(e.hosts) == 0 {
		return
	}
	for _, end := range g.ends {
		addr := end.AddrPort().Addr()
		if name, known := e.hosts[addr]; known && !e.named[addr] {
			e.named[addr] = true
			e.writer.Name(addr, name) //nolint:errcheck // one that is too long is left out
		}
	}
}

// Tick says what time it is, by which what waits long enough is written. It is to be called
// some times a second. An error says why files are not written; it is told once, and
// writing is tried again.
func (e *Evidence) Tick(now time.Time) error {
	before := e.elapsed
	e.elapsed = now.Sub(e.started)
	if e.elapsed > before {
		e.mute = min(muteAtOnce, e.mute+mutePerSecond*(e.elapsed-before).Seconds())
	}
	e.table.Advance(now.UnixNano())
	if r := e.survey.redact; r != nil && (len(r.taken) > maxAddresses || len(r.names) > maxAddresses) {
		e.survey.redact = newRedactor(r.key)
	}
	e.latest.Nano = max(e.latest.Nano, now.UnixNano())
	e.release(false)
	err := cmp.Or(e.keep(now), e.trouble)
	e.trouble = nil
	return e.told(err)
}

// keep has the files as they should be.
func (e *Evidence) keep(now time.Time) error {
	if e.files.file != nil && e.elapsed-e.looked >= syncEvery && e.files.gone() {
		e.files.abandon()
	}
	if e.files.file == nil {
		if err := e.reopen(); err != nil {
			return err
		}
	}
	if e.elapsed-e.looked >= syncEvery {
		e.looked = e.elapsed
	}
	if e.files.old(now) {
		if err := e.rotate(e.latest.Nano); err != nil {
			return err
		}
	}
	if err := e.files.flush(); err != nil {
		return err
	}
	return e.files.settle(now)
}

// told returns an error unless it was told already.
func (e *Evidence) told(err error) error {
	if err == nil {
		e.failure = ""
		return nil
	}
	if text := err.Error(); text != e.failure {
		e.failure = text
		return err
	}
	return nil
}

// Stats counts what was done so far.
func (e *Evidence) Stats() EvidenceStats {
	f := e.files
	return EvidenceStats{
		Packets: e.packets - f.lost, Lost: f.lost, GivenUp: e.givenUp,
		Files: f.files, Deleted: f.deleted, Name: f.name,
	}
}

// Finish writes what waits, and ends the file. All of it is the system's then, and outlives
// the program; that it reaches the disk is begun, and not waited for. Only Stats,
// which is final, and Close may be called after it. An error says why packets are
// lost.
func (e *Evidence) Finish() error {
	if e.finished {
		return nil
	}
	e.finished = true
	e.table.Flush()
	e.release(true)
	e.until(e.latest.Nano)
	return e.told(cmp.Or(e.files.end(), e.trouble))
}

// Close finishes, unless that was done, and waits until all of it is on the disk and
// outlives a power cut. An error of the disk says that some may not.
func (e *Evidence) Close() error {
	err := e.Finish()
	return cmp.Or(err, e.told(e.files.reap(true)))
}

// open returns who follows a connection.
func (e *Evidence) open(c *tcp.Conn) tcp.Handler { return &dialog{e: e, c: c, open: true} }

// ours reports that a connection is an MQTT client's, as far as one can tell: by the
// port, by what was said, or by what was said to the same endpoint before.
func (e *Evidence) ours(g *dialog) bool {
	return g.mqtt || decode.IsBrokerPort(g.ends[0].Port, e.options.Ports) || decode.IsBrokerPort(g.ends[1].Port, e.options.Ports) ||
		e.brokers[g.ends[0]] || e.brokers[g.ends[1]]
}

// know remembers a broker.
func (e *Evidence) know(broker link.Endpoint) {
	if len(e.brokers) < maxBrokers {
		e.brokers[broker] = true
	}
}

// begin makes the writer of a file that has been begun.
func (e *Evidence) begin() {
	e.interfaces, e.named = map[seenInterface]int{}, map[netip.Addr]bool{}
	e.writer, _ = pcapfile.NewWriter(e.files, application) // what takes the blocks never fails
	e.files.pending = e.files.pending[:0]                  // the file has its header
}

// rotate ends the file, which has the capture up to a time, and begins the next. It goes up to
// the first packet that waits, at most, for that may be an answer.
func (e *Evidence) rotate(nano int64) error {
	if e.queue.len() > 0 {
		nano = min(nano, e.queue.packets[e.queue.first].nano)
	}
	e.until(nano)
	err := e.files.next()
	e.begin()
	return err
}

// reopen begins a file where there is none.
func (e *Evidence) reopen() error {
	e.files.flush() //nolint:errcheck // there is no file: what waits is counted as lost
	err := e.files.open()
	e.begin()
	return err
}

// until says until when the capture went on, as far as the file has it: silence until
// then is part of what is known. It is an empty record of the last packet.
func (e *Evidence) until(nano int64) {
	if e.files.packets == 0 || nano <= e.written || e.latest.Length == 0 {
		return
	}
	if index, ok := e.iface(e.latest.Interface, e.latest.Link); ok {
		p := capture.Packet{Nano: nano, Length: e.latest.Length, Interface: index}
		e.writer.Packet(&p, "the capture went on until here; this packet is left out") //nolint:errcheck // see begin
	}
}

// iface is the file's interface for a packet's.
func (e *Evidence) iface(index int, link capture.LinkType) (int, bool) {
	from := seenInterface{index, link}
	if known, ok := e.interfaces[from]; ok {
		return known, true
	}
	name := ""
	if e.survey.redact == nil && index >= 0 && index < len(e.names) {
		name = e.names[index]
	}
	made, err := e.writer.Interface(link, name)
	if err != nil {
		return 0, false
	}
	e.interfaces[from] = made
	return made, true
}

// blockRoom is what a block takes beside the packet, with room for an interface and the
// record at the end.
const blockRoom = 1024

// spareShare of a file may stay empty so that it ends between two handshakes.
const spareShare = 16

// emit writes a packet.
func (e *Evidence) emit(h *held, data []byte) {
	if room := len(data) + blockRoom; e.files.full(room, 0) || e.parted == 0 && e.files.full(room, e.options.MaxSize/spareShare) {
		e.rotate(h.nano) //nolint:errcheck // Tick tries again, and tells
	}
	e.nameHosts(h.dialog)
	index, ok := e.iface(h.iface, h.link)
	p := capture.Packet{Nano: max(h.nano, 0), Length: h.length, Interface: index, Data: data}
	if !ok || e.writer.Packet(&p, "") != nil {
		e.givenUp++
		return
	}
	e.files.packets++
	e.packets++
	e.written = max(e.written, h.nano)
	if len(e.files.pending) >= flushSize {
		e.trouble = cmp.Or(e.trouble, e.files.flush()) // Tick tells
	}
}

// bound keeps the queue within its memory.
func (e *Evidence) bound() {
	if e.queue.bytes > e.options.Memory {
		e.release(false)
	}
}
