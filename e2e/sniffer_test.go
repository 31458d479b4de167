//go:build live && linux

package e2e

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// segment is a TCP segment that was on an interface.
type segment struct {
	at       time.Time // by the kernel
	from, to netip.AddrPort
	syn, fin bool
	rst      bool
	vlan     uint16
	payload  []byte // the first bytes
}

// sniffer notes when which segment passed an interface: the clock against which
// the program under test is measured, and nothing of that program's.
type sniffer struct {
	mu   sync.Mutex
	seen []segment
}

func sniff(t testing.TB, s *space, device string) *sniffer {
	t.Helper()
	socket, err := openFrameSocket(s, device, false)
	if err != nil {
		t.Fatalf("sniff on %s in %s: %v", device, s.name, err)
	}
	t.Cleanup(func() { socket.file.Close() })
	sn := &sniffer{}
	go func() {
		buf := make([]byte, 65536)
		for {
			n, vlan, err := socket.read(buf)
			if err != nil {
				return // closed
			}
			if seg, ok := parseSegment(buf[:n]); ok {
				seg.at = time.Unix(0, socket.at)
				seg.vlan |= vlan
				sn.mu.Lock()
				sn.seen = append(sn.seen, seg)
				sn.mu.Unlock()
			}
		}
	}()
	return sn
}

// since are the segments from a moment on.
func (sn *sniffer) since(t time.Time) []segment {
	sn.mu.Lock()
	defer sn.mu.Unlock()
	var found []segment
	for _, s := range sn.seen {
		if !s.at.Before(t) {
			found = append(found, s)
		}
	}
	return found
}

// parseSegment reads Ethernet, perhaps one 802.1Q tag, IP without options or
// extension headers, and TCP.
func parseSegment(frame []byte) (s segment, ok bool) {
	if len(frame) < 18 {
		return s, false
	}
	kind, rest := binary.BigEndian.Uint16(frame[12:]), frame[14:]
	if kind == unix.ETH_P_8021Q {
		s.vlan = binary.BigEndian.Uint16(frame[14:]) & 0x0fff
		kind, rest = binary.BigEndian.Uint16(frame[16:]), frame[18:]
	}
	var from, to netip.Addr
	var tcp []byte
	switch {
	case kind == unix.ETH_P_IP && len(rest) >= 40 && rest[0] == 0x45 && rest[9] == unix.IPPROTO_TCP:
		from, to = netip.AddrFrom4([4]byte(rest[12:16])), netip.AddrFrom4([4]byte(rest[16:20]))
		tcp = rest[20:min(len(rest), int(binary.BigEndian.Uint16(rest[2:])))]
	case kind == unix.ETH_P_IPV6 && len(rest) >= 60 && rest[6] == unix.IPPROTO_TCP:
		from, to = netip.AddrFrom16([16]byte(rest[8:24])), netip.AddrFrom16([16]byte(rest[24:40]))
		tcp = rest[40:min(len(rest), 40+int(binary.BigEndian.Uint16(rest[4:])))]
	default:
		return s, false
	}
	head := int(tcp[12]>>4) * 4
	if head < 20 || head > len(tcp) {
		return s, false
	}
	s.from = netip.AddrPortFrom(from, binary.BigEndian.Uint16(tcp))
	s.to = netip.AddrPortFrom(to, binary.BigEndian.Uint16(tcp[2:]))
	s.fin, s.syn, s.rst = tcp[13]&1 != 0, tcp[13]&2 != 0, tcp[13]&4 != 0
	s.payload = append([]byte(nil), tcp[head:min(len(tcp), head+32)]...)
	return s, true
}
