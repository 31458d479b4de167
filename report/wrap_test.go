package report

import (
	"slices"
	"strings"
	"testing"
)

func TestWrap(t *testing.T) {
	tests := []struct {
		name, in string
		width    int
		want     []string
	}{
		{"empty", "", 10, []string{""}},
		{"fits", "two words", 9, []string{"two words"}},
		{"between words", "two words here", 9, []string{"two words", "here"}},
		{"long word", "abcdefghij", 4, []string{"abcd", "efgh", "ij"}},
		{"long word after a short one", "x abcdef", 4, []string{"x", "abcd", "ef"}},
		{"between wide characters", "客户端标识符", 5, []string{"客户", "端标", "识符"}},
		{"no comma at the start", "客户端，标识符", 6, []string{"客户", "端，标", "识符"}},
		{"no bracket at the end", "客户（端）", 6, []string{"客户", "（端）"}},
		{"a word in Chinese stays whole", "使用 Mosquitto 代理", 12, []string{"使用", "Mosquitto 代", "理"}},
		{"inner spaces stay", "a  b", 9, []string{"a  b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := wrap(tt.in, tt.width); !slices.Equal(got, tt.want) {
				t.Errorf("wrap(%q, %d) = %q, want %q", tt.in, tt.width, got, tt.want)
			}
		})
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("two words", 5)
	f.Add("客户端，标识符 and more", 7)
	f.Add("，，，，，，，，", 3)
	f.Add(strings.Repeat("x", 300), 2)
	f.Add("e\u0301e\u0301e\u0301", 2)
	f.Fuzz(func(t *testing.T, in string, width int) {
		in, width = Escape(in), min(max(width, 2), 300)
		lines := wrap(in, width)
		for _, l := range lines {
			if textWidth(l) > width {
				t.Errorf("wrap(%q, %d): the line %q has %d columns", in, width, l, textWidth(l))
			}
		}
		// Nothing but spaces is lost, and nothing is added.
		strip := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		if got := strip(strings.Join(lines, "")); got != strip(in) {
			t.Errorf("wrap(%q, %d) = %q", in, width, lines)
		}
	})
}
