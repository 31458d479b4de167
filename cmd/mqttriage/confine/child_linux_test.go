package confine

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What is given up does not come back, so each test lets a child give it up: this
// test binary, started again with its task in the environment.
const taskVariable = "CONFINE_TEST_TASK"

// task is what a child is asked to do.
type task struct {
	Options  Options
	Packet   bool   // open a packet socket first
	Inside   string // a directory that it may write to, if any
	Outside  string // a directory that it may not even read, but for Options
	Readable string // a file that it may read
}

// answer is what the child met.
type answer struct {
	Report    Report
	Error     string
	Listening string              // an address, listened to since before
	Probes    []map[string]string // what one thread could still do, "" for yes, else the error
	Dumpable  int
	Rebind    string // binding the packet socket to another interface
	Zone      string
	BackToTop string // becoming root again
}

func TestMain(m *testing.M) {
	if text := os.Getenv(taskVariable); text != "" {
		child(text)
		return
	}
	os.Exit(m.Run())
}

func child(text string) {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	packet := -1
	if t.Packet {
		if packet, err = packetSocket(); err != nil {
			panic(err)
		}
	}
	// Threads that are there before, and one that starts afterwards from a
	// goroutine of its own.
	const before = 4
	start, results := make(chan bool), make(chan map[string]string)
	for range before {
		ready := make(chan bool)
		go func() {
			runtime.LockOSThread()
			close(ready)
			<-start
			results <- probe(t)
		}()
		<-ready
	}
	var a answer
	a.Report, err = Confine(t.Options)
	if err != nil {
		a.Error = err.Error()
		finish(a)
		return
	}
	close(start)
	for range before {
		a.Probes = append(a.Probes, <-results)
	}
	go func() {
		runtime.LockOSThread()
		results <- probe(t)
	}()
	a.Probes = append(a.Probes, <-results)
	a.Dumpable, _ = unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	a.Zone, _ = time.Now().Zone()
	a.BackToTop = problem(syscall.Setuid(0))
	if packet >= 0 {
		lo, _ := net.InterfaceByName("lo")
		a.Rebind = problem(unix.Bind(packet, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: lo.Index}))
	}
	a.Listening = listener.Addr().String()
	finish(a)
	listener.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second)) //nolint:errcheck // the parent may have died
	connection, err := listener.Accept()
	if err != nil {
		panic(err)
	}
	connection.Write([]byte("served")) //nolint:errcheck // the parent sees
	connection.Close()
}

func finish(a answer) {
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		panic(err)
	}
}

// probe tries, from one thread, what should and what should not work.
func probe(t task) map[string]string {
	did := map[string]string{}
	fd, err := packetSocket()
	did["packet socket"] = problem(err)
	if err == nil {
		unix.Close(fd) //nolint:errcheck // only whether it opens is asked
	}
	_, err = os.ReadFile(t.Readable)
	did["read a readable file"] = problem(err)
	_, err = os.ReadDir(t.Outside)
	did["read outside"] = problem(err)
	did["write outside"] = problem(os.WriteFile(filepath.Join(t.Outside, "new"), nil, 0o644))
	did["replace outside"] = problem(os.Truncate(filepath.Join(t.Outside, "old"), 0))
	// Without an environment: with it this would be a child that starts a child.
	execute := exec.Command("/proc/self/exe", "-test.run=^$")
	execute.Env = []string{"HOME=/"}
	did["execute"] = problem(execute.Run())
	if t.Inside != "" {
		name := filepath.Join(t.Inside, fmt.Sprint(unix.Gettid()))
		did["write inside"] = problem(os.WriteFile(name, []byte("x"), 0o644))
		did["rotate inside"] = problem(os.Rename(name, name+".1"))
		_, err = os.ReadDir(t.Inside)
		did["list inside"] = problem(err)
		did["delete inside"] = problem(os.Remove(name + ".1"))
	}
	return did
}

// problem is the error of the system call, or nothing.
func problem(err error) string {
	var errno syscall.Errno
	switch {
	case err == nil:
		return ""
	case errors.As(err, &errno):
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

func packetSocket() (int, error) {
	return unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// run starts a child of this program, after prepare, and returns its answer
// and what the kernel says of its threads.
func run(t *testing.T, program string, do task, prepare func(*exec.Cmd)) (a answer, threads []threadStatus) {
	t.Helper()
	text, err := json.Marshal(do)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program)
	command.Env = append(os.Environ(), taskVariable+"="+string(text), "TZ=Asia/Tokyo")
	command.Dir = "/"
	command.Stderr = os.Stderr
	if prepare != nil {
		prepare(command)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		command.Process.Kill() //nolint:errcheck // it may have ended
		command.Wait()         //nolint:errcheck // the answer is what counts
	}()
	if err := json.NewDecoder(out).Decode(&a); err != nil {
		t.Fatalf("the child gave no answer: %v", err)
	}
	if a.Error != "" {
		return a, nil
	}
	paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", command.Process.Pid))
	for _, path := range paths {
		if status, err := os.ReadFile(path); err == nil {
			threads = append(threads, parseStatus(status))
		}
	}
	connection, err := net.DialTimeout("tcp", a.Listening, 5*time.Second)
	if err != nil {
		t.Fatalf("what was listened to before does not answer: %v", err)
	}
	defer connection.Close() //nolint:errcheck // nothing was written
	said := make([]byte, 16)
	if n, _ := connection.Read(said); string(said[:n]) != "served" {
		t.Errorf("what was listened to before answered %q", said[:n])
	}
	return a, threads
}

// withoutCgo is this test binary, or the same built again, for with cgo not
// every thread can be reached.
func withoutCgo(t *testing.T) string {
	t.Helper()
	if !errors.Is(onEveryThread(unix.SYS_GETPID, 0, 0, 0), syscall.ENOTSUP) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		return self
	}
	program := filepath.Join(t.TempDir(), "confine.test")
	build := exec.Command("go", "test", "-c", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}
	return program
}
