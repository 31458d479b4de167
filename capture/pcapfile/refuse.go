package pcapfile

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mqttriage/mqttriage/capture"
)

// refusalSize is how much of a file is looked at to say what it is instead of
// a capture; tar's magic is the one farthest in.
const refusalSize = 512

const (
	convert = "convert it first: editcap -F pcap IN OUT"
	// Where a format says of each packet what it is, editcap must be told.
	convertEthernet = "convert it first: editcap -F pcap -T ether IN OUT"

	again  = "no common tool converts it; record again: tcpdump -w FILE"
	unpack = "unpack it first: "
)

// foreign is a kind of file that is known, and not read here.
type foreign struct {
	magic  string
	offset int
	// what completes "it is …"; hint is the command that helps.
	what, hint string
}

// foreigners are tried in order. Other capture formats are those that editcap
// reads; their magic numbers are in Wireshark's wiretap and in libpcap's
// sf-pcap.c.
var foreigners = []foreign{
	{"\xa1\xb2\xcd\x34", 0, "a modified pcap file (Kuznetzov's tcpdump, FRITZ!Box)", convert},
	{"\x34\xcd\xb2\xa1", 0, "a modified pcap file (Kuznetzov's tcpdump, FRITZ!Box)", convert},
	{"\xa1\xb2\x34\xcd", 0, "a modified pcap file (Mesquita's tcpdump)", again},
	{"\xcd\x34\xb2\xa1", 0, "a modified pcap file (Mesquita's tcpdump)", again},
	{"\xa1\x2b\x3c\x4d", 0, "a modified pcap file (Navtel)", again},
	{"\x4d\x3c\x2b\xa1", 0, "a modified pcap file (Navtel)", again},
	{"\x1c\x00\x01\xac", 0, "a modified pcap file (IXIA lcap, hardware)", convert},
	{"\xac\x01\x00\x1c", 0, "a modified pcap file (IXIA lcap, hardware)", convert},
	{"\x1c\x00\x01\xab", 0, "a modified pcap file (IXIA lcap, software)", convert},
	{"\xab\x01\x00\x1c", 0, "a modified pcap file (IXIA lcap, software)", convert},
	{"snoop\x00\x00\x00", 0, "a Solaris snoop capture", convert},
	{"btsnoop\x00", 0, "a Bluetooth capture (BTSnoop), which holds no MQTT over TCP", ""},
	{"GMBU", 0, "a Microsoft Network Monitor capture", convert},
	{"RTSS", 0, "a Microsoft Network Monitor 1 capture", convert},
	{"\x7fver", 0, "a Savvius/WildPackets Peek capture", convert},
	{"VL\x00\x00", 0, "a NetXRay capture", convert},
	{"XCP\x00", 0, "a NetXRay or Windows Sniffer capture", convert},
	{"TRSNIFF data    \x1a", 0, "a DOS Sniffer capture", convert},
	{"\x05VNF", 0, "a Visual Networks capture", convert},
	{"iptrace 1.0", 0, "an AIX iptrace capture", convert},
	{"iptrace 2.0", 0, "an AIX iptrace capture", convert},
	{"\x54\x52\x00\x64\x00\x00\x00\x00\x00\x00\x00\x80", 0, "an HP-UX nettl trace", convertEthernet},
	{"\x00\x00\x00\x01\x00\x00\x00\x00\x00\x07\xd0\x00", 0, "an HP-UX nettl trace", convertEthernet},
	{"NetScaler V2", 3, "a NetScaler trace", convert},
	{"Netscaler V3", 3, "a NetScaler trace", convert},
	{"\xaa\xaa\xaa\xaa", 0, "an InfoVista 5View capture", convert},
	{"ObserverPktBuffe", 0, "a Network Instruments Observer capture", convert},
	{"\x00\x00\x02\x00\x12\x05\x00\x10", 0, "a Tektronix K12 capture", convertEthernet},
	{"+---------+---------------+----------+", 0, "a Tektronix K12 text capture", convertEthernet},

	{"BZh", 0, "compressed with bzip2", unpack + "bzip2 -d FILE"},
	{"LZIP", 0, "compressed with lzip", unpack + "lzip -d FILE"},
	{"\x1f\x9d", 0, "compressed with compress", unpack + "gzip -d FILE"},
	{"\x1f\x8b", 0, "compressed too often", unpack + "gzip -d FILE"},
	{"\x28\xb5\x2f\xfd", 0, "compressed too often", unpack + "zstd -d FILE"},
	{lz4Magic, 0, "compressed too often", unpack + "lz4 -d IN OUT"},
	{lz4LegacyMagic, 0, "compressed too often", unpack + "lz4 -d IN OUT"},
	{xzMagic, 0, "compressed too often", unpack + "xz -d FILE"},
	{"\x5d\x00\x00", 0, "compressed with lzma", unpack + "xz -d FILE"},
	{"PK\x03\x04", 0, "a zip archive", unpack + "unzip FILE"},
	{"7z\xbc\xaf\x27\x1c", 0, "a 7-Zip archive", unpack + "7z x FILE"},
	{"Rar!\x1a\x07", 0, "a RAR archive", unpack + "unrar x FILE"},
	{"ustar", 257, "a tar archive", unpack + "tar -xf FILE"},

	{"\x7fELF", 0, "a program (ELF)", ""},
	{"MZ", 0, "a Windows program", ""},
	{"%PDF-", 0, "a PDF document", ""},
	{"version https://git-lfs", 0, "a Git LFS pointer, not the file itself", "fetch the file first: git lfs pull"},
}

// refuse says what a file is that begins with h and is no capture.
func refuse(name string, h []byte, compression string) error {
	e := &capture.NotCaptureError{Name: name}
	it := "it is "
	if compression != "" {
		it = "inside " + compression + ", it is "
	}
	for _, f := range foreigners {
		if len(h) > f.offset && bytes.HasPrefix(h[f.offset:], []byte(f.magic)) {
			e.Reason, e.Hint = it+f.what, f.hint
			return e
		}
	}
	switch text, ok := plainText(h); {
	case len(h) == 0:
		e.Reason = it + "empty"
	case ok && isHTML(text):
		e.Reason = it + "a web page (HTML)"
		e.Hint = "the download may need a login; fetch the file itself"
	case ok && strings.HasPrefix(text, "<?xml"):
		e.Reason = it + "XML text"
		e.Hint = "save the capture itself: tshark -w FILE"
	case ok && (text[0] == '{' || text[0] == '['):
		e.Reason = it + "JSON text"
	case ok:
		e.Reason = it + "plain text"
		e.Hint = "save the capture itself: tcpdump -w FILE; a hex dump is converted by: text2pcap IN OUT"
	default:
		e.Reason = fmt.Sprintf("%sunknown, beginning with % x", it, h[:min(len(h), 4)])
		e.Hint = "if it is a capture of another kind, " + convert
	}
	return e
}

// plainText reports whether h is text, and gives it without leading space.
// The last character may be cut.
func plainText(h []byte) (string, bool) {
	h = bytes.TrimPrefix(h, []byte("\xef\xbb\xbf"))
	for rest := h; len(rest) > 0; {
		c, size := utf8.DecodeRune(rest)
		if !utf8.FullRune(rest) {
			h = h[:len(h)-len(rest)]
			break
		}
		if c == utf8.RuneError && size == 1 {
			return "", false
		}
		if c < ' ' && !strings.ContainsRune("\t\n\r\f\x1b", c) || c == 0x7f {
			return "", false
		}
		rest = rest[size:]
	}
	text := strings.TrimSpace(string(h))
	return text, text != ""
}

func isHTML(text string) bool {
	start := strings.ToLower(text[:min(len(text), 16)])
	return strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html") ||
		strings.HasPrefix(start, "<head")
}
