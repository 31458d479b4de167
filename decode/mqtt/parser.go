package mqtt

// A Parser parses the packets of a handshake and remembers what it has parsed,
// for devices send the same CONNECT again and again, and brokers the same few
// answers. Equal packets give the same value, which must not be changed. It
// holds nothing that is not in those values. Its zero value is ready; it is not
// safe for concurrent use.
type Parser struct {
	// Limit is how many bytes of packets are remembered of a kind, about; 0 means
	// that only their number is bounded.
	Limit int

	connects    map[Tag]*Connect
	connacks    map[connackKey]*Connack
	disconnects map[Tag]*Disconnect
	// sizes are how many bytes each of the three has, about.
	sizes [3]int
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

// knownSize is about what a packet takes beside its text, in bytes.
const knownSize = 256

// remember parses a packet unless it is known.
func remember[K comparable, V any](p *Parser, kind int, known *map[K]*V, key K, size int, parse func() (*V, error)) (*V, error) {
	if v := (*known)[key]; v != nil {
		return v, nil
	}
	v, err := parse()
	if err != nil {
		return nil, err
	}
	p.sizes[kind] += size + knownSize
	if *known == nil || len(*known) >= maxKnown || p.Limit > 0 && p.sizes[kind] > p.Limit {
		*known = make(map[K]*V)
		p.sizes[kind] = size + knownSize
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
	return remember(p, 0, &p.connects, packetTag(fr), len(fr.Body), func() (*Connect, error) { return ParseConnect(fr) })
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
	return remember(p, 1, &p.connacks, key, len(fr.Body), func() (*Connack, error) { return ParseConnack(fr, connect) })
}

// Disconnect is [ParseDisconnect].
func (p *Parser) Disconnect(fr Frame) (*Disconnect, error) {
	if !fr.plain() {
		return ParseDisconnect(fr)
	}
	return remember(p, 2, &p.disconnects, packetTag(fr), len(fr.Body), func() (*Disconnect, error) { return ParseDisconnect(fr) })
}
