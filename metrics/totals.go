package metrics

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/decode/link"
)

// Capture is what was captured since the beginning.
type Capture struct {
	// Packets and Bytes were read: bytes as on the wire.
	Packets, Bytes uint64
	// Freezes counts how often the ring of an interface was full.
	Freezes uint64
	// Interfaces are those that are captured, each name once.
	Interfaces []Interface
	// Undecoded counts the packets that gave no TCP segment, by reason, as
	// decode.Stats has them.
	Undecoded map[string]int64
	// Connections counts the TCP connections, Open those that are open.
	Connections, Open uint64
}

// Interface is how the capture of one interface is.
type Interface struct {
	Name string
	// Up says that packets may come.
	Up bool
	// Received counts the packets that passed the filter and came into the ring,
	// Dropped those that found no room there.
	Received, Dropped uint64
}

// EvictionKinds are what is given up oldest first when there is too much of it.
var EvictionKinds = []string{"connections", "sessions", "client-ids", "findings", "evidence"}

// totals are what others count, who tell the whole figure every time.
type totals struct {
	mu       sync.Mutex
	capture  Capture
	evicted  map[string]uint64
	evidence struct{ written, lost, files uint64 }
	findings map[findingLabels]int
	// shown counts for each symptom the sessions that showed it: the most that
	// were told.
	shown map[string]uint64
}

func newTotals() *totals {
	t := &totals{evicted: map[string]uint64{}, findings: map[findingLabels]int{}, shown: map[string]uint64{}}
	for _, symptom := range analyze.Symptoms() {
		t.shown[symptom] = 0
	}
	return t
}

// Capture sets what was captured since the beginning.
func (m *Metrics) Capture(c Capture) {
	c.Interfaces, c.Undecoded = slices.Clone(c.Interfaces), maps.Clone(c.Undecoded)
	m.totals.mu.Lock()
	defer m.totals.mu.Unlock()
	m.totals.capture = c
}

// Evictions sets how many of a kind, one of EvictionKinds, were given up since
// the beginning.
func (m *Metrics) Evictions(kind string, total uint64) {
	m.totals.mu.Lock()
	defer m.totals.mu.Unlock()
	m.totals.evicted[kind] = total
}

// Evidence sets how many packets were written since the beginning, how many could not
// be, and how many files were begun.
func (m *Metrics) Evidence(written, lost, files uint64) {
	m.totals.mu.Lock()
	defer m.totals.mu.Unlock()
	m.totals.evidence.written, m.totals.evidence.lost, m.totals.evidence.files = written, lost, files
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+name, help, labels, nil)
}

var (
	packetsDesc     = describe("packets_total", "Packets that passed the filter, by interface.", "interface")
	droppedDesc     = describe("dropped_packets_total", "Packets that were lost because they were not read fast enough, by interface.", "interface")
	upDesc          = describe("interface_up", "1 while packets may come from the interface, 0 while it is down or away.", "interface")
	freezesDesc     = describe("ring_freezes_total", "How often the ring of an interface was full.")
	readDesc        = describe("read_packets_total", "Packets that were read.")
	bytesDesc       = describe("read_bytes_total", "Bytes of the packets that were read, as on the wire.")
	undecodedDesc   = describe("undecoded_packets_total", "Packets that gave no TCP segment, by reason.", "reason")
	connectionsDesc = describe("connections_total", "TCP connections.")
	openDesc        = describe("open_connections", "TCP connections that are followed now.")
	evictionsDesc   = describe("evictions_total", "What was given up, oldest first, to stay within the bounds of memory and files, by kind.", "kind")
	writtenDesc     = describe("evidence_packets_total", "Packets of handshakes that were written.")
	lostDesc        = describe("evidence_lost_packets_total", "Packets of handshakes that could not be written.")
	filesDesc       = describe("evidence_files_total", "Files that were begun for the packets of handshakes.")
	findingsDesc    = describe("findings", "Findings since the beginning, by symptom and severity.", "symptom", "severity")
	shownDesc       = describe("finding_sessions_total", "Sessions that show a finding, by symptom.", "symptom")
)

// Describe tells which metrics Collect gives.
func (t *totals) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		packetsDesc, droppedDesc, upDesc, freezesDesc, readDesc, bytesDesc, undecodedDesc, connectionsDesc, openDesc,
		evictionsDesc, writtenDesc, lostDesc, filesDesc, findingsDesc, shownDesc,
	} {
		ch <- d
	}
}

// Collect gives the metrics as they are now. What has labels is there from the
// beginning, as 0: the rate of a series begins with its second sample, and would
// miss what came first.
func (t *totals) Collect(ch chan<- prometheus.Metric) {
	t.mu.Lock()
	defer t.mu.Unlock()
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	c := &t.capture
	for _, i := range c.Interfaces {
		// Linux takes any bytes for a name.
		name := strings.ToValidUTF8(i.Name, "\uFFFD")
		count(packetsDesc, i.Received, name)
		count(droppedDesc, i.Dropped, name)
		up := uint64(0)
		if i.Up {
			up = 1
		}
		gauge(upDesc, up, name)
	}
	count(freezesDesc, c.Freezes)
	count(readDesc, c.Packets)
	count(bytesDesc, c.Bytes)
	for r := link.OK + 1; r < link.Reasons; r++ {
		count(undecodedDesc, uint64(c.Undecoded[r.String()]), r.String())
	}
	count(connectionsDesc, c.Connections)
	gauge(openDesc, c.Open)
	for _, kind := range EvictionKinds {
		count(evictionsDesc, t.evicted[kind], kind)
	}
	count(writtenDesc, t.evidence.written)
	count(lostDesc, t.evidence.lost)
	count(filesDesc, t.evidence.files)
	for l, n := range t.findings {
		gauge(findingsDesc, uint64(n), l.symptom, l.severity)
	}
	for symptom, n := range t.shown {
		count(shownDesc, n, symptom)
	}
}
