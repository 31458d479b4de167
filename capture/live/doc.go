// Package live captures packets from the interfaces of this machine.
//
// On Linux it reads a packet socket's memory-mapped ring (TPACKET_V3, see
// Documentation/networking/packet_mmap.rst of the kernel) in pure Go: the kernel
// filters, copies a frame once into the ring and stamps it, and [Source.Read] hands
// out packets that point there. Link types, what is seen twice and
// where VLAN tags go follow libpcap, so that the frames are those that tcpdump
// writes. Elsewhere [Open] and [Interfaces] say what to use instead.
//
// CAP_NET_RAW is needed by Open and by nothing after it: an interface that was
// removed and is made again is bound to the socket that there is.
package live
