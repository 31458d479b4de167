package live

import (
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Interfaces are those that Open takes, Any first and the others in the kernel's order. No
// privileges are needed.
func Interfaces() ([]Interface, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the interfaces: %w", err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("list the interfaces: make a socket: %w", err)
	}
	defer unix.Close(fd)
	all := []Interface{{Name: Any, Link: cooked.link, Up: true}}
	for _, n := range list {
		hardware, err := hardwareOf(fd, n.Name)
		if err != nil {
			continue // gone meanwhile
		}
		i := Interface{
			Name:    n.Name,
			Link:    kindOf(hardware).link,
			Up:      n.Flags&net.FlagUp != 0 && n.Flags&net.FlagRunning != 0,
			Flags:   n.Flags,
			Problem: problem(sysNet, n.Name, hardware),
		}
		addresses, _ := n.Addrs()
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				i.Addresses = append(i.Addresses, p)
			}
		}
		all = append(all, i)
	}
	return all, nil
}
