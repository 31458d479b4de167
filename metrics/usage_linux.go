package metrics

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// usage asks the system what the process takes.
type usage struct {
	// statm is /proc/self/statm, nil where there is none.
	statm *os.File
}

func openUsage() usage {
	file, err := os.Open("/proc/self/statm")
	if err != nil {
		return usage{}
	}
	return usage{file}
}

// resident is the resident memory in bytes: the second figure of statm, in pages
// (proc_pid_statm(5)).
func (u usage) resident() (float64, bool) {
	if u.statm == nil {
		return 0, false
	}
	var line [128]byte
	n, _ := u.statm.ReadAt(line[:], 0)
	fields := bytes.Fields(line[:n])
	if len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	return float64(pages) * float64(os.Getpagesize()), err == nil
}

// cpu is the time in seconds that all threads have run.
func (u usage) cpu() (float64, bool) {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0, false
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9, true
}
