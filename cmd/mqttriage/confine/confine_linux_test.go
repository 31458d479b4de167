package confine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// expect holds every thread of a confined child to what it may do, as far as
// the kernel has landlock.
func expect(t *testing.T, a answer, threads []threadStatus) {
	t.Helper()
	if a.Error != "" {
		t.Fatal(a.Error)
	}
	r := a.Report
	if !r.NoCapabilities || !r.NoNewPrivileges {
		t.Errorf("it reports: %s", r)
	}
	if len(threads) < 5 {
		t.Fatalf("only %d threads were seen", len(threads))
	}
	for _, s := range threads {
		for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb"} {
			if s[set] != "0000000000000000" {
				t.Errorf("thread %s: %s is %q", s["Pid"], set, s[set])
			}
		}
		if s["NoNewPrivs"] != "1" {
			t.Errorf("thread %s: NoNewPrivs is %q", s["Pid"], s["NoNewPrivs"])
		}
	}
	if a.Dumpable != 0 {
		t.Error("it can be dumped and traced")
	}
	if a.Zone != "JST" {
		t.Errorf("the local time zone is %q after the files are gone", a.Zone)
	}
	want := map[string]string{
		"packet socket":        "EPERM",
		"read a readable file": "",
		"write inside":         "",
		"rotate inside":        "",
		"list inside":          "",
		"delete inside":        "",
	}
	if r.Landlock == 0 {
		t.Logf("files are not restricted here: %s", r)
	} else {
		for _, forbidden := range []string{"read outside", "write outside", "execute"} {
			want[forbidden] = "EACCES"
		}
		if r.Landlock >= 3 {
			want["replace outside"] = "EACCES"
		}
	}
	if len(a.Probes) != 5 {
		t.Fatalf("%d threads answered", len(a.Probes))
	}
	for i, did := range a.Probes {
		for what, problem := range want {
			if did[what] != problem {
				t.Errorf("thread %d: %s: %q, want %q", i, what, did[what], problem)
			}
		}
	}
}

// Whoever runs this, the rest is given up without changing the user.
func TestConfineKeepsUser(t *testing.T) {
	inside, outside := t.TempDir(), t.TempDir()
	readable := filepath.Join(outside, "read")
	for _, name := range []string{"read", "old"} {
		if err := os.WriteFile(filepath.Join(outside, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	do := task{
		Options: Options{
			WritablePaths: []string{filepath.Join(inside, "evidence.pcapng"), inside},
			ReadablePaths: []string{readable, "/no/such/file"},
		},
		Inside: inside, Outside: outside, Readable: readable,
	}
	if os.Geteuid() == 0 {
		do.Options.User = "root"
	}
	a, threads := run(t, withoutCgo(t), do, nil)
	expect(t, a, threads)
	for _, s := range threads {
		if want := strings.Fields(s["Uid"])[0]; !strings.Contains(a.Report.User, want+":") {
			t.Errorf("it reports user %s, and is %s", a.Report.User, want)
		}
	}
}

// A program that is linked with cgo says what it cannot give up.
func TestConfineWithCgo(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if withoutCgo(t) == self {
		t.Skip("this test is built without cgo")
	}
	do := task{}
	if os.Geteuid() == 0 {
		do.Options.User = "root"
	}
	a, _ := run(t, self, do, nil)
	if a.Error != "" {
		t.Fatal(a.Error)
	}
	if a.Report.NoNewPrivileges || a.Report.Landlock != 0 || !strings.Contains(a.Report.String(), "CGO_ENABLED=0") {
		t.Errorf("it reports: %s", a.Report)
	}
}

// Where the user may not write is told before the capture begins.
func TestConfineNotWritable(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none", "evidence.pcapng")
	do := task{Options: Options{WritablePaths: []string{none}}}
	if os.Geteuid() == 0 {
		do.Options.User = "root"
	}
	a, _ := run(t, withoutCgo(t), do, nil)
	if want := "write to " + filepath.Dir(none) + " as "; !strings.HasPrefix(a.Error, want) || !strings.Contains(a.Error, ": no such file or directory (install -d -o ") {
		t.Errorf("error %q", a.Error)
	}
}

func TestPlaceOf(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other")
	file := filepath.Join(other, "file")
	link := filepath.Join(dir, "link")
	for _, err := range []error{os.Mkdir(other, 0o755), os.WriteFile(file, nil, 0o644), os.Symlink(file, link)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for path, want := range map[string]string{
		dir:                          dir,
		file:                         other,
		link:                         other, // a link to a file is written through
		filepath.Join(other, "new"):  other,
		filepath.Join(dir, "x", "y"): filepath.Join(dir, "x"),
		"new":                        dir,
		"other":                      other,
		"/dev/null":                  "/dev/null",
	} {
		if got := placeOf(path); got != want {
			t.Errorf("placeOf(%s) = %s, want %s", path, got, want)
		}
	}
}

func TestHandled(t *testing.T) {
	for version, want := range map[int]uint64{1: 0x1fff, 2: 0x3fff, 3: 0x7fff, 4: 0x7fff, 5: 0xffff, 9: 0xffff} {
		if got := handled(version); got != want {
			t.Errorf("version %d: %#x, want %#x", version, got, want)
		}
	}
	if mayReplace&^handled(3) != 0 {
		t.Error("a right to replace files is of no version")
	}
}

// goodStatus is what the kernel says of a thread that has nothing left.
const goodStatus = `Name:	mqttriage
Uid:	65534	65534	65534	65534
Gid:	65534	65534	65534	65534
Groups:	
CapInh:	0000000000000000
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapBnd:	0000000000000000
CapAmb:	0000000000000000
NoNewPrivs:	1
`

func TestCheck(t *testing.T) {
	to := identity{"nobody", 65534, 65534, true}
	claimed := Report{NoNewPrivileges: true, NoBounding: true}
	for _, c := range []struct {
		name, from, into string
		left             uint64
		problem          string
	}{
		{name: "all gone"},
		{name: "real user", from: "Uid:	65534", into: "Uid:	0", problem: "Uid is 0"},
		{name: "saved user", from: "65534	65534\nGid", into: "0	65534\nGid", problem: "Uid is"},
		{name: "group", from: "Gid:	65534", into: "Gid:	4", problem: "Gid is 4"},
		{name: "groups", from: "Groups:	", into: "Groups:	4 27", problem: "groups 4 27"},
		{name: "no user", from: "Uid:", into: "Vid:", problem: "no Uid"},
		{name: "permitted", from: "CapPrm:	0000000000000000", into: "CapPrm:	0000000000002000", left: 0x2000},
		{name: "effective", from: "CapEff:	0000000000000000", into: "CapEff:	000001ffffffffff", left: 0x1ffffffffff},
		{name: "ambient", from: "CapAmb:	0000000000000000", into: "CapAmb:	0000000000002000", left: 0x2000},
		{name: "bounding", from: "CapBnd:	0000000000000000", into: "CapBnd:	0000000000002000", left: 0x2000},
		{name: "no ambient set in Linux 4.2", from: "CapAmb:	0000000000000000\n", into: ""},
		{name: "not a number", from: "CapEff:	0", into: "CapEff:	x", problem: "CapEff"},
		{name: "no effective set", from: "CapEff:	0000000000000000\n", into: "", problem: "CapEff"},
		{name: "new privileges", from: "NoNewPrivs:	1", into: "NoNewPrivs:	0", problem: "NoNewPrivs is 0"},
		{name: "not told in Linux 4.9", from: "NoNewPrivs:	1\n", into: ""},
	} {
		if c.from != "" && !strings.Contains(goodStatus, c.from) {
			t.Fatalf("%s: %q is not in the status", c.name, c.from)
		}
		left, err := parseStatus([]byte(strings.Replace(goodStatus, c.from, c.into, 1))).check(claimed, to)
		switch {
		case c.problem == "" && err != nil, c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
			t.Errorf("%s: error %v, want %q", c.name, err, c.problem)
		case err == nil && left != c.left:
			t.Errorf("%s: %#x is left, want %#x", c.name, left, c.left)
		}
	}
	// What was not claimed is not held against it.
	mine := strings.NewReplacer("CapBnd:	0000000000000000", "CapBnd:	000001ffffffffff", "NoNewPrivs:	1", "NoNewPrivs:	0",
		"Groups:	", "Groups:	4 27").Replace(goodStatus)
	if left, err := parseStatus([]byte(mine)).check(Report{}, identity{"me", 1000, 1000, false}); left != 0 || err != nil {
		t.Errorf("what was not claimed: %#x, %v", left, err)
	}
}

func TestWanted(t *testing.T) {
	const stranger = 23456 // nobody's UID
	for _, c := range []struct {
		name    string
		euid    int
		want    identity
		problem string
	}{
		{name: "1000:1001", want: identity{"1000", 1000, 1001, true}},
		{name: "0:0", want: identity{"0", 0, 0, false}},
		{name: "root", want: identity{"root", 0, 0, false}},
		{name: "0", want: identity{"root", 0, 0, false}},
		{name: "1000:staff", problem: "two numbers are wanted"},
		{name: "1000:", problem: "two numbers are wanted"},
		{name: "-1:-1", problem: "two numbers are wanted"},
		{name: "4294967295:4294967295", problem: "two numbers are wanted"}, // -1 means "leave it" to the kernel
		{name: "no-such-user", problem: "useradd --system no-such-user"},
		{name: "no-such-user", euid: stranger, problem: "useradd --system no-such-user"},
		{name: "23456", problem: "name the group too, as in 23456:23456"},
		{name: "root", euid: stranger, problem: "only root can become another user"},
		{name: "", euid: stranger, want: identity{"23456", stranger, os.Getegid(), false}},
		{name: "23456:1", euid: stranger, want: identity{"23456", stranger, os.Getegid(), false}},
	} {
		got, err := wanted(c.name, c.euid)
		switch {
		case c.problem == "" && err != nil, c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
			t.Errorf("user %q of UID %d: error %v, want %q", c.name, c.euid, err, c.problem)
		case err == nil && got != c.want:
			t.Errorf("user %q of UID %d: %+v, want %+v", c.name, c.euid, got, c.want)
		}
	}
	// By itself root becomes somebody else, whatever the system has.
	if got, err := wanted("", 0); err != nil || got.uid == 0 || !got.changes || !slices.Contains([]string{"mqttriage", "nobody"}, got.name) {
		t.Errorf("root becomes %+v, %v", got, err)
	}
}

func TestRemedy(t *testing.T) {
	dir := t.TempDir()
	root, me := identity{"root", 0, 0, false}, identity{"me", 1000, 1000, false}
	nobody := identity{"nobody", overflowID, overflowID, true}
	if got := remedy("/", nobody, syscall.EACCES); !strings.Contains(got, "install -d -o nobody DIR") {
		t.Errorf("in a directory of root's: %s", got)
	}
	if got := remedy("/", me, syscall.EACCES); got != "" {
		t.Errorf("to somebody who is not root: %s", got)
	}
	if got, want := remedy("/none", me, syscall.ENOENT), " (install -d -o me /none makes it)"; got != want {
		t.Errorf("where there is no directory: %q", got)
	}
	if got := remedy("/", nobody, syscall.EROFS); got != "" {
		t.Errorf("for another error: %s", got)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, 1, 1); err != nil {
			t.Fatal(err)
		}
	}
	if got := remedy(dir, root, syscall.EACCES); !strings.Contains(got, "it belongs to") || !strings.Contains(got, "--user ") {
		t.Errorf("in somebody's directory: %s", got)
	}
}

func TestReportString(t *testing.T) {
	full := Report{User: "nobody (65534:65534)", NoNewPrivileges: true, NoCapabilities: true, NoBounding: true, Landlock: 7}
	if got, want := full.String(), "user nobody (65534:65534), no capabilities, no new privileges, files by landlock 7"; got != want {
		t.Errorf("%s", got)
	}
	old := Report{User: "nobody (65534:65534)", NoNewPrivileges: true, NoCapabilities: true, Missing: []string{"landlock (none)"}}
	if got, want := old.String(), "user nobody (65534:65534), no capabilities, no new privileges; not: landlock (none)"; got != want {
		t.Errorf("%s", got)
	}
}
