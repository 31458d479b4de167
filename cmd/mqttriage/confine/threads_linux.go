package confine

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// onEveryThread makes one system call on every thread of the program; threads
// that start later inherit what it changed. The error is syscall.ENOTSUP where
// the program is linked with cgo.
func onEveryThread(trap, a, b, c uintptr) error {
	if _, _, err := syscall.AllThreadsSyscall(trap, a, b, c); err != 0 {
		return err
	}
	return nil
}

// lastCapability is one more than any kernel has (include/uapi/linux/capability.h
// ends at 40, and the sets have 64 bits).
const lastCapability = 63

// emptyBounding takes all capabilities out of the bounding set, so that no
// program that is started later gets them back. Only a process with CAP_SETPCAP
// can; false where it cannot, and no error: PR_SET_NO_NEW_PRIVS has the
// same effect.
func emptyBounding() (bool, error) {
	for c := uintptr(0); c <= lastCapability; c++ {
		held, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0)
		if errors.Is(err, syscall.EINVAL) {
			break // the kernel has no such capability, nor any after it
		}
		if err != nil {
			return false, err
		}
		if held == 0 {
			continue
		}
		err = onEveryThread(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0)
		if errors.Is(err, syscall.EPERM) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// dropCapabilities empties the ambient, inheritable, permitted and effective
// sets of all threads (capabilities(7)).
func dropCapabilities() error {
	err := onEveryThread(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0)
	if err != nil && !errors.Is(err, syscall.EINVAL) { // Linux before 4.3 has no ambient set
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData // version 3 takes two, for 64 capabilities
	err = onEveryThread(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none)), 0)
	runtime.KeepAlive(&header)
	runtime.KeepAlive(&none)
	return err
}

// verify reads back what the kernel says of every thread, and returns the
// capabilities that any of them has left. What the report claims and the kernel
// denies is an error.
func verify(r Report, to identity) (left uint64, err error) {
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(tasks) == 0 {
		return 0, errors.New("verify that privileges are gone: nothing in /proc/self/task; mount /proc")
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // this thread has ended
		}
		if err != nil {
			return 0, fmt.Errorf("verify that privileges are gone: %w", err)
		}
		status := parseStatus(text)
		has, err := status.check(r, to)
		if err != nil {
			return 0, fmt.Errorf("privileges are not gone: %s: %w", task, err)
		}
		left |= has
	}
	return left, nil
}

// threadStatus holds the fields of /proc/PID/task/TID/status (proc(5)).
type threadStatus map[string]string

func parseStatus(text []byte) threadStatus {
	status := threadStatus{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok {
			status[key] = strings.TrimSpace(value)
		}
	}
	return status
}

// check holds one thread to the report, and returns the capabilities it has
// left.
func (s threadStatus) check(r Report, to identity) (left uint64, err error) {
	if to.changes {
		for key, id := range map[string]int{"Uid": to.uid, "Gid": to.gid} {
			// Real, effective, saved set and file system.
			for _, have := range strings.Fields(s[key]) {
				if have != strconv.Itoa(id) {
					return 0, fmt.Errorf("%s is %s and not %d", key, s[key], id)
				}
			}
			if s[key] == "" {
				return 0, fmt.Errorf("there is no %s", key)
			}
		}
		if s["Groups"] != "" {
			return 0, fmt.Errorf("the groups %s are left", s["Groups"])
		}
	}
	sets := []string{"CapInh", "CapPrm", "CapEff", "CapAmb"}
	if r.NoBounding {
		sets = append(sets, "CapBnd")
	}
	for _, set := range sets {
		if s[set] == "" && set == "CapAmb" {
			continue // Linux before 4.3
		}
		has, err := strconv.ParseUint(s[set], 16, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", set, err)
		}
		left |= has
	}
	// NoNewPrivs is there from Linux 4.10 on.
	if v, told := s["NoNewPrivs"]; r.NoNewPrivileges && told && v != "1" {
		return 0, fmt.Errorf("NoNewPrivs is %s", v)
	}
	return left, nil
}
