//go:build !unix

package main

import "os"

// endSignals end a live capture; reportSignals there are none.
var (
	endSignals    = []os.Signal{os.Interrupt}
	reportSignals []os.Signal
)
