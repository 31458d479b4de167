package live

import (
	"net"
	"net/netip"

	"github.com/mqttriage/mqttriage/capture"
)

// Any is the name that stands for all interfaces together.
const Any = "any"

// DefaultBuffer is the size in bytes of an interface's ring where Options.Buffer is 0.
const DefaultBuffer = 8 << 20

// Options say what to capture.
type Options struct {
	// Interfaces are their names; a name that comes again counts once. Any
	// stands alone.
	Interfaces []string
	// Promiscuous asks the interfaces for frames that are not addressed to
	// them. Any has no such mode; it is then ignored.
	Promiscuous bool
	// Filter is run by the kernel; what it turns away costs no memory.
	Filter Filter
	// Buffer is the memory in bytes of each interface's ring, rounded to whole
	// blocks and up to four of them, half a megabyte; 0 is DefaultBuffer. The memory
	// is taken at once, and counts as the process's own.
	Buffer int
}

// Interface is one that can be named to Open.
type Interface struct {
	Name string
	// Link is what its packets begin with.
	Link capture.LinkType
	// Up says that it is up and has a carrier: packets may come.
	Up bool
	// Flags are the system's; 0 for Any.
	Flags net.Flags
	// Addresses are those it has, with the lengths of their networks.
	Addresses []netip.Prefix
	// Problem says why it cannot be captured, and what can instead; empty where
	// it can.
	Problem string
}
