package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/slice"
)

// sliceFlags are the flags of slice.
type sliceFlags struct {
	readFlags
	clientIDs, symptoms []string
}

func sliceCommand(s *streams) *cobra.Command {
	f := &sliceFlags{}
	cmd := &cobra.Command{
		Use:   "slice -w OUT FILE...",
		Short: "Cut out of captures only what findings rest on, without secrets",
		Long: `Write only the packets of the connections that findings rest on, as pcapng, with
comments on those that matter. User names, passwords, will payloads and other
secrets are overwritten; the slice read again gives the same findings.

--client-id and --symptom ask for less. Input must be files, because they are
read three times.

Exit status: 0 written, 2 wrong usage, 3 nothing could be analysed, there is
nothing to cut out, or the slice could not be written.`,
		Example: "  mqttriage slice -w ticket.pcapng site.pcapng\n  mqttriage slice --symptom bad-credentials --redact -w - site.pcap | tshark -r -",
		RunE:    func(cmd *cobra.Command, args []string) error { return s.slice(f, args) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&f.output, "write", "w", "", "write the slice to `FILE`; '-' is standard output")
	flags.StringArrayVar(&f.clientIDs, "client-id", nil, "only the sessions with client ID `ID` (repeatable)")
	flags.StringArrayVar(&f.symptoms, "symptom", nil, "only the findings with `SYMPTOM`, such as bad-credentials (repeatable)")
	f.redaction.declare(cmd)
	flags.StringArrayVar(&f.keyLogs, "keylog", nil, "open TLS with the secrets in `FILE`, as SSLKEYLOGFILE has them (repeatable)")
	complete(cmd, "symptom", analyze.Symptoms())
	complete(cmd, "client-id", nil)
	flags.Var(&f.filter.ports, "port", "a `PORT` that belongs to brokers, beside 1883 and 8883 (repeatable)")
	flags.Var(&f.broker, "broker", "the broker is a `VENDOR[:VERSION]`, such as mosquitto:2.0, whatever the packets suggest")
	complete(cmd, "port", nil)
	complete(cmd, "broker", analyze.Vendors())
	return cmd
}

// slice analyses files and writes what their findings rest on.
func (s *streams) slice(f *sliceFlags, files []string) error {
	if err := s.checkSlice(f, files); err != nil {
		return err
	}
	keys, err := s.secrets(&f.readFlags, files)
	if err != nil {
		return err
	}
	var key []byte
	if f.redaction.keyFile != "" {
		if key, err = readRedactKey(f.redaction.keyFile); err != nil {
			return err
		}
	}
	opts := analyze.Options{Ports: f.filter.ports, Broker: string(f.broker)}
	analyzer := analyze.New(opts)
	if len(s.captures(files, decode.Options{Ports: f.filter.ports, Keys: keys}, analyzer.Add)) == 0 {
		return &exitError{exitFailed, errors.New("nothing could be analysed")}
	}
	plan, err := slice.Choose(analyzer, opts, slice.Choice{ClientIDs: f.clientIDs, Symptoms: f.symptoms})
	if err != nil {
		return &exitError{exitFailed, hint("mqttriage read shows the findings; --client-id asks for sessions without one", "nothing was written: %w", err)}
	}
	if !plan.Same && len(f.clientIDs) == 0 {
		s.note("there are more findings than a report lists, or they hang together with other sessions: the slice may give others")
	}
	var inputs []slice.Input
	for i, name := range files {
		inputs = append(inputs, slice.Input{Index: i + 1, Open: func() (capture.Source, error) { return pcapfile.Open(name, nil) }})
	}
	var result slice.Result
	write := func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<16)
		var err error
		result, err = slice.Write(b, plan, inputs, slice.Options{Ports: f.filter.ports, Redact: f.redaction.on || key != nil, Key: key})
		return errors.Join(err, b.Flush())
	}
	if f.output == "-" {
		err = write(s.out)
	} else {
		err = writeWhole(f.output, write)
	}
	if err != nil {
		return &exitError{exitFailed, fmt.Errorf("write the slice: %w", err)}
	}
	said := fmt.Sprintf("%d packets of %d connections behind %s", result.Packets, plan.Behind, behind(f, plan))
	if others := result.Connections - plan.Behind; others > 0 {
		said += fmt.Sprintf(", and of %d others that show what the broker is or did besides", others)
	}
	s.note("%s", said)
	if result.Lost > 0 {
		s.note("%d packets left out: their contents could not be told from secrets", result.Lost)
	}
	return nil
}

// behind says what the sessions were asked for by.
func behind(f *sliceFlags, plan *slice.Plan) string {
	var parts []string
	if n := len(plan.Findings); n == 1 {
		parts = append(parts, "1 finding")
	} else if n > 0 {
		parts = append(parts, fmt.Sprintf("%d findings", n))
	}
	if n := len(f.clientIDs); n == 1 {
		parts = append(parts, "1 client ID")
	} else if n > 0 {
		parts = append(parts, fmt.Sprintf("%d client IDs", n))
	}
	return strings.Join(parts, " and ")
}

// checkSlice finds wrong usage before any work is done.
func (s *streams) checkSlice(f *sliceFlags, files []string) error {
	switch {
	case f.output == "":
		return hint("mqttriage slice -w OUT FILE, or -w - for standard output", "-w is missing: no file to write to")
	case len(files) == 0:
		return hint("mqttriage slice -w OUT FILE", "no file given")
	case slices.Contains(files, "-"):
		return hint("write standard input to a file first", "slice reads its input three times, which standard input cannot be")
	}
	for _, symptom := range f.symptoms {
		if !slices.Contains(analyze.Symptoms(), symptom) {
			return hint("mqttriage explain lists the symptoms", "unknown symptom %q", symptom)
		}
	}
	for _, name := range append(slices.Clone(f.keyLogs), f.redaction.keyFile) {
		if f.output != "-" && name != "" && sameFile(name, f.output) {
			return hint("name another file with -w", "the slice would overwrite the key in %s", name)
		}
	}
	for _, name := range files {
		if f.output != "-" && sameFile(name, f.output) {
			return hint("name another file with -w", "the slice would overwrite the input %s", name)
		}
		if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
			return hint("write it to a file first", "slice reads its input three times, which %s cannot be", name)
		}
	}
	return nil
}
