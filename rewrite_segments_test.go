package mqttriage_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// The rewritings of what the hosts send: they change segments.

// numbered gives every segment an identification of its own, as hosts do.
func numbered(c conversation) conversation {
	c = slices.Clone(c)
	for i := range c {
		c[i].id = uint16(i + 1)
	}
	return c
}

// unnumbered gives none an identification, as RFC 6864 §4.1 allows.
func unnumbered(c conversation) conversation {
	c = slices.Clone(c)
	for i := range c {
		c[i].id = 0
	}
	return c
}

// inOrder sorts by time; what has one time stays as it is.
func inOrder(c conversation) conversation {
	slices.SortStableFunc(c, func(a, b tcpSegment) int { return cmp.Compare(a.nano, b.nano) })
	return c
}

// both does one after the other.
func both(first, then func(conversation) conversation) func(conversation) conversation {
	return func(c conversation) conversation { return then(first(c)) }
}

// pieces divides the bytes of every segment; size says how many come next. All
// pieces have the segment's time, so that the last one comes when it did.
func pieces(c conversation, size func() int) (out conversation) {
	for _, s := range c {
		for s.flags&tcpSYN == 0 && len(s.payload) > 0 {
			n := min(size(), len(s.payload))
			if n == len(s.payload) {
				break
			}
			piece := s.with(s.seq, s.payload[:n])
			piece.flags &^= tcpFIN | tcpPSH
			out = append(out, piece)
			s = s.with(s.seq+uint32(n), s.payload[n:])
		}
		out = append(out, s)
	}
	return numbered(out)
}

func bytewise(c conversation) conversation { return pieces(c, func() int { return 1 }) }

func fivewise(c conversation) conversation { return pieces(c, func() int { return 5 }) }

func anySize(c conversation) conversation {
	random := rand.New(rand.NewPCG(7, 7))
	return pieces(c, func() int { return 1 + random.IntN(12) })
}

// runs are the segments that a receiving interface may hand over as one
// (GRO): bytes in order that follow each other within 100 ms, with nothing but
// the other side's acknowledgments between. It returns, for every segment that
// is part of a later one, which that is.
func runs(c conversation) map[int]int {
	into := map[int]int{}
	for i := range c {
		a := &c[i]
		if len(a.payload) == 0 || a.has(tcpSYN|tcpFIN|tcpRST) {
			continue
		}
		for j := i + 1; j < len(c); j++ {
			b := &c[j]
			if samePath(a, b) && len(b.payload) > 0 && b.seq == a.end() && b.nano-a.nano < 1e8 {
				into[i] = j
			}
			if samePath(a, b) || sameTuple(a, b) && (len(b.payload) > 0 || b.has(tcpSYN|tcpFIN|tcpRST)) {
				break
			}
		}
	}
	return into
}

// coalesced merges such runs. The acknowledgments between were never sent.
func coalesced(c conversation) (out conversation) {
	into := runs(c)
	waiting := map[int][]byte{}
	from := map[int]uint32{}
	dropped := map[int]bool{}
	for i, s := range c {
		if head, ok := waiting[i]; ok {
			s = s.with(from[i], append(slices.Clone(head), s.payload...))
		}
		if j, ok := into[i]; ok {
			waiting[j], from[j] = s.payload, s.seq
			for k := i + 1; k < j; k++ {
				dropped[k] = dropped[k] || sameTuple(&c[i], &c[k])
			}
			continue
		}
		if !dropped[i] {
			out = append(out, s)
		}
	}
	return out
}

// together gives runs the time of their last segment, in the order of the file.
func together(c conversation) conversation {
	c = slices.Clone(c)
	into := runs(c)
	for i := len(c) - 1; i >= 0; i-- {
		if j, ok := into[i]; ok {
			for k := i; k < j; k++ {
				if sameTuple(&c[i], &c[k]) {
					c[k].nano = c[j].nano
				}
			}
		}
	}
	return inOrder(c)
}

// aMillisecond is how far apart packets may be that a capture's queues swap.
const aMillisecond = int64(time.Millisecond)

// swapped exchanges neighbours in the file, every second pair beginning with
// the first or second packet. Each keeps its time, as the queues of an
// interface stamp it before the packets are brought together. SYNs stay.
func swapped(first int, may func(a, b *tcpSegment) bool) func(conversation) conversation {
	return func(c conversation) conversation {
		c = slices.Clone(c)
		for i := first; i+1 < len(c); i += 2 {
			a, b := &c[i], &c[i+1]
			if !a.has(tcpSYN) && !b.has(tcpSYN) && b.nano-a.nano < aMillisecond && may(a, b) {
				*a, *b = *b, *a
			}
		}
		return c
	}
}

func oneWay(a, b *tcpSegment) bool     { return samePath(a, b) }
func bothWays(a, b *tcpSegment) bool   { return sameTuple(a, b) && !samePath(a, b) }
func otherTuple(a, b *tcpSegment) bool { return !sameTuple(a, b) }

// onTheWay swaps pieces within a direction as a network does: the file's times
// ascend, the pieces of one segment have one time anyway.
func onTheWay(c conversation) conversation {
	c = fivewise(c)
	for i := 0; i+1 < len(c); i++ {
		a, b := &c[i], &c[i+1]
		if samePath(a, b) && a.nano == b.nano && len(a.payload) > 0 && !b.has(tcpFIN) {
			*a, *b = *b, *a
			i++
		}
	}
	return c
}

// resent repeats every segment with bytes after a time, as a host does that saw
// no acknowledgment: with another identification, and where it has time stamps,
// with later ones.
func resent(after time.Duration) func(conversation) conversation {
	return func(c conversation) (out conversation) {
		for i := range c {
			s := c[i]
			if len(s.payload) == 0 {
				out = append(out, s)
				continue
			}
			// What comes behind the handshake is not asked how often it was sent.
			s.noted = ofHandshake(s.payload)
			out = append(out, s)
			s.nano += int64(after)
			s.options = slices.Clone(s.options)
			if len(s.options) == 12 && s.options[2] == 8 {
				s.options[6]++ // of the time stamp's four bytes the second last
			}
			out = append(out, s)
		}
		return numbered(inOrder(out))
	}
}

// ofHandshake reports CONNECT, CONNACK and TLS.
func ofHandshake(payload []byte) bool {
	return payload[0]>>4 == 1 || payload[0]>>4 == 2 || len(payload) > 1 && payload[1] == 3
}

// overlapped has every segment with bytes begin with up to three bytes of what
// its sender sent before, in pieces of five.
func overlapped(c conversation) conversation {
	c = fivewise(c)
	last := map[netip.AddrPort][]byte{}
	for i := range c {
		s := &c[i]
		if len(s.payload) == 0 {
			continue
		}
		before := last[s.src]
		last[s.src] = s.payload
		if n := min(3, len(before)); n > 0 {
			s.seq -= uint32(n)
			s.payload = slices.Concat(before[len(before)-n:], s.payload)
			s.noted = true
		}
	}
	return c
}

// probed has both sides of every idle connection probe the other before long
// silences (RFC 9293 §3.8.4): a byte before the next expected one, made up or
// left out, which is answered.
func probed(c conversation) (out conversation) {
	sent := map[[2]netip.AddrPort]tcpSegment{}
	var paths [][2]netip.AddrPort
	closed := map[netip.AddrPort]bool{}
	for i, s := range c {
		out = append(out, s)
		path := [2]netip.AddrPort{s.src, s.dst}
		if _, known := sent[path]; !known {
			paths = append(paths, path)
		}
		sent[path] = s
		if s.has(tcpFIN | tcpRST) {
			closed[c.client(&s)] = true
		}
		if i+1 == len(c) || c[i+1].nano-s.nano < int64(200*time.Millisecond) {
			continue
		}
		at := s.nano
		for n, path := range paths {
			last, back := sent[path], sent[[2]netip.AddrPort{path[1], path[0]}]
			if !last.src.IsValid() || !back.src.IsValid() || closed[c.client(&last)] {
				continue
			}
			probe, answer := last.bare(), back.bare()
			probe.seq, probe.ack = last.end()-1, back.end()
			answer.seq, answer.ack = back.end(), last.end()
			if n%2 == 0 {
				probe.payload = []byte{0}
			}
			at += int64(10 * time.Millisecond)
			probe.nano, answer.nano = at, at+20_000
			out = append(out, probe, answer)
		}
	}
	return numbered(inOrder(out))
}

// wrapped moves the sequence numbers of one side of every connection so that
// they wrap around in the middle of its first bytes.
func wrapped(client bool) func(conversation) conversation {
	return func(c conversation) conversation {
		moved := slices.Clone(c)
		done := map[netip.AddrPort]bool{}
		for i := range c {
			s := &c[i]
			if len(s.payload) == 0 || c.fromClient(s) != client || done[c.client(s)] {
				continue
			}
			done[c.client(s)] = true
			by := -(s.seq + uint32(len(s.payload)/2))
			for j := range moved {
				switch m := &moved[j]; {
				case samePath(m, s):
					m.seq += by
				case sameTuple(m, s) && m.has(tcpACK):
					m.ack += by
				}
			}
		}
		return moved
	}
}

// insert puts bytes before the first ones of a segment, into the stream of its
// sender: what follows in the file is moved.
func insert(c conversation, at int, bytes []byte) {
	first := c[at]
	n := uint32(len(bytes))
	for i := at + 1; i < len(c); i++ {
		switch s := &c[i]; {
		case samePath(s, &first):
			s.seq += n
		case sameTuple(s, &first) && s.has(tcpACK) && int32(s.ack-first.seq) > 0:
			s.ack += n
		}
	}
	c[at].payload = slices.Concat(bytes, first.payload)
}

// behindProxy has a balancer put a PROXY header before each client's first
// bytes, with the client's own address.
func behindProxy(header func(client, broker netip.AddrPort) []byte) func(conversation) conversation {
	return func(c conversation) conversation {
		c = slices.Clone(c)
		done := map[netip.AddrPort]bool{}
		for i := range c {
			if s := &c[i]; len(s.payload) > 0 && c.fromClient(s) && !done[s.src] {
				done[s.src], s.noted = true, true
				insert(c, i, header(s.src, s.dst))
			}
		}
		return c
	}
}

// published has every client that was let in publish 2,000 bytes at once.
func published(c conversation) conversation {
	c = slices.Clone(c)
	message := append([]byte{0x30, 0xd3, 0x0f, 0, 1, 'x'}, make([]byte, 2000)...)
	for i := 0; i < len(c); i++ {
		s := c[i]
		if c.fromClient(&s) || len(s.payload) < 4 || s.payload[0] != 0x20 || s.payload[3] != 0 {
			continue
		}
		// The client acknowledges the CONNACK next.
		for j := i + 1; j < len(c); j++ {
			if ack := c[j]; samePath(&ack, &tcpSegment{src: s.dst, dst: s.src}) && !ack.has(tcpFIN|tcpRST) && len(ack.payload) == 0 {
				ack.flags |= tcpPSH
				c = slices.Insert(c, j+1, ack)
				insert(c, j+1, message)
				break
			}
		}
	}
	return numbered(c)
}

// notified sets the bits of congestion notification (RFC 3168 §6.1).
func notified(c conversation) conversation {
	c = slices.Clone(c)
	for i := range c {
		c[i].flags |= 0xc0
	}
	return c
}

// later moves the time.
func later(by time.Duration) func(conversation) conversation {
	return func(c conversation) conversation {
		c = slices.Clone(c)
		for i := range c {
			c[i].nano += int64(by)
		}
		return c
	}
}

// readdressed changes both ends of every segment.
func readdressed(change func(at netip.AddrPort, client bool) netip.AddrPort) func(conversation) conversation {
	return func(c conversation) conversation {
		out := slices.Clone(c)
		for i := range c {
			from := c.fromClient(&c[i])
			out[i].src, out[i].dst = change(c[i].src, from), change(c[i].dst, !from)
		}
		return out
	}
}

// everyAddress makes an address for an end of another one, whoever has it.
func everyAddress(change func(netip.Addr) netip.Addr) func(netip.AddrPort, bool) netip.AddrPort {
	return func(a netip.AddrPort, _ bool) netip.AddrPort { return netip.AddrPortFrom(change(a.Addr()), a.Port()) }
}

var wide = netip.MustParseAddr("2001:db8:64::").As16()

// widened maps an IPv4 address into IPv6, narrowed back.
func widened(a netip.Addr) netip.Addr {
	if a.Is6() {
		return a
	}
	b, four := wide, a.As4()
	copy(b[12:], four[:])
	return netip.AddrFrom16(b)
}

func narrowed(a netip.Addr) netip.Addr {
	b := a.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

var over6 = readdressed(everyAddress(widened))

// flipped changes an address to another one and that one back.
func flipped(a netip.Addr) netip.Addr {
	b := a.AsSlice()
	for i := range b[len(b)/2:] {
		b[len(b)/2+i] ^= byte(0x15 * (i + 1))
	}
	b[0] ^= 0x75 // 127 becomes 10
	changed, _ := netip.AddrFromSlice(b)
	return changed
}

// routed gives the clients addresses of their own, beside the brokers'.
func routed(a netip.AddrPort, client bool) netip.AddrPort {
	if client {
		return netip.AddrPortFrom(flipped(a.Addr()), a.Port())
	}
	return a
}

// otherPort gives the clients other ports, and those the old ones.
func otherPort(a netip.AddrPort, client bool) netip.AddrPort {
	if client {
		return netip.AddrPortFrom(a.Addr(), a.Port()^0x2a5a)
	}
	return a
}

// proxy1 and proxy2 are the headers of the PROXY protocol's versions, sections
// 2.1 and 2.2 of its specification.
func proxy1(client, broker netip.AddrPort) []byte {
	kind := "TCP4"
	if client.Addr().Is6() {
		kind = "TCP6"
	}
	return fmt.Appendf(nil, "PROXY %s %s %s %d %d\r\n", kind, client.Addr(), broker.Addr(), client.Port(), broker.Port())
}

func proxy2(client, broker netip.AddrPort) []byte {
	kind := byte(0x11)
	if client.Addr().Is6() {
		kind = 0x21
	}
	ends := be(client.Addr().AsSlice(), broker.Addr().AsSlice(), client.Port(), broker.Port())
	return be([]byte("\r\n\r\n\x00\r\nQUIT\n"), byte(0x21), kind, uint16(len(ends)), ends)
}

// shorterThan fits conversations whose segments all have fewer bytes.
func shorterThan(n int) func(conversation) bool {
	return func(c conversation) bool {
		return !slices.ContainsFunc(c, func(s tcpSegment) bool { return len(s.payload) >= n })
	}
}

// identified fits conversations over IPv4 whose clients number their datagrams.
func identified(c conversation) bool {
	return c.is4() && !slices.ContainsFunc(c, func(s tcpSegment) bool {
		return s.id == 0 && c.fromClient(&s) && !s.has(tcpRST)
	})
}

// everyoneConnects fits conversations in which every client sends a CONNECT
// first.
func everyoneConnects(c conversation) bool {
	connected := map[netip.AddrPort]bool{}
	for i := range c {
		if s := &c[i]; c.fromClient(s) && len(s.payload) > 0 && s.payload[0] == 0x10 {
			connected[s.src] = true
		}
	}
	return !slices.ContainsFunc(c, func(s tcpSegment) bool { return !connected[c.client(&s)] })
}
