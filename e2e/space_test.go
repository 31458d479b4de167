//go:build live && linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// space is a network namespace with nothing but what a test puts into it: no
// packet in it ever leaves the machine.
type space struct {
	t    testing.TB
	name string
}

var spaces atomic.Int32

// newSpace makes a namespace that goes with the test.
func newSpace(t testing.TB, role string) *space {
	t.Helper()
	s := &space{t, fmt.Sprintf("mqe%dn%d%s", os.Getpid(), spaces.Add(1), role)}
	if out, err := exec.Command("ip", "netns", "add", s.name).CombinedOutput(); err != nil {
		t.Fatalf("ip netns add %s: %v: %s", s.name, err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", s.name).CombinedOutput(); err != nil {
			t.Errorf("ip netns del %s: %v: %s", s.name, err, out)
		}
	})
	// Addresses are usable at once, and no host talks before it is asked to.
	s.sysctl("net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0",
		"net.ipv6.conf.all.router_solicitations=0", "net.ipv6.conf.default.router_solicitations=0")
	s.ip("link set lo up")
	return s
}

// ip runs one ip command in the namespace; words are separated by blanks.
func (s *space) ip(format string, args ...any) {
	s.t.Helper()
	words := strings.Fields(fmt.Sprintf(format, args...))
	if out, err := exec.Command("ip", append([]string{"-n", s.name}, words...)...).CombinedOutput(); err != nil {
		s.t.Fatalf("ip -n %s %s: %v: %s", s.name, strings.Join(words, " "), err, out)
	}
}

func (s *space) sysctl(settings ...string) {
	s.t.Helper()
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		err := s.within(func() error {
			return os.WriteFile("/proc/sys/"+strings.ReplaceAll(name, ".", "/"), []byte(value), 0o644)
		})
		if err != nil {
			s.t.Fatalf("sysctl %s in %s: %v", setting, s.name, err)
		}
	}
}

// command makes a command that runs in the namespace under the process ID that it
// starts with.
func (s *space) command(args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", s.name}, args...)...)
}

// within calls f on a thread that is in the namespace: what sockets it opens stay
// there.
func (s *space) within(f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	there, err := os.Open("/run/netns/" + s.name)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter %s: %w", s.name, err)
	}
	failed := f()
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		return err // the thread stays locked and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return failed
}

// veth joins two namespaces with a pair of interfaces.
func veth(a *space, nameA string, b *space, nameB string) {
	a.t.Helper()
	a.ip("link add %s type veth peer name %s netns %s", nameA, nameB, b.name)
	a.ip("link set %s up", nameA)
	b.ip("link set %s up", nameB)
}
