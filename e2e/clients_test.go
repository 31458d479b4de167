//go:build live && linux

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"time"
)

// python is Debian's, for which python3-paho-mqtt is.
const python = "/usr/bin/python3"

// paho is a real client that runs.
type paho struct {
	*process
	stdin io.Closer
}

// paho starts clients/paho_client.py at one of the client's addresses.
func (l *lab) paho(from netip.Addr, flags ...string) *paho {
	l.t.Helper()
	args := append([]string{python, "clients/paho_client.py", "--host", l.brokerAt.String(), "--bind", from.String()}, flags...)
	cmd := l.client.command(args...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	return &paho{start(l.t, cmd), stdin}
}

// happened waits until something has happened to the client n times.
func (p *paho) happened(event string, n int) {
	p.t.Helper()
	err := eventually(20*time.Second, func() error {
		found := 0
		for _, l := range p.stdout() {
			var said struct {
				Event string `json:"event"`
			}
			if err := json.Unmarshal([]byte(l.text), &said); err == nil && said.Event == event {
				found++
			}
		}
		if found < n {
			return fmt.Errorf("%q happened %d times to a client, not %d", event, found, n)
		}
		return nil
	})
	if err != nil {
		p.t.Fatalf("%v\n%s%s", err, text(p.stdout()), text(p.stderr()))
	}
}

// leave makes the client disconnect and end.
func (p *paho) leave() {
	p.t.Helper()
	p.stdin.Close()
	p.wait(20 * time.Second)
}

// mosquittoPub runs mosquitto_pub; it is a matter of the scenario whether it fails.
func (l *lab) mosquittoPub(id, password string, flags ...string) (string, error) {
	args := append([]string{"mosquitto_pub", "-h", l.brokerAt.String(), "-A", l.clients[0].String(), "-i", id, "-u", goodUser, "-P", password,
		"-t", "e2e/readings", "-m", "17", "-q", "1"}, flags...)
	out, err := l.client.command(args...).CombinedOutput()
	return string(out), err
}

// knock opens a connection, writes bytes if it opens, and reads until the other
// side closes or has said nothing for the time given.
func (l *lab) knock(to netip.AddrPort, limit time.Duration, bytes []byte) error {
	var conn net.Conn
	dialer := net.Dialer{Timeout: limit, LocalAddr: &net.TCPAddr{IP: l.clients[0].AsSlice()}}
	if err := l.client.within(func() (err error) {
		conn, err = dialer.Dial("tcp", to.String())
		return err
	}); err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit)) //nolint:errcheck // the read says it
	if _, err := conn.Write(bytes); err != nil {
		return err
	}
	_, err := io.ReadAll(conn)
	return err
}

// mustFail runs a command of a client that is to be turned away.
func mustFail(out string, err error) error {
	if _, ended := err.(*exec.ExitError); !ended {
		return fmt.Errorf("the client was not turned away: %v\n%s", err, strings.TrimSpace(out))
	}
	return nil
}
