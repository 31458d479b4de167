package tls

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestKeysAdd(t *testing.T) {
	r := strings.Repeat("ab", 32)
	of := random(bytes.Repeat([]byte{0xab}, 32))
	long, short := strings.Repeat("c1", 48), strings.Repeat("d2", 32)
	for _, test := range []struct {
		name, log string
		label     label
		want      string // hex; "" when there is none
	}{
		{"master", "CLIENT_RANDOM " + r + " " + long + "\n", master, long},
		{"upper case", "CLIENT_RANDOM " + strings.ToUpper(r+" "+long), master, long},
		{"CRLF", "# made by\r\n\r\nCLIENT_RANDOM " + r + " " + long + "\r\n", master, long},
		{"sha-256", "CLIENT_TRAFFIC_SECRET_0 " + r + " " + short, clientApplication, short},
		{"sha-384", "SERVER_TRAFFIC_SECRET_0 " + r + " " + long, serverApplication, long},
		{"early", "CLIENT_EARLY_TRAFFIC_SECRET " + r + " " + short, clientEarly, short},
		{"handshakes", "CLIENT_HANDSHAKE_TRAFFIC_SECRET " + r + " " + short + "\nSERVER_HANDSHAKE_TRAFFIC_SECRET " + r + " " + long, serverHandshake, long},
		{"last wins", "CLIENT_RANDOM " + r + " " + strings.Repeat("00", 48) + "\nCLIENT_RANDOM " + r + " " + long, master, long},
		{"comment", "#CLIENT_RANDOM " + r + " " + long, master, ""},
		{"unknown label", "EXPORTER_SECRET " + r + " " + short + "\nRSA 0011223344556677 " + long, master, ""},
		{"short master secret", "CLIENT_RANDOM " + r + " " + short, master, ""},
		{"cut", "CLIENT_RANDOM " + r + " " + long[:94], master, ""},
		{"not hex", "CLIENT_RANDOM " + r + " " + long[:95] + "g", master, ""},
		{"random not hex", "CLIENT_RANDOM " + r[:63] + "x " + long, master, ""},
		{"more fields", "CLIENT_RANDOM " + r + " " + long + " 00", master, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var k Keys
			k.Add([]byte(test.log))
			got := ""
			if s := k.lookup(of); s != nil {
				got = fmt.Sprintf("%x", s[test.label].bytes())
			}
			if got != test.want || (k.Len() == 0) != (test.want == "") {
				t.Errorf("%q, want %q; %d randoms", got, test.want, k.Len())
			}
		})
	}
}

func TestKeysJoinNoLines(t *testing.T) {
	var k Keys
	line := "CLIENT_RANDOM " + strings.Repeat("ab", 32) + " " + strings.Repeat("c1", 48)
	k.Add([]byte(line[:50]))
	k.Add([]byte(line[50:]))
	if k.Len() != 0 {
		t.Error("halves of a line were joined")
	}
}

func TestKeysAreBounded(t *testing.T) {
	var k Keys
	for i := range maxSessions + 10 {
		k.Add(fmt.Appendf(nil, "CLIENT_RANDOM %064x %096x\n", i, i))
	}
	if len(k.sessions) != maxSessions || len(k.order) != maxSessions {
		t.Errorf("%d sessions, %d in order", len(k.sessions), len(k.order))
	}
	for i := range maxSessions + 10 {
		var r random
		r[29], r[30], r[31] = byte(i>>16), byte(i>>8), byte(i)
		if known := k.lookup(r) != nil; known != (i >= 10) {
			t.Fatalf("random %d is known: %v", i, known)
		}
	}
}

// TestKeysAreNotPrinted prints keys in every way that fmt has, on their own, in
// other values and in a connection that uses them.
func TestKeysAreNotPrinted(t *testing.T) {
	s := newScript(1, 0x1301, version13, false)
	s.handshake()
	s.data(0, 1, 100)
	k := s.keys()
	c := NewConn(k, nil)
	follow(c, s.writes)
	type holder struct {
		Public Keys
		secret Keys
		at     *Keys
		conn   *Conn
	}
	h := holder{*k, *k, k, c}
	var texts []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		for _, v := range []any{k, *k, h, &h, []any{k}, c, *c, k.sessions} {
			texts = append(texts, fmt.Sprintf(verb, v))
		}
	}
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	texts = append(texts, string(b), k.String(), k.GoString())
	for _, text := range texts {
		for label, secret := range s.secrets {
			for _, form := range []string{
				fmt.Sprintf("%x", secret[:8]), fmt.Sprintf("%X", secret[:8]), strings.Trim(fmt.Sprint(secret[:8]), "[]"), string(secret[:8]),
				strings.Trim(fmt.Sprintf("%#v", secret[:4])[len("[]byte"):], "{}"),
			} {
				if strings.Contains(text, form) {
					t.Errorf("%s shows in %s", label, text)
				}
			}
		}
	}
	if got := fmt.Sprintf("%+v", *k); got != redacted {
		t.Errorf("%q", got)
	}
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte("CLIENT_RANDOM " + strings.Repeat("ab", 32) + " " + strings.Repeat("c1", 48) + "\r\n# x\n"))
	f.Add([]byte("SERVER_TRAFFIC_SECRET_0 " + strings.Repeat("ab", 32) + " " + strings.Repeat("c1", 32)))
	f.Add([]byte("CLIENT_RANDOM  \n\n \r"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var whole, lines Keys
		whole.Add(b)
		for line := range bytes.Lines(b) {
			lines.Add(line)
		}
		if len(whole.sessions) != len(lines.sessions) || len(whole.order) != len(whole.sessions) {
			t.Errorf("%d sessions in one call, %d line by line, %d in order", len(whole.sessions), len(lines.sessions), len(whole.order))
		}
		if len(whole.sessions) > len(b)/(64+64) {
			t.Errorf("%d sessions in %d bytes", len(whole.sessions), len(b))
		}
	})
}
