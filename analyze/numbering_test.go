package analyze

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/mqttriage/mqttriage/decode/mqtt"
)

func TestNumbering(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	ids, numbers := numberIDs(), map[string]uint32{}
	for range 20_000 {
		id := fmt.Sprint(random.IntN(5000))
		c := &mqtt.Connect{ClientID: id}
		want, known := numbers[id]
		if got := ids.known(c); got != want {
			t.Fatalf("%q is known as %d, want %d", id, got, want)
		}
		if !known {
			want = uint32(len(numbers) + 1)
			numbers[id] = want
		}
		if got := ids.number(c); got != want || ids.keys[got].ClientID != id {
			t.Fatalf("%q has the number %d, want %d", id, got, want)
		}
	}
	if ids.count() != len(numbers)+1 {
		t.Errorf("%d numbers, want %d and 0", ids.count(), len(numbers))
	}
}

// Addresses that differ in what a hash of their bytes does not see are two.
func TestNumberAddresses(t *testing.T) {
	addresses := numberAddresses()
	four := host(1)
	if x, y := addresses.number(four), addresses.number(four.Unmap()); x != y {
		t.Error("one address has two numbers")
	}
	mapped := netip.MustParseAddr("::ffff:10.0.0.1")
	zoned, other := netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("fe80::1%eth1")
	seen := map[uint32]bool{}
	for _, a := range []uint32{addresses.number(four), addresses.number(mapped), addresses.number(zoned), addresses.number(other)} {
		seen[a] = true
	}
	if len(seen) != 4 {
		t.Errorf("four addresses have %d numbers", len(seen))
	}
}

func TestNumberSet(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	set, model := newNumberSet(100), map[uint32]int{}
	for range 10_000 {
		n := uint32(random.IntN(100))
		if random.IntN(300) == 0 {
			set.empty()
			clear(model)
		}
		place, known := model[n]
		if set.has(n) != known {
			t.Fatalf("%d: has says %v", n, !known)
		}
		if !known {
			place = len(model)
			model[n] = place
		}
		if got, fresh := set.add(n); got != place || fresh == known {
			t.Fatalf("%d is at %d (fresh: %v), want %d", n, got, fresh, place)
		}
	}
}

func TestSeenTwice(t *testing.T) {
	c := newCrowd()
	for i := range 5000 {
		c.connect(host(i), "a")
	}
	twice := map[int]bool{}
	for i := 0; i < 5000; i += 500 {
		c.sessions[i+250].ClientISN, c.sessions[i+250].BrokerISN = c.sessions[i].ClientISN, c.sessions[i].BrokerISN
		twice[i], twice[i+250] = true, true
	}
	found := seenTwice(c.sessions)
	for i := range c.sessions {
		if found.has(uint32(i)) != twice[i] {
			t.Errorf("session %d: seen twice is %v", i, !twice[i])
		}
	}
}

// A trait is left for each rule.
func TestRulesHaveTraits(t *testing.T) {
	if len(rules) > maxRules || shows<<(maxRules-1) == 0 {
		t.Errorf("%d rules, and room for %d", len(rules), maxRules)
	}
}

// What one caller does with the findings is not seen by the next.
func TestFindingsAreTheCallersOwn(t *testing.T) {
	a := analyzed(storm(1000))
	first := a.Findings()
	want := tell(first)
	for i := range first {
		for k := range first[i].Evidence {
			first[i].Evidence[k] = Evidence{}
		}
		first[i] = Finding{}
	}
	if got := tell(a.Findings()); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the findings became %q", got)
	}
	s := storm(1)[0]
	s.Connack = nil
	a.Add(s)
	if a.found != nil || a.ix != nil {
		t.Error("old findings are kept")
	}
}

// Sessions of many connections share their packets: nothing may change them.
func TestSharedPacketsStay(t *testing.T) {
	sessions := storm(2000)
	before := map[*mqtt.Connect]string{}
	answers := map[*mqtt.Connack]string{}
	for _, s := range sessions {
		if s.Connect != nil {
			before[s.Connect] = fmt.Sprintf("%+v", *s.Connect)
		}
		if s.Connack != nil {
			answers[s.Connack] = fmt.Sprintf("%+v", *s.Connack)
		}
	}
	a := analyzed(sessions)
	a.Findings()
	a.Brokers()
	for c, was := range before {
		if is := fmt.Sprintf("%+v", *c); is != was {
			t.Errorf("a CONNECT was %s and is %s", was, is)
		}
	}
	for c, was := range answers {
		if is := fmt.Sprintf("%+v", *c); is != was {
			t.Errorf("a CONNACK was %s and is %s", was, is)
		}
	}

}
