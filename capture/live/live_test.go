//go:build live && linux

package live

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode/link"
)

// What is read is what tcpdump writes at the same time, byte for byte.
func TestAgainstTCPDump(t *testing.T) {
	type scene struct {
		at    space
		name  string
		link  capture.LinkType
		talk  func()
		least int // packets
	}
	scenes := map[string]func(t *testing.T) scene{
		"veth": func(t *testing.T) scene {
			a, b := pair(t)
			tagged := a.wire(t, "a0")
			return scene{at: b, name: "b0", link: capture.LinkEN10MB, least: 23, talk: func() {
				talk(t, a, b, "10.77.0.2")
				talk(t, b, a, "fd77::1")
				tagged.send(t, segment("81006005 0800", 1))
				tagged.send(t, segment("88a80007 81000008 0800", 2))
				tagged.send(t, segment("81000000 0800", 3))
			}}
		},
		"lo": func(t *testing.T) scene {
			a := newSpace(t)
			return scene{at: a, name: "lo", link: capture.LinkEN10MB, least: 20, talk: func() {
				talk(t, a, a, "127.0.0.1")
				talk(t, a, a, "::1")
			}}
		},
		"tun": func(t *testing.T) scene {
			a := newSpace(t)
			f := a.tun(t, "tun0")
			a.ip(t, "addr add 10.77.0.1/24 dev tun0")
			a.ip(t, "addr add fd77::1/64 dev tun0 nodad")
			a.ip(t, "link set tun0 up")
			return scene{at: a, name: "tun0", link: capture.LinkRaw, least: 4, talk: func() {
				// SYNs to closed ports, which the kernel answers.
				for _, packet := range []string{
					"4500002800014000400626 32 0a4d0009 0a4d0001 1388075b 00000001 00000000 5002 ffff 1eca 0000",
					"6000000000140640 fd770000000000000000000000000009 fd770000000000000000000000000001 1388075b 00000001 00000000 5002 ffff 38a1 0000",
				} {
					if _, err := f.Write(summed(unhex(packet))); err != nil {
						t.Error(err)
					}
				}
			}}
		},
		"bridge": func(t *testing.T) scene {
			a, b := newSpace(t), newSpace(t)
			a.ip(t, "link add a0 type veth peer name b0 netns "+string(b))
			a.ip(t, "addr add 10.77.0.1/24 dev a0")
			a.ip(t, "link set a0 up")
			for _, line := range []string{"link add br0 type bridge", "link set b0 master br0", "link set b0 up", "addr add 10.77.0.2/24 dev br0", "link set br0 up"} {
				b.ip(t, line)
			}
			b.running(t, "br0")
			return scene{at: b, name: "br0", link: capture.LinkEN10MB, least: 10, talk: func() { talk(t, a, b, "10.77.0.2") }}
		},
		"any": func(t *testing.T) scene {
			a, b := pair(t)
			return scene{at: b, name: Any, link: capture.LinkLinuxSLL2, least: 30, talk: func() {
				talk(t, a, b, "10.77.0.2")
				talk(t, b, a, "fd77::1")
				talk(t, b, b, "127.0.0.1")
			}}
		},
	}
	for name, make := range scenes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := make(t)
			var args []string
			if c.name == Any {
				args = []string{"-y", "LINUX_SLL2"}
			}
			theirs := c.at.sniff(t, c.name, args...)
			source := c.at.open(t, Options{Interfaces: []string{c.name}, Filter: Filter{Raw: everything}})
			c.talk()
			read := readAll(t, source)
			ours := onlyTCP(read)
			if diff := alike(ours, onlyTCP(theirs.stop(t))); diff != "" {
				t.Error(diff)
			}
			if len(ours) < c.least {
				t.Errorf("%d packets, at least %d were sent", len(ours), c.least)
			}
			for i, p := range read {
				if p.Number != i+1 || p.Link != c.link {
					t.Errorf("packet %d: number %d, %v", i+1, p.Number, p.Link)
				}
				if age := time.Since(p.Time()); age < 0 || age > time.Minute {
					t.Errorf("packet %d: %v ago", p.Number, age)
				}
			}
			if i := source.Info(); i.Name != c.name || int(i.Packets) != len(read) || i.Cut != 0 || !slices.Equal(i.LinkTypes, []capture.LinkType{c.link}) {
				t.Errorf("%+v", i)
			}
			if n := source.Stats(); n.Received < uint64(len(read)) || n.Dropped != 0 || n.Interfaces[0].State != Up {
				t.Errorf("%d packets, %+v", len(read), n)
			}
			if e := source.Events(); len(e) != 0 {
				t.Errorf("%v", e)
			}
		})
	}
}

// everything passes everything.
var everything = []bpf.RawInstruction{{Op: 6, K: snapLength}}

// onlyTCP leaves out what the machines say by themselves: one capture or the other may have
// begun earlier.
func onlyTCP(list []capture.Packet) []capture.Packet {
	decoder := link.NewDecoder()
	return slices.DeleteFunc(slices.Clone(list), func(p capture.Packet) bool {
		var s link.Segment
		return decoder.Decode(&p, &s) != link.OK
	})
}

// summed sets the TCP checksum of a packet of raw IP with 20 bytes of TCP, and IPv4's.
func summed(p []byte) []byte {
	sum := func(b []byte, s uint32) uint16 {
		for i := 0; i < len(b); i += 2 {
			s += uint32(b[i])<<8 | uint32(b[i+1])
		}
		for s > 0xffff {
			s = s>>16 + s&0xffff
		}
		return ^uint16(s)
	}
	put := func(at int, v uint16) { p[at], p[at+1] = byte(v>>8), byte(v) }
	tcp, addresses := len(p)-20, p[12:20]
	if p[0]>>4 == 6 {
		addresses = p[8:40]
	} else {
		put(10, 0)
		put(10, sum(p[:20], 0))
	}
	put(tcp+16, 0)
	put(tcp+16, sum(slices.Concat(addresses, p[tcp:]), 6+20))
	return p
}

// Any tells interfaces apart, and has the tags that tcpdump leaves out with this
// header. The sender's own frames have theirs, too.
func TestAny(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	w := a.wire(t, "a0")
	sender := a.open(t, Options{Interfaces: []string{Any}})
	source := b.open(t, Options{Interfaces: []string{Any}, Promiscuous: true})
	frames := [][]byte{segment("81006005 0800", 1001), segment("0800", 1002), segment("88a80007 0800", 1003)}
	for _, f := range frames {
		w.send(t, f)
	}
	talk(t, b, b, "127.0.0.1")
	list := readAll(t, source)
	if i := source.Info(); !slices.Equal(i.Interfaces, []string{"b0", "lo"}) {
		t.Errorf("interfaces %q", i.Interfaces)
	}
	headers := []string{"8100 6005 0800", "0800", "88a8 0007 0800"}
	for name, list := range map[string][]capture.Packet{"received": list, "sent": readAll(t, sender)} {
		if len(list) < len(frames) {
			t.Fatalf("%s: %d packets", name, len(list))
		}
		for i, p := range list[:len(frames)] {
			h := unhex(headers[i])
			body := p.Data[sll2Header:]
			if got := string(p.Data[:2]) + string(body[:len(h)-2]); got != string(h) {
				t.Errorf("%s: frame %d begins with %x, want %x", name, i, got, h)
			}
			if want := frames[i][len(frames[i])-40:]; string(body[len(h)-2:]) != string(want) {
				t.Errorf("%s: frame %d: %x, want %x", name, i, body[len(h)-2:], want)
			}
			if p.Length != len(p.Data) || p.Interface != 0 {
				t.Errorf("%s: frame %d: %d bytes of %d, interface %d", name, i, len(p.Data), p.Length, p.Interface)
			}
			var s link.Segment
			if r := link.NewDecoder().Decode(&p, &s); r != link.OK || s.Src.Port != uint16(1001+i) {
				t.Errorf("%s: frame %d: %v, port %d", name, i, r, s.Src.Port)
			}
		}
	}
	ports := strings.Fields(tshark(t, list[:len(frames)], "tcp.srcport"))
	tags := strings.Fields(tshark(t, list[:len(frames)], "vlan.id") + tshark(t, list[:len(frames)], "ieee8021ad.id"))
	if !slices.Equal(ports, []string{"1001", "1002", "1003"}) || !slices.Equal(tags, []string{"5", "7"}) {
		t.Errorf("tshark sees ports %q and tags %q", ports, tags)
	}
	for _, p := range list[len(frames):] {
		if p.Interface != 1 {
			t.Errorf("packet %d is of interface %d", p.Number, p.Interface)
		}
	}
}

// tshark gives a field of packets.
func tshark(t *testing.T, list []capture.Packet, field string) string {
	t.Helper()
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	file := filepath.Join(t.TempDir(), "live.pcapng")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := pcapfile.NewWriter(f, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Interface(list[0].Link, ""); err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if err := w.Packet(&p, ""); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("tshark", "-r", file, "-T", "fields", "-e", field).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestSeveralInterfaces(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	source := b.open(t, Options{Interfaces: []string{"lo", "b0", "lo"}, Filter: Filter{Ports: []uint16{1883}}, Buffer: 1 << 20})
	w := a.wire(t, "a0")
	l := b.wire(t, "lo")
	for i := range uint16(100) {
		w.send(t, segment("0800", i))
		l.send(t, segment("0800", i))
	}
	time.Sleep(quiet)
	list := readAll(t, source)
	var of [2]int
	last := int64(0)
	for _, p := range list {
		if p.Nano < last {
			t.Errorf("packet %d is before the one before it", p.Number)
		}
		last = p.Nano
		of[p.Interface]++
	}
	if of != [2]int{100, 100} {
		t.Errorf("%v packets", of)
	}
	if i := source.Info(); i.Name != "lo, b0" || !slices.Equal(i.Interfaces, []string{"lo", "b0"}) {
		t.Errorf("%+v", i)
	}
}

// Nothing comes by the filter, not even what was under way when it was made.
func TestFilter(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	w := a.wire(t, "a0")
	done := make(chan bool)
	stopped := make(chan bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-done:
				return
			default:
				unix.Sendto(w.fd, segment("0800", 7), 0, &w.to)
				time.Sleep(20 * time.Microsecond)
			}
		}
	}()
	port := []bpf.Instruction{
		bpf.LoadAbsolute{Off: 34, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 9, SkipFalse: 1},
		bpf.RetConstant{Val: 50},
		bpf.RetConstant{},
	}
	program, err := bpf.Assemble(port)
	if err != nil {
		t.Fatal(err)
	}
	var source *Source
	for range 5 {
		source = b.open(t, Options{Interfaces: []string{"b0"}, Filter: Filter{Raw: program}, Buffer: 1})
		time.Sleep(20 * time.Millisecond)
	}
	close(done)
	<-stopped
	w.send(t, segment("0800", 9))
	list := readAll(t, source)
	if len(list) != 1 || len(list[0].Data) != 50 || list[0].Length != 54 || source.Info().Cut != 1 {
		t.Errorf("%d packets, %+v", len(list), source.Info())
	}
	// It cannot be taken off again.
	err = unix.SetsockoptInt(source.devices[0].ring.fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
	if !errors.Is(err, unix.EPERM) {
		t.Errorf("the filter was taken off: %v", err)
	}
}

// What finds no room is counted, what was received is read, and together that is what was
// sent.
func TestDrops(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	source := b.open(t, Options{Interfaces: []string{"b0"}, Buffer: 1})
	w := a.wire(t, "a0")
	const sent = 20_000
	frame := segment("0800", 1)
	for range sent {
		w.send(t, frame)
	}
	time.Sleep(quiet)
	first := source.Stats()
	list := readAll(t, source)
	n := source.Stats()
	if n.Dropped == 0 || n.Freezes == 0 || n.Received == 0 || n.Received+n.Dropped != sent || uint64(len(list)) != n.Received {
		t.Errorf("%d read of %d, %+v", len(list), sent, n)
	}
	if first.Dropped != n.Dropped || first.Freezes != n.Freezes || n.Interfaces[0].Dropped != n.Dropped || n.Interfaces[0].Received != n.Received {
		t.Errorf("%+v, then %+v", first, n)
	}
	// The ring is as good as before.
	w.send(t, frame)
	if list := readAll(t, source); len(list) != 1 {
		t.Errorf("%d packets after the flood", len(list))
	}
}

func TestWakeWhileItWaits(t *testing.T) {
	t.Parallel()
	a := newSpace(t)
	source := a.open(t, Options{Interfaces: []string{"lo"}})
	best := time.Hour
	for range 10 {
		woken := make(chan time.Time, 1)
		go func() {
			time.Sleep(20 * time.Millisecond)
			woken <- time.Now()
			source.Wake()
		}()
		var b capture.Batch
		if err := source.Read(&b, time.Minute); err != nil || len(b.Packets) > 0 {
			t.Fatalf("%d packets, %v", len(b.Packets), err)
		}
		best = min(best, time.Since(<-woken))
	}
	if best > 10*time.Millisecond {
		t.Errorf("it took %v", best)
	}
}

// expect reads the child's lines up to one, without packets that nobody asked for.
func expect(t *testing.T, lines *bufio.Scanner, want ...string) {
	t.Helper()
	for _, w := range want {
		if !lines.Scan() {
			t.Fatalf("the child ended before %q", w)
		}
		if got := lines.Text(); got != w {
			t.Fatalf("%q, want %q", got, w)
		}
	}
}

// An interface that goes is waited for, and one that comes in its place is
// captured, by a process without any privilege.
func TestInterfaceComesAndGoes(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	lines, stop := b.child(t, "watch")
	expect(t, lines, "ready")
	port := uint16(0)
	passes := func() {
		t.Helper()
		port++
		a.wire(t, "a0").send(t, segment("0800", port))
		expect(t, lines, fmt.Sprint("packet ", port))
	}
	passes()
	b.ip(t, "link set b0 down")
	expect(t, lines, "b0 is down; waiting for it")
	b.ip(t, "link set b0 up")
	expect(t, lines, "b0 is up again")
	passes()
	// What lasts no longer than an access point takes to change is not told.
	a.ip(t, "link set a0 down")
	a.ip(t, "link set a0 up")
	b.running(t, "b0")
	passes()
	a.ip(t, "link set a0 down")
	expect(t, lines, "b0 has no carrier; waiting for it")
	a.ip(t, "link set a0 up")
	expect(t, lines, "b0 is up again")
	passes()
	for range 3 {
		b.ip(t, "link del b0")
		expect(t, lines, "b0 is gone; waiting for it")
		cable(t, a, b)
		expect(t, lines, "b0 is back")
		passes()
		if n := promiscuity(t, b, "b0"); n != 1 {
			t.Errorf("promiscuity %d", n)
		}
	}
	// A new name is not a new interface.
	b.ip(t, "link set b0 down")
	expect(t, lines, "b0 is down; waiting for it")
	b.ip(t, "link set b0 name c0")
	b.ip(t, "link set c0 up")
	expect(t, lines, "b0 is up again")
	passes()
	b.ip(t, "link del c0")
	expect(t, lines, "b0 is gone; waiting for it")
	// Another kind of interface under its name is not for this socket.
	f := b.tun(t, "b0")
	b.ip(t, "link set b0 up")
	expect(t, lines, "b0 is back with another link type, RAW, and is not captured; start again to capture it")
	f.Close()
	cable(t, a, b)
	expect(t, lines, "b0 is back")
	passes()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func promiscuity(t *testing.T, s space, name string) int {
	t.Helper()
	var list []struct{ Promiscuity int }
	if err := json.Unmarshal([]byte(s.ip(t, "-d -j link show "+name)), &list); err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	return list[0].Promiscuity
}

func TestDownAtTheStart(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	b.ip(t, "link set b0 down")
	source := b.open(t, Options{Interfaces: []string{"b0"}})
	var said []string
	note := func() {
		for _, e := range source.Events() {
			said = append(said, e.String())
		}
	}
	if n := source.Stats(); n.Interfaces[0].State != Down {
		t.Errorf("%+v", n)
	}
	note()
	if list := readAll(t, source); len(list) != 0 {
		t.Errorf("%d packets", len(list))
	}
	b.ip(t, "link set b0 up")
	a.wire(t, "a0").send(t, segment("0800", 1))
	if list := readAll(t, source); len(list) != 1 {
		t.Errorf("%d packets", len(list))
	}
	note()
	if want := []string{"b0 is down; waiting for it", "b0 is up again"}; !slices.Equal(said, want) {
		t.Errorf("%q, want %q", said, want)
	}
}

// With looking once a second alone it works as well, only later.
func TestWithoutNotices(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	source := b.open(t, Options{Interfaces: []string{"b0"}})
	source.polls[1].Fd = -1
	b.ip(t, "link del b0")
	cable(t, a, b)
	var kinds []EventKind
	var batch capture.Batch
	for end := time.Now().Add(10 * time.Second); len(kinds) < 2 && time.Now().Before(end); {
		if err := source.Read(&batch, time.Second); err != nil {
			t.Fatal(err)
		}
		for _, e := range source.Events() {
			kinds = append(kinds, e.Kind)
		}
	}
	if !slices.Equal(kinds, []EventKind{WentAway, CameBack}) {
		t.Errorf("%v", kinds)
	}
	a.wire(t, "a0").send(t, segment("0800", 1))
	if list := readAll(t, source); len(list) != 1 {
		t.Errorf("%d packets", len(list))
	}
}

func TestPermission(t *testing.T) {
	t.Parallel()
	_, b := pair(t)
	lines, stop := b.child(t, "denied")
	expect(t, lines, "capture on b0: no permission to capture: operation not permitted; run it with sudo, or allow it once with: "+
		"sudo setcap cap_net_raw+ep $(command -v mqttriage); in a container add --cap-add NET_RAW")
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestListOfASpace(t *testing.T) {
	t.Parallel()
	_, b := pair(t)
	f := b.tun(t, "tun0")
	defer f.Close()
	var list []Interface
	b.in(t, func() (err error) {
		list, err = Interfaces()
		return err
	})
	var got []string
	for _, i := range list {
		got = append(got, fmt.Sprint(i.Name, " ", i.Link, " ", i.Up))
		if i.Name == "b0" && !slices.Contains(i.Addresses, netip.MustParsePrefix("fd77::2/64")) {
			t.Errorf("%+v", i)
		}
	}
	want := []string{"any LINUX_SLL2 true", "lo EN10MB true", "b0 EN10MB true", "tun0 RAW false"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	b.in(t, func() error {
		_, err := Open(Options{Interfaces: []string{"eth7"}})
		if err == nil || !strings.HasSuffix(err.Error(), "there are lo, b0, tun0; --list-interfaces tells more") {
			t.Errorf("%v", err)
		}
		return nil
	})
}

// The sender is the slower part; what counts is that nothing is dropped.
func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"b0", Any} {
		b.Run(name, func(b *testing.B) {
			from, to := pair(b)
			source := to.open(b, Options{Interfaces: []string{name}, Filter: Filter{Ports: []uint16{1883}}})
			w := from.wire(b, "a0")
			frame := segment("0800", 1)
			b.ReportAllocs()
			b.ResetTimer()
			go func() {
				for range b.N {
					unix.Sendto(w.fd, frame, 0, &w.to)
				}
			}()
			var batch capture.Batch
			for packets := 0; packets < b.N; packets += len(batch.Packets) {
				if err := source.Read(&batch, time.Second); err != nil {
					b.Fatal(err)
				}
				if len(batch.Packets) == 0 {
					break
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "packets/s")
			b.ReportMetric(float64(source.Stats().Dropped), "dropped")
		})
	}
}
