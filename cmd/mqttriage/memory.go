package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// freeHeap is how much memory the program takes before it collects garbage
	// at all. Most captures need less, and the many collections of a small heap
	// that grows cost a tenth of the time.
	freeHeap = 56 << 20
	// heapGrowth is by how many percent the heap then grows between two
	// collections: Go's default.
	heapGrowth = 100
	// liveHeap is how much memory live takes, of which half is garbage: it has that much from
	// the start to the end, and not more the longer it runs. Where more is in use, it takes
	// as much garbage beside, or a quarter of what is in use.
	liveHeap = 24 << 20
)

// limitMemory sets the garbage collector for a command, unless the user has.
func limitMemory(command string) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if command == "live" {
		debug.SetGCPercent(-1)
		debug.SetMemoryLimit(liveHeap)
		afterGarbage()
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

// afterGarbage sets after each collection when the next one is to be.
func afterGarbage() {
	// A finalizer runs after a collection.
	runtime.SetFinalizer(new([16]byte), func(*[16]byte) {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		used := int64(live[0].Value.Uint64())
		debug.SetMemoryLimit(max(liveHeap, used+max(liveHeap/2, used/4)))
		afterGarbage()
	})
}
