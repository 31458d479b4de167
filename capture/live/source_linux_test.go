package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/mqttriage/mqttriage/capture"
)

// pretend makes a source of rings that no kernel fills, each of count blocks.
func pretend(t *testing.T, count int, kinds ...kind) *Source {
	t.Helper()
	return pretendOf(t, 4096, count, kinds...)
}

// pretendOf has blocks of a size.
func pretendOf(t *testing.T, size, count int, kinds ...kind) *Source {
	t.Helper()
	s := &Source{notices: -1, nextLook: time.Now().Add(time.Hour)}
	var err error
	if s.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	var list []string
	for i, k := range kinds {
		name := fmt.Sprintf("if%d", i)
		list = append(list, name)
		memory, err := unix.Mmap(-1, 0, size*count, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			t.Fatal(err)
		}
		s.devices = append(s.devices, &device{name: name, number: i, kind: k, any: k.cooked, ring: &ring{
			fd: -1, memory: memory, size: size, count: count, frames: frames{kind: k}}})
	}
	s.prepare(list)
	if s.names != nil {
		s.names.lookUp = func(index int) (string, error) { return fmt.Sprintf("eth%d", index), nil }
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// put gives a block to the reader.
func put(s *Source, device, block int, list ...sent) {
	r := s.devices[device].ring
	copy(r.memory[block*r.size:], blockOf(r.frames.kind, r.size, list...))
}

// kernels tells which of a ring's blocks are the kernel's.
func kernels(s *Source, device int) string {
	r := s.devices[device].ring
	var b strings.Builder
	for i := range r.count {
		b.WriteByte("ku"[binary.NativeEndian.Uint32(r.memory[i*r.size+blockStatus:])])
	}
	return b.String()
}

// read gives the packets of one Read as "second/interface".
func read(t *testing.T, s *Source, b *capture.Batch) string {
	t.Helper()
	if err := s.Read(b, 0); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, p := range b.Packets {
		list = append(list, fmt.Sprintf("%d/%d", p.Nano/1e9, p.Interface))
	}
	return strings.Join(list, " ")
}

func at(second uint32) sent { return sent{second: second, data: make([]byte, 60)} }

func TestReadMerges(t *testing.T) {
	s := pretend(t, 8, ethernet, rawIP, ethernet)
	put(s, 0, 0, at(1), at(4), at(9))
	put(s, 1, 0, at(2), at(3))
	put(s, 1, 1, at(5), at(6))
	put(s, 1, 2, at(7))
	put(s, 2, 0) // no frames: none of its use, but it must be given back
	put(s, 2, 1, at(5))
	var b capture.Batch
	// Two of eight blocks are kept at most; what is later than 7 waits with it.
	if got, want := read(t, s, &b), "1/0 2/1 3/1 4/0 5/1 5/2 6/1"; got != want {
		t.Errorf("read %s, want %s", got, want)
	}
	for i, want := range []string{"ukkkkkkk", "uuukkkkk", "uukkkkkk"} {
		if got := kernels(s, i); got != want {
			t.Errorf("ring %d while packets are used: %s, want %s", i, got, want)
		}
	}
	if got, want := read(t, s, &b), "7/1 9/0"; got != want {
		t.Errorf("then %s, want %s", got, want)
	}
	if got := read(t, s, &b); got != "" {
		t.Errorf("in the end %s", got)
	}
	for i := range s.devices {
		if got := kernels(s, i); got != "kkkkkkkk" {
			t.Errorf("ring %d in the end: %s", i, got)
		}
	}
	want := capture.Info{Name: "if0, if1, if2", Format: "live", LinkTypes: []capture.LinkType{capture.LinkEN10MB, capture.LinkRaw},
		Interfaces: []string{"if0", "if1", "if2"}, Packets: 9, Bytes: 9 * 60,
		First: time.Unix(1, 0).UTC(), Last: time.Unix(9, 0).UTC()}
	if diff := cmp.Diff(want, s.Info()); diff != "" {
		t.Error(diff)
	}
}

// Of several rings packets are given when no earlier ones can come any more, or when
// they wait in half of a ring.
func TestReadSettles(t *testing.T) {
	stamp := func(ago time.Duration) sent {
		at := time.Now().Add(-ago)
		return sent{second: uint32(at.Unix()), nano: uint32(at.Nanosecond()), data: make([]byte, 60)}
	}
	var b capture.Batch
	t.Run("waits", func(t *testing.T) {
		s := pretend(t, 8, ethernet, ethernet)
		start := time.Now()
		put(s, 0, 0, stamp(time.Second), stamp(0), stamp(-time.Millisecond))
		if got := read(t, s, &b); len(b.Packets) != 1 {
			t.Errorf("at first %s", got)
		}
		if got := read(t, s, &b); len(b.Packets) != 0 {
			t.Errorf("then %s", got)
		}
		go func() {
			time.Sleep(20 * time.Millisecond)
			s.Wake()
		}()
		if err := s.Read(&b, time.Minute); err != nil || len(b.Packets) != 0 || time.Since(start) > 90*time.Millisecond {
			t.Errorf("woken after %v: %d packets, %v", time.Since(start), len(b.Packets), err)
		}
		// Meanwhile the other ring has an earlier one.
		put(s, 1, 0, stamp(time.Second))
		if err := s.Read(&b, time.Minute); err != nil || len(b.Packets) != 1 || b.Packets[0].Interface != 1 {
			t.Errorf("%d packets, %v", len(b.Packets), err)
		}
		if err := s.Read(&b, time.Minute); err != nil || len(b.Packets) == 0 || time.Since(start) < 100*time.Millisecond || time.Since(start) > 20*time.Second {
			t.Errorf("after %v: %d packets, %v", time.Since(start), len(b.Packets), err)
		}
	})
	t.Run("pressed", func(t *testing.T) {
		s := pretend(t, 8, ethernet, ethernet)
		for i := range 4 {
			put(s, 0, i, stamp(0))
		}
		// The first of four is being read then, so that three wait: that is less than half.
		if got := read(t, s, &b); len(b.Packets) != 0 {
			t.Errorf("at first %s", got)
		}
		put(s, 0, 4, stamp(0))
		if got := read(t, s, &b); len(b.Packets) != 2 {
			t.Errorf("then %s", got)
		}
	})
	t.Run("in a hurry", func(t *testing.T) {
		s := pretend(t, 8, ethernet, ethernet)
		put(s, 0, 0, stamp(0))
		put(s, 1, 0, stamp(time.Millisecond))
		if got := read(t, s, &b); got != "" {
			t.Errorf("at first %s", got)
		}
		s.Hurry()
		if read(t, s, &b); len(b.Packets) != 2 || b.Packets[0].Interface != 1 {
			t.Errorf("at the end %v", b.Packets)
		}
	})
	t.Run("clock set back", func(t *testing.T) {
		s := pretend(t, 8, ethernet, ethernet)
		put(s, 0, 0, stamp(-time.Hour))
		if got := read(t, s, &b); len(b.Packets) != 1 {
			t.Errorf("%s", got)
		}
	})
	t.Run("alone", func(t *testing.T) {
		s := pretend(t, 8, ethernet)
		put(s, 0, 0, stamp(0))
		if got := read(t, s, &b); len(b.Packets) != 1 {
			t.Errorf("%s", got)
		}
	})
}

// A batch that is full leaves the rest of a block for the next one, and the block
// stays ours until then.
func TestReadInParts(t *testing.T) {
	s := pretendOf(t, 1<<20, 4, ethernet)
	put(s, 0, 0, slices.Repeat([]sent{at(1)}, maxBatch+10)...)
	put(s, 0, 1, at(2), sent{length: 2000, data: make([]byte, 60)})
	var b capture.Batch
	for i, want := range []struct {
		packets int
		blocks  string
	}{{maxBatch, "uukk"}, {10, "uukk"}, {2, "kukk"}, {0, "kkkk"}} {
		if err := s.Read(&b, 0); err != nil {
			t.Fatal(err)
		}
		if got := kernels(s, 0); len(b.Packets) != want.packets || got != want.blocks {
			t.Errorf("read %d: %d packets, blocks %s; want %d, %s", i, len(b.Packets), got, want.packets, want.blocks)
		}
	}
	if i := s.Info(); i.Packets != maxBatch+12 || i.Cut != 1 {
		t.Errorf("%d packets, %d cut", i.Packets, i.Cut)
	}
}

func TestReadNumbers(t *testing.T) {
	s := pretend(t, 8, cooked)
	var b capture.Batch
	one := func(block int, index int32) capture.Packet {
		t.Helper()
		f := at(1)
		f.index = index
		put(s, 0, block, f)
		if err := s.Read(&b, 0); err != nil || len(b.Packets) != 1 {
			t.Fatalf("%d packets, %v", len(b.Packets), err)
		}
		return b.Packets[0]
	}
	if p := one(0, 7); p.Number != 1 || p.Interface != 0 {
		t.Errorf("packet %d of interface %d", p.Number, p.Interface)
	}
	if p := one(1, 3); p.Number != 2 || p.Interface != 1 {
		t.Errorf("packet %d of interface %d", p.Number, p.Interface)
	}
	s.number, s.info.Packets = math.MaxInt, math.MaxInt32
	if p := one(2, 7); p.Number != 1 || p.Interface != 0 {
		t.Errorf("packet %d of interface %d", p.Number, p.Interface)
	}
	if i := s.Info(); i.Packets != math.MaxInt32+1 || !slices.Equal(i.Interfaces, []string{"eth7", "eth3"}) {
		t.Errorf("%d packets of %v", i.Packets, i.Interfaces)
	}
}

func TestReadCountsLost(t *testing.T) {
	s := pretend(t, 4, ethernet)
	put(s, 0, 0, at(1), at(2))
	binary.NativeEndian.PutUint32(s.devices[0].ring.memory[blockLength:], 1<<31)
	var b capture.Batch
	if got := read(t, s, &b); got != "" {
		t.Errorf("read %s", got)
	}
	if n := s.Stats(); n.Dropped != 2 || n.Interfaces[0].Dropped != 2 {
		t.Errorf("%+v", n)
	}
	put(s, 0, 1, at(3))
	if got := read(t, s, &b); got != "3/0" {
		t.Errorf("then %q", got)
	}
}

func TestReadDoesNotAllocate(t *testing.T) {
	s := pretend(t, 4, ethernet, cooked)
	var b capture.Batch
	next := 0
	n := testing.AllocsPerRun(100, func() {
		put0(s, next)
		next = (next + 1) % 4
		if err := s.Read(&b, 0); err != nil || len(b.Packets) != 2 {
			t.Fatalf("%d packets, %v", len(b.Packets), err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// put0 hands the same frame over once more, without memory of its own.
func put0(s *Source, block int) {
	for _, d := range s.devices {
		r := d.ring
		b, _ := r.block(block)
		n := binary.NativeEndian
		n.PutUint32(b[blockCount:], 1)
		n.PutUint32(b[blockFirst:], blockHeader)
		n.PutUint32(b[blockLength:], 512)
		n.PutUint16(b[blockHeader+frameMAC:], 104)
		n.PutUint32(b[blockHeader+frameSnap:], 60)
		n.PutUint32(b[blockStatus:], statusUser)
	}
}

func TestWake(t *testing.T) {
	s := pretend(t, 4, ethernet)
	s.polls = s.polls[:2] // the ring has no socket
	var b capture.Batch
	wait := func(name string, d time.Duration, from, to time.Duration) {
		t.Helper()
		start := time.Now()
		if err := s.Read(&b, d); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < from || took > to {
			t.Errorf("%s: it took %v", name, took)
		}
	}
	wait("nobody wakes it", 30*time.Millisecond, 30*time.Millisecond, 5*time.Second)
	go func() {
		time.Sleep(20 * time.Millisecond)
		s.Wake()
	}()
	wait("woken", time.Minute, 0, 10*time.Second)
	s.Wake()
	s.Wake()
	wait("woken before", time.Minute, 0, 10*time.Second)
	wait("woken once for both", 20*time.Millisecond, 20*time.Millisecond, 5*time.Second)

	done := make(chan error)
	go func() { done <- s.Read(new(capture.Batch), time.Minute) }()
	time.Sleep(10 * time.Millisecond)
	s.Close()
	if err := <-done; err != nil && !errors.Is(err, os.ErrClosed) {
		t.Errorf("read while it is closed: %v", err)
	}
	if err := s.Read(&b, time.Minute); !errors.Is(err, os.ErrClosed) {
		t.Errorf("read after it was closed: %v", err)
	}
	s.Wake()
	s.Close()
	if s.Info().Name != "if0" || len(s.Stats().Interfaces) != 1 || s.Events() != nil {
		t.Error("nothing to say after it was closed")
	}
}

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options Options
		want    string
	}{
		{"none", Options{}, "no interface is named"},
		{"any with another", Options{Interfaces: []string{"any", "lo"}}, "goes alone"},
		{"negative", Options{Interfaces: []string{"lo"}, Buffer: -1}, "less than nothing"},
		{"not there", Options{Interfaces: []string{"nosuch0"}}, "capture on nosuch0: no such interface"},
		{"not there, and those that are", Options{Interfaces: []string{"nosuch0"}}, "there are "},
		{"too long a name", Options{Interfaces: []string{strings.Repeat("x", 40)}}, "no such interface"},
	} {
		s, err := Open(tt.options)
		if err == nil {
			s.Close()
			t.Errorf("%s: opened", tt.name)
			continue
		}
		if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q lacks %q", tt.name, err, tt.want)
		}
	}
	if list, err := interfaces(Options{Interfaces: []string{"b", "a", "b"}}); err != nil || !slices.Equal(list, []string{"b", "a"}) {
		t.Errorf("%v, %v", list, err)
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		err  error
		is   error
		want string
	}{
		{noSocket(unix.EPERM), fs.ErrPermission, "setcap cap_net_raw+ep"},
		{noSocket(unix.EAFNOSUPPORT), unix.EAFNOSUPPORT, "RestrictAddressFamilies="},
		{noSocket(unix.EMFILE), unix.EMFILE, "open a packet socket"},
		{noMemory(unix.ENOMEM, 8<<20), unix.ENOMEM, "ring of 8 MiB"},
		{noMemory(unix.EINVAL, 8<<20), unix.EINVAL, "ring of 8192 KiB"},
	} {
		if !errors.Is(tt.err, tt.is) || !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("%q is not %v, or lacks %q", tt.err, tt.is, tt.want)
		}
	}
}

func TestBlocks(t *testing.T) {
	for _, tt := range []struct{ buffer, size, count int }{
		{1, minBlock, 4}, {1 << 20, minBlock, 8}, {DefaultBuffer, 256 << 10, 32}, {9 << 20, 256 << 10, 36},
		{64 << 20, maxBlock, 64}, {math.MaxInt, maxBlock, 1024},
	} {
		if size, count := blocks(tt.buffer); size != tt.size || count != tt.count {
			t.Errorf("%d: %d blocks of %d, want %d of %d", tt.buffer, count, size, tt.count, tt.size)
		}
	}
}

func TestKinds(t *testing.T) {
	for hardware, want := range map[uint16]kind{
		unix.ARPHRD_ETHER:    ethernet,
		unix.ARPHRD_LOOPBACK: ethernet,
		unix.ARPHRD_NONE:     rawIP,
		unix.ARPHRD_RAWIP:    rawIP,
		unix.ARPHRD_TUNNEL:   rawIP,
		unix.ARPHRD_SIT:      rawIP,
		unix.ARPHRD_TUNNEL6:  cooked,
		unix.ARPHRD_IPGRE:    cooked,
		unix.ARPHRD_PPP:      cooked,
		unix.ARPHRD_CAN:      cooked,
		unix.ARPHRD_NETLINK:  cooked,
		unix.ARPHRD_VOID:     cooked,
	} {
		got := kindOf(hardware)
		if got != want {
			t.Errorf("%d: %v, want %v", hardware, got, want)
		}
		start := StartIP
		if want == ethernet {
			start = StartEthernet
		}
		if got.start() != start {
			t.Errorf("%d: filtered from %v", hardware, got.start())
		}
	}
}

func TestProblem(t *testing.T) {
	class := t.TempDir() + "/"
	for name, tag := range map[string]string{"switch0": "mtk\n", "switch1": "none\n"} {
		if err := os.MkdirAll(filepath.Join(class, name, "dsa"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(class, name, "dsa", "tagging"), []byte(tag), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name     string
		hardware uint16
		want     string
	}{
		{"switch0", unix.ARPHRD_ETHER, `"mtk"`},
		{"switch1", unix.ARPHRD_ETHER, ""},
		{"eth0", unix.ARPHRD_ETHER, ""},
		{"wlan0", unix.ARPHRD_IEEE80211_RADIOTAP, "monitor mode"},
		{"ppp0", unix.ARPHRD_PPP, ""},
	} {
		if got := problem(class, tt.name, tt.hardware); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestNames(t *testing.T) {
	there := map[int]string{1: "lo", 7: "eth0"}
	n := newNames(func(index int) (string, error) {
		if name, ok := there[index]; ok {
			return name, nil
		}
		return "", unix.ENODEV
	})
	check := func(index int32, want int) {
		t.Helper()
		if got := n.number(index); got != want {
			t.Errorf("interface %d is %d of %q, want %d", index, got, n.list, want)
		}
	}
	check(7, 0)
	check(1, 1)
	check(99, 2) // never known
	check(7, 0)
	delete(there, 7)
	check(7, 0)
	n.changed()
	check(7, 0) // its last packets
	check(99, 2)
	there[9] = "eth0"
	check(9, 0) // the same again
	there[1] = "lo1"
	n.changed()
	check(1, 3)
	if want := []string{"eth0", "lo", "", "lo1"}; !slices.Equal(n.list, want) {
		t.Errorf("%q, want %q", n.list, want)
	}
	for i := range 3 * maxIndexes {
		there[1000+i] = fmt.Sprint("veth", i)
		n.number(int32(1000 + i))
	}
	if len(n.list) > maxNames || len(n.byIndex) > maxIndexes {
		t.Errorf("%d names, %d numbers", len(n.list), len(n.byIndex))
	}
	check(9, 0)
	check(1000+2*maxIndexes, 2)
}

func TestWithoutCopies(t *testing.T) {
	program := []bpf.RawInstruction{{Op: 6, K: 1}}
	got, whole := bpf.Disassemble(withoutCopies(program))
	want := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 4, SkipTrue: 3},
		bpf.LoadExtension{Num: bpf.ExtLinkLayerType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 772, SkipTrue: 1},
		bpf.RetConstant{},
		bpf.LoadConstant{Dst: bpf.RegA},
		bpf.RetConstant{Val: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" || !whole {
		t.Error(diff)
	}
	long := make([]bpf.RawInstruction, maxInstructions)
	if len(withoutCopies(long)) != maxInstructions || len(withoutCopies(nil)) != 0 {
		t.Error("a program that leaves no room, or none, was made longer")
	}
}

func TestInterfaces(t *testing.T) {
	list, err := Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 || list[0].Name != Any || list[0].Link != capture.LinkLinuxSLL2 || !list[0].Up {
		t.Fatalf("%+v", list)
	}
	at := slices.IndexFunc(list, func(i Interface) bool { return i.Name == "lo" })
	if at < 0 {
		t.Skip("there is no lo")
	}
	if lo := list[at]; lo.Link != capture.LinkEN10MB || lo.Problem != "" {
		t.Errorf("%+v", lo)
	}
}

// What is missing for a moment only is not told, but for being down: that cost packets.
func TestBecomes(t *testing.T) {
	type step struct {
		at    int // in milliseconds
		lacks missing
		want  string // the kinds of events
		state State
	}
	const fell, gone = 0x80, 0x40
	for name, steps := range map[string][]step{
		"set down and up":        {{0, nothing, "", Up}, {1, beingUp | fell, "", Up}, {51, beingUp, "0", Down}, {90, carrier, "2", Up}, {95, nothing, "", Up}},
		"for a moment":           {{0, nothing, "", Up}, {1, beingUp | fell, "", Up}, {9, nothing, "02", Up}},
		"for less than a moment": {{0, nothing | fell, "02", Up}},
		"no cable":               {{0, carrier, "", Up}, {1999, carrier, "", Up}, {2000, carrier, "1", Down}, {5000, carrier, "", Down}, {9000, nothing, "2", Up}},
		"cable for a while":      {{0, carrier, "", Up}, {1000, nothing, "", Up}, {2000, carrier, "", Up}, {3999, carrier, "", Up}},
		"down without cable":     {{0, carrier, "", Up}, {2000, carrier, "1", Down}, {2100, beingUp | fell, "", Down}, {2200, beingUp, "", Down}, {2300, carrier, "2", Up}, {4300, carrier, "1", Down}},
		"back, but down":         {{0, beingUp | gone, "", Gone}, {100, beingUp, "", Down}, {1000, carrier, "4", Up}, {1001, nothing, "", Up}},
		"back at once":           {{0, nothing | gone, "4", Up}, {60, nothing, "", Up}},
	} {
		s, d := new(Source), new(device)
		s.nextLook = time.Unix(1<<32, 0)
		for i, p := range steps {
			if p.lacks&gone != 0 {
				d.state, d.away = Gone, true
			}
			d.fell = d.fell || p.lacks&fell != 0
			s.becomes(d, time.Unix(0, int64(p.at)*1e6), p.lacks&^(fell|gone))
			got := ""
			for _, e := range s.Events() {
				got += fmt.Sprint(int(e.Kind))
			}
			if got != p.want || d.state != p.state {
				t.Errorf("%s, step %d: events %q, %v; want %q, %v", name, i, got, d.state, p.want, p.state)
			}
		}
	}
	s, d := &Source{nextLook: time.Unix(5, 0)}, new(device)
	s.becomes(d, time.Unix(4, 0), beingUp)
	if want := time.Unix(4, 0).Add(downAfter); !s.nextLook.Equal(want) {
		t.Errorf("the next look is at %v, want %v", s.nextLook, want)
	}
}

func TestEvents(t *testing.T) {
	var s Source
	d := device{name: "eth0"}
	for i := range maxEvents + 5 {
		s.event(time.Unix(int64(i), 0), &d, WentDown)
	}
	list := s.Events()
	if len(list) != maxEvents || list[0].Time.Unix() != 5 || s.Events() != nil {
		t.Errorf("%d events, the first at %v", len(list), list[0].Time)
	}
	for kind, want := range map[EventKind]string{
		WentDown: "eth0 is down", LostCarrier: "no carrier", CameUp: "up again", WentAway: "gone", CameBack: "eth0 is back", ChangedKind: "RAW",
	} {
		if got := (Event{Interface: "eth0", Kind: kind, Link: capture.LinkRaw}).String(); !strings.Contains(got, want) {
			t.Errorf("%d: %q", kind, got)
		}
	}
	for state, want := range map[State]string{Up: "up", Down: "down", Gone: "gone"} {
		if state.String() != want {
			t.Errorf("%d: %q", state, state)
		}
	}
}
