//go:build live && linux

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// plainLab is a cable with a broker that does as it is told, for tests of the program
// and not of what it finds.
type plainLab struct {
	*lab
	fake *soakBroker
	ids  int
}

func newPlainLab(t *testing.T) *plainLab {
	at := network(4, 0)
	l := &plainLab{
		lab: &lab{
			t: t, client: newSpace(t, "c"), broker: newSpace(t, "b"), devices: []string{"veth1"}, sockets: 1, clock: "veth1",
			brokerAt: at(1), clients: []netip.Addr{at(10)},
		},
		fake: &soakBroker{live: map[string]*soakSession{}, wrong: t.Logf},
	}
	l.capture = l.broker
	l.cable()
	err := l.broker.within(func() error {
		listener, err := net.Listen("tcp", netip.AddrPortFrom(l.brokerAt, plainPort).String())
		if err == nil {
			t.Cleanup(func() { listener.Close() })
			go l.fake.serve(listener)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// cable makes the veth pair and gives it its addresses.
func (l *plainLab) cable() {
	veth(l.client, "veth0", l.broker, "veth1")
	l.client.address("veth0", l.clients...)
	l.broker.address("veth1", l.brokerAt)
}

// refuse makes a client with a new ID connect and be refused with "not authorized".
// It returns the ID.
func (l *plainLab) refuse() string {
	l.t.Helper()
	l.ids++
	id := fmt.Sprintf("sensor-%04d", l.ids)
	if err := l.refuseID(id); err != nil {
		l.t.Fatalf("a client that is to be refused: %v", err)
	}
	return id
}

func (l *plainLab) refuseID(id string) error {
	l.fake.fates.Store(id, fate{code: 5})
	return l.knock(netip.AddrPortFrom(l.brokerAt, plainPort), 5*time.Second, passwordConnect(id))
}

// passwordConnect is a CONNECT with a user name and a password.
func passwordConnect(id string) []byte {
	body := append([]byte("\x00\x04MQTT\x04\xc2\x02\x58\x00"), byte(len(id)))
	body = append(body, id...)
	for _, secret := range []string{goodUser, wrongPassword} {
		body = append(append(body, 0, byte(len(secret))), secret...)
	}
	return append([]byte{0x10, byte(len(body))}, body...)
}

// tells waits until the program tells of a finding's session with this ID.
func (p *process) tells(id string) {
	p.t.Helper()
	err := eventually(promptly+500*time.Millisecond, func() error {
		for _, l := range p.stdout() {
			if bytes.Contains([]byte(l.text), []byte(id)) {
				return nil
			}
		}
		return fmt.Errorf("nothing is told of %q", id)
	})
	if err != nil {
		p.t.Fatalf("%v\n%s%s", err, text(p.stdout()), text(p.stderr()))
	}
}

// get asks an HTTP server in a namespace, as simply as one can.
func (s *space) get(addr, path string) (status, body string, err error) {
	var conn net.Conn
	err = s.within(func() (err error) {
		conn, err = net.DialTimeout("tcp", addr, 5*time.Second)
		return err
	})
	if err != nil {
		return "", "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second)) //nolint:errcheck // the read says it
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", path); err != nil {
		return "", "", err
	}
	answer, err := io.ReadAll(conn)
	head, rest, _ := bytes.Cut(answer, []byte("\r\n\r\n"))
	first, _, _ := bytes.Cut(head, []byte("\r\n"))
	return string(first), string(rest), err
}
