package live_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/mqttriage/mqttriage/capture/live"
)

// machine is a program of a filter in the BPF virtual machine.
func machine(t testing.TB, f live.Filter, start live.Start) *bpf.VM {
	t.Helper()
	program, err := f.Program(start)
	if err != nil {
		t.Fatal(err)
	}
	return machineOf(t, program)
}

func machineOf(t testing.TB, program []bpf.RawInstruction) *bpf.VM {
	t.Helper()
	list, all := bpf.Disassemble(program)
	if !all {
		t.Fatal("some instructions are unknown")
	}
	vm, err := bpf.NewVM(list)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

// passes reports whether a frame passes.
func passes(t testing.TB, vm *bpf.VM, frame []byte) bool {
	t.Helper()
	n, err := vm.Run(frame)
	if err != nil {
		t.Fatal(err)
	}
	return n != 0
}

// printed is a program in the form of `tcpdump -ddd`.
func printed(program []bpf.RawInstruction) string {
	var b strings.Builder
	fmt.Fprintln(&b, len(program))
	for _, i := range program {
		fmt.Fprintln(&b, i.Op, i.Jt, i.Jf, i.K)
	}
	return b.String()
}

var mqttPorts = []uint16{1883, 8883}

// filters are those that the tables and comparisons ask, by name.
var filters = map[string]live.Filter{
	"tcp":  {},
	"port": {Ports: mqttPorts},
	"host": {Hosts: []netip.Addr{broker4, broker6}},
	"net": {Nets: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/15"), netip.MustParsePrefix("fd00:1:2:3::/64"),
		netip.MustParsePrefix("10.5.5.0/24"), netip.MustParsePrefix("2001:db8:ffff:8000::/49"),
	}},
	"port and host": {Ports: []uint16{8883, 1883}, Hosts: []netip.Addr{broker4, broker6}},
	"host or net": {
		Hosts: []netip.Addr{client4, netip.MustParseAddr("2001:db8::1")},
		Nets:  []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1:2:4::/64")},
	},
	"lean":               {Lean: true},
	"lean and port":      {Lean: true, Ports: mqttPorts},
	"lean and port, net": {Lean: true, Ports: mqttPorts, Nets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}},
	"only IPv6":          {Nets: []netip.Prefix{netip.MustParsePrefix("::/0")}},
	"only IPv4":          {Nets: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}},
}

func TestFilter(t *testing.T) {
	const connect, publish = "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", "\x30\x04\x00\x01ab"
	var (
		segment = func(payload string) []byte { return tcpHeader(50000, 1883, psh|ack, 3, []byte(payload)...) }
		foreign = tcpHeader(50000, 80, psh|ack, 0, []byte("GET / HTTP/1.1\r\n")...)
		ipv4    = func(payload []byte) []byte {
			return inIPv4(header4{src: client4, dst: broker4, protocol: 6, fragment: 0x4000}, payload)
		}
		ipv6 = func(next byte, payload []byte) []byte { return inIPv6(client6, broker6, next, payload) }
		udp  = []byte{0xc3, 0x50, 0x07, 0x5b, 0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}
		padd = func(b []byte, with byte) []byte { return append(b, slices.Repeat([]byte{with}, 60)...) }
	)
	for _, test := range []struct {
		name  string
		start live.Start
		frame []byte
		want  string // the filters that it passes of tcp, port, host, net, lean
	}{
		{"IPv4", live.StartEthernet, onEthernet(ipv4(segment(connect)), typeIPv4), "tcp port host net lean"},
		{"IPv4, PUBLISH", live.StartEthernet, onEthernet(ipv4(segment(publish)), typeIPv4), "tcp port host net"},
		{"IPv4, another port", live.StartEthernet, onEthernet(ipv4(foreign), typeIPv4), "tcp host net"},
		{"IPv4, from the broker", live.StartEthernet, onEthernet(inIPv4(header4{src: broker4, dst: client4, protocol: 6}, tcpHeader(8883, 40000, psh|ack, 0, 0x20, 2, 0, 0)), typeIPv4), "tcp port host net lean"},
		{"IPv4, another host in the network", live.StartEthernet, onEthernet(inIPv4(header4{src: client4, dst: netip.MustParseAddr("10.1.255.255"), protocol: 6}, segment(connect)), typeIPv4), "tcp port net lean"},
		{"IPv4, another host beside the network", live.StartEthernet, onEthernet(inIPv4(header4{src: client4, dst: netip.MustParseAddr("10.2.0.0"), protocol: 6}, segment(connect)), typeIPv4), "tcp port lean"},
		{"IPv4 with options", live.StartEthernet, onEthernet(inIPv4(header4{src: client4, dst: broker4, protocol: 6, options: 10}, segment(connect)), typeIPv4), "tcp port host net lean"},
		{"IPv4 with options, PUBLISH", live.StartEthernet, onEthernet(inIPv4(header4{src: client4, dst: broker4, protocol: 6, options: 1}, segment(publish)), typeIPv4), "tcp port host net"},
		{"IPv4 with AH", live.StartEthernet, onEthernet(inIPv4(header4{src: client4, dst: broker4, protocol: 51}, behindAH(6, 3, segment(connect))), typeIPv4), "tcp port host net lean"},
		{"UDP", live.StartEthernet, onEthernet(inIPv4(header4{src: client4, dst: broker4, protocol: 17}, udp), typeIPv4), ""},
		{"UDP in IPv6", live.StartEthernet, onEthernet(ipv6(17, udp), typeIPv6), ""},
		{"ARP", live.StartEthernet, padd(onEthernet(nil, 0x0806), 6), ""},
		{"IPv4 in IPv4", live.StartEthernet, onEthernet(inIPv4(header4{src: client4, dst: broker4, protocol: 4}, ipv4(segment(connect))), typeIPv4), ""},
		{"ESP", live.StartEthernet, onEthernet(inIPv4(header4{src: client4, dst: broker4, protocol: 50}, segment(connect)), typeIPv4), ""},
		{"nothing", live.StartEthernet, nil, ""},
		{"a byte", live.StartIP, []byte{0x45}, ""},

		{"802.1Q", live.StartEthernet, onEthernet(ipv4(segment(connect)), typeVLAN, typeIPv4), "tcp port host net lean"},
		{"802.1Q, PUBLISH", live.StartEthernet, onEthernet(ipv4(segment(publish)), typeVLAN, typeIPv4), "tcp port host net"},
		{"802.1Q, IPv6", live.StartEthernet, onEthernet(ipv6(6, segment(connect)), typeVLAN, typeIPv6), "tcp port host net lean"},
		{"802.1ad", live.StartEthernet, onEthernet(ipv4(segment(connect)), typeQinQ, typeVLAN, typeIPv4), "tcp port host net lean"},
		{"old QinQ, IPv6", live.StartEthernet, onEthernet(ipv6(6, segment(publish)), typeOldQinQ, typeVLAN, typeIPv6), "tcp port host net"},
		{"three tags", live.StartEthernet, onEthernet(ipv4(segment(connect)), typeQinQ, typeVLAN, typeVLAN, typeIPv4), ""},
		{"802.1Q, ARP", live.StartEthernet, padd(onEthernet(nil, typeVLAN, 0x0806), 6), ""},
		{"PPPoE", live.StartEthernet, onEthernet(inPPPoE(ipv4(segment(connect)), 0x21), typePPPoE), "tcp port host net lean"},
		{"PPPoE, tagged, IPv6, PUBLISH", live.StartEthernet, onEthernet(inPPPoE(ipv6(6, segment(publish)), 0x57), typeVLAN, typePPPoE), "tcp port host net"},
		{"PPPoE, LCP", live.StartEthernet, onEthernet(inPPPoE(padd([]byte{0x45}, 6), 0xc021), typePPPoE), ""},

		{"IPv6", live.StartEthernet, onEthernet(ipv6(6, segment(connect)), typeIPv6), "tcp port host net lean"},
		{"IPv6, PUBLISH", live.StartEthernet, onEthernet(ipv6(6, segment(publish)), typeIPv6), "tcp port host net"},
		{"IPv6, another port", live.StartEthernet, onEthernet(ipv6(6, foreign), typeIPv6), "tcp host net"},
		{"IPv6, another host in the network", live.StartEthernet, onEthernet(inIPv6(client6, netip.MustParseAddr("fd00:1:2:3::2"), 6, segment(connect)), typeIPv6), "tcp port net lean"},
		{"IPv6, a network that ends within a word", live.StartEthernet, onEthernet(inIPv6(netip.MustParseAddr("2001:db8:ffff:ffff::2"), client6, 6, segment(connect)), typeIPv6), "tcp port net lean"},
		{"IPv6, beside it", live.StartEthernet, onEthernet(inIPv6(netip.MustParseAddr("2001:db8:ffff:7fff::2"), client6, 6, segment(connect)), typeIPv6), "tcp port lean"},
		{"IPv6, hop-by-hop", live.StartEthernet, onEthernet(ipv6(0, behindExtension(6, 0, segment(connect))), typeIPv6), "tcp port host net lean"},
		{"IPv6, routing of 24 bytes", live.StartEthernet, onEthernet(ipv6(43, behindExtension(6, 2, segment(connect))), typeIPv6), "tcp port host net lean"},
		{"IPv6, AH, PUBLISH", live.StartEthernet, onEthernet(ipv6(51, behindAH(6, 3, segment(publish))), typeIPv6), "tcp port host net"},
		{"IPv6, four headers", live.StartEthernet, onEthernet(ipv6(0, behindExtension(60, 0, behindExtension(43, 1, behindExtension(51, 0, behindAH(6, 3, segment(connect)))))), typeIPv6), "tcp port host net lean"},
		{"IPv6, five headers", live.StartEthernet, onEthernet(ipv6(0, behindExtension(60, 0, behindExtension(43, 1, behindExtension(51, 0, behindAH(60, 3, behindExtension(6, 0, segment(connect))))))), typeIPv6), ""},
		{"IPv6, no next header", live.StartEthernet, padd(onEthernet(ipv6(59, nil), typeIPv6), 6), ""},
		{"IPv6, ICMP behind hop-by-hop", live.StartEthernet, onEthernet(ipv6(0, behindExtension(58, 0, segment(connect))), typeIPv6), ""},

		{"raw IPv4", live.StartIP, ipv4(segment(connect)), "tcp port host net lean"},
		{"raw IPv4, PUBLISH", live.StartIP, ipv4(segment(publish)), "tcp port host net"},
		{"raw IPv4 with options", live.StartIP, inIPv4(header4{src: client4, dst: broker4, protocol: 6, options: 2}, segment(connect)), "tcp port host net lean"},
		{"raw IPv6", live.StartIP, ipv6(6, segment(connect)), "tcp port host net lean"},
		{"raw, neither", live.StartIP, padd(nil, 0x55), ""},

		{"first fragment", live.StartEthernet, onEthernet(inIPv4(header4{src: client4, dst: broker4, protocol: 6, fragment: 0x2000}, segment(publish)), typeIPv4), "tcp port host net lean"},
		{"first fragment of another port", live.StartEthernet, onEthernet(inIPv4(header4{src: client4, dst: broker4, protocol: 6, fragment: 0x2000}, foreign), typeIPv4), "tcp host net lean"},
		{"first fragment that ends within the TCP header", live.StartIP, inIPv4(header4{src: client4, dst: broker4, protocol: 6, fragment: 0x2000}, segment("")[:8]), "tcp port host net lean"},
		{"later fragment", live.StartEthernet, onEthernet(inIPv4(header4{src: client4, dst: broker4, protocol: 6, fragment: 0x2001}, foreign), typeIPv4), "tcp port host net lean"},
		{"last fragment, of one byte", live.StartIP, inIPv4(header4{src: client4, dst: broker4, protocol: 6, fragment: 0x1fff}, []byte{1}), "tcp port host net lean"},
		{"last fragment of another host", live.StartIP, inIPv4(header4{src: client4, dst: client4, protocol: 6, fragment: 0x0001}, []byte{1}), "tcp port lean"},
		{"later fragment of UDP", live.StartIP, inIPv4(header4{src: client4, dst: broker4, protocol: 17, fragment: 0x0001}, udp), ""},
		{"IPv6, whole in a fragment header", live.StartEthernet, onEthernet(ipv6(44, behindFragment(6, 0, false, segment(publish))), typeIPv6), "tcp port host net"},
		{"IPv6, first fragment", live.StartEthernet, onEthernet(ipv6(44, behindFragment(6, 0, true, segment(publish))), typeIPv6), "tcp port host net lean"},
		{"IPv6, first fragment of another port", live.StartEthernet, onEthernet(ipv6(44, behindFragment(6, 0, true, foreign)), typeIPv6), "tcp host net lean"},
		{"IPv6, first fragment with options", live.StartEthernet, onEthernet(ipv6(0, behindExtension(44, 0, behindFragment(60, 0, true, behindExtension(6, 0, segment(publish))))), typeIPv6), "tcp port host net lean"},
		{"IPv6, later fragment", live.StartIP, ipv6(44, behindFragment(6, 1, false, []byte{1})), "tcp port host net lean"},
		{"IPv6, later fragment behind options", live.StartIP, ipv6(44, behindFragment(60, 185, true, []byte{1, 2, 3, 4, 5, 6, 7, 8})), "tcp port host net lean"},
		{"IPv6, later fragment of UDP", live.StartIP, ipv6(44, behindFragment(17, 1, false, []byte{1})), ""},
		{"IPv6, later fragment of another host", live.StartIP, inIPv6(client6, client6, 44, behindFragment(6, 1, false, []byte{1})), "tcp port lean"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, name := range []string{"tcp", "port", "host", "net", "lean"} {
				if passes(t, machine(t, filters[name], test.start), test.frame) {
					got = append(got, name)
				}
			}
			if got := strings.Join(got, " "); got != test.want {
				t.Errorf("passes %q, want %q", got, test.want)
			}
		})
	}
}

// TestLean asks for single segments, in each of the ways that the program goes.
func TestLean(t *testing.T) {
	wrappings := map[string]func([]byte) sample{
		"plain": func(b []byte) sample {
			return sample{live.StartEthernet, onEthernet(inIPv4(header4{src: client4, dst: broker4, protocol: 6}, b), typeIPv4)}
		},
		"raw": func(b []byte) sample {
			return sample{live.StartIP, inIPv4(header4{src: client4, dst: broker4, protocol: 6}, b)}
		},
		"options": func(b []byte) sample {
			return sample{live.StartEthernet, onEthernet(inIPv4(header4{src: client4, dst: broker4, protocol: 6, options: 2}, b), typeIPv4)}
		},
		"tag": func(b []byte) sample {
			return sample{live.StartEthernet, onEthernet(inIPv4(header4{src: client4, dst: broker4, protocol: 6}, b), typeVLAN, typeIPv4)}
		},
		"no length": func(b []byte) sample {
			return sample{live.StartEthernet, onEthernet(inIPv4(header4{src: client4, dst: broker4, protocol: 6, length: -1}, b), typeIPv4)}
		},
		"IPv6": func(b []byte) sample {
			return sample{live.StartEthernet, onEthernet(inIPv6(client6, broker6, 6, b), typeIPv6)}
		},
		"raw IPv6": func(b []byte) sample { return sample{live.StartIP, inIPv6(client6, broker6, 6, b)} },
		"hop-by-hop": func(b []byte) sample {
			return sample{live.StartEthernet, onEthernet(inIPv6(client6, broker6, 0, behindExtension(6, 1, b)), typeIPv6)}
		},
	}
	for wrapping, wrap := range wrappings {
		vms := map[live.Start]*bpf.VM{
			live.StartEthernet: machine(t, live.Filter{Lean: true}, live.StartEthernet),
			live.StartIP:       machine(t, live.Filter{Lean: true}, live.StartIP),
		}
		for _, options := range []int{0, 3, 10} {
			// Every flag: without payload, and with that of a PUBLISH.
			for flags := range 256 {
				for _, payload := range []string{"", "\x30\x04\x00\x01ab"} {
					s := wrap(tcpHeader(50000, 1883, byte(flags), options, []byte(payload)...))
					want := flags&(fin|syn|rst) != 0
					if got := passes(t, vms[s.start], s.frame); got != want {
						t.Errorf("%s: flags %08b, payload %x: passes is %v", wrapping, flags, payload, got)
					}
				}
			}
			// Every first byte; and as padding behind a segment without payload.
			for first := range 256 {
				b := byte(first)
				want := b>>4 == 1 && b != 0x17 || b == 0x20 || b == 0xe0 || b == 0xf0
				s := wrap(tcpHeader(50000, 1883, psh|ack, options, b))
				if got := passes(t, vms[s.start], s.frame); got != want {
					t.Errorf("%s, %d words of options: first byte %#02x: passes is %v", wrapping, options, b, got)
				}
				s = wrap(tcpHeader(50000, 1883, ack, options))
				// Of a packet without length the frame's end is its own.
				want = want && wrapping == "no length"
				if got := passes(t, vms[s.start], append(s.frame, slices.Repeat([]byte{b}, 6)...)); got != want {
					t.Errorf("%s, %d words of options: padding of %#02x: passes is %v", wrapping, options, b, got)
				}
			}
		}
	}
}

// TestFilterModel compares the programs with the model, on all samples.
func TestFilterModel(t *testing.T) {
	for name, f := range filters {
		t.Run(name, func(t *testing.T) {
			vms := [...]*bpf.VM{machine(t, f, live.StartEthernet), machine(t, f, live.StartIP)}
			passed := 0
			for _, s := range allSamples(t) {
				got := passes(t, vms[s.start], s.frame)
				want, features := asks(f, s)
				if got {
					passed++
				}
				// What is cut there passes or not by the order in which the
				// program comes to need it; no whole frame is.
				if got != want && !features[isCutHeader] {
					t.Fatalf("passes is %v, start %d, %x", got, s.start, s.frame)
				}
			}
			if passed < 1000 {
				t.Errorf("only %d frames passed: what was compared?", passed)
			}
		})
	}
}

// TestManyNames asks for so many ports and addresses that jumps go far, and for more than
// fit.
func TestManyNames(t *testing.T) {
	many := func(ports, hosts4, hosts6 int) (f live.Filter) {
		for i := range ports {
			f.Ports = append(f.Ports, uint16(10000+3*i))
		}
		for i := range hosts4 {
			f.Hosts = append(f.Hosts, netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}))
		}
		for i := range hosts6 {
			f.Nets = append(f.Nets, netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 9, 14: byte(i >> 8), 15: byte(i)}), 128))
		}
		f.Lean = true
		return f
	}
	for _, n := range [][3]int{{1, 0, 0}, {50, 50, 50}, {126, 2, 0}, {127, 2, 0}, {128, 2, 0}, {300, 0, 0}, {400, 100, 0}, {0, 250, 0}, {0, 0, 150}, {200, 200, 50}} {
		f := many(n[0], n[1], n[2])
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			for _, start := range []live.Start{live.StartEthernet, live.StartIP} {
				program, err := f.Program(start)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := live.ParseRaw([]byte(printed(program))); err != nil {
					t.Fatalf("Linux would refuse it: %v", err)
				}
				vm := machineOf(t, program)
				for i := range 500 {
					src, dst := netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}), client4
					port := uint16(10000 + i)
					if i%2 == 0 {
						src, dst = dst, src
					}
					// Not always TCP, so that every jump is taken.
					segment, protocol := tcpHeader(port, 4, syn, 0), byte(6)
					switch i % 7 {
					case 1:
						protocol = 17
					case 2:
						segment, protocol = behindAH(6, 0, segment), 51
					}
					frame := inIPv4(header4{src: src, dst: dst, protocol: protocol, options: i % 3}, segment)
					if i%5 == 0 {
						src, dst = client6, netip.AddrFrom16([16]byte{0xfd, 9, 14: byte(i >> 8), 15: byte(i)})
						frame = inIPv6(src, dst, 6, tcpHeader(4, port, psh|ack, 0, 0x10))
					}
					s := sample{start, frame}
					if start == live.StartEthernet {
						s.frame = onEthernet(frame, typeIPv4)
						if frame[0]>>4 == 6 {
							s.frame = onEthernet(frame, typeIPv6)
						}
					}
					if want, _ := asks(f, s); passes(t, vm, s.frame) != want {
						t.Fatalf("passes is %v: %x", !want, s.frame)
					}
				}
			}
		})
	}
	for _, n := range [][3]int{{2000, 0, 0}, {0, 1000, 0}, {0, 0, 400}, {60000, 0, 0}} {
		_, err := many(n[0], n[1], n[2]).Program(live.StartEthernet)
		if err == nil || !strings.Contains(err.Error(), "4096") || !strings.Contains(err.Error(), fmt.Sprintf("%d ports, %d hosts and %d networks", n[0], n[1], n[2])) {
			t.Errorf("%v: the error is %v", n, err)
		}
	}
}

// TestJumpsGetFar lets the jumps grow by one instruction at a time beyond what a test can go over.
func TestJumpsGetFar(t *testing.T) {
	var ports []uint16
	segment := func(src, dst uint16) []byte {
		return onEthernet(inIPv4(header4{src: client4, dst: broker4, protocol: 6}, tcpHeader(src, dst, syn, 0)), typeIPv4)
	}
	for port := uint16(1); port <= 300; port++ {
		ports = append(ports, port)
		vm := machine(t, live.Filter{Ports: ports, Lean: true}, live.StartEthernet)
		for _, test := range []struct {
			src, dst uint16
			want     bool
		}{{1, 9999, true}, {9999, 1, true}, {port, 9999, true}, {9999, port, true}, {9999, port + 1, false}, {port + 1, 0, false}} {
			if passes(t, vm, segment(test.src, test.dst)) != test.want {
				t.Fatalf("%d ports: from %d to %d passes is %v", port, test.src, test.dst, !test.want)
			}
		}
	}
}

// TestSameQuestion holds that names may come again, in any order and in other words.
func TestSameQuestion(t *testing.T) {
	for name, pair := range map[string][2]live.Filter{
		"ports":             {{Ports: []uint16{1883, 8883}}, {Ports: []uint16{8883, 1883, 8883}}},
		"host and network":  {{Hosts: []netip.Addr{broker4}}, {Nets: []netip.Prefix{netip.PrefixFrom(broker4, 32)}}},
		"hosts":             {{Hosts: []netip.Addr{broker4, client6}}, {Hosts: []netip.Addr{client6, broker4, broker4, client6}}},
		"bits behind it":    {{Nets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, {Nets: []netip.Prefix{netip.MustParsePrefix("10.1.2.3/8")}}},
		"mapped addresses":  {{Hosts: []netip.Addr{broker4}}, {Hosts: []netip.Addr{netip.AddrFrom16(broker4.As16())}}},
		"mapped networks":   {{Nets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, {Nets: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}}},
		"zones":             {{Hosts: []netip.Addr{netip.MustParseAddr("fe80::1")}}, {Hosts: []netip.Addr{netip.MustParseAddr("fe80::1%eth0")}}},
		"a program instead": {{Raw: []bpf.RawInstruction{{Op: 6, K: 96}}}, {Raw: []bpf.RawInstruction{{Op: 6, K: 96}}, Lean: true, Ports: mqttPorts}},
	} {
		a, err := pair[0].Program(live.StartEthernet)
		b, errB := pair[1].Program(live.StartEthernet)
		if err != nil || errB != nil || !slices.Equal(a, b) {
			t.Errorf("%s: the programs differ (%v, %v)", name, err, errB)
		}
	}
}

func TestFilterRefuses(t *testing.T) {
	for name, f := range map[string]live.Filter{
		"no address": {Hosts: []netip.Addr{{}}},
		"no prefix":  {Nets: []netip.Prefix{{}}},
		"no program": {Raw: []bpf.RawInstruction{}},
		"no end":     {Raw: []bpf.RawInstruction{{Op: 0x28, K: 12}}},
	} {
		if program, err := f.Program(live.StartIP); err == nil {
			t.Errorf("%s: no error, but %d instructions", name, len(program))
		}
	}
}

// TestFilterCost holds how many instructions the common frames take, for each is run for every
// packet of the interface.
func TestFilterCost(t *testing.T) {
	segment := tcpHeader(50000, 1883, psh|ack, 3, []byte("\x30\x04\x00\x01ab")...)
	ipv4 := onEthernet(inIPv4(header4{src: client4, dst: broker4, protocol: 6}, segment), typeIPv4)
	for _, test := range []struct {
		name  string
		f     live.Filter
		frame []byte
		most  int
	}{
		{"TCP", live.Filter{}, ipv4, 8},
		{"a PUBLISH kept out", live.Filter{Lean: true}, ipv4, 19},
		{"a PUBLISH of a port kept out", live.Filter{Lean: true, Ports: mqttPorts}, ipv4, 24},
		{"UDP", live.Filter{}, onEthernet(inIPv4(header4{src: client4, dst: broker4, protocol: 17}, segment), typeIPv4), 8},
		{"IPv6", live.Filter{}, onEthernet(inIPv6(client6, broker6, 6, segment), typeIPv6), 17},
		{"a PUBLISH in IPv6 kept out", live.Filter{Lean: true}, onEthernet(inIPv6(client6, broker6, 6, segment), typeIPv6), 35},
	} {
		program, err := test.f.Program(live.StartEthernet)
		if err != nil {
			t.Fatal(err)
		}
		if n := steps(program, test.frame); n > test.most {
			t.Errorf("%s: %d instructions, want at most %d", test.name, n, test.most)
		}
	}
}
