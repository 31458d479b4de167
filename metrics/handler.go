package metrics

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"

	"github.com/prometheus/common/expfmt"
)

// page is what a browser gets.
const page = `<!doctype html>
<title>mqttriage</title>
<h1>mqttriage</h1>
<p><a href="metrics">metrics</a> for Prometheus, <a href="healthz">health</a> of the capture</p>
`

// textFormat is Prometheus' text format, version 0.0.4, which every collector takes.
var textFormat = expfmt.NewFormat(expfmt.TypeTextPlain)

// Handler serves /metrics in the text format, /healthz, which is 200 "ok" as long as
// healthy returns nil and else 503 with the reason in a line, and a page with links to
// both. Methods other than GET and HEAD are refused.
func (m *Metrics) Handler(healthy func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD are served here", http.StatusMethodNotAllowed)
			return
		}
		switch r.URL.Path {
		case "/metrics":
			m.serve(w)
		case "/healthz":
			if err := healthy(); err != nil {
				http.Error(w, strings.Join(strings.Fields(err.Error()), " "), http.StatusServiceUnavailable)
				return
			}
			h.Set("Content-Type", "text/plain; charset=utf-8")
			fmt.Fprintln(w, "ok")
		case "/":
			h.Set("Content-Type", "text/html; charset=utf-8")
			h.Set("Content-Security-Policy", "default-src 'none'")
			fmt.Fprint(w, page)
		default:
			http.Error(w, "not found: there are /metrics and /healthz", http.StatusNotFound)
		}
	})
}

// serve writes all metrics, or that they cannot be: half of them would look like
// zeros.
func (m *Metrics) serve(w http.ResponseWriter) {
	families, err := m.registry.Gather()
	var text bytes.Buffer
	for _, f := range families {
		if err == nil {
			_, err = expfmt.MetricFamilyToText(&text, f)
		}
	}
	if err != nil {
		http.Error(w, fmt.Sprintf("gather metrics: %v", err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", string(textFormat))
	_, _ = w.Write(text.Bytes())
}
