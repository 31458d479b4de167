//go:build live && linux

package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// loadMessages make some two million packets: seconds of the fastest replay.
	loadMessages = 900_000
	// A rate is held for this long when the highest one is sought.
	loadHeld = 3 * time.Second
	// loadSteps is how often the distance to the highest rate is halved.
	loadSteps  = 6
	loadRounds = 3
	// quietPublishes a second for quietSeconds is what processor time is measured at.
	quietPublishes = 10_000
	quietSeconds   = 30
)

// catcher is a program that captures, and says in the end how much it caught.
type catcher struct {
	name string
	args func(t *testing.T) []string
	tell func(*process) (caught, dropped int, err error)
	// all says that it is to catch every packet.
	all bool
}

var catchers = []catcher{
	{"tcpdump -w /dev/null", dump(), tcpdumpTells, true},
	{"tcpdump -B 8192 -w /dev/null", dump("-B", "8192"), tcpdumpTells, true},
	{"mqttriage live", caughtLive(), liveTells, true},
	{"mqttriage live --lean", caughtLive("--lean"), liveTells, false},
}

const loadDevice0, loadDevice1 = "src", "dst"

func dump(flags ...string) func(*testing.T) []string {
	return func(*testing.T) []string {
		return append([]string{"tcpdump", "-n", "-i", loadDevice1, "-w", "/dev/null"}, flags...)
	}
}

func caughtLive(flags ...string) func(*testing.T) []string {
	return func(t *testing.T) []string {
		return append([]string{program(t), "live", "-i", loadDevice1, "-f", "json"}, flags...)
	}
}

var counted = regexp.MustCompile(`(?m)^(\d+) packets? (captured|received by filter|dropped by kernel)`)

func tcpdumpTells(p *process) (caught, dropped int, err error) {
	n := map[string]int{}
	for _, m := range counted.FindAllStringSubmatch(text(p.stderr()), -1) {
		n[m[2]], _ = strconv.Atoi(m[1])
	}
	if len(n) != 3 {
		return 0, 0, fmt.Errorf("tcpdump said %q", text(p.stderr()))
	}
	return n["captured"], n["dropped by kernel"], nil
}

func liveTells(p *process) (caught, dropped int, err error) {
	var doc struct {
		Captures []struct {
			Packets int
			Dropped *int
		}
	}
	if err := json.Unmarshal([]byte(text(p.stdout())), &doc); err != nil {
		return 0, 0, fmt.Errorf("no report: %w\n%s", err, text(p.stderr()))
	}
	for _, c := range doc.Captures {
		caught += c.Packets
		if c.Dropped == nil {
			return 0, 0, fmt.Errorf("the report does not say how many packets were dropped")
		}
		dropped += *c.Dropped
	}
	return caught, dropped, nil
}

// loadRig is two namespaces, one that replays and one that captures.
type loadRig struct {
	from, to *space
	file     *loadFile
}

// catch is what came of one replay.
type catch struct {
	// rate is that of the packets sent, a second.
	rate         float64
	sent, caught int
	// dropped is what the kernel says; lost is what was sent and not caught, if all
	// should have been.
	dropped, lost int
	// used is the processor time of the catcher.
	used, during time.Duration
	memoryKiB    int
}

// clean reports that nothing was lost.
func (r *catch) clean() bool { return r.dropped == 0 && r.lost == 0 }

// run replays packets at a rate, 0 for as fast as it goes, into a catcher.
func (rig *loadRig) run(t *testing.T, c catcher, pps float64, packets int) *catch {
	t.Helper()
	p := start(t, rig.to.command(c.args(t)...))
	p.capturing(rig.to, 1)
	time.Sleep(300 * time.Millisecond) // let it settle
	speed := []string{"--topspeed"}
	if pps > 0 {
		speed = []string{fmt.Sprintf("--pps=%.0f", pps)}
	}
	args := append([]string{"tcpreplay", "--preload-pcap", "--intf1=" + loadDevice0, fmt.Sprintf("--limit=%d", packets)}, speed...)
	before, err := cpu(p.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	out, err := rig.from.command(append(args, rig.file.path)...).CombinedOutput()
	if err != nil {
		t.Fatalf("tcpreplay: %v\n%s", err, out)
	}
	time.Sleep(300 * time.Millisecond) // let it catch up
	after, err := cpu(p.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	r := &catch{used: after - before}
	r.memoryKiB, _ = statusKiB(p.cmd.Process.Pid, "VmHWM")
	p.stop()
	if r.sent, r.during, err = tcpreplayTells(string(out)); err != nil {
		t.Fatal(err)
	}
	r.rate = float64(r.sent) / r.during.Seconds()
	if r.caught, r.dropped, err = c.tell(p); err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	if c.all {
		r.lost = r.sent - r.caught
	}
	return r
}

var replayed = regexp.MustCompile(`Actual: (\d+) packets \(\d+ bytes\) sent in ([\d.]+) seconds`)
var refusedFrames = regexp.MustCompile(`Failed packets:\s+(\d+)`)

func tcpreplayTells(out string) (sent int, took time.Duration, err error) {
	m, failed := replayed.FindStringSubmatch(out), refusedFrames.FindStringSubmatch(out)
	if m == nil || failed == nil {
		return 0, 0, fmt.Errorf("tcpreplay said %q", out)
	}
	sent, _ = strconv.Atoi(m[1])
	lost, _ := strconv.Atoi(failed[1])
	seconds, err := strconv.ParseFloat(m[2], 64)
	return sent - lost, time.Duration(seconds * float64(time.Second)), err
}

// TestLoad replays publish traffic into tcpdump and the program under test.
func TestLoad(t *testing.T) {
	if !*loadRun {
		t.Skip("run by hand, alone on the machine: -load")
	}
	needs(t, "tcpdump", "tcpreplay")
	rig := &loadRig{from: newSpace(t, "s"), to: newSpace(t, "d")}
	veth(rig.from, loadDevice0, rig.to, loadDevice1)
	file, err := writeLoad(filepath.Join(t.TempDir(), "load.pcap"), loadMessages)
	if err != nil {
		t.Fatal(err)
	}
	rig.file = file
	t.Logf("%d packets, %d of them PUBLISH, %d bytes", file.packets, file.publishes, file.bytes)
	t.Run("fastest", rig.fastest)
	t.Run("highest rate without a drop", rig.highest)
	t.Run("processor time", rig.quiet)
}

// fastest replays as fast as it goes.
func (rig *loadRig) fastest(t *testing.T) {
	var rows strings.Builder
	for round := range loadRounds {
		for _, c := range catchers {
			r := rig.run(t, c, 0, rig.file.packets)
			fmt.Fprintf(&rows, "  %d  %-30s %s\n", round+1, c.name, r)
		}
	}
	t.Logf("as fast as tcpreplay goes:\n%s", rows.String())
}

func (r *catch) String() string {
	return fmt.Sprintf("%9.0f packets/s  sent %8d  caught %8d  dropped %8d  elsewhere %6d  %6.2f s of processor  %6d KiB", r.rate, r.sent, r.caught, r.dropped, max(r.lost-r.dropped, 0), r.used.Seconds(), r.memoryKiB)
}

// highest looks for the highest rate at which nothing is lost, for all catchers in
// turn.
func (rig *loadRig) highest(t *testing.T) {
	type search struct {
		good, bad float64
		rates     []float64
	}
	results := make([]search, len(catchers))
	var rows strings.Builder
	for range loadRounds {
		for i := range results {
			results[i].good, results[i].bad = 0, 0
		}
		for step := range loadSteps + 1 {
			for i, c := range catchers {
				s := &results[i]
				pps, packets := 0.0, rig.file.packets
				if step > 0 {
					if s.bad == 0 {
						continue // nothing was lost at full speed
					}
					pps = (s.good + s.bad) / 2
					packets = min(packets, int(pps*loadHeld.Seconds()))
				}
				r := rig.run(t, c, pps, packets)
				switch {
				case r.clean():
					s.good = max(s.good, r.rate)
				case pps == 0:
					s.bad = r.rate
				default:
					s.bad = min(s.bad, r.rate)
				}
			}
		}
		for i := range results {
			results[i].rates = append(results[i].rates, results[i].good)
		}
	}
	for i, c := range catchers {
		rates := results[i].rates
		slices.Sort(rates)
		fmt.Fprintf(&rows, "  %-30s %9.0f packets/s (%.0f to %.0f)\n", c.name, rates[len(rates)/2], rates[0], rates[len(rates)-1])
	}
	t.Logf("the highest rate without a drop, the middle one of %d rounds:\n%s", loadRounds, rows.String())
}

// quiet measures processor time at a moderate rate.
func (rig *loadRig) quiet(t *testing.T) {
	perPublish := float64(rig.file.packets) / float64(rig.file.publishes)
	pps := quietPublishes * perPublish
	var rows strings.Builder
	for _, c := range catchers {
		r := rig.run(t, c, pps, min(rig.file.packets, int(pps*quietSeconds)))
		fmt.Fprintf(&rows, "  %-30s %6.2f s in %4.1f s: %5.1f %% of a core; dropped %d\n", c.name, r.used.Seconds(), r.during.Seconds(), 100*r.used.Seconds()/r.during.Seconds(), r.dropped)
	}
	t.Logf("%d publishes a second (%.0f packets):\n%s", quietPublishes, pps, rows.String())
}
