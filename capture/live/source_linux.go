package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/mqttriage/mqttriage/capture"
)

// maxBatch is how many packets Read gives out at once.
const maxBatch = 1024

// Source is a capture under way. One goroutine may call Read; all other methods may be
// called from any.
type Source struct {
	// reading is held while rings are read, so that they are not closed meanwhile.
	reading     sync.Mutex
	devices     []*device
	promiscuous bool
	nextLook    time.Time
	names       *names // of an any capture
	number      int    // of the last packet

	wake, notices int // descriptors; notices may be -1
	polls         []unix.PollFd

	// mu guards what other goroutines ask for.
	mu          sync.Mutex
	closed      bool
	hurry       bool
	info        capture.Info
	first, last int64
	events      []Event
	freezes     uint64
}

// Open begins to capture. Interfaces that are down are waited for; one that is not there is
// an error, which names those that are. CAP_NET_RAW is needed, and may
// be dropped afterwards. Open runs in the network namespace of its thread, and the
// Source stays there.
func Open(o Options) (*Source, error) {
	list, err := interfaces(o)
	if err != nil {
		return nil, err
	}
	s := &Source{wake: -1, notices: openNotices(), promiscuous: o.Promiscuous}
	if s.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		s.shut()
		return nil, fmt.Errorf("make an event descriptor: %w", err)
	}
	now := time.Now()
	for _, name := range list {
		if err := s.open(name, o, now); err != nil {
			s.shut()
			return nil, fmt.Errorf("capture on %s: %w", name, err)
		}
	}
	s.prepare(list)
	return s, nil
}

// interfaces are the names in the options, each once.
func interfaces(o Options) ([]string, error) {
	if o.Buffer < 0 {
		return nil, fmt.Errorf("make a ring of %d bytes: that is less than nothing", o.Buffer)
	}
	var list []string
	for _, name := range o.Interfaces {
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	switch {
	case len(list) == 0:
		return nil, errors.New("capture: no interface is named; --list-interfaces shows those there are")
	case len(list) > 1 && slices.Contains(list, Any):
		return nil, fmt.Errorf("capture on %s: %s stands for all interfaces and goes alone", strings.Join(list, ", "), Any)
	}
	return list, nil
}

// open adds an interface.
func (s *Source) open(name string, o Options, now time.Time) error {
	d := &device{name: name, number: len(s.devices), kind: cooked, any: name == Any}
	loops := d.any
	if !d.any {
		// Any socket answers; the packet socket is made when its type is known.
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("make a socket: %w", err)
		}
		defer unix.Close(fd)
		if d.index, err = indexOf(fd, name); err != nil {
			return noInterface(name, err)
		}
		hardware, err := hardwareOf(fd, name)
		if err != nil {
			return noInterface(name, err)
		}
		if p := problem(sysNet, name, hardware); p != "" {
			return errors.New(p)
		}
		d.kind = kindOf(hardware)
		loops = hardware == unix.ARPHRD_LOOPBACK
	}
	program, err := o.Filter.Program(d.kind.start())
	if err != nil {
		return err
	}
	if loops {
		program = withoutCopies(program)
	}
	buffer := o.Buffer
	if buffer == 0 {
		buffer = DefaultBuffer
	}
	if d.ring, err = openRing(d.kind, program, buffer); err != nil {
		return err
	}
	s.devices = append(s.devices, d)
	if o.Promiscuous && !d.any {
		if err := d.ring.promiscuous(d.index); err != nil {
			return fmt.Errorf("make it promiscuous: %w; leave --promiscuous out", err)
		}
	}
	return s.begin(d, now)
}

// begin lets packets in.
func (s *Source) begin(d *device, now time.Time) error {
	if err := d.ring.bind(d.index); errors.Is(err, unix.ENODEV) {
		return noInterface(d.name, err)
	} else if err != nil {
		return fmt.Errorf("bind the socket to it: %w", err)
	}
	if _, err := d.ring.takeError(); err != nil || d.any {
		return err
	}
	m, err := lacks(d.ring.fd, d.name)
	if err != nil {
		return noInterface(d.name, err)
	}
	if m == beingUp {
		d.missing, d.since = m, now.Add(-downAfter)
	}
	s.becomes(d, now, m)
	return nil
}

// withoutCopies puts before a program what turns away the outgoing copy of each packet
// on the loopback interface. Reading skips it also, for programs that become too long.
func withoutCopies(program []bpf.RawInstruction) []bpf.RawInstruction {
	before, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OUTGOING, SkipFalse: 3},
		bpf.LoadExtension{Num: bpf.ExtLinkLayerType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ARPHRD_LOOPBACK, SkipFalse: 1},
		bpf.RetConstant{Val: 0},
		bpf.LoadConstant{Dst: bpf.RegA, Val: 0}, // as a program finds it
	})
	if err != nil || len(program) == 0 || len(before)+len(program) > maxInstructions {
		return program
	}
	return append(before, program...)
}

// prepare makes what Read and Info need.
func (s *Source) prepare(list []string) {
	s.info = capture.Info{Name: strings.Join(list, ", "), Format: "live"}
	s.polls = []unix.PollFd{{Fd: int32(s.wake), Events: unix.POLLIN}, {Fd: int32(s.notices), Events: unix.POLLIN}}
	for _, d := range s.devices {
		s.polls = append(s.polls, unix.PollFd{Fd: int32(d.ring.fd), Events: unix.POLLIN})
		if !slices.Contains(s.info.LinkTypes, d.kind.link) {
			s.info.LinkTypes = append(s.info.LinkTypes, d.kind.link)
		}
		if d.any {
			s.names = newNames(func(index int) (string, error) { return nameOf(d.ring.fd, index) })
			continue
		}
		s.info.Interfaces = append(s.info.Interfaces, d.name)
	}
}

// Read fills b with the packets that are there, or with those that come first within
// the time to wait; none is no error. They point into the rings, may be written to, and are valid
// until the next Read. The kernel gives packets out up to 50 ms late; those of several
// interfaces come in order of time, for which they are kept for up to 100 ms more. Read
// returns early when there are events and after Wake, and fails with os.ErrClosed after
// Close.
func (s *Source) Read(b *capture.Batch, wait time.Duration) error {
	s.reading.Lock()
	defer s.reading.Unlock()
	b.Packets, b.Secrets = b.Packets[:0], nil
	until := time.Now().Add(wait)
	for {
		now := time.Now()
		due, news, err := s.take(b, now)
		if err != nil || news || len(b.Packets) > 0 {
			return err
		}
		left := until.Sub(now)
		if left <= 0 {
			return nil
		}
		left = min(left, s.nextLook.Sub(now))
		if due > 0 {
			left = min(left, time.Duration(due-now.UnixNano()), pressedEvery)
		}
		woken, err := s.poll(left, due == 0)
		if err != nil || woken {
			return err
		}
	}
}

// take gives blocks back and takes packets from others; there is news when an interface
// changed.
func (s *Source) take(b *capture.Batch, now time.Time) (due int64, news bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, false, os.ErrClosed
	}
	for _, d := range s.devices {
		d.ring.release()
	}
	if !now.Before(s.nextLook) {
		before := len(s.events)
		if err := s.look(now); err != nil {
			return 0, false, err
		}
		news = len(s.events) != before
	}
	return s.fill(b, now), news, nil
}

// poll waits for changes of interfaces or to be woken, and for packets where none are there
// that do not settle yet.
func (s *Source) poll(wait time.Duration, packets bool) (woken bool, err error) {
	for i := range s.polls[2:] {
		s.polls[2+i].Events = 0
		if packets {
			s.polls[2+i].Events = unix.POLLIN
		}
	}
	ms := int(min(max(wait, 0)+time.Millisecond-1, time.Hour) / time.Millisecond)
	n, err := unix.Poll(s.polls, ms)
	switch {
	case errors.Is(err, unix.EINTR):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("wait for packets: %w", err)
	case n == 0:
		return false, nil
	}
	if s.polls[0].Revents != 0 {
		var b [8]byte
		_, _ = unix.Read(s.wake, b[:])
		woken = true
	}
	changed := s.polls[1].Revents != 0
	if changed {
		drain(s.notices)
		if s.names != nil {
			s.names.changed()
		}
	}
	for _, p := range s.polls[2:] {
		changed = changed || p.Revents&^unix.POLLIN != 0
	}
	if changed {
		s.nextLook = time.Time{}
	}
	return woken, nil
}

// Wake makes the Read under way return, or the next one.
func (s *Source) Wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.nudge()
	}
}

// Hurry has Read give out from now on all that is there, though another interface may still
// hold what is earlier: for the end of a capture.
func (s *Source) Hurry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hurry = true
}

// ClockSet says that the clock was set by so much: the capture began as long ago by the new
// one.
func (s *Source) ClockSet(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first != 0 {
		s.first, s.last = s.first+int64(by), s.last+int64(by)
	}
}

func (s *Source) nudge() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	// It fails only where it has been woken very often already.
	_, _ = unix.Write(s.wake, one[:])
}

// Info describes what was read so far.
func (s *Source) Info() capture.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := s.info
	info.LinkTypes = slices.Clone(info.LinkTypes)
	info.Interfaces = slices.Clone(info.Interfaces)
	if s.names != nil {
		info.Interfaces = slices.Clone(s.names.list)
	}
	first, last := capture.Packet{Nano: s.first}, capture.Packet{Nano: s.last}
	info.First, info.Last = first.Time(), last.Time()
	return info
}

// Stats counts up to now.
func (s *Source) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := Stats{}
	for _, d := range s.devices {
		if !s.closed {
			s.count(d)
		}
		t.Received += d.received
		t.Dropped += d.dropped
		t.Interfaces = append(t.Interfaces, InterfaceStats{Name: d.name, State: d.state, Received: d.received, Dropped: d.dropped})
	}
	t.Freezes = s.freezes
	return t
}

// Events are those since it was asked last, in order; at most 256, the last ones. They are
// noticed by Read.
func (s *Source) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.events
	s.events = nil
	return e
}

// Close ends the capture; packets of the last Read are then no longer valid. A Read
// under way returns. Info, Stats and Events still answer.
func (s *Source) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	for _, d := range s.devices {
		s.count(d)
	}
	s.closed = true
	s.nudge()
	s.mu.Unlock()
	s.reading.Lock()
	defer s.reading.Unlock()
	s.shut()
	return nil
}

// shut closes all that is open.
func (s *Source) shut() {
	for _, d := range s.devices {
		d.ring.close()
	}
	for _, fd := range []int{s.wake, s.notices} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// settled is how old packets are, in nanoseconds, when no earlier ones can come from another
// ring: those of a block are given out 50 ms after it was begun, and timers are late.
const settled = 2 * retire * int64(time.Millisecond)

// pressedEvery is how often rings are looked at while their packets settle.
const pressedEvery = 10 * time.Millisecond

// fill takes packets from the rings, the earliest first. Of several rings only those
// that settled are taken: a connection may have one direction on each of two interfaces,
// and an answer must not come before its question. It returns when the next one
// that is there settles, or 0. s.mu is held.
func (s *Source) fill(b *capture.Batch, now time.Time) (due int64) {
	until := int64(math.MaxInt64)
	if len(s.devices) > 1 && !s.hurry {
		until = now.UnixNano() - settled
	}
	for len(b.Packets) < maxBatch {
		d, nano, next := s.earliest()
		if d == nil {
			return 0
		}
		if nano > until {
			// What is of a much later time than now was stamped before the clock was set back.
			if nano-until <= 2*settled && !s.pressed() {
				return nano + settled
			}
			until = math.MaxInt64
		}
		s.run(b, d, min(next, until))
	}
	return 0
}

// earliest is the device with the earliest packet and when that and the next one of another
// device are of; nil where nothing is ready, or not before blocks are given back.
func (s *Source) earliest() (d *device, nano, next int64) {
	next = math.MaxInt64
	for _, o := range s.devices {
		if !o.ring.ready() {
			if o.ring.waits(1) {
				return nil, 0, 0
			}
			continue
		}
		switch t := o.ring.frames.nano; {
		case d == nil:
			d, nano = o, t
		case t < nano:
			d, nano, next = o, t, nano
		default:
			next = min(next, t)
		}
	}
	return d, nano, next
}

// pressed reports whether packets wait in half of a ring's blocks: they had better be
// taken than more be dropped.
func (s *Source) pressed() bool {
	for _, d := range s.devices {
		if d.ring.waits(d.ring.count / 2) {
			return true
		}
	}
	return false
}

// run takes a device's packets up to a time. The first is taken in any case.
func (s *Source) run(b *capture.Batch, d *device, until int64) {
	f := &d.ring.frames
	for len(b.Packets) < maxBatch {
		n := len(b.Packets)
		b.Packets = append(b.Packets, capture.Packet{})
		p := &b.Packets[n]
		if index, ok := f.next(p); !ok {
			b.Packets = b.Packets[:n]
		} else {
			p.Interface = d.number
			if d.any {
				p.Interface = s.names.number(index)
			}
			s.tally(p)
		}
		if !d.ring.ready() || f.nano > until {
			return
		}
	}
}

// tally numbers a packet and counts it.
func (s *Source) tally(p *capture.Packet) {
	if s.number == math.MaxInt {
		s.number = 0 // where numbers have 32 bits, after weeks
	}
	s.number++
	p.Number = s.number
	s.info.Packets++
	s.info.Bytes += int64(len(p.Data))
	if len(p.Data) < p.Length {
		s.info.Cut++
	}
	if s.first == 0 || p.Nano < s.first {
		s.first = p.Nano
	}
	s.last = max(s.last, p.Nano)
}
