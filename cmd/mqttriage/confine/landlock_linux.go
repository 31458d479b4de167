package confine

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What landlock's versions can restrict of files
// (Documentation/userspace-api/landlock.rst). All that a version can is
// forbidden, and then allowed where rules say so.
//
// TCP ports, which version 4 could restrict, are left alone: UDP and MPTCP stay
// open, and the packet socket sends whatever it is given. So are signals of
// version 6: until its erratum 2 that cut the threads of one process off from
// each other, and Go's scheduler sends signals between threads.
const (
	filesV1 = unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1 // the 13 rights of the first version
	filesV2 = unix.LANDLOCK_ACCESS_FS_REFER
	filesV3 = unix.LANDLOCK_ACCESS_FS_TRUNCATE
	filesV5 = unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
)

const (
	mayRead = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	// mayReplace is what it takes to write, rename and delete files in a directory.
	mayReplace = mayRead | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE
	// ofFiles are the rights that a rule for a file may give; others are refused.
	ofFiles = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
)

// restrictFiles forbids all threads every file that is not named here, as far
// as the kernel can, and returns the version of its interface. What is open
// stays open.
func restrictFiles(writable, readable []string) (version int, err error) {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch errno {
	case 0:
	case syscall.ENOSYS:
		return 0, errors.New("landlock (this kernel has none; Linux has it from 5.13 on)")
	case syscall.EOPNOTSUPP:
		return 0, errors.New("landlock (it is off; the kernel's parameter lsm= turns it on)")
	default:
		return 0, fmt.Errorf("landlock (%w; a sandbox around the program may forbid it)", errno)
	}
	version = int(v)
	// A kernel takes an attribute that is longer than it knows when the rest is
	// zero.
	attr := unix.LandlockRulesetAttr{Handled_access_fs: handled(version)}
	set, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return 0, fmt.Errorf("landlock (create a set of rules: %w)", errno)
	}
	defer unix.Close(int(set)) //nolint:errcheck // nothing was written
	for _, path := range readable {
		err := allow(int(set), path, mayRead&attr.Handled_access_fs)
		if err != nil && !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.EACCES) {
			return 0, fmt.Errorf("landlock (allow reading %s: %w)", path, err)
		}
	}
	for _, path := range writable {
		if err := allow(int(set), path, mayReplace&attr.Handled_access_fs); err != nil {
			return 0, fmt.Errorf("landlock (allow writing to %s: %w)", path, err)
		}
	}
	if err := onEveryThread(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0); err != nil {
		return 0, fmt.Errorf("landlock (%w)", err)
	}
	return version, nil
}

// handled are the rights that this version of landlock can forbid.
func handled(version int) (rights uint64) {
	for _, add := range []struct {
		since int
		files uint64
	}{{1, filesV1}, {2, filesV2}, {3, filesV3}, {5, filesV5}} {
		if version >= add.since {
			rights |= add.files
		}
	}
	return rights
}

// allow adds a rule for path and, if it is a directory, for all in it.
func allow(set int, path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= ofFiles
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(set), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno == syscall.EBADFD {
		return nil // a pipe, which landlock does not restrict
	}
	if errno != 0 {
		return errno
	}
	return nil
}
