package live

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/sys/unix"
)

// The kernel is asked about interfaces by ioctl (netdevice(7)), which any socket
// answers, for the network namespace that it was made in, and without privileges.

func indexOf(fd int, name string) (int, error) {
	r, err := ask(fd, unix.SIOCGIFINDEX, name)
	if err != nil {
		return 0, err
	}
	return int(r.Uint32()), nil
}

func hardwareOf(fd int, name string) (uint16, error) {
	r, err := ask(fd, unix.SIOCGIFHWADDR, name)
	if err != nil {
		return 0, err
	}
	return r.Uint16(), nil // sa_family
}

// lacks tells what keeps packets from coming: that an interface is not set up, or that it has
// no carrier, which is a cable, an access point, another end.
func lacks(fd int, name string) (missing, error) {
	r, err := ask(fd, unix.SIOCGIFFLAGS, name)
	if err != nil {
		return nothing, err
	}
	switch flags := r.Uint16(); {
	case flags&unix.IFF_UP == 0:
		return beingUp, nil
	case flags&unix.IFF_RUNNING == 0:
		return carrier, nil
	}
	return nothing, nil
}

func ask(fd int, question uint, name string) (*unix.Ifreq, error) {
	r, err := unix.NewIfreq(name)
	if err != nil {
		return nil, unix.ENODEV // a name as long as that has no interface
	}
	return r, unix.IoctlIfreq(fd, question, r)
}

func nameOf(fd int, index int) (string, error) {
	r, err := unix.NewIfreq("")
	if err != nil {
		return "", err
	}
	r.SetUint32(uint32(index))
	err = unix.IoctlIfreq(fd, unix.SIOCGIFNAME, r)
	return r.Name(), err
}

// maxNamed is how many interfaces an error names.
const maxNamed = 10

// noInterface words that there is none of a name.
func noInterface(name string, err error) error {
	if !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.ENXIO) {
		return fmt.Errorf("look for it: %w", err)
	}
	var there []string
	list, _ := net.Interfaces()
	for _, i := range list {
		there = append(there, i.Name)
	}
	if len(there) > maxNamed {
		there = append(there[:maxNamed], "…")
	}
	if len(there) == 0 {
		return fmt.Errorf("no such interface: %w", err)
	}
	return fmt.Errorf("no such interface: %w; there are %s; --list-interfaces tells more", err, strings.Join(there, ", "))
}
