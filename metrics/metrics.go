// Package metrics shows a live capture to Prometheus: what was captured, how
// handshakes ended, what was found. Whatever the traffic, the number of series
// is bounded: labels are words of closed lists, or names of interfaces that the
// user gave; never a client ID, an address or a user name.
package metrics

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

// namespace begins the names of all metrics but those of the process, which have
// the same names in every program.
const namespace = "mqttriage_"

// other stands in a label for what is not in its list.
const other = "other"

// Metrics are the metrics of one live capture. Its methods may be called at the
// same time.
type Metrics struct {
	registry *prometheus.Registry
	sessions *prometheus.CounterVec
	connack  prometheus.Histogram
	totals   *totals
}

// New returns the metrics of a capture that begins now, by a version of the
// program. It opens a file of /proc, and wants to be called before the process
// gives up the right to.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		sessions: newSessions(),
		connack:  newConnack(),
		totals:   newTotals(),
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: namespace + "build_info", Help: "1; the labels say which program this is.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	}, func() float64 { return 1 })
	m.registry.MustRegister(m.sessions, m.connack, m.totals, build, newProcess())
	return m
}
