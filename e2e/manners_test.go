//go:build live && linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// answersWithin is how soon the program ends when it is told to.
const answersWithin = 200 * time.Millisecond

func TestSignalsEnd(t *testing.T) {
	needs(t)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		for _, flags := range [][]string{nil, {"-f", "json"}, {"-f", "ndjson"}} {
			t.Run(fmt.Sprint(signal, flags), func(t *testing.T) {
				l := newPlainLab(t)
				watch := l.watch(flags...)
				time.Sleep(700 * time.Millisecond) // and nothing happens
				begin := time.Now()
				watch.signal(signal)
				if status := watch.wait(5 * time.Second); status != 0 {
					t.Errorf("ended with status %d\n%s", status, text(watch.stderr()))
				}
				took := watch.endedAt.Sub(begin)
				t.Logf("ended %v after the signal", took)
				if took > answersWithin {
					t.Errorf("ended only %v after the signal", took)
				}
				if text(watch.stdout()) == "" {
					t.Error("ended without a report")
				}
			})
		}
	}
}

// TestSignalsReport asks for reports while the program runs.
func TestSignalsReport(t *testing.T) {
	needs(t)
	l := newPlainLab(t)
	watch := l.watch("-f", "json")
	l.refuse()
	for _, signal := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1} {
		before := len(watch.stdout())
		watch.signal(signal)
		if err := eventually(promptly, func() error {
			if !watch.running() || strings.Contains(text(watch.stdout()[before:]), `"not-authorized"`) {
				return nil
			}
			return errNotYet
		}); err != nil || !watch.running() {
			t.Fatalf("no report on %v: %v\n%s%s", signal, err, text(watch.stdout()), text(watch.stderr()))
		}
		l.refuse()
	}
	if status, _ := watch.stop(); status != 0 {
		t.Errorf("ended with status %d", status)
	}
	// The last report is the last value of JSON.
	last := text(watch.stdout())
	last = last[strings.LastIndex("\n"+last, "\n{"):]
	if doc := document(t, []byte(last)); doc.Totals.Rejected != 3 {
		t.Errorf("the last report has %d rejected sessions, not 3", doc.Totals.Rejected)
	}
}

func TestForAndEvery(t *testing.T) {
	needs(t)
	l := newPlainLab(t)
	watch := l.watch("--for", "4s", "--every", "1s", "-f", "json")
	begin := time.Now()
	if status := watch.wait(10 * time.Second); status != 0 {
		t.Errorf("ended with status %d\n%s", status, text(watch.stderr()))
	}
	if took := watch.endedAt.Sub(begin); took < 3500*time.Millisecond || took > 4500*time.Millisecond {
		t.Errorf("--for 4s took %v", took)
	}
	reports := strings.Count(text(watch.stdout()), `"schema"`)
	if reports < 4 || reports > 5 {
		t.Errorf("%d reports in 4 s, one each second", reports)
	}
}

// notices are the events that are no findings.
func notices(lines []line) []string {
	var found []string
	for _, l := range lines {
		if words := strings.SplitN(l.text, " ", 5); len(words) == 5 && isNotice(words[2]) {
			found = append(found, words[2])
		}
	}
	return found
}

func (p *process) notices(event string, n int) {
	p.t.Helper()
	err := eventually(3*time.Second, func() error {
		found := 0
		for _, e := range notices(p.stdout()) {
			if e == event {
				found++
			}
		}
		if found != n || !p.running() {
			return fmt.Errorf("%d notices %q, not %d", found, event, n)
		}
		return nil
	})
	if err != nil {
		p.t.Fatalf("%v\n%s%s", err, text(p.stdout()), text(p.stderr()))
	}
}

// TestInterfaceLeaves takes the interface down and away and brings it back.
func TestInterfaceLeaves(t *testing.T) {
	needs(t)
	l := newPlainLab(t)
	watch := l.watch()
	watch.tells(l.refuse())
	l.broker.ip("link set veth1 down")
	watch.notices("interface-down", 1)
	l.broker.ip("link set veth1 up")
	watch.notices("interface-up", 1)
	watch.tells(l.refuse())
	l.broker.ip("link del veth1")
	watch.notices("interface-gone", 1)
	l.cable()
	watch.notices("interface-up", 2)
	watch.capturing(l.broker, 1)
	watch.tells(l.refuse())
	watch.stop()
	if n := strings.Count(text(watch.stdout()), " not-authorized "); n < 3 {
		t.Errorf("%d lines for 3 sessions\n%s", n, text(watch.stdout()))
	}
}

// TestPrivileges looks at what is left of root's.
func TestPrivileges(t *testing.T) {
	needs(t)
	l := newPlainLab(t)
	watch := l.watch("--user", "nobody")
	watch.tells(l.refuse())
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", watch.cmd.Process.Pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	for _, thread := range threads {
		status, err := os.ReadFile(thread)
		if err != nil {
			continue // it has just ended
		}
		for _, row := range []string{
			"Uid:\t65534\t65534\t65534\t65534", "Gid:\t65534\t65534\t65534\t65534", "Groups:\t",
			"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1",
		} {
			if !strings.Contains(string(status), "\n"+row) {
				t.Errorf("%s does not have %q:\n%s", thread, row, status)
			}
		}
	}
	// It can neither leave its files behind nor read others': but it goes on.
	watch.tells(l.refuse())
	watch.stop()
}

// TestCannot is what people meet first: each is said in one line, with a remedy.
func TestCannot(t *testing.T) {
	needs(t, "setpriv")
	l := newPlainLab(t)
	for _, c := range []struct {
		name   string
		args   []string
		says   []string
		status int
	}{
		{
			"no permission", []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program(t), "live", "-i", "veth1"},
			[]string{"veth1", "permission", "cap_net_raw"}, 3,
		},
		{"no such interface", []string{program(t), "live", "-i", "nosuch0"}, []string{"nosuch0", "--list-interfaces"}, 3},
		{"no interface named", []string{program(t), "live"}, []string{"-i"}, 2},
		{"metrics where something listens", []string{program(t), "live", "-i", "veth1", "--metrics", fmt.Sprintf("%s:%d", l.brokerAt, plainPort)}, []string{"--metrics"}, 3},
		{"no such user", []string{program(t), "live", "-i", "veth1", "--user", "nosuchuser"}, []string{"nosuchuser", "--user"}, -1},
		{"evidence where there is no folder", []string{program(t), "live", "-i", "veth1", "--write", "/nonexistent/site.pcapng"}, []string{"/nonexistent"}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := start(t, l.broker.command(c.args...))
			status := p.wait(10 * time.Second)
			if status != c.status && (c.status >= 0 || status == 0) {
				t.Errorf("ended with status %d, not %d", status, c.status)
			}
			said := text(p.stderr())
			t.Log(said)
			for _, words := range c.says {
				if !strings.Contains(said, words) {
					t.Errorf("it does not say %q: %s", words, said)
				}
			}
			if n := len(p.stderr()); n < 1 || n > 2 {
				t.Errorf("%d lines, not one and a hint:\n%s", n, said)
			}
			if len(p.stdout()) > 0 {
				t.Errorf("on standard output: %s", text(p.stdout()))
			}
		})
	}
}

// TestMetrics reads the metrics as Prometheus does.
func TestMetrics(t *testing.T) {
	needs(t)
	l := newPlainLab(t)
	const at = "127.0.0.1:9893"
	watch := l.watch("--metrics", at)
	id := l.refuse()
	watch.tells(id)
	var page string
	err := eventually(2*promptly, func() error {
		status, body, err := l.broker.get(at, "/metrics")
		if page = body; err != nil {
			return err
		}
		if !strings.Contains(status, " 200 ") || !strings.Contains(body, "sessions_total{") {
			return fmt.Errorf("%s\n%s", status, body)
		}
		for _, l := range strings.Split(body, "\n") {
			if strings.Contains(l, "sessions_total{") && strings.Contains(l, "rejected") && strings.HasSuffix(l, " 1") {
				return nil
			}
		}
		return fmt.Errorf("no rejected session is counted\n%s", body)
	})
	if err != nil {
		t.Errorf("/metrics: %v", err)
	}
	for _, private := range []string{id, goodUser, wrongPassword} {
		if strings.Contains(page, private) {
			t.Errorf("/metrics has %q in it", private)
		}
	}
	if status, body, err := l.broker.get(at, "/healthz"); err != nil || !strings.Contains(status, " 200 ") {
		t.Errorf("/healthz: %v %s %s", err, status, body)
	}
	watch.stop()
}

// nobodys is a folder that the program may write to when it is nobody.
func nobodys(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mqttriage-e2e-")
	if err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		err = os.Chown(dir, 65534, 65534)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestFullDisk writes evidence to a disk of 64 KiB.
func TestFullDisk(t *testing.T) {
	needs(t, "mount", "umount")
	dir := nobodys(t)
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64k,mode=0777", "none", dir).CombinedOutput(); err != nil {
		t.Skipf("cannot make a small disk: %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", dir).Run() }) //nolint:errcheck // an empty tmpfs is left
	l := newPlainLab(t)
	watch := l.watch("--user", "nobody", "--write", filepath.Join(dir, "site.pcapng"))
	// A handshake that is refused takes some KiB.
	for range 150 {
		l.refuse()
	}
	watch.notices("evidence-failed", 1)
	for _, said := range watch.stdout() {
		if strings.Contains(said.text, " evidence-failed ") {
			t.Log(said.text)
			if !strings.Contains(said.text, "no space left") || !strings.Contains(said.text, dir) {
				t.Errorf("it does not say which disk is full: %s", said.text)
			}
		}
	}
	if status, _ := watch.stop(); status != 0 {
		t.Errorf("ended with status %d\n%s", status, text(watch.stderr()))
	}
	if all := text(watch.stdout()); !strings.Contains(all, "150") {
		t.Errorf("the capture did not go on\n%s", all)
	}
	readable(t, dir, false)
}

// TestKilled kills the program while it writes, again and again.
func TestKilled(t *testing.T) {
	needs(t, "tshark")
	l := newPlainLab(t)
	for round := range 5 {
		dir := nobodys(t)
		watch := l.watch("--user", "nobody", "--write", filepath.Join(dir, "site.pcapng"), "--write-size", "1")
		quit, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; ; i++ {
				select {
				case <-quit:
					return
				default:
					l.refuseID(fmt.Sprintf("killed-%d-%05d", round, i)) //nolint:errcheck // some come to nothing
				}
			}
		}()
		// Evidence is written once a handshake is over, and perhaps a little later.
		time.Sleep(time.Duration(300+round*373) * time.Millisecond)
		watch.cmd.Process.Kill() //nolint:errcheck // wait says it
		watch.wait(5 * time.Second)
		close(quit)
		<-done
		files, sessions := readable(t, dir, true)
		t.Logf("killed after %d ms: %d files, %d sessions", 300+round*373, files, sessions)
		if round == 4 && sessions == 0 {
			t.Error("nothing was written in almost two seconds")
		}
	}
}

// readable opens all evidence in a folder with the program and with tshark, and
// looks for secrets in it. Where the program was killed the last block of the newest file
// may be torn, and a file may be left that has no name yet.
func readable(t *testing.T, dir string, killed bool) (files, sessions int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range entries { // by name, which is by age
		path := filepath.Join(dir, e.Name())
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{wrongPassword, goodUser} {
			if strings.Contains(string(content), secret) {
				t.Errorf("%s has %q in it", e.Name(), secret)
			}
		}
		if killed && strings.HasPrefix(e.Name(), ".") && strings.HasSuffix(e.Name(), ".new") {
			continue
		}
		files++
		out, err := exec.Command(program(t), "read", "-f", "json", path).Output()
		if err != nil {
			t.Errorf("mqttriage read %s (%d bytes): %v\n%s", e.Name(), len(content), err, problemsOf(err))
			continue
		}
		doc := document(t, out)
		sessions += doc.Totals.Sessions
		packets, problems := doc.Captures[0].Packets, doc.Captures[0].Problems
		torn := fmt.Sprintf("cut short in packet %d", packets+1)
		if mayTear := killed && i == len(entries)-1; len(problems) > 0 && !(mayTear && len(problems) == 1 && problems[0] == torn) {
			t.Errorf("%s (%d bytes) has %d packets and is %q", e.Name(), len(content), packets, problems)
		}
		if _, err := exec.LookPath("tshark"); err != nil {
			continue
		}
		out, err = exec.Command("tshark", "-r", path, "-T", "fields", "-e", "frame.number").Output()
		if n := strings.Count(string(out), "\n"); fmt.Sprint(n) != fmt.Sprint(packets) {
			t.Errorf("tshark reads %d packets of %s, mqttriage %d", n, e.Name(), packets)
		}
		const cut = "appears to have been cut short in the middle of a packet"
		if err != nil && !(len(problems) > 0 && strings.Contains(problemsOf(err), cut)) {
			t.Errorf("tshark -r %s (%d bytes): %v\n%.500s", e.Name(), len(content), err, problemsOf(err))
		}
	}
	return files, sessions
}

func problemsOf(err error) string {
	if ended, ok := err.(*exec.ExitError); ok {
		return string(ended.Stderr)
	}
	return ""
}
