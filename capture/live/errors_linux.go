package live

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// noSocket words why there is no packet socket.
func noSocket(err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("no permission to capture: %w; run it with sudo, or allow it once with: sudo setcap cap_net_raw+ep $(command -v mqttriage); in a container add --cap-add NET_RAW", err)
	case errors.Is(err, unix.EAFNOSUPPORT):
		return fmt.Errorf("no packet sockets here: %w; a sandbox may forbid them (systemd: RestrictAddressFamilies= must name AF_PACKET), and WSL 1 has none", err)
	}
	return fmt.Errorf("open a packet socket: %w", err)
}

// noMemory words why there is no ring of so many bytes.
func noMemory(err error, size int) error {
	if errors.Is(err, unix.ENOMEM) {
		return fmt.Errorf("no memory for a ring of %d MiB: %w; try a smaller --buffer", (size+1<<20-1)>>20, err)
	}
	return fmt.Errorf("make a ring of %d KiB: %w", size>>10, err)
}
