package slice

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// stampLayout is the time in a file's name: it sorts as a name, and no file system
// minds it.
const stampLayout = "20060102T150405Z"

const (
	// flushSize is how many bytes of whole blocks are written at once. What is less
	// waits for the next Tick.
	flushSize = 64 << 10
	// syncEvery is how often a file that was written to is made to reach the disk. A power
	// cut takes as much, and what the program holds itself.
	syncEvery = 5 * time.Second
	// maxSameSecond is how many files are begun within a second.
	maxSameSecond = 1000
	// blockPacket is an Enhanced Packet Block (draft-ietf-opsawg-pcapng §4.3).
	blockPacket = 6
)

// rotation writes a row of files that are called after one name. It takes whole
// blocks, and hands over only whole blocks to the system. Linux takes them page by
// page, and may stop between two when the program is killed: then the last block of
// the newest file is cut, and nothing else is.
type rotation struct {
	dir, base, ext string
	maxSize        int64
	maxFiles       int
	maxAge         time.Duration
	now            func() time.Time
	// write and sync are a file's, but in tests.
	write func(*os.File, []byte) (int, error)
	sync  func(*os.File) error

	// head is what every file begins with.
	head []byte

	file *os.File
	name string // its path
	// size is what has been written of it, pending the blocks that wait; packets counts those
	// that the file has or is to have.
	size    int64
	pending []byte
	packets int
	begun   time.Time
	// stem is what the names of this second begin with, used how many of them were given. None
	// is given again, also when its file is deleted by now: names sort by age.
	stem string
	used int
	// names are our files in the order of their making, this one last. Those that were there
	// before are in the order of their names.
	names []string

	dirty  bool
	synced time.Time
	// syncing is where a sync under way will say how it went, nil without one. It is
	// made beside, because it can take as long as a disk is busy.
	syncing chan error

	files, deleted, lost uint64
}

// newRotation finds the files that are there, and begins one.
func newRotation(o *EvidenceOptions, head []byte) (*rotation, error) {
	r := &rotation{
		head:    head,
		maxSize: o.MaxSize, maxFiles: o.MaxFiles, maxAge: o.MaxAge, now: o.now,
		write: (*os.File).Write,
	}
	r.sync = r.toDisk
	r.ext = filepath.Ext(o.File)
	r.dir, r.base = filepath.Dir(o.File), strings.TrimSuffix(filepath.Base(o.File), r.ext)
	if r.base == "" || r.base == "." || os.IsPathSeparator(o.File[len(o.File)-1]) {
		return nil, fmt.Errorf("write evidence: %q is not the name of a file; name one, such as evidence.pcapng", o.File)
	}
	if r.ext == "" {
		r.ext = ".pcapng"
	}
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, r.explain(err)
	}
	for _, e := range entries {
		path := filepath.Join(r.dir, e.Name())
		switch name, unborn := strings.CutSuffix(strings.TrimPrefix(e.Name(), "."), unborn); {
		case !e.Type().IsRegular() || !r.ours(name):
		case unborn:
			os.Remove(path) //nolint:errcheck // it does no harm
		default:
			r.names = append(r.names, path)
		}
	}
	slices.Sort(r.names)
	r.names = slices.DeleteFunc(r.names, func(name string) bool {
		// A program that is started again and again must not push evidence out with files
		// that have none.
		info, err := os.Lstat(name)
		return err == nil && info.Size() <= int64(len(r.head)) && os.Remove(name) == nil
	})
	return r, r.open()
}

// ours reports that a name is one that we give.
func (r *rotation) ours(name string) bool {
	stamp, ok := strings.CutPrefix(name, r.base+"-")
	if !ok {
		return false
	}
	if stamp, ok = strings.CutSuffix(stamp, r.ext); !ok {
		return false
	}
	stamp, count, counted := strings.Cut(stamp, "_")
	if counted && (len(count) != 3 || strings.Trim(count, "0123456789") != "") {
		return false
	}
	_, err := time.Parse(stampLayout, stamp)
	return err == nil && len(stamp) == len(stampLayout)
}

// unborn is the end of a file's name until it has a section header: without one it is no
// capture.
const unborn = ".new"

// open begins the next file.
func (r *rotation) open() error {
	now := r.now()
	if stem := r.base + "-" + now.UTC().Format(stampLayout); stem != r.stem {
		r.stem, r.used = stem, 0
	}
	for ; r.used < maxSameSecond; r.used++ {
		name := r.stem + r.ext
		if r.used > 0 {
			name = fmt.Sprintf("%s_%03d%s", r.stem, r.used, r.ext)
		}
		f, err := r.create(name)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return r.explain(err)
		}
		r.file, r.name, r.begun, r.synced = f, filepath.Join(r.dir, name), now, now
		r.size, r.packets, r.dirty = int64(len(r.head)), 0, true
		r.names = append(r.names, r.name)
		r.used++
		r.files++
		r.prune()
		return nil
	}
	return fmt.Errorf("write evidence to %s: %d files were begun in one second; raise --write-size", r.dir, maxSameSecond)
}

// create makes a file that has its section header when it gets its name. A file that has
// the name already stays as it is.
func (r *rotation) create(name string) (*os.File, error) {
	path := filepath.Join(r.dir, name)
	if _, err := os.Lstat(path); err == nil {
		return nil, fs.ErrExist
	}
	early := filepath.Join(r.dir, "."+name+unborn)
	f, err := os.OpenFile(early, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err = r.write(f, r.head); err == nil {
		err = os.Link(early, path)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			// A file system without links, such as FAT: nothing had the name just now.
			err = os.Rename(early, path)
		}
	}
	os.Remove(early) //nolint:errcheck // it is the file's second name, or has none to keep
	if err != nil {
		f.Close() //nolint:errcheck // there is an error to report
		return nil, err
	}
	return f, nil
}

// toDisk makes a file reach the disk, and its name, where the system can do that.
func (r *rotation) toDisk(f *os.File) error {
	if d, err := os.Open(r.dir); err == nil {
		d.Sync()  //nolint:errcheck // not all systems can
		d.Close() //nolint:errcheck // read only
	}
	return f.Sync()
}

// explain words what keeps files from being written, and what helps.
func (r *rotation) explain(err error) error {
	cause := err
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		cause = path.Err
	}
	hint := "name another file with --write"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		hint = "make the directory first: mkdir -p " + r.dir
	case errors.Is(err, fs.ErrPermission):
		hint = "the user that this runs as (see --user) must own the directory"
	case errors.Is(err, syscall.ENOSPC):
		hint = "free some space, or lower --write-size or --write-files"
	}
	return fmt.Errorf("write evidence to %s: %w; %s", r.dir, cause, hint)
}

// prune deletes the oldest files. Only those are in the list that have our names.
func (r *rotation) prune() {
	for len(r.names) > r.maxFiles {
		// Something else may have been put there.
		if info, err := os.Lstat(r.names[0]); err == nil && info.Mode().IsRegular() {
			if os.Remove(r.names[0]) != nil {
				return // with the next file, perhaps
			}
			r.deleted++
		}
		r.names = r.names[1:]
	}
}

// next ends the file and begins another.
func (r *rotation) next() error {
	err := r.flush()
	r.leave()
	r.pending, r.packets = r.pending[:0], 0
	if e := r.open(); e != nil {
		return e
	}
	return err
}

// leave closes the file when what the system holds of it has reached the disk. That is
// beside, behind a sync under way.
func (r *rotation) leave() {
	if r.file == nil {
		return
	}
	f, before, done := r.file, r.syncing, make(chan error, 1)
	r.file, r.syncing = nil, done
	go func() {
		var err error
		if before != nil {
			err = <-before
		}
		done <- errors.Join(err, r.sync(f), f.Close())
	}()
}

// Write takes a block. It never fails: what cannot be written is told by flush.
func (r *rotation) Write(block []byte) (int, error) {
	r.pending = append(r.pending, block...)
	return len(block), nil
}

// full reports that a block of a size belongs into the next file, if this one is to end
// so many bytes early.
func (r *rotation) full(block int, early int64) bool {
	return r.packets > 0 && r.size+int64(len(r.pending)+block) > r.maxSize-early
}

// old reports that the file has lasted long enough. One without packets lasts on.
func (r *rotation) old(now time.Time) bool { return r.packets > 0 && now.Sub(r.begun) >= r.maxAge }

// flush writes what waits, with one call for all of it.
func (r *rotation) flush() error {
	if len(r.pending) == 0 {
		return nil
	}
	if r.file == nil {
		return r.fail(fs.ErrClosed)
	}
	n, err := r.write(r.file, r.pending)
	if err == nil {
		r.size += int64(n)
		r.pending, r.dirty = r.pending[:0], true
		return nil
	}
	if n > 0 {
		// Part of a block must not stay, for more is to follow it.
		cut := r.file.Truncate(r.size)
		if cut == nil {
			_, cut = r.file.Seek(r.size, io.SeekStart)
		}
		if cut != nil {
			r.abandon()
		}
	}
	return r.fail(err)
}

// fail drops the packets that wait, and keeps what describes them: section and
// interfaces, which later packets need.
func (r *rotation) fail(err error) error {
	kept := r.pending[:0]
	for b := r.pending; len(b) > 0; {
		n := int(binary.LittleEndian.Uint32(b[4:]))
		if binary.LittleEndian.Uint32(b) == blockPacket {
			r.lost++
			r.packets = max(0, r.packets-1)
		} else {
			kept = append(kept, b[:n]...)
		}
		b = b[n:]
	}
	r.pending = kept
	return r.explain(err)
}

// abandon gives the file up as it is. A sync under way still needs it.
func (r *rotation) abandon() {
	if r.file == nil {
		return
	}
	f, before := r.file, r.syncing
	r.file = nil
	if before == nil {
		f.Close() //nolint:errcheck // something is wrong with it already
		return
	}
	done := make(chan error, 1)
	r.syncing = done
	go func() {
		err := <-before
		f.Close() //nolint:errcheck // as above
		done <- err
	}()
}

// settle syncs now and then, and says how that went.
func (r *rotation) settle(now time.Time) error {
	err := r.reap(false)
	if r.dirty && r.syncing == nil && r.file != nil && now.Sub(r.synced) >= syncEvery {
		r.dirty, r.synced = false, now
		done := make(chan error, 1)
		r.syncing = done
		go func(f *os.File) { done <- r.sync(f) }(r.file)
	}
	return err
}

// reap asks how a sync went, or waits for it.
func (r *rotation) reap(wait bool) error {
	if r.syncing == nil || !wait && len(r.syncing) == 0 {
		return nil
	}
	err := <-r.syncing
	r.syncing = nil
	if err != nil {
		r.dirty = true
		return r.explain(err)
	}
	return nil
}

// gone reports that somebody has moved or deleted the file.
func (r *rotation) gone() bool {
	there, err := os.Lstat(r.name)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	open, err := r.file.Stat()
	return err == nil && !os.SameFile(there, open)
}

// end ends the file, which need not have reached the disk yet. One without packets does
// not stay.
func (r *rotation) end() error {
	err := r.flush()
	if r.file != nil && r.packets == 0 && r.size <= int64(len(r.head)) {
		r.abandon()
		os.Remove(r.name) //nolint:errcheck // it does no harm
	}
	r.leave()
	return err
}
