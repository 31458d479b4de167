package pcapfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mqttriage/mqttriage/capture"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	// The name says nothing about the format.
	path := filepath.Join(dir, "site.pcapng")
	if err := os.WriteFile(path, sample(3), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := drainSource(t, s)
	if len(d.packets) != 3 || d.info.Name != path || d.info.Format != "pcap" {
		t.Errorf("%d packets, info %+v", len(d.packets), d.info)
	}
}

func TestOpenStdin(t *testing.T) {
	s, err := Open("-", bytes.NewReader(sample(3)))
	if err != nil {
		t.Fatal(err)
	}
	d := drainSource(t, s)
	if len(d.packets) != 3 || d.info.Name != "stdin" {
		t.Errorf("%d packets, info %+v", len(d.packets), d.info)
	}
	if _, err := Open("-", nil); err == nil || err.Error() != "read stdin: there is no standard input" {
		t.Errorf("without standard input: %v", err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pcap")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(empty, nil); err == nil || err.Error() != "read "+empty+": not a capture: it is empty" {
		t.Errorf("empty file: %v", err)
	}
	if _, err := Open(dir, nil); err == nil || err.Error() != "read "+dir+": it is a directory; name the captures in it" {
		t.Errorf("directory: %v", err)
	}
	missing := filepath.Join(dir, "missing.pcap")
	_, err := Open(missing, nil)
	if !errors.Is(err, fs.ErrNotExist) || strings.Count(err.Error(), missing) != 1 {
		t.Errorf("missing file: %v", err)
	}
}

// closer counts how often a file is closed.
type closer struct{ n int }

func (c *closer) close() error { c.n++; return nil }

func TestCloseClosesOnce(t *testing.T) {
	var c closer
	s, err := open("x", bytes.NewReader(zstandard(t, sample(3))), c.close)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if c.n != 1 {
		t.Errorf("closed %d times", c.n)
	}
}

// A file that cannot be read is an error of its own, not a foreign format;
// one that fails later is damaged there.
func TestReadErrors(t *testing.T) {
	broken := errors.New("input/output error")
	_, err := NewReader("x", iotest.ErrReader(broken))
	if !errors.Is(err, broken) || err.Error() != "read x: input/output error" {
		t.Errorf("at the start: %v", err)
	}

	data := sample(3)
	s, err := NewReader("x", io.MultiReader(bytes.NewReader(data[:len(data)-1]), iotest.ErrReader(broken)))
	if err != nil {
		t.Fatal(err)
	}
	d := drainSource(t, s)
	var e *capture.DamagedError
	if len(d.packets) != 2 || !errors.As(d.err, &e) || e.Reason != "input/output error" || e.Packet != 3 {
		t.Errorf("%d packets, ended by %v", len(d.packets), d.err)
	}
}

// stalled gives its bytes one at a time and then nothing, without an error.
type stalled struct{ r io.Reader }

func (s stalled) Read(p []byte) (int, error) {
	n, err := s.r.Read(p[:min(len(p), 1)])
	if err == io.EOF {
		return 0, nil
	}
	return n, err
}

func TestReaderThatGivesNothing(t *testing.T) {
	s, err := NewReader("x", stalled{bytes.NewReader(sample(2))})
	if err != nil {
		t.Fatal(err)
	}
	d := drainSource(t, s)
	var e *capture.DamagedError
	if len(d.packets) != 2 || !errors.As(d.err, &e) || e.Reason != io.ErrNoProgress.Error() {
		t.Errorf("%d packets, ended by %v", len(d.packets), d.err)
	}
}

// A packet that has arrived on a pipe is given out before the next one comes.
func TestPipeDoesNotWait(t *testing.T) {
	r, w := io.Pipe()
	f := littleEndian().pcap(pcapMicro, 1)
	done := make(chan error, 1)
	go func() {
		_, err := w.Write(f.b)
		done <- err
	}()
	s, err := NewReader("pipe", r)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		go func() {
			_, err := w.Write((&file{AppendByteOrder: f.AppendByteOrder}).record(1, 2, 3, "abc").b)
			done <- err
		}()
		if p, err := s.Next(); err != nil || string(p.Data) != "abc" {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := s.Next(); err != io.EOF {
		t.Errorf("ended by %v", err)
	}
}

// However the bytes come, the packets are the same.
func TestReadSizes(t *testing.T) {
	data := sample(20)
	want := drain(t, data)
	for name, r := range map[string]io.Reader{
		"one byte":       iotest.OneByteReader(bytes.NewReader(data)),
		"half":           iotest.HalfReader(bytes.NewReader(data)),
		"data and error": iotest.DataErrReader(bytes.NewReader(data)),
	} {
		s, err := NewReader("test", r)
		if err != nil {
			t.Fatal(err)
		}
		d := drainSource(t, s)
		wantPackets(t, d.packets, want.packets)
		if d.err != io.EOF {
			t.Errorf("%s: ended by %v", name, d.err)
		}
	}
}

// TestOffset: at the end it is the size of the file, compressed as it is.
func TestOffset(t *testing.T) {
	files, err := filepath.Glob("../../testdata/any-interface_takeover-loop*/capture.*")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d captures (%v)", len(files), err)
	}
	for _, path := range files {
		if strings.Contains(path, "cut-short") {
			continue
		}
		s, err := Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		at := s.(interface{ Offset() int64 })
		before := at.Offset()
		drainSource(t, s)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := at.Offset(); got != info.Size() || before > got {
			t.Errorf("%s: %d bytes read of %d, %d before", path, got, info.Size(), before)
		}
	}
}
