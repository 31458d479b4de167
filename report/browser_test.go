//go:build browser

package report

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/kb"
)

// TestHTMLInABrowser opens reports in headless Chromium by browser/check.mjs:
// they render without a complaint or a request, sort, filter and unfold by
// keyboard, have contrast, fit a phone, and print. It needs Chromium, Node.js and
//
//	npm install --prefix DIR playwright-core@VERSION   (as in browser/package.json)
//
// with PLAYWRIGHT_DIR=DIR; the browser is CHROMIUM, else /usr/bin/chromium.
func TestHTMLInABrowser(t *testing.T) {
	browser := os.Getenv("CHROMIUM")
	if browser == "" {
		browser = "/usr/bin/chromium"
	}
	if _, err := os.Stat(browser); err != nil {
		t.Skipf("no browser: %v", err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skipf("no Node.js: %v", err)
	}
	modules := os.Getenv("PLAYWRIGHT_DIR")
	if modules == "" {
		modules = "browser"
	}
	if modules, err = filepath.Abs(modules); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(modules, "node_modules", "playwright-core")); err != nil {
		t.Skipf("no playwright-core: %v", err)
	}

	dir := t.TempDir()
	docs := map[string]*Document{
		"pictured": pictured(kb.English), "pictured-zh": pictured(kb.Chinese), "hostile": hostilePage(),
		"quiet": load(t, "testdata/quiet.json"), "mixed": load(t, "testdata/mixed.json"),
		"takeover-loop": documentOf(t, "../testdata/any-interface_takeover-loop/capture.pcap", kb.English),
		"fleet-zh":      documentOf(t, "../testdata/mosquitto-2.0.11_v311_fleet-of-30_all-accepted/capture.pcap", kb.Chinese),
		"retried":       documentOf(t, "../testdata/mosquitto-2.0.11_v311_empty-id_clean0_retried-12-times/capture.pcap", kb.English),
	}
	for name, doc := range docs {
		if err := os.WriteFile(filepath.Join(dir, name+".html"), []byte(renderHTML(t, doc)), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, node, "browser/check.mjs", dir)
	run.Env = append(os.Environ(), "PLAYWRIGHT_DIR="+modules, "CHROMIUM="+browser)
	out, err := run.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	if got, want := strings.Count(string(out), "shown after"), 2*len(docs); got < want {
		t.Errorf("%d of %d pages were opened to the end", got, want)
	}
}
