package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/kb"
)

// textFlags are the flags of the commands that print from the knowledge base.
type textFlags struct {
	format, lang choice
	overlays     []string
}

func newTextFlags() *textFlags {
	return &textFlags{
		format: choice{"table", []string{"table", "json"}},
		lang:   choice{"", []string{string(kb.English), string(kb.Chinese)}},
	}
}

// declare adds the flags to a command.
func (f *textFlags) declare(cmd *cobra.Command, format string) {
	cmd.Flags().SortFlags = false
	word(cmd, &f.format, "format", "f", format)
	f.declareRest(cmd)
}

// declareRest adds those that do not concern the format.
func (f *textFlags) declareRest(cmd *cobra.Command) {
	word(cmd, &f.lang, "lang", "", "`LANG`uage: en or zh (default from LC_ALL, LC_MESSAGES, LANG)")
	overlayFlag(cmd, &f.overlays)
}

// overlayFlag adds --kb.
func overlayFlag(cmd *cobra.Command, dirs *[]string) {
	cmd.Flags().StringArrayVar(dirs, "kb", nil, "more entries, in the folder `DIR`; they replace those of the same id (repeatable)")
	if err := cmd.MarkFlagDirname("kb"); err != nil {
		panic(err) // the flag is declared above
	}
}

func (f *textFlags) language() kb.Lang { return language(f.lang.value) }

// language is the one that was asked for, else that of the environment.
func language(asked string) kb.Lang {
	if asked != "" {
		return kb.Lang(asked)
	}
	return localeLang(os.Getenv)
}

// openAhead opens the knowledge base while other work is done; what it returns
// waits for it.
func openAhead(overlays []string) func() (*kb.Base, error) {
	open := sync.OnceValues(func() (*kb.Base, error) { return openBase(overlays) })
	go open() //nolint:errcheck // who waits gets it
	return open
}

// openBase loads the knowledge base with overlays. With a wrong entry nothing is
// loaded: half a knowledge base would give half-right advice.
func openBase(overlays []string) (*kb.Base, error) {
	for _, dir := range overlays {
		if err := isFolder(dir); err != nil {
			return nil, hint("--kb takes a folder of *.yaml files", "read the entries: %w", err)
		}
	}
	base, err := kb.Open(overlays...)
	switch {
	case err != nil && len(overlays) > 0:
		return nil, &problemList{fmt.Errorf("%w\nno entry is loaded until these problems are gone; mqttriage kb check %s names them too", err, strings.Join(overlays, " "))}
	case err != nil:
		return nil, &exitError{exitFailed, fmt.Errorf("load the knowledge base: %w", err)}
	}
	return base, nil
}

func isFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no folder", dir)
	}
	return nil
}

// problemList is an error of several lines, one a problem.
type problemList struct{ err error }

func (p *problemList) Error() string { return p.err.Error() }
func (p *problemList) Unwrap() error { return p.err }

// complainAll writes every line of it as a line of its own.
func (s *streams) complainAll(err error) {
	lines := strings.Split(err.Error(), "\n")
	for _, line := range lines {
		s.note("%s", line)
	}
}

// brokerFlag is what the user knows of the broker: VENDOR or VENDOR:VERSION.
type brokerFlag string

var _ pflag.Value = (*brokerFlag)(nil)

func (b *brokerFlag) String() string { return string(*b) }
func (b *brokerFlag) Type() string   { return "vendor" }

func (b *brokerFlag) Set(v string) error {
	vendor, version, versioned := strings.Cut(strings.ToLower(v), ":")
	if !slices.Contains(analyze.Vendors(), vendor) {
		return fmt.Errorf("vendor must be one of %s", strings.Join(analyze.Vendors(), ", "))
	}
	if versioned && (version == "" || strings.Trim(version, "0123456789.") != "" || version[0] == '.' || strings.HasSuffix(version, ".")) {
		return errors.New("a version is numbers and dots, such as mosquitto:2.0")
	}
	*b = brokerFlag(strings.ToLower(v))
	return nil
}
