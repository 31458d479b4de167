// Command bench compares the program with the tools people know, on captures
// that it generates.
//
//	go run ./bench [run] [flags]
//	go run ./bench generate [flags] WORKLOAD FILE
//
// The table goes to standard output, everything else to standard error.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

func main() {
	args, command := os.Args[1:], runCommand
	if len(args) > 0 {
		switch args[0] {
		case "generate":
			args, command = args[1:], generateCommand
		case "provide": // what run calls in a process of its own
			args, command = args[1:], provide
		case "run":
			args = args[1:]
		}
	}
	if err := command(args); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are the flags of run.
type settings struct {
	dir          string
	rounds       int
	only         string
	tshark, long bool
}

func runCommand(args []string) error {
	flags := flag.NewFlagSet("bench [run]", flag.ContinueOnError)
	var s settings
	flags.StringVar(&s.dir, "dir", "", "keep captures and the program in `DIR` (default mqttriage-bench in the user's cache)")
	flags.IntVar(&s.rounds, "rounds", 5, "measure each command `N` times")
	flags.StringVar(&s.only, "only", "", "measure the rows that match `REGEXP`")
	flags.BoolVar(&s.tshark, "tshark", false, "measure tshark too, once, for it takes a minute a capture")
	flags.BoolVar(&s.long, "long", false, "add the workload long, whose capture has 7 GB")
	if err := flags.Parse(args); err != nil {
		return err
	}
	only, err := regexp.Compile(s.only)
	switch {
	case err != nil:
		return fmt.Errorf("-only: %w", err)
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; try 'go run ./bench -h'", flags.Arg(0))
	case s.rounds < 1:
		return fmt.Errorf("-rounds %d: must be at least 1", s.rounds)
	}
	if s.dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("find the user's cache: %w; name a folder with -dir", err)
		}
		s.dir = filepath.Join(cache, "mqttriage-bench")
	}
	if s.dir, err = filepath.Abs(s.dir); err == nil {
		err = os.MkdirAll(s.dir, 0o755)
	}
	if err != nil {
		return fmt.Errorf("make the folder for captures: %w; name another with -dir", err)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	root, err := build(s.dir)
	if err != nil {
		return err
	}
	var results []result
	absent := map[string]bool{}
	for _, r := range rows(s, root) {
		if !only.MatchString(r.name) {
			continue
		}
		for _, file := range r.files {
			// Not in this process, which must stay small: see floor.
			cmd := exec.Command(self, "provide", filepath.Join(s.dir, file))
			cmd.Stderr = os.Stderr
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("generate %s: %w", file, err)
			}
		}
		measured, err := r.measure(s.rounds, absent)
		if err != nil {
			return err
		}
		results = append(results, measured)
	}
	if len(results) == 0 {
		return fmt.Errorf("no row matches -only %q; leave it out to see all", s.only)
	}
	printTable(os.Stdout, results, absent)
	return nil
}

// progress says what is being done.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
