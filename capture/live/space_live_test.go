//go:build live && linux

package live

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
)

// The tests with the tag live make network namespaces: they need root, iproute2 and
// tcpdump.

var spaces atomic.Int32

// space is a network namespace with its loopback interface up.
type space string

func newSpace(t testing.TB) space {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root makes network namespaces")
	}
	s := space(fmt.Sprintf("mqttriage-%d-%d", os.Getpid(), spaces.Add(1)))
	command(t, "ip", "netns", "add", string(s))
	t.Cleanup(func() { exec.Command("ip", "netns", "del", string(s)).Run() })
	s.ip(t, "link set lo up")
	return s
}

func command(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// ip runs iproute2 in the namespace.
func (s space) ip(t testing.TB, line string) string {
	t.Helper()
	return command(t, "ip", append([]string{"-n", string(s)}, strings.Fields(line)...)...)
}

// in runs f on a thread of the namespace; sockets made there belong to it.
func (s space) in(t testing.TB, f func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		// The thread is not unlocked, and so ends with the goroutine.
		runtime.LockOSThread()
		fd, err := unix.Open("/run/netns/"+string(s), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			defer unix.Close(fd)
			if err = unix.Setns(fd, unix.CLONE_NEWNET); err == nil {
				err = f()
			}
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// pair is two namespaces with a cable between: a0 is 10.77.0.1 and fd77::1, b0
// ends in 2.
func pair(t testing.TB) (a, b space) {
	t.Helper()
	a, b = newSpace(t), newSpace(t)
	cable(t, a, b)
	return a, b
}

// cable lays the cable of a pair.
func cable(t testing.TB, a, b space) {
	t.Helper()
	a.ip(t, "link add a0 type veth peer name b0 netns "+string(b))
	for i, s := range []space{a, b} {
		name := string("ab"[i]) + "0"
		s.ip(t, fmt.Sprintf("addr add 10.77.0.%d/24 dev %s", i+1, name))
		s.ip(t, fmt.Sprintf("addr add fd77::%d/64 dev %s nodad", i+1, name))
		s.ip(t, "link set "+name+" up")
	}
	for i, s := range []space{a, b} {
		s.running(t, string("ab"[i])+"0")
	}
}

// running waits until the kernel has noticed that an interface has a carrier.
func (s space) running(t testing.TB, name string) {
	t.Helper()
	for range 300 {
		if strings.Contains(s.ip(t, "-o link show "+name), "state UP") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s has no carrier", name)
}

func (s space) open(t testing.TB, o Options) *Source {
	t.Helper()
	var source *Source
	s.in(t, func() (err error) {
		source, err = Open(o)
		return err
	})
	t.Cleanup(func() { source.Close() })
	return source
}

// talk makes a connection from one namespace to another one's address, says something in
// both directions, and closes it.
func talk(t testing.TB, from, to space, address string) {
	t.Helper()
	var l net.Listener
	to.in(t, func() (err error) {
		l, err = net.Listen("tcp", net.JoinHostPort(address, "0"))
		return err
	})
	defer l.Close()
	echoed := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			defer c.Close()
			_, err = io.Copy(c, c)
		}
		echoed <- err
	}()
	from.in(t, func() error {
		c, err := net.DialTimeout("tcp", l.Addr().String(), 5*time.Second)
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Write([]byte("how do you do")); err != nil {
			return err
		}
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			return err
		}
		got, err := io.ReadAll(c)
		if err == nil && string(got) != "how do you do" {
			err = fmt.Errorf("echo of %q", got)
		}
		return err
	})
	if err := <-echoed; err != nil {
		t.Fatal(err)
	}
}

// quiet is how long nothing must come before all is taken to be read: more than a
// block is kept back.
const quiet = 200 * time.Millisecond

// readAll reads until it is quiet.
func readAll(t testing.TB, s *Source) []capture.Packet {
	t.Helper()
	var list []capture.Packet
	var b capture.Batch
	for last := time.Now(); ; last = time.Now() {
		for b.Packets = nil; len(b.Packets) == 0; {
			if err := s.Read(&b, quiet); err != nil {
				t.Fatal(err)
			}
			if len(b.Packets) == 0 && time.Since(last) > quiet {
				return list
			}
		}
		for _, p := range b.Packets {
			p.Data = bytes.Clone(p.Data)
			list = append(list, p)
		}
	}
}

// A sniffer is tcpdump at work.
type sniffer struct {
	command *exec.Cmd
	file    string
	errors  *bufio.Reader
}

// sniff starts tcpdump and waits until it captures.
func (s space) sniff(t testing.TB, name string, args ...string) *sniffer {
	t.Helper()
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("tcpdump is not installed")
	}
	f := &sniffer{file: filepath.Join(t.TempDir(), "tcpdump.pcap")}
	f.command = exec.Command("ip", append([]string{"netns", "exec", string(s), "tcpdump", "-Z", "root", "-n", "-s", "4096",
		"--immediate-mode", "--time-stamp-precision=nano", "-i", name, "-w", f.file}, args...)...)
	stderr, err := f.command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.command.Process.Kill()
		f.command.Wait()
	})
	f.errors = bufio.NewReader(stderr)
	var said strings.Builder
	for !strings.Contains(said.String(), "listening on") {
		line, err := f.errors.ReadString('\n')
		said.WriteString(line)
		if err != nil {
			t.Fatalf("tcpdump: %s", &said)
		}
	}
	return f
}

// stop ends it and gives what it wrote.
func (f *sniffer) stop(t testing.TB) []capture.Packet {
	t.Helper()
	time.Sleep(quiet)
	f.command.Process.Signal(os.Interrupt)
	rest, _ := io.ReadAll(f.errors)
	if err := f.command.Wait(); err != nil {
		t.Fatalf("tcpdump: %v: %s", err, rest)
	}
	if !bytes.Contains(rest, []byte("\n0 packets dropped by kernel")) {
		t.Fatalf("tcpdump: %s", rest)
	}
	source, err := pcapfile.Open(f.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	var list []capture.Packet
	for {
		p, err := source.Next()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		p.Data = bytes.Clone(p.Data)
		list = append(list, p)
	}
}

// plain sets to 0 what of a cooked header is behind its address, for tcpdump writes there
// what it finds.
func plain(p capture.Packet) capture.Packet {
	if p.Link == capture.LinkLinuxSLL2 && len(p.Data) >= sll2Header {
		clear(p.Data[12+min(int(p.Data[11]), sllAddress) : sll2Header])
	}
	return p
}

// alike says how two captures of the same differ, or "".
func alike(ours, theirs []capture.Packet) string {
	var b strings.Builder
	for i := range max(len(ours), len(theirs)) {
		if i < len(ours) && i < len(theirs) {
			a, b := plain(ours[i]), plain(theirs[i])
			if a.Link == b.Link && a.Length == b.Length && bytes.Equal(a.Data, b.Data) {
				continue
			}
		}
		for j, list := range [][]capture.Packet{ours, theirs} {
			if i < len(list) {
				fmt.Fprintf(&b, "packet %d of %s: %v, %d bytes: %x\n", i+1, []string{"ours", "tcpdump's"}[j], list[i].Link, list[i].Length, list[i].Data)
			}
		}
		if b.Len() > 4000 {
			break
		}
	}
	if len(ours) != len(theirs) {
		fmt.Fprintf(&b, "%d packets of ours, %d of tcpdump's\n", len(ours), len(theirs))
	}
	return b.String()
}

// tun makes an interface of raw IP; what is written to the file comes from there.
func (s space) tun(t testing.TB, name string) *os.File {
	t.Helper()
	var fd int
	s.in(t, func() (err error) {
		if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
			return err
		}
		r, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		return unix.IoctlIfreq(fd, unix.TUNSETIFF, r)
	})
	f := os.NewFile(uintptr(fd), "tun")
	t.Cleanup(func() { f.Close() })
	return f
}

// wire is a socket that sends whole frames.
type wire struct {
	fd int
	to unix.SockaddrLinklayer
}

func (s space) wire(t testing.TB, name string) *wire {
	t.Helper()
	w := &wire{fd: -1}
	s.in(t, func() (err error) {
		if w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		w.to.Ifindex, err = indexOf(w.fd, name)
		return err
	})
	t.Cleanup(func() { unix.Close(w.fd) })
	return w
}

func (w *wire) send(t testing.TB, frame []byte) {
	t.Helper()
	if err := unix.Sendto(w.fd, frame, 0, &w.to); err != nil && !errors.Is(err, unix.ENOBUFS) {
		t.Fatal(err)
	}
}

// segment is an Ethernet frame of TCP from a port, with what stands between addresses and IP.
func segment(between string, port uint16) []byte {
	f := slices.Concat(unhex("ffffffffffff 020000000001"), unhex(between), unhex(`
		45000028 0001 4000 4006 0000 0a4d0009 0a4d0002`), make([]byte, 20))
	ip := f[len(f)-40:]
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum))
	tcp := ip[20:]
	binary.BigEndian.PutUint16(tcp, port)
	binary.BigEndian.PutUint16(tcp[2:], 1883)
	tcp[12], tcp[13] = 5<<4, 0x10
	return f
}

// child runs this test program in the namespace; see TestMain.
func (s space) child(t testing.TB, what string) (lines *bufio.Scanner, stop func() error) {
	t.Helper()
	c := exec.Command("ip", "netns", "exec", string(s), os.Args[0])
	c.Env = append(os.Environ(), "LIVE_TEST_CHILD="+what)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	return bufio.NewScanner(out), func() error {
		in.Close()
		return c.Wait()
	}
}

func TestMain(m *testing.M) {
	if what := os.Getenv("LIVE_TEST_CHILD"); what != "" {
		if err := asNobody(what); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// asNobody is what the child does: it becomes an ordinary user before or after it
// opens an interface, and tells what it reads until its input ends.
func asNobody(what string) error {
	open := func() (*Source, error) { return Open(Options{Interfaces: []string{"b0"}, Promiscuous: true}) }
	drop := func() error {
		return errors.Join(syscall.Setgroups(nil), syscall.Setgid(65534), syscall.Setuid(65534))
	}
	if what == "denied" {
		if err := drop(); err != nil {
			return err
		}
		_, err := open()
		fmt.Println(err)
		return nil
	}
	s, err := open()
	if err != nil {
		return err
	}
	defer s.Close()
	if err := drop(); err != nil {
		return err
	}
	if _, err := open(); !errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("opened once more without privileges: %v", err)
	}
	fmt.Println("ready")
	ended := make(chan bool)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
		s.Wake()
	}()
	var b capture.Batch
	for {
		err := s.Read(&b, time.Minute)
		// A note comes before what was read after it.
		for _, e := range s.Events() {
			fmt.Println(e)
		}
		for _, p := range b.Packets {
			// The source port tells which segment it is.
			fmt.Println("packet", binary.BigEndian.Uint16(p.Data[34:]))
		}
		if err != nil {
			return err
		}
		select {
		case <-ended:
			return nil
		default:
		}
	}
}
