package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
)

const (
	// freeHeap is how much memory the program takes before it collects garbage
	// at all. Most captures need less, and the many collections of a small heap
	// that grows cost a tenth of the time.
	freeHeap = 56 << 20
	// heapGrowth is by how many percent the heap then grows between two
	// collections: Go's default.
	heapGrowth = 100
	// liveGrowth is the same for live: a capture that goes on for months leaves its host
	// the memory, and has the time.
	liveGrowth = 40
)

// limitMemory sets the garbage collector for a command, unless the user has.
func limitMemory(command string) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if command == "live" {
		debug.SetGCPercent(liveGrowth)
		return
	}
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(freeHeap)
	// A finalizer runs after the first collection.
	runtime.SetFinalizer(new([16]byte), func(*[16]byte) {
		debug.SetGCPercent(heapGrowth)
		debug.SetMemoryLimit(math.MaxInt64)
	})
}
