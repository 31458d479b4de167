package pcapfile

import (
	"bytes"
	"net/netip"
)

const (
	// maxNames of one capture are kept, each up to maxName bytes; a host
	// name has at most 255 (RFC 1035 §2.3.4).
	maxNames = 16384
	maxName  = 255
)

// Records of a Name Resolution Block (draft §4.5).
const (
	recordEnd  = 0
	recordIPv4 = 1
	recordIPv6 = 2
)

// names keeps the first name that a Name Resolution Block gives an address.
func (r *pcapngReader) names(b []byte) {
	b = b[8 : len(b)-4]
	for len(b) >= 4 {
		kind, length := r.order.u16(b), int(r.order.u16(b[2:]))
		if kind == recordEnd {
			return
		}
		b = b[4:]
		if length > len(b) {
			r.note(badNames, "broken name resolution block")
			return
		}
		value := b[:length]
		b = b[min((length+3)&^3, len(b)):]
		size := 0
		switch kind {
		case recordIPv4:
			size = 4
		case recordIPv6:
			size = 16
		default:
			continue
		}
		if len(value) < size {
			r.note(badNames, "broken name resolution block")
			continue
		}
		addr, _ := netip.AddrFromSlice(value[:size])
		name, _, _ := bytes.Cut(value[size:], []byte{0})
		r.name(addr, name)
	}
	if len(b) != 0 {
		r.note(badNames, "broken name resolution block")
	}
}

func (r *pcapngReader) name(addr netip.Addr, name []byte) {
	if len(name) == 0 || len(name) > maxName {
		return
	}
	if _, known := r.info.Names[addr]; known {
		return
	}
	if len(r.info.Names) == maxNames {
		r.note(tooManyNames, "names beyond the first %d left out", maxNames)
		return
	}
	if r.info.Names == nil {
		r.info.Names = make(map[netip.Addr]string)
	}
	r.info.Names[addr] = string(name)
}
