package traffic

// side is an end of a connection.
type side uint8

const (
	client side = iota
	broker
)

// step is one segment of a conversation.
type step struct {
	from  side
	flags byte
	// say appends what the segment carries; nil carries nothing.
	say func(b []byte, c *conversation) []byte
	// closed: the segment comes from a port where nobody listens, so that
	// there is no connection to have options or sequence numbers.
	closed bool
	// holds: the next step waits until another conversation of the device
	// comes to a step that ousts this one.
	holds, ousts bool
}

// conversation is one TCP connection on its way through its script.
type conversation struct {
	script []step
	at     int
	// device is the client's number, which gives its client ID.
	device uint32
	v5     bool
	// v6 says that addresses are written as IPv6.
	v6    bool
	hosts [2][4]byte
	ports [2]uint16

	// next is the next sequence number of each side, stamp the latest
	// timestamp and id the latest IP identification.
	next, stamp [2]uint32
	id          [2]uint16

	state uint64 // of random
	late  []late // what a lossy wire holds back
}

// mqttHost and mqttPort are the broker's.
var mqttHost = [4]byte{192, 0, 2, 10}

const mqttPort = 1883

// reset makes c the beginning of a conversation with the broker. One client's
// visits differ in the port.
func (c *conversation) reset(script []step, device, visit uint32, random uint64) {
	*c = conversation{script: script, device: device, state: random, late: c.late[:0]}
	c.hosts = [2][4]byte{address(device), mqttHost}
	c.ports = [2]uint16{port(device, visit), mqttPort}
	r := c.random()
	c.next = [2]uint32{uint32(r), uint32(r >> 32)}
	r = c.random()
	c.id = [2]uint16{uint16(r), uint16(r >> 16)}
}

// random is the next number of SplitMix64, which needs eight bytes a
// conversation.
func (c *conversation) random() uint64 {
	c.state += 0x9e3779b97f4a7c15
	z := c.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// address spreads clients over 10.0.0.0/8; an odd factor gives no two of 2^24
// the same.
func address(n uint32) [4]byte {
	n *= 0x9e3779b1
	return [4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}
}

// port gives a client another port at each visit, from the range that Linux
// draws from (net.ipv4.ip_local_port_range).
func port(device, visit uint32) uint16 {
	return uint16(32768 + (device*2654435+visit)%28232)
}

// The flags of a TCP header (RFC 9293, section 3.1).
const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
)
