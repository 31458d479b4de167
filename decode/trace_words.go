package decode

import (
	"encoding/hex"
	"fmt"
	"strconv"
)

// hexNumber is a number of 64 bits that JSON holds as text, "0123456789abcdef":
// many readers of JSON have only 53 bits.
type hexNumber uint64

// MarshalText writes 16 hexadecimal digits.
func (n hexNumber) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%016x", uint64(n)), nil }

// UnmarshalText reads hexadecimal digits.
func (n *hexNumber) UnmarshalText(b []byte) error {
	v, err := strconv.ParseUint(string(b), 16, 64)
	if err != nil {
		return fmt.Errorf("parse session record: %q is no hexadecimal number of 64 bits", b)
	}
	*n = hexNumber(v)
	return nil
}

// hexBytes are bytes as hexadecimal digits.
type hexBytes []byte

// MarshalText writes two hexadecimal digits a byte.
func (b hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

// UnmarshalText reads hexadecimal digits.
func (b *hexBytes) UnmarshalText(text []byte) error {
	v, err := hex.AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("parse session record: %q are no bytes in hexadecimal", text)
	}
	*b = v
	return nil
}

// MarshalText gives the word of what was sent first.
func (f First) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText takes the word of what was sent first.
func (f *First) UnmarshalText(b []byte) error { return parse(firstWords, b, f) }

// MarshalText gives the word of what decided.
func (r Roles) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText takes the word of what decided.
func (r *Roles) UnmarshalText(b []byte) error { return parse(rolesWords, b, r) }
