package traffic

import "slices"

// A carrier takes MQTT packets over a TCP connection.
type carrier interface {
	// opening are the steps between TCP's handshake and the first MQTT packet.
	opening() []step
	// wrap puts the carrier's bytes around the MQTT packet b[at:].
	wrap(b []byte, at int, from side) []byte
}

// plain carries MQTT as it is.
type plain struct{}

func (plain) opening() []step                     { return nil }
func (plain) wrap(b []byte, _ int, _ side) []byte { return b }

// opening is TCP's three-way handshake.
var opening = []step{
	{from: client, flags: syn},
	{from: broker, flags: syn | ack},
	{from: client, flags: ack},
}

// dial makes a script that opens a connection and says the parts over the
// carrier.
func (g *generator) dial(parts ...[]step) []step {
	return slices.Concat(opening, g.carrier.opening(), g.carry(parts...))
}

// carry makes one script of the parts, over the carrier.
func (g *generator) carry(parts ...[]step) []step {
	script := slices.Concat(parts...)
	for i, st := range script {
		if st.say == nil {
			continue
		}
		script[i].say = func(b []byte, c *conversation) []byte {
			at := len(b)
			if b = st.say(b, c); len(b) > at {
				b = g.carrier.wrap(b, at, st.from)
			}
			return b
		}
	}
	return script
}
