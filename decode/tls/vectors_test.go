package tls

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCCMVectors has the examples 1 to 3 of NIST SP 800-38C and packet vectors
// 1, 2 and 7 of RFC 3610 §8.
func TestCCMVectors(t *testing.T) {
	for _, v := range []struct{ key, nonce, aad, plain, sealed string }{
		{"404142434445464748494a4b4c4d4e4f", "10111213141516", "0001020304050607", "20212223", "7162015b 4dac255d"},
		{"404142434445464748494a4b4c4d4e4f", "1011121314151617", "000102030405060708090a0b0c0d0e0f",
			"202122232425262728292a2b2c2d2e2f", "d2a1f0e051ea5f62081a7792073d593d 1fc64fbfaccd"},
		{"404142434445464748494a4b4c4d4e4f", "101112131415161718191a1b", "000102030405060708090a0b0c0d0e0f10111213",
			"202122232425262728292a2b2c2d2e2f3031323334353637", "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5 484392fbc1b09951"},
		{"c0c1c2c3c4c5c6c7c8c9cacbcccdcecf", "00000003020100a0a1a2a3a4a5", "0001020304050607",
			"08090a0b0c0d0e0f101112131415161718191a1b1c1d1e", "588c979a61c663d2f066d0c2c0f989806d5f6b61dac384 17e8d12cfdf926e0"},
		{"c0c1c2c3c4c5c6c7c8c9cacbcccdcecf", "00000004030201a0a1a2a3a4a5", "0001020304050607",
			"08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "72c91a36e135f8cf291ca894085c87e3cc15c439c9e43a3b a091d56e10400916"},
		{"c0c1c2c3c4c5c6c7c8c9cacbcccdcecf", "00000009080706a0a1a2a3a4a5", "0001020304050607",
			"08090a0b0c0d0e0f101112131415161718191a1b1c1d1e", "0135d1b2c95f41d5d1d4fec185d166b8094e999dfed96c 048c56602c97acbb7490"},
	} {
		plain, sealed := unhex(t, v.plain), unhex(t, v.sealed)
		block, err := aes.NewCipher(unhex(t, v.key))
		if err != nil {
			t.Fatal(err)
		}
		c := ccm{block, len(sealed) - len(plain)}
		got, err := c.Open(nil, unhex(t, v.nonce), sealed, unhex(t, v.aad))
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("nonce %s: %x, %v", v.nonce, got, err)
		}
		for i := range sealed {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1
			if _, err := c.Open(nil, unhex(t, v.nonce), bad, unhex(t, v.aad)); err == nil {
				t.Errorf("nonce %s: opens with byte %d changed", v.nonce, i)
			}
		}
	}
}

// TestPRFVectors has the vectors for TLS 1.2 that were published on the
// working group's list (P_SHA256, P_SHA384) in 2009.
func TestPRFVectors(t *testing.T) {
	for _, v := range []struct {
		hash                      crypto.Hash
		secret, label, seed, want string
	}{
		{crypto.SHA256, "9bbe436ba940f017b17652849a71db35", "test label", "a0ba9f936cda311827a6f796ffd5198c",
			"e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66"},
		{crypto.SHA384, "b80b733d6ceefcdc71566ea48e5567df", "test label", "cd665cf6a8447dd6ff8b27555edb7465",
			"7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0e534cb400fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d9184259b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee691c8f3a26854308d5eaa3be85e0990703d73e56f"},
	} {
		want := unhex(t, v.want)
		if got := prf(version12, v.hash, unhex(t, v.secret), v.label, unhex(t, v.seed), len(want)); !bytes.Equal(got, want) {
			t.Errorf("%v: %x, want %s", v.hash, got, v.want)
		}
	}
}

// TestExpandLabel has keys of RFC 8448 §3 and §4.
func TestExpandLabel(t *testing.T) {
	for _, v := range []struct{ secret, key, iv string }{
		{"b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38", "3fce516009c21727d0f2e4e86ee403bc", "5d313eb2671276ee13000b30"},
		{"3fbbe6a60deb66c30a32795aba0eff7eaa10105586e7be5c09678d63b6caab62", "920205a5b7bf2115e6fc5c2942834f54", "6d475f0993c8e564610db2b9"},
	} {
		if got := expandLabel(crypto.SHA256, unhex(t, v.secret), "key", 16); hex.EncodeToString(got) != v.key {
			t.Errorf("key %x, want %s", got, v.key)
		}
		if got := expandLabel(crypto.SHA256, unhex(t, v.secret), "iv", 12); hex.EncodeToString(got) != v.iv {
			t.Errorf("iv %x, want %s", got, v.iv)
		}
	}
}

// trace reads the records and secrets of a trace of RFC 8448.
func trace(t testing.TB, name string) (writes []write, keys *Keys) {
	text, err := os.ReadFile(filepath.Join("testdata", "rfc8448", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	keys = new(Keys)
	keys.Add(text)
	for line := range strings.Lines(string(text)) {
		who, record, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch who {
		case "client":
			writes = append(writes, write{from: 0, b: unhex(t, record)})
		case "server":
			writes = append(writes, write{from: 1, b: unhex(t, record)})
		}
	}
	return writes, keys
}

// TestRFC8448 opens the traces of RFC 8448: the contents are those the RFC
// shows.
func TestRFC8448(t *testing.T) {
	counted := make([]byte, 50) // 00 01 … 31, what both sides send in §3 and §4
	for i := range counted {
		counted[i] = byte(i)
	}
	closing := Record{Type: Alert, Body: []byte{1, 0}}
	data := Record{Type: ApplicationData, Body: counted}
	hands := Record{Type: Handshake}
	for _, test := range []struct {
		name string
		want [2][]Record // type and, where it is not nil, body
	}{
		{"simple-1rtt", [2][]Record{{hands, hands, data, closing}, {hands, hands, hands, data, closing}}},
		{"resumed-0rtt", [2][]Record{
			{hands, {Type: ApplicationData, Body: []byte("ABCDEF")}, {Type: Handshake, Body: []byte{endOfEarlyData, 0, 0, 0}}, hands, data, closing},
			{hands, hands, data, closing},
		}},
		{"hello-retry", [2][]Record{{hands, hands, hands, closing}, {hands, hands, hands, closing}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			writes, keys := trace(t, test.name)
			for _, size := range []int{1, 3, 100, 1 << 20} {
				c := NewConn(keys, nil)
				got := follow(c, pieces(writes, size))
				for from, want := range test.want {
					if len(got[from]) != len(want) {
						t.Fatalf("pieces of %d, side %d: %d records, want %d", size, from, len(got[from]), len(want))
					}
					for i, r := range got[from] {
						if r.Type != want[i].Type || want[i].Body != nil && !bytes.Equal(r.Body, want[i].Body) || r.Opened != (r.WireType == ApplicationData) {
							t.Errorf("pieces of %d, side %d, record %d: %+v, want %+v", size, from, i, r, want[i])
						}
					}
					if c.Lost(from) {
						t.Errorf("pieces of %d: side %d is lost", size, from)
					}
				}
				if certificate := c.Certificate(1); (certificate == nil) != (test.name == "resumed-0rtt") {
					t.Errorf("certificate %+v", certificate)
				} else if certificate != nil && (certificate.Subject != "rsa" || certificate.Issuer != "rsa" || certificate.NotBefore.Year() != 2016) {
					t.Errorf("certificate %+v", certificate)
				}
				if h, ok := c.Hello(0); !ok || h.SNI != "server" || h.Version != "1.3" {
					t.Errorf("hello %+v", h)
				}
			}
		})
	}
}
