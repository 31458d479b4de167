package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// row is one comparison. Its first command is compared with each of the others.
type row struct {
	name     string
	files    []string // the captures it needs
	commands []command
	rounds   int // 0 is what the flag says
}

// command is a process to measure.
type command struct {
	dir  string // where it runs
	args []string
	env  []string
	once bool // not even a warm-up, for it takes long
}

// String is the command as it would be typed in its folder.
func (c command) String() string {
	words := append([]string{}, c.env...)
	for i, arg := range c.args {
		if i == 0 {
			arg = filepath.Base(arg)
		}
		if strings.ContainsAny(arg, " |&") {
			arg = "'" + arg + "'"
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

// smallCase is what the README's first command reads.
const smallCase = "testdata/any-interface_takeover-loop/capture.pcap"

// The others select packets of the handshake too: tcpdump by headers alone,
// tshark by dissecting.
const (
	tcpdumpFilter = "tcp port 1883 and tcp[tcpflags] & tcp-push != 0"
	tsharkFilter  = "mqtt.msgtype==1 || mqtt.msgtype==2 || mqtt.msgtype==14"
)

// rows are all comparisons that the settings ask for. root is the repository.
func rows(s settings, root string) (all []row) {
	tool := func(args ...string) command { return command{dir: s.dir, args: args} }
	read := func(file string, env ...string) command {
		return command{dir: s.dir, args: []string{filepath.Join(s.dir, programName), "read", file}, env: env}
	}
	tcpdump := func(file string) command {
		return tool("tcpdump", "-r", file, "-w", os.DevNull, tcpdumpFilter)
	}
	add := func(name string, files []string, commands ...command) {
		all = append(all, row{name: name, files: files, commands: commands})
	}
	for _, name := range []string{"bulk", "open", "storm", "mixed", "lossy", "bulk.pcapng"} {
		file := strings.TrimSuffix(name, ".pcapng") + ".pcap" + strings.TrimPrefix(filepath.Ext(name), ".pcap")
		commands := []command{read(file), tcpdump(file)}
		if s.tshark {
			c := tool("tshark", "-r", file, "-Y", tsharkFilter, "-T", "fields",
				"-e", "frame.number", "-e", "tcp.stream", "-e", "mqtt.clientid", "-e", "mqtt.conack.val")
			c.once = true
			commands = append(commands, c)
		}
		add(name, []string{file}, commands...)
	}
	for _, name := range []string{"bulk", "storm"} {
		file := name + ".pcap"
		add(name+" on one CPU", []string{file}, read(file, "GOMAXPROCS=1"), tcpdump(file))
	}
	for _, name := range []string{"lossy", "long"} {
		if file := name + ".pcap"; name != "long" || s.long {
			add(name+" beside bulk", []string{file, "bulk.pcap"}, read(file), read("bulk.pcap"))
		}
	}
	for _, pack := range []struct{ suffix, tool string }{{"gz", "gzip"}, {"zst", "zstd"}} {
		file := "bulk.pcap." + pack.suffix
		add("bulk."+pack.suffix, []string{file}, read(file), tool(pack.tool, "-dc", file))
	}
	start := read(smallCase)
	start.dir = root
	return append(all, row{name: "small", commands: []command{start}, rounds: 21})
}

// programName is what build calls the program.
var programName = "mqttriage" + map[bool]string{true: ".exe"}[runtime.GOOS == "windows"]

// build builds the program into dir, and returns the repository's folder.
func build(dir string) (root string, err error) {
	const module = "github.com/mqttriage/mqttriage"
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w; run this inside it", err)
	}
	progress("building the program")
	cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, programName), module+"/cmd/mqttriage")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
