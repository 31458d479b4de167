//go:build live && linux

// Package e2e watches real brokers and real clients with the real program, in
// network namespaces that it makes and removes. See README.md.
package e2e

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	loadRun   = flag.Bool("load", false, "measure the load with tcpreplay (minutes; alone on the machine)")
	soakFor   = flag.Duration("soak", 0, "run the soak for this long")
	soakRate  = flag.Int("soak-rate", 1000, "connections a minute of the soak")
	soakLoss  = flag.Float64("soak-loss", 1, "percent of frames that the network loses before the capturing interface, and as many behind it")
	soakHoles = flag.Float64("soak-holes", 0, "percent of frames that arrive but pass the capturing interface by; counts then are bounds")
	soakCSV   = flag.String("soak-csv", "", "write the samples of memory to this file")
	underTest = flag.String("mqttriage", "", "test this program instead of building the tree's")
)

func TestMain(m *testing.M) {
	flag.Parse()
	status := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(status)
}

// needs skips a test where it cannot run, and says why.
func needs(t *testing.T, tools ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, tool := range append([]string{"ip"}, tools...) {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	if err := probeNamespaces(); err != nil {
		t.Skipf("this machine cannot make what the test needs: %v", err)
	}
}

// needsPaho skips a test where Debian's Python has no Paho 1.x.
func needsPaho(t *testing.T) {
	t.Helper()
	if out, err := exec.Command(python, "-c", "import paho.mqtt as p; print(p.__version__)").CombinedOutput(); err != nil {
		t.Skipf("%s has no Paho (python3-paho-mqtt): %s", python, out)
	} else if !strings.HasPrefix(string(out), "1.") {
		t.Skipf("%s has Paho %s, and the clients are written for 1.x", python, strings.TrimSpace(string(out)))
	}
}

// probeNamespaces finds out once whether namespaces with veth pairs and taps
// can be made here.
var probeNamespaces = sync.OnceValue(func() error {
	name := fmt.Sprintf("mqe%dprobe", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		return fmt.Errorf("ip netns add: %s", out)
	}
	defer exec.Command("ip", "netns", "del", name).Run() //nolint:errcheck // it is gone with the machine else
	if out, err := exec.Command("ip", "-n", name, "link", "add", "v0", "type", "veth", "peer", "name", "v1").CombinedOutput(); err != nil {
		return fmt.Errorf("a veth pair: %s", out)
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		return fmt.Errorf("a tap device: %w", err)
	}
	return nil
})

var built struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// program returns the path of the program under test, built once, as releases are.
func program(t *testing.T) string {
	t.Helper()
	if *underTest != "" {
		return *underTest
	}
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "mqttriage-e2e-"); built.err != nil {
			return
		}
		// The program runs as other users too.
		if built.err = os.Chmod(built.dir, 0o755); built.err != nil {
			return
		}
		built.path = filepath.Join(built.dir, "mqttriage")
		cmd := exec.Command("go", "build", "-trimpath", "-o", built.path, "../cmd/mqttriage")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("go build: %w\n%s", err, out)
		} else if out, err := exec.Command(built.path, "live", "--help").CombinedOutput(); err != nil {
			built.err = fmt.Errorf("mqttriage live --help: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// eventually asks again and again until the answer is nil, or time is up.
func eventually(limit time.Duration, ask func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := ask()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

var errNotYet = errors.New("not yet")
