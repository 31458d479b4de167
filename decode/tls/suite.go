package tls

import (
	"crypto"
	_ "crypto/md5" // for the hashes of suites
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
)

// A kind is how a suite seals records.
type kind uint8

const (
	gcm kind = iota
	chacha
	ccm16
	ccm8
	cbc
)

// A suite is what a cipher suite says about records. Key exchange and
// authentication do not matter to whom has the secrets.
type suite struct {
	kind kind
	key  int         // bytes of a key
	hash crypto.Hash // of the PRF of TLS 1.2 and of HKDF
	mac  crypto.Hash // of CBC
}

// suites are those of TLS 1.3 (RFC 8446 §B.4) and all of TLS 1.2 and before
// with AES or ChaCha20, by their registered numbers.
var suites = map[uint16]suite{}

func init() {
	for _, group := range []struct {
		suite
		ids []uint16
	}{
		{suite{gcm, 16, crypto.SHA256, 0}, []uint16{0x1301, 0x009c, 0x009e, 0x00a0, 0x00a2, 0x00a4, 0x00a6, 0x00a8, 0x00aa, 0x00ac,
			0xc02b, 0xc02d, 0xc02f, 0xc031, 0xd001}},
		{suite{gcm, 32, crypto.SHA384, 0}, []uint16{0x1302, 0x009d, 0x009f, 0x00a1, 0x00a3, 0x00a5, 0x00a7, 0x00a9, 0x00ab, 0x00ad,
			0xc02c, 0xc02e, 0xc030, 0xc032, 0xd002}},
		{suite{chacha, 32, crypto.SHA256, 0}, []uint16{0x1303, 0xcca8, 0xcca9, 0xccaa, 0xccab, 0xccac, 0xccad, 0xccae}},
		{suite{ccm16, 16, crypto.SHA256, 0}, []uint16{0x1304, 0xc09c, 0xc09e, 0xc0a4, 0xc0a6, 0xc0ac, 0xd005}},
		{suite{ccm16, 32, crypto.SHA256, 0}, []uint16{0xc09d, 0xc09f, 0xc0a5, 0xc0a7, 0xc0ad}},
		{suite{ccm8, 16, crypto.SHA256, 0}, []uint16{0x1305, 0xc0a0, 0xc0a2, 0xc0a8, 0xc0aa, 0xc0ae, 0xd003}},
		{suite{ccm8, 32, crypto.SHA256, 0}, []uint16{0xc0a1, 0xc0a3, 0xc0a9, 0xc0ab, 0xc0af}},
		{suite{cbc, 16, crypto.SHA256, crypto.SHA1}, []uint16{0x002f, 0x0030, 0x0031, 0x0032, 0x0033, 0x0034, 0x008c, 0x0090, 0x0094,
			0xc004, 0xc009, 0xc00e, 0xc013, 0xc018, 0xc01d, 0xc01e, 0xc01f, 0xc035}},
		{suite{cbc, 32, crypto.SHA256, crypto.SHA1}, []uint16{0x0035, 0x0036, 0x0037, 0x0038, 0x0039, 0x003a, 0x008d, 0x0091, 0x0095,
			0xc005, 0xc00a, 0xc00f, 0xc014, 0xc019, 0xc020, 0xc021, 0xc022, 0xc036}},
		{suite{cbc, 16, crypto.SHA256, crypto.SHA256}, []uint16{0x003c, 0x003e, 0x003f, 0x0040, 0x0067, 0x006c, 0x00ae, 0x00b2, 0x00b6,
			0xc023, 0xc025, 0xc027, 0xc029, 0xc037}},
		{suite{cbc, 32, crypto.SHA256, crypto.SHA256}, []uint16{0x003d, 0x0068, 0x0069, 0x006a, 0x006b, 0x006d}},
		{suite{cbc, 32, crypto.SHA384, crypto.SHA384}, []uint16{0x00af, 0x00b3, 0x00b7, 0xc024, 0xc026, 0xc028, 0xc02a, 0xc038}},
	} {
		for _, id := range group.ids {
			suites[id] = group.suite
		}
	}
}

// suiteFor finds a suite; ok is false for those that are not known and those
// of another version.
func suiteFor(id uint16, version int) (s suite, ok bool) {
	s, ok = suites[id]
	return s, ok && (id>>8 == 0x13) == (version == version13) && (version >= version12 || s.kind == cbc && s.mac == crypto.SHA1)
}
