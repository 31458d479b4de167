package pcapfile

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/capture"
)

var everyPacket = flag.Bool("tshark", false, "compare every packet of the captures beside the repository with tshark's; takes minutes")

// beside lists the captures that may lie beside the repository.
func beside(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, collection := range []string{"captures", "brokers"} {
		root := filepath.Join("..", "..", "..", "shared", collection)
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				files = append(files, path)
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if len(files) == 0 {
		t.Skip("no captures beside the repository")
	}
	return files
}

// program finds a program of Wireshark's.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

// explained are the captures that tshark 4.0 reads otherwise, by the end of
// their path, and why the difference is right.
var explained = map[string]string{
	"tests_atm-oam-heapoverflow.pcap":           "Wireshark takes the SunATM header off and shortens both lengths",
	"tests_atm-heapoverflow.pcap":               "Wireshark takes the SunATM header off and shortens both lengths",
	"tests_atm-oam-loopback-print-overrun.pcap": "Wireshark takes the SunATM header off; the fraction of its time is beyond 32 bits of nanoseconds",
	"tests_juniper_es_oobr.pcap":                "Wireshark does not mask the link type field's upper bits 0x30000000",
	"tests_hoobr_juniper3.pcap":                 "Wireshark does not mask the link type field's upper bits 0x30000000",
	"file_heuristics_pcapng-example.pcapng.zst": "the second interface's times are in the year 586512",
}

// explanation is why a capture may be read otherwise, or "".
func explanation(path string) string {
	for suffix, reason := range explained {
		if strings.HasSuffix(path, suffix) {
			return reason
		}
	}
	return ""
}

// TestAgainstCapinfos compares the number of packets and the sum of their
// lengths with capinfos, for every capture at hand.
func TestAgainstCapinfos(t *testing.T) {
	capinfos := program(t, "capinfos")
	// A table of tab-separated, unquoted values: name, type, packets, bytes.
	cmd := exec.Command(capinfos, append([]string{"-T", "-r", "-B", "-N", "-M", "-t", "-c", "-d"}, beside(t)...)...)
	out, err := cmd.Output() // its status says that one file was no capture
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	compared := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) != 4 {
			t.Fatalf("capinfos: %q", line)
		}
		path, format, packets, size := fields[0], strings.Fields(fields[1])[0], fields[2], fields[3]
		if explanation(path) != "" {
			continue
		}
		s, err := Open(path, nil)
		switch format {
		case "pcap", "nsecpcap", "pcapng":
			if err != nil {
				t.Errorf("%v; capinfos: %q", err, line)
				continue
			}
		default:
			if err == nil {
				t.Errorf("%s was read; capinfos: %q", path, line)
				s.Close()
			}
			continue
		}
		compared++
		d := drainSource(t, s)
		sum := 0
		for _, p := range d.packets {
			sum += p.Length
		}
		if packets != strconv.Itoa(len(d.packets)) || size != strconv.Itoa(sum) {
			t.Errorf("%s: %d packets of %d bytes, ended by %v; capinfos: %q", path, len(d.packets), sum, d.err, line)
		}
	}
	if compared == 0 {
		t.Error("no capture compared")
	}
	t.Logf("%d captures compared", compared)
}

// tsharkFields are what is compared of each packet.
var tsharkFields = []string{"frame.number", "frame.len", "frame.cap_len", "frame.time_epoch"}

// TestAgainstTshark compares number, lengths and time of every packet of
// every capture at hand with tshark's.
func TestAgainstTshark(t *testing.T) {
	if !*everyPacket {
		t.Skip("runs tshark a thousand times; ask for it with -tshark -timeout 60m")
	}
	tshark := program(t, "tshark")
	for _, path := range beside(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			compare(t, tshark, path)
		})
	}
}

func compare(t *testing.T, tshark, path string) {
	s, err := Open(path, nil)
	if err != nil {
		// TestAgainstCapinfos holds that no pcap file is refused. tshark
		// shows any file as a "packet" when it knows no better.
		if refused := (*capture.NotCaptureError)(nil); !errors.As(err, &refused) {
			t.Fatal(err)
		}
		return
	}
	d := drainSource(t, s)
	var ours bytes.Buffer
	skipped := make(map[int]bool)
	number := 0
	for _, p := range d.packets {
		for number++; number < p.Number; number++ {
			skipped[number] = true
		}
		at := ""
		if !p.Time().IsZero() {
			at = fmt.Sprintf("%d.%09d", p.Time().Unix(), p.Time().Nanosecond())
		}
		fmt.Fprintf(&ours, "%d\t%d\t%d\t%s\n", p.Number, p.Length, len(p.Data), at)
	}

	args := []string{"-n", "-r", path, "-T", "fields", "--disable-protocol", "tcp", "--disable-protocol", "udp"}
	for _, f := range tsharkFields {
		args = append(args, "-e", f)
	}
	cmd := exec.Command(tshark, args...)
	var stderr, theirs bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output() // its status says that the file was damaged
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	// Records that are no packets have a number here, and nothing else; those
	// behind the last packet do not show at all.
	records := 0
	for line := range strings.Lines(string(out)) {
		records++
		if !skipped[records] && (d.err != io.EOF || records <= number) {
			theirs.WriteString(line)
		}
	}

	same, why := bytes.Equal(ours.Bytes(), theirs.Bytes()), explanation(path)
	switch {
	case same && why != "":
		t.Errorf("reads as tshark does, against %q", why)
	case !same && why == "":
		t.Errorf("ended by %v, tshark: %s\n%s", d.err, stderr.Bytes(), difference(ours.String(), theirs.String()))
	}
	var truncated *capture.TruncatedError
	if why == "" && strings.Contains(stderr.String(), "cut short") != errors.As(d.err, &truncated) {
		t.Errorf("ended by %v, tshark: %s", d.err, stderr.Bytes())
	}
}

// difference is the first line that differs.
func difference(ours, theirs string) string {
	a, b := strings.Split(ours, "\n"), strings.Split(theirs, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("ours   %s\ntshark %s", a[i], b[i])
		}
	}
	return fmt.Sprintf("%d packets, tshark has %d", len(a)-1, len(b)-1)
}

// TestBesideTheRepository reads all captures at hand, with tshark or without.
func TestBesideTheRepository(t *testing.T) {
	for _, path := range beside(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		fuzzSource(t, data)
	}
}
