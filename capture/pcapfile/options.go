package pcapfile

import "github.com/mqttriage/mqttriage/capture"

// Options of an Interface Description Block (draft §4.2).
const (
	optionEnd        = 0
	optionName       = 2
	optionResolution = 9
	optionOffset     = 14
)

// microseconds is the resolution of an interface that gives none.
const microseconds = 6

// iface reads an Interface Description Block. Packets refer to it by its
// place in the section, so that a damaged one still takes its place.
func (r *pcapngReader) iface(b []byte) {
	if len(b) < minIface {
		r.note(badInterface, "interface %d is not usable: its block has only %d bytes", len(r.ifaces), len(b))
		r.addInterface(iface{unusable: true}, nil)
		return
	}
	i := iface{link: capture.LinkType(r.order.u16(b[8:])), snapLen: r.order.u32(b[12:])}
	resolution, offset, name := byte(microseconds), int64(0), []byte(nil)
	sound := r.options(b[16:len(b)-4], func(code uint16, value []byte) bool {
		switch {
		case code == optionName:
			name = value[:min(len(value), maxInterfaceName)]
		case code == optionResolution && len(value) == 1:
			resolution = value[0]
		case code == optionOffset && len(value) == 8:
			offset = int64(r.order.u64(value))
		case code == optionResolution, code == optionOffset:
			return false
		}
		return true
	})
	if !sound {
		r.note(badOption, "interface %d has a broken option", len(r.ifaces))
	}
	i.clock = newClock(resolution, offset)
	r.tally.link(i.link)
	r.addInterface(i, name)
}

// addInterface gives an interface the next index of the section.
func (r *pcapngReader) addInterface(i iface, name []byte) {
	if len(r.ifaces) == maxInterfaces {
		r.note(tooManyInterfaces, "interfaces beyond the first %d of a section left out", maxInterfaces)
		return
	}
	r.ifaces = append(r.ifaces, i)
	if len(r.info.Interfaces) < maxInterfaces {
		r.info.Interfaces = append(r.info.Interfaces, string(name))
	}
}

// options walks over the options in b (draft §3.5). It reports whether all
// of them, and the visitor, were content.
func (r *pcapngReader) options(b []byte, visit func(code uint16, value []byte) bool) bool {
	sound := true
	for len(b) >= 4 {
		code, length := r.order.u16(b), int(r.order.u16(b[2:]))
		if code == optionEnd {
			return sound
		}
		b = b[4:]
		if length > len(b) {
			return false
		}
		sound = visit(code, b[:length]) && sound
		b = b[min((length+3)&^3, len(b)):]
	}
	// The end mark may be left out.
	return sound && len(b) == 0
}
