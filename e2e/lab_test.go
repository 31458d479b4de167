//go:build live && linux

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// lab is a small network with a real broker and room for real clients, and a place
// where the program under test captures.
type lab struct {
	t              *testing.T
	client, broker *space
	// capture is where is captured, on devices (the flags -i), sockets of them
	// altogether; clock is the device on which the time of packets is taken, and vlan
	// the VLAN that they are on there.
	capture *space
	devices []string
	sockets int
	clock   string
	vlan    uint16
	// clients are addresses of the client's host; brokerAt is the broker's, deaf one
	// of the same host where no broker listens, and nowhere one that swallows all.
	clients                 []netip.Addr
	brokerAt, deaf, nowhere netip.Addr
	// authority is the broker's certificate; stranger one that it does not have.
	authority, stranger string
}

// labs are the places where the scenarios are played.
var labs = []struct {
	name  string
	build func(*testing.T) *lab
}{
	{"veth IPv4", func(t *testing.T) *lab { return direct(t, 4, 0) }},
	{"veth IPv6", func(t *testing.T) *lab { return direct(t, 6, 0) }},
	{"VLAN IPv4", func(t *testing.T) *lab { return direct(t, 4, 42) }},
	{"VLAN IPv6", func(t *testing.T) *lab { return direct(t, 6, 42) }},
	{"any on a gateway", func(t *testing.T) *lab { return routed(t, "any") }},
	{"both sides of a gateway", func(t *testing.T) *lab { return routed(t, "east", "west") }},
}

// prefix makes the addresses of a network: number n of it is n in the last place.
func network(version, net int) func(n int) netip.Addr {
	return func(n int) netip.Addr {
		if version == 6 {
			return netip.MustParseAddr(fmt.Sprintf("fd00:e2e:0:%d::%x", net, n))
		}
		return netip.MustParseAddr(fmt.Sprintf("198.18.%d.%d", net, n))
	}
}

func (s *space) address(device string, addrs ...netip.Addr) {
	s.t.Helper()
	for _, a := range addrs {
		bits := 24
		if a.Is6() {
			bits = 64
		}
		s.ip("addr add %s/%d dev %s", a, bits, device)
	}
}

// swallows makes a host send what is for addr to the device of another that does
// not have the address, and so says nothing.
func (s *space) swallows(addr netip.Addr, device string, other *space, otherDevice string) {
	s.t.Helper()
	var mac string
	err := other.within(func() error {
		iface, err := net.InterfaceByName(otherDevice)
		if err == nil {
			mac = iface.HardwareAddr.String()
		}
		return err
	})
	if err != nil {
		s.t.Fatalf("%s in %s: %v", otherDevice, other.name, err)
	}
	s.ip("neigh replace %s lladdr %s nud permanent dev %s", addr, mac, device)
}

// direct is a client and a broker on one cable, tagged or not, captured at the
// broker.
func direct(t *testing.T, version int, vlan uint16) *lab {
	l := &lab{t: t, client: newSpace(t, "c"), broker: newSpace(t, "b"), devices: []string{"veth1"}, sockets: 1, clock: "veth1", vlan: vlan}
	l.capture = l.broker
	veth(l.client, "veth0", l.broker, "veth1")
	clientDevice, brokerDevice := "veth0", "veth1"
	if vlan != 0 {
		(&wire{vlan: vlan}).wireUp(t, l.client, "veth0", l.broker, "veth1")
		clientDevice, brokerDevice = tapName, tapName
	}
	at := network(version, 0)
	l.brokerAt, l.deaf, l.nowhere, l.clients = at(1), at(2), at(3), []netip.Addr{at(10), at(11)}
	l.client.address(clientDevice, l.clients...)
	// The addresses of a broker that does not listen everywhere.
	l.broker.address(brokerDevice, l.brokerAt, l.deaf)
	l.client.swallows(l.nowhere, clientDevice, l.broker, brokerDevice)
	l.authority, l.stranger = mosquitto(t, l.broker, l.brokerAt)
	return l
}

// routed is a gateway between a client and a broker, and captured there: every
// packet passes it on two interfaces.
func routed(t *testing.T, devices ...string) *lab {
	l := &lab{t: t, client: newSpace(t, "c"), capture: newSpace(t, "g"), broker: newSpace(t, "b"), devices: devices, sockets: len(devices), clock: "west"}
	veth(l.client, "veth0", l.capture, "east")
	veth(l.broker, "veth0", l.capture, "west")
	l.capture.sysctl("net.ipv4.ip_forward=1")
	east, west := network(4, 1), network(4, 2)
	l.clients = []netip.Addr{east(10), east(11)}
	l.client.address("veth0", l.clients...)
	l.capture.address("east", east(1))
	l.capture.address("west", west(254))
	l.client.ip("route add default via %s", east(1))
	l.brokerAt, l.deaf, l.nowhere = west(1), west(2), west(3)
	l.broker.address("veth0", l.brokerAt, l.deaf)
	l.broker.ip("route add default via %s", west(254))
	l.capture.swallows(l.nowhere, "west", l.broker, "veth0")
	l.authority, l.stranger = mosquitto(t, l.broker, l.brokerAt)
	return l
}

// watch starts the program under test in the lab, and returns when it captures.
func (l *lab) watch(flags ...string) *process {
	l.t.Helper()
	args := []string{program(l.t), "live"}
	for _, d := range l.devices {
		args = append(args, "-i", d)
	}
	p := start(l.t, l.capture.command(append(args, flags...)...))
	p.name = "mqttriage " + strings.Join(append(args[1:], flags...), " ")
	p.capturing(l.capture, l.sockets)
	return p
}
