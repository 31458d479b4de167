package slice

import (
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// A sink takes the runs of bytes of a stream that others should not see.
type sink interface {
	// private takes a field of an MQTT packet; from and to are offsets in the
	// stream that carries the packets.
	private(from, to int64, f mqtt.Private)
	// unknown takes what cannot be told from a secret.
	unknown(from, to int64)
	// name takes what names a device or a place.
	name(from int64, value []byte)
	// packet tells of a packet that is whole.
	packet(t mqtt.Type, from, to int64)
}

// mqttScan finds the fields in a stream of MQTT packets.
type mqttScan struct {
	framer mqtt.Framer
	// at is the offset of the next byte, began that of the packet under way.
	at, began int64
}

// feed takes the bytes from an offset on. Those between the last ones and these,
// if any, were whole packets that no handshake has.
func (m *mqttScan) feed(p []byte, off int64, to sink) {
	if off != m.at && !m.framer.Between() {
		m.lose(to)
	}
	if m.framer.Lost() {
		return
	}
	m.at = off
	for len(p) > 0 {
		if m.framer.Between() {
			m.began = m.at
		}
		n, fr, whole := m.framer.Feed(p)
		p = p[n:]
		m.at += int64(n)
		switch {
		case whole:
			m.packet(fr, to)
		case m.framer.Lost():
			to.unknown(m.began, endless)
			return
		case n == 0:
			return
		}
	}
	m.framer.Used()
}

// packet takes a packet that ends here.
func (m *mqttScan) packet(fr mqtt.Frame, to sink) {
	if m.at-int64(fr.Length) != m.began {
		to.unknown(m.began, m.at) // never, but if it were, no field would be where it seems
		return
	}
	m.fields(fr, to)
	to.packet(fr.Type, m.began, m.at)
}

func (m *mqttScan) fields(fr mqtt.Frame, to sink) {
	began := m.began
	mqtt.Privates(fr, func(f mqtt.Private) {
		if f.Field == mqtt.UnreadField {
			to.unknown(began+int64(f.From), began+int64(f.To))
			return
		}
		to.private(began+int64(f.From), began+int64(f.To), f)
	})
}

// skip says that n bytes are missing.
func (m *mqttScan) skip(n int64, to sink) {
	if m.framer.Lost() {
		return
	}
	if m.framer.Between() {
		m.began = m.at
	}
	fr, begun := m.framer.Partial()
	_, have, _ := m.framer.InPacket()
	if begun {
		// Before Skip, which wipes what the frame has.
		m.fields(fr, to)
	}
	m.framer.Skip(n)
	m.at += n
	if m.framer.Lost() {
		from := m.began
		if begun {
			from += int64(have)
		}
		to.unknown(from, endless)
		return
	}
	m.framer.Feed(nil) // the packet may have ended with the hole
}

// lose gives up the stream.
func (m *mqttScan) lose(to sink) {
	m.end(to)
	m.framer.Skip(endless)
	to.unknown(m.at, endless)
}

// end takes what has begun and is not whole.
func (m *mqttScan) end(to sink) {
	if m.framer.Lost() {
		return
	}
	if fr, begun := m.framer.Partial(); begun {
		m.fields(fr, to)
	} else if !m.framer.Between() {
		to.unknown(m.began, m.at)
	}
}
