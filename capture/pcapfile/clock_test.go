package pcapfile

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// model is the time of a stamp by the definition, with exact arithmetic:
// stamp / base^exponent + offset seconds.
func model(resolution byte, offset int64, stamp uint64) (sec, nsec int64, ok bool) {
	base := int64(10)
	if resolution&0x80 != 0 {
		base = 2
	}
	units := new(big.Int).Exp(big.NewInt(base), big.NewInt(int64(resolution&0x7f)), nil)
	s, rest := new(big.Int).QuoRem(new(big.Int).SetUint64(stamp), units, new(big.Int))
	n := rest.Mul(rest, big.NewInt(1e9))
	n.Quo(n, units)
	s.Add(s, big.NewInt(offset))
	if s.Sign() < 0 || s.Cmp(big.NewInt(maxSecond)) > 0 {
		return 0, 0, false
	}
	return s.Int64(), n.Int64(), true
}

func TestClockAgainstModel(t *testing.T) {
	stamps := []uint64{0, 1, 999_999, 1_700_000_000_123_456, 1 << 32, 1 << 63, 1<<64 - 1}
	offsets := []int64{0, 1, -1, 3600, -1_700_000_000, maxSecond, -maxSecond, 1 << 62, -1 << 63}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		stamps = append(stamps, r.Uint64()>>r.IntN(64))
	}
	for resolution := range 256 {
		for _, offset := range offsets {
			c := newClock(byte(resolution), offset)
			for _, stamp := range stamps {
				sec, nsec, ok := model(byte(resolution), offset, stamp)
				// Offsets beyond the representable years are refused even
				// where the sum would come back into range.
				if offset > maxSecond || offset < -maxSecond {
					ok = false
				}
				got, gotOK := c.nano(stamp)
				switch {
				case gotOK != ok:
					t.Fatalf("resolution %#x, offset %d, stamp %d: ok %v, want %v", resolution, offset, stamp, gotOK, ok)
				case ok && got != at(sec, nsec):
					t.Fatalf("resolution %#x, offset %d, stamp %d: %v, want %v", resolution, offset, stamp, got, at(sec, nsec))
				case !ok && got != 0:
					t.Fatalf("resolution %#x, offset %d, stamp %d: %v, want none", resolution, offset, stamp, got)
				}
			}
		}
	}
}
