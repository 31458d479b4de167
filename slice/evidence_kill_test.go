package slice

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/capture"
)

// childVariable names, in the environment of a child process, the file that it writes
// evidence to.
const childVariable = "MQTTRIAGE_EVIDENCE_OF_A_CHILD"

// TestEvidenceChild writes evidence until it is killed, where it is a child; else there is
// nothing to do.
func TestEvidenceChild(t *testing.T) {
	path := os.Getenv(childVariable)
	os.Unsetenv(childVariable) // whatever happens, it is not a parent
	if path == "" {
		t.Skip("only for TestEvidenceKilled")
	}
	e, err := NewEvidence(EvidenceOptions{File: path, MaxSize: 40 << 10, MaxFiles: 3})
	if err != nil {
		t.Fatal(err)
	}
	connect := script{}.say("\x10\x14\x00\x04MQTT\x04\x82\x00\x3c\x00\x02id\x00\x04USER", false).bytes()
	for n := uint32(0); time.Since(e.started) < 10*time.Second; n++ {
		var client [4]byte
		binary.BigEndian.PutUint32(client[:], 0x0a000000+n)
		for _, b := range [][]byte{
			frame(client, brokerAddr, 40000, 1883, 10, 0, 2, nil),
			frame(brokerAddr, client, 1883, 40000, 20, 11, 0x12, nil),
			frame(client, brokerAddr, 40000, 1883, 11, 21, 0x18, connect),
			frame(brokerAddr, client, 1883, 40000, 21, 11+uint32(len(connect)), 0x19, []byte("\x20\x02\x00\x05")),
		} {
			e.Add(&capture.Packet{Nano: time.Now().UnixNano(), Link: capture.LinkEN10MB, Length: len(b), Data: b})
		}
		if n%3 == 0 {
			if err := e.Tick(time.Now()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// killed leaves the files of a process that was killed at some moment.
func killed(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestEvidenceChild$", "-test.timeout=20s")
	child.Env = append(os.Environ(), childVariable+"="+filepath.Join(dir, "evidence.pcapng"))
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); len(paths(t, dir)) == 0 && time.Since(begun) < 10*time.Second; {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Duration(rand.Int64N(int64(60 * time.Millisecond))))
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait() //nolint:errcheck // it was killed
	left := paths(t, dir)
	// It may have been killed before it could delete one.
	if len(left) == 0 || len(left) > 4 {
		t.Fatalf("%d files", len(left))
	}
	return left
}

// paths are the files in a directory that are there to be found.
func paths(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "evidence*"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// However the program ends, its files are whole.
func TestEvidenceKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	files, packets := 0, 0
	for range 25 {
		for _, path := range killed(t) {
			source, err := fromFile(path)()
			if err != nil {
				t.Fatal(err)
			}
			for {
				_, err = source.Next()
				if err != nil {
					break
				}
				packets++
			}
			if problems := source.Info().Problems; err.Error() != "EOF" || len(problems) > 0 {
				t.Errorf("%v %s", err, strings.Join(problems, "; "))
			}
			source.Close()
			files++
		}
	}
	t.Logf("%d files with %d packets", files, packets)
	if packets < 1000 {
		t.Errorf("only %d packets in %d files", packets, files)
	}
}

// After a power cut the end of a file may be missing, or be zero: it is read as far as
// it goes.
func TestEvidenceTorn(t *testing.T) {
	dir := t.TempDir()
	c := newClocked(t, dir, EvidenceOptions{})
	for range 3 {
		c.session(time.Second)
	}
	out := read(t, c.Stats().Name)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	last := 0
	for n := len(c.files.head); n <= len(out); n++ {
		torn := packetsOf(t, out[:n])
		if len(torn) < last {
			t.Fatalf("%d packets of %d bytes, and %d of fewer", len(torn), n, last)
		}
		last = len(torn)
		if zero := packetsOf(t, append(out[:n:n], make([]byte, 64)...)); len(zero) < len(torn) {
			t.Fatalf("%d packets of %d bytes, and %d with zeros behind them", len(torn), n, len(zero))
		}
	}
	if last != 12 {
		t.Errorf("%d packets", last)
	}
}
