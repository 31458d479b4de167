//go:build unix

package main

import (
	"runtime"
	"syscall"
)

// peak is the largest resident size of a process that ended, in bytes.
func peak(usage any) int64 {
	u, ok := usage.(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return int64(u.Maxrss)
	}
	return int64(u.Maxrss) << 10 // getrusage(2): kilobytes
}
