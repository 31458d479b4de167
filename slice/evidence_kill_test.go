package slice

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
		theirs, ours := n*100, n*200 // no two connections are copies of one
		for _, b := range [][]byte{
			frame(client, brokerAddr, 40000, 1883, theirs, 0, 2, nil),
			frame(brokerAddr, client, 1883, 40000, ours, theirs+1, 0x12, nil),
			frame(client, brokerAddr, 40000, 1883, theirs+1, ours+1, 0x18, connect),
			frame(brokerAddr, client, 1883, 40000, ours+1, theirs+1+uint32(len(connect)), 0x19, []byte(refuse)),
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
func paths(t testing.TB, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "evidence*"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// A walk is what the blocks of a pcapng file are by their lengths alone (draft-ietf-opsawg-pcapng
// §3.1), in little-endian order.
type walk struct {
	packets int
	// answered are the packets that end with a CONNACK of refuse.
	answered int
	// whole is where the whole blocks end, torn how many bytes follow. They are of a block that
	// claims to be longer, as far as they tell.
	whole, torn int
}

const refuse = "\x20\x02\x00\x05"

func walked(t *testing.T, file []byte) walk {
	t.Helper()
	var w walk
	for rest := file; len(rest) > 0; rest = file[w.whole:] {
		if len(rest) < 8 {
			w.torn = len(rest)
			break
		}
		size := int(binary.LittleEndian.Uint32(rest[4:]))
		if size < 12 || size%4 != 0 {
			t.Fatalf("at %d of %d bytes is a block of %d", w.whole, len(file), size)
		}
		if size > len(rest) {
			w.torn = len(rest)
			break
		}
		block := rest[:size]
		if end := binary.LittleEndian.Uint32(block[size-4:]); int(end) != size {
			t.Fatalf("at %d of %d bytes a block of %d ends with %d", w.whole, len(file), size, end)
		}
		if binary.LittleEndian.Uint32(block) == blockPacket {
			w.packets++
			data := block[28 : 28+binary.LittleEndian.Uint32(block[20:])]
			if bytes.HasSuffix(data, []byte(refuse)) {
				w.answered++
			}
		}
		w.whole += size
	}
	return w
}

const kills = 25

// killedOften calls look for each file that is left when the program is killed again and again. Only
// the newest may be torn, within its last block, and only now and then: the system
// takes a write page by page, and may stop in between.
func killedOften(t *testing.T, look func(path string, w walk)) {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts processes")
	}
	files, packets, torn := 0, 0, 0
	for range kills {
		left := killed(t)
		for i, path := range left {
			w := walked(t, read(t, path))
			if w.torn > 0 {
				torn++
				t.Logf("%s ends %d bytes behind its last whole block, at %d", filepath.Base(path), w.torn, w.whole+w.torn)
				if i < len(left)-1 {
					t.Errorf("%s is torn, and is not the last of %d files", filepath.Base(path), len(left))
				}
			}
			look(path, w)
			files++
			packets += w.packets
		}
	}
	t.Logf("%d files with %d packets, %d torn", files, packets, torn)
	if packets < 1000 {
		t.Errorf("only %d packets in %d files", packets, files)
	}
	if torn > kills/2 {
		t.Errorf("%d of %d times a file was torn", torn, kills)
	}
}

// However the program ends, all but the last block is there and is read.
func TestEvidenceKilled(t *testing.T) {
	killedOften(t, func(path string, w walk) {
		source, err := fromFile(path)()
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		n := 0
		for err == nil {
			if _, err = source.Next(); err == nil {
				n++
			}
		}
		var cut *capture.TruncatedError
		switch problems := source.Info().Problems; {
		case n != w.packets:
			t.Errorf("%d packets are read of %d", n, w.packets)
		case w.torn == 0 && (err != io.EOF || len(problems) > 0):
			t.Errorf("a whole file: %v %q", err, problems)
		case w.torn > 0 && (!errors.As(err, &cut) || cut.Offset != int64(w.whole) || cut.Packet != n+1 || !slices.Equal(problems, []string{cut.Error()})):
			t.Errorf("a file torn behind %d packets at %d: %v %q", w.packets, w.whole, err, problems)
		}
		answered := 0
		for _, s := range analysed(t, path, fromFile(path)).Sessions() {
			if s.Connack != nil {
				answered++
			}
		}
		if answered != w.answered {
			t.Errorf("%d handshakes are read of %d", answered, w.answered)
		}
	})
}

// A walk tells a torn file from a whole one.
func TestWalked(t *testing.T) {
	c := newClocked(t, t.TempDir(), EvidenceOptions{})
	c.session(time.Second)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	file := read(t, c.Stats().Name)
	whole := walked(t, file)
	if whole != (walk{packets: 5, answered: 1, whole: len(file)}) {
		t.Errorf("%+v of %d bytes", whole, len(file))
	}
	for n := range 5 {
		if w := walked(t, file[:len(file)-1-n]); w.packets != 4 || w.torn == 0 || w.whole+w.torn != len(file)-1-n {
			t.Errorf("%+v without the last %d bytes", w, n+1)
		}
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
