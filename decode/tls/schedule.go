package tls

import (
	"crypto"
	"crypto/hkdf"
	"crypto/hmac"
)

// The epochs of TLS 1.3, in their order; application+n is after n KeyUpdates.
// TLS 1.2 has one epoch for each ChangeCipherSpec.
const (
	early = iota
	handshake
	application
)

// schedule13 is the key schedule of one direction of TLS 1.3 (RFC 8446 §7).
type schedule13 struct {
	suite   suite
	secrets *secrets
	client  bool
	// openers are those of the latest epochs, by epoch modulo three: at most
	// two that follow are tried.
	openers [3]*aeadRecords
	made    [3]int
	// secret is that of application data in the epoch of its name.
	secret []byte
	epoch  int
}

func (s *schedule13) label(epoch int) label {
	switch {
	case epoch == early:
		return clientEarly
	case epoch == handshake && s.client:
		return clientHandshake
	case epoch == handshake:
		return serverHandshake
	case s.client:
		return clientApplication
	}
	return serverApplication
}

func (s *schedule13) opener(epoch int) opener {
	slot := epoch % len(s.openers)
	if s.openers[slot] == nil || s.made[slot] != epoch {
		secret := s.trafficSecret(epoch)
		if secret == nil {
			return nil
		}
		h := s.suite.hash
		s.openers[slot] = newAEAD(s.suite, expandLabel(h, secret, "key", s.suite.key), expandLabel(h, secret, "iv", 12), version13)
		s.made[slot] = epoch
	}
	return s.openers[slot]
}

// trafficSecret is the secret of an epoch; each of application data makes the
// next (RFC 8446 §7.2).
func (s *schedule13) trafficSecret(epoch int) []byte {
	known := &s.secrets[s.label(epoch)]
	if int(known.size) != s.suite.hash.Size() {
		return nil
	}
	if epoch < application {
		return known.bytes()
	}
	if s.secret == nil || s.epoch > epoch {
		s.secret, s.epoch = known.bytes(), application
	}
	secret := s.secret
	for e := s.epoch; e < epoch; e++ {
		secret = expandLabel(s.suite.hash, secret, "traffic upd", s.suite.hash.Size())
	}
	return secret
}

// last lets two epochs be skipped before application data, and one key update.
func (s *schedule13) last(epoch int) int {
	return max(application, epoch+1)
}

func (s *schedule13) enter(epoch int) {
	if epoch > application {
		s.secret, s.epoch = s.trafficSecret(epoch), epoch
	}
}

// schedule12 is the one epoch of TLS 1.2 and before, from a ChangeCipherSpec to
// the next.
type schedule12 struct {
	*session
	client bool
	made   opener
}

func (s *schedule12) opener(int) opener {
	if s.made == nil {
		s.made = s.session.opener12(s.client)
	}
	return s.made
}

func (s *schedule12) last(int) int { return 0 }

func (s *schedule12) enter(int) {}

// opener12 makes the keys of one direction (RFC 5246 §6.3); nil when the master
// secret is not known.
func (s *session) opener12(client bool) opener {
	if s.secrets == nil || s.secrets[master].size == 0 {
		return nil
	}
	mac, iv := 0, 4
	switch {
	case s.suite.kind == cbc && s.version == version10:
		mac, iv = s.suite.mac.Size(), 16
	case s.suite.kind == cbc:
		mac, iv = s.suite.mac.Size(), 0
	case s.suite.kind == chacha:
		iv = 12 // RFC 7905 §2
	}
	block := prf(s.version, s.suite.hash, s.secrets[master].bytes(), "key expansion",
		append(s.server[:], s.client[:]...), 2*(mac+s.suite.key+iv))
	// The block holds both MAC keys, both keys, both IVs: the client's first.
	take := func(size int) []byte {
		pair := block[:2*size]
		block = block[2*size:]
		if client {
			return pair[:size]
		}
		return pair[size:]
	}
	macKey, key, fixed := take(mac), take(s.suite.key), take(iv)
	if s.suite.kind == cbc {
		return newCBC(s.suite, key, fixed, macKey, s.version, s.encryptThenMAC)
	}
	return newAEAD(s.suite, key, fixed, s.version)
}

// prf is the pseudo-random function of TLS 1.2 with the suite's hash (RFC 5246
// §5), and of TLS 1.0 and 1.1 with both MD5 and SHA-1 (RFC 2246 §5).
func prf(version int, h crypto.Hash, secret []byte, label string, seed []byte, size int) []byte {
	seed = append([]byte(label), seed...)
	out := make([]byte, size)
	if version >= version12 {
		pHash(h, secret, seed, out)
		return out
	}
	half := (len(secret) + 1) / 2
	pHash(crypto.MD5, secret[:half], seed, out)
	other := make([]byte, size)
	pHash(crypto.SHA1, secret[len(secret)-half:], seed, other)
	for i := range out {
		out[i] ^= other[i]
	}
	return out
}

// pHash is the data expansion function P_hash (RFC 5246 §5).
func pHash(h crypto.Hash, secret, seed, out []byte) {
	m := hmac.New(newHash(h), secret)
	sum := func(parts ...[]byte) []byte {
		m.Reset()
		for _, p := range parts {
			m.Write(p)
		}
		return m.Sum(nil)
	}
	for a := sum(seed); len(out) > 0; a = sum(a) {
		out = out[copy(out, sum(a, seed)):]
	}
}

// expandLabel is HKDF-Expand-Label with an empty context (RFC 8446 §7.1).
func expandLabel(h crypto.Hash, secret []byte, label string, size int) []byte {
	label = "tls13 " + label
	info := string([]byte{byte(size >> 8), byte(size), byte(len(label))}) + label + "\x00"
	return must(hkdf.Expand(newHash(h), secret, info, size))
}
