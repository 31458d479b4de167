package link

// Kinds of IPv4 options of one byte; the others have their length in the second.
const (
	optionEnd  = 0
	optionNoOp = 1

	// minOption is the least length: it counts the kind and itself.
	minOption = 2
)

// options4 reports whether the options of an IPv4 header are whole
// (RFC 791 §3.1). Hosts discard a datagram whose options are not, because what
// they ask for cannot be told (RFC 792, parameter problem); which options there
// are does not matter.
func options4(b []byte) bool {
	for len(b) > 0 {
		switch b[0] {
		case optionEnd:
			return true
		case optionNoOp:
			b = b[1:]
		default:
			if len(b) < minOption || b[1] < minOption || int(b[1]) > len(b) {
				return false
			}
			b = b[b[1]:]
		}
	}
	return true
}
