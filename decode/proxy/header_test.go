package proxy

import (
	"bytes"
	"net/netip"
	"testing"
)

var (
	line = []byte("PROXY TCP4 192.0.2.5 10.0.0.1 51234 1883\r\n")
	bin4 = append(append([]byte(nil), signature...), 0x21, 0x11, 0, 12, 192, 0, 2, 5, 10, 0, 0, 1, 0xc8, 0x22, 7, 0x5b)
)

func TestParse(t *testing.T) {
	client := netip.MustParseAddrPort("192.0.2.5:51234")
	six := append(append([]byte(nil), signature...), 0x21, 0x21, 0, 36)
	six = append(six, bytes.Repeat([]byte{0}, 15)...)
	six = append(append(six, 1), make([]byte, 16)...)
	six = append(six, 0xc8, 0x22, 7, 0x5b)
	for _, test := range []struct {
		name   string
		b      []byte
		client netip.AddrPort
		size   int
	}{
		{"version 1", line, client, len(line)},
		{"version 1, unknown", []byte("PROXY UNKNOWN\r\n"), netip.AddrPort{}, 15},
		{"version 2", bin4, client, len(bin4)},
		{"version 2, IPv6", six, netip.MustParseAddrPort("[::1]:51234"), len(six)},
		{"version 2, health check", append(append([]byte(nil), signature...), 0x20, 0, 0, 0), netip.AddrPort{}, 16},
		{"MQTT", []byte{0x10, 12, 0, 4, 'M'}, netip.AddrPort{}, -1},
		{"a line without end", bytes.Repeat([]byte("PROXY "), 20), netip.AddrPort{}, -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, size := Parse(append(test.b, 0x10, 0x0c))
			if got != test.client || size != test.size {
				t.Errorf("%v, %d; want %v, %d", got, size, test.client, test.size)
			}
			for n := 1; n < test.size; n++ {
				if _, size := Parse(test.b[:n]); size != 0 || !Begins(test.b[:n]) {
					t.Fatalf("the first %d bytes: size %d", n, size)
				}
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(line)
	f.Add(bin4)
	f.Add(append(append([]byte(nil), signature...), 0x21, 0x11, 0xff, 0xff))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, size := Parse(b); size > len(b) {
			t.Errorf("a header of %d bytes in %d", size, len(b))
		}
	})
}
