package slice

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"unicode/utf8"

	"github.com/mqttriage/mqttriage/decode/link"
)

// redactor replaces names by pseudonyms of the same length, and addresses by such for
// documentation and tests. The same key gives the same ones.
type redactor struct {
	key   []byte
	taken map[[4]byte][4]byte
	used  map[[4]byte]bool
	names map[string]string
}

// maxNames bounds the pseudonyms that are remembered; making one again only takes
// time.
const maxNames = 1 << 16

func newRedactor(key []byte) *redactor {
	return &redactor{key: key, taken: map[[4]byte][4]byte{}, used: map[[4]byte]bool{}, names: map[string]string{}}
}

func (r *redactor) digest(kind string, value []byte) [sha256.Size]byte {
	h := hmac.New(sha256.New, r.key)
	h.Write([]byte(kind))
	h.Write([]byte{0})
	h.Write(value)
	return [sha256.Size]byte(h.Sum(nil))
}

// maxName is how much of a name is replaced character by character; of what follows
// there is no more than a tag.
const maxName = 256

// name is the pseudonym of a client ID or a host name: letters for letters, digits for
// digits, and alike as far as the names are alike from their beginning on, so that names
// that were drawn at random still look so.
func (r *redactor) name(value []byte) string {
	value = value[:min(len(value), maxName)]
	if known, ok := r.names[string(value)]; ok {
		return known
	}
	out := make([]byte, 0, len(value))
	state := r.digest("name", nil)
	for rest := value; len(rest) > 0; {
		c, n := utf8.DecodeRune(rest)
		shift := binary.BigEndian.Uint32(state[:])
		switch {
		case c >= '0' && c <= '9':
			out = append(out, '0'+byte((uint32(c-'0')+shift%10)%10))
		case c >= 'a' && c <= 'z':
			out = append(out, 'a'+byte((uint32(c-'a')+shift%26)%26))
		case c >= 'A' && c <= 'Z':
			out = append(out, 'A'+byte((uint32(c-'A')+shift%26)%26))
		case n == 2:
			out = utf8.AppendRune(out, 0xc0+rune(shift%64))
		case n == 3:
			out = utf8.AppendRune(out, 0x4e00+rune(shift%20000))
		case n == 4:
			out = utf8.AppendRune(out, 0x20000+rune(shift%40000))
		default:
			out = append(out, rest[0])
		}
		state = r.digest("name", append(state[:], rest[:n]...))
		rest = rest[n:]
	}
	if len(r.names) == maxNames {
		clear(r.names)
	}
	r.names[string(value)] = string(out)
	return string(out)
}

// addr4 is an address of 198.18.0.0/15 (RFC 2544), another one for every address as
// long as there are any left.
func (r *redactor) addr4(a [4]byte) [4]byte {
	if ip := netip.AddrFrom4(a); keeps(ip) || a == [4]byte{255, 255, 255, 255} {
		return a
	}
	if known, ok := r.taken[a]; ok {
		return known
	}
	digest := r.digest("address", a[:])
	n := binary.BigEndian.Uint32(digest[:])
	made := func() [4]byte { return [4]byte{198, 18 | byte(n>>16&1), byte(n >> 8), byte(n)} }
	for range 1 << 17 {
		if !r.used[made()] || len(r.used) == 1<<17 {
			break
		}
		n++
	}
	r.taken[a], r.used[made()] = made(), true
	return made()
}

// addr6 is an address of 2001:db8::/32 (RFC 3849).
func (r *redactor) addr6(a [16]byte) [16]byte {
	ip := netip.AddrFrom16(a)
	if keeps(ip) {
		return a
	}
	digest := r.digest("address", a[:])
	b := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	copy(b[10:], digest[:6])
	return b
}

// keeps reports an address that tells nothing of a site.
func keeps(a netip.Addr) bool { return a.IsLoopback() || a.IsUnspecified() || a.IsMulticast() }

// proxied replaces the addresses in a PROXY protocol header.
func (r *redactor) proxied(d *direction, p []byte, off int64) {
	const line, fixed = len("PROXY "), 16
	switch {
	case p[0] == 'P':
		// No address need be as long as its pseudonym: none is given any more.
		d.unread(off+int64(line), off+int64(len(p))-2)
	case len(p) > fixed:
		text := []byte(nil)
		switch body := p[fixed:]; {
		case p[13] == 0x11 && len(body) >= 12:
			src, dst := r.addr4([4]byte(body)), r.addr4([4]byte(body[4:]))
			text = append(append(append(text, src[:]...), dst[:]...), body[8:12]...)
		case p[13] == 0x21 && len(body) >= 36:
			src, dst := r.addr6([16]byte(body)), r.addr6([16]byte(body[16:]))
			text = append(append(append(text, src[:]...), dst[:]...), body[32:36]...)
		}
		d.add(span{from: off + fixed, to: off + int64(len(p)), value: uint32(len(p) - fixed), text: string(text)})
	}
}

// frame replaces the addresses in a frame's copy, and mends the checksums of all that
// was changed in it.
func (r *redactor) frame(before, after []byte, layers []link.Layer) {
	for i := range layers {
		r.layer(after, &layers[i])
	}
	for i := len(layers) - 1; i > 0; i-- {
		l := &layers[i]
		var checksum []byte
		switch {
		case l.Kind == link.LayerTCP:
			checksum = after[l.From+tcpChecksum:]
		case l.Kind == link.LayerUDP && after[l.From+6]|after[l.From+7] != 0:
			checksum = after[l.From+6:]
		default:
			continue
		}
		update(checksum, sumAt(before[l.Behind:l.To], 0), sumAt(after[l.Behind:l.To], 0))
		r.pseudo(before, layers[:i], checksum)
	}
}

// pseudo mends a checksum of what lies in the innermost of some layers for the
// addresses that are part of it (RFC 9293 §3.1).
func (r *redactor) pseudo(before []byte, layers []link.Layer, checksum []byte) {
	for i := len(layers) - 1; i >= 0; i-- {
		h := before[layers[i].From:]
		switch layers[i].Kind {
		case link.LayerIPv4:
			src, dst := r.addr4([4]byte(h[12:])), r.addr4([4]byte(h[16:]))
			update(checksum, sumAt(h[12:20], 0), sumAt(append(src[:], dst[:]...), 0))
			return
		case link.LayerIPv6:
			src, dst := r.addr6([16]byte(h[8:])), r.addr6([16]byte(h[24:]))
			update(checksum, sumAt(h[8:40], 0), sumAt(append(src[:], dst[:]...), 0))
			return
		}
	}
}

// layer replaces the addresses of one header.
func (r *redactor) layer(b []byte, l *link.Layer) {
	mac := func(at int) {
		copy(b[at:at+6], []byte{2, 0, 0, 0, 0, 0}) // locally administered (IEEE 802-2014 §8.4)
	}
	switch l.Kind {
	case link.LayerEthernet:
		mac(l.From)
		mac(l.From + 6)
	case link.LayerSLL:
		clear(b[l.From+6 : l.From+14])
	case link.LayerSLL2:
		clear(b[l.From+12 : l.From+20])
	case link.LayerWiFi:
		mac(l.From + 4)
		mac(l.From + 10)
		mac(l.From + 16)
		if l.Behind-l.From > 24 {
			mac(l.From + 24)
		}
	case link.LayerNFLOG:
		nflog(b[l.From+4 : l.Behind-4])
	case link.LayerIPv4:
		h := b[l.From:l.Behind]
		sum := sumAt(h[12:], 0)
		src, dst := r.addr4([4]byte(h[12:])), r.addr4([4]byte(h[16:]))
		copy(h[12:], src[:])
		copy(h[16:], dst[:])
		for i := 20; i < len(h); i++ {
			h[i] = 1 // no operation: options list routes (RFC 791 §3.1)
		}
		update(h[10:], sum, sumAt(h[12:], 0))
	case link.LayerIPv6:
		h := b[l.From:l.Behind]
		src, dst := r.addr6([16]byte(h[8:])), r.addr6([16]byte(h[24:]))
		copy(h[8:], src[:])
		copy(h[24:], dst[:])
	}
}

// nflog clears what stands in front of the packet: hardware addresses, prefixes of rules, users.
func nflog(b []byte) {
	for len(b) >= 4 {
		n := int(b[0]) | int(b[1])<<8
		if b[3] != 0 {
			n = int(b[1]) | int(b[0])<<8
		}
		if n < 4 || n > len(b) {
			return
		}
		clear(b[4:n])
		b = b[min((n+3)&^3, len(b)):]
	}
}
