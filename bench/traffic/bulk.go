package traffic

// publishes is how many messages a device of bulk sends, longPublishes how many
// make ten times as many packets.
const (
	publishes     = 40
	longPublishes = 441
)

// login is a CONNECT that is accepted.
var login = []step{
	{from: client, flags: ack, say: connect},
	{from: broker, flags: ack},
	{from: broker, flags: ack, say: connack},
	{from: client, flags: ack},
}

// readings are the messages. The last is acknowledged with what follows it, for
// TCP may delay that (RFC 9293, section 3.8.6.3).
func readings(n int) (script []step) {
	for range n {
		script = append(script, step{from: client, flags: ack, say: publish}, step{from: broker, flags: ack})
	}
	return script[:len(script)-1]
}

// logout is a DISCONNECT, and the close of both directions.
var logout = []step{
	{from: client, flags: fin | ack, say: disconnect},
	{from: broker, flags: fin | ack},
	{from: client, flags: ack},
}

// fleet gives scripts to one device after the other.
func (g *generator) fleet(script []step, connections int) func(*conversation) bool {
	return func(c *conversation) bool {
		n := g.summary.Connections
		if n == connections {
			return false
		}
		c.reset(script, uint32(n), 0, g.rng.Uint64())
		g.summary.Connections++
		g.summary.Accepted++
		return true
	}
}

// bulkOpen is how many devices of bulk are connected at once, bulkGap the mean
// time between two packets in microseconds: a connection lasts ten seconds.
const (
	bulkOpen = 2000
	bulkGap  = 50
)

func bulk(g *generator, connections int) { g.devices(publishes, connections) }

// long is bulk for ten times the packets and hours.
func long(g *generator, connections int) { g.devices(longPublishes, connections) }

func (g *generator) devices(publishes, connections int) {
	g.gap = bulkGap
	script := g.dial(login, readings(publishes), logout)
	s := scheduler{generator: g, open: bulkOpen, begin: g.fleet(script, connections)}
	s.run()
}

// open runs the parts of bulk's script one after the other for all devices.
func open(g *generator, connections int) {
	g.gap = bulkGap
	devices := make([]conversation, 0, connections)
	keep := func(c *conversation) { devices = append(devices, *c) }
	first := scheduler{generator: g, open: bulkOpen, begin: g.fleet(g.dial(login), connections), done: keep}
	first.run()
	for _, part := range [][]step{g.carry(readings(publishes)), g.carry(logout)} {
		s := scheduler{generator: g}
		for i := range devices {
			devices[i].script, devices[i].at = part, 0
			s.ready = append(s.ready, &devices[i])
		}
		s.run()
	}
}

// lossy is bulk over a wire that loses, repeats and delays.
func lossy(g *generator, connections int) {
	g.wire = &lossyWire{generator: g}
	bulk(g, connections)
}
