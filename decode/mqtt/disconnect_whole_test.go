package mqtt

import "testing"

func TestIsDisconnect(t *testing.T) {
	for _, test := range []struct {
		p    string
		want bool
	}{
		{"\xe0\x00", true},
		{"\xe0\x01\x8e", true},
		{"\xe0\x02\x8e\x00", true},
		{"\xe0\x07\x04\x05\x11\x00\x00\x00\x3c", true},
		{"", false},
		{"\xe0", false},
		{"\xe1\x00", false},
		{"\xe0\x00\x00", false},
		{"\xe0\x01", false},
		{"\xe0\x01\x20", false},
		{"\xe0\x02\x8e\x01", false},
		{"\xe0\x03\x8e\x00\x00", false},
	} {
		if got := IsDisconnect([]byte(test.p)); got != test.want {
			t.Errorf("IsDisconnect(%x) = %t, want %t", test.p, got, test.want)
		}
	}
}
