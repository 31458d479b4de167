package analyze

import (
	"runtime"
	"testing"

	"github.com/mqttriage/mqttriage/decode"
)

const benchSessions = 20_000

// BenchmarkFindings is the whole analysis of a storm.
func BenchmarkFindings(b *testing.B) {
	perSession(b, func(a *Analyzer) { a.Findings() })
}

// BenchmarkIndex is the part of it that every question about the sessions needs.
func BenchmarkIndex(b *testing.B) {
	perSession(b, func(a *Analyzer) { a.index() })
}

// perSession measures time and memory a session.
func perSession(b *testing.B, ask func(*Analyzer)) {
	sessions := storm(benchSessions)
	var before, after runtime.MemStats
	b.ResetTimer()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		a := New(Options{})
		a.sessions = append([]*decode.Session{}, sessions...)
		a.connections = len(sessions)
		ask(a)
	}
	runtime.ReadMemStats(&after)
	all := float64(b.N) * benchSessions
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/all, "ns/session")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/all, "B/session")
}
