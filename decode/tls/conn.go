package tls

// Conn follows one TLS connection from outside: both directions' records,
// hellos, certificates and alerts; and where keys has its secrets, it opens the
// records. Without them a record is told as it lies on the wire.
//
// It takes any bytes: memory is bounded by a record of each direction, a
// handshake message of each and the early data that is held; time is linear in
// the bytes that are fed.
type Conn struct {
	keys  *Keys
	known *Certificates
	// hasClient says that the client is known, by its ClientHello.
	hasClient bool
	client    int
	// version is what the server chose, 0 before. session is the latest
	// handshake's.
	version int
	session *session
	sides   [2]side
	early   earlyData
	// budget bounds the bytes opened in trials, see maxTrials.
	budget int64
}

const (
	// maxTrials and trialFactor bound what trials may cost: so many bytes for
	// a connection, and so many for each byte that it brings. A gap of a whole
	// TCP window is then found over, and hostile bytes cost linear time.
	maxTrials   = 256 << 10
	trialFactor = 4
)

// A session is what a handshake agreed on.
type session struct {
	client, server       random
	hasClient, hasServer bool
	version              int
	suite                suite
	// known says that records of the suite can be opened.
	known          bool
	encryptThenMAC bool
	secrets        *secrets
}

// A side is one direction of the stream.
type side struct {
	framer
	gather gatherer
	// search is set while a gap hides where the next record begins.
	search *search
	lost   bool
	// changed says that a ChangeCipherSpec went by. In TLS 1.2 and before all
	// records behind it are sealed, with the keys of its session.
	changed bool
	session *session
	// direction opens records; nil until that is possible. passed counts the
	// sealed records before.
	direction *direction
	passed    uint64
	// blind says that a renegotiation could not be followed.
	blind bool

	hello       *Hello
	leaf        []byte // the DER of the certificate, until it is asked for
	certificate *Certificate
}

// NewConn makes a Conn. keys may be nil; so may known, where certificates are not
// shared with other Conns.
func NewConn(keys *Keys, known *Certificates) *Conn {
	return &Conn{keys: keys, known: known, budget: maxTrials}
}

// Feed takes the next bytes of one direction, from 0 or 1: who is the client is
// told by the ClientHello. It yields every record that they complete, in order
// for each direction.
//
// The client's early data (0-RTT, RFC 8446 §2.3) waits until the server tells
// whether it takes it, so that records of the other direction may be yielded
// too. What the server rejects is yielded unopened: the client sends it again.
func (c *Conn) Feed(from int, p []byte, yield func(from int, r Record)) {
	c.budget += trialFactor * int64(len(p))
	s := &c.sides[from]
	for !s.lost {
		if s.search != nil {
			if p = c.seek(from, p, yield); s.search != nil {
				return
			}
		}
		if !s.inside() {
			if len(p) == 0 {
				return
			}
			var whole, valid bool
			if p, whole, valid = s.header(p); !whole {
				return
			}
			if !valid {
				c.lose(s)
				return
			}
			s.wanted, s.damaged = c.wants(from), false
		}
		var fragment []byte
		var whole bool
		if p, fragment, whole = s.body(p); !whole {
			return
		}
		c.record(from, fragment, yield)
	}
}

// lose gives a direction up.
func (c *Conn) lose(s *side) {
	s.lost, s.search, s.part, s.gather.buf, s.direction = true, nil, nil, nil, nil
}

// Held is how many bytes of memory wait for the rest of a record or message.
func (c *Conn) Held() int {
	n := c.early.size
	for i := range c.sides {
		s := &c.sides[i]
		n += cap(s.part) + cap(s.gather.buf) + cap(s.leaf)
		if s.search != nil {
			n += cap(s.search.buf)
		}
	}
	return n
}

// GiveUp drops what is held: both directions are Lost.
func (c *Conn) GiveUp() {
	c.early = earlyData{}
	for i := range c.sides {
		c.lose(&c.sides[i])
	}
}

// Skip says that the next n bytes of a direction are missing. Within a sealed
// record it stays in step. Beyond one the next record is searched where it can
// be proved by opening it; elsewhere the direction is lost.
func (c *Conn) Skip(from int, n int64) {
	s := &c.sides[from]
	switch {
	case n <= 0 || s.lost:
	case s.search != nil:
		s.search.skip(n)
	case s.inside() && n <= int64(s.rest) && (s.wireType() == ApplicationData || c.sealed(from, s.wireType()) || c.directionOf(from) != nil):
		s.skip(int(n))
	case c.early.holds(c, from):
		c.lose(s)
	default:
		if d := c.directionOf(from); d == nil || !d.survivesGaps() {
			c.lose(s)
			return
		}
		s.search = &search{missing: n + int64(s.nhead)}
		s.framer = framer{}
	}
}

// Lost reports that a direction's bytes are not TLS, that a gap hid where the
// next record begins, or that what was opened before no longer opens.
func (c *Conn) Lost(from int) bool {
	s := &c.sides[from]
	return s.lost || s.blind || s.direction != nil && s.direction.hopeless()
}

// Hello is a direction's first hello; ok is false before there is one.
func (c *Conn) Hello(from int) (h Hello, ok bool) {
	if s := &c.sides[from]; s.hello != nil {
		return *s.hello, true
	}
	return h, false
}

// secretsOf looks a session's secrets up, until they are there: those inside a
// capture may come late.
func (c *Conn) secretsOf(s *session) *secrets {
	if s.secrets == nil && s.hasClient {
		s.secrets = c.keys.lookup(s.client)
	}
	return s.secrets
}

// sealed reports whether a direction's next record of the type is sealed.
func (c *Conn) sealed(from int, t ContentType) bool {
	if c.version == version13 {
		return t == ApplicationData
	}
	return c.sides[from].changed
}

// wants reports whether the fragment that begins is needed.
func (c *Conn) wants(from int) bool {
	t := c.sides[from].wireType()
	switch {
	case t == ApplicationData && c.early.holds(c, from):
		return true
	case c.sealed(from, t):
		return c.directionOf(from) != nil
	}
	return t == Handshake || t == Alert
}

// directionOf finds what opens a side's records; nil when that is not possible,
// or not yet.
func (c *Conn) directionOf(from int) *direction {
	s := &c.sides[from]
	if s.direction != nil || c.keys == nil || c.early.holds(c, from) {
		return s.direction
	}
	if s.session == nil || c.version == version13 {
		s.session = c.session
	}
	session := s.session
	if session == nil || !session.hasClient || !session.hasServer || !session.known || c.secretsOf(session) == nil {
		return nil
	}
	d := &direction{unread: s.passed}
	client := c.hasClient && from == c.client
	if session.version == version13 {
		d.schedule = &schedule13{suite: session.suite, secrets: session.secrets, client: client}
		d.epoch = handshake
		if client && c.early.state == accepted {
			d.epoch = early
		}
	} else {
		d.schedule = &schedule12{session: session, client: client}
	}
	s.direction = d
	return d
}

// record handles a whole record of one direction, whose header is in its
// framer; fragment is nil when it is not wanted or damaged.
func (c *Conn) record(from int, fragment []byte, yield func(int, Record)) {
	s := &c.sides[from]
	head, t := s.head, s.wireType()
	switch {
	case t == ApplicationData && c.early.holds(c, from):
		c.hold(head, fragment)
	case c.sealed(from, t):
		c.sealedRecord(from, head, fragment, yield)
	default:
		r := Record{Type: t, WireType: t, Length: s.length()}
		switch t {
		case Handshake:
			r.Body = fragment
			c.messages(from, fragment, false)
		case Alert:
			r.Body = fragment
		case ChangeCipherSpec:
			if c.version != version13 {
				s.changed, s.gather, s.session = true, gatherer{}, c.session
			}
		}
		yield(from, r)
	}
	c.release(yield)
}

// sealedRecord opens a record, follows what it says and yields it.
func (c *Conn) sealedRecord(from int, head [headerSize]byte, fragment []byte, yield func(int, Record)) {
	s := &c.sides[from]
	d := c.directionOf(from)
	if d == nil {
		s.passed++
		c.unopened(from, head, yield)
	} else {
		buffer := plaintexts.Get().(*plaintext)
		if plain, ok := d.open(head, fragment, buffer[:0], &c.budget); ok {
			c.opened(from, head, plain, yield)
		} else {
			c.unopened(from, head, yield)
		}
		buffer.wipe(len(fragment))
	}
	if ContentType(head[0]) == ChangeCipherSpec && c.version != version13 {
		c.renegotiated(s)
	}
}

// opened yields a record with its plaintext. In TLS 1.3 that ends in the type
// and padding of zeros (RFC 8446 §5.2).
func (c *Conn) opened(from int, head [headerSize]byte, plain []byte, yield func(int, Record)) {
	s := &c.sides[from]
	t := ContentType(head[0])
	r := Record{Type: t, WireType: t, Length: fragmentLength(head), Opened: true}
	if c.version == version13 {
		var typed bool
		if plain, r.Type, typed = inner(plain); !typed {
			c.unopened(from, head, yield)
			return
		}
	}
	if s.direction.seq == 1 {
		s.gather = gatherer{} // a key's first record begins a message (RFC 8446 §5.1)
	}
	if r.Type == Handshake {
		c.messages(from, plain, true)
	}
	r.Body = plain
	yield(from, r)
}

// inner takes type and padding from the plaintext of TLS 1.3.
func inner(plain []byte) (content []byte, t ContentType, ok bool) {
	for i := len(plain) - 1; i >= 0; i-- {
		if plain[i] != 0 {
			return plain[:i], ContentType(plain[i]), true
		}
	}
	return nil, 0, false
}

// unopened yields a sealed record as it is seen from outside.
func (c *Conn) unopened(from int, head [headerSize]byte, yield func(int, Record)) {
	c.sides[from].gather.lost()
	t := ContentType(head[0])
	yield(from, Record{Type: t, WireType: t, Length: fragmentLength(head)})
}

// renegotiated switches to the keys of a new handshake in the old one's
// connection (RFC 5246 §7.4.1), if that was seen.
func (c *Conn) renegotiated(s *side) {
	if s.session == nil || s.session == c.session || c.session == nil {
		s.blind = s.direction != nil
		return
	}
	s.session, s.direction, s.gather = c.session, nil, gatherer{}
}
