package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/term"

	"github.com/mqttriage/mqttriage/report"
)

// write renders the document to the output that the flags name.
func (s *streams) write(f *readFlags, inputs []string, doc *report.Document) error {
	if f.output == "" || f.output == "-" {
		if err := render(f, s.out, doc); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		return nil
	}
	if err := writeWhole(f.output, func(w io.Writer) error { return render(f, w, doc) }); err != nil {
		return fmt.Errorf("write the report to %s: %w", f.output, err)
	}
	return nil
}

func render(f *readFlags, out io.Writer, doc *report.Document) error {
	w := bufio.NewWriterSize(out, 1<<16)
	if err := report.Write(w, f.format.value, doc, tableOptions(f, out)); err != nil {
		return err
	}
	return w.Flush()
}

// tableOptions fits the table to the terminal, if there is one. What the user
// says wins over NO_COLOR (https://no-color.org).
func tableOptions(f *readFlags, out io.Writer) report.TableOptions {
	terminal := terminalOf(out)
	opts := report.TableOptions{Width: f.width}
	if opts.Width == 0 && terminal != nil {
		if columns, _, err := term.GetSize(int(terminal.Fd())); err == nil {
			opts.Width = columns
		}
	}
	switch f.color.value {
	case "always":
		opts.Color = true
	case "auto":
		opts.Color = terminal != nil && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return opts
}

// writeWhole makes path hold all that render writes, or leaves it as it was:
// the text goes to a new file beside it, which then takes its name. A pipe or
// a device is written directly.
func writeWhole(path string, render func(io.Writer) error) error {
	mode := os.FileMode(0)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // a link stays a link
	}
	if info, err := os.Stat(path); err == nil {
		if !info.Mode().IsRegular() {
			return writeInto(path, render)
		}
		mode = info.Mode().Perm()
	}
	file, err := createBeside(path)
	if err != nil {
		return err
	}
	err = render(file)
	if err == nil && mode != 0 {
		err = file.Chmod(mode)
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name()) //nolint:errcheck // the first error is the one to report
	}
	return err
}

// createBeside makes a new file with the mode that the umask allows, which
// os.CreateTemp does not.
func createBeside(path string) (*os.File, error) {
	for n := os.Getpid(); ; n++ {
		file, err := os.OpenFile(path+".part"+strconv.Itoa(n), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, os.ErrExist) {
			return file, err
		}
	}
}

func writeInto(path string, render func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(render(file), file.Close())
}

// sameFile reports whether two paths name one file, by whatever links. A pipe
// or a device may be both ends.
func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y) && x.Mode().IsRegular()
}
