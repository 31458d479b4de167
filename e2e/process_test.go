//go:build live && linux

package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// line is one line of a process's output, and when it came.
type line struct {
	at   time.Time
	text string
}

// process is a running program whose output is read line by line.
type process struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd

	mu       sync.Mutex
	out, err []line
	readers  sync.WaitGroup
	ended    chan struct{}
	endedAt  time.Time
	status   error
}

// start starts a command; it is killed at the end of the test if it still runs.
func start(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, name: filepath.Base(cmd.Path), cmd: cmd, ended: make(chan struct{})}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", cmd, err)
	}
	p.readers.Add(2)
	go p.read(out, &p.out)
	go p.read(problems, &p.err)
	go func() {
		p.readers.Wait()
		p.status = cmd.Wait()
		p.endedAt = time.Now()
		close(p.ended)
	}()
	t.Cleanup(func() {
		select {
		case <-p.ended:
		default:
			p.cmd.Process.Kill() //nolint:errcheck // it may just have ended
			<-p.ended
		}
	})
	return p
}

func (p *process) read(from io.Reader, to *[]line) {
	defer p.readers.Done()
	r := bufio.NewReaderSize(from, 1<<20)
	for {
		text, err := r.ReadString('\n')
		if text != "" {
			now := time.Now()
			p.mu.Lock()
			*to = append(*to, line{now, strings.TrimSuffix(text, "\n")})
			p.mu.Unlock()
		}
		if err != nil {
			return
		}
	}
}

// stdout and stderr are the lines so far.
func (p *process) stdout() []line { return p.lines(&p.out) }
func (p *process) stderr() []line { return p.lines(&p.err) }

func (p *process) lines(of *[]line) []line {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]line(nil), *of...)
}

func text(lines []line) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text)
		b.WriteByte('\n')
	}
	return b.String()
}

// running reports that the process has not ended.
func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// signal sends a signal.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %v to %s: %v\n%s", s, p.name, err, text(p.stderr()))
	}
}

// wait waits for the end and returns the exit status.
func (p *process) wait(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(limit):
		p.t.Fatalf("%s still runs after %v\n%s", p.name, limit, text(p.stderr()))
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop interrupts the process and waits until it ended.
func (p *process) stop() (status int, took time.Duration) {
	p.t.Helper()
	begin := time.Now()
	p.signal(syscall.SIGINT)
	status = p.wait(20 * time.Second)
	return status, p.endedAt.Sub(begin)
}

// capturing waits until the process has n packet sockets bound in the namespace:
// then it misses nothing more.
func (p *process) capturing(s *space, n int) {
	p.t.Helper()
	err := eventually(15*time.Second, func() error {
		if !p.running() {
			return nil
		}
		bound, err := packetSockets(s, p.cmd.Process.Pid)
		if err == nil && bound < n {
			err = fmt.Errorf("%d of %d packet sockets bound", bound, n)
		}
		return err
	})
	if err != nil || !p.running() {
		p.t.Fatalf("%s does not capture: %v\n%s", p.cmd, err, text(p.stderr()))
	}
}

// packetSockets counts a process's packet sockets that are running, as the kernel
// lists them (net/packet/af_packet.c, packet_seq_show).
func packetSockets(s *space, pid int) (int, error) {
	var listed []byte
	err := s.within(func() (err error) {
		listed, err = os.ReadFile("/proc/thread-self/net/packet")
		return err
	})
	if err != nil {
		return 0, err
	}
	running := map[string]bool{}
	for _, row := range strings.Split(string(listed), "\n")[1:] {
		// sk RefCnt Type Proto Iface R Rmem User Inode
		if f := strings.Fields(row); len(f) == 9 && f[5] == "1" {
			running["socket:["+f[8]+"]"] = true
		}
	}
	found := 0
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && running[target] {
			found++
		}
	}
	return found, nil
}

// cpu is the processor time that the threads of a process have used, by the
// scheduler's clock: ticks are too coarse for a program that does little.
func cpu(pid int) (time.Duration, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		return 0, fmt.Errorf("no /proc/%d/task/*/schedstat: %w", pid, os.ErrNotExist)
	}
	var used time.Duration
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if errors.Is(err, os.ErrNotExist) {
			continue // it has just ended
		}
		if err != nil {
			return 0, err
		}
		// The first number is the time on a processor in nanoseconds
		// (Documentation/scheduler/sched-stats.rst).
		nano, err := strconv.ParseInt(strings.Fields(string(stat))[0], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", thread, err)
		}
		used += time.Duration(nano)
	}
	return used, nil
}

// statusKiB reads one row of /proc/PID/status that is in KiB.
func statusKiB(pid int, row string) (int, error) {
	value, err := statusRow(pid, row)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSuffix(value, " kB"))
}

func statusRow(pid int, row string) (string, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "", err
	}
	for _, l := range strings.Split(string(status), "\n") {
		if name, value, ok := strings.Cut(l, ":"); ok && name == row {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("/proc/%d/status has no row %s", pid, row)
}
