package tls

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// An opensslServer is OpenSSL's s_server, which sends back each line reversed,
// or nothing when it is mute.
type opensslServer struct {
	dir, address string
	mute         bool
}

func startOpenSSL(t *testing.T, options ...string) *opensslServer {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	s := &opensslServer{dir: t.TempDir()}
	for i, withRSA := range []bool{true, false} {
		c := selfSigned(t, "broker", withRSA)
		key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
		if err := os.WriteFile(filepath.Join(s.dir, fmt.Sprintf("%d.pem", i)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = free.Addr().String()
	free.Close()
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, "openssl", append([]string{"s_server", "-accept", s.address, "-cert", filepath.Join(s.dir, "0.pem"),
		"-dcert", filepath.Join(s.dir, "1.pem"), "-dkey", filepath.Join(s.dir, "1.pem"), "-quiet"}, options...)...)
	if s.mute = !slices.Contains(options, "-rev"); s.mute {
		if _, err := command.StdinPipe(); err != nil { // it ends with its input
			t.Fatal(err)
		}
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); command.Wait() })
	for range 100 {
		if c, err := net.Dial("tcp", s.address); err == nil {
			c.Close()
			return s
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Skip("openssl s_server does not start with these options")
	return nil
}

// talk runs OpenSSL's s_client through a relay that records, and gives it the
// lines one by one, each when the answer to the one before is there. A line
// that is a command of s_client (K, R) has no answer.
func (s *opensslServer) talk(t *testing.T, lines []string, options ...string) *dialog {
	t.Helper()
	d := new(dialog)
	relay, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		near, err := relay.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", s.address)
		if err != nil {
			near.Close()
			return
		}
		var both sync.WaitGroup
		for from, way := range [][2]net.Conn{{near, far}, {far, near}} {
			both.Go(func() {
				b := make([]byte, 4096)
				for {
					n, err := way[0].Read(b)
					d.mu.Lock()
					if n > 0 {
						d.writes = append(d.writes, write{from: from, b: bytes.Clone(b[:n])})
					}
					d.mu.Unlock()
					way[1].Write(b[:n])
					if err != nil {
						way[1].Close()
						return
					}
				}
			})
		}
		both.Wait()
		near.Close()
	}()
	log := filepath.Join(s.dir, "keys.log")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, "openssl", append([]string{"s_client", "-connect", relay.Addr().String(), "-keylogfile", log}, options...)...)
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	answers := make(chan string, 1000)
	go func() {
		defer close(answers)
		var text strings.Builder
		b := make([]byte, 4096)
		for {
			n, err := out.Read(b)
			text.Write(b[:n])
			answers <- text.String()
			if err != nil {
				return
			}
		}
	}()
	for _, line := range lines {
		io.WriteString(in, line+"\n")
		if len(line) == 1 || s.mute {
			time.Sleep(150 * time.Millisecond)
			continue
		}
		for text := range answers {
			if strings.Contains(text, reversed(line)) {
				break
			}
		}
	}
	in.Close()
	command.Process.Kill()
	command.Wait()
	relay.Close()
	<-done
	text, err := os.ReadFile(log)
	if err != nil {
		t.Skip("openssl does not write key logs: ", err)
	}
	d.keylog.Write(text)
	os.Remove(log)
	return d
}

func reversed(line string) string {
	b := []byte(line)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// opensBoth checks that a dialog opens: each line in one direction, reversed in
// the other unless the server is mute.
func opensBoth(t *testing.T, d *dialog, lines []string, mute bool) {
	t.Helper()
	c := NewConn(d.keys(), nil)
	got := follow(c, d.writes)
	want := [2]string{}
	for _, line := range lines {
		if len(line) > 1 {
			want[0] += line + "\n"
			if !mute {
				want[1] += reversed(line) + "\n"
			}
		}
	}
	for from := range got {
		data, all := contents(got[from])
		if string(data) != want[from] || !all || c.Lost(from) {
			t.Errorf("side %d: %q, want %q; all opened %v, lost %v; %d records", from, data, want[from], all, c.Lost(from), len(got[from]))
		}
	}
}

var opensslLines = []string{"how much wood", "would a woodchuck chuck"}

// TestOpenSSLSuites opens connections of OpenSSL with what Go's TLS does not
// have: CCM, DHE, PSK, encrypt-then-MAC.
func TestOpenSSLSuites(t *testing.T) {
	s := startOpenSSL(t, "-rev", "-psk", "00112233", "-cipher", "ALL:PSK:@SECLEVEL=0", "-ciphersuites",
		"TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256")
	for _, suite := range []string{
		"TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256",
	} {
		t.Run(suite, func(t *testing.T) {
			opensBoth(t, s.talk(t, opensslLines, "-tls1_3", "-ciphersuites", suite), opensslLines, s.mute)
		})
	}
	for _, options := range []string{
		"DHE-RSA-AES128-SHA", "DHE-RSA-AES256-SHA256 -no_etm", "ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384 -no_etm", "DHE-RSA-CHACHA20-POLY1305",
		"ECDHE-ECDSA-AES128-CCM", "AES256-CCM8", "PSK-AES256-CCM", "PSK-AES128-CBC-SHA256", "ECDHE-PSK-CHACHA20-POLY1305", "DHE-PSK-AES256-GCM-SHA384",
	} {
		t.Run(options, func(t *testing.T) {
			suite, more, _ := strings.Cut(options, " ")
			arguments := []string{"-tls1_2", "-psk", "00112233", "-cipher", suite + ":@SECLEVEL=0"}
			opensBoth(t, s.talk(t, opensslLines, append(arguments, strings.Fields(more)...)...), opensslLines, s.mute)
		})
	}
	for _, version := range []string{"-tls1", "-tls1_1"} {
		t.Run(version, func(t *testing.T) {
			opensBoth(t, s.talk(t, opensslLines, version, "-cipher", "ECDHE-RSA-AES128-SHA:@SECLEVEL=0"), opensslLines, s.mute)
		})
	}
}

// TestOpenSSLKeyUpdate has both sides change their keys.
func TestOpenSSLKeyUpdate(t *testing.T) {
	s := startOpenSSL(t, "-rev")
	lines := []string{"how much wood", "K", "would a woodchuck", "K", "chuck, if a", "K", "woodchuck"}
	opensBoth(t, s.talk(t, lines, "-tls1_3"), lines, s.mute)
}

// TestOpenSSLRenegotiation has a second handshake inside the first one.
func TestOpenSSLRenegotiation(t *testing.T) {
	s := startOpenSSL(t, "-rev", "-client_renegotiation")
	lines := []string{"how much wood", "R", "would a woodchuck", "chuck"}
	for _, suite := range []string{"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-SHA384"} {
		opensBoth(t, s.talk(t, lines, "-tls1_2", "-cipher", suite), lines, s.mute)
	}
}

// TestOpenSSLResumption resumes a session; in TLS 1.3 with early data, which
// the server accepts.
func TestOpenSSLResumption(t *testing.T) {
	s := startOpenSSL(t, "-early_data", "-no_anti_replay")
	session, early := filepath.Join(s.dir, "session"), filepath.Join(s.dir, "early")
	if err := os.WriteFile(early, []byte("early bird\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		opensBoth(t, s.talk(t, opensslLines, version, "-sess_out", session), opensslLines, s.mute)
		d := s.talk(t, opensslLines, version, "-sess_in", session)
		if opensBoth(t, d, opensslLines, s.mute); bytes.Contains(d.writes[1].b, []byte("broker")) {
			t.Errorf("%s: not resumed", version)
		}
	}
	d := s.talk(t, opensslLines, "-tls1_3", "-sess_in", session, "-early_data", early)
	c := NewConn(d.keys(), nil)
	got := follow(c, d.writes)
	data, all := contents(got[0])
	if want := "early bird\n" + strings.Join(opensslLines, "\n") + "\n"; string(data) != want || !all {
		t.Errorf("client: %q, want %q; all opened %v; early data %v", data, want, all, c.early.state)
	}
}
