//go:build linux && live

package confine

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// stage is a directory that everybody may enter, with a copy of the test
// program, and in it one directory of nobody's and one that is not to be touched.
func stage(t *testing.T) (program string, do task) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir, err := os.MkdirTemp("", "confine")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	inside, outside := filepath.Join(dir, "inside"), filepath.Join(dir, "outside")
	must(os.Chmod(dir, 0o755))
	must(os.Mkdir(inside, 0o755))
	must(os.Chown(inside, overflowID, overflowID))
	must(os.Mkdir(outside, 0o777))
	must(os.Chmod(outside, 0o777)) // by its mode everybody may write there
	for _, name := range []string{"read", "old"} {
		path := filepath.Join(outside, name)
		must(os.WriteFile(path, []byte("x"), 0o666))
		must(os.Chmod(path, 0o666))
	}
	text, err := os.ReadFile(withoutCgo(t))
	must(err)
	program = filepath.Join(dir, "confine.test")
	must(os.WriteFile(program, text, 0o755))
	return program, task{
		Options: Options{
			User:          "65534:65534",
			WritablePaths: []string{inside},
			ReadablePaths: []string{filepath.Join(outside, "read")},
		},
		Packet: true,
		Inside: inside, Outside: outside, Readable: filepath.Join(outside, "read"),
	}
}

func TestConfineRoot(t *testing.T) {
	program, do := stage(t)
	a, threads := run(t, program, do, func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 0, Gid: 0, Groups: []uint32{4, 27}}}
	})
	expect(t, a, threads)
	if !a.Report.NoBounding {
		t.Errorf("it reports: %s", a.Report)
	}
	if a.Rebind != "" {
		t.Errorf("the packet socket cannot be bound to another interface: %s", a.Rebind)
	}
	if a.BackToTop != "EPERM" {
		t.Errorf("becoming root again: %q", a.BackToTop)
	}
	for _, s := range threads {
		for _, field := range []string{"Uid", "Gid"} {
			if s[field] != "65534\t65534\t65534\t65534" {
				t.Errorf("thread %s: %s %q", s["Pid"], field, s[field])
			}
		}
		if s["Groups"] != "" || s["CapBnd"] != "0000000000000000" {
			t.Errorf("thread %s: groups %q, bounding set %s", s["Pid"], s["Groups"], s["CapBnd"])
		}
	}
}

// Root that stays root has no power over the files of others.
func TestConfineStaysRoot(t *testing.T) {
	program, do := stage(t)
	do.Options.User = "root"
	a, _ := run(t, program, do, nil)
	if want := "write to " + do.Inside + " as root (0:0): permission denied"; !strings.HasPrefix(a.Error, want) {
		t.Errorf("error %q, want %q", a.Error, want)
	}
	if !strings.Contains(a.Error, "--user ") {
		t.Errorf("no remedy is named: %s", a.Error)
	}
	if err := os.Chown(do.Inside, 0, 0); err != nil {
		t.Fatal(err)
	}
	a, threads := run(t, program, do, nil)
	expect(t, a, threads)
	for _, s := range threads {
		if s["Uid"] != "0\t0\t0\t0" || s["CapBnd"] != "0000000000000000" {
			t.Errorf("thread %s: user %q, bounding set %s", s["Pid"], s["Uid"], s["CapBnd"])
		}
	}
}

// Somebody who has the one capability from the file, as setcap(8) gives it,
// gives it up as well.
func TestConfineFileCapability(t *testing.T) {
	program, do := stage(t)
	do.Options.User = ""
	const netRaw = 1 << unix.CAP_NET_RAW
	value := make([]byte, 20) // struct vfs_cap_data of include/uapi/linux/capability.h
	binary.LittleEndian.PutUint32(value, 0x02000000|1)
	binary.LittleEndian.PutUint32(value[4:], netRaw)
	if err := unix.Setxattr(program, "security.capability", value, 0); err != nil {
		t.Skipf("the file system of %s takes no capabilities: %v", program, err)
	}
	as := func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: overflowID, Gid: overflowID}}
	}
	a, threads := run(t, program, do, as)
	expect(t, a, threads)
	if a.Rebind != "" {
		t.Errorf("the packet socket cannot be bound to another interface: %s", a.Rebind)
	}
	do.Options.User = "root"
	if a, _ = run(t, program, do, as); !strings.Contains(a.Error, "only root can become another user") {
		t.Errorf("error %q", a.Error)
	}
}

// Where root has no CAP_SETPCAP, as in many containers, the bounding set stays,
// and new privileges are forbidden all the same.
func TestConfineWithoutSetpcap(t *testing.T) {
	program, do := stage(t)
	if err := exec.Command("setpriv", "--version").Run(); err != nil {
		t.Skipf("needs setpriv of util-linux: %v", err)
	}
	a, threads := run(t, program, do, func(c *exec.Cmd) {
		setpriv, _ := exec.LookPath("setpriv")
		c.Args = []string{"setpriv", "--bounding-set", "-setpcap", c.Path}
		c.Path = setpriv
	})
	expect(t, a, threads)
	if a.Report.NoBounding {
		t.Errorf("it reports: %s", a.Report)
	}
}
