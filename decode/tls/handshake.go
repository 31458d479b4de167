package tls

// messages follows the handshake messages in a record of one direction.
func (c *Conn) messages(from int, content []byte, opened bool) {
	s := &c.sides[from]
	if content == nil {
		s.gather.lost()
		return
	}
	s.gather.feed(content, func(t byte, whole []byte) {
		switch t {
		case clientHello:
			c.clientHello(from, whole)
		case serverHello:
			c.serverHello(from, whole)
		case certificateMessage:
			if s.leaf == nil && whole != nil {
				s.leaf = leaf(whole[messageHeader:], c.version == version13)
			}
		default:
			if d := s.direction; opened && c.version == version13 {
				c.keyChange(d, t, whole)
			}
		}
	})
}

// keyChange follows the messages of TLS 1.3 behind which a sender takes other
// keys, and the server's word on early data.
func (c *Conn) keyChange(d *direction, t byte, whole []byte) {
	switch {
	case t == encryptedExtensions && whole != nil && c.early.state == waiting:
		c.early.state = rejected
		r := reader{whole[messageHeader:]}
		extensions, _ := r.vector(2)
		for t := range extensionsOf(extensions) {
			if t == extEarlyData {
				c.early.state = accepted
			}
		}
	case t == endOfEarlyData && d.epoch == early:
		d.moveTo(handshake)
	case t == finished && d.epoch == handshake:
		// A Finished in application data is authentication after the handshake
		// (RFC 8446 §4.6.2) and changes no key.
		d.moveTo(application)
	case t == keyUpdate && d.epoch >= application:
		d.moveTo(d.epoch + 1)
	}
}

func (c *Conn) clientHello(from int, whole []byte) {
	h, ok := parseHello(whole)
	if !ok {
		return
	}
	c.sides[from].heard(h)
	if !c.hasClient {
		c.hasClient, c.client = true, from
	}
	if from != c.client || c.version == version13 && c.session.hasClient && c.session.hasServer {
		return
	}
	// A second hello begins a renegotiation, or answers a HelloRetryRequest. A
	// server's hello may have come first where a capture has packets out of
	// order.
	first := c.session == nil
	if first || c.session.hasClient && c.session.hasServer {
		c.session = new(session)
	}
	c.session.client, c.session.hasClient, c.session.secrets = h.random, true, nil
	if secrets := c.secretsOf(c.session); first && h.earlyData && secrets != nil && secrets[clientEarly].size > 0 {
		c.early.state = waiting
	}
}

func (c *Conn) serverHello(from int, whole []byte) {
	h, ok := parseHello(whole)
	if !ok {
		return
	}
	c.sides[from].heard(h)
	if c.hasClient && from == c.client || c.session != nil && c.session.hasServer {
		return
	}
	if c.session == nil {
		c.session = new(session)
	}
	c.version = h.version
	if h.random == retryRandom || h.version != version13 {
		c.early.reject()
	}
	if h.random == retryRandom {
		return
	}
	s := c.session
	s.server, s.hasServer, s.version, s.encryptThenMAC = h.random, true, h.version, h.encryptThenMAC
	s.suite, s.known = suiteFor(h.suite, h.version)
	s.known = s.known && !h.compressed
}

// heard keeps the first hello.
func (s *side) heard(h hello) {
	if s.hello == nil {
		s.hello = &h.Hello
	}
}
