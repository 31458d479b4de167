package main

import (
	"math"
	"runtime"
	"runtime/debug"
)

const (
	// freeHeap is how much memory the program takes before it collects garbage
	// at all. Most captures need less, and the many collections of a small heap
	// that grows cost a tenth of the time.
	freeHeap = 56 << 20
	// heapGrowth is by how many percent the heap then grows between two
	// collections. Sessions are kept until the report and little else is
	// garbage: a smaller heap is worth the collector's time on a gateway and
	// with hostile input.
	heapGrowth = 100
)

// limitMemory sets the garbage collector.
func limitMemory() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(freeHeap)
	// A finalizer runs after the first collection.
	runtime.SetFinalizer(new([16]byte), func(*[16]byte) {
		debug.SetGCPercent(heapGrowth)
		debug.SetMemoryLimit(math.MaxInt64)
	})
}
