package slice

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/capture"
)

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// names are the files of a directory.
func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// clocked is evidence by a clock of its own.
type clocked struct {
	*Evidence
	t   *testing.T
	at  time.Time
	dir string
	n   int
}

func newClocked(t *testing.T, dir string, o EvidenceOptions) *clocked {
	t.Helper()
	c := &clocked{t: t, at: time.Date(2026, 11, 22, 22, 45, 1, 0, time.UTC), dir: dir}
	o.File = filepath.Join(dir, "evidence.pcapng")
	o.now = func() time.Time { return c.at }
	var err error
	if c.Evidence, err = NewEvidence(o); err != nil {
		t.Fatal(err)
	}
	return c
}

// handshake adds a connection of four packets.
func (c *clocked) handshake() {
	c.n++
	client := [4]byte{10, 2, byte(c.n >> 8), byte(c.n)}
	theirs, ours := uint32(c.n)*100, uint32(c.n)*200
	connect := script{}.say("\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04gw-7", false).bytes()
	add := func(b []byte) {
		c.Add(&capture.Packet{Nano: c.at.UnixNano(), Link: capture.LinkEN10MB, Length: len(b), Data: b})
	}
	add(frame(client, brokerAddr, 40000, 1883, theirs, 0, 2, nil))
	add(frame(brokerAddr, client, 1883, 40000, ours, theirs+1, 0x12, nil))
	add(frame(client, brokerAddr, 40000, 1883, theirs+1, ours+1, 0x18, connect))
	add(frame(brokerAddr, client, 1883, 40000, ours+1, theirs+1+uint32(len(connect)), 0x18, []byte(refuse)))
}

// session adds one, and lets some time go by.
func (c *clocked) session(wait time.Duration) error {
	c.handshake()
	c.at = c.at.Add(wait)
	return c.Tick(c.at)
}

// Files are begun by size and age, the newest kept, and nothing else is touched.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	strangers := []string{
		"evidence.pcapng", "evidence-1.pcapng", "evidence-20261122T224501Z.pcapng.gz", "evidence-20261122T224501Z.pcap",
		"evidence-2026112222450Z.pcapng", "evidence-20261122T224501Z_1.pcapng", "other-20250101T000000Z.pcapng",
		"evidence-20250199T000000Z.pcapng",
	}
	for _, name := range strangers {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("not ours"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old := []string{"evidence-20250101T000000Z.pcapng", "evidence-20250101T000000Z_001.pcapng"}
	for _, name := range old {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 100), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "evidence-20250101T000001Z.pcapng"), make([]byte, 48), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "evidence-20240101T000000Z.pcapng"), 0o755); err != nil {
		t.Fatal(err)
	}
	strangers = append(strangers, "evidence-20240101T000000Z.pcapng")

	c := newClocked(t, dir, EvidenceOptions{MaxFiles: 4, MaxAge: time.Hour, MaxSize: 4096})
	want := func(ours ...string) {
		t.Helper()
		all := slices.Concat(strangers, ours)
		slices.Sort(all)
		if got := names(t, dir); !slices.Equal(got, all) {
			t.Fatalf("files are\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(all, "\n"))
		}
	}
	first := "evidence-20261122T224501Z.pcapng"
	want(append(old, first)...)
	// An empty file lasts on.
	c.at = c.at.Add(2 * time.Hour)
	c.Tick(c.at)
	want(append(old, first)...)
	c.session(30 * time.Minute)
	want(append(old, first, "evidence-20261123T011501Z.pcapng")...)
	c.session(time.Hour)
	want(old[1], first, "evidence-20261123T011501Z.pcapng", "evidence-20261123T021501Z.pcapng")
	// By size: some 600 bytes a session.
	for range 10 {
		c.session(time.Millisecond)
	}
	if s := c.Stats(); s.Files != 4 || s.Deleted != 2 || s.Packets != 48 {
		t.Errorf("%+v", s)
	}
	want("evidence-20261122T224501Z.pcapng", "evidence-20261123T011501Z.pcapng", "evidence-20261123T021501Z.pcapng", "evidence-20261123T021501Z_001.pcapng")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	packets := 0
	for _, name := range names(t, dir) {
		if c.files.ours(name) && !slices.Contains(strangers, name) {
			path := filepath.Join(dir, name)
			all := packetsOf(t, read(t, path))
			packets += len(all)
			if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 || info.Size() > 4096+blockRoom {
				t.Errorf("%s: %v %v", name, info.Mode(), info.Size())
			}
		}
	}
	if packets < 48 {
		t.Errorf("%d packets", packets)
	}
	for _, name := range strangers[:len(strangers)-1] {
		if string(read(t, filepath.Join(dir, name))) != "not ours" {
			t.Errorf("%s was changed", name)
		}
	}
}

// A name that is taken is left to who has it.
func TestRotationNameTaken(t *testing.T) {
	dir := t.TempDir()
	a := newClocked(t, dir, EvidenceOptions{})
	a.session(time.Second)
	b := newClocked(t, dir, EvidenceOptions{})
	b.session(time.Second)
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"evidence-20261122T224501Z.pcapng", "evidence-20261122T224501Z_001.pcapng"}) {
		t.Error(got)
	}
	// What has no packets does not stay.
	if err := newClocked(t, dir, EvidenceOptions{}).Close(); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); len(got) != 2 {
		t.Error(got)
	}
}

// Names sort by age: one that was given within the second is not given again when its file
// is deleted.
func TestRotationWithinSecond(t *testing.T) {
	dir := t.TempDir()
	c := newClocked(t, dir, EvidenceOptions{MaxFiles: 2, MaxSize: 1500})
	for range 8 {
		if err := c.session(0); err != nil {
			t.Fatal(err)
		}
		left := names(t, dir)
		if newest := filepath.Base(c.Stats().Name); left[len(left)-1] != newest {
			t.Fatalf("the newest is %s of %q", newest, left)
		}
	}
	if s := c.Stats(); s.Deleted < 2 {
		t.Errorf("%+v", s)
	}
}

// What is handed over to the system ends with a block, each time.
func TestRotationHandsOverWholeBlocks(t *testing.T) {
	c := newClocked(t, t.TempDir(), EvidenceOptions{MaxSize: 16 << 10, MaxFiles: 1000})
	write, bytes, packets, longest := c.files.write, 0, 0, 0
	c.files.write = func(f *os.File, b []byte) (int, error) {
		w := walked(t, b)
		if w.torn > 0 {
			t.Errorf("%d of %d bytes are part of a block", w.torn, len(b))
		}
		bytes, packets, longest = bytes+len(b), packets+w.packets, max(longest, len(b))
		return write(f, b)
	}
	for i := range 300 {
		c.handshake()
		if i%100 < 20 || i%20 == 0 { // else many are written together
			c.Tick(c.at)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if bytes < 100<<10 || packets < 1200 || longest < 8<<10 {
		t.Errorf("%d bytes and %d packets were written, %d bytes at once", bytes, packets, longest)
	}
}

// Finish leaves the file whole and does not wait for a disk; Close does, and tells of it.
func TestEvidenceFinish(t *testing.T) {
	broken := errors.New("the disk is broken")
	for name, under := range map[string]bool{"alone": false, "while another sync is under way": true} {
		t.Run(name, func(t *testing.T) {
			c := newClocked(t, t.TempDir(), EvidenceOptions{})
			disk, asked := make(chan error), make(chan *os.File, 10)
			c.files.sync = func(f *os.File) error { asked <- f; return <-disk }
			if err := c.session(time.Second); err != nil {
				t.Fatal(err)
			}
			if under {
				c.session(syncEvery)
				<-asked
			}
			c.handshake() // it waits
			if err := c.Finish(); err != nil {
				t.Fatal(err)
			}
			s := c.Stats()
			if got := walked(t, read(t, s.Name)); got.torn > 0 || got.packets != int(s.Packets) || s.Packets < 8 {
				t.Errorf("%+v; %+v", got, s)
			}
			closed := make(chan error)
			go func() { closed <- errors.Join(c.Finish(), c.Close()) }()
			if under {
				disk <- nil
			}
			<-asked
			select {
			case <-closed:
				t.Fatal("Close does not wait")
			case disk <- broken:
			}
			if err := <-closed; !errors.Is(err, broken) {
				t.Errorf("Close says %v", err)
			}
			if err := errors.Join(c.Finish(), c.Close()); err != nil || c.Stats() != s {
				t.Errorf("again: %v; %+v", err, c.Stats())
			}
		})
	}
}

// A file that is given up while it is synced is no error of the disk.
func TestRotationGivenUpInSync(t *testing.T) {
	for name, giveUp := range map[string]func(c *clocked) error{
		"it has no packets": func(c *clocked) error { return nil },
		"it was moved": func(c *clocked) error {
			c.session(time.Second)
			err := os.Rename(c.Stats().Name, filepath.Join(c.dir, "moved"))
			c.at = c.at.Add(syncEvery)
			return errors.Join(err, c.Tick(c.at))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClocked(t, t.TempDir(), EvidenceOptions{})
			sync, disk := c.files.sync, make(chan bool)
			c.files.sync = func(f *os.File) error { <-disk; return sync(f) }
			c.at = c.at.Add(syncEvery)
			if err := errors.Join(c.Tick(c.at), giveUp(c), c.Finish()); err != nil {
				t.Fatal(err)
			}
			close(disk)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A clock that is set back does not have the newest deleted.
func TestRotationClockSetBack(t *testing.T) {
	dir := t.TempDir()
	c := newClocked(t, dir, EvidenceOptions{MaxFiles: 2, MaxSize: 1500})
	c.session(2 * time.Minute)
	c.at = time.Date(1970, 1, 1, 0, 0, 9, 0, time.UTC)
	for range 6 {
		c.session(0)
	}
	if _, err := os.Stat(c.Stats().Name); err != nil {
		t.Error(err)
	}
	if got := names(t, dir); len(got) != 2 || !strings.Contains(got[0], "1970") || !strings.Contains(got[1], "1970") {
		t.Error(got)
	}
}

// What cannot be begun says why, and what helps.
func TestEvidenceRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "none", "e.pcapng"), "mkdir -p " + filepath.Join(dir, "none")},
		{filepath.Join(file, "e.pcapng"), "name another file with --write"},
		{dir + string(filepath.Separator), "is not the name of a file"},
	} {
		_, err := NewEvidence(EvidenceOptions{File: c.path})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", c.path, err)
		}
	}
	if os.Getuid() > 0 {
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(dir, 0o700) //nolint:errcheck // so that it can be deleted
		if _, err := NewEvidence(EvidenceOptions{File: filepath.Join(dir, "e.pcapng")}); err == nil || !strings.Contains(err.Error(), "--user") {
			t.Error(err)
		}
	}
}

// A full disk is told once, and files are whole before and after.
func TestEvidenceDiskFull(t *testing.T) {
	dir := t.TempDir()
	c := newClocked(t, dir, EvidenceOptions{})
	room := 1500
	c.files.write = func(f *os.File, b []byte) (int, error) {
		n := min(len(b), room)
		m, err := f.Write(b[:n])
		if room -= m; err == nil && n < len(b) {
			err = &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
		}
		return m, err
	}
	told := 0
	for range 10 {
		if err := c.session(time.Second); err != nil {
			told++
			if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "free some space") {
				t.Error(err)
			}
		}
	}
	full := c.Stats()
	if told != 1 || full.Lost == 0 || full.Packets+full.Lost != 40 {
		t.Errorf("told %d times; %+v", told, full)
	}
	room = 1 << 20
	for range 5 {
		if err := c.session(time.Second); err != nil {
			t.Error(err)
		}
	}
	room = 0
	if err := c.session(time.Second); err == nil {
		t.Error("not told again")
	}
	room = 1 << 20
	if err := c.session(time.Second); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	s := c.Stats()
	// One more says until when the capture went on.
	if got := len(packetsOf(t, read(t, s.Name))); got != int(s.Packets)+1 || s.Lost != full.Lost+4 {
		t.Errorf("%d packets; %+v", got, s)
	}
}

// So it is where the first file cannot be written, and where files cannot be begun.
func TestEvidenceDirectoryGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "evidence")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c := newClocked(t, dir, EvidenceOptions{})
	c.session(time.Second)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	told := 0
	for range 10 {
		if err := c.session(syncEvery); err != nil {
			told++
			if !strings.Contains(err.Error(), "mkdir -p") {
				t.Error(err)
			}
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := c.session(syncEvery); err != nil {
			t.Error(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(packetsOf(t, read(t, c.Stats().Name))); n < 8 {
		t.Errorf("%d packets", n)
	}
}
