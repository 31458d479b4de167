package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/mqttriage/mqttriage/bench/traffic"
)

func generateCommand(args []string) error {
	flags := flag.NewFlagSet("bench generate", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: bench generate [flags] WORKLOAD FILE[.gz|.zst]")
		for _, w := range traffic.Workloads() {
			fmt.Fprintf(flags.Output(), "  %-6s %s\n", w.Name, w.Description)
		}
		flags.PrintDefaults()
	}
	var o traffic.Options
	flags.IntVar(&o.Connections, "connections", 0, "make `N` MQTT connections (default the workload's)")
	flags.Uint64Var(&o.Seed, "seed", 1, "draw from this `SEED`")
	format := flags.String("format", "pcap", "`FORMAT` of the file: pcap or pcapng")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 2 {
		return fmt.Errorf("%d words given; generate takes a workload and a file", flags.NArg())
	}
	w, err := traffic.Find(flags.Arg(0))
	if err != nil {
		return err
	}
	if o.Format, err = traffic.ParseFormat(*format); err != nil {
		return fmt.Errorf("-format: %w", err)
	}
	return generate(w, o, flags.Arg(1))
}

// generate writes a capture, compressed as the path's suffix says.
func generate(w traffic.Workload, o traffic.Options, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write capture: %w", err)
	}
	defer f.Close()
	var out io.Writer = f
	finish := f.Close
	switch filepath.Ext(path) {
	case ".gz":
		z, err := gzip.NewWriterLevel(f, 6) // the default of gzip(1)
		if err != nil {
			return err
		}
		out, finish = z, z.Close
	case ".zst":
		z, err := zstd.NewWriter(f)
		if err != nil {
			return err
		}
		out, finish = z, z.Close
	}
	sum, err := w.Write(out, o)
	if err == nil {
		err = finish()
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	progress("%s: %d packets, %d bytes before compression, %d connections", path, sum.Packets, sum.Bytes, sum.Connections)
	return nil
}

// named says what a file of a row holds. Its name is the workload's with the
// suffixes of format and compression.
func named(file string) (w traffic.Workload, o traffic.Options, err error) {
	name, suffixes, _ := strings.Cut(file, ".")
	if w, err = traffic.Find(name); err != nil {
		return w, o, err
	}
	o = traffic.Options{Connections: w.Connections, Seed: 1}
	suffix, _, _ := strings.Cut(suffixes, ".")
	o.Format, err = traffic.ParseFormat(suffix)
	return w, o, err
}

// provide generates a capture unless it is there, whole and made as it would be
// today, which a small one of its kind tells. In the end the file is read, so
// that it lies in memory.
func provide(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%d words given; provide takes a file", len(args))
	}
	path := args[0]
	w, o, err := named(filepath.Base(path))
	if err != nil {
		return err
	}
	small := sha256.New()
	if _, err := w.Write(small, traffic.Options{Connections: 100, Seed: o.Seed, Format: o.Format}); err != nil {
		return err
	}
	mark, made := path+".made", fmt.Sprintf("%d %x\n", o.Connections, small.Sum(nil))
	if have, err := os.ReadFile(mark); err != nil || string(have) != made {
		progress("generating %s", path)
		os.Remove(mark) // until the file is whole again
		if err := generate(w, o, path); err != nil {
			return err
		}
		if err := os.WriteFile(mark, []byte(made), 0o644); err != nil {
			return fmt.Errorf("mark %s as made: %w", path, err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read capture: %w; delete %s to have it made again", err, mark)
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, f)
	return err
}
