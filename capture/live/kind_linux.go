package live

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mqttriage/mqttriage/capture"
)

// A kind says how an interface's frames are captured.
type kind struct {
	link capture.LinkType
	// cooked asks the kernel to take the link layer off and to tell what it said
	// (SOCK_DGRAM).
	cooked bool
}

var cooked = kind{link: capture.LinkLinuxSLL2, cooked: true}

// kindOf maps an interface's hardware type (ARPHRD_ in linux/if_arp.h) as libpcap
// does in map_arphrd_to_dlt (pcap-linux.c). What PPP shows depends on the driver, and
// types that are not listed here may show anything, so that they are left to the kernel.
func kindOf(hardware uint16) kind {
	switch hardware {
	case unix.ARPHRD_ETHER, unix.ARPHRD_LOOPBACK, unix.ARPHRD_METRICOM:
		return kind{link: capture.LinkEN10MB}
	case unix.ARPHRD_NONE, // tun, WireGuard, xfrm
		unix.ARPHRD_RAWIP, // modems; libpcap does not know it
		unix.ARPHRD_TUNNEL, unix.ARPHRD_SIT,
		unix.ARPHRD_SLIP, unix.ARPHRD_CSLIP, unix.ARPHRD_SLIP6, unix.ARPHRD_CSLIP6, unix.ARPHRD_ADAPT,
		unix.ARPHRD_RAWHDLC, unix.ARPHRD_DLCI:
		return kind{link: capture.LinkRaw}
	}
	return cooked
}

func (k kind) start() Start {
	if k.link == capture.LinkEN10MB {
		return StartEthernet
	}
	return StartIP
}

// sysNet is where sysfs describes the interfaces.
const sysNet = "/sys/class/net/"

// problem says why the frames of an interface make no sense here, or is empty. class is
// sysNet.
func problem(class, name string, hardware uint16) string {
	switch hardware {
	case unix.ARPHRD_IEEE80211, unix.ARPHRD_IEEE80211_PRISM, unix.ARPHRD_IEEE80211_RADIOTAP:
		return "it is in monitor mode, whose frames the kernel's filter cannot tell apart; write them to a file with tcpdump and read that"
	case unix.ARPHRD_ETHER:
		// The port of the processor towards a switch chip: each frame has the
		// chip's own tag in the middle. (Documentation/ABI/testing/sysfs-class-net-dsa)
		tag, err := os.ReadFile(class + name + "/dsa/tagging")
		if protocol := strings.TrimSpace(string(tag)); err == nil && protocol != "" && protocol != "none" {
			return fmt.Sprintf("its frames carry the tags of a switch chip (%.20q); capture the switch's ports, such as lan1 or wan, the bridge, or any", protocol)
		}
	}
	return ""
}
