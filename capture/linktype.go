package capture

import "strconv"

// The link types that captures of MQTT traffic come in, by the names of
// https://www.tcpdump.org/linktypes.html without their LINKTYPE_ prefix.
const (
	LinkNull    LinkType = 0 // 4-byte address family in the capturing host's byte order
	LinkEN10MB  LinkType = 1 // Ethernet
	LinkPPP     LinkType = 9
	LinkPPPHDLC LinkType = 50 // PPP in HDLC-like framing (RFC 1662)
	// LinkPPPEther is PPPoE session traffic without its Ethernet header.
	LinkPPPEther  LinkType = 51
	LinkRaw       LinkType = 101 // IPv4 or IPv6, as the first four bits say
	LinkCHDLC     LinkType = 104 // Cisco HDLC
	LinkIEEE80211 LinkType = 105
	LinkLoop      LinkType = 108 // LinkNull in network byte order
	LinkLinuxSLL  LinkType = 113 // Linux "any" interface, first version
	// LinkIEEE80211Radiotap is radiotap followed by an 802.11 frame.
	LinkIEEE80211Radiotap LinkType = 127
	LinkIPv4              LinkType = 228
	LinkIPv6              LinkType = 229
	LinkNFLOG             LinkType = 239
	LinkLinuxSLL2         LinkType = 276 // Linux "any" interface, second version
)

// Raw IP under the numbers that old systems wrote to files: they put their
// own DLT_RAW there instead of LINKTYPE_RAW.
const (
	LinkRawBSD     LinkType = 12
	LinkRawOpenBSD LinkType = 14
)

// IsRaw reports whether frames of this type begin with an IP header of
// either version.
func (t LinkType) IsRaw() bool {
	return t == LinkRaw || t == LinkRawBSD || t == LinkRawOpenBSD
}

// String gives the link type's name without its LINKTYPE_ prefix, such as
// "EN10MB", or "LINKTYPE 147" for one that is not listed here.
func (t LinkType) String() string {
	switch t {
	case LinkNull:
		return "NULL"
	case LinkEN10MB:
		return "EN10MB"
	case LinkPPP:
		return "PPP"
	case LinkPPPHDLC:
		return "PPP_HDLC"
	case LinkPPPEther:
		return "PPP_ETHER"
	case LinkRaw, LinkRawBSD, LinkRawOpenBSD:
		return "RAW"
	case LinkCHDLC:
		return "C_HDLC"
	case LinkIEEE80211:
		return "IEEE802_11"
	case LinkLoop:
		return "LOOP"
	case LinkLinuxSLL:
		return "LINUX_SLL"
	case LinkIEEE80211Radiotap:
		return "IEEE802_11_RADIOTAP"
	case LinkIPv4:
		return "IPV4"
	case LinkIPv6:
		return "IPV6"
	case LinkNFLOG:
		return "NFLOG"
	case LinkLinuxSLL2:
		return "LINUX_SLL2"
	}
	return "LINKTYPE " + strconv.Itoa(int(t))
}
