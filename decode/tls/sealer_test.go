package tls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"golang.org/x/crypto/chacha20poly1305"
)

// A sealer seals records of one direction with one key, as a sender does.
type sealer struct {
	suite          suite
	version        int
	encryptThenMAC bool
	key, iv, mac   []byte
	seq            uint64
}

func (s *sealer) seal(t ContentType, content []byte, r *rand.Rand) []byte {
	version := min(s.version, version12)
	head := []byte{byte(t), byte(version >> 8), byte(version), 0, 0}
	setLength := func(n int) { binary.BigEndian.PutUint16(head[3:], uint16(n)) }
	pseudo := func(n int) []byte {
		setLength(n)
		return append(binary.BigEndian.AppendUint64(nil, s.seq), head...)
	}
	var fragment []byte
	switch {
	case s.version == version13:
		inner := append(append([]byte{}, content...), byte(t))
		inner = append(inner, make([]byte, r.IntN(3)*r.IntN(20))...)
		head[0] = byte(ApplicationData)
		setLength(len(inner) + s.tag())
		fragment = s.aead(inner, s.nonce(), head)
	case s.suite.kind == chacha:
		fragment = s.aead(content, s.nonce(), pseudo(len(content)))
	case s.suite.kind != cbc:
		explicit := binary.BigEndian.AppendUint64(nil, s.seq+77)
		fragment = append(explicit, s.aead(content, append(append([]byte{}, s.iv...), explicit...), pseudo(len(content)))...)
	default:
		fragment = s.cbc(content, pseudo, r)
	}
	s.seq++
	setLength(len(fragment))
	return append(head, fragment...)
}

func (s *sealer) nonce() []byte {
	nonce := append([]byte{}, s.iv...)
	for i, b := range binary.BigEndian.AppendUint64(nil, s.seq) {
		nonce[4+i] ^= b
	}
	return nonce
}

func (s *sealer) tag() int {
	if s.suite.kind == ccm8 {
		return 8
	}
	return 16
}

func (s *sealer) aead(plain, nonce, aad []byte) []byte {
	if s.suite.kind == chacha {
		return must(chacha20poly1305.New(s.key)).Seal(nil, nonce, plain, aad)
	}
	block := must(aes.NewCipher(s.key))
	if s.suite.kind == gcm {
		return must(cipher.NewGCM(block)).Seal(nil, nonce, plain, aad)
	}
	c := ccm{block, s.tag()}
	tag := c.mac(nonce, plain, aad)
	counter := append([]byte{2}, nonce...)
	stream := cipher.NewCTR(block, append(counter, 0, 0, 0))
	stream.XORKeyStream(tag[:], tag[:])
	sealed := make([]byte, len(plain))
	stream.XORKeyStream(sealed, plain)
	return append(sealed, tag[:s.tag()]...)
}

// cbc seals by RFC 5246 §6.2.3.2 or RFC 7366.
func (s *sealer) cbc(content []byte, pseudo func(int) []byte, r *rand.Rand) []byte {
	sum := func(b []byte) []byte {
		m := hmac.New(newHash(s.suite.mac), s.mac)
		m.Write(pseudo(len(b)))
		m.Write(b)
		return m.Sum(nil)
	}
	plain := append([]byte{}, content...)
	if !s.encryptThenMAC {
		plain = append(plain, sum(content)...)
	}
	pad := 15 - len(plain)%16 + 16*r.IntN(3)
	for range pad + 1 {
		plain = append(plain, byte(pad))
	}
	iv := make([]byte, 16)
	for i := range iv {
		iv[i] = byte(r.Uint32())
	}
	cipher.NewCBCEncrypter(must(aes.NewCipher(s.key)), iv).CryptBlocks(plain, plain)
	sealed := append(iv, plain...)
	if s.encryptThenMAC {
		sealed = append(sealed, sum(sealed)...)
	}
	return sealed
}

// A script is a connection made by hand: what goes over the wire and what it
// means.
type script struct {
	r       *rand.Rand
	id      uint16
	suite   suite
	version int
	etm     bool
	log     string
	secrets map[string][]byte
	sealers [2]*sealer
	traffic [2][]byte // the application secrets in use, of TLS 1.3
	writes  []write
	// records are those of each direction, with where each ends in its stream.
	records [2][]scripted
	size    [2]int
}

// scripted is a record of the model.
type scripted struct {
	t       ContentType
	sealed  bool
	content []byte
	begin   int
	end     int
}

var scriptClient, scriptServer = random{1, 2, 3}, random{4, 5, 6}

func newScript(seed uint64, id uint16, version int, etm bool) *script {
	s := &script{r: rand.New(rand.NewPCG(seed, 1)), id: id, version: version, etm: etm, secrets: map[string][]byte{}}
	s.suite, _ = suiteFor(id, version)
	return s
}

func (s *script) secret(label string, size int) []byte {
	if s.secrets[label] == nil {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(s.r.Uint32())
		}
		s.secrets[label] = b
		s.log += fmt.Sprintf("%s %x %x\n", label, scriptClient, b)
	}
	return s.secrets[label]
}

func (s *script) keys(without ...string) *Keys {
	k := new(Keys)
lines:
	for label, b := range s.secrets {
		for _, w := range without {
			if w == label {
				continue lines
			}
		}
		k.Add(fmt.Appendf(nil, "%s %x %x", label, scriptClient, b))
	}
	return k
}

// send puts a record on the wire, sealed where the side has a key.
func (s *script) send(from int, t ContentType, content []byte) {
	var b []byte
	if k := s.sealers[from]; k != nil {
		b = k.seal(t, content, s.r)
	} else {
		b = record(t, content)
		if s.version < version12 {
			b[2] = byte(s.version)
		}
	}
	begin := s.size[from]
	s.size[from] += len(b)
	s.writes = append(s.writes, write{from: from, b: b, needs: s.size[1-from]})
	s.records[from] = append(s.records[from], scripted{t, s.sealers[from] != nil, content, begin, s.size[from]})
}

func message(t byte, body ...byte) []byte {
	return append([]byte{t, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
}

func extensionBytes(t int, value ...byte) []byte {
	return append([]byte{byte(t >> 8), byte(t), byte(len(value) >> 8), byte(len(value))}, value...)
}

// hellos exchanges a ClientHello and, unless it is nil, runs between before the
// ServerHello.
func (s *script) hellos(extensions []byte, between func()) {
	client := append([]byte{3, 3}, scriptClient[:]...)
	client = append(client, 0, 0, 2, byte(s.id>>8), byte(s.id), 1, 0, byte(len(extensions)>>8), byte(len(extensions)))
	s.send(0, Handshake, message(clientHello, append(client, extensions...)...))
	if between != nil {
		between()
	}
	s.serverHello(scriptServer)
}

func (s *script) serverHello(random random) {
	server := append([]byte{3, byte(min(s.version, version12))}, random[:]...)
	server = append(server, 0, byte(s.id>>8), byte(s.id), 0)
	var extensions []byte
	if s.version == version13 {
		extensions = append(extensions, extensionBytes(extSupportedVersions, 3, 4)...)
	}
	if s.etm {
		extensions = append(extensions, extensionBytes(extEncryptThenMAC)...)
	}
	server = append(server, byte(len(extensions)>>8), byte(len(extensions)))
	s.send(1, Handshake, message(serverHello, append(server, extensions...)...))
}

// key13 gives a side the key of a secret.
func (s *script) key13(from int, secret []byte) {
	h := s.suite.hash
	s.sealers[from] = &sealer{suite: s.suite, version: version13, key: expandLabel(h, secret, "key", s.suite.key), iv: expandLabel(h, secret, "iv", 12)}
}

// key12 gives a side its key of TLS 1.2 (RFC 5246 §6.3), written out here once
// more.
func (s *script) key12(from int) {
	mac, iv := 0, 4
	switch s.suite.kind {
	case cbc:
		mac, iv = s.suite.mac.Size(), 0
	case chacha:
		iv = 12
	}
	b := prf(s.version, s.suite.hash, s.secret("CLIENT_RANDOM", 48), "key expansion", append(scriptServer[:], scriptClient[:]...), 2*(mac+s.suite.key+iv))
	k := s.suite.key
	s.sealers[from] = &sealer{
		suite: s.suite, version: s.version, encryptThenMAC: s.etm,
		mac: b[from*mac:][:mac], key: b[2*mac+from*k:][:k], iv: b[2*mac+2*k+from*iv:][:iv],
	}
}

// handshake13 goes from the server's hello to application data. flight is how
// many records the server's messages take.
func (s *script) handshake13(flight int, accept bool) {
	h := s.suite.hash.Size()
	s.send(1, ChangeCipherSpec, []byte{1})
	s.key13(1, s.secret("SERVER_HANDSHAKE_TRAFFIC_SECRET", h))
	var extensions []byte
	if accept {
		extensions = extensionBytes(extEarlyData)
	}
	messages := message(encryptedExtensions, append([]byte{0, byte(len(extensions))}, extensions...)...)
	messages = append(messages, message(15, make([]byte, 300)...)...)
	messages = append(messages, message(finished, make([]byte, h)...)...)
	for i := range flight {
		s.send(1, Handshake, messages[i*len(messages)/flight:(i+1)*len(messages)/flight])
	}
	s.traffic[1] = s.secret("SERVER_TRAFFIC_SECRET_0", h)
	s.key13(1, s.traffic[1])
	if accept {
		s.send(0, Handshake, message(endOfEarlyData))
	}
	s.key13(0, s.secret("CLIENT_HANDSHAKE_TRAFFIC_SECRET", h))
	s.send(0, Handshake, message(finished, make([]byte, h)...))
	s.traffic[0] = s.secret("CLIENT_TRAFFIC_SECRET_0", h)
	s.key13(0, s.traffic[0])
	s.send(1, Handshake, message(4, make([]byte, 180)...))
}

func (s *script) handshake12() {
	s.send(1, Handshake, message(14))
	s.send(0, Handshake, message(16, make([]byte, 32)...))
	s.send(0, ChangeCipherSpec, []byte{1})
	s.key12(0)
	s.send(0, Handshake, message(finished, make([]byte, 12)...))
	s.send(1, ChangeCipherSpec, []byte{1})
	s.key12(1)
	s.send(1, Handshake, message(finished, make([]byte, 12)...))
}

func (s *script) handshake() {
	s.hellos(nil, nil)
	if s.version == version13 {
		s.handshake13(1+s.r.IntN(4), false)
	} else {
		s.handshake12()
	}
}

func (s *script) updateKey(from int) {
	s.send(from, Handshake, message(keyUpdate, 0))
	s.traffic[from] = expandLabel(s.suite.hash, s.traffic[from], "traffic upd", s.suite.hash.Size())
	s.key13(from, s.traffic[from])
}

// data sends n records of application data, each of which is unlike the others.
func (s *script) data(from, n, size int) {
	for range n {
		b := make([]byte, 8+s.r.IntN(size))
		binary.BigEndian.PutUint64(b, uint64(s.size[from]))
		for i := 8; i < len(b); i++ {
			b[i] = byte(s.r.Uint32())
		}
		s.send(from, ApplicationData, b)
	}
}
