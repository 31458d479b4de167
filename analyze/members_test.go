package analyze

import (
	"slices"
	"testing"

	"github.com/mqttriage/mqttriage/decode"
)

// Members are as many as each finding counts, the evidence first, whether
// Findings was asked before or is asked again.
func TestMembers(t *testing.T) {
	found := 0
	for name, make := range shapes {
		t.Run(name, func(t *testing.T) {
			a := New(Options{})
			for _, s := range make(300) {
				a.Add(s)
			}
			for range 2 {
				members := map[int][]Evidence{}
				a.Members(func(finding int, s *decode.Session, packets []int) {
					members[finding] = append(members[finding], Evidence{s, packets})
				})
				findings := a.Findings()
				if len(members) != len(findings) {
					t.Fatalf("%d findings have members, of %d", len(members), len(findings))
				}
				found += len(findings)
				for i, f := range findings {
					if len(members[i]) != f.Sessions {
						t.Fatalf("finding %d: %d members, %d sessions", i, len(members[i]), f.Sessions)
					}
					for j, e := range f.Evidence {
						if m := members[i][j]; m.Session != e.Session || !slices.Equal(m.Packets, e.Packets) {
							t.Fatalf("finding %d: member %d is %v, evidence %v", i, j, m, e)
						}
					}
				}
			}
		})
	}
	if found == 0 {
		t.Error("no findings: nothing was compared")
	}
}
