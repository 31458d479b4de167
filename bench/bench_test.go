package main

import (
	"strings"
	"testing"
	"time"
)

// Every capture that a row needs must be one that can be made.
func TestRowsHaveCaptures(t *testing.T) {
	names := map[string]bool{}
	for _, r := range rows(settings{dir: "d", tshark: true, long: true}, "root") {
		if names[r.name] {
			t.Errorf("there are two rows %q", r.name)
		}
		names[r.name] = true
		for _, file := range r.files {
			if w, o, err := named(file); err != nil || o.Connections < w.Connections {
				t.Errorf("%s: %s: %d connections of %s, %v", r.name, file, o.Connections, w.Name, err)
			}
		}
	}
}

func TestTable(t *testing.T) {
	took := func(wall ...time.Duration) (samples []sample) {
		for _, d := range wall {
			samples = append(samples, sample{wall: d, cpu: 50 * time.Millisecond, memory: 3e6})
		}
		return samples
	}
	r := result{
		row:     row{name: "bulk", commands: []command{{args: []string{programName, "read", "f"}}, {args: []string{"other", "a || b"}}}},
		samples: [][]sample{took(2*time.Second, time.Second, 4*time.Second), took(time.Second, time.Second, time.Second)},
	}
	var out strings.Builder
	printTable(&out, []result{r}, map[string]bool{"tshark": true})
	for _, want := range []string{
		"| bulk | `" + programName + " read f` | 2.00 s (1.00–4.00) | 50.00 ms (50.00–50.00) | 3.00 MB (3.00–3.00) |  |  |  |\n",
		"|  | `other 'a \\|\\| b'` | 1.00 s (1.00–1.00) | 50.00 ms (50.00–50.00) | 3.00 MB (3.00–3.00) | 2.00 (1.00–4.00) | 1.00 (1.00–1.00) | 1.00 (1.00–1.00) |\n",
		"Not installed, and left out: tshark.\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &out)
		}
	}
}
