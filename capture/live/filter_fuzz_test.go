package live_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/mqttriage/mqttriage/capture/live"
)

func FuzzParseRaw(f *testing.F) {
	f.Add([]byte(tcpdumpTCP))
	f.Add([]byte("2\n32 0 0 4294963248\n22 0 0 0\n"))
	f.Add([]byte("5\n2 0 0 3\n21 1 0 1\n4 0 0 0\n96 0 0 3\n6 0 0 1\n"))
	f.Add([]byte("4096\n5 0 0 4094\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		program, err := live.ParseRaw(text)
		if err != nil {
			if program != nil || !strings.HasPrefix(err.Error(), "read the BPF program: ") {
				t.Errorf("%d instructions and %v", len(program), err)
			}
			return
		}
		again, err := live.ParseRaw([]byte(printed(program)))
		if err != nil || !slices.Equal(again, program) {
			t.Errorf("printed again it gives %v", err)
		}
		if used, err := (live.Filter{Raw: program}).Program(live.StartIP); err != nil || !slices.Equal(used, program) {
			t.Errorf("it is not used as it is: %v", err)
		}
		// What the virtual machine knows it must take: it checks jumps too.
		if list, all := bpf.Disassemble(program); all && !slices.ContainsFunc(list, isExtension) {
			if _, err := bpf.NewVM(list); err != nil {
				t.Errorf("the virtual machine refuses it: %v", err)
			}
		}
	})
}

func isExtension(i bpf.Instruction) bool {
	_, ok := i.(bpf.LoadExtension)
	return ok
}

// FuzzFilter compares the program of any question with the model on any frame.
func FuzzFilter(f *testing.F) {
	all := allSamples(f)
	for i := 0; i < len(all); i += 500 {
		f.Add(all[i].frame, all[i].start == live.StartIP, i%3 == 0, uint16(1883), uint16(i%2), []byte{10, 0, 0, 1}, uint8(i%33))
	}
	f.Add(onEthernet(inIPv6(client6, broker6, 6, tcpHeader(1, 1883, syn, 0)), typeIPv6), false, true, uint16(1883), uint16(0), broker6.AsSlice(), uint8(77))
	f.Fuzz(func(t *testing.T, frame []byte, raw, lean bool, port, more uint16, address []byte, bits uint8) {
		filter := live.Filter{Lean: lean}
		// Up to 300 ports, so that jumps get far.
		for i := range more % 300 {
			filter.Ports = append(filter.Ports, port+i)
		}
		if a, ok := netip.AddrFromSlice(address); ok && !a.Is4In6() {
			if p, err := a.Prefix(int(bits)); err == nil {
				filter.Nets = append(filter.Nets, p)
			} else {
				filter.Hosts = append(filter.Hosts, a)
			}
		}
		s := sample{live.StartEthernet, frame}
		if raw {
			s.start = live.StartIP
		}
		program, err := filter.Program(s.start)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := live.ParseRaw([]byte(printed(program))); err != nil {
			t.Fatalf("Linux would refuse it: %v", err)
		}
		got := passes(t, machineOf(t, program), frame)
		if n, _ := interpret(program, frame); (n != 0) != got {
			t.Fatalf("two machines differ on %x", frame)
		}
		if want, features := asks(filter, s); got != want && !features[isCutHeader] {
			t.Fatalf("%+v, passes is %v: %x", filter, got, frame)
		}
	})
}
