package traffic

const (
	// stormRate is how many connections a device of storm makes, and
	// stormDevices how few devices there may be, so that every kind has some.
	stormRate    = 100
	stormDevices = 40
	// stormBusy is how many devices there are to one that is connected.
	stormBusy = 8
	// stormPeriod is the mean time in microseconds after which a device comes
	// back, stormPackets the mean number of packets of its connection.
	stormPeriod  = 5_000_000
	stormPackets = 7.45
)

// pool is the devices of one kind. They come back in turn.
type pool struct {
	share int // of the devices and the connections, in percent
	count func(*Summary)
	// ways are the scripts, each as likely as the others.
	ways [][]step
	// pair: two clients with one client ID, and so in turn.
	pair bool

	first, size, turn uint32
}

// pools are the kinds of devices, whose shares are 100 together.
func (g *generator) pools() []*pool {
	greet := []step{{from: client, flags: ack, say: connect}}
	reset := g.dial(greet, []step{
		{from: broker, flags: rst | ack},
	})
	return []*pool{
		{share: 55, count: func(s *Summary) { s.Accepted++ }, ways: [][]step{
			g.dial(greet, []step{
				{from: broker, flags: ack, say: connack},
				{from: client, flags: fin | ack, say: disconnect},
				{from: broker, flags: fin | ack},
				{from: client, flags: ack},
			}),
		}},
		{share: 20, count: func(s *Summary) { s.Rejected++ }, ways: [][]step{
			g.dial(greet, []step{
				{from: broker, flags: ack, say: notAuthorized},
				{from: broker, flags: fin | ack},
				{from: client, flags: fin | ack},
				{from: broker, flags: ack},
			}),
			g.dial(greet, []step{
				{from: broker, flags: fin | ack, say: notAuthorized},
				{from: client, flags: fin | ack},
				{from: broker, flags: ack},
			}),
		}},
		{share: 10, count: func(s *Summary) { s.Dropped++ }, ways: [][]step{
			reset, reset, reset,
			g.dial(greet, []step{
				{from: broker, flags: fin | ack},
				{from: client, flags: fin | ack},
				{from: broker, flags: ack},
			}),
		}},
		{share: 10, pair: true, count: func(s *Summary) { s.Accepted++ }, ways: [][]step{
			g.dial([]step{
				{from: client, flags: ack, say: connect, ousts: true},
				{from: broker, flags: ack, say: connack},
				{from: client, flags: ack, holds: true},
				{from: broker, flags: fin | ack, say: takenOver},
				{from: client, flags: fin | ack},
				{from: broker, flags: ack},
			}),
		}},
		{share: 5, count: func(s *Summary) { s.Refused++ }, ways: [][]step{{
			{from: client, flags: syn},
			{from: broker, flags: rst | ack, closed: true},
		}}},
	}
}

// device is what is known of a device of storm.
type device struct {
	visits uint32
	// busy: the connection is open, and of a pair that it is not yet there
	// to be ousted.
	busy bool
}

func storm(g *generator, connections int) {
	devices := max(connections/stormRate, stormDevices)
	g.gap = uint32(stormPeriod / (stormPackets * float64(devices)))
	pools := g.pools()
	kinds := make([]*pool, 0, 100) // one for each percent
	next := uint32(0)
	for _, p := range pools {
		p.first, p.size = next, uint32(devices*p.share/100)
		if p.pair {
			p.size /= 2
		}
		next += p.size
		for range p.share {
			kinds = append(kinds, p)
		}
	}
	known := make([]device, devices)
	s := scheduler{generator: g, open: devices / stormBusy, waiting: map[uint32]*conversation{}}
	s.done = func(c *conversation) { known[c.device].busy = false }
	s.begin = func(c *conversation) bool {
		if g.summary.Connections == connections {
			return false
		}
		p, n := draw(g, kinds, known, s.waiting)
		d := &known[n]
		c.reset(p.ways[g.rng.IntN(len(p.ways))], n, d.visits, g.rng.Uint64())
		c.v5 = n%5 == 0
		if p.pair && d.visits%2 == 1 {
			c.hosts[client] = address(n + uint32(devices))
		}
		d.visits++
		d.busy = true
		g.summary.Connections++
		p.count(&g.summary)
		return true
	}
	s.run()
}

// draw returns the next device of a kind that is drawn at random. Fewer devices
// are open than there are, so that one is free in the end.
func draw(g *generator, kinds []*pool, known []device, waiting map[uint32]*conversation) (*pool, uint32) {
	for {
		p := kinds[g.rng.IntN(len(kinds))]
		for range p.size {
			n := p.first + p.turn
			p.turn = (p.turn + 1) % p.size
			if !known[n].busy || p.pair && waiting[n] != nil {
				return p, n
			}
		}
	}
}
