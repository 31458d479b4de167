//go:build live && linux

package e2e

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// fate is what the soak's broker does with a CONNECT. The client's side of the
// soak decides it, and the broker looks it up by client ID.
type fate struct {
	// code is that of the CONNACK; silent closes without one, early before the
	// CONNECT is read.
	code   byte
	silent bool
}

// soakBroker accepts, refuses, closes and takes over as it is told. It is a
// broker of our own because a count is exact only where every outcome is chosen.
type soakBroker struct {
	fates sync.Map // client ID → fate
	mu    sync.Mutex
	live  map[string]*soakSession
	wrong func(format string, args ...any)
}

type soakSession struct {
	conn  net.Conn
	level byte
}

// brokerPatience is how long the broker waits for a client that is silent: longer
// than any of the soak's is, shorter than the soak waits in the end. It ends the
// sessions of clients whose RST was lost.
const brokerPatience = 40 * time.Second

func (b *soakBroker) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go b.session(conn)
	}
}

func (b *soakBroker) session(conn net.Conn) {
	defer conn.Close()
	patience := func() { conn.SetDeadline(time.Now().Add(brokerPatience)) } //nolint:errcheck // the next read says it
	patience()
	r := bufio.NewReader(conn)
	kind, body, err := readPacket(r)
	if err != nil || kind>>4 != 1 {
		b.wrong("the broker waited for a CONNECT and got 0x%02x, %v", kind, err)
		return
	}
	level, id, err := connectID(body)
	if err != nil {
		b.wrong("the broker cannot read a CONNECT: %v", err)
		return
	}
	told, ok := b.fates.Load(id)
	if !ok {
		b.wrong("the broker knows nothing of client ID %q", id)
		return
	}
	f := told.(fate)
	if f.silent {
		return
	}
	mine := &soakSession{conn, level}
	if f.code == 0 {
		b.mu.Lock()
		old := b.live[id]
		b.live[id] = mine
		b.mu.Unlock()
		if old != nil {
			if old.level == 5 {
				old.conn.Write([]byte{0xE0, 1, 0x8E}) //nolint:errcheck // it is going anyway
			}
			old.conn.Close()
		}
		defer func() {
			b.mu.Lock()
			if b.live[id] == mine {
				delete(b.live, id)
			}
			b.mu.Unlock()
		}()
	}
	connack := []byte{0x20, 2, 0, f.code}
	if level == 5 {
		connack = []byte{0x20, 3, 0, f.code, 0}
	}
	if _, err := conn.Write(connack); err != nil || f.code != 0 {
		return
	}
	for {
		kind, body, err := readPacket(r)
		if err != nil {
			return
		}
		patience()
		switch kind >> 4 {
		case 3: // PUBLISH
			if kind&0x06 == 0x02 {
				topic := int(binary.BigEndian.Uint16(body))
				conn.Write([]byte{0x40, 2, body[2+topic], body[3+topic]}) //nolint:errcheck // the next read says it
			}
		case 12: // PINGREQ
			conn.Write([]byte{0xD0, 0}) //nolint:errcheck // likewise
		case 14: // DISCONNECT
			return
		}
	}
}

// readPacket reads one MQTT packet: its first byte and what follows the length.
func readPacket(r *bufio.Reader) (kind byte, body []byte, err error) {
	if kind, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	length, err := binary.ReadUvarint(r) // the same encoding, section 2.2.3
	if err != nil {
		return kind, nil, err
	}
	if length > 1<<20 {
		return kind, nil, fmt.Errorf("a packet of %d bytes", length)
	}
	body = make([]byte, length)
	_, err = io.ReadFull(r, body)
	return kind, body, err
}

// connectID takes protocol level and client ID out of a CONNECT that the soak's
// client made: without properties.
func connectID(body []byte) (level byte, id string, err error) {
	short := errors.New("short")
	if len(body) < 12 {
		return 0, "", short
	}
	level = body[6] // behind "MQTT" and its length
	rest := body[10:]
	if level == 5 {
		rest = rest[1:] // the length of the properties, 0
	}
	if len(rest) < 2 || len(rest) < 2+int(binary.BigEndian.Uint16(rest)) {
		return 0, "", short
	}
	return level, string(rest[2 : 2+binary.BigEndian.Uint16(rest)]), nil
}
