package mqtt

import "testing"

func TestCodeName(t *testing.T) {
	for _, c := range []struct {
		version Version
		code    byte
		want    string
	}{
		{V31, 0, "connection accepted"},
		{V311, 1, "unacceptable protocol version"},
		{V311, 2, "identifier rejected"},
		{V311, 3, "server unavailable"},
		{V311, 4, "bad user name or password"},
		{V311, 5, "not authorized"},
		{V311, 6, "non-standard code 6"},
		{V311, 0x84, "non-standard code 132"},
		{V5, 0, "success"},
		{V5, 2, "non-standard code 2"},
		{V5, 0x18, "continue authentication"},
		{V5, 0x85, "client identifier not valid"},
		{V5, 0x87, "not authorized"},
		{V5, 0x8e, "session taken over"},
		{V5, 0x9f, "connection rate exceeded"},
		{V5, 0xff, "non-standard code 255"},
		{VersionUnknown, 2, "identifier rejected"},
		{VersionUnknown, 0x85, "client identifier not valid"},
		{VersionUnknown, 0x70, "non-standard code 112"},
	} {
		if got := CodeName(c.version, c.code); got != c.want {
			t.Errorf("CodeName(%v, %d) = %q, want %q", c.version, c.code, got, c.want)
		}
	}
	for _, code := range []byte(connackReasons) {
		if reasonCodes[code] == "" {
			t.Errorf("reason code %#x has no name", code)
		}
	}
}

func TestFormatCode(t *testing.T) {
	for code, want := range map[byte]string{0: "0x00", 2: "0x02", 0x8e: "0x8e", 255: "0xff"} {
		if got := FormatCode(code); got != want {
			t.Errorf("FormatCode(%d) = %q, want %q", code, got, want)
		}
	}
}

func TestTypeString(t *testing.T) {
	if TypeConnect.String() != "CONNECT" || TypeAuth.String() != "AUTH" || Type(0).String() != "reserved" {
		t.Error(TypeConnect, TypeAuth, Type(0))
	}
}
