// Package confine gives up what a live capture needs no more once its sockets
// and listeners are open: the user root, every capability, the way back to
// either, and, where the kernel has landlock, all files but a few.
//
// What is given up, in this order: the bounding set of capabilities, the
// groups, the user, all capabilities of every thread, new privileges
// (prctl(2), PR_SET_NO_NEW_PRIVS), core files and being traced by other
// processes of the same user (PR_SET_DUMPABLE). Then the state of all threads
// is read back from the kernel; what was claimed and does not hold is an error.
// At last, by landlock(7), every file that is not named.
//
// There is no system call filter here. Which calls a Go program makes is up to
// its runtime and changes with its version, the architecture and the kernel,
// and a missed one kills a capture that has run for a month. Where systemd
// starts the program, the unit's SystemCallFilter does it, from lists that
// systemd maintains. Landlock asks for nothing of that kind: it knows files,
// which the program names itself.
package confine

import (
	"strconv"
	"strings"
)

// Options say what the process goes on as.
type Options struct {
	// User is a name, UID or UID:GID to go on as when the process is root. Empty:
	// the user mqttriage if there is one, else nobody. "root" keeps the user, and
	// gives up the rest. A process that is not root keeps its user.
	User string
	// WritablePaths are what is written later: files, which need not exist and
	// stand for the directory that they are in, for files are rotated and
	// replaced; pipes, devices, and directories that exist. The user must be able
	// to write there.
	WritablePaths []string
	// ReadablePaths are files and directories that are read later. One that does
	// not exist is passed over.
	ReadablePaths []string
}

// Report says what was done.
type Report struct {
	User            string   // who the process is now, such as "nobody (65534:65534)"
	NoNewPrivileges bool     // on every thread
	NoCapabilities  bool     // on every thread, effective, permitted, inheritable and ambient
	NoBounding      bool     // the bounding set is empty too
	Landlock        int      // the version of landlock's interface (ABI); 0 where files are not restricted
	Missing         []string // what could not be done on this system, each with its reason
}

// String is the report in one line.
func (r Report) String() string {
	parts := []string{"user " + r.User}
	if r.NoCapabilities {
		parts = append(parts, "no capabilities")
	}
	if r.NoNewPrivileges {
		parts = append(parts, "no new privileges")
	}
	if r.Landlock > 0 {
		parts = append(parts, "files by landlock "+strconv.Itoa(r.Landlock))
	}
	line := strings.Join(parts, ", ")
	if len(r.Missing) > 0 {
		line += "; not: " + strings.Join(r.Missing, "; ")
	}
	return line
}
