package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mqttriage/mqttriage/capture/live"
)

// silence is after how long without a word of a goroutine something is wrong with it: the
// capturing one speaks five times a second, the other takes up to a second for an analysis.
const silence = 5 * time.Second

// health is what /healthz is asked for.
type health struct {
	mu          sync.Mutex
	took, found time.Time
	interfaces  []live.InterfaceStats
}

// heard says that packets are being taken.
func (h *health) heard(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.took = now
}

// analysed says that they are being analysed.
func (h *health) analysed(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.found = now
}

// sees says how the interfaces are.
func (h *health) sees(interfaces []live.InterfaceStats) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.interfaces = interfaces
}

// check reports what is wrong: that nothing is taken, because of this program or because no
// interface is up, or that nothing is analysed.
func (h *health) check() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if since := time.Since(h.took); since > silence {
		return fmt.Errorf("no packets were taken for %v", since.Round(time.Second))
	}
	if since := time.Since(h.found); since > silence {
		return fmt.Errorf("nothing was analysed for %v: is standard output read?", since.Round(time.Second))
	}
	var missing []string
	for _, i := range h.interfaces {
		if i.State == live.Up {
			return nil
		}
		missing = append(missing, fmt.Sprintf("%s is %s", i.Name, i.State))
	}
	if len(missing) > 0 {
		return fmt.Errorf("no interface is up: %s", strings.Join(missing, ", "))
	}
	return nil
}
