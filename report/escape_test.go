package report

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", `gw-7 "x" \ ok`, `gw-7 "x" \ ok`},
		{"Chinese", "网关-7，好", "网关-7，好"},
		{"escape sequence", "\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
		{"title by OSC", "\x1b]0;owned\x07", `\x1b]0;owned\x07`},
		{"C1 CSI as a byte", "a\x9b31m", `a\x9b31m`},
		{"C1 CSI as UTF-8", "a\u009b31m", `a\u009b31m`},
		{"line break", "a\r\nb\tc\u2028d", `a\x0d\x0ab\x09c\u2028d`},
		{"NUL and DEL", "a\x00b\x7f", `a\x00b\x7f`},
		{"broken UTF-8", "a\xff\xc3", `a\xff\xc3`},
		{"replacement character", "a\uFFFD", "a\uFFFD"},
		{"bidi override", "gw\u202e7", `gw\u202e7`},
		{"bidi isolate", "\u2066x\u2069", `\u2066x\u2069`},
		{"zero width", "gw\u200b\u200d\ufeff7", `gw\u200b\u200d\ufeff7`},
		{"no-break space", "a\u00a0b", `a\u00a0b`},
		{"invisible letters", "a\u3164\u115f\uffa0", `a\u3164\u115f\uffa0`},
		{"variation selector", "a\ufe0f", `a\ufe0f`},
		{"tag characters", "a\U000e0041", `a\U000e0041`},
		{"braille blank", "a\u2800", `a\u2800`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Escape(tt.in); got != tt.want {
				t.Errorf("Escape(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a", "\x1b[0m", "\x9b", "\u202e", "网", "\xff\xfe", "\ufeff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Escape(s)
		if !utf8.ValidString(got) {
			t.Errorf("Escape(%q) is no UTF-8", s)
		}
		for _, r := range got {
			if hidden(r) {
				t.Errorf("Escape(%q) holds %U", s, r)
			}
		}
		if Escape(got) != got {
			t.Errorf("Escape(%q) changes when escaped again", s)
		}
	})
}

func TestShorten(t *testing.T) {
	tests := []struct{ in, want string }{
		{"gw-7", "gw-7"},
		{strings.Repeat("x", 40), strings.Repeat("x", 40)},
		{strings.Repeat("网", 40), strings.Repeat("网", 40)},
		{strings.Repeat("a", 30) + strings.Repeat("b", 65505), strings.Repeat("a", 18) + "…(+65499)…" + strings.Repeat("b", 18)},
		{strings.Repeat("网", 41), strings.Repeat("网", 18) + "…(+15)…" + strings.Repeat("网", 18)},
	}
	for _, tt := range tests {
		if got := shorten(tt.in); got != tt.want {
			t.Errorf("shorten(%.20q… of %d bytes) = %q, want %q", tt.in, len(tt.in), got, tt.want)
		}
	}
}
