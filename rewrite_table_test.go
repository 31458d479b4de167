package mqttriage_test

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/decode"
)

// A rewriting tells a conversation in other packets. What it leaves nil stays
// as it is: every segment whole in its own datagram on Ethernet, in a pcap.
type rewriting struct {
	name string

	// What is rewritten, in this order.
	segments  func(conversation) conversation
	datagrams func(datagram []byte) [][]byte
	on        *framing
	packets   func([]captured) []captured
	file      func(capture.LinkType, []captured) []byte

	// only4 is for conversations over IPv4, only for those it returns true for.
	only4 bool
	only  func(conversation) bool

	// What it may change, and why. First makes what the conversation is compared
	// with, where it cannot be rewritten as it was. Adds is a note that sessions
	// with a noted segment get, or all where toAll is set; may is one that they
	// may get. Back undoes a change of addresses, and late is how much later
	// everything is.
	first     func(conversation) conversation
	adds, may decode.Note
	toAll     bool
	back      func(at netip.AddrPort, client bool) netip.AddrPort
	late      time.Duration
	why       string

	// unknown: tshark does not take this apart by itself.
	unknown bool
}

// Reasons that several rows have.
const (
	newAddresses   = "addresses are others; they are put back to be compared"
	copiesAreNoted = "that packets were captured more than once is noted"
	sentTwice      = "that bytes were sent again is noted"
)

// rewritings are all that must not change what is told. A new one is a row.
var rewritings = []rewriting{
	{name: "as it was"},

	// Links.
	{name: "SLL", on: &framing{capture.LinkLinuxSLL, cookedLinux}},
	{name: "SLL2", on: &framing{capture.LinkLinuxSLL2, cookedLinux2}},
	{name: "NULL, little-endian", on: &framing{capture.LinkNull, family(binary.LittleEndian, 30)}},
	{name: "NULL, big-endian", on: &framing{capture.LinkNull, family(binary.BigEndian, 28)}},
	{name: "NULL, Linux", on: &framing{capture.LinkNull, family(binary.LittleEndian, 10)}, unknown: true},
	{name: "LOOP", on: &framing{capture.LinkLoop, family(binary.BigEndian, 24)}},
	{name: "RAW", on: bareIP(capture.LinkRaw)},
	{name: "RAW of BSD", on: bareIP(capture.LinkRawBSD)},
	{name: "RAW of OpenBSD", on: bareIP(capture.LinkRawOpenBSD)},
	{name: "IPV4", on: bareIP(capture.LinkIPv4), only4: true},
	{name: "IPV6", on: bareIP(capture.LinkIPv6), segments: over6, only4: true, back: everyAddress(narrowed), why: newAddresses},
	{name: "PPP", on: &framing{capture.LinkPPP, ppp}},
	{name: "PPP with an HDLC header", on: &framing{capture.LinkPPP, pppHDLC}},
	{name: "PPP_HDLC", on: &framing{capture.LinkPPPHDLC, pppHDLC}},
	{name: "PPP_ETHER", on: &framing{capture.LinkPPPEther, pppoe}},
	{name: "C_HDLC", on: &framing{capture.LinkCHDLC, ciscoHDLC}},
	{name: "NFLOG, little-endian", on: &framing{capture.LinkNFLOG, nflog(binary.LittleEndian)}},
	{name: "NFLOG, big-endian", on: &framing{capture.LinkNFLOG, nflog(binary.BigEndian)}, file: inPcap(binary.BigEndian, false)},
	{name: "802.11", on: &framing{capture.LinkIEEE80211, wifi}},
	{name: "802.11 with QoS", on: &framing{capture.LinkIEEE80211, wifiQoS}},
	{name: "802.11 between access points", on: &framing{capture.LinkIEEE80211, wifiBridged}},
	{name: "radiotap", on: &framing{capture.LinkIEEE80211Radiotap, radiotap}},
	{name: "radiotap with padding and checksum", on: &framing{capture.LinkIEEE80211Radiotap, radiotapFull}},
	{name: "802.3 with SNAP", on: onEthernet(ethernet8023), only: shorterThan(1400), why: "a length above 1,500 is an EtherType"},
	{name: "VLAN", on: onEthernet(tagged(0x8100))},
	{name: "QinQ", on: onEthernet(tagged(0x88a8, 0x8100))},
	{name: "old QinQ", on: onEthernet(tagged(0x9100, 0x8100))},
	{name: "three VLANs", on: onEthernet(tagged(0x88a8, 0x88a8, 0x8100))},
	{name: "Ethernet, padded", on: onEthernet(padded(0, 0))},
	{name: "Ethernet, padded with old bytes", on: onEthernet(padded(0x10, 0))},
	{name: "Ethernet with a trailer", on: onEthernet(padded(0x30, 12))},

	// Tunnels.
	{name: "MPLS", on: onEthernet(mpls)},
	{name: "Ethernet over MPLS", on: onEthernet(mplsEthernet)},
	{name: "PPPoE", on: onEthernet(pppoeInEthernet)},
	{name: "GRE", on: through(greIP, ethernet)},
	{name: "GRE with checksum, key and number", on: through(greFull, ethernet)},
	{name: "gretap", on: through(gretap, ethernet)},
	{name: "ERSPAN I", on: through(erspan1, ethernet)},
	{name: "ERSPAN II", on: through(erspan2, ethernet)},
	{name: "ERSPAN III", on: through(erspan3(false), ethernet)},
	{name: "ERSPAN III with a subheader", on: through(erspan3(true), ethernet)},
	{name: "VXLAN", on: through(vxlan(4789), ethernet)},
	{name: "VXLAN on Linux's old port", on: through(vxlan(8472), ethernet), unknown: true},
	{name: "Geneve", on: through(geneve, ethernet)},
	{name: "Geneve without Ethernet", on: through(geneveIP, ethernet)},
	{name: "GTP-U", on: through(gtp(false), ethernet)},
	{name: "GTP-U with an extension header", on: through(gtp(true), ethernet)},
	{name: "IP in IP", on: through(ipInIP, ethernet)},
	{name: "6in4", on: through(ipInIP, ethernet), segments: over6, only4: true, back: everyAddress(narrowed), why: newAddresses},
	{name: "IP in IPv6", on: through(ipInIP6, ethernet)},
	{name: "VXLAN in GRE in a VLAN", on: through(nested, tagged(0x8100))},
	{name: "IP in IP on a raw link", on: &framing{capture.LinkRaw, ipInIP}},

	// IP.
	{name: "IPv6", segments: over6, only4: true, back: everyAddress(narrowed), why: newAddresses},
	{name: "IPv6 with extension headers", segments: over6, only4: true, back: everyAddress(narrowed), datagrams: one(extended6), why: newAddresses},
	{name: "IPv4 options", datagrams: one(withOptions4), only4: true},
	{name: "no length in IP, as of TSO", datagrams: one(withoutLength)},
	{name: "no checksums", datagrams: one(withChecksums(0, 0))},
	{name: "wrong checksums", datagrams: one(withChecksums(0xdead, 0xbeef))},
	{name: "IPv4 fragments of 24 bytes", segments: numbered, datagrams: fragmented4(24), only4: true},
	{name: "IPv4 fragments of 24 bytes, backwards", segments: numbered, datagrams: backwards(fragmented4(24)), only4: true},
	{name: "IPv4 fragments of 8 bytes, backwards", segments: numbered, datagrams: backwards(fragmented4(8)), only4: true, only: shorterThan(900), why: "a datagram in more than 128 fragments is an attack"},
	{name: "IPv4 fragments of 24 bytes, each twice", segments: numbered, datagrams: doubled(fragmented4(24)), only4: true},
	{name: "IPv4 fragments in VXLAN", segments: numbered, datagrams: fragmented4(48), on: through(vxlan(4789), ethernet), only4: true},
	{name: "IPv6 fragments of 24 bytes", segments: over6, only4: true, back: everyAddress(narrowed), datagrams: fragmented6(24), why: newAddresses},
	{name: "IPv6 fragments of 24 bytes, backwards", segments: over6, only4: true, back: everyAddress(narrowed), datagrams: backwards(fragmented6(24)), why: newAddresses},
	{name: "addresses renumbered", segments: readdressed(everyAddress(flipped)), back: everyAddress(flipped), why: newAddresses},
	{name: "clients elsewhere", segments: readdressed(routed), back: routed, why: newAddresses},

	// TCP.
	{name: "one byte a segment", segments: bytewise},
	{name: "five bytes a segment", segments: fivewise},
	{name: "segments of any size", segments: anySize},
	{name: "coalesced", first: together, segments: coalesced, why: "the first bytes of a run come with its last"},
	{name: "swapped on the way", first: fivewise, segments: onTheWay, why: "there must be pieces to swap"},
	{name: "swapped by queues within a direction", segments: swapped(0, oneWay)},
	{name: "swapped by queues within a direction, others", segments: swapped(1, oneWay)},
	{name: "swapped by queues across directions", segments: swapped(0, bothWays)},
	{name: "swapped by queues across directions, others", segments: swapped(1, bothWays)},
	{name: "swapped by queues across connections", segments: swapped(0, otherTuple)},
	{name: "swapped by queues across connections, others", segments: swapped(1, otherTuple)},
	// At once only the identification tells it from a copy, which IPv6 has not.
	{name: "sent again at once", segments: resent(50 * time.Microsecond), only4: true, adds: decode.NoteRetransmitted, why: sentTwice},
	{name: "sent again soon", segments: resent(15 * time.Millisecond), adds: decode.NoteRetransmitted, why: sentTwice},
	{name: "sent again soon without identification", segments: both(resent(15*time.Millisecond), unnumbered), adds: decode.NoteRetransmitted, why: sentTwice},
	{name: "sent again later", segments: resent(230 * time.Millisecond), adds: decode.NoteRetransmitted, why: sentTwice},
	{name: "overlapping", segments: overlapped, adds: decode.NoteRetransmitted, why: sentTwice},
	{name: "probed", segments: probed},
	{name: "numbers wrap in the client's first bytes", segments: wrapped(true)},
	{name: "numbers wrap in the broker's first bytes", segments: wrapped(false)},
	{name: "no TCP options", segments: withTCPOptions()},
	{name: "strange TCP options", segments: withTCPOptions(strange...)},
	{name: "congestion notified", segments: notified},
	{name: "other client ports", segments: readdressed(otherPort), back: otherPort, why: newAddresses},
	{name: "behind PROXY, version 1", segments: behindProxy(proxy1), adds: decode.NoteProxyProtocol, why: "the header is noted"},
	{name: "behind PROXY, version 2", segments: behindProxy(proxy2), adds: decode.NoteProxyProtocol, why: "the header is noted"},

	// Capturing.
	{name: "eleven years later", segments: later(11 * 365 * 24 * time.Hour), late: 11 * 365 * 24 * time.Hour, why: "all times are others"},
	{name: "thirty years earlier", segments: later(-30 * 365 * 24 * time.Hour), late: -30 * 365 * 24 * time.Hour, why: "all times are others"},
	{name: "cut behind the handshake", first: published, segments: published, packets: cutAt(256), only: shorterThan(150), why: "there must be something to cut"},
	{name: "amid noise", packets: amidNoise},
	{name: "captured twice at once", packets: copied(1, 0, nil), adds: decode.NoteDuplicate, toAll: true, why: copiesAreNoted},
	{name: "captured twice", packets: copied(1, 3*time.Microsecond, nil), adds: decode.NoteDuplicate, toAll: true, why: copiesAreNoted},
	{name: "captured twice, a millisecond apart", packets: copied(1, time.Millisecond, nil), adds: decode.NoteDuplicate, toAll: true, why: copiesAreNoted},
	// So late a copy is known by its identification alone.
	{name: "captured twice, 50 ms apart", packets: copied(1, 50*time.Millisecond, nil), only: identified, adds: decode.NoteDuplicate, toAll: true, why: copiesAreNoted},
	{name: "captured before and behind a router", packets: copied(1, 40*time.Microsecond, forwarded), adds: decode.NoteDuplicate, toAll: true, why: copiesAreNoted},
	{name: "captured before and in a tunnel", packets: copied(1, 5*time.Microsecond, wrappedUp), adds: decode.NoteDuplicate, toAll: true, why: copiesAreNoted},
	{name: "captured twice without identification", segments: unnumbered, packets: copied(1, 3*time.Microsecond, nil), adds: decode.NoteDuplicate, toAll: true, why: copiesAreNoted},
	{name: "captured on three interfaces of any", on: &framing{capture.LinkLinuxSLL2, cookedLinux2}, packets: copied(2, 2*time.Microsecond, onInterface), adds: decode.NoteDuplicate, toAll: true, why: copiesAreNoted},
	{name: "captured on three interfaces, pcapng", packets: copied(2, 2*time.Microsecond, nil), file: inPcapng(binary.LittleEndian), adds: decode.NoteDuplicate, toAll: true, why: copiesAreNoted},
	{name: "captured on both sides of a NAT", packets: twiceAcrossNAT, only: everyoneConnects, adds: decode.NoteDuplicate, toAll: true, why: copiesAreNoted},

	// Files.
	{name: "pcap, big-endian", file: inPcap(binary.BigEndian, false)},
	{name: "pcap with nanoseconds", file: inPcap(binary.LittleEndian, true)},
	{name: "pcap with nanoseconds, big-endian", file: inPcap(binary.BigEndian, true)},
	{name: "pcapng, little-endian", file: inPcapng(binary.LittleEndian)},
	{name: "pcapng, big-endian", file: inPcapng(binary.BigEndian)},
	{name: "pcapng with three interfaces", packets: inTurn(3), file: inPcapng(binary.LittleEndian)},
	{name: "gzip", file: gzipped},
	{name: "zstd", file: zstandard},
}
