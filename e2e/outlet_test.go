//go:build live && linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pipe is a named pipe, open at both ends so that nobody waits for the other.
func pipe(t *testing.T) (path string, both *os.File) {
	t.Helper()
	path = filepath.Join(nobodys(t), "pipe")
	if err := unix.Mkfifo(path, 0o666); err != nil {
		t.Fatal(err)
	}
	both, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { both.Close() })
	return path, both
}

// fill writes to a pipe until it takes no more.
func fill(t *testing.T, pipe *os.File) {
	t.Helper()
	for _, size := range []int{4096, 1} {
		for {
			if _, err := unix.Write(int(pipe.Fd()), make([]byte, size)); err == unix.EAGAIN {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// watchInto starts the program with its standard output in a file.
func (l *plainLab) watchInto(path string, flags ...string) *process {
	l.t.Helper()
	args := append([]string{"sh", "-c", `out=$1; shift; exec "$@" > "$out"`, "sh", path, program(l.t), "live", "-i", "veth1"}, flags...)
	p := start(l.t, l.capture.command(args...))
	p.capturing(l.capture, l.sockets)
	return p
}

// A reader that stalls costs nothing but what it does not read.
func TestNobodyReads(t *testing.T) {
	needs(t)
	for _, ends := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		l := newPlainLab(t)
		path, both := pipe(t)
		fill(t, both)
		written := filepath.Join(nobodys(t), "report.json")
		watch := l.watchInto(path, "-f", "json", "-o", written, "--user", "nobody")
		l.refuse()
		time.Sleep(time.Second)
		l.refuse()
		watch.signal(ends)
		err := eventually(3*time.Second, func() error {
			_, err := os.Stat(written)
			return err
		})
		if err != nil {
			t.Fatalf("%v: no report: %v", ends, err)
		}
		out, err := os.ReadFile(written)
		if doc := document(t, out); err != nil || doc.Totals.Rejected != 2 {
			t.Errorf("%v: the report has %d rejected sessions, not 2; %v", ends, doc.Totals.Rejected, err)
		}
		status := 0
		if ends == syscall.SIGINT {
			// Who reads on gets the rest.
			time.Sleep(3 * time.Second)
			if !watch.running() {
				t.Errorf("it did not wait for who reads on\n%s", text(watch.stderr()))
			}
			said := drained(both)
			if status = watch.wait(5 * time.Second); status != 0 || strings.Count(said(), " not-authorized ") != 2 {
				t.Errorf("ended with status %d\n%s%s", status, said(), text(watch.stderr()))
			}
			continue
		}
		if status = watch.wait(5 * time.Second); status != 3 || !strings.Contains(text(watch.stderr()), "write to standard output: nobody reads it") {
			t.Errorf("ended with status %d\n%s", status, text(watch.stderr()))
		}
	}
}

// Nor does one who reads neither stream, and none that comes to it after --for has passed.
func TestNobodyReadsErrors(t *testing.T) {
	needs(t)
	l := newPlainLab(t)
	for _, flags := range [][]string{{"-f", "ndjson"}, {"-f", "json"}, {}, {"-f", "ndjson", "--for", "1s"}} {
		path, both := pipe(t)
		fill(t, both)
		args := append([]string{"sh", "-c", `out=$1; shift; exec "$@" > "$out" 2>&1`, "sh", path, program(t), "live", "-i", "veth1"}, flags...)
		watch := start(t, l.capture.command(args...))
		watch.capturing(l.capture, l.sockets)
		l.refuse()
		time.Sleep(1500 * time.Millisecond)
		watch.signal(syscall.SIGTERM)
		// Two seconds for either stream.
		if status := watch.wait(10 * time.Second); status != 3 {
			t.Errorf("%v: ended with status %d", flags, status)
		}
	}
}

// drained reads a pipe that nobody writes to any more, in the end.
func drained(pipe *os.File) (said func() string) {
	var all strings.Builder
	take := func() {
		b := make([]byte, 1<<16)
		for {
			n, err := unix.Read(int(pipe.Fd()), b)
			if n <= 0 || err != nil {
				return
			}
			all.Write(b[:n])
		}
	}
	for range 20 {
		take()
		time.Sleep(20 * time.Millisecond)
	}
	return func() string {
		take()
		return all.String()
	}
}

// A reader that goes away ends the program, unless it has more to do than to say what
// it sees.
func TestReaderLeaves(t *testing.T) {
	needs(t)
	l := newPlainLab(t)
	for _, goesOn := range []bool{false, true} {
		path, both := pipe(t)
		var flags []string
		written := filepath.Join(nobodys(t), "report.json")
		if goesOn {
			flags = []string{"-f", "json", "-o", written, "--user", "nobody"}
		}
		watch := l.watchInto(path, flags...)
		both.Close()
		l.refuse()
		if !goesOn {
			if status := watch.wait(5 * time.Second); status != 3 || !strings.Contains(text(watch.stderr()), "write to standard output: broken pipe") {
				t.Errorf("ended with status %d\n%s", status, text(watch.stderr()))
			}
			continue
		}
		err := eventually(5*time.Second, func() error {
			if !strings.Contains(text(watch.stderr()), "write to standard output: broken pipe; going on without it") {
				return os.ErrNotExist
			}
			return nil
		})
		if err != nil {
			t.Errorf("it says nothing\n%s", text(watch.stderr()))
		}
		l.refuse()
		if status, _ := watch.stop(); status != 3 {
			t.Errorf("ended with status %d\n%s", status, text(watch.stderr()))
		}
		out, err := os.ReadFile(written)
		if err != nil {
			t.Fatal(err)
		}
		if doc := document(t, out); doc.Totals.Rejected != 2 {
			t.Errorf("the report has %d rejected sessions, not 2", doc.Totals.Rejected)
		}
	}
}

// /healthz says when nothing can be captured.
func TestHealth(t *testing.T) {
	needs(t)
	l := newPlainLab(t)
	l.broker.ip("link set lo up")
	const at = "127.0.0.1:9893"
	watch := l.watch("--metrics", at)
	says := func(status, words string) {
		t.Helper()
		err := eventually(3*time.Second, func() error {
			got, body, err := l.broker.get(at, "/healthz")
			if err == nil && (!strings.Contains(got, status) || !strings.Contains(body, words)) {
				err = os.ErrInvalid
				t.Log(got, body)
			}
			return err
		})
		if err != nil {
			t.Errorf("/healthz is not %s %q: %v", status, words, err)
		}
	}
	says(" 200 ", "ok")
	l.broker.ip("link set veth1 down")
	says(" 503 ", "no interface is up: veth1 is down")
	l.broker.ip("link set veth1 up")
	says(" 200 ", "ok")
	watch.stop()
}
