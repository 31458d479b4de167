//go:build live && linux

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What clients of the tests may and may not say. None of the passwords may ever
// stand in any output or file of the program under test.
const (
	goodUser      = "e2e-user"
	goodPassword  = "e2e-secret-right"
	wrongPassword = "e2e-secret-wrong"
)

// The listeners of the broker.
const (
	plainPort   = 1883 // needs user and password
	fullPort    = 1884 // lets one client in at a time
	smallPort   = 1885 // takes small packets only
	tlsPort     = 8883
	smallPacket = 200
)

// mosquitto starts a real broker in a namespace, at one of its addresses.
// The authority that clients are to trust is in the file it returns; stranger is
// another authority's.
func mosquitto(t *testing.T, s *space, at netip.Addr) (authority, stranger string) {
	t.Helper()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	authority, stranger = file("authority.pem"), file("stranger.pem")
	// An authority that is the server's certificate itself is one that clients know or
	// do not.
	for _, name := range []string{"authority", "stranger"} {
		shell(t, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
			"-subj", "/CN="+name+".example", "-keyout", file(name+".key"), "-out", file(name+".pem"))
	}
	shell(t, "mosquitto_passwd", "-c", "-b", file("passwords"), goodUser, goodPassword)
	listener := func(port int) string { return fmt.Sprintf("listener %d %s", port, at) }
	config := []string{
		"user root", "allow_anonymous false", "password_file " + file("passwords"), "log_dest stderr", "log_type all", "connection_messages true",
		listener(plainPort),
		listener(fullPort), "max_connections 1",
		listener(smallPort),
		listener(tlsPort), "certfile " + authority, "keyfile " + file("authority.key"),
		fmt.Sprintf("max_packet_size %d", smallPacket),
	}
	if err := os.WriteFile(file("mosquitto.conf"), []byte(strings.Join(config, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	broker := start(t, s.command("mosquitto", "-c", file("mosquitto.conf")))
	err := eventually(10*time.Second, func() error {
		if !broker.running() {
			return nil
		}
		return s.within(func() error {
			conn, err := net.Dial("tcp", netip.AddrPortFrom(at, tlsPort).String())
			if err == nil {
				conn.Close()
			}
			return err
		})
	})
	if err != nil || !broker.running() {
		t.Fatalf("mosquitto does not listen: %v\n%s", err, text(broker.stderr()))
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("mosquitto said:\n%s", text(broker.stderr()))
		}
	})
	return authority, stranger
}

func shell(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}
