package metrics

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestUsage(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("no /proc")
	}
	all := series(exposed(t, New("1")))
	number := func(name string) float64 {
		v, err := strconv.ParseFloat(all[name], 64)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return v
	}
	// The same as another file says, but for what has been allocated since.
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	if rss := number("process_resident_memory_bytes"); rss < kib*1024/2 || rss > kib*1024*2 {
		t.Errorf("resident memory is %v, and %v KiB by /proc/self/status", rss, kib)
	}
	if cpu := number("process_cpu_seconds_total"); cpu <= 0 || cpu > time.Since(time.Unix(0, 0)).Seconds() {
		t.Errorf("CPU time is %v", cpu)
	}
	if started := number("process_start_time_seconds"); time.Since(time.UnixMilli(int64(started*1000))).Abs() > time.Minute {
		t.Errorf("started at %v", started)
	}
}

// Without /proc there is nothing about memory, and everything else.
func TestUsageWithoutProc(t *testing.T) {
	if _, ok := (usage{}).resident(); ok {
		t.Error("memory is known from nowhere")
	}
	if _, ok := (usage{}).cpu(); !ok {
		t.Error("CPU time is not known")
	}
	file, err := os.CreateTemp(t.TempDir(), "statm")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, broken := range []string{"1", "1 x 2", "1 -5 2"} {
		if err := os.WriteFile(file.Name(), []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if v, ok := (usage{file}).resident(); ok {
			t.Errorf("%q is %v", broken, v)
		}
	}
}
