package report

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestApart(t *testing.T) {
	for _, tt := range []struct{ a, b, wantA, wantB string }{
		{"monday.pcap", "tuesday.pcap", "monday.pcap", "tuesday.pcap"},
		{"captures/of/the/site/monday.pcap", "captures/of/the/site/tuesday.pcap", "…/monday.pcap", "…/tuesday.pcap"},
		{"captures/monday/a-very-long-file-name.pcap", "captures/tuesday/a-very-long-file-name.pcap", "…/monday/…", "…/tuesday/…"},
		{"testdata/mosquitto_empty-id_clean0_retried-12-times/capture.pcap", "testdata/mosquitto_empty-id_clean1_accepted/capture.pcap",
			"…_clean0_retried-12-times/…", "…_clean1_accepted/…"},
		{strings.Repeat("x", 40) + "1", strings.Repeat("x", 40) + "2", "…1", "…2"},
		{"monday.pcap", strings.Repeat("long/", 8) + "monday.pcap", "monday.…", "long/long/lo…(+23)…long/monday.…"},
		{strings.Repeat("日", 40) + "旧", strings.Repeat("日", 40) + "旦", "…旧", "…旦"},
	} {
		if a, b := apart(tt.a, tt.b, 29); a != tt.wantA || b != tt.wantB {
			t.Errorf("apart(%q, %q) = %q, %q, want %q, %q", tt.a, tt.b, a, b, tt.wantA, tt.wantB)
		}
	}
}

// TestApartKeepsTheDifference: names that differ in one place differ visibly, in
// whole characters.
func TestApartKeepsTheDifference(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	letters := []rune("ab/-.日é")
	word := func(n int) string {
		s := make([]rune, n)
		for i := range s {
			s[i] = letters[r.IntN(len(letters))]
		}
		return string(s)
	}
	for range 20000 {
		head, tail := word(r.IntN(60)), word(r.IntN(60))
		a, b := head+word(r.IntN(6))+tail, head+word(r.IntN(6))+tail
		gotA, gotB := apart(a, b, 29)
		if (gotA == gotB) != (a == b) || !utf8.ValidString(gotA+gotB) {
			t.Fatalf("apart(%q, %q) = %q, %q", a, b, gotA, gotB)
		}
		for _, s := range []string{gotA, gotB} {
			if n := utf8.RuneCountInString(s); n > 34 {
				t.Fatalf("%q has %d characters", s, n)
			}
		}
	}
}
