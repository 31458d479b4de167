package live

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lookEvery is how often interfaces are looked after in any case, and the
	// kernel's counters, which have 32 bits, are added up.
	lookEvery = time.Second
	// downAfter is for how long an interface must be set down before that is told: one that
	// is removed is set down first.
	downAfter = 50 * time.Millisecond
	// carrierAfter is the same for the carrier, which the kernel itself needs up to a
	// second to notice.
	carrierAfter = 2 * time.Second
	// maxEvents bounds those that nobody asked for; the oldest go first.
	maxEvents = 256
	// maxNotices bounds how many of the kernel's notices are taken at once.
	maxNotices = 1024
)

// A device is an interface that is captured, or all of them as Any.
type device struct {
	name   string
	number int // among the source's
	kind   kind
	any    bool
	index  int // the kernel's number
	state  State
	// missing is what it lacks, and since when; fell says that the kernel had it go
	// down since events told of it last.
	missing missing
	since   time.Time
	fell    bool
	// away says that it was gone since it was up last.
	away bool
	// refused is the number of an interface of its name whose kind is another.
	refused int
	ring    *ring

	received, dropped uint64
}

// missing is what keeps packets from coming from an interface that is there.
type missing uint8

const (
	nothing missing = iota
	carrier
	beingUp
)

// after is for how long it must be missing.
func (m missing) after() time.Duration {
	switch m {
	case carrier:
		return carrierAfter
	case beingUp:
		return downAfter
	}
	return 0
}

func (m missing) event() EventKind {
	if m == carrier {
		return LostCarrier
	}
	return WentDown
}

// openNotices gives a netlink socket that becomes readable when an interface
// changes (rtnetlink(7), RTMGRP_LINK), or -1: looking once a second will then do.
func openNotices() int {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return -1
	}
	if unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}) != nil {
		unix.Close(fd)
		return -1
	}
	return fd
}

// drain takes the notices that are there. What they say is not read: the
// interfaces are looked at instead, which is right also where notices were lost.
func drain(fd int) {
	var b [1]byte
	for range maxNotices {
		if _, err := unix.Read(fd, b[:]); err != nil && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// look looks after all interfaces. s.mu is held.
func (s *Source) look(now time.Time) error {
	s.nextLook = now.Add(lookEvery)
	for _, d := range s.devices {
		s.count(d)
		if err := s.lookAt(d, now); err != nil {
			return fmt.Errorf("capture on %s: %w", d.name, err)
		}
	}
	return nil
}

// count adds up the kernel's counters.
func (s *Source) count(d *device) {
	received, dropped, freezes := d.ring.counts()
	d.received += received
	d.dropped += dropped + uint64(d.ring.frames.lost)
	d.ring.frames.lost = 0
	s.freezes += freezes
}

// lookAt finds out what became of an interface. When one goes down, the kernel unhooks
// the socket, and hooks it again when it comes up. When one is removed, the socket is
// bound to nothing, and stays so until it is bound again; that needs no capability.
func (s *Source) lookAt(d *device, now time.Time) error {
	fell, err := d.ring.takeError()
	if err != nil || d.any {
		return err
	}
	d.fell = d.fell || fell
	if !d.ring.bound() {
		if d.state != Gone {
			s.event(now, d, WentAway)
		}
		d.state, d.away, d.fell = Gone, true, false
		if !s.bindAgain(d, now) {
			return nil
		}
	}
	// By its number, for it may have been renamed.
	name, err := nameOf(d.ring.fd, d.index)
	if err != nil {
		return nil // it is about to go; the next look will see it
	}
	m, err := lacks(d.ring.fd, name)
	if err != nil {
		return nil
	}
	s.becomes(d, now, m)
	return nil
}

// becomes notes what an interface that is there lacks.
func (s *Source) becomes(d *device, now time.Time, m missing) {
	if d.missing != m {
		d.missing, d.since = m, now
	}
	surely := d.since.Add(m.after())
	if now.Before(surely) && surely.Before(s.nextLook) {
		s.nextLook = surely
	}
	was := d.state
	switch {
	case m == nothing, m == carrier && now.Before(surely):
		d.state = Up
		s.up(d, now, was)
	case !now.Before(surely):
		d.state, d.fell = Down, false
		if was == Up {
			s.event(d.since, d, m.event())
		}
	}
}

// up tells that an interface is up that was something else, or fell for a moment.
func (s *Source) up(d *device, now time.Time, was State) {
	switch {
	case d.away:
		s.event(now, d, CameBack)
	case was == Down:
		s.event(now, d, CameUp)
	case d.fell:
		s.event(now, d, WentDown)
		s.event(now, d, CameUp)
	}
	d.away, d.fell = false, false
}

// bindAgain binds the socket to an interface that has the name of one that is gone,
// where there is one.
func (s *Source) bindAgain(d *device, now time.Time) bool {
	index, err := indexOf(d.ring.fd, d.name)
	if err != nil {
		return false
	}
	hardware, err := hardwareOf(d.ring.fd, d.name)
	if err != nil {
		return false
	}
	// The socket's type and filter are for the former kind, and the filter is locked.
	if k := kindOf(hardware); k != d.kind {
		if d.refused != index {
			s.event(now, d, ChangedKind)
			s.events[len(s.events)-1].Link = k.link
		}
		d.refused = index
		return false
	}
	if d.ring.bind(index) != nil {
		return false // it went again
	}
	d.index, d.refused = index, 0
	if s.promiscuous {
		// Where it has no such mode, its own packets are still worth having.
		_ = d.ring.promiscuous(index)
	}
	_, _ = d.ring.takeError() // that it is down is seen from its flags
	return true
}

func (s *Source) event(now time.Time, d *device, kind EventKind) {
	if len(s.events) >= maxEvents {
		s.events = append(s.events[:0], s.events[1:]...)
	}
	s.events = append(s.events, Event{Time: now, Interface: d.name, Kind: kind})
}

// takeError reports whether the interface went down since it was asked last.
func (r *ring) takeError() (fell bool, err error) {
	n, err := unix.GetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return false, fmt.Errorf("ask the socket: %w", err)
	}
	switch e := unix.Errno(n); e {
	case 0:
		return false, nil
	case unix.ENETDOWN:
		return true, nil
	default:
		return false, fmt.Errorf("receive: %w", e)
	}
}

// bound reports whether the interface that the socket was bound to is still there.
func (r *ring) bound() bool {
	a, err := unix.Getsockname(r.fd)
	if err != nil {
		return true
	}
	l, ok := a.(*unix.SockaddrLinklayer)
	return !ok || l.Ifindex > 0
}
