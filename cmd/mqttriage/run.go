package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mqttriage/mqttriage/report"
)

// The exit statuses. They are part of the contract with scripts.
const (
	exitOK       = 0 // analysed
	exitFindings = 1 // findings at or above --fail-on
	exitUsage    = 2 // wrong usage
	exitFailed   = 3 // nothing could be analysed, or the report could not be written
)

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
	progress *progress // nil where none is shown
	// last, where not nil, has what was said written, at the end.
	last func()
}

// run executes one command line and returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	// A closed pipe is to be an error of the write, which has its own exit
	// status, and not the end of the program.
	signal.Ignore(syscall.SIGPIPE)
	s := &streams{in: stdin, out: stdout, err: stderr}
	root := rootCommand(s)
	root.SetArgs(args)
	// Cobra prints help where it cannot report that the write failed.
	help := &checked{w: stdout}
	root.SetOut(help)
	root.SetErr(stderr)
	err := root.Execute()
	if err == nil && help.err != nil {
		err = &exitError{exitFailed, fmt.Errorf("write help: %w", help.err)}
	}
	status := s.exit(err)
	if s.last != nil {
		s.last()
	}
	return status
}

// exit reports an error and returns its exit status. An error without a status
// of its own comes from the parsing of the command line.
func (s *streams) exit(err error) int {
	if err == nil {
		return exitOK
	}
	status := exitUsage
	var e *exitError
	if errors.As(err, &e) {
		status, err = e.status, e.err
	}
	var several *problemList
	switch {
	case errors.As(err, &several):
		s.complainAll(several)
	case err != nil:
		s.complain(err)
	}
	return status
}

// exitError is an error with an exit status. Without err there is nothing to
// say: the report said it.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// hinted is an error and what to do about it.
type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

// hint adds a hint to a new error.
func hint(hint, format string, args ...any) error {
	return &hinted{fmt.Errorf(format, args...), hint}
}

// complain writes one line for the error, and one for its hint.
func (s *streams) complain(err error) {
	s.note("%v", err)
	var h *hinted
	if errors.As(err, &h) && h.hint != "" {
		s.note("hint: %s", h.hint)
	}
}

// note writes one line to standard error. File names and flags may hold
// anything, so the line is escaped.
func (s *streams) note(format string, args ...any) {
	fmt.Fprintf(s.err, "mqttriage: %s\n", report.Escape(fmt.Sprintf(format, args...)))
}

// checked keeps the first error of writing.
type checked struct {
	w   io.Writer
	err error
}

func (c *checked) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	if c.err == nil {
		c.err = err
	}
	return n, err
}

func rootCommand(s *streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "mqttriage",
		Short: "Find out from packet captures why MQTT clients cannot connect",
		Long: `mqttriage reads packet captures, rebuilds every MQTT handshake in them and
says what went wrong, what causes it, what will not help and what will.`,
		Example:           "  mqttriage read site.pcapng\n  tcpdump -i eth0 -w - port 1883 | mqttriage read -",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return hint("mqttriage read FILE, or mqttriage --help", "no command given")
			}
			if _, err := os.Stat(args[0]); err == nil {
				return hint("mqttriage read "+args[0], "%q is no command", args[0])
			}
			return hint("mqttriage --help lists the commands", "unknown command %q", args[0])
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return hint(cmd.CommandPath()+" --help lists the flags", "%w", err)
	})
	// Help fits a terminal of 80 columns.
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	root.AddCommand(readCommand(s), diffCommand(s), explainCommand(s), kbCommand(s), sliceCommand(s), liveCommand(s), versionCommand(s), completionCommand(s))
	return root
}

// choice is a flag that takes one of a few words.
type choice struct {
	value   string
	allowed []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return "word" }

func (c *choice) Set(v string) error {
	if !slices.Contains(c.allowed, v) {
		return fmt.Errorf("must be one of %s", strings.Join(c.allowed, ", "))
	}
	c.value = v
	return nil
}
