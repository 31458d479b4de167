//go:build live && linux

package e2e

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// tally is what the soak did, in the words of the report.
type tally struct {
	Connections, Accepted, Rejected, Silent, Refused, Takeovers int
	// Codes are the CONNACKs that refused, by symptom.
	Symptoms map[string]int
	// SlowConnacks are answers that took the client more than 2 s: lost packets.
	SlowConnacks int
	// Odd is what did not go as it was meant to go.
	Odd []string
}

// soakClients makes connections whose outcome is chosen by lot.
type soakClients struct {
	space   *space
	broker  *soakBroker
	brokers []netip.Addr
	// from are the clients' addresses, of each broker address's family.
	from [][]netip.Addr

	mu      sync.Mutex
	done    tally
	serial  int
	running sync.WaitGroup
}

// longestStay is how long an accepted session lasts at most.
const longestStay = 20 * time.Second

// refusals are the codes that the broker answers with, and the symptom of each.
var refusals = []struct {
	level, code byte
	symptom     string
}{
	{4, 2, "identifier-rejected"}, {5, 0x85, "identifier-rejected"},
	{4, 3, "server-unavailable"}, {5, 0x88, "server-unavailable"},
	{4, 4, "bad-credentials"}, {5, 0x86, "bad-credentials"},
	{4, 5, "not-authorized"}, {5, 0x87, "not-authorized"},
	{4, 1, "version-refused"}, {5, 0x84, "version-refused"},
	{5, 0x80, "connack-other"},
}

func (c *soakClients) odd(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.done.Odd) < 20 {
		c.done.Odd = append(c.done.Odd, fmt.Sprintf(format, args...))
	}
}

// count adds what f does to the tally.
func (c *soakClients) count(f func(*tally)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.done)
}

// connections are how many it has begun.
func (c *soakClients) connections() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done.Connections
}

// next begins one client's story, with an ID that was never used before. Its
// digits make it a serial number, and not drawn at random.
func (c *soakClients) next() {
	c.mu.Lock()
	c.serial++
	id := fmt.Sprintf("meter-%07d", c.serial)
	c.mu.Unlock()
	family := rand.IntN(len(c.brokers))
	s := &soakClient{all: c, id: id, broker: c.brokers[family], from: c.from[family], level: []byte{4, 5}[rand.IntN(2)]}
	story := s.stay
	switch lot := rand.IntN(100); {
	case lot < 50:
	case lot < 68:
		story = s.refusedByCode
	case lot < 78:
		story = s.closedSilently
	case lot < 90:
		story = s.takenOver
	default:
		story = s.refusedPort
	}
	c.running.Add(1)
	go func() {
		defer c.running.Done()
		story()
	}()
}

// soakClient is one client, with one client ID.
type soakClient struct {
	all    *soakClients
	id     string
	level  byte
	broker netip.Addr
	from   []netip.Addr
}

// stay is accepted, talks for a while and leaves in one of three ways.
func (s *soakClient) stay() {
	s.all.broker.fates.Store(s.id, fate{})
	defer s.all.broker.fates.Delete(s.id)
	conn, r := s.accepted()
	if conn == nil {
		return
	}
	s.chat(conn, r)
	time.Sleep(time.Duration(rand.Int64N(int64(longestStay))))
	s.leave(conn)
}

// leave says DISCONNECT, or only closes, or resets.
func (s *soakClient) leave(conn net.Conn) {
	switch lot := rand.IntN(10); {
	case lot < 6:
		conn.Write([]byte{0xE0, 0}) //nolint:errcheck // what was sent is seen by the capture
	case lot < 9:
	default:
		conn.(*net.TCPConn).SetLinger(0) //nolint:errcheck // a FIN then, which is as good
	}
	conn.Close()
}

func (s *soakClient) refusedByCode() {
	r := refusals[rand.IntN(len(refusals))]
	s.level = r.level
	s.all.broker.fates.Store(s.id, fate{code: r.code})
	defer s.all.broker.fates.Delete(s.id)
	conn, in := s.connect()
	if conn == nil {
		return
	}
	defer conn.Close()
	code, err := s.connack(in)
	if err != nil || code != r.code {
		s.all.odd("%s should have been refused with 0x%02x: 0x%02x, %v", s.id, r.code, code, err)
		return
	}
	s.all.count(func(t *tally) { t.Rejected++; t.Symptoms[r.symptom]++ })
	s.drain(in)
}

func (s *soakClient) closedSilently() {
	s.all.broker.fates.Store(s.id, fate{silent: true})
	defer s.all.broker.fates.Delete(s.id)
	conn, r := s.connect()
	if conn == nil {
		return
	}
	defer conn.Close()
	if b, err := r.ReadByte(); err == nil {
		s.all.odd("%s should have been closed silently, and got 0x%02x", s.id, b)
		return
	}
	s.all.count(func(t *tally) { t.Silent++; t.Symptoms["closed-before-connack"]++ })
}

// takenOver is accepted twice with one ID: the second time ends the first.
func (s *soakClient) takenOver() {
	s.all.broker.fates.Store(s.id, fate{})
	defer s.all.broker.fates.Delete(s.id)
	old, r := s.accepted()
	if old == nil {
		return
	}
	defer old.Close()
	s.chat(old, r)
	time.Sleep(100*time.Millisecond + time.Duration(rand.Int64N(int64(8*time.Second))))
	conn, _ := s.accepted()
	if conn == nil {
		return
	}
	s.all.count(func(t *tally) { t.Takeovers++ })
	s.drain(r) // the broker's close of the old one
	old.Close()
	time.Sleep(time.Duration(rand.Int64N(int64(3 * time.Second))))
	s.leave(conn)
}

// noSuchPort is one where nobody listens, and a broker could.
const noSuchPort = 8883

// refusedPort knocks where nobody listens.
func (s *soakClient) refusedPort() {
	s.all.count(func(t *tally) { t.Connections++ })
	conn, err := s.dial(noSuchPort)
	if err == nil {
		conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		s.all.odd("port %d should have been refused: %v", noSuchPort, err)
		return
	}
	s.all.count(func(t *tally) { t.Refused++; t.Symptoms["connection-refused"]++ })
}

// patience is how long a client waits: much longer than any row of losses.
const patience = 60 * time.Second

func (s *soakClient) dial(port uint16) (conn net.Conn, err error) {
	dialer := net.Dialer{
		Timeout: patience, KeepAlive: -1,
		LocalAddr: &net.TCPAddr{IP: s.from[rand.IntN(len(s.from))].AsSlice()},
	}
	entered := s.all.space.within(func() error {
		conn, err = dialer.DialContext(context.Background(), "tcp", netip.AddrPortFrom(s.broker, port).String())
		return nil
	})
	return conn, errors.Join(entered, err)
}

// connect opens a connection and sends CONNECT.
func (s *soakClient) connect() (net.Conn, *bufio.Reader) {
	s.all.count(func(t *tally) { t.Connections++ })
	conn, err := s.dial(1883)
	if err != nil {
		s.all.odd("%s cannot connect: %v", s.id, err)
		return nil, nil
	}
	conn.SetDeadline(time.Now().Add(patience + longestStay)) //nolint:errcheck // the next read says it
	if _, err := conn.Write(connectPacket(s.level, s.id)); err != nil {
		s.all.odd("%s cannot send CONNECT: %v", s.id, err)
		conn.Close()
		return nil, nil
	}
	return conn, bufio.NewReader(conn)
}

// accepted opens a session that the broker accepts.
func (s *soakClient) accepted() (net.Conn, *bufio.Reader) {
	conn, r := s.connect()
	if conn == nil {
		return nil, nil
	}
	if code, err := s.connack(r); err != nil || code != 0 {
		s.all.odd("%s should have been accepted: 0x%02x, %v", s.id, code, err)
		conn.Close()
		return nil, nil
	}
	s.all.count(func(t *tally) { t.Accepted++ })
	return conn, r
}

func (s *soakClient) connack(r *bufio.Reader) (code byte, err error) {
	begin := time.Now()
	kind, body, err := readPacket(r)
	switch {
	case err != nil:
		return 0, err
	case kind != 0x20 || len(body) < 2:
		return 0, fmt.Errorf("0x%02x instead of CONNACK", kind)
	}
	if time.Since(begin) > 2*time.Second {
		s.all.count(func(t *tally) { t.SlowConnacks++ })
	}
	return body[1], nil
}

// chat publishes a little, and waits until the broker has it all: a broker that
// closes a connection with unread data resets it, and a RST that is lost is
// never sent again.
func (s *soakClient) chat(conn net.Conn, r *bufio.Reader) {
	for i := range rand.IntN(4) {
		conn.Write(publishPacket(s.level, uint16(i+1))) //nolint:errcheck // the answer says it
		if kind, _, err := readPacket(r); err != nil || kind != 0x40 {
			s.all.odd("%s waited for PUBACK: 0x%02x, %v", s.id, kind, err)
			return
		}
	}
}

// drain reads until the other side closes.
func (s *soakClient) drain(r *bufio.Reader) {
	for {
		if _, err := r.ReadByte(); err != nil {
			var late net.Error
			if errors.As(err, &late) && late.Timeout() {
				s.all.odd("%s: the broker did not close", s.id)
			}
			return
		}
	}
}

func connectPacket(level byte, id string) []byte {
	body := append([]byte("\x00\x04MQTT"), level, 0x02, 0x02, 0x58) // clean start, 600 s
	if level == 5 {
		body = append(body, 0)
	}
	body = binary.BigEndian.AppendUint16(body, uint16(len(id)))
	body = append(body, id...)
	return append([]byte{0x10, byte(len(body))}, body...)
}

// publishPacket is a PUBLISH with QoS 1 and 60 bytes of payload.
func publishPacket(level byte, packetID uint16) []byte {
	body := append([]byte("\x00\x05meter"), byte(packetID>>8), byte(packetID))
	if level == 5 {
		body = append(body, 0)
	}
	body = append(body, make([]byte, 60)...)
	return append([]byte{0x32, byte(len(body))}, body...)
}
