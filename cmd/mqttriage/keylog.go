package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mqttriage/mqttriage/decode/tls"
)

// maxKeyLogLine is more than any line of a key log holds: the longest have two
// secrets of 64 bytes in hexadecimal, and a label.
const maxKeyLogLine = 4 << 10

// secrets reads the key logs that were named, and those beside the captures if
// they were asked for. It returns nil where there are none.
func (s *streams) secrets(f *readFlags, captures []string) (*tls.Keys, error) {
	files := f.keyLogFiles(captures)
	if f.keyLogBeside {
		for _, name := range captures {
			if name != "-" && keyLogBeside(name) == "" {
				s.note("no .keylog file beside %s", name)
			}
		}
	}
	if len(files) == 0 {
		return nil, nil
	}
	keys := new(tls.Keys)
	for _, name := range files {
		taken, err := readKeyLog(name, keys)
		if err != nil {
			return nil, err
		}
		if taken == 0 {
			s.note("no TLS secrets in %s; a key log has lines such as CLIENT_RANDOM, from SSLKEYLOGFILE or the like", name)
		}
	}
	if keys.Len() == 0 {
		return nil, nil
	}
	return keys, nil
}

// keyLogFiles are the key logs that were named, and those beside the captures if
// they were asked for.
func (f *readFlags) keyLogFiles(captures []string) []string {
	files := slices.Clone(f.keyLogs)
	if f.keyLogBeside {
		for _, name := range captures {
			if beside := keyLogBeside(name); beside != "" {
				files = append(files, beside)
			}
		}
	}
	return files
}

// keyLogBeside is the key log that lies beside a capture: site.keylog or
// site.pcapng.keylog beside site.pcapng.gz. It is "" where there is none.
func keyLogBeside(capture string) string {
	for name := capture; ; {
		if info, err := os.Stat(name + ".keylog"); err == nil && info.Mode().IsRegular() {
			return name + ".keylog"
		}
		extension := filepath.Ext(name)
		if extension == "" || filepath.Base(name) == extension {
			return ""
		}
		name = strings.TrimSuffix(name, extension)
	}
}

// readKeyLog adds the secrets of a file, and counts its lines that hold some.
func readKeyLog(name string, keys *tls.Keys) (taken int, err error) {
	file, err := os.Open(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return 0, hint("name the file that the client wrote its TLS secrets to", "read key log %s: there is no such file", name)
		}
		return 0, fmt.Errorf("read key log: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, maxKeyLogLine), maxKeyLogLine)
	for lines.Scan() {
		taken += keys.Add(lines.Bytes())
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return 0, hint("name the file that the client wrote its TLS secrets to", "read key log %s: it is none: a line has more than %d bytes", name, maxKeyLogLine)
	} else if err != nil {
		return 0, fmt.Errorf("read key log %s: %w", name, err)
	}
	return taken, nil
}
