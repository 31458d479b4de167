// Package traffic writes captures of MQTT traffic that never happened, for
// benchmarks and for tests that compare what is found with what was made. The
// same options give the same bytes, and memory does not grow with the capture.
//
// A conversation is a script of steps: who sends, which TCP flags, which MQTT
// packet. A scheduler interleaves many of them, a random one's next step each
// time. A carrier wraps the MQTT bytes; a file writes the frames down.
package traffic

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
)

// Options says how much of a workload is written, and how.
type Options struct {
	// Connections is how many MQTT connections are made; 0 means the
	// workload's own number.
	Connections int
	// Seed decides everything that is drawn at random.
	Seed uint64
	// Format of the file.
	Format Format
}

// Summary counts what was written and what happened in it, which is more than
// the capture shows where packets are missing from it.
type Summary struct {
	// Packets and Bytes are those of the file.
	Packets, Bytes int64
	// Connections are MQTT's. Each is one of the next four: accepted or
	// rejected by a CONNACK, dropped without one, or refused by an RST for its
	// SYN.
	Connections, Accepted, Rejected, Dropped, Refused int
	// Takeovers are sessions that ended because another client connected with
	// the same client ID.
	Takeovers int
	// Missing packets are not in the capture, Repeated ones twice, and
	// Displaced ones later than they were sent.
	Missing, Repeated, Displaced int
}

// Workload is one kind of capture.
type Workload struct {
	Name string
	// Description is one sentence.
	Description string
	// Connections is how many there are by default.
	Connections int

	generate func(g *generator, connections int)
}

// Workloads are all there are.
func Workloads() []Workload {
	return []Workload{
		{"bulk", "Devices that connect, publish 40 messages and leave, 2,000 open at a time.", 50_000, bulk},
		{"long", "The devices of bulk, sending ten times as many packets.", 50_000, long},
		{"open", "The devices of bulk, but all connect before the first publishes, and all publish before the first leaves.", 50_000, open},
		{"storm", "Devices that come back every few seconds: most are accepted, the others rejected, dropped, refused or taken over.", 400_000, storm},
		{"mixed", "The devices of bulk as a fifth of the packets, among web traffic, IPv6, DNS, ICMP and ARP.", 5_000, mixed},
		{"lossy", "The packets of bulk with 1 % missing, 1 % repeated and 3 % up to 8 packets late.", 50_000, lossy},
	}
}

// Find returns the workload of a name.
func Find(name string) (Workload, error) {
	var names []string
	for _, w := range Workloads() {
		if w.Name == name {
			return w, nil
		}
		names = append(names, w.Name)
	}
	return Workload{}, fmt.Errorf("no workload %q; there are %s", name, strings.Join(names, ", "))
}

// maxConnections is how many client IDs of seven digits there are.
const maxConnections = 10_000_000

// Write writes the workload's capture to out.
func (w Workload) Write(out io.Writer, o Options) (Summary, error) {
	n := o.Connections
	if n == 0 {
		n = w.Connections
	}
	if n < 0 || n > maxConnections {
		return Summary{}, fmt.Errorf("write %s: %d connections; must be from 1 to %d", w.Name, n, maxConnections)
	}
	g := &generator{rng: rand.New(rand.NewPCG(o.Seed, 0)), now: start, carrier: plain{}}
	g.file = newFile(out, o.Format)
	g.wire = g
	w.generate(g, n)
	if err := g.file.flush(); err != nil {
		return Summary{}, fmt.Errorf("write %s: %w", w.Name, err)
	}
	g.summary.Packets, g.summary.Bytes = g.file.packets, g.file.bytes
	return g.summary, nil
}
