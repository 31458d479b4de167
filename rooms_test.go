// Package mqttriage_test holds the rules that concern the repository as a
// whole.
package mqttriage_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/mqttriage/mqttriage/"

// corridor is the order in which data flows. A room imports only rooms before
// it and its own folders. The bench at its end measures the others.
var corridor = []string{"capture", "decode", "analyze", "kb", "report", "slice", "metrics", "cmd", "bench"}

// confined says which folder alone may import a dependency, in code that
// ships: a replacement then touches one place.
var confined = map[string][]string{
	"github.com/google/gopacket":             {},
	"github.com/eclipse/paho.golang":         {},
	"github.com/eclipse/paho.mqtt.golang":    {},
	"github.com/expr-lang/expr":              {"kb"},
	"go.yaml.in/yaml":                        {"kb"},
	"github.com/klauspost/compress":          {"capture/pcapfile", "bench"},
	"github.com/klauspost/readahead":         {"capture/pcapfile"},
	"github.com/pierrec/lz4":                 {"capture/pcapfile"},
	"github.com/ulikunitz/xz":                {"capture/pcapfile"},
	"github.com/santhosh-tekuri/jsonschema":  {},
	"golang.org/x/net":                       {"decode/dns"},
	"golang.org/x/net/bpf":                   {"capture/live"},
	"golang.org/x/sys":                       {"capture/live", "cmd/mqttriage/confine"},
	"github.com/prometheus":                  {"metrics"},
	"github.com/spf13/cobra":                 {"cmd/mqttriage"},
	"golang.org/x/term":                      {"cmd/mqttriage"},
	"github.com/gopacket/gopacket":           {},
	"github.com/google/gopacket/pcap":        {},
	"github.com/google/gopacket/pcapgo":      {},
	"github.com/google/gopacket/tcpassembly": {},
	"github.com/google/gopacket/reassembly":  {},
	"github.com/google/gopacket/ip4defrag":   {},
}

func TestRooms(t *testing.T) {
	rank := map[string]int{}
	for i, room := range corridor {
		rank[room] = i
	}
	files := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			switch entry.Name() {
			case "util", "utils", "common", "helpers", "types":
				t.Errorf("%s: no room may be called %s", path, entry.Name())
			case "testdata", ".git":
				return fs.SkipDir
			}
			return nil
		}
		// Tests may drive the rooms to their right, and compare with oracles.
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files++
		folder := filepath.ToSlash(filepath.Dir(path))
		room, _, _ := strings.Cut(folder, "/")
		if _, known := rank[room]; !known {
			t.Errorf("%s: %s is not a room of the corridor", path, room)
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if inner, ours := strings.CutPrefix(imported, module); ours {
				target, _, _ := strings.Cut(inner, "/")
				if rank[target] > rank[room] {
					t.Errorf("%s imports %s: data flows %s", path, inner, strings.Join(corridor, " → "))
				}
				continue
			}
			longest := ""
			for dependency := range confined {
				if len(dependency) > len(longest) && (imported == dependency || strings.HasPrefix(imported, dependency+"/")) {
					longest = dependency
				}
			}
			if longest == "" {
				continue
			}
			allowed := false
			for _, at := range confined[longest] {
				allowed = allowed || folder == at
			}
			if !allowed {
				t.Errorf("%s imports %s: only %v may", path, imported, confined[longest])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Fatal("no Go files found: the rules were not checked")
	}
}

// Inner folders of decode know nothing of each other, so that each can be read
// and tested alone; decode itself joins them. WebSocket and TLS hand bytes on
// and need not know either what they carry.
func TestDecodeFolders(t *testing.T) {
	allowed := map[string][]string{
		"decode/link":  {"capture"},
		"decode/tcp":   {"decode/link"},
		"decode/mqtt":  {},
		"decode/tls":   {},
		"decode/http":  {},
		"decode/ws":    {},
		"decode/dns":   {},
		"decode/proxy": {},
	}
	for folder, may := range allowed {
		paths, err := filepath.Glob(folder + "/*.go")
		if err != nil || len(paths) == 0 {
			t.Fatalf("no files in %s (%v)", folder, err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range parsed.Imports {
				imported, _ := strconv.Unquote(spec.Path.Value)
				inner, ours := strings.CutPrefix(imported, module)
				if !ours {
					continue
				}
				ok := false
				for _, m := range may {
					ok = ok || inner == m
				}
				if !ok {
					t.Errorf("%s imports %s: %s may import only %v of ours", path, inner, folder, may)
				}
			}
		}
	}
}
