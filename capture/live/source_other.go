//go:build !linux

package live

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/mqttriage/mqttriage/capture"
)

// unsupported says what can be done instead of capturing from here.
func unsupported() error {
	system, hint := runtime.GOOS, `use: tcpdump -U -w - "tcp port 1883" | mqttriage read -`
	switch runtime.GOOS {
	case "windows":
		system, hint = "Windows", `capture with Wireshark, or with dumpcap -i Ethernet -f "tcp port 1883" -w capture.pcapng, or with pktmon and pktmon etl2pcap; then mqttriage read capture.pcapng`
	case "darwin":
		system, hint = "macOS", `use: sudo tcpdump -i en0 -U -w - "tcp port 1883" | mqttriage read -`
	}
	return fmt.Errorf("capture on an interface: only on Linux, not on %s: %w; %s", system, errors.ErrUnsupported, hint)
}

// Source is not to be had here.
type Source struct{}

// Open fails and says what to use instead.
func Open(Options) (*Source, error) { return nil, unsupported() }

// Interfaces fails and says what to use instead.
func Interfaces() ([]Interface, error) { return nil, unsupported() }

// Read fails.
func (*Source) Read(*capture.Batch, time.Duration) error { return unsupported() }

// Hurry does nothing.
func (*Source) Hurry() {}

// ClockSet does nothing.
func (*Source) ClockSet(time.Duration) {}

// Wake does nothing.
func (*Source) Wake() {}

// Info is empty.
func (*Source) Info() capture.Info { return capture.Info{} }

// Stats is empty.
func (*Source) Stats() Stats { return Stats{} }

// Events is empty.
func (*Source) Events() []Event { return nil }

// Close does nothing.
func (*Source) Close() error { return nil }
