//go:build linux && !race

package main

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// A hostile file of 1 MiB may cost at most 64 MiB more than any other.
func TestHostileMemory(t *testing.T) {
	const size, limit = 1 << 20, 64 << 10 // bytes, KiB
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "mqttriage")
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	peak := func(packet func(i int) []byte, n int) int64 {
		t.Helper()
		file := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
		file = append(file, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0)
		for i := 0; len(file) < size && i < n; i++ {
			p := packet(i)
			for _, v := range []uint32{1_700_000_000, uint32(i), uint32(len(p)), uint32(len(p))} {
				file = binary.LittleEndian.AppendUint32(file, v)
			}
			file = append(file, p...)
		}
		path := filepath.Join(t.TempDir(), "hostile.pcap")
		if err := os.WriteFile(path, file, 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, "read", path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return int64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
	}
	// segment is raw IPv4 and TCP, from one of many addresses to a broker.
	segment := func(i int, broker uint32, flags byte, payload ...byte) []byte {
		b := make([]byte, 40, 40+len(payload))
		b[0], b[8], b[9] = 0x45, 64, 6
		binary.BigEndian.PutUint16(b[2:], uint16(40+len(payload)))
		binary.BigEndian.PutUint32(b[12:], 0x0a010000+uint32(i))
		binary.BigEndian.PutUint32(b[16:], broker)
		binary.BigEndian.PutUint16(b[20:], 40000)
		binary.BigEndian.PutUint16(b[22:], 1883)
		binary.BigEndian.PutUint32(b[24:], uint32(i)*7919)
		b[32], b[33] = 5<<4, flags
		return append(b, payload...)
	}
	const broker = 0x0a000001
	baseline := peak(func(i int) []byte { return segment(0, broker, 2) }, 1)
	for name, packet := range map[string]func(i int) []byte{
		"a flood of SYNs":    func(i int) []byte { return segment(i, broker, 2) },
		"a sweep of brokers": func(i int) []byte { return segment(i, broker+uint32(i), 2) },
		"half a CONNECT each": func(i int) []byte {
			return segment(i, broker, 0x18, 0x10, 0xff, 0xff, 0x7f, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60)
		},
		"a CONNECT each": func(i int) []byte {
			return segment(i, broker, 0x18, 0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 2, 'a'+byte(i%26), 'b')
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := peak(packet, size); got-baseline > limit {
				t.Errorf("%d KiB at its peak, %d above the baseline", got, got-baseline)
			} else {
				t.Logf("%d KiB above the baseline of %d", got-baseline, baseline)
			}
		})
	}
}
