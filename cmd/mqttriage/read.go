package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
	"github.com/mqttriage/mqttriage/report"
)

// readFlags are the flags of read.
type readFlags struct {
	format, lang, color choice
	minSeverity, failOn choice
	output              string
	filter              filter
	redaction           redaction
	broker              brokerFlag
	overlays            []string
	keyLogs             []string
	keyLogBeside        bool
	sessions            bool
	noProgress          bool
	width               int
}

func readCommand(s *streams) *cobra.Command {
	f := &readFlags{
		format:      choice{"table", report.Formats},
		lang:        choice{"", []string{string(kb.English), string(kb.Chinese)}},
		color:       choice{"auto", []string{"auto", "always", "never"}},
		minSeverity: choice{"info", []string{"error", "warning", "info"}},
		failOn:      choice{"off", []string{"error", "warning", "info", "off"}},
	}
	cmd := &cobra.Command{
		Use:   "read [flags] FILE...",
		Short: "Analyse captures; '-' is standard input",
		Long: `Read captures (pcap or pcapng, also compressed with gzip, zstd, lz4 or xz) and
report every problem in their MQTT handshakes. Files that -f ndjson wrote are
taken like the captures that they are of. All files are one analysis; '-' is
standard input.

--port, --host, --net, --client-id, --since and --until look only at the
sessions that match, as if nothing else had been captured: one value of each
flag that is given must. A duration is counted inwards: --since 5m leaves out
the first five minutes, --until 5m the last five. A negative one is counted
from the other end: --since -5m looks only at the last five minutes, --until
-5m only at the first five.

Exit status: 0 analysed, 1 findings at or above --fail-on, 2 wrong usage,
3 nothing could be analysed or the report could not be written.`,
		Example: `  mqttriage read site.pcapng
  mqttriage read --client-id gw-7 --since 2026-03-02T22:00:00Z site.pcapng
  mqttriage read -f html --redact -o report.html monday.pcap tuesday.pcap`,
		RunE: func(cmd *cobra.Command, args []string) error { return s.read(f, args) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	word(cmd, &f.format, "format", "f", "`FORMAT` of the report: "+strings.Join(report.Formats, ", "))
	flags.StringVarP(&f.output, "output", "o", "", "write the report to `FILE` instead of standard output")
	word(cmd, &f.lang, "lang", "", "`LANG`uage of the report: en or zh (default from LC_ALL, LC_MESSAGES, LANG)")
	f.filter.declare(cmd)
	flags.Var(&f.broker, "broker", "the broker is a `VENDOR[:VERSION]`, such as mosquitto:2.0, whatever the packets suggest")
	complete(cmd, "broker", analyze.Vendors())
	flags.StringArrayVar(&f.keyLogs, "keylog", nil, "open TLS with the secrets in `FILE`, as SSLKEYLOGFILE has them (repeatable)")
	flags.BoolVar(&f.keyLogBeside, "keylog-beside", false, "open TLS with the secrets in the .keylog file beside each capture")
	overlayFlag(cmd, &f.overlays)
	f.redaction.declare(cmd)
	flags.BoolVar(&f.sessions, "sessions", false, "list every session, not only the findings")
	word(cmd, &f.minSeverity, "min-severity", "", "show findings from `SEVERITY` on: error, warning or info")
	word(cmd, &f.failOn, "fail-on", "", "exit with 1 on findings from `SEVERITY` on: error, warning, info or off")
	flags.BoolVar(&f.noProgress, "no-progress", false, "do not show on a terminal how far the reading of large captures is")
	word(cmd, &f.color, "color", "", "`WHEN` to use colours: auto, always or never; auto honours NO_COLOR")
	flags.IntVar(&f.width, "width", 0, fmt.Sprintf("`COLUMNS` of the table, %d to %d (default: the terminal's, else 80)", report.MinWidth, report.MaxWidth))
	complete(cmd, "width", nil)
	return cmd
}

// word declares a flag that takes one of a few words, and their completion.
func word(cmd *cobra.Command, c *choice, name, short, usage string) {
	cmd.Flags().VarP(c, name, short, usage)
	complete(cmd, name, c.allowed)
}

var severities = map[string]analyze.Severity{
	"error": analyze.Error, "warning": analyze.Warning, "info": analyze.Info,
}

// read analyses files and writes one report about all of them.
func (s *streams) read(f *readFlags, files []string) error {
	if err := s.checkFiles(f, files); err != nil {
		return err
	}
	base := openAhead(f.overlays)
	if len(f.overlays) > 0 {
		// What is wrong with the user's own entries is said at once.
		if _, err := base(); err != nil {
			return err
		}
	}
	keys, err := s.secrets(f, files)
	if err != nil {
		return err
	}
	redactor, err := f.redaction.redactor()
	if err != nil {
		return err
	}
	opts := analyze.Options{Ports: f.filter.ports, Broker: string(f.broker)}
	analyzer := analyze.New(opts)
	during, end := s.watched(files, f.noProgress)
	captures := during.captures(files, decode.Options{Ports: f.filter.ports, Keys: keys}, analyzer.Add)
	end()
	if keys != nil && !slices.ContainsFunc(analyzer.Sessions(), func(s *decode.Session) bool { return s.TLS != nil && s.TLS.Decrypted }) {
		s.note("no TLS connection here has its secrets in the key log; it must come from the same run of a client or broker as the capture")
	}
	if len(captures) == 0 {
		return &exitError{exitFailed, errors.New("nothing could be analysed")}
	}
	entries, err := base()
	if err != nil {
		return err
	}
	analyzer, selection := f.filter.apply(analyzer, opts, captures)
	lang := language(f.lang.value)
	doc := report.Build(report.Input{
		Version: version(), Captures: captures, Analyzer: analyzer, Base: entries,
		Lang: lang, Sessions: f.sessions || report.WantsSessions(f.format.value), MinSeverity: severities[f.minSeverity.value],
		Selection: selection, Redactor: redactor,
	})
	if err := s.write(f, files, doc); err != nil {
		return &exitError{exitFailed, err}
	}
	if least, on := severities[f.failOn.value]; on {
		for _, finding := range analyzer.Findings() {
			if finding.Severity >= least {
				return &exitError{status: exitFindings}
			}
		}
	}
	return nil
}

// checkFiles finds wrong usage before any work is done.
func (s *streams) checkFiles(f *readFlags, files []string) error {
	if len(files) == 0 {
		return hint("mqttriage read FILE, or '-' for standard input", "no file given")
	}
	stdin := 0
	for _, name := range files {
		if name == "-" {
			stdin++
			continue
		}
		if f.output != "" && sameFile(name, f.output) {
			return hint("name another file with -o", "the report would overwrite the input %s", name)
		}
	}
	if f.output != "" {
		for _, name := range f.keyLogFiles(files) {
			if sameFile(name, f.output) {
				return hint("name another file with -o", "the report would overwrite the key log %s", name)
			}
		}
		if key := f.redaction.keyFile; key != "" && sameFile(key, f.output) {
			return hint("name another file with -o", "the report would overwrite the key of --redact-key %s", key)
		}
	}
	if stdin > 1 {
		return hint("name '-' once", "standard input is named %d times", stdin)
	}
	if file, ok := s.in.(*os.File); ok && stdin > 0 && term.IsTerminal(int(file.Fd())) {
		return hint("tcpdump -w - port 1883 | mqttriage read -", "standard input is a terminal, not a capture")
	}
	if f.width != 0 && (f.width < report.MinWidth || f.width > report.MaxWidth) {
		return hint("--width 80", "invalid width %d", f.width)
	}
	return f.filter.check()
}

// readable puts the hint of an error on a line of its own.
func readable(err error) error {
	var not *capture.NotCaptureError
	if errors.As(err, &not) && not.Hint != "" {
		bare := *not
		bare.Hint = ""
		return &hinted{&bare, not.Hint}
	}
	return err
}

// localeLang is the language of the environment, by the order of POSIX
// (Base Definitions, section 8.2): the first of the three that is set decides.
func localeLang(getenv func(string) string) kb.Lang {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := getenv(name); v != "" {
			if v == "zh" || strings.HasPrefix(v, "zh_") || strings.HasPrefix(v, "zh-") || strings.HasPrefix(v, "zh.") {
				return kb.Chinese
			}
			return kb.English
		}
	}
	return kb.English
}
