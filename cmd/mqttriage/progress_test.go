package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestProgressLine(t *testing.T) {
	tests := []struct {
		read, total int64
		elapsed     time.Duration
		want        string
	}{
		{0, 755e6, time.Millisecond, "0 bytes of 755 MB (0 %), 0 bytes/s"},
		{302e6, 755e6, 2 * time.Second, "302 MB of 755 MB (40 %), 151 MB/s, 3s left"},
		{755e6, 755e6, 5 * time.Second, "755 MB of 755 MB (100 %), 151 MB/s"},
		{754e6, 755e6, 5 * time.Second, "754 MB of 755 MB (99 %), 151 MB/s, 1s left"},
		{1e6, 8e9, time.Second, "1.0 MB of 8.0 GB (0 %), 1.0 MB/s, 2h13m19s left"},
		{12345, 0, 2 * time.Second, "12 kB, 6.2 kB/s"},
		// A file grew while it was read.
		{900, 800, time.Second, "900 bytes of 800 bytes (100 %), 900 bytes/s"},
		{1 << 62, 1 << 62, 0, "4611686018 GB of 4611686018 GB (100 %), 4611686018427 GB/s"},
	}
	for _, tt := range tests {
		if got := progressLine(tt.read, tt.total, tt.elapsed); got != tt.want {
			t.Errorf("%d of %d in %s: %q, want %q", tt.read, tt.total, tt.elapsed, got, tt.want)
		}
	}
}

// screen is a terminal of one line, as wide as it is asked to be.
type screen struct {
	line   []byte
	column int
	above  []string
}

func (s *screen) Write(b []byte) (int, error) {
	for _, c := range b {
		switch c {
		case '\r':
			s.column = 0
		case '\n':
			s.above = append(s.above, s.text())
			s.line, s.column = nil, 0
		default:
			for len(s.line) <= s.column {
				s.line = append(s.line, ' ')
			}
			s.line[s.column] = c
			s.column++
		}
	}
	return len(b), nil
}

func (s *screen) text() string { return strings.TrimRight(string(s.line), " ") }

type fakeSource struct{ at int64 }

func (f *fakeSource) Offset() int64 { return f.at }

func TestProgress(t *testing.T) {
	start := time.Date(2026, 3, 2, 22, 13, 20, 0, time.UTC)
	terminal := &screen{}
	p := newProgress(terminal, 1e6, start)
	source := &fakeSource{}
	done := p.follow(source)
	source.at = 250e3

	// What is read soon is not worth a line.
	p.draw(start.Add(900 * time.Millisecond))
	if len(terminal.line) != 0 {
		t.Errorf("drawn too early: %q", terminal.text())
	}
	p.draw(start.Add(time.Second))
	if want := "250 kB of 1.0 MB (25 %), 250 kB/s, 3s left"; terminal.text() != want {
		t.Errorf("%q, want %q", terminal.text(), want)
	}
	// A message takes the line's place, and leaves nothing of it.
	fmt.Fprintln(p, "trouble")
	if terminal.text() != "" || len(terminal.above) != 1 || terminal.above[0] != "trouble" {
		t.Errorf("after a message: %q below %q", terminal.text(), terminal.above)
	}
	// What was closed still counts, and a shorter line covers a longer one.
	done()
	p.draw(start.Add(2 * time.Second))
	long := terminal.text()
	p.columns = func() int { return 20 }
	p.draw(start.Add(2 * time.Second))
	if got := terminal.text(); !strings.HasPrefix(long, "250 kB of 1.0 MB") || got[:19] != long[:19] {
		t.Errorf("%q, then %q", long, got)
	}
	p.columns = func() int { return 80 }
	p.draw(start.Add(2 * time.Second))
	p.clear()
	if terminal.text() != "" || terminal.column != 0 {
		t.Errorf("not cleared: %q", terminal.text())
	}
	p.clear()

	large := newProgress(terminal, largeInput, start)
	large.draw(start.Add(redraw))
	if terminal.text() == "" {
		t.Error("no line for a large file")
	}
	p.follow("no source")()
	(*progress)(nil).follow(source)()
}

// Without a terminal nothing is shown, whatever the size.
func TestNoProgressWithoutTerminal(t *testing.T) {
	for _, errs := range []func() *streams{
		func() *streams { return &streams{err: &bytes.Buffer{}} },
		func() *streams {
			file, err := os.Create(filepath.Join(t.TempDir(), "err"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { file.Close() })
			return &streams{err: file}
		},
	} {
		s := errs()
		during, end := s.watched(nil, false)
		if during != s || during.progress != nil {
			t.Error("progress is shown without a terminal")
		}
		end()
	}
}

func TestSizeOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.pcap")
	if err := os.WriteFile(path, make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := &streams{in: strings.NewReader("")}
	for _, tt := range []struct {
		in    *streams
		files []string
		want  int64
	}{
		{s, []string{path, path}, 2000},
		{s, []string{path, "missing"}, 1000},
		{s, []string{path, "-"}, 0},
		{s, []string{path, os.DevNull}, 0},
		{&streams{in: file}, []string{path, "-"}, 2000},
	} {
		if got := tt.in.sizeOf(tt.files); got != tt.want {
			t.Errorf("%q: %d bytes, want %d", tt.files, got, tt.want)
		}
	}
}
