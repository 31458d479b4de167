//go:build live && linux

package live_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mqttriage/mqttriage/capture/live"
)

// TestPacketSocketFilters attaches every filter to a packet socket, with as little memory for them
// as a small device's kernel allows: net.core.optmem_max was 10,240 bytes on 32 bits and 20,480 on 64
// before Linux 6.8.
func TestPacketSocketFilters(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root makes network namespaces")
	}
	// The thread is never unlocked: it ends with the test, and its namespace with it.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	const limit = "/proc/sys/net/core/optmem_max"
	if err := os.WriteFile(limit, []byte("10240"), 0); err != nil {
		t.Logf("this kernel has one limit for all namespaces, which stays as it is: %v", err)
	}
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(socket)
	try := func(name string, f live.Filter) error {
		for _, start := range []live.Start{live.StartEthernet, live.StartIP} {
			program, err := f.Program(start)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := attach(socket, program); err != nil {
				return fmt.Errorf("%d instructions: %w", len(program), err)
			}
			if err := unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0); err != nil {
				t.Fatal(err)
			}
		}
		return nil
	}
	for name, f := range filters {
		if err := try(name, f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// As many names as anybody gives.
	f := live.Filter{Lean: true, Ports: []uint16{1883, 8883, 8083, 8084, 9001}}
	for i := range 48 {
		f.Hosts = append(f.Hosts, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
	}
	for i := range 8 {
		f.Hosts = append(f.Hosts, netip.AddrFrom16([16]byte{0xfd, 15: byte(i)}))
	}
	if err := try("48 hosts of IPv4 and 8 of IPv6", f); err != nil {
		t.Error(err)
	}
	for i := range 400 {
		f.Ports = append(f.Ports, uint16(20000+i))
	}
	if err := try("hundreds of names", f); err != nil && !errors.Is(err, unix.ENOMEM) {
		t.Error(err)
	}
}
