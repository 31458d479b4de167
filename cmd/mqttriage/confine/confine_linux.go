package confine

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Check reports whether the process can go on as this user (see Options.User),
// so that a wrong name is told of before anything is opened.
func Check(user string) error {
	_, err := wanted(user, os.Geteuid())
	return err
}

// Confine gives up privileges as the package comment says. It is called once,
// with every socket and listener open and before the first packet is decoded.
// After an error the process may hold less than before, and should end.
//
// In a program that is linked with cgo only the user can be given up, and
// root's capabilities with it, for Go does not reach threads that C started; the
// report says what is missing.
func Confine(o Options) (Report, error) {
	to, err := wanted(o.User, os.Geteuid())
	if err != nil {
		return Report{}, err
	}
	// The time zone is read from its file when it is first asked for.
	_, _ = time.Now().Zone()

	r := Report{User: to.String()}
	everyThread := !errors.Is(onEveryThread(unix.SYS_GETPID, 0, 0, 0), syscall.ENOTSUP)
	if everyThread {
		r.NoBounding, err = emptyBounding()
		if err != nil {
			return r, fmt.Errorf("empty the bounding set of capabilities: %w", err)
		}
	} else {
		r.Missing = append(r.Missing, "no new privileges and landlock (built with cgo; build with CGO_ENABLED=0)")
	}
	if to.changes {
		if err := become(to); err != nil {
			return r, err
		}
	}
	if everyThread {
		if err := dropCapabilities(); err != nil {
			return r, fmt.Errorf("give up all capabilities: %w", err)
		}
		err := onEveryThread(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0)
		if err != nil && !errors.Is(err, syscall.EINVAL) {
			return r, fmt.Errorf("forbid new privileges: %w", err)
		}
		if r.NoNewPrivileges = err == nil; !r.NoNewPrivileges {
			r.Missing = append(r.Missing, "no new privileges and landlock (Linux before 3.5)")
		}
	}
	// The memory holds packets, with passwords in them. This is a property of
	// the process and not of each thread.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return r, fmt.Errorf("forbid core files: %w", err)
	}
	writable, err := places(o.WritablePaths, to)
	if err != nil {
		return r, err
	}
	// Now, for /proc is among the files that go next.
	left, err := verify(r, to)
	if err != nil {
		return r, err
	}
	if r.NoCapabilities = left == 0; !r.NoCapabilities {
		r.Missing = append(r.Missing, fmt.Sprintf("capabilities %#x (built with cgo)", left))
	}
	if r.NoNewPrivileges { // without it landlock asks for CAP_SYS_ADMIN
		if r.Landlock, err = restrictFiles(writable, o.ReadablePaths); err != nil {
			r.Missing = append(r.Missing, err.Error())
		}
	}
	return r, nil
}

// become changes groups and user of all threads. Root's capabilities go with
// the user, for PR_SET_KEEPCAPS is not set.
func become(to identity) error {
	err := syscall.Setgroups(nil)
	if err == nil {
		err = syscall.Setgid(to.gid)
	}
	if err == nil {
		err = syscall.Setuid(to.uid)
	}
	if err != nil {
		return fmt.Errorf("become %s: %w (--user root keeps the user, and gives up the rest)", to, err)
	}
	return nil
}
