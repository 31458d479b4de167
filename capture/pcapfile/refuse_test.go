package pcapfile

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/capture"
)

func TestRefuse(t *testing.T) {
	const editcap = "; convert it first: editcap -F pcap IN OUT"
	for _, c := range []struct{ data, want string }{
		{"", "it is empty"},
		{"\x5d\x00\x00\x80\x00\xff\xff", "it is compressed with lzma; unpack it first: xz -d FILE"},
		{"BZh91AY&SY", "it is compressed with bzip2; unpack it first: bzip2 -d FILE"},
		{"PK\x03\x04\x14", "it is a zip archive; unpack it first: unzip FILE"},
		{strings.Repeat("name\x00\x00", 50)[:257] + "ustar  ", "it is a tar archive; unpack it first: tar -xf FILE"},
		{"\xa1\xb2\xcd\x34\x00\x02\x00\x04", "it is a modified pcap file (Kuznetzov's tcpdump, FRITZ!Box)" + editcap},
		{"\x34\xcd\xb2\xa1\x02\x00\x04\x00", "it is a modified pcap file (Kuznetzov's tcpdump, FRITZ!Box)" + editcap},
		{"\xac\x01\x00\x1c\x02\x00\x04\x00", "it is a modified pcap file (IXIA lcap, hardware)" + editcap},
		{"\xa1\xb2\x34\xcd\x00\x02\x00\x04", "it is a modified pcap file (Mesquita's tcpdump); no common tool converts it; record again: tcpdump -w FILE"},
		{"\x4d\x3c\x2b\xa1\x02\x00\x04\x00", "it is a modified pcap file (Navtel); no common tool converts it; record again: tcpdump -w FILE"},
		{"\x1c\x00\x01\xab\x00\x02\x00\x04", "it is a modified pcap file (IXIA lcap, software)" + editcap},
		{"\x54\x52\x00\x64\x00\x00\x00\x00\x00\x00\x00\x80/tmp", "it is an HP-UX nettl trace; convert it first: editcap -F pcap -T ether IN OUT"},
		{"\x01\x20\x00Netscaler V30 Performance Data", "it is a NetScaler trace" + editcap},
		{"ObserverPktBufferVersion=15.00", "it is a Network Instruments Observer capture" + editcap},
		{"XCP\x00001.100", "it is a NetXRay or Windows Sniffer capture" + editcap},
		{string(bigEndian().u32(pcapMicro).u16(2, 2).u32(0, 0, 65535, 6).b), "it is an AIX pcap file" + editcap},
		{"snoop\x00\x00\x00\x00\x00\x00\x02", "it is a Solaris snoop capture" + editcap},
		{"GMBU\x00\x02", "it is a Microsoft Network Monitor capture" + editcap},
		{"\x7fver\x00", "it is a Savvius/WildPackets Peek capture" + editcap},
		{"btsnoop\x00\x00\x00\x00\x01", "it is a Bluetooth capture (BTSnoop), which holds no MQTT over TCP"},
		{"+---------+---------------+----------+\r\n", "it is a Tektronix K12 text capture; convert it first: editcap -F pcap -T ether IN OUT"},
		{"\x7fELF\x02\x01\x01", "it is a program (ELF)"},
		{"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer, not the file itself; fetch the file first: git lfs pull"},
		{"  <!DOCTYPE html><html>", "it is a web page (HTML); the download may need a login; fetch the file itself"},
		{"<?xml version=\"1.0\"?>\n<pdml>", "it is XML text; save the capture itself: tshark -w FILE"},
		{"\xef\xbb\xbf{\"schema\": 1}", "it is JSON text"},
		{"12:00:01.0 IP 10.0.0.1 > 10.0.0.2: Flags [S]\n", "it is plain text; save the capture itself: tcpdump -w FILE; a hex dump is converted by: text2pcap IN OUT"},
		{"gr\xc3\xbc\xc3", "it is plain text; save the capture itself: tcpdump -w FILE; a hex dump is converted by: text2pcap IN OUT"},
		{"\x10\x25\x00\x04MQTT", "it is unknown, beginning with 10 25 00 04; if it is a capture of another kind, convert it first: editcap -F pcap IN OUT"},
		{"\xd4", "it is unknown, beginning with d4; if it is a capture of another kind, convert it first: editcap -F pcap IN OUT"},
		{"text\x00", "it is unknown, beginning with 74 65 78 74; if it is a capture of another kind, convert it first: editcap -F pcap IN OUT"},
	} {
		_, err := NewReader("x", strings.NewReader(c.data))
		var e *capture.NotCaptureError
		if want := "read x: not a capture: " + c.want; !errors.As(err, &e) || err.Error() != want {
			t.Errorf("%.20q:\n got %v\nwant %s", c.data, err, want)
		}
	}
}

// Every kind in the table is found by its own magic number: none hides
// behind an earlier one.
func TestRefuseTable(t *testing.T) {
	for _, f := range foreigners {
		data := strings.Repeat("\x00", f.offset) + f.magic + "\x00"
		err := refuse("x", []byte(data), "")
		if want := fmt.Sprintf("read x: not a capture: it is %s", f.what); !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", f.magic, err, want)
		}
	}
}
