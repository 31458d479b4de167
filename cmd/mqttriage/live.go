package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture/live"
	"github.com/mqttriage/mqttriage/cmd/mqttriage/confine"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
	"github.com/mqttriage/mqttriage/metrics"
	"github.com/mqttriage/mqttriage/report"
	"github.com/mqttriage/mqttriage/slice"
)

// liveFlags are the flags of live. Those that it has in common with read mean the same.
type liveFlags struct {
	readFlags
	interfaces  []string
	list        bool
	promiscuous bool
	lean        bool
	bpfRaw      string
	buffer      int
	duration    time.Duration
	every       time.Duration
	noScreen    bool
	evidence    evidenceFlags
	metrics     string
	user        string
	limits      analyze.Limits
	connections int
}

// evidenceFlags say where the packets of handshakes are kept, and how many.
type evidenceFlags struct {
	file  string
	size  int
	files int
	age   time.Duration
}

const (
	// defaultBuffer is the ring of an interface, in MiB: four times tcpdump's. At a
	// gigabit a second it holds a fifteenth of one.
	defaultBuffer = 8
	// defaultConnections are followed at once: more than gateways have, and with what belongs
	// to each in a flood of the largest CONNECTs some 25 MiB.
	defaultConnections = 4096
	// liveMemory is what waits of incomplete packets in all of them, in bytes.
	liveMemory = 8 << 20
)

func liveCommand(s *streams) *cobra.Command {
	f := &liveFlags{readFlags: readFlags{
		format:      choice{"table", report.Formats},
		lang:        choice{"", []string{string(kb.English), string(kb.Chinese)}},
		color:       choice{"auto", []string{"auto", "always", "never"}},
		minSeverity: choice{"info", []string{"error", "warning", "info"}},
		failOn:      choice{"off", []string{"error", "warning", "info", "off"}},
	}}
	cmd := &cobra.Command{
		Use:   "live [flags] -i IFACE",
		Short: "Analyse an interface until interrupted, then report",
		Long: `Capture on interfaces and tell of handshakes as they go wrong, until
interrupted or until --for has passed; then report. Linux only.

On a terminal that is a screen; elsewhere it is one line for each new finding,
and one for each further session that shows it, so far as they are not too
many. -f ndjson writes lines for programs, which read takes again. SIGHUP and
SIGUSR1 report at once, SIGINT and SIGTERM report and end.

It needs the capability CAP_NET_RAW and nothing else. Started as root it becomes
--user once its sockets are open.

Exit status: 0 analysed, 1 findings at or above --fail-on, 2 wrong usage,
3 nothing could be captured or the report could not be written.`,
		Example: `  mqttriage live -i eth0
  mqttriage live -i eth0 --port 1883 --lean --write /var/lib/mqttriage/site.pcapng
  mqttriage live -i any -f html -o /run/mqttriage/report.html --every 5m --metrics 127.0.0.1:9893`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return s.live(f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVarP(&f.interfaces, "interface", "i", nil, "capture on this `IFACE`; any is all of them (repeatable)")
	complete(cmd, "interface", nil)
	flags.BoolVar(&f.list, "list-interfaces", false, "list the interfaces and end")
	flags.BoolVar(&f.promiscuous, "promiscuous", false, "also take what is not addressed to this host, as on a mirror port")
	f.filter.declareLive(cmd)
	flags.BoolVar(&f.lean, "lean", false, "let the kernel pass only what can belong to a handshake: far less work, at the cost of what docs/gateway.md says")
	flags.StringVar(&f.bpfRaw, "bpf-raw", "", "let the kernel pass what this filter does: a `FILE` that tcpdump -ddd wrote")
	flags.IntVar(&f.buffer, "buffer", defaultBuffer, "`MIB` of memory for each interface, for packets that wait")
	flags.DurationVar(&f.duration, "for", 0, "end after this `DURATION`, such as 10m")
	flags.DurationVar(&f.every, "every", 0, "report again and again, after each such `DURATION`")
	word(cmd, &f.format, "format", "f", "`FORMAT` of the report: "+strings.Join(report.Formats, ", "))
	flags.StringVarP(&f.output, "output", "o", "", "write reports to `FILE`, each in place of the one before, instead of standard output")
	word(cmd, &f.lang, "lang", "", "`LANG`uage of the report: en or zh (default from LC_ALL, LC_MESSAGES, LANG)")
	flags.StringVar(&f.evidence.file, "write", "", "keep the packets of handshakes, secrets overwritten, in files that are called after `FILE`")
	flags.IntVar(&f.evidence.size, "write-size", 10, "begin another file after this many `MIB`")
	flags.IntVar(&f.evidence.files, "write-files", 10, "keep this `NUMBER` of files, and delete the oldest")
	flags.DurationVar(&f.evidence.age, "write-age", 24*time.Hour, "begin another file after this `DURATION`")
	flags.StringVar(&f.metrics, "metrics", "", "serve metrics for Prometheus at this `ADDR`ess, such as 127.0.0.1:9893")
	flags.StringVar(&f.user, "user", "", "become this `USER` once everything is open (default, as root: mqttriage if there is one, else nobody)")
	flags.IntVar(&f.connections, "max-connections", defaultConnections, "follow this `NUMBER` of open connections at once")
	flags.IntVar(&f.limits.Sessions, "max-sessions", 3000, "keep this `NUMBER` of sessions that have ended, to be compared with later ones")
	flags.IntVar(&f.limits.ClientIDs, "max-client-ids", 20_000, "tell apart this `NUMBER` of client IDs, and of client addresses, to count them")
	flags.IntVar(&f.limits.Findings, "max-findings", 200, "keep this `NUMBER` of findings apart")
	flags.Var(&f.broker, "broker", "the broker is a `VENDOR[:VERSION]`, such as mosquitto:2.0, whatever the packets suggest")
	complete(cmd, "broker", analyze.Vendors())
	flags.StringArrayVar(&f.keyLogs, "keylog", nil, "open TLS with the secrets in `FILE`, as it is at the start (repeatable)")
	overlayFlag(cmd, &f.overlays)
	f.redaction.declare(cmd)
	flags.BoolVar(&f.sessions, "sessions", false, "list every session that is kept, not only the findings")
	word(cmd, &f.minSeverity, "min-severity", "", "show findings from `SEVERITY` on: error, warning or info")
	word(cmd, &f.failOn, "fail-on", "", "exit with 1 on findings from `SEVERITY` on: error, warning, info or off")
	flags.BoolVar(&f.noScreen, "no-screen", false, "write lines on a terminal too")
	word(cmd, &f.color, "color", "", "`WHEN` to use colours: auto, always or never; auto honours NO_COLOR")
	flags.IntVar(&f.width, "width", 0, fmt.Sprintf("`COLUMNS` of the table, %d to %d (default: the terminal's, else 80)", report.MinWidth, report.MaxWidth))
	complete(cmd, "width", nil)
	for _, flag := range []string{"buffer", "for", "every", "write-size", "write-files", "write-age", "metrics", "user", "max-connections", "max-sessions", "max-client-ids", "max-findings"} {
		complete(cmd, flag, nil)
	}
	return cmd
}

// check finds wrong usage before anything is opened.
func (f *liveFlags) check() error {
	if len(f.interfaces) == 0 {
		return hint("mqttriage live --list-interfaces tells which there are", "no interface given: name one with -i")
	}
	if f.promiscuous && slices.Contains(f.interfaces, live.Any) {
		return hint("name the interfaces with -i", "--promiscuous goes with interfaces that are named, not with any")
	}
	if f.width != 0 && (f.width < report.MinWidth || f.width > report.MaxWidth) {
		return hint("--width 80", "invalid width %d", f.width)
	}
	for _, limit := range []struct {
		flag    string
		v, most int
	}{
		{"buffer", f.buffer, 1 << 10}, {"write-size", f.evidence.size, 1 << 20}, {"write-files", f.evidence.files, 1 << 16},
		{"max-connections", f.connections, 1 << 20}, {"max-sessions", f.limits.Sessions, 1 << 20},
		{"max-client-ids", f.limits.ClientIDs, 1 << 24}, {"max-findings", f.limits.Findings, 1 << 16},
	} {
		if limit.v < 1 || limit.v > limit.most {
			return fmt.Errorf("invalid --%s %d: it must be 1 to %d", limit.flag, limit.v, limit.most)
		}
	}
	if f.every > 0 && !f.toFile() && slices.Contains([]string{"html", "csv"}, f.format.value) {
		return hint("-o FILE keeps one file up to date", "--every writes one %s after the other to standard output, which nothing reads", f.format.value)
	}
	for _, d := range []struct {
		flag string
		v    time.Duration
	}{{"for", f.duration}, {"every", f.every}, {"write-age", f.evidence.age}} {
		if d.v < 0 || d.v > 0 && d.v < time.Second {
			return fmt.Errorf("invalid --%s %v: it must be at least 1s", d.flag, d.v)
		}
	}
	for _, h := range f.filter.hosts {
		if !h.addr.IsValid() {
			return hint("getent hosts "+h.text+" tells its address", "--host %s: the kernel knows addresses, no names", h.text)
		}
	}
	if f.bpfRaw != "" && (f.lean || len(f.filter.ports)+len(f.filter.hosts)+len(f.filter.nets) > 0) {
		return errors.New("--bpf-raw is the whole filter: it does not go with --lean, --port, --host or --net")
	}
	return nil
}

// kernelFilter is the question that the kernel is asked of every packet.
func (f *liveFlags) kernelFilter() (live.Filter, error) {
	question := live.Filter{Ports: f.filter.ports, Nets: f.filter.nets, Lean: f.lean}
	for _, h := range f.filter.hosts {
		question.Hosts = append(question.Hosts, h.addr)
	}
	if f.bpfRaw == "" {
		return question, nil
	}
	text, err := readProgram(f.bpfRaw)
	if err == nil {
		question.Raw, err = live.ParseRaw(text)
	}
	if err != nil {
		err = hint("tcpdump -i IFACE -ddd EXPRESSION > FILE makes one", "--bpf-raw %s: %w", f.bpfRaw, err)
	}
	return question, err
}

// maxProgram is more than tcpdump writes for the longest program that a kernel takes.
const maxProgram = 1 << 20

func readProgram(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxProgram))
}

// expression says in tcpdump's words what is captured.
func (f *liveFlags) expression() string {
	if f.bpfRaw != "" {
		return "--bpf-raw " + f.bpfRaw
	}
	any := func(what string, values []string) string {
		for i, v := range values {
			values[i] = what + " " + v
		}
		if len(values) > 1 {
			return "(" + strings.Join(values, " or ") + ")"
		}
		return strings.Join(values, "")
	}
	parts := []string{"tcp"}
	var ports, places []string
	for _, p := range f.filter.ports {
		ports = append(ports, fmt.Sprint(p))
	}
	if len(ports) > 0 {
		parts = append(parts, any("port", ports))
	}
	var hosts, nets []string
	for _, h := range f.filter.hosts {
		hosts = append(hosts, h.addr.String())
	}
	for _, n := range f.filter.nets {
		nets = append(nets, n.String())
	}
	for _, one := range []string{any("host", hosts), any("net", nets)} {
		if one != "" {
			places = append(places, one)
		}
	}
	if len(places) > 0 {
		parts = append(parts, any("", places))
	}
	said := strings.ReplaceAll(strings.Join(parts, " and "), "( ", "(")
	said = strings.ReplaceAll(said, "  ", " ")
	if f.lean {
		said += ", --lean"
	}
	return said
}

// live captures until it is told to end.
func (s *streams) live(f *liveFlags) error {
	if f.list {
		return s.listInterfaces()
	}
	if err := f.check(); err != nil {
		return err
	}
	if runtime.GOOS != "linux" {
		_, err := live.Open(live.Options{}) // says what to use instead
		return &exitError{exitFailed, err}
	}
	if err := confine.Check(f.user); err != nil {
		return err
	}
	for _, file := range []string{f.output, f.evidence.file} {
		if info, err := os.Stat(filepath.Dir(file)); file != "" && (err != nil || !info.IsDir()) {
			return &exitError{exitFailed, hint("mkdir -p "+filepath.Dir(file), "write to %s: there is no directory %s", file, filepath.Dir(file))}
		}
	}
	base, err := openAhead(f.overlays)()
	if err != nil {
		return err
	}
	keys, err := s.secrets(&f.readFlags, nil)
	if err != nil {
		return err
	}
	redactor, err := f.redaction.redactor()
	if err != nil {
		return err
	}
	question, err := f.kernelFilter()
	if err != nil {
		return err
	}
	// From now on signals are taken, so that none ends the program without a report.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, slices.Concat(endSignals, reportSignals)...)
	defer signal.Stop(signals)
	source, err := live.Open(live.Options{Interfaces: f.interfaces, Promiscuous: f.promiscuous, Filter: question, Buffer: f.buffer << 20})
	if err != nil {
		return &exitError{exitFailed, err}
	}
	defer source.Close()
	w := newWatcher(s, f, source, base, redactor)
	if f.metrics != "" {
		listener, err := net.Listen("tcp", f.metrics)
		if err != nil {
			return &exitError{exitFailed, hint("another address or port: --metrics 127.0.0.1:9893", "serve metrics: %w", cause(err))}
		}
		w.metrics = metrics.New(version())
		server := metrics.Serve(listener, w.metrics.Handler(w.health.check))
		defer server.Close()
	}
	confined, err := confine.Confine(f.confinement())
	if err != nil {
		return &exitError{exitFailed, err}
	}
	w.confined = confined
	if f.evidence.file != "" {
		w.evidence, err = slice.NewEvidence(slice.EvidenceOptions{
			File: f.evidence.file, MaxSize: int64(f.evidence.size) << 20, MaxFiles: f.evidence.files, MaxAge: f.evidence.age,
			Ports: f.filter.ports, Redact: redactor != nil, Connections: f.connections, Memory: liveMemory,
		})
		if err != nil {
			return &exitError{exitFailed, err}
		}
	}
	w.decoder = decode.New(decode.Options{
		Capture: source.Info().Name, Index: 1, Ports: f.filter.ports, Keys: keys,
		Bounds: decode.Bounds{Connections: f.connections, Memory: liveMemory}, Early: w.early,
	}, w.ended)
	if err := w.run(signals); err != nil {
		return &exitError{exitFailed, err}
	}
	if least, on := severities[f.failOn.value]; on {
		for _, finding := range w.watch.Findings() {
			if finding.Severity >= least {
				return &exitError{status: exitFindings}
			}
		}
	}
	return nil
}

// cause leaves out of a network error what it was about: the caller says that.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return fmt.Errorf("listen on %v: %w", op.Addr, op.Err)
	}
	return err
}

// confinement is what is needed still when everything is open.
func (f *liveFlags) confinement() confine.Options {
	o := confine.Options{User: f.user}
	for _, file := range []string{f.output, f.evidence.file} {
		if file != "" && file != "-" {
			o.WritablePaths = append(o.WritablePaths, file)
		}
	}
	return o
}

// listInterfaces shows what can be captured on.
func (s *streams) listInterfaces() error {
	all, err := live.Interfaces()
	if err != nil {
		return &exitError{exitFailed, err}
	}
	rows := [][]string{{"INTERFACE", "STATE", "LINK", "ADDRESSES"}}
	for _, i := range all {
		var addresses []string
		for _, a := range i.Addresses {
			addresses = append(addresses, a.String())
		}
		state := "down"
		if i.Up {
			state = "up"
		}
		rows = append(rows, []string{i.Name, state, i.Link.String(), cmp.Or(strings.Join(addresses, " "), "-")})
	}
	var b strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&b, "%-16s %-5s %-11s %s\n", row[0], row[1], row[2], report.Escape(row[3]))
	}
	if _, err := io.WriteString(s.out, b.String()); err != nil {
		return &exitError{exitFailed, fmt.Errorf("write the list of interfaces: %w", err)}
	}
	return nil
}

// terminal is standard output where that is one which can be drawn on.
func (s *streams) terminal() *os.File {
	if os.Getenv("TERM") == "dumb" {
		return nil
	}
	return terminalOf(s.out)
}

// terminalOf is the terminal that a stream goes to, nil where it is another file.
func terminalOf(w io.Writer) *os.File {
	if o, ok := w.(*outlet); ok {
		w = o.to
	}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return file
	}
	return nil
}
