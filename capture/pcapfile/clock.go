package pcapfile

import (
	"math"
	"math/bits"
)

// maxSecond is the last whole second since 1970 that 64 bits of nanoseconds can
// count to, in the year 2262.
const maxSecond = math.MaxInt64/1_000_000_000 - 1

// clock turns an interface's time stamps into times. if_tsresol is one byte
// (pcapng draft §4.2): the high bit chooses powers of 2 or of 10, the rest is
// the negative exponent, up to an absurd 2^-127.
type clock struct {
	// Units in a second; 0 when a second has more units than 64 bits can
	// count, so that every time stamp is a fraction of the first second.
	units uint64
	// A fraction in units times mul, divided by div, is nanoseconds.
	mul, div uint64
	// shift is the exponent of a power of 2, which then replaces all above.
	shift  uint8
	binary bool
	offset int64 // if_tsoffset, in seconds
}

func newClock(resolution byte, offset int64) clock {
	exponent := int(resolution & 0x7f)
	c := clock{mul: 1, div: 1, offset: offset}
	switch {
	case resolution&0x80 != 0:
		c.binary, c.shift = true, uint8(exponent)
	case exponent <= 9:
		c.units, c.mul = pow10(exponent), pow10(9-exponent)
	case exponent <= 19:
		c.units, c.div = pow10(exponent), pow10(exponent-9)
	case exponent <= 28:
		c.div = pow10(exponent - 9)
	default:
		// 2^64 units of 10^-29 s are less than a nanosecond.
		c.mul = 0
	}
	return c
}

// pow10 is 10 to the n, n from 0 to 19.
func pow10(n int) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}

// nano converts a time stamp to nanoseconds since 1970. It reports false for
// one before 1970 or after maxSecond, which no capture has.
func (c *clock) nano(stamp uint64) (int64, bool) {
	var sec, nsec uint64
	switch {
	case c.binary:
		sec, nsec = c.split(stamp)
	case c.units != 0:
		sec = stamp / c.units
		nsec = (stamp - sec*c.units) * c.mul / c.div
	default:
		nsec = stamp * c.mul / c.div
	}
	if sec > 2*maxSecond || c.offset > maxSecond || c.offset < -maxSecond {
		return 0, false
	}
	s := int64(sec) + c.offset
	if s < 0 || s > maxSecond {
		return 0, false
	}
	return s*1e9 + int64(nsec), true
}

// split divides a time stamp in units of 2^-shift seconds.
func (c *clock) split(stamp uint64) (sec, nsec uint64) {
	fraction := stamp
	if c.shift < 64 {
		sec = stamp >> c.shift
		fraction = stamp - sec<<c.shift
	}
	hi, lo := bits.Mul64(fraction, 1e9)
	if c.shift >= 64 {
		return sec, hi >> (c.shift - 64)
	}
	return sec, hi<<(64-c.shift) | lo>>c.shift
}
