package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// process gives the metrics of the process under the names that all programs
// have. client_golang's own collector opens files of /proc each time, which a
// confined process may not.
type process struct {
	started float64 // seconds since 1970
	usage
}

func newProcess() *process {
	return &process{started: float64(time.Now().UnixMilli()) / 1000, usage: openUsage()}
}

var (
	startDesc    = prometheus.NewDesc("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", nil, nil)
	residentDesc = prometheus.NewDesc("process_resident_memory_bytes", "Resident memory size in bytes.", nil, nil)
	cpuDesc      = prometheus.NewDesc("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", nil, nil)
)

// Describe tells which metrics Collect gives.
func (p *process) Describe(ch chan<- *prometheus.Desc) {
	ch <- startDesc
	ch <- residentDesc
	ch <- cpuDesc
}

// Collect gives those that the system tells.
func (p *process) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(startDesc, prometheus.GaugeValue, p.started)
	if bytes, ok := p.resident(); ok {
		ch <- prometheus.MustNewConstMetric(residentDesc, prometheus.GaugeValue, bytes)
	}
	if seconds, ok := p.cpu(); ok {
		ch <- prometheus.MustNewConstMetric(cpuDesc, prometheus.CounterValue, seconds)
	}
}
