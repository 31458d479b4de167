package slice

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/analyze"
)

// Redacted, a slice has no name and no address of its capture, and findings as
// many, as severe and of as many sessions.
func TestRedactedCases(t *testing.T) {
	for _, path := range captures(t) {
		name := filepath.Base(filepath.Dir(path))
		t.Run(name, func(t *testing.T) {
			open := fromFile(path)
			a := analysed(t, path, open)
			want := a.Findings()
			if len(want) == 0 {
				t.Skip("nothing was found")
			}
			out, plan := sliced(t, a, open, Choice{}, Options{Redact: true})
			again := analysed(t, "slice", fromBytes(out))
			got := again.Findings()
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
			for _, s := range plan.Sessions {
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
				if s.TLS != nil && s.TLS.Certificate != nil && len(s.TLS.Certificate.Subject) > 6 && bytes.Contains(packets, []byte(s.TLS.Certificate.Subject)) {
					t.Errorf("the certificate's name %q is left", s.TLS.Certificate.Subject)
				}
			}
		})
	}
}

// In tunnels and fragments too, and all checksums are right.
func TestRedactedTunnels(t *testing.T) {
	plain := func(b []byte) []byte { return b }
	for name, c := range map[string]struct {
		wrap      func([]byte) []byte
		fragments bool
	}{"plain": {plain, false}, "VXLAN": {vxlan, false}, "VXLAN in VXLAN": {func(b []byte) []byte { return vxlan(vxlan(b)) }, false}, "fragments": {plain, true}} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(60) {
				random := rand.New(rand.NewPCG(seed, 3))
				talk := converse(random, connectScript(random, seed%2 == 0), []byte("\x20\x02\x00\x05"), c.wrap)
				frames := len(talk.frames)
				var parents []int
				if c.fragments {
					talk.frames, parents = fragmented(random, talk.frames, 8)
				}
				open := fromBytes(talk.file(t, 1<<16))
				out, _ := sliced(t, analysed(t, "talk", open), open, Choice{}, Options{Redact: true})
				got := packetsOf(t, out)
				if len(got) != len(talk.frames) {
					t.Fatalf("seed %d: %d packets of %d", seed, len(got), len(talk.frames))
				}
				if c.fragments {
					got = joined(t, got, parents, frames)
				}
				for i, f := range got {
					if !rightChecksums(f) {
						t.Fatalf("seed %d, packet %d: a checksum is wrong", seed, i+1)
					}
				}
				for _, known := range []string{string(clientAddr[:]), string(brokerAddr[:]), "\xc0\x00\x02", "gw-7", "t/will", "\x02\x00\x00\x00\x00\x01\x02"} {
					if bytes.Contains(bytes.Join(got, nil), []byte(known)) {
						t.Fatalf("seed %d: %q is left", seed, known)
					}
				}
			}
		})
	}
}

// Pseudonyms are as long, of the same kinds of characters, different for different names, alike
// as far as these are, and the same under one key alone.
func TestNames(t *testing.T) {
	r, other := newRedactor([]byte("a key")), newRedactor([]byte("another"))
	seen := map[string]string{}
	for _, name := range []string{"gw-7", "gw-8", "gw-77", "Pump_01", "Pump_02", "a.b/c", "", "日本-3", "é", "\xff\x00x", strings.Repeat("a", 5000)} {
		got := r.name([]byte(name))
		if got != newRedactor([]byte("a key")).name([]byte(name)) {
			t.Errorf("%q: not the same again", name)
		}
		if len(got) != min(len(name), maxName) {
			t.Errorf("%q: %q is of another length", name, got)
		}
		if len(name) > 3 && other.name([]byte(name)) == got {
			t.Errorf("%q: the same under another key", name)
		}
		if was, ok := seen[got]; ok {
			t.Errorf("%q and %q are both %q", was, name, got)
		}
		seen[got] = name
	}
	if a, b := r.name([]byte("device-a1b2")), r.name([]byte("device-c3d4")); a[:7] != b[:7] || a == b || strings.Contains(a, "device") {
		t.Errorf("%q and %q", a, b)
	}
}

// Every IPv4 address has one of its own.
func TestAddresses(t *testing.T) {
	r := newRedactor([]byte("a key"))
	seen := map[[4]byte]bool{}
	for i := range 20000 {
		a := r.addr4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if seen[a] || a[0] != 198 || a[1]&^1 != 18 {
			t.Fatalf("%d: %v", i, a)
		}
		seen[a] = true
	}
	if lo := [4]byte{127, 0, 0, 1}; r.addr4(lo) != lo {
		t.Error("loopback tells nothing, and was replaced")
	}
}

// The same is asked for in fewer words by client ID and by symptom.
func TestChoice(t *testing.T) {
	open := fromFile("../testdata/any-interface_takeover-loop/capture.pcap")
	a := analysed(t, "capture", open)
	id := a.Findings()[0].ClientIDs[0]
	for _, want := range []Choice{{ClientIDs: []string{id}}, {Symptoms: []string{analyze.ClientIDTakeover}}} {
		out, plan := sliced(t, a, open, want, Options{})
		if plan.Behind == 0 {
			t.Errorf("%+v: nothing", want)
		}
		compare(t, a.Findings(), analysed(t, "slice", fromBytes(out)).Findings())
	}
	for _, want := range []Choice{{ClientIDs: []string{"nobody"}}, {Symptoms: []string{analyze.TLSAlert}}} {
		if _, err := Choose(a, analyze.Options{}, want); err != ErrNothing {
			t.Errorf("%+v: %v", want, err)
		}
	}
}
