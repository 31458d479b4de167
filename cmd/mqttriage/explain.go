package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mqttriage/mqttriage/kb"
	"github.com/mqttriage/mqttriage/report"
)

func explainCommand(s *streams) *cobra.Command {
	f := newTextFlags()
	cmd := &cobra.Command{
		Use:   "explain [flags] ID|CODE",
		Short: "Say what a symptom, a CONNACK code or an entry means",
		Long: `Explain, on one screen, a symptom (client-id-takeover), a CONNACK code in
hexadecimal, decimal or words (0x02, 135, "not authorized"), or an entry of the
knowledge base by its id. A code means one thing in MQTT 3.x, another in
MQTT 5, and sometimes a third at a broker.

Exit status: 0 explained, 2 nothing is known by that name.`,
		Example: "  mqttriage explain 0x02\n  mqttriage explain \"not authorized\"\n  mqttriage explain client-id-takeover",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return hint("mqttriage explain 0x02", "name a symptom, a code or an entry")
			}
			// Words need no quotes.
			return s.explain(f, strings.Join(args, " "))
		},
	}
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return kb.Symptoms(), cobra.ShellCompDirectiveNoFileComp
	}
	f.declare(cmd, "`FORMAT` of the explanation: table or json")
	return cmd
}

func (s *streams) explain(f *textFlags, what string) error {
	base, err := openBase(f.overlays)
	if err != nil {
		return err
	}
	x, err := explanationOf(base, what, f.language())
	if err != nil {
		return err
	}
	return s.emit("the explanation", "", func(w io.Writer) error {
		if f.format.value == "json" {
			return writeJSON(w, x)
		}
		return report.Explain(w, x, 0)
	})
}

// explanationOf finds what is meant: a symptom, an entry, a code's number, the
// words of a code, the end of an entry's id.
func explanationOf(base *kb.Base, what string, lang kb.Lang) (*report.Explanation, error) {
	what = strings.TrimSpace(what)
	id := strings.ToLower(what)
	if slices.Contains(kb.Symptoms(), id) {
		return report.ExplainSymptom(base, id, lang), nil
	}
	if e, ok := base.Entry(id); ok {
		return report.ExplainEntry(e, lang), nil
	}
	if n, err := strconv.ParseUint(id, 0, 32); err == nil {
		if codes := kb.CodesOf(int(n)); n <= 255 && len(codes) > 0 {
			return report.ExplainCodes(base, codes, lang), nil
		}
		return nil, noSuchCode(id, n)
	}
	codes, names := kb.CodesNamed(what)
	if len(codes) > 0 {
		return report.ExplainCodes(base, codes, lang), nil
	}
	var ends []*kb.Entry
	for _, e := range base.Entries() {
		if strings.HasSuffix(e.ID, "/"+id) {
			ends = append(ends, e)
		}
	}
	if len(ends) == 1 {
		return report.ExplainEntry(ends[0], lang), nil
	}
	if len(names) > 1 {
		return nil, hint("one of "+strings.Join(names, ", "), "%q may be the beginning of several codes", what)
	}
	return nil, hint("perhaps "+strings.Join(nearest(id, candidates(base), 3), ", or "), "nothing is known as %q", what)
}

// noSuchCode says which codes there are, and which one was meant where the number
// looks like a hexadecimal one without 0x.
func noSuchCode(text string, n uint64) error {
	if h, err := strconv.ParseUint(text, 16, 8); err == nil && len(kb.CodesOf(int(h))) > 0 {
		return hint(fmt.Sprintf("perhaps 0x%02x", h), "no CONNACK code %d is known", n)
	}
	var known []string
	for _, c := range kb.Codes() {
		if code := fmt.Sprintf("0x%02x", c.Value); !slices.Contains(known, code) {
			known = append(known, code)
		}
	}
	slices.Sort(known)
	return hint("the codes are "+strings.Join(known, ", "), "no CONNACK code %s is known", text)
}

// candidates is everything that can be explained by a name.
func candidates(base *kb.Base) []string {
	all := kb.Symptoms()
	for _, c := range kb.Codes() {
		if name := c.Name.En; !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	for _, e := range base.Entries() {
		all = append(all, e.ID)
	}
	return all
}

// nearest are the n names with the fewest changes from what was typed, those that
// hold it, or its last element, first.
func nearest(typed string, names []string, n int) []string {
	if runes := []rune(typed); len(runes) > 60 { // longer than any name
		typed = string(runes[:60])
	}
	distance := func(name string) int {
		d := edits(typed, name)
		if at := strings.LastIndexByte(name, '/'); at >= 0 {
			d = min(d, edits(typed, name[at+1:]))
		}
		if len(typed) > 2 && strings.Contains(name, typed) {
			d = 0
		}
		return d
	}
	sorted := slices.Clone(names)
	slices.SortStableFunc(sorted, func(a, b string) int { return distance(a) - distance(b) })
	return sorted[:min(n, len(sorted))]
}

// edits is the Levenshtein distance of two strings, in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// emit writes to standard output, or to a file that then holds all or nothing.
func (s *streams) emit(what, path string, render func(io.Writer) error) error {
	var err error
	if path == "" || path == "-" {
		err = render(s.out)
	} else {
		err = writeWhole(path, render)
	}
	if err != nil {
		return &exitError{exitFailed, fmt.Errorf("write %s: %w", what, err)}
	}
	return nil
}
