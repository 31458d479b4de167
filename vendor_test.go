package mqttriage_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// How many sessions of the recordings get the right vendor, how many none, and
// how many a wrong one, which must be zero. TLS and synthetic captures count
// like the others.
func TestVendorsOfRecordings(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(recordings, "INDEX.json"))
	if err != nil {
		t.Skipf("the recordings are not here: %v", err)
	}
	var rows []struct{ File, Broker string }
	if err := json.Unmarshal(raw, &rows); err != nil {
		t.Fatal(err)
	}
	right, none, wrong := map[string]int{}, map[string]int{}, 0
	for _, row := range rows {
		made, _, _ := strings.Cut(strings.ToLower(row.Broker), " ")
		analyzer, _ := run(t, filepath.Join(recordings, row.File))
		guesses := analyzer.Brokers()
		for _, s := range analyzer.Sessions() {
			guess := guesses[s.Broker]
			switch {
			case guess.Vendor == "":
				none[made]++
			case strings.HasPrefix(made, guess.Vendor):
				right[made]++
			default:
				wrong++
				t.Errorf("%s (%s) is taken for %s, by %s", row.File, row.Broker, guess.Vendor, guess.Because)
			}
		}
	}
	t.Logf("right %v, none %v, wrong %d", right, none, wrong)
	if len(right) == 0 {
		t.Error("no vendor was recognised")
	}
}
