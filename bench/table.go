package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// printTable prints what was measured. absent are tools that are not installed.
func printTable(out io.Writer, results []result, absent map[string]bool) {
	fmt.Fprintf(out, "%s.\n\n", machine(results))
	fmt.Fprintln(out, "| row | command | wall | CPU | memory | first ÷ this: wall | CPU | memory |")
	fmt.Fprintln(out, "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, r := range results {
		name := r.name
		for i, c := range r.commands {
			fmt.Fprintf(out, "| %s | `%s` |", name, strings.ReplaceAll(c.String(), "|", `\|`))
			for _, q := range quantities {
				fmt.Fprintf(out, " %s |", q.cell(r.samples[i]))
			}
			for _, q := range quantities {
				ratio := ""
				if i > 0 {
					ratio = q.ratio(r.samples[0], r.samples[i])
				}
				fmt.Fprintf(out, " %s |", ratio)
			}
			fmt.Fprintln(out)
			name = ""
		}
	}
	fmt.Fprintln(out, "\nMedians (least–most). Ratios are of medians, their least and most of single rounds.")
	fmt.Fprintf(out, "Memory is the peak, and left out below %.1f MB.\n", float64(floor())/1e6)
	if len(absent) > 0 {
		fmt.Fprintf(out, "Not installed, and left out: %s.\n", strings.Join(slices.Sorted(maps.Keys(absent)), ", "))
	}
}

// quantity is something that is measured.
type quantity struct {
	of func(sample) float64
	// unit is what values about as large as m are given in, and its size.
	unit func(m float64) (string, float64)
}

var quantities = []quantity{
	{func(s sample) float64 { return s.wall.Seconds() }, timeUnit},
	{func(s sample) float64 { return s.cpu.Seconds() }, timeUnit},
	{func(s sample) float64 { return float64(s.memory) }, func(float64) (string, float64) { return "MB", 1e6 }},
}

func timeUnit(m float64) (string, float64) {
	if m < 0.1 {
		return "ms", 1e-3
	}
	return "s", 1
}

func (q quantity) values(samples []sample) (vs []float64) {
	for _, s := range samples {
		vs = append(vs, q.of(s))
	}
	return vs
}

func (q quantity) cell(samples []sample) string {
	vs := q.values(samples)
	m := median(vs)
	if m == 0 {
		return ""
	}
	unit, size := q.unit(m)
	return fmt.Sprintf("%.2f %s%s", m/size, unit, span(vs, size))
}

func (q quantity) ratio(first, this []sample) string {
	a, b := q.values(first), q.values(this)
	if slices.Contains(b, 0) {
		return ""
	}
	var rounds []float64
	for i := range b {
		rounds = append(rounds, a[i]/b[i])
	}
	return fmt.Sprintf("%.2f%s", median(a)/median(b), span(rounds, 1))
}

// span is the least and the most of some values.
func span(vs []float64, size float64) string {
	if len(vs) < 2 {
		return ""
	}
	return fmt.Sprintf(" (%.2f–%.2f)", slices.Min(vs)/size, slices.Max(vs)/size)
}

func median(vs []float64) float64 {
	if len(vs) == 0 {
		return 0
	}
	vs = slices.Sorted(slices.Values(vs))
	return (vs[(len(vs)-1)/2] + vs[len(vs)/2]) / 2
}

// machine is the processor and the versions of the tools that were measured.
func machine(results []result) string {
	info, _ := os.ReadFile("/proc/cpuinfo") // only Linux has it
	model := "unknown processor"
	if m := modelName.FindSubmatch(info); m != nil {
		model = string(m[1])
	}
	tools := map[string]bool{}
	for _, r := range results {
		for _, c := range r.commands[1:] {
			if filepath.Base(c.args[0]) != programName {
				tools[c.args[0]] = true
			}
		}
	}
	text := fmt.Sprintf("%s, %d CPUs, %s %s/%s", model, runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, tool := range slices.Sorted(maps.Keys(tools)) {
		out, _ := exec.Command(tool, "--version").Output() // without it there is no version to name
		text += ", " + tool + " " + cmp.Or(version.FindString(string(out)), "?")
	}
	return text
}

var (
	modelName = regexp.MustCompile(`(?m)^model name\s*: (.*)$`)
	version   = regexp.MustCompile(`\d+(\.\d+)+`)
)
