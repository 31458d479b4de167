//go:build live && linux

package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// wire carries frames between the taps of two namespaces over a veth pair, and
// does to them what networks do. Hosts talk through their taps and know of
// nothing; who captures on an end of the veth pair sees what is on the wire:
// 802.1Q tags on a kernel that has no VLAN devices, and losses on a kernel that
// has no netem.
//
//	tap A ── relay ── veth A ═══════ veth B ── relay ── tap B
//	                        captured here ▲
type wire struct {
	// vlan is the VLAN ID of every frame, or 0 for none.
	vlan uint16
	// before is the part of the TCP segments that is lost before veth B has seen
	// them, behind the part that is lost after. passBy is the part that arrives
	// without having been on the veth pair: a hole in every capture of it.
	before, behind, passBy float64

	lost, hidden, carried atomic.Int64
	// refusalsLost counts the RSTs from the port where nobody listens that were lost
	// after veth B had seen them. The client then asks again with the same SYN and is
	// refused again: for the capture those are two attempts.
	refusalsLost atomic.Int64
}

// tapName is the interface that the wire gives each namespace.
const tapName = "wire0"

// wireUp lays the wire between a's vethA and b's vethB, which are up, and
// returns when both namespaces have a tap with the name wire0.
func (w *wire) wireUp(t testing.TB, a *space, vethA string, b *space, vethB string) {
	t.Helper()
	tapA, tapB := newTap(t, a), newTap(t, b)
	sockA, sockB := newFrameSocket(t, a, vethA), newFrameSocket(t, b, vethB)
	tapA.up, tapB.up = sockA, sockB
	for _, tap := range []*tap{tapA, tapB} {
		tap.space.ip("link set %s up", tapName)
	}
	go w.fromTap(tapA, tapB)
	go w.fromTap(tapB, tapA)
	go w.fromVeth(sockA, tapA)
	go w.fromVeth(sockB, tapB)
}

// fromTap sends what a host sends. What is lost here neither end of the veth pair
// has seen.
func (w *wire) fromTap(from, to *tap) {
	buf := make([]byte, 65536)
	for {
		// Room for a tag is left in front of the type field.
		n, err := from.file.Read(buf[4:])
		if err != nil {
			return // closed
		}
		if n < 14 {
			continue
		}
		frame := buf[4 : 4+n]
		w.carried.Add(1)
		switch {
		case draw(frame, w.before):
			w.lost.Add(1)
			continue
		case draw(frame, w.passBy):
			w.hidden.Add(1)
			to.file.Write(frame) //nolint:errcheck // a lost frame
			continue
		}
		if w.vlan != 0 {
			copy(buf[:12], frame[:12])
			binary.BigEndian.PutUint16(buf[12:], unix.ETH_P_8021Q)
			binary.BigEndian.PutUint16(buf[14:], w.vlan)
			frame = buf[:4+n]
		}
		from.up.Write(frame) //nolint:errcheck // a lost frame
	}
}

// fromVeth hands a host what is on the wire for it. What is lost here both ends of
// the veth pair have seen.
func (w *wire) fromVeth(from *frameSocket, to *tap) {
	buf := make([]byte, 65536)
	for {
		n, vlan, err := from.read(buf)
		if err != nil {
			return // closed
		}
		switch {
		case vlan != w.vlan: // not ours: another VLAN, or the veth's own talk
		case draw(buf[:n], w.behind):
			w.lost.Add(1)
			if s, ok := parseSegment(buf[:n]); ok && s.rst && s.from.Port() == noSuchPort {
				w.refusalsLost.Add(1)
			}
		default:
			to.file.Write(buf[:n]) //nolint:errcheck // a lost frame
		}
	}
}

// draw says by lot whether something befalls a frame. Only TCP is unlucky: a lost
// question for an address would stop a host for a second, and prove nothing.
func draw(frame []byte, part float64) bool {
	return part > 0 && isTCP(frame) && rand.Float64() < part
}

func isTCP(frame []byte) bool {
	if len(frame) < 34 {
		return false
	}
	switch binary.BigEndian.Uint16(frame[12:]) {
	case unix.ETH_P_IP:
		return frame[23] == unix.IPPROTO_TCP
	case unix.ETH_P_IPV6:
		return frame[20] == unix.IPPROTO_TCP
	}
	return false
}

// tap is a TAP device in a namespace, as the host's side of a wire.
type tap struct {
	space *space
	file  *os.File
	up    *frameSocket
}

func newTap(t testing.TB, s *space) *tap {
	t.Helper()
	made := &tap{space: s}
	err := s.within(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		request, err := unix.NewIfreq(tapName)
		if err != nil {
			return err
		}
		request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
			unix.Close(fd)
			return err
		}
		made.file = os.NewFile(uintptr(fd), "tap in "+s.name)
		return nil
	})
	if err != nil {
		t.Fatalf("make a tap in %s: %v", s.name, err)
	}
	t.Cleanup(func() { made.file.Close() })
	return made
}

// frameSocket sends and receives whole frames on one interface.
type frameSocket struct {
	file *os.File
	raw  interface {
		Read(func(fd uintptr) bool) error
	}
	oob [256]byte
	// at is the kernel's time of the last frame that was read, in nanoseconds
	// since 1970, and sent whether it was outgoing.
	at   int64
	sent bool
}

func newFrameSocket(t testing.TB, s *space, device string) *frameSocket {
	t.Helper()
	f, err := openFrameSocket(s, device, true)
	if err != nil {
		t.Fatalf("a packet socket on %s in %s: %v", device, s.name, err)
	}
	t.Cleanup(func() { f.file.Close() })
	return f
}

func openFrameSocket(s *space, device string, ignoreOutgoing bool) (*frameSocket, error) {
	made := &frameSocket{}
	err := s.within(func() error {
		// Protocol 0 receives nothing until the socket is bound to its interface.
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return err
		}
		made.file = os.NewFile(uintptr(fd), "frames of "+device+" in "+s.name)
		iface, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		ignore := 0
		if ignoreOutgoing {
			ignore = 1
		}
		return errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1),
			unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, ignore),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20),
			unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ALL), Ifindex: iface.Index}),
		)
	})
	if err == nil {
		made.raw, err = made.file.SyscallConn()
	}
	if err != nil && made.file != nil {
		made.file.Close()
	}
	return made, err
}

func bigEndian(x uint16) uint16 { return x<<8 | x>>8 }

func (f *frameSocket) Write(frame []byte) (int, error) { return f.file.Write(frame) }

// read reads one frame. The kernel keeps a received 802.1Q tag beside the frame
// (packet(7), PACKET_AUXDATA); vlan is its ID, or 0.
func (f *frameSocket) read(buf []byte) (n int, vlan uint16, err error) {
	var oobn int
	var from unix.Sockaddr
	waited := f.raw.Read(func(fd uintptr) bool {
		n, oobn, _, from, err = unix.Recvmsg(int(fd), buf, f.oob[:], 0)
		if errors.Is(err, unix.ENETDOWN) {
			err = unix.EAGAIN // the interface may come back
		}
		return !errors.Is(err, unix.EAGAIN)
	})
	if waited != nil {
		return 0, 0, waited
	}
	if err != nil {
		return 0, 0, err
	}
	if link, ok := from.(*unix.SockaddrLinklayer); ok {
		f.sent = link.Pkttype == unix.PACKET_OUTGOING
	}
	messages, err := unix.ParseSocketControlMessage(f.oob[:oobn])
	if err != nil {
		return 0, 0, fmt.Errorf("control messages: %w", err)
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.SOL_PACKET && m.Header.Type == unix.PACKET_AUXDATA:
			aux := (*unix.TpacketAuxdata)(unsafe.Pointer(&m.Data[0]))
			if aux.Status&unix.TP_STATUS_VLAN_VALID != 0 {
				vlan = aux.Vlan_tci & 0x0fff
			}
		case m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS:
			stamp := (*unix.Timespec)(unsafe.Pointer(&m.Data[0]))
			f.at = stamp.Nano()
		}
	}
	return n, vlan, nil
}
