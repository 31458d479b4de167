package tcp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode/link"
)

// corpora are folders of captures beside the checkout. They are other
// people's, and are read where they lie.
var corpora = []string{"../../../shared/brokers", "../../../shared/captures"}

// knownStreams are captures in which Wireshark counts streams that are not
// seen here, so that all later numbers differ.
var knownStreams = map[string]string{
	"tests_cfgs_default_pcap_tls_heur__vmess-websocket.pcapng": "Wireshark counts one more, which no packet shows, behind a SOCKS handshake",
	"testing_btest_Traces_mixed-vlan-mpls.pcap":                "some of its TCP is in MPLS, which is not undone",
}

func needTshark(t *testing.T) {
	if os.Getenv("MQTTRIAGE_ORACLE") != "tshark" {
		t.Skip("takes minutes; set MQTTRIAGE_ORACLE=tshark to compare with tshark")
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
}

// TestStreamsAgainstWireshark compares stream numbers with tshark's, packet by
// packet, over whole captures.
func TestStreamsAgainstWireshark(t *testing.T) {
	needTshark(t)
	compared := 0
	for _, root := range corpora {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			if why, ok := knownStreams[entry.Name()]; ok {
				t.Logf("%s: %s", path, why)
				return nil
			}
			if source, err := pcapfile.Open(path, nil); err == nil {
				compared += compareStreams(t, path, source.Next)
				source.Close()
			}
			return nil
		})
		if err != nil {
			t.Skipf("no captures to compare: %v", err)
		}
	}
	t.Logf("%d packets compared", compared)
}

// TestScriptsAgainstWireshark does so for the scripts of TestStream.
func TestScriptsAgainstWireshark(t *testing.T) {
	needTshark(t)
	dir := t.TempDir()
	for name, tt := range streamScripts {
		path := filepath.Join(dir, strings.NewReplacer(" ", "-", "/", "-").Replace(name)+".pcap")
		if err := os.WriteFile(path, pcapOf(t, tt.script), 0o600); err != nil {
			t.Fatal(err)
		}
		source, err := pcapfile.Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if compareStreams(t, path, source.Next) != len(lines(tt.script)) {
			t.Errorf("%s: not every packet was compared", name)
		}
		source.Close()
	}
}

// oldTshark reports whether tshark is older than 4.2, whose dissect_tcp does
// not yet take a SYN with the old sequence number after FIN or RST for a new
// conversation.
var oldTshark = sync.OnceValue(func() bool {
	out, _ := exec.Command("tshark", "--version").Output()
	return regexp.MustCompile(`^TShark \(Wireshark\) ([0-3]|4\.[01])\.`).Match(out)
})

// compareStreams returns how many packets it compared. It passes over those
// that tshark gives several streams, for TCP in tunnels or in ICMP errors.
func compareStreams(t *testing.T, path string, next func() (capture.Packet, error)) (compared int) {
	theirs := wiresharkStreams(path)
	table := NewTable(Options{})
	decoder := link.NewDecoder()
	var s link.Segment
	for {
		p, err := next()
		if err != nil {
			return compared
		}
		if decoder.Decode(&p, &s) != link.OK {
			continue
		}
		if tp, _ := table.tuples.find(&s, table.Hash(&s)); tp != nil && oldTshark() {
			tp.conv.finished = false
		}
		table.Add(&s, Mark{Number: p.Number, Nano: p.Nano})
		tp, _ := table.tuples.find(&s, table.Hash(&s))
		ours := int(tp.conv.stream)
		if want, ok := theirs[p.Number]; ok {
			compared++
			if ours != want {
				t.Errorf("%s packet %d: stream %d, Wireshark says %d", path, p.Number, ours, want)
				return compared
			}
		}
	}
}

func wiresharkStreams(path string) map[int]int {
	streams := map[int]int{}
	// Its exit status is not asked for: tshark fails on captures that are cut
	// short, after it has printed what there was.
	out, _ := exec.Command("tshark", "-n", "-r", path, "-Y", "tcp", "-T", "fields", "-e", "frame.number", "-e", "tcp.stream").Output()
	rows := bufio.NewScanner(bytes.NewReader(out))
	for rows.Scan() {
		number, stream, _ := strings.Cut(rows.Text(), "\t")
		n, err1 := strconv.Atoi(number)
		m, err2 := strconv.Atoi(stream)
		if err1 == nil && err2 == nil {
			streams[n] = m
		}
	}
	return streams
}

// pcapOf makes a raw-IP capture of a script.
func pcapOf(t *testing.T, script string) []byte {
	le, be := binary.LittleEndian, binary.BigEndian
	file := le.AppendUint32(nil, 0xa1b2c3d4)
	file = append(file, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 101, 0, 0, 0)
	clock := time.Duration(0)
	for _, line := range lines(script) {
		s, m := parse(t, line, 1, &clock)
		n := 40 + len(s.Payload)
		src, dst := s.Src.AddrPort().Addr().As4(), s.Dst.AddrPort().Addr().As4()
		ip := []byte{0x45, 0, byte(n >> 8), byte(n), 0, 0, 0, 0, 64, 6, 0, 0}
		ip = append(append(ip, src[:]...), dst[:]...)
		ip = be.AppendUint16(ip, s.Src.Port)
		ip = be.AppendUint16(ip, s.Dst.Port)
		ip = be.AppendUint32(ip, s.Seq)
		ip = be.AppendUint32(ip, s.Ack)
		ip = append(ip, 5<<4, byte(s.Flags), 0xff, 0xff, 0, 0, 0, 0)
		ip = append(ip, s.Payload...)
		file = le.AppendUint32(file, uint32(m.Nano/1e9))
		file = le.AppendUint32(file, uint32(m.Nano%1e9/1e3))
		file = le.AppendUint32(file, uint32(n))
		file = le.AppendUint32(file, uint32(n))
		file = append(file, ip...)
	}
	return file
}
