//go:build live && linux

package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/report"
)

const (
	soakVLAN   = 42
	soakDevice = "veth1" // where is captured, in the broker's namespace
	// soakGrows is how much more memory the last third of a soak may need than
	// the first, and soakMemory what it may need at all.
	soakGrows  = 1.05
	soakMemory = 64 << 10 // KiB
)

// TestSoak lets clients with ever new IDs come and go for a long time, over a
// network that loses segments, and then holds the report against what was done.
// A longer soak than 5 minutes is also held to its memory.
func TestSoak(t *testing.T) {
	if *soakFor == 0 {
		t.Skip("run by hand: -soak 30m")
	}
	needs(t)
	rig := newSoakRig(t)
	samples := filepath.Join(t.TempDir(), "memory.csv")
	if *soakCSV != "" {
		samples = *soakCSV
	}
	// A recording beside it tells, if counts differ, who is wrong.
	recording := filepath.Join(t.TempDir(), "soak.pcap")
	var tcpdump *process
	if _, err := exec.LookPath("tcpdump"); err == nil {
		tcpdump = start(t, rig.broker.command("tcpdump", "-n", "-i", soakDevice, "-B", "16384", "-s", "192", "-U", "-w", recording))
		tcpdump.capturing(rig.broker, 1)
	}
	// With all that it can do beside.
	written := filepath.Join(nobodys(t), "report.json")
	watch := start(t, rig.broker.command(program(t), "live", "-i", soakDevice, "-f", "json",
		"--write", filepath.Join(nobodys(t), "soak.pcapng"), "--metrics", "127.0.0.1:9893", "--every", "5m", "-o", written))
	watch.capturing(rig.broker, 1)

	memory := sample(t, watch, samples)
	rig.run(t, *soakFor)
	memory.stop()
	rig.drain()
	watch.stop()
	did := rig.clients.done
	again := int(rig.wire.refusalsLost.Load())
	did.Connections, did.Refused, did.Symptoms["connection-refused"] = did.Connections+again, did.Refused+again, did.Symptoms["connection-refused"]+again
	t.Logf("the soak did: %+v\nsegments lost %d, hidden %d of %d frames", did, rig.wire.lost.Load(), rig.wire.hidden.Load(), rig.wire.carried.Load())
	for _, odd := range did.Odd {
		t.Errorf("the soak itself: %s", odd)
	}
	t.Logf("standard error of live:\n%s", text(watch.stderr()))

	saved, err := os.ReadFile(written)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "live", document(t, saved), &did)
	if tcpdump != nil {
		tcpdump.stop()
		t.Logf("tcpdump: %s", text(tcpdump.stderr()))
		out, err := exec.Command(program(t), "read", "-f", "json", recording).Output()
		if err != nil {
			t.Fatalf("read the recording: %v", err)
		}
		compare(t, "read of tcpdump's recording", document(t, out), &did)
	}
	memory.judge(t)
}

// soakRig is the network of a soak.
type soakRig struct {
	client, broker *space
	wire           *wire
	clients        *soakClients
}

func newSoakRig(t *testing.T) *soakRig {
	rig := &soakRig{
		client: newSpace(t, "c"), broker: newSpace(t, "b"),
		wire: &wire{vlan: soakVLAN, before: *soakLoss / 100, behind: *soakLoss / 100, passBy: *soakHoles / 100},
	}
	veth(rig.client, "veth0", rig.broker, soakDevice)
	rig.wire.wireUp(t, rig.client, "veth0", rig.broker, soakDevice)
	rig.broker.ip("addr add 198.18.0.1/16 dev %s", tapName)
	rig.broker.ip("addr add fd00:e2e::1/64 dev %s", tapName)
	from := make([][]netip.Addr, 2)
	for i := range 50 {
		v4, v6 := fmt.Sprintf("198.18.1.%d", i+1), fmt.Sprintf("fd00:e2e::1:%x", i+1)
		rig.client.ip("addr add %s/16 dev %s", v4, tapName)
		rig.client.ip("addr add %s/64 dev %s", v6, tapName)
		from[0], from[1] = append(from[0], netip.MustParseAddr(v4)), append(from[1], netip.MustParseAddr(v6))
	}
	broker := &soakBroker{live: map[string]*soakSession{}}
	rig.clients = &soakClients{
		space: rig.client, broker: broker, from: from, done: tally{Symptoms: map[string]int{}},
		brokers: []netip.Addr{netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("fd00:e2e::1")},
	}
	broker.wrong = rig.clients.odd
	for _, addr := range rig.clients.brokers {
		err := rig.broker.within(func() error {
			l, err := net.Listen("tcp", netip.AddrPortFrom(addr, 1883).String())
			if err == nil {
				t.Cleanup(func() { l.Close() })
				go broker.serve(l)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return rig
}

// run makes connections for the given time.
func (rig *soakRig) run(t *testing.T, during time.Duration) {
	begin := time.Now()
	said := begin
	for time.Since(begin) < during {
		// A story is one or two connections; the rate is that of connections.
		if due := int(time.Since(begin).Minutes() * float64(*soakRate)); rig.clients.connections() < due {
			rig.clients.next()
		}
		time.Sleep(time.Minute / time.Duration(*soakRate) / 4)
		if time.Since(said) > time.Minute {
			said = time.Now()
			t.Logf("%v: %d connections", time.Since(begin).Round(time.Second), rig.clients.connections())
		}
	}
}

// drain waits until all connections have ended.
func (rig *soakRig) drain() {
	rig.clients.running.Wait()
	time.Sleep(brokerPatience + 5*time.Second) // for sessions whose RST was lost
}

func document(t *testing.T, text []byte) *report.Document {
	t.Helper()
	var doc report.Document
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatalf("no report in JSON: %v\n%.2000s", err, text)
	}
	return &doc
}

// compare holds a report against what was done.
func compare(t *testing.T, who string, doc *report.Document, did *tally) {
	t.Helper()
	got, want := counts(doc), map[string]int{
		"sessions":  did.Connections,
		"accepted":  did.Accepted,
		"rejected":  did.Rejected,
		"refused":   did.Refused,
		"takeovers": did.Takeovers,
		"dropped":   0,
		"evicted":   0,
	}
	for _, name := range []string{"bad-credentials", "client-id-takeover", "closed-before-connack", "connack-other", "connection-refused",
		"identifier-rejected", "not-authorized", "server-unavailable", "version-refused"} {
		want[name] = did.Symptoms[name]
	}
	// One finding of this symptom has both sessions of each takeover.
	want["client-id-takeover"] = 2 * did.Takeovers
	// An answer after 2 s is late by the capture's clock, and by the client's it
	// may just be not: no count, only bounds.
	if late := got["slow-connack"]; late <= did.SlowConnacks {
		delete(got, "slow-connack")
	}
	if *soakHoles > 0 {
		// A refusal that the capture missed looks like silence.
		want["connection-timeout"] = did.Refused
	}
	var rows strings.Builder
	names := maps.Clone(want)
	maps.Copy(names, got)
	wrong := false
	for _, name := range slices.Sorted(maps.Keys(names)) {
		mark := ""
		if got[name] != want[name] && (*soakHoles == 0 || got[name] > want[name]) {
			mark, wrong = "  ✗", true
		}
		fmt.Fprintf(&rows, "  %-24s done %7d  reported %7d%s\n", name, want[name], got[name], mark)
	}
	t.Logf("%s:\n%s", who, rows.String())
	if wrong {
		t.Errorf("%s does not report what was done", who)
	}
}

// counts are the numbers of a report that the soak knows.
func counts(doc *report.Document) map[string]int {
	n := map[string]int{
		"sessions": doc.Totals.Sessions,
		"accepted": doc.Totals.Accepted,
		"rejected": doc.Totals.Rejected,
		"refused":  doc.Totals.Refused,
	}
	for _, f := range doc.Findings {
		n[f.Symptom] += f.Sessions
		if takeovers, ok := f.Facts.Takeovers.Get(); ok {
			n["takeovers"] += takeovers
		}
	}
	for _, c := range doc.Captures {
		n["evicted"] += int(c.Evicted)
		if c.Dropped != nil {
			n["dropped"] += int(*c.Dropped)
		}
	}
	return n
}

// memorySamples are taken from a process while a soak runs.
type memorySamples struct {
	rss  []int // KiB
	quit chan struct{}
	done chan struct{}
}

// sample looks at a process's memory every 10 s and writes what it sees.
func sample(t *testing.T, p *process, path string) *memorySamples {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	m := &memorySamples{quit: make(chan struct{}), done: make(chan struct{})}
	rows := csv.NewWriter(f)
	rows.Write([]string{"seconds", "rss_kib", "rss_anon_kib", "rss_file_kib", "rss_shmem_kib", "cpu_seconds"}) //nolint:errcheck // Flush says it
	begin := time.Now()
	go func() {
		defer close(m.done)
		defer f.Close()
		tick := time.NewTicker(10 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-m.quit:
				return
			case <-tick.C:
			}
			row := []string{fmt.Sprintf("%.0f", time.Since(begin).Seconds())}
			for i, name := range []string{"VmRSS", "RssAnon", "RssFile", "RssShmem"} {
				kib, err := statusKiB(p.cmd.Process.Pid, name)
				if err != nil {
					return // it has ended, and the test says so
				}
				if i == 0 {
					m.rss = append(m.rss, kib)
				}
				row = append(row, strconv.Itoa(kib))
			}
			used, _ := cpu(p.cmd.Process.Pid)
			rows.Write(append(row, fmt.Sprintf("%.2f", used.Seconds()))) //nolint:errcheck // Flush says it
			rows.Flush()
		}
	}()
	return m
}

func (m *memorySamples) stop() {
	close(m.quit)
	<-m.done
}

// judge compares the first third's memory with the last third's.
func (m *memorySamples) judge(t *testing.T) {
	if len(m.rss) < 3 {
		t.Logf("%d samples of memory: too few to judge", len(m.rss))
		return
	}
	third := len(m.rss) / 3
	first, last, most := mean(m.rss[:third]), mean(m.rss[len(m.rss)-third:]), slices.Max(m.rss)
	t.Logf("memory in %d samples: first third %.0f KiB, last third %.0f KiB (%+.1f %%), most %d KiB", len(m.rss), first, last, (last/first-1)*100, most)
	if most > soakMemory {
		t.Errorf("%d KiB of memory, more than %d", most, soakMemory)
	}
	if *soakFor >= 5*time.Minute && last > first*soakGrows {
		t.Errorf("memory grows from %.0f to %.0f KiB", first, last)
	}
}

func mean(xs []int) float64 {
	sum := 0
	for _, x := range xs {
		sum += x
	}
	return float64(sum) / float64(len(xs))
}
