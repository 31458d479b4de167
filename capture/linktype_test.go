package capture

import "testing"

func TestLinkTypeString(t *testing.T) {
	// Numbers and names as in https://www.tcpdump.org/linktypes.html.
	for value, want := range map[LinkType]string{
		0: "NULL", 1: "EN10MB", 9: "PPP", 12: "RAW", 14: "RAW", 50: "PPP_HDLC",
		51: "PPP_ETHER", 101: "RAW", 104: "C_HDLC", 105: "IEEE802_11",
		108: "LOOP", 113: "LINUX_SLL", 127: "IEEE802_11_RADIOTAP",
		147: "LINKTYPE 147", 228: "IPV4", 229: "IPV6", 239: "NFLOG",
		276: "LINUX_SLL2", 65535: "LINKTYPE 65535",
	} {
		if got := value.String(); got != want {
			t.Errorf("LinkType(%d) = %q, want %q", uint16(value), got, want)
		}
	}
}

func TestLinkTypeIsRaw(t *testing.T) {
	for value := range LinkType(1000) {
		want := value == 12 || value == 14 || value == 101
		if got := value.IsRaw(); got != want {
			t.Errorf("LinkType(%d).IsRaw() = %v, want %v", uint16(value), got, want)
		}
	}
}
