package live_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/mqttriage/mqttriage/capture/live"
)

// attach gives a socket a program. It needs no privilege.
func attach(socket int, program []bpf.RawInstruction) error {
	list := make([]unix.SockFilter, len(program))
	for i, r := range program {
		list[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	p := unix.SockFprog{Len: uint16(len(list)), Filter: unsafe.SliceData(list)}
	return unix.SetsockoptSockFprog(socket, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &p)
}

// socketPair are two sockets of this process. The filter of the second one sees what is sent
// from the first one, as the filter of a packet socket sees a frame.
func socketPair(t testing.TB) (in, out int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no sockets: %v", err)
	}
	t.Cleanup(func() { unix.Close(pair[0]); unix.Close(pair[1]) })
	if err := attach(pair[1], []bpf.RawInstruction{{Op: 6, K: 1}}); err != nil {
		t.Skipf("no filters on sockets: %v", err)
	}
	return pair[0], pair[1]
}

// TestKernelFilters lets this machine's kernel take every filter and run it: what it
// lets through of all samples is what the virtual machine does.
func TestKernelFilters(t *testing.T) {
	in, out := socketPair(t)
	buffer := make([]byte, 1<<17)
	for name, f := range filters {
		for _, start := range []live.Start{live.StartEthernet, live.StartIP} {
			program, err := f.Program(start)
			if err != nil {
				t.Fatal(err)
			}
			if err := attach(out, program); err != nil {
				t.Errorf("%s: the kernel refuses the filter of %d instructions: %v", name, len(program), err)
				continue
			}
			vm := machineOf(t, program)
			for i, s := range allSamples(t) {
				// Each filter gets a part of them, for the time that it takes.
				if s.start != start || len(s.frame) == 0 || i%3 != len(name)%3 {
					continue
				}
				if err := unix.Send(in, s.frame, 0); err != nil {
					t.Fatal(err)
				}
				n, err := unix.Read(out, buffer)
				if err != nil && !errors.Is(err, unix.EAGAIN) {
					t.Fatal(err)
				}
				if got, want := err == nil, passes(t, vm, s.frame); got != want || got && n != len(s.frame) {
					t.Fatalf("%s: of %d bytes %d came through the kernel's filter: %v; the virtual machine says %v: %x", name, len(s.frame), n, err, want, s.frame)
				}
			}
		}
	}
}

// TestKernelRefuses holds ParseRaw to the kernel: it refuses what that refuses, and nothing
// else.
func TestKernelRefuses(t *testing.T) {
	_, out := socketPair(t)
	random := rand.New(rand.NewPCG(1, 2))
	known := []uint16{
		0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x00, 0x60, 0x80, 0x01, 0x61, 0x81, 0xb1, 0x02, 0x03,
		0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0x84, 0x94, 0xa4, 0x0c, 0x1c, 0x2c, 0x3c, 0x4c, 0x5c, 0x6c, 0x7c, 0x9c, 0xac,
		0x05, 0x15, 0x25, 0x35, 0x45, 0x1d, 0x2d, 0x3d, 0x4d, 0x06, 0x16, 0x07, 0x87,
	}
	taken, refused := 0, 0
	try := func(program []bpf.RawInstruction) {
		_, err := live.ParseRaw([]byte(printed(program)))
		kernel := attach(out, program)
		if errors.Is(kernel, unix.ENOMEM) {
			kernel = nil // it is right, and longer than net.core.optmem_max allows
		}
		if (err == nil) != (kernel == nil) || kernel != nil && !errors.Is(kernel, unix.EINVAL) {
			t.Fatalf("ParseRaw says %v, the kernel %v:\n%.500s", err, kernel, printed(program))
		}
		if kernel == nil {
			taken++
		} else {
			refused++
		}
	}
	pass := bpf.RawInstruction{Op: 6, K: 1}
	// Every code by itself, with operands on both sides of every border.
	for code := range 0x400 {
		for _, k := range []uint32{0, 1, 15, 16, 31, 32, 0xffdfffff, 0xffefffff, 0xfffff000, 0xfffff001, 0xfffff028, 0xfffff03c, 0xfffff03d, 0xfffff040, 0xffffffff} {
			try([]bpf.RawInstruction{{Op: uint16(code), K: k}, pass})
		}
	}
	for code := range 0x10000 {
		if code >= 0x400 && code%251 == 0 {
			try([]bpf.RawInstruction{{Op: uint16(code)}, pass})
		}
	}
	// Programs of what the kernel knows, with jumps and scratch words.
	for range 20000 {
		program := make([]bpf.RawInstruction, 2+random.IntN(8))
		for i := range program {
			program[i] = bpf.RawInstruction{
				Op: pick(random, known...), K: uint32(random.IntN(4)),
				Jt: uint8(random.IntN(3)), Jf: uint8(random.IntN(3)),
			}
			if random.IntN(3) == 0 {
				program[i].Op = pick[uint16](random, 0x02, 0x60, 0x61, 0x15, 0x05)
			}
		}
		if random.IntN(8) != 0 {
			program[len(program)-1] = pass
		}
		try(program)
	}
	for _, n := range []int{1, 4095, 4096} {
		try(slices.Repeat([]bpf.RawInstruction{pass}, n))
	}
	t.Logf("%d programs taken, %d refused", taken, refused)
	if taken < 3000 || refused < 3000 {
		t.Error("too few of one kind")
	}
}
