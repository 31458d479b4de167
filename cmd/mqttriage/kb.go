package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mqttriage/mqttriage/kb"
	"github.com/mqttriage/mqttriage/report"
)

func kbCommand(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kb COMMAND",
		Short: "List, show, check, export and import entries of the knowledge base",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			const use = "mqttriage kb list, show, check, export or import"
			if len(args) == 0 {
				return hint(use, "no command given")
			}
			return hint(use, "unknown command %q", args[0])
		},
	}
	cmd.AddCommand(kbListCommand(s), kbShowCommand(s), kbCheckCommand(s), kbExportCommand(s), kbImportCommand(s))
	return cmd
}

func kbListCommand(s *streams) *cobra.Command {
	f := newTextFlags()
	cmd := &cobra.Command{
		Use:     "list [flags]",
		Short:   "List the entries: id, title, symptoms",
		Example: "  mqttriage kb list\n  mqttriage kb list -f json --kb site/",
		Args:    none,
		RunE: func(*cobra.Command, []string) error {
			base, err := openBase(f.overlays)
			if err != nil {
				return err
			}
			return s.emit("the list", "", func(w io.Writer) error {
				if f.format.value == "json" {
					return writeJSON(w, report.EntryList(base.Entries(), f.language()))
				}
				return report.ListEntries(w, base.Entries(), f.language(), 0)
			})
		},
	}
	f.declare(cmd, "`FORMAT` of the list: table or json")
	return cmd
}

// none takes no arguments.
func none(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return hint(cmd.CommandPath()+" takes flags only", "unexpected argument %q", args[0])
	}
	return nil
}

func kbShowCommand(s *streams) *cobra.Command {
	f := newTextFlags()
	cmd := &cobra.Command{
		Use:     "show [flags] ID",
		Short:   "Show the whole of an entry, with its conditions and sources",
		Example: "  mqttriage kb show mqtt/client-id-takeover",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return hint("mqttriage kb list names the entries", "name one entry")
			}
			base, err := openBase(f.overlays)
			if err != nil {
				return err
			}
			e, err := entryOf(base, args[0])
			if err != nil {
				return err
			}
			return s.emit("the entry", "", func(w io.Writer) error {
				if f.format.value == "json" {
					return writeJSON(w, e)
				}
				return report.ShowEntry(w, e, f.language(), 0)
			})
		},
	}
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		base, err := openBase(f.overlays)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return entryIDs(base), cobra.ShellCompDirectiveNoFileComp
	}
	f.declare(cmd, "`FORMAT` of the entry: table or json")
	return cmd
}

func entryIDs(base *kb.Base) []string {
	var ids []string
	for _, e := range base.Entries() {
		ids = append(ids, e.ID)
	}
	return ids
}

func entryOf(base *kb.Base, id string) (*kb.Entry, error) {
	if e, ok := base.Entry(id); ok {
		return e, nil
	}
	return nil, hint("perhaps "+strings.Join(nearest(id, entryIDs(base), 3), ", or "), "there is no entry %q", id)
}

func kbCheckCommand(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:   "check DIR...",
		Short: "Check folders of entries and report every problem",
		Long: `Check every *.yaml file in the folders and report all problems in one run, a line
each: FILE:LINE: KEY: PROBLEM; allowed: WHAT IS.

Exit status: 0 no problem, 1 problems, 2 wrong usage, 3 nothing could be checked.`,
		Example: "  mqttriage kb check site/",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return hint("mqttriage kb check DIR", "no folder given")
			}
			return s.check(args)
		},
	}
}

// check writes the problems to standard output: they are the report.
func (s *streams) check(dirs []string) error {
	files, bad := 0, 0
	out := &checked{w: s.out}
	for _, dir := range dirs {
		if err := isFolder(dir); err != nil {
			s.note("read the entries: %v", err)
			continue
		}
		n, err := kb.Check(dir)
		files += n
		if err == nil {
			continue
		}
		if n == 0 { // no file in it was an entry
			s.complainAll(err)
			continue
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			bad++
			fmt.Fprintln(out, report.Escape(line))
		}
	}
	switch {
	case out.err != nil:
		return &exitError{exitFailed, fmt.Errorf("write the problems: %w", out.err)}
	case files == 0:
		return &exitError{exitFailed, errors.New("nothing could be checked")}
	case bad > 0:
		s.note("%s in %s", counted(bad, "problem"), counted(files, "file"))
		return &exitError{status: exitFindings}
	}
	s.note("%s, no problem", counted(files, "file"))
	return nil
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func kbExportCommand(s *streams) *cobra.Command {
	f := newTextFlags()
	f.format = choice{"json", []string{"json", "markdown", "deadends"}}
	output := ""
	cmd := &cobra.Command{
		Use:   "export [flags] [ID...]",
		Short: "Write entries as JSON, as Markdown, or for deadends.dev",
		Long: `Write all entries, or those named, as JSON (whole), as Markdown (for reading), or
in deadends.dev's canonical JSON, schema 1.0.0. That one demands a rate for
everything: entries, fixes and dead ends without a published rate are left out.`,
		Example: "  mqttriage kb export -f markdown -o kb.md\n  mqttriage kb export -f deadends > canon.json",
		RunE: func(_ *cobra.Command, ids []string) error {
			base, err := openBase(f.overlays)
			if err != nil {
				return err
			}
			entries := base.Entries()
			if len(ids) > 0 {
				entries = nil
				for _, id := range ids {
					e, err := entryOf(base, id)
					if err != nil {
						return err
					}
					entries = append(entries, e)
				}
			}
			return s.export(f, entries, output)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	word(cmd, &f.format, "format", "f", "`FORMAT`: json, markdown or deadends")
	flags.StringVarP(&output, "output", "o", "", "write to `FILE` instead of standard output")
	f.declareRest(cmd)
	return cmd
}

func (s *streams) export(f *textFlags, entries []*kb.Entry, output string) error {
	var data []byte
	var err error
	switch f.format.value {
	case "markdown":
		return s.emit("the entries", output, func(w io.Writer) error { return report.EntriesMarkdown(w, entries, f.language()) })
	case "deadends":
		var leftOut int
		data, leftOut, err = kb.Canons(entries)
		if err == nil && data == nil {
			return &exitError{exitFailed, errors.New("nothing to export: the format demands rates, and no source publishes one for these entries")}
		}
		if leftOut > 0 {
			s.note("%d of %d entries left out: the format demands rates, and no source publishes one", leftOut, len(entries))
		}
	default:
		data, err = kb.JSON(entries)
	}
	if err != nil {
		return &exitError{exitFailed, fmt.Errorf("write the entries: %w", err)}
	}
	return s.emit("the entries", output, func(w io.Writer) error { _, err := w.Write(data); return err })
}

func kbImportCommand(s *streams) *cobra.Command {
	dir, symptoms := "", []string(nil)
	cmd := &cobra.Command{
		Use:   "import [flags] FILE",
		Short: "Make entries of articles in deadends.dev's canonical JSON",
		Long: `Read one article, or a list of them, in deadends.dev's canonical JSON, schema
1.0.0, and write each as an entry. Figures are marked as published, with the
article as their source. What an article does not have is left empty: the
Chinese, and the conditions of causes and fixes; "mqttriage kb check" names it.

Exit status: 0 written, 2 wrong usage, 3 the file is no such article.`,
		Example: "  mqttriage kb import canon.json -o site/",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return hint("mqttriage kb import FILE.json", "name one file, or '-' for standard input")
			}
			return s.importFile(args[0], dir, symptoms)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&dir, "output", "o", "", "write each entry to a file in the folder `DIR` instead of standard output")
	flags.StringArrayVar(&symptoms, "symptom", nil, "a `SYMPTOM` that the articles answer; default: those whose texts their pattern matches (repeatable)")
	return cmd
}

// maxImport bounds the file of articles, in bytes.
const maxImport = 1 << 20

func (s *streams) importFile(path, dir string, symptoms []string) error {
	for _, id := range symptoms {
		if _, ok := kb.Symptom(id); !ok {
			return hint("one of "+strings.Join(kb.Symptoms(), ", "), "%q is no symptom", id)
		}
	}
	if dir != "" {
		if err := isFolder(dir); err != nil {
			return hint("mkdir "+dir, "write the entries: %w", err)
		}
	}
	data, err := s.readAll(path)
	if err != nil {
		return &exitError{exitFailed, err}
	}
	imported, err := kb.Import(data, symptoms)
	if err != nil {
		return &exitError{exitFailed, &problemList{err}}
	}
	if dir == "" && len(imported) > 1 {
		return hint("name a folder with -o", "the file holds %d articles, and standard output takes one", len(imported))
	}
	for _, in := range imported {
		for _, n := range in.Notes {
			s.note("%s: %s", in.ID, n)
		}
		target := ""
		if dir != "" {
			target = filepath.Join(dir, strings.ReplaceAll(in.ID, "/", "-")+".yaml")
			if _, err := os.Lstat(target); err == nil {
				return hint("remove it first, or name another folder", "%s is there already", target)
			}
		}
		err := s.emit("the entry", target, func(w io.Writer) error { _, err := w.Write(in.YAML); return err })
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *streams) readAll(path string) ([]byte, error) {
	in := s.in
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read the article: %w", err)
		}
		defer file.Close() // read only
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, maxImport+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the article: %w", err)
	case len(data) > maxImport:
		return nil, fmt.Errorf("read the article: %s is larger than %d bytes", path, maxImport)
	}
	return data, nil
}
