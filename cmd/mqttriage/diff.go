package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
	"github.com/mqttriage/mqttriage/report"
)

func diffCommand(s *streams) *cobra.Command {
	// What diff does with a capture is what read does with it.
	f := &readFlags{
		format: choice{"table", report.Formats},
		lang:   choice{"", []string{string(kb.English), string(kb.Chinese)}},
		color:  choice{"auto", []string{"auto", "always", "never"}},
		failOn: choice{"warning", []string{"error", "warning", "info", "off"}},
	}
	cmd := &cobra.Command{
		Use:   "diff [flags] BEFORE AFTER",
		Short: "Compare two captures or saved reports: what is fixed, still there or new",
		Long: `Compare two captures, or two reports that mqttriage read -f json saved, or one of
each. The first line says what is fixed, still there or new, and when the second
capture is too short to say.

A finding counts as fixed when the clients that were refused are accepted now, or
when it would have been seen with a probability of 95 % if nothing had changed.
Otherwise it is only not seen, and diff says how much it takes to tell.

Exit status: 0 every finding from --fail-on on is fixed, or there was none; 1 one
is still there, new, or not proven to be gone, or AFTER was captured before
BEFORE; 2 wrong usage; 3 one of the two could not be read or the comparison could
not be written.`,
		Example: "  mqttriage diff monday.pcapng tuesday.pcapng\n  mqttriage diff -f markdown before.json after.pcapng",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return hint("mqttriage diff BEFORE AFTER", "diff takes two files, not %d", len(args))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return s.diff(f, args[0], args[1]) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	word(cmd, &f.format, "format", "f", "`FORMAT` of the comparison: "+strings.Join(report.Formats, ", "))
	flags.StringVarP(&f.output, "output", "o", "", "write the comparison to `FILE` instead of standard output")
	word(cmd, &f.lang, "lang", "", "`LANG`uage of the comparison: en or zh (default from LC_ALL, LC_MESSAGES, LANG)")
	word(cmd, &f.failOn, "fail-on", "", "exit with 1 on findings from `SEVERITY` on that are not fixed: error, warning, info or off")
	f.filter.declare(cmd)
	flags.Var(&f.broker, "broker", "the broker is a `VENDOR[:VERSION]`, such as mosquitto:2.0, whatever the packets suggest")
	complete(cmd, "broker", analyze.Vendors())
	flags.StringArrayVar(&f.keyLogs, "keylog", nil, "open TLS with the secrets in `FILE`, as SSLKEYLOGFILE has them (repeatable)")
	flags.BoolVar(&f.keyLogBeside, "keylog-beside", false, "open TLS with the secrets in the .keylog file beside each capture")
	overlayFlag(cmd, &f.overlays)
	flags.BoolVar(&f.noProgress, "no-progress", false, "do not show on a terminal how far the reading of large captures is")
	word(cmd, &f.color, "color", "", "`WHEN` to use colours: auto, always or never; auto honours NO_COLOR")
	flags.IntVar(&f.width, "width", 0, fmt.Sprintf("`COLUMNS` of the table, %d to %d (default: the terminal's, else 80)", report.MinWidth, report.MaxWidth))
	complete(cmd, "width", nil)
	return cmd
}

// diff compares two files.
func (s *streams) diff(f *readFlags, before, after string) error {
	if err := s.checkFiles(f, []string{before, after}); err != nil {
		return err
	}
	base := openAhead(f.overlays)
	if len(f.overlays) > 0 {
		if _, err := base(); err != nil {
			return err
		}
	}
	var docs [2]*report.Document
	for i, name := range []string{before, after} {
		doc, err := s.document(f, name, base)
		if err != nil {
			return err
		}
		docs[i] = doc
	}
	c := report.Compare(docs[0], docs[1], report.CompareOptions{
		Version: version(), Lang: language(f.lang.value), BeforeName: before, AfterName: after,
	})
	if err := s.writeComparison(f, c); err != nil {
		return &exitError{exitFailed, err}
	}
	if f.failOn.value != "off" && c.There(f.failOn.value) {
		return &exitError{status: exitFindings}
	}
	return nil
}

// document makes the report of a capture, or reads a saved one.
func (s *streams) document(f *readFlags, name string, base func() (*kb.Base, error)) (*report.Document, error) {
	in := s.in
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return s.captureReport(f, name, base) // which says why
		}
		defer file.Close() // read only
		in = file
	}
	begin := bufio.NewReader(in)
	if first, err := begin.Peek(1); err == nil && first[0] == '{' {
		if f.filter.terms() != nil {
			return nil, hint("filter when the report is made, with mqttriage read", "%s is a saved report; filters are for captures", name)
		}
		doc, err := savedReport(begin)
		if err != nil {
			return nil, &exitError{exitFailed, fmt.Errorf("read %s: %w", name, err)}
		}
		return doc, nil
	}
	// What is no regular file can be read once: the capture goes on where the
	// look at its beginning has left it.
	inner := *s
	if info, err := os.Stat(name); name == "-" || err == nil && !info.Mode().IsRegular() {
		inner.in, name = begin, "-"
	}
	return inner.captureReport(f, name, base)
}

// savedReport reads the report that JSON text holds.
func savedReport(r *bufio.Reader) (*report.Document, error) {
	doc, err := report.ReadDocument(r)
	if errors.Is(err, report.ErrNotReport) {
		err = &hinted{err, "mqttriage read -f json -o FILE saves a report"}
	}
	return doc, err
}

// captureReport analyses one capture as read does.
func (s *streams) captureReport(f *readFlags, name string, base func() (*kb.Base, error)) (*report.Document, error) {
	files := []string{name}
	keys, err := s.secrets(f, files)
	if err != nil {
		return nil, err
	}
	opts := analyze.Options{Ports: f.filter.ports, Broker: string(f.broker)}
	analyzer := analyze.New(opts)
	during, end := s.watched(files, f.noProgress)
	captures := during.captures(files, decode.Options{Ports: f.filter.ports, Keys: keys}, analyzer.Add)
	end()
	if len(captures) == 0 {
		return nil, &exitError{exitFailed, errors.New("nothing can be compared")}
	}
	entries, err := base()
	if err != nil {
		return nil, err
	}
	analyzer, selection := f.filter.apply(analyzer, opts, captures)
	// The sessions tell how the clients of a finding fared later.
	return report.Build(report.Input{
		Version: version(), Captures: captures, Analyzer: analyzer, Base: entries,
		Lang: language(f.lang.value), Sessions: true, Selection: selection,
	}), nil
}

// writeComparison renders the comparison to the output that the flags name.
func (s *streams) writeComparison(f *readFlags, c *report.Comparison) error {
	render := func(out io.Writer) error {
		w := bufio.NewWriterSize(out, 1<<16)
		if err := report.WriteComparison(w, f.format.value, c, tableOptions(f, out)); err != nil {
			return err
		}
		return w.Flush()
	}
	if f.output == "" || f.output == "-" {
		if err := render(s.out); err != nil {
			return fmt.Errorf("write the comparison: %w", err)
		}
		return nil
	}
	if err := writeWhole(f.output, render); err != nil {
		return fmt.Errorf("write the comparison to %s: %w", f.output, err)
	}
	return nil
}
