package live_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/mqttriage/mqttriage/capture/live"
)

// A question is one that is put to our filter and in tcpdump's language to libpcap.
type question struct {
	filter string // one of filters
	start  live.Start
	expr   string
	// differs are the features of frames of which libpcap says something else,
	// and why that is meant.
	differs map[string]string
}

func (q *question) link() string {
	if q.start == live.StartIP {
		return "RAW"
	}
	return "EN10MB"
}

// Parts of expressions. Those of IPv6 with a fragment header speak of one that follows the fixed
// header, as libpcap's own do.
const (
	laterPart    = "(ip[6:2] & 0x1fff != 0 and ip proto 6)"
	laterPart6   = "(ip6[6] = 44 and ip6[40] = 6 and ip6[42:2] & 0xfff8 != 0)"
	fragmentPart = "(ip[6:2] & 0x3fff != 0 and ip[6:2] & 0x1fff = 0)"
	portsPart    = "(tcp port 1883 or tcp port 8883 or " + laterPart + " or " + laterPart6 +
		" or (ip6[6] = 44 and ip6[40] = 6 and ip6[42:2] & 0xfff8 = 0 and (ip6[48:2] = 1883 or ip6[48:2] = 8883 or ip6[50:2] = 1883 or ip6[50:2] = 8883)))"
	hostPart = "(host 10.0.0.1 or ip6 host fd00:1:2:3::1)"
	netPart  = "(net 10.0.0.0/15 or ip6 net fd00:1:2:3::/64 or net 10.5.5.0/24 or ip6 net 2001:db8:ffff:8000::/49)"

	// byte4 and byte6 are the first byte of payload.
	byte4    = "tcp[(tcp[12] & 0xf0) >> 2]"
	byte6    = "ip6[40 + ((ip6[52] & 0xf0) >> 2)]"
	leanPart = "(ip proto 6 and (ip[6:2] & 0x3fff != 0 or tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0 or " +
		"((ip[2:2] = 0 or ip[2:2] > ((ip[0] & 0xf) << 2) + ((tcp[12] & 0xf0) >> 2)) and " + oneOf4 + ")))"
	oneOf4    = "((" + byte4 + " >= 0x10 and " + byte4 + " <= 0x1f and " + byte4 + " != 0x17) or " + byte4 + " = 0x20 or " + byte4 + " = 0xe0 or " + byte4 + " = 0xf0)"
	leanPart6 = "(ip6[6] = 6 and (ip6[53] & 7 != 0 or ((ip6[4:2] = 0 or ip6[4:2] > ((ip6[52] & 0xf0) >> 2)) and " + oneOf6 + ")))"
	oneOf6    = "((" + byte6 + " >= 0x10 and " + byte6 + " <= 0x1f and " + byte6 + " != 0x17) or " + byte6 + " = 0x20 or " + byte6 + " = 0xe0 or " + byte6 + " = 0xf0)"
)

// tagged asks the same behind up to two tags.
func tagged(part string) string {
	return part + " or (vlan and (" + part + " or (vlan and " + part + ")))"
}

// Reasons of differences.
var (
	differsExtended = map[string]string{isExtended: "libpcap looks behind one header of IPv6, a fragment's, and behind none of IPv4"}
	differsEthernet = map[string]string{
		isExtended: differsExtended[isExtended],
		isPPPoE:    "libpcap wants to be told that PPPoE may come",
	}
)

// with adds a difference to others.
func with(others map[string]string, feature, reason string) map[string]string {
	all := map[string]string{feature: reason}
	for f, r := range others {
		all[f] = r
	}
	return all
}

var questions = []question{
	{"tcp", live.StartEthernet, tagged("tcp"), differsEthernet},
	{"tcp", live.StartIP, "tcp", differsExtended},
	{"tcp", live.StartEthernet, "tcp", with(differsEthernet, isTagged, "libpcap wants to be told that tags may come")},
	{"tcp", live.StartEthernet, "tcp or (pppoes and tcp)", with(map[string]string{
		isExtended:     differsExtended[isExtended],
		isOtherPPPoE:   "libpcap takes every frame of PPPoE for session data",
		isMixedPPP:     "ours goes by the version in the IP header",
		isWrongVersion: "ours goes by the version in the IP header behind PPPoE",
	}, isTagged, "not asked")},
	{"tcp", live.StartIP, "ip protochain 6 or ip6 protochain 6", map[string]string{
		isLongChain:     "ours looks behind four headers",
		isLater:         "ours cannot know what is behind the first header of a later fragment",
		isBehindAH:      "libpcap 1.10 looks for the header behind an authentication header in the wrong place",
		isOddExtension:  "libpcap takes the reserved byte of a fragment header for a length",
		isIPv4Extension: "libpcap follows authentication headers in IPv4 and no others",
	}},
	{"port", live.StartEthernet, tagged(portsPart), differsEthernet},
	{"port", live.StartIP, portsPart, differsExtended},
	{"port", live.StartEthernet, "vlan and " + portsPart, with(with(differsEthernet, isUntagged, "not asked"), isSecondTag, "not asked")},
	{"host", live.StartEthernet, tagged("(tcp and " + hostPart + ")"), differsEthernet},
	{"host", live.StartIP, "tcp and " + hostPart, differsExtended},
	{"net", live.StartEthernet, tagged("(tcp and " + netPart + ")"), differsEthernet},
	{"net", live.StartIP, "tcp and " + netPart, differsExtended},
	{"port and host", live.StartEthernet, tagged("(" + portsPart + " and " + hostPart + ")"), differsEthernet},
	{"port and host", live.StartIP, portsPart + " and " + hostPart, differsExtended},
	{"host or net", live.StartIP, "tcp and (host 192.0.2.7 or ip6 host 2001:db8::1 or net 10.1.0.0/16 or ip6 net fd00:1:2:4::/64)", differsExtended},
	{"lean", live.StartEthernet, tagged("(" + leanPart + " or " + leanPart6 + ")"), differsEthernet},
	{"lean", live.StartIP, leanPart + " or " + leanPart6, differsExtended},
	{"lean and port", live.StartIP, "(" + leanPart + " or " + leanPart6 + ") and " + portsPart, differsExtended},
	{"lean and port, net", live.StartIP, "(" + leanPart + " or " + leanPart6 + ") and " + portsPart + " and (net 10.0.0.0/8 or ip6 net fd00::/8)", differsExtended},
	{"only IPv4", live.StartIP, "ip and tcp", differsExtended},
	{"only IPv6", live.StartEthernet, tagged("(ip6 and tcp)"), differsEthernet},
}

// libpcapFile has the programs that libpcap makes of the questions; the tests with the tag
// "oracle" hold it to tcpdump's.
var libpcapFile = filepath.Join("testdata", "libpcap.txt")

// libpcapPrograms reads it: a line with link type and expression, then the program.
func libpcapPrograms(t *testing.T) map[string][]bpf.RawInstruction {
	t.Helper()
	text, err := os.ReadFile(libpcapFile)
	if err != nil {
		t.Fatal(err)
	}
	programs := map[string][]bpf.RawInstruction{}
	for block := range bytes.SplitSeq(text, []byte("\n\n")) {
		title, program, found := bytes.Cut(bytes.TrimSpace(block), []byte("\n"))
		if !found {
			continue // the head of the file
		}
		programs[string(title)] = parseLoose(t, program)
	}
	return programs
}

// parseLoose reads a program as ParseRaw does, but takes loops, which Linux does not.
func parseLoose(t *testing.T, text []byte) []bpf.RawInstruction {
	t.Helper()
	var program []bpf.RawInstruction
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if i == 0 {
			continue
		}
		var r bpf.RawInstruction
		if _, err := fmt.Sscan(line, &r.Op, &r.Jt, &r.Jf, &r.K); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		program = append(program, r)
	}
	if i, err := strconv.Atoi(strings.Fields(string(text))[0]); err != nil || i != len(program) {
		t.Fatalf("a program of %d instructions says that it has %q", len(program), strings.Fields(string(text))[0])
	}
	return program
}

// TestLibpcap compares our programs with libpcap's of the same question, on all samples.
func TestLibpcap(t *testing.T) {
	programs := libpcapPrograms(t)
	if len(programs) != len(questions) {
		t.Errorf("%s has %d programs, and there are %d questions; see TestLibpcapFile", libpcapFile, len(programs), len(questions))
	}
	for i, q := range questions {
		t.Run(fmt.Sprintf("%d %s %s", i, q.filter, q.link()), func(t *testing.T) {
			theirs := programs[q.link()+" "+q.expr]
			if theirs == nil {
				t.Fatalf("not in %s; see TestLibpcapFile", libpcapFile)
			}
			ours := machine(t, filters[q.filter], q.start)
			// Theirs runs in the virtual machine too, unless it has loops.
			their := func(frame []byte) bool { n, _ := interpret(theirs, frame); return n != 0 }
			if !strings.Contains(q.expr, "protochain") {
				vm := machineOf(t, theirs)
				their = func(frame []byte) bool { return passes(t, vm, frame) }
				if _, err := live.ParseRaw([]byte(printed(theirs))); err != nil {
					t.Errorf("ParseRaw refuses tcpdump's own program: %v", err)
				}
			}
			same, found := 0, map[string]int{}
			for _, s := range allSamples(t) {
				if s.start != q.start {
					continue
				}
				got, want := passes(t, ours, s.frame), their(s.frame)
				if got == want {
					if got {
						same++
					}
					continue
				}
				features := featuresOf(s)
				explained := false
				for f := range q.differs {
					if features[f] {
						found[f]++
						explained = true
					}
				}
				// A frame that ends within its headers passes by the order in
				// which a program comes to need them.
				if !explained && !features[isCutHeader] {
					t.Fatalf("ours is %v, libpcap's %v: %x (%v)", got, want, s.frame, features)
				}
			}
			if same < 200 {
				t.Errorf("only %d frames passed both", same)
			}
			for f, why := range q.differs {
				if found[f] == 0 {
					t.Errorf("no frame differs by %q any more (%s)", f, why)
				}
			}
		})
	}
}

// Features that only libpcap's view of a frame has.
const (
	isUntagged      = "no VLAN tag"
	isSecondTag     = "second VLAN tag"
	isBehindAH      = "extension header behind AH"
	isOddExtension  = "fragment header with reserved byte"
	isIPv4Extension = "IPv4 with IPv6's extension headers"
)

// featuresOf are what the model sees of a frame that no filter stops, and more.
func featuresOf(s sample) features {
	_, features := asks(live.Filter{}, s)
	features[isUntagged] = s.start == live.StartEthernet && !features[isTagged]
	if s.start == live.StartEthernet && len(s.frame) >= 18 {
		second := uint16(s.frame[16])<<8 | uint16(s.frame[17])
		features[isSecondTag] = features[isTagged] && slices.Contains([]uint16{typeVLAN, typeQinQ, typeOldQinQ}, second)
	}
	return features
}
