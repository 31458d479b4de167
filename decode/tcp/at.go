package tcp

import "github.com/mqttriage/mqttriage/decode/link"

// Conn returns the connection that a segment belongs to which was just added,
// and the side that sent it; nil for a straggler, whose connection has ended.
func (t *Table) Conn(s *link.Segment, hash uint32) (*Conn, Side) {
	tp, dir := t.tuples.find(s, hash)
	if tp == nil || tp.conn == nil {
		return nil, 0
	}
	return tp.conn, tp.conn.side(dir)
}

// Base is the sequence number of stream offset 0; false as long as it is not
// known.
func (st *Stream) Base() (seq uint32, known bool) { return st.base, st.started }
