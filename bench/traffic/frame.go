package traffic

import "encoding/binary"

const (
	maxFrame = 1514 // Ethernet without its check sequence

	etherSize = 14
	ipv4Size  = 20
	ipv6Size  = 40
	tcpSize   = 20

	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherIPv6 = 0x86dd

	protoICMP = 1
	protoTCP  = 6
	protoUDP  = 17
)

// macs are the router that all clients are behind and the broker.
var macs = [2][6]byte{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}

// prefix makes IPv6 addresses of the others: 2001:db8::/96 (RFC 3849).
var prefix = [12]byte{0x20, 0x01, 0x0d, 0xb8}

var big = binary.BigEndian

// segment builds the frame of a step in b, which is empty and has room. stamp
// is the time in milliseconds.
func (c *conversation) segment(b []byte, st *step, stamp uint32) []byte {
	from, to := st.from, 1-st.from
	ip, options := ipv4Size, 12
	if c.v6 {
		ip = ipv6Size
	}
	switch {
	case st.closed:
		options = 0
	case st.flags&syn != 0:
		options = 20
	}
	tcp := etherSize + ip
	at := tcp + tcpSize + options
	b = b[:at]
	flags := st.flags
	if st.say != nil {
		if b = st.say(b, c); len(b) > at {
			flags |= psh
		}
	}
	size := len(b) - at

	h := b[tcp:at]
	big.PutUint16(h, c.ports[from])
	big.PutUint16(h[2:], c.ports[to])
	seq, acked := c.next[from], c.next[to]
	if st.closed {
		seq = 0 // RFC 9293, section 3.5.2, group 1
	}
	if flags&ack == 0 {
		acked = 0
	}
	big.PutUint32(h[4:], seq)
	big.PutUint32(h[8:], acked)
	h[12], h[13] = byte(tcpSize+options)<<2, flags
	big.PutUint32(h[16:], 0)
	switch options {
	case 20: // MSS 1460, SACK permitted, timestamps, window scale 7
		big.PutUint16(h[14:], 64240)
		copy(h[20:], "\x02\x04\x05\xb4\x04\x02\x08\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x01\x03\x03\x07")
		c.timestamps(h[28:], from, flags, stamp)
	case 12:
		big.PutUint16(h[14:], 502)
		big.PutUint32(h[20:], 0x0101080a)
		c.timestamps(h[24:], from, flags, stamp)
	default:
		big.PutUint16(h[14:], 0)
	}
	c.next[from] += uint32(size)
	if flags&(syn|fin) != 0 {
		c.next[from]++
	}
	c.id[from]++
	c.network(b, from, protoTCP)
	seal(b, tcp, 16, protoTCP)
	return b
}

// timestamps writes the values of the option (RFC 7323, section 3.2). Each end
// counts milliseconds from an origin of its own.
func (c *conversation) timestamps(h []byte, from side, flags byte, stamp uint32) {
	c.stamp[from] = stamp + c.device*7919 + uint32(from)<<20
	echo := c.stamp[1-from]
	if flags&ack == 0 {
		echo = 0
	}
	big.PutUint32(h, c.stamp[from])
	big.PutUint32(h[4:], echo)
}

// network writes the Ethernet and IP headers of a whole frame.
func (c *conversation) network(b []byte, from side, protocol byte) {
	to := 1 - from
	ethernet(b, from, etherIPv4)
	h := b[etherSize:]
	if c.v6 {
		ethernet(b, from, etherIPv6)
		big.PutUint32(h, 6<<28)
		big.PutUint16(h[4:], uint16(len(h)-ipv6Size))
		h[6], h[7] = protocol, 64
		copy(h[8:], prefix[:])
		copy(h[20:], c.hosts[from][:])
		copy(h[24:], prefix[:])
		copy(h[36:], c.hosts[to][:])
		return
	}
	big.PutUint16(h, 0x4500)
	big.PutUint16(h[2:], uint16(len(h)))
	big.PutUint16(h[4:], c.id[from])
	big.PutUint16(h[6:], 0x4000) // don't fragment
	h[8], h[9] = 64, protocol
	big.PutUint16(h[10:], 0)
	copy(h[12:], c.hosts[from][:])
	copy(h[16:], c.hosts[to][:])
	big.PutUint16(h[10:], ^fold(sum(h[:ipv4Size])))
}

func ethernet(b []byte, from side, kind uint16) {
	copy(b, macs[1-from][:])
	copy(b[6:], macs[from][:])
	big.PutUint16(b[12:], kind)
}

// seal writes the checksum of the transport header at b[at:], over it, what it
// carries and the pseudo-header (RFC 9293, section 3.1; RFC 8200, section 8.1).
// The checksum's place must hold zero.
func seal(b []byte, at, place int, protocol byte) {
	addresses := 8
	if at > etherSize+ipv4Size {
		addresses = 32
	}
	s := sum(b[at-addresses:]) + uint64(protocol) + uint64(len(b)-at)
	big.PutUint16(b[at+place:], ^fold(s))
}

// sum adds the 16-bit words of b, in ones' complement once it is folded
// (RFC 1071): wider words have the same sum. b must not hold 2^34 bytes.
func sum(b []byte) uint64 {
	s := uint64(0)
	for len(b) >= 8 {
		v := big.Uint64(b)
		s += v>>32 + v&0xffffffff
		b = b[8:]
	}
	for len(b) >= 2 {
		s += uint64(big.Uint16(b))
		b = b[2:]
	}
	if len(b) > 0 {
		s += uint64(b[0]) << 8
	}
	return s
}

func fold(s uint64) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
