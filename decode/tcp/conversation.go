package tcp

import "github.com/mqttriage/mqttriage/decode/link"

// conversation follows Wireshark's idea of a 4-tuple's connections, which is
// not ours, so that "tcp.stream eq N" selects the packets that are meant. The
// rule is that of dissect_tcp and tcp_analyze_sequence_number in Wireshark's
// packet-tcp.c: a 4-tuple stays in its stream until a SYN comes whose sequence
// number is not the base of its direction, or that follows a FIN or RST. The
// last clause is younger than Wireshark 4.0, which keeps a SYN with the old
// number in the old stream.
type conversation struct {
	based    [2]bool
	finished bool
	stream   uint32
	base     [2]uint32
}

// unsure reports a segment after which Wireshark's versions number streams
// differently: a SYN with the old number behind a FIN or RST.
func (v *conversation) unsure(dir uint8, s *link.Segment) bool {
	return s.Flags&(link.SYN|link.ACK) == link.SYN && v.based[dir] && s.Seq == v.base[dir] && v.finished
}

// settled reports that only a SYN, a FIN or an RST can change anything.
func (v *conversation) settled() bool { return v.based[0] && v.based[1] }

// observe takes a segment in direction dir. fresh says that the 4-tuple is new;
// next is the next stream number.
func (v *conversation) observe(dir uint8, s *link.Segment, fresh bool, next *uint32) {
	syn := s.Flags&(link.SYN|link.ACK) == link.SYN
	synack := s.Flags&(link.SYN|link.ACK) == link.SYN|link.ACK
	switch {
	case fresh:
		v.stream = *next
		*next++
	case syn && v.based[dir] && (s.Seq != v.base[dir] || v.finished):
		*v = conversation{stream: *next}
		*next++
	case synack && v.based[dir]:
		v.base[dir] = s.Seq
	}
	if !v.based[dir] {
		v.base[dir], v.based[dir] = s.Seq, true
		if s.Flags&link.SYN == 0 {
			v.base[dir]--
		}
	}
	if !v.based[1-dir] && s.Flags&link.ACK != 0 {
		v.base[1-dir], v.based[1-dir] = s.Ack-1, true
	}
	// A conversation's very first packet does not finish it.
	if !fresh && (s.Flags&(link.FIN|link.ACK) == link.FIN|link.ACK || s.Flags&link.RST != 0) {
		v.finished = true
	}
}
