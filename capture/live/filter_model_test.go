package live_test

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/mqttriage/mqttriage/capture/live"
)

// A model reads a frame and says what a filter should make of it, written for reading and
// not as programs go.
type model struct {
	live.Filter
	// of the frame
	b        []byte
	ip       int // where IP begins
	src, dst netip.Addr
	end      int // where IP ends
	fragment bool
	features features
}

// features are what is remarkable about a frame.
type features map[string]bool

const (
	isTagged        = "VLAN tag"
	isThirdTag      = "third VLAN tag"
	isPPPoE         = "PPPoE"
	isOtherPPPoE    = "PPPoE that is no session data"
	isMixedPPP      = "PPP protocol of another IP version"
	isExtended      = "extension headers"
	isLongChain     = "more than four extension headers"
	isLater         = "later fragment"
	isFragment      = "fragment"
	isEndless       = "no length in the IP header"
	isCutHeader     = "cut within the IP headers"
	isFragment6     = "IPv6 fragment"
	isWrongVersion  = "IP version other than the EtherType's"
	isTCP           = "TCP"
	isIPv6          = "IPv6"
	maxModelTags    = 2
	maxModelHeaders = 4
	leanBytes       = "\x10\x11\x12\x13\x14\x15\x16\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x20\xe0\xf0"
)

// asks reports whether the frame passes, and what it is.
func asks(f live.Filter, s sample) (bool, features) {
	m := model{Filter: f, b: s.frame, features: features{}}
	return m.link(s.start), m.features
}

// at is the 16 bits at an offset.
func (m *model) at(i int) (int, bool) {
	if i+2 > len(m.b) {
		m.features[isCutHeader] = true
		return 0, false
	}
	return int(binary.BigEndian.Uint16(m.b[i:])), true
}

func (m *model) link(start live.Start) bool {
	if start == live.StartIP {
		return m.version()
	}
	m.ip = 14
	for tags := 0; ; tags++ {
		t, ok := m.at(m.ip - 2)
		switch {
		case !ok:
			return false
		case t == typeIPv4:
			return m.ipv4()
		case t == typeIPv6:
			return m.ipv6()
		case t == typePPPoE:
			return m.pppoe()
		case t != typeVLAN && t != typeQinQ && t != typeOldQinQ:
			return false
		case tags == maxModelTags:
			m.features[isThirdTag] = true
			return false
		}
		m.features[isTagged] = true
		m.ip += 4
	}
}

func (m *model) pppoe() bool {
	m.features[isPPPoE] = true
	code, _ := m.at(m.ip)
	protocol, ok := m.at(m.ip + 6)
	if code != 0x1100 {
		m.features[isOtherPPPoE] = true
		return false
	}
	if !ok || protocol != 0x21 && protocol != 0x57 {
		return false
	}
	m.ip += 8
	if m.ip < len(m.b) && (m.b[m.ip]>>4 == 6) != (protocol == 0x57) {
		m.features[isMixedPPP] = true
	}
	return m.version()
}

func (m *model) version() bool {
	if m.ip < len(m.b) && m.b[m.ip]>>4 == 4 {
		return m.ipv4()
	}
	return m.ip < len(m.b) && m.b[m.ip]>>4 == 6 && m.ipv6()
}

func (m *model) ipv4() bool {
	b := m.b[m.ip:]
	if len(b) < 20 {
		m.features[isCutHeader] = true
		return false
	}
	m.features[isWrongVersion] = b[0]>>4 != 4
	m.src, m.dst = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
	m.end = m.ends(int(binary.BigEndian.Uint16(b[2:])), 0)
	position := int(binary.BigEndian.Uint16(b[6:]))
	m.fragment = position&0x3fff != 0
	m.features[isFragment] = m.fragment
	return m.upper(b[9], m.ip+int(b[0]&15)*4, position&0x1fff != 0)
}

func (m *model) ipv6() bool {
	b := m.b[m.ip:]
	if len(b) < 40 {
		m.features[isCutHeader] = true
		return false
	}
	m.features[isIPv6] = true
	m.features[isWrongVersion] = b[0]>>4 != 6
	m.src, m.dst = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	m.end = m.ends(int(binary.BigEndian.Uint16(b[4:])), 40)
	return m.upper(b[6], m.ip+40, false)
}

func (m *model) ends(length, header int) int {
	if length == 0 {
		m.features[isEndless] = true
		return len(m.b) + 1<<20
	}
	return m.ip + header + length
}

// upper follows the headers from one of a number at an offset.
func (m *model) upper(number byte, at int, later bool) bool {
	behindAH := false
	for headers := 0; !later && number != 6; headers++ {
		if !slices.Contains([]byte{0, 43, 44, 51, 60}, number) {
			return false
		}
		m.features[isExtended] = true
		m.features[isBehindAH] = m.features[isBehindAH] || behindAH
		m.features[isIPv4Extension] = m.features[isIPv4Extension] || number != 51 && m.src.Is4()
		behindAH = number == 51
		if headers == maxModelHeaders {
			m.features[isLongChain] = true
			return false
		}
		head, ok := m.at(at)
		if !ok {
			return false
		}
		switch length := head & 0xff; number {
		case 44:
			m.features[isFragment6] = true
			m.features[isOddExtension] = m.features[isOddExtension] || length != 0
			position, ok := m.at(at + 2)
			if !ok {
				return false
			}
			later = position&0xfff8 != 0
			m.fragment = m.fragment || position&1 != 0 || later
			m.features[isFragment] = m.fragment
			number = byte(head >> 8)
			at += 8
		case 51:
			number = byte(head >> 8)
			at += 4 * (length + 2)
		default:
			number = byte(head >> 8)
			at += 8 * (length + 1)
		}
	}
	if !m.fits() {
		return false
	}
	if later {
		m.features[isLater] = true
		m.features[isExtended] = m.features[isExtended] || number != 6
		return slices.Contains([]byte{0, 6, 43, 44, 51, 60}, number)
	}
	m.features[isTCP] = true
	return m.tcp(at)
}

// fits reports whether an address is one of those asked for.
func (m *model) fits() bool {
	if len(m.Hosts)+len(m.Nets) == 0 {
		return true
	}
	for _, a := range []netip.Addr{m.src, m.dst} {
		if slices.Contains(m.Hosts, a) || slices.ContainsFunc(m.Nets, func(n netip.Prefix) bool { return n.Contains(a) }) {
			return true
		}
	}
	return false
}

func (m *model) tcp(at int) bool {
	b := m.b[min(at, len(m.b)):]
	if len(m.Ports) > 0 {
		if len(b) < 2 {
			return false
		}
		if !slices.Contains(m.Ports, binary.BigEndian.Uint16(b)) && (len(b) < 4 || !slices.Contains(m.Ports, binary.BigEndian.Uint16(b[2:]))) {
			return false
		}
	}
	switch {
	case !m.Lean || m.fragment:
		return true
	case len(b) < 14:
		return false
	case b[13]&(fin|syn|rst) != 0:
		return true
	}
	header := int(b[12]>>4) * 4
	if len(b) <= header || at+header >= m.end {
		return false
	}
	return slices.Contains([]byte(leanBytes), b[header])
}
