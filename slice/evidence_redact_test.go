package slice

import (
	"bytes"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
)

// Redacted, evidence has no name and no address of what was captured, and findings as many, as
// severe and of as many sessions.
func TestEvidenceRedacted(t *testing.T) {
	for _, path := range captures(t) {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			a := analysed(t, path, fromFile(path))
			out, stats := written(t, fromFile(path), EvidenceOptions{Redact: true})
			if stats.GivenUp > 0 {
				t.Errorf("%+v", stats)
			}
			want, got := a.Findings(), analysed(t, "evidence", fromBytes(out)).Findings()
			if len(want) != len(got) {
				t.Fatalf("%d findings, then %d", len(want), len(got))
			}
			for i := range want {
				if want[i].Symptom != got[i].Symptom || want[i].Severity != got[i].Severity || want[i].Sessions != got[i].Sessions ||
					len(want[i].ClientIDs) != len(got[i].ClientIDs) || len(want[i].Clients) != len(got[i].Clients) {
					t.Errorf("finding %d was\n%+v\nand is\n%+v", i+1, brief(want[i]), brief(got[i]))
				}
			}
			packets := bytes.Join(packetsOf(t, out), nil)
			for _, s := range a.Sessions() {
				for _, a := range []netip.Addr{s.Client.Addr(), s.Broker.Addr()} {
					if !a.IsLoopback() && bytes.Contains(packets, a.AsSlice()) {
						t.Errorf("the address %v is left", a)
					}
				}
				if s.Connect != nil && len(s.Connect.ClientID) > 3 && strings.ContainsAny(s.Connect.ClientID, "abcdefghijklmnopqrstuvwxyz0123456789") &&
					bytes.Contains(packets, []byte(s.Connect.ClientID)) {
					t.Errorf("the client ID %q is left", s.Connect.ClientID)
				}
				if s.TLS != nil && s.TLS.SNI != "" && bytes.Contains(packets, []byte(s.TLS.SNI)) {
					t.Errorf("the server name %q is left", s.TLS.SNI)
				}
				if name := s.Origin.Names[s.Broker.Addr()]; name != "" && bytes.Contains(out, []byte(name)) {
					t.Errorf("the host name %q is left", name)
				}
			}
		})
	}
}
