//go:build oracle

package link

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/capture"
)

// tsharkDiffers are the encapsulations that tshark 4.0 does not read.
var tsharkDiffers = []string{
	"GRE with tag",            // knows no VLAN tag behind GRE
	"ERSPAN III of IP",        // takes every frame type for Ethernet
	"big-endian, of a bridge", // reads no payload of PF_BRIDGE
}

// TestAgainstTshark compares the innermost TCP segment of every frame, and of
// fragmented datagrams.
func TestAgainstTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("no tshark")
	}
	byLink := map[capture.LinkType][]tunnelFrame{}
	for _, f := range tunnelFrames() {
		byLink[f.link] = append(byLink[f.link], f)
	}
	for i, tunnel := range tunnels {
		for j, inner := range []packet{long4(300), long6(300)} {
			p := inIP(tunnel.in(inner))
			parts := split(p, 8, 64)
			if i%2 == 0 {
				slices.Reverse(parts)
			}
			for n, part := range parts {
				if part.kind == '4' {
					part.data[4], part.data[5] = byte(i+1), byte(j)
				} else {
					part.data[47] = byte(i*2 + j)
				}
				byLink[101] = append(byLink[101], tunnelFrame{fmt.Sprintf("%s in fragments, %d", tunnel.name, n), 101, part.data, j == 1})
			}
		}
	}
	for link, frames := range byLink {
		path := filepath.Join(t.TempDir(), "frames.pcap")
		if err := os.WriteFile(path, pcap(link, frames), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("tshark", "-r", path, "-o", "ip.defragment:TRUE", "-o", "tcp.relative_sequence_numbers:FALSE",
			"-d", "udp.port==8472,vxlan", "-d", "mpls.label==19,pwethcw", "-d", "mpls.label==20,pwethnocw",
			"-T", "fields", "-E", "occurrence=l",
			"-e", "tcp.srcport", "-e", "tcp.seq_raw", "-e", "tcp.len", "-e", "tcp.payload").Output()
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		if len(lines) != len(frames) {
			t.Fatalf("%v: %d lines for %d frames", link, len(lines), len(frames))
		}
		d := NewDecoder()
		compared := 0
	frames:
		for i, f := range frames {
			var s Segment
			ours := "\t\t\t"
			if r := d.Decode(&capture.Packet{Nano: int64(i) * 1e6, Link: f.link, Length: len(f.data), Data: f.data}, &s); r == OK {
				ours = strings.Join([]string{strconv.Itoa(int(s.Src.Port)), strconv.Itoa(int(s.Seq)), strconv.Itoa(s.Length), fmt.Sprintf("%x", s.Payload)}, "\t")
			}
			for _, differ := range tsharkDiffers {
				if strings.Contains(f.name, differ) {
					continue frames
				}
			}
			if compared++; ours != lines[i] {
				t.Errorf("%v, frame %d, %s:\n   ours %q\n tshark %q\n%x", link, i+1, f.name, ours, lines[i], f.data)
			}
		}
		t.Logf("%v: %d frames of %d compared", link, compared, len(frames))
	}
}

// pcap is a capture file of frames a millisecond apart.
func pcap(link capture.LinkType, frames []tunnelFrame) []byte {
	b := unhex("d4c3b2a1 0200 0400 00000000 00000000 00000400")
	b = binary.LittleEndian.AppendUint32(b, uint32(link))
	for i, f := range frames {
		for _, v := range []int{1700000000, i * 1000 % 1e6, len(f.data), len(f.data)} {
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		}
		b = append(b, f.data...)
	}
	return b
}
