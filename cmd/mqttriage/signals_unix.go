//go:build unix

package main

import (
	"os"
	"syscall"
)

// endSignals end a live capture, reportSignals have it report.
var (
	endSignals    = []os.Signal{os.Interrupt, syscall.SIGTERM}
	reportSignals = []os.Signal{syscall.SIGHUP, syscall.SIGUSR1}
)
