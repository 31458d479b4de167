package confine

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// places are where the paths are written to, once each. That the user may
// not write there is told now, and not when the first file is full.
func places(paths []string, to identity) ([]string, error) {
	var found []string
	seen := map[string]bool{}
	for _, path := range paths {
		place := placeOf(path)
		if seen[place] {
			continue
		}
		seen[place] = true
		if err := mayWrite(place); err != nil {
			return nil, fmt.Errorf("write to %s as %s: %w%s", place, to, err, remedy(place, to, err))
		}
		found = append(found, place)
	}
	return found, nil
}

// placeOf is what must be writable for path: a directory itself, the directory
// of a file that is or will be there, a pipe or a device itself.
func placeOf(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	info, err := os.Stat(path)
	if err == nil && (info.IsDir() || !info.Mode().IsRegular()) {
		return path
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link to a file: the file is what is replaced
	}
	return filepath.Dir(path)
}

// mayWrite asks for this process, whose real and effective user are one.
func mayWrite(place string) error {
	info, err := os.Stat(place)
	if err != nil {
		return errors.Unwrap(err) // without the path, which the caller names
	}
	mode := uint32(unix.W_OK)
	if info.IsDir() {
		mode |= unix.X_OK
	}
	return unix.Access(place, mode)
}

// remedy is what to do about a directory that is not there, and, where the program may be
// started as root, about a lack of permission.
func remedy(place string, to identity, err error) string {
	if errors.Is(err, syscall.ENOENT) {
		return fmt.Sprintf(" (install -d -o %s %s makes it)", to.name, place)
	}
	asRoot := to.changes || to.uid == 0
	if !asRoot || !errors.Is(err, syscall.EACCES) {
		return ""
	}
	var stat unix.Stat_t
	if unix.Stat(place, &stat) == nil && stat.Uid != 0 && int(stat.Uid) != to.uid {
		owner := strconv.Itoa(int(stat.Uid))
		if u, err := user.LookupId(owner); err == nil {
			owner = u.Username
		}
		return fmt.Sprintf(" (it belongs to %s: --user %s)", owner, owner)
	}
	return fmt.Sprintf(" (install -d -o %s DIR makes a directory for it; --user root goes on as root, without capabilities)", to.name)
}
