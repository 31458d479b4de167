package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

//go:generate go test -run ^(TestManual|TestReports)$ . -update

// The manual page is what the commands and flags say of themselves.
func TestManual(t *testing.T) {
	const path = "../../docs/man/mqttriage.1"
	var page bytes.Buffer
	writeManual(&page, commandsFor(t))
	if *update {
		if err := os.WriteFile(path, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	shown, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(shown, page.Bytes()) {
		t.Errorf("%s differs from what the commands say; run go generate ./cmd/mqttriage", path)
	}
}

func commandsFor(t *testing.T) *cobra.Command {
	t.Helper()
	return rootCommand(&streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
}

// Every flag has a usage that names its value; the help of read fits 80 columns,
// and all its flags stand in the README.
func TestHelp(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	eachCommand(commandsFor(t), func(c *cobra.Command) {
		var help bytes.Buffer
		c.SetOut(&help)
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(help.String()) {
			if c.Name() == "read" && len(strings.TrimSuffix(line, "\n")) > 80 {
				t.Errorf("%s --help has a line of %d columns: %s", c.CommandPath(), len(line)-1, line)
			}
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if value, _ := pflag.UnquoteUsage(f); f.Value.Type() != "bool" && value != strings.ToUpper(value) {
				t.Errorf("%s --%s: its usage names no value: %s", c.CommandPath(), f.Name, f.Usage)
			}
			named := regexp.MustCompile("(?m)^\\| .*--" + regexp.QuoteMeta(f.Name) + "\\b[^-].*\\|$")
			if c.Name() == "read" && f.Name != "help" && !named.Match(readme) {
				t.Errorf("README.md has no row for read --%s", f.Name)
			}
		})
	})
}

// eachCommand visits the commands that a user sees, in the order of the help.
func eachCommand(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			eachCommand(sub, visit)
		}
	}
}

// writeManual writes a page in the man macros (man(7)). It has no date: the same
// commands give the same page.
func writeManual(w io.Writer, root *cobra.Command) {
	fmt.Fprintf(w, ".\\\" Made by go generate ./cmd/mqttriage; do not edit.\n")
	fmt.Fprintf(w, ".TH MQTTRIAGE 1 \"\" mqttriage \"User Commands\"\n.nh\n.ad l\n")
	fmt.Fprintf(w, ".SH NAME\nmqttriage \\- %s\n", roff(strings.ToLower(root.Short[:1])+root.Short[1:]))
	fmt.Fprintf(w, ".SH SYNOPSIS\n")
	eachCommand(root, func(c *cobra.Command) {
		if c.Runnable() && c.HasParent() {
			fmt.Fprintf(w, ".br\n\\fB%s\\fR\n", roff(c.UseLine()))
		}
	})
	fmt.Fprintf(w, ".SH DESCRIPTION\n")
	manualText(w, root.Long)
	manualExamples(w, root.Example)
	fmt.Fprintf(w, ".SH COMMANDS\n")
	eachCommand(root, func(c *cobra.Command) {
		if !c.Runnable() || !c.HasParent() {
			return
		}
		fmt.Fprintf(w, ".SS \"%s\"\n", roff(strings.TrimPrefix(c.UseLine(), root.Name()+" ")))
		text := c.Long
		if text == "" {
			text = c.Short + "."
		}
		manualText(w, text)
		c.LocalFlags().VisitAll(func(f *pflag.Flag) { manualFlag(w, f) })
		manualExamples(w, c.Example)
	})
	for _, section := range manualEnd {
		fmt.Fprintf(w, ".SH %s\n", section.title)
		manualText(w, section.text)
	}
}

// manualEnd is what no command says.
var manualEnd = []struct{ title, text string }{
	{"ENVIRONMENT", `LC_ALL, LC_MESSAGES, LANG: the first that is set gives the language of reports: Chinese for zh, else English.

NO_COLOR: if set, and not empty, there are no colours unless --color always asks for them.

GOGC, GOMEMLIMIT: the garbage collector's settings, for captures that need more memory than there is.`},
	{"NOTES", `Reports go to standard output, everything else to standard error. Passwords, user names, will payloads and TLS secrets are never printed.`},
	{"SEE ALSO", `tcpdump(1), tshark(1), wireshark(1), pcap-filter(7)`},
}

// manualText writes paragraphs.
func manualText(w io.Writer, text string) {
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		fmt.Fprintf(w, ".PP\n%s\n", roff(paragraph))
	}
}

// manualExamples writes commands as they are typed.
func manualExamples(w io.Writer, examples string) {
	if examples == "" {
		return
	}
	fmt.Fprintf(w, ".PP\n.RS 4\n.nf\n")
	for line := range strings.SplitSeq(examples, "\n") {
		fmt.Fprintln(w, roff(strings.TrimPrefix(line, "  ")))
	}
	fmt.Fprintf(w, ".fi\n.RE\n")
}

func manualFlag(w io.Writer, f *pflag.Flag) {
	if f.Hidden {
		return
	}
	name := "--" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	value, usage := pflag.UnquoteUsage(f)
	fmt.Fprintf(w, ".TP\n\\fB%s\\fR", roff(name))
	if value != "" && f.Value.Type() != "bool" {
		fmt.Fprintf(w, " \\fI%s\\fR", roff(value))
	}
	fmt.Fprintf(w, "\n%s", roff(usage))
	if d := f.DefValue; f.Value.Type() != "bool" && d != "" && d != "0" && d != "[]" {
		fmt.Fprintf(w, " (default %s)", roff(d))
	}
	fmt.Fprintln(w)
}

// roff keeps text from being read as requests: a backslash escapes, a dot or an
// apostrophe begins a request at the start of a line, and a plain "-" may be
// printed as a hyphen, which no shell takes.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, `"`, `\(dq`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
