package mqtt

// A Parser parses the packets of a handshake and remembers what it has parsed,
// for devices send the same CONNECT again and again, and brokers the same few
// answers. Equal packets give the same value, which must not be changed. It
// holds nothing that is not in those values. Its zero value is ready; it is not
// safe for concurrent use.
type Parser struct {
	connects    map[Tag]*Connect
	connacks    map[connackKey]*Connack
	disconnects map[Tag]*Disconnect
}

// connackKey is a CONNACK and what its meaning takes from the CONNECT.
type connackKey struct {
	tag                              Tag
	asked                            Version
	unasked, clean, unnamed, partial bool
}

// maxKnown bounds how many packets of a kind are remembered: some more than a
// large site has devices that fail. Then all are forgotten, which costs only
// time.
const maxKnown = 1 << 15

// remember parses a packet unless it is known.
func remember[K comparable, V any](known *map[K]*V, key K, parse func() (*V, error)) (*V, error) {
	if v := (*known)[key]; v != nil {
		return v, nil
	}
	v, err := parse()
	if err != nil {
		return nil, err
	}
	if *known == nil || len(*known) >= maxKnown {
		*known = make(map[K]*V)
	}
	(*known)[key] = v
	return v, nil
}

// plain reports that a frame's type, flags, length and body are all there is to
// know of it, so that its tag stands for it.
func (fr *Frame) plain() bool { return fr.complete() && !fr.BrokenLength && !fr.NonMinimal }

// Connect is [ParseConnect].
func (p *Parser) Connect(fr Frame) (*Connect, error) {
	if !fr.plain() {
		return ParseConnect(fr)
	}
	return remember(&p.connects, packetTag(fr), func() (*Connect, error) { return ParseConnect(fr) })
}

// Connack is [ParseConnack].
func (p *Parser) Connack(fr Frame, connect *Connect) (*Connack, error) {
	if !fr.plain() {
		return ParseConnack(fr, connect)
	}
	key := connackKey{tag: packetTag(fr), unasked: connect == nil}
	if connect != nil {
		key.asked, key.clean = connect.Version, connect.CleanStart
		key.unnamed, key.partial = connect.ClientID == "", connect.Incomplete
	}
	return remember(&p.connacks, key, func() (*Connack, error) { return ParseConnack(fr, connect) })
}

// Disconnect is [ParseDisconnect].
func (p *Parser) Disconnect(fr Frame) (*Disconnect, error) {
	if !fr.plain() {
		return ParseDisconnect(fr)
	}
	return remember(&p.disconnects, packetTag(fr), func() (*Disconnect, error) { return ParseDisconnect(fr) })
}
