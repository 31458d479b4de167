package traffic

import (
	"math/rand/v2"
	"slices"
)

// mixedGap is the mean time between two packets in microseconds, mixedOpen how
// many connections of each kind are open at once.
const (
	mixedGap  = 10
	mixedOpen = 500
)

// mixed ends with the last MQTT connection, whatever is open of the rest.
func mixed(g *generator, connections int) {
	g.gap = mixedGap
	n := &noise{generator: g, pool: newNonsense(g.rng)}
	devices := scheduler{generator: g, open: mixedOpen, begin: g.fleet(g.dial(login, readings(publishes), logout), connections)}
	web := scheduler{generator: g, open: mixedOpen, begin: n.web()}
	shell := scheduler{generator: g, open: mixedOpen, begin: n.shell()}
	// The cases add up to 100 packets: the last three make two each.
	for {
		switch draw := g.rng.IntN(90); {
		case draw < 20:
			if !devices.step() {
				return
			}
		case draw < 65:
			web.step()
		case draw < 80:
			shell.step()
		case draw < 86:
			n.dns()
		case draw < 88:
			n.ping()
		default:
			n.arp()
		}
	}
}

// noise is traffic that has nothing to do with MQTT.
type noise struct {
	*generator
	pool  nonsense
	count uint32 // of clients
	talk  conversation
}

// visitor begins a conversation of somebody who is no device.
func (n *noise) visitor(c *conversation, script []step, host byte, port uint16) {
	n.count++
	c.reset(script, maxConnections+n.count%1_000_000, n.count/1_000_000, n.rng.Uint64())
	c.hosts[broker][3], c.ports[broker] = host, port
}

// web is HTTPS as far as record headers go: a page and its pictures.
func (n *noise) web() func(*conversation) bool {
	script := slices.Concat(opening, []step{
		{from: client, flags: ack, say: n.pool.record(0x16, 512)},
		{from: broker, flags: ack},
		{from: broker, flags: ack, say: n.pool.record(0x16, 1443)},
		{from: broker, flags: ack, say: n.pool.record(0x17, 900)},
		{from: client, flags: ack, say: n.pool.record(0x17, 69)},
	})
	for range 6 {
		script = slices.Concat(script, []step{
			{from: client, flags: ack, say: n.pool.record(0x17, 310)},
			{from: broker, flags: ack, say: n.pool.record(0x17, 1443)},
			{from: broker, flags: ack, say: n.pool.record(0x17, 710)},
			{from: client, flags: ack},
		})
	}
	script = slices.Concat(script, []step{
		{from: client, flags: fin | ack},
		{from: broker, flags: fin | ack},
		{from: client, flags: ack},
	})
	return func(c *conversation) bool {
		n.visitor(c, script, 20, 443)
		return true
	}
}

// shell is SSH over IPv6: key strokes and their echo.
func (n *noise) shell() func(*conversation) bool {
	version := func(b []byte, _ *conversation) []byte { return append(b, "SSH-2.0-OpenSSH_9.9\r\n"...) }
	script := slices.Concat(opening, []step{
		{from: client, flags: ack, say: version},
		{from: broker, flags: ack, say: version},
	})
	for range 20 {
		script = slices.Concat(script, []step{
			{from: client, flags: ack, say: n.pool.bytes(36)},
			{from: broker, flags: ack, say: n.pool.bytes(36)},
			{from: client, flags: ack},
		})
	}
	script = append(script, step{from: client, flags: rst | ack})
	return func(c *conversation) bool {
		port := uint16(22)
		if n.count%4 == 0 {
			port = 2222
		}
		n.visitor(c, script, 22, port)
		c.v6 = true
		return true
	}
}

// dns is a query for a device's address and its answer (RFC 1035, section 4.1).
func (n *noise) dns() {
	const name = "\x0edevice-0000000\x04test\x00"
	c := &n.talk
	n.visitor(c, nil, 53, 53)
	for _, from := range [2]side{client, broker} {
		at := etherSize + ipv4Size
		b := n.frame[:at]
		b = big.AppendUint16(b, c.ports[from])
		b = big.AppendUint16(b, c.ports[1-from])
		b = append(b, 0, 0, 0, 0) // length and checksum
		response := byte(from)
		b = big.AppendUint16(b, uint16(c.state))
		b = append(b, response<<7|1, response<<7, 0, 1, 0, response, 0, 0, 0, 0)
		b = append(b, name...)
		appendDigits(b[:len(b)-len("0000000\x04test\x00")], c.device, 7)
		b = append(b, 0, 1, 0, 1)
		if from == broker {
			b = append(b, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
			b = append(b, c.hosts[client][:]...)
		}
		big.PutUint16(b[at+4:], uint16(len(b)-at))
		c.network(b, from, protoUDP)
		seal(b, at, 6, protoUDP)
		n.capture(b)
	}
}

// ping is an echo request and its reply (RFC 792).
func (n *noise) ping() {
	c := &n.talk
	n.visitor(c, nil, 10, 0)
	for _, from := range [2]side{client, broker} {
		at := etherSize + ipv4Size
		b := append(n.frame[:at], 8-8*byte(from), 0, 0, 0)
		b = big.AppendUint32(b, uint32(c.state))
		b = append(b, n.pool[:56]...)
		c.network(b, from, protoICMP)
		big.PutUint16(b[at+2:], ^fold(sum(b[at:])))
		n.capture(b)
	}
}

// arp is the router's question for the broker (RFC 826), which the broker
// answers at once.
func (n *noise) arp() {
	router := [4]byte{192, 0, 2, 1}
	hosts := [2][4]byte{router, mqttHost}
	for _, from := range [2]side{client, broker} {
		b := n.frame[:etherSize]
		ethernet(b, from, etherARP)
		b = append(b, 0, 1, 8, 0, 6, 4, 0, 1+byte(from))
		b = append(b, macs[from][:]...)
		b = append(b, hosts[from][:]...)
		if from == client { // it asks everybody
			copy(b, "\xff\xff\xff\xff\xff\xff")
			b = append(b, 0, 0, 0, 0, 0, 0)
		} else {
			b = append(b, macs[client][:]...)
		}
		b = append(b, hosts[1-from][:]...)
		n.capture(b)
	}
}

// nonsense is random bytes to cut pieces from.
type nonsense []byte

func newNonsense(rng *rand.Rand) nonsense {
	p := make(nonsense, 0, 1<<16)
	for len(p) < cap(p) {
		p = big.AppendUint64(p, rng.Uint64())
	}
	return p
}

func (p nonsense) piece(c *conversation, n int) []byte {
	at := int(c.random() % uint64(len(p)-n))
	return p[at : at+n]
}

// bytes says n bytes.
func (p nonsense) bytes(n int) func([]byte, *conversation) []byte {
	return func(b []byte, c *conversation) []byte { return append(b, p.piece(c, n)...) }
}

// record says n bytes as a TLS record (RFC 8446, section 5.1).
func (p nonsense) record(kind byte, n int) func([]byte, *conversation) []byte {
	return func(b []byte, c *conversation) []byte {
		b = append(b, kind, 3, 3, byte(n>>8), byte(n))
		return append(b, p.piece(c, n)...)
	}
}
