package metrics

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHandler(t *testing.T) {
	well := func() error { return nil }
	ill := func() error { return errors.New("eth0 is gone\nsince 5s") }
	for _, tt := range []struct {
		method, path string
		healthy      func() error
		status       int
		kind, body   string
	}{
		{"GET", "/metrics", ill, 200, "text/plain; version=0.0.4; charset=utf-8", "# HELP mqttriage_build_info 1"},
		{"GET", "/metrics?a=b", well, 200, "text/plain; version=0.0.4; charset=utf-8", "# HELP mqttriage_build_info 1"},
		{"GET", "/healthz", well, 200, "text/plain; charset=utf-8", "ok\n"},
		{"GET", "/healthz", ill, 503, "text/plain; charset=utf-8", "eth0 is gone since 5s\n"},
		{"HEAD", "/healthz", ill, 503, "text/plain; charset=utf-8", "eth0 is gone since 5s\n"},
		{"GET", "/", well, 200, "text/html; charset=utf-8", "<!doctype html>"},
		{"GET", "/metrics/", well, 404, "text/plain; charset=utf-8", "not found"},
		{"GET", "/../metrics", well, 404, "text/plain; charset=utf-8", "not found"},
		{"POST", "/metrics", well, 405, "text/plain; charset=utf-8", "only GET and HEAD"},
		{"DELETE", "/", well, 405, "text/plain; charset=utf-8", "only GET and HEAD"},
		{"PRI", "*", well, 405, "text/plain; charset=utf-8", "only GET and HEAD"},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(tt.method, "/", nil)
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(tt.path, "?")
		New("1").Handler(tt.healthy).ServeHTTP(w, r)
		body := w.Body.String()
		if w.Code != tt.status || w.Header().Get("Content-Type") != tt.kind || !strings.HasPrefix(body, tt.body) {
			t.Errorf("%s %s: %d %q %.60q", tt.method, tt.path, w.Code, w.Header().Get("Content-Type"), body)
		}
		if refused := w.Header().Get("Allow") == "GET, HEAD"; refused != (tt.status == 405) {
			t.Errorf("%s %s: Allow: %q", tt.method, tt.path, w.Header().Get("Allow"))
		}
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: %v", tt.method, tt.path, w.Header())
		}
	}
}

// Half of the metrics would look like zeros: it is all or none.
func TestAllOrNone(t *testing.T) {
	m := New("1")
	m.Capture(Capture{Interfaces: []Interface{{Name: "eth0"}, {Name: "eth0"}}})
	w := httptest.NewRecorder()
	m.Handler(func() error { return nil }).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 500 || strings.Contains(w.Body.String(), "# HELP") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}
