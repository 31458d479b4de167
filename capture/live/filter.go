package live

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/net/bpf"
)

// Start says what a frame begins with when the filter sees it.
type Start uint8

const (
	// StartEthernet is an Ethernet header.
	StartEthernet Start = iota
	// StartIP is an IP header: on cooked sockets and links without a header.
	StartIP
)

// Filter is what the kernel is asked to let through: TCP over IPv4 and IPv6, also behind
// up to two VLAN tags, PPPoE, IPv4 options and up to four extension headers. Fragments of
// IP count: the first one, and the later ones, which show no ports.
//
// What is inside of tunnels is not looked for, and does not pass unless the tunnel itself
// is TCP: IP in IP, GRE, VXLAN, Geneve, GTP, MPLS. Nor do pass more than two VLAN tags,
// IEEE 802.3 with SNAP, PPP with a compressed header, an IPv6 fragment too short for its
// extension headers (RFC 7112 forbids it); and, with StartIP, IP that PPPoE or a tag
// precedes. A tag that the interface took off is not among the bytes, and costs nothing.
type Filter struct {
	// Ports are such that a segment must come from or go to one of them; none
	// means any. Later fragments pass whatever their ports.
	Ports []uint16
	// Hosts and Nets are such that a packet must come from or go to an address
	// that is one of Hosts or in one of Nets; none of both means any.
	Hosts []netip.Addr
	Nets  []netip.Prefix
	// Lean keeps publish traffic out: see lean.go.
	Lean bool
	// Raw, where not nil, is used as it is instead of all others.
	Raw []bpf.RawInstruction
}

// maxInstructions is how many Linux takes: BPF_MAXINSNS in linux/bpf_common.h.
const maxInstructions = 4096

// snapLength is what a filter returns for a frame that passes: how much of it, in bytes.
// It is tcpdump's, and more than any frame but those of "BIG TCP".
const snapLength = 0x40000

// Program is the filter as the kernel takes it, for frames that begin with
// start. It fails when there are more ports, hosts and networks than fit into
// a program, or when Raw is none.
func (f Filter) Program(start Start) ([]bpf.RawInstruction, error) {
	if f.Raw != nil {
		if err := check(f.Raw, func(at int) string { return fmt.Sprintf("instruction %d", at) }); err != nil {
			return nil, fmt.Errorf("use the BPF program: %w", err)
		}
		return f.Raw, nil
	}
	w := walk{ports: slices.Compact(slices.Sorted(slices.Values(f.Ports))), lean: f.Lean}
	var err error
	if w.nets4, w.nets6, err = f.nets(); err != nil {
		return nil, err
	}
	w.anywhere = len(f.Hosts)+len(f.Nets) == 0
	w.from(start)
	list := w.assemble()
	if len(list) > maxInstructions {
		return nil, fmt.Errorf("make the kernel's filter: %d ports, %d hosts and %d networks take %d instructions, and Linux takes %d; name networks instead of hosts",
			len(f.Ports), len(f.Hosts), len(f.Nets), len(list), maxInstructions)
	}
	return bpf.Assemble(list)
}

// nets are the hosts and networks by version, each once, the hosts first.
func (f Filter) nets() (v4, v6 []netip.Prefix, err error) {
	all := slices.Clone(f.Nets)
	for _, h := range f.Hosts {
		if !h.IsValid() {
			return nil, nil, errors.New("make the kernel's filter: a host is no address")
		}
		all = append(all, netip.PrefixFrom(h, h.BitLen())) // without its zone
	}
	for _, n := range all {
		if !n.IsValid() {
			return nil, nil, errors.New("make the kernel's filter: a network is no prefix")
		}
		if n.Addr().Is4In6() && n.Bits() >= 96 {
			n = netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96)
		}
		if n = n.Masked(); n.Addr().Is4() {
			v4 = append(v4, n)
		} else {
			v6 = append(v6, n)
		}
	}
	for _, list := range []*[]netip.Prefix{&v4, &v6} {
		slices.SortFunc(*list, func(a, b netip.Prefix) int {
			if a.Bits() != b.Bits() {
				return b.Bits() - a.Bits()
			}
			return a.Addr().Compare(b.Addr())
		})
		*list = slices.Compact(*list)
	}
	return v4, v6, nil
}
