package slice

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// Choice says what is wanted. With nothing in it, that is what all findings rest
// on; else what any of them asks for.
type Choice struct {
	// ClientIDs ask for all sessions with such a client ID.
	ClientIDs []string
	// Symptoms ask for the findings with such a symptom.
	Symptoms []string
}

// ErrNothing says that no session is behind what was asked for.
var ErrNothing = errors.New("no session is behind what was asked for")

// Plan is what a slice is to hold.
type Plan struct {
	// Findings are those that it is about; Numbers are theirs in the report, from 1.
	Findings []analyze.Finding
	Numbers  []int
	// Sessions are those that it holds, in the order of the analysis; Behind
	// counts those that were asked for. The others are there for comparison: they
	// show what the broker is, or what it did besides.
	Sessions []*decode.Session
	Behind   int
	// Same says that an analysis of the sessions alone gives the same findings.
	Same bool

	marks map[*decode.Session][]mark
}

// mark is a packet of a session that shows a finding, by number.
type mark struct {
	packet  int
	finding int
}

// Choose finds the sessions for a slice. opts are those of the analysis.
func Choose(a *analyze.Analyzer, opts analyze.Options, want Choice) (*Plan, error) {
	p := &Plan{marks: map[*decode.Session][]mark{}}
	c := &chooser{plan: p, all: a.Sessions(), kept: map[*decode.Session]bool{}}
	findings := a.Findings()
	wanted := make([]bool, len(findings))
	for i, f := range findings {
		wanted[i] = len(want.ClientIDs)+len(want.Symptoms) == 0 || slices.Contains(want.Symptoms, f.Symptom)
		if wanted[i] {
			p.Findings, p.Numbers = append(p.Findings, f), append(p.Numbers, i+1)
		}
	}
	for _, s := range c.all {
		if s.Connect != nil && s.Connect.HasID() && slices.Contains(want.ClientIDs, s.Connect.ClientID) {
			c.kept[s] = true
		}
	}
	a.Members(func(finding int, s *decode.Session, packets []int) {
		if wanted[finding] {
			c.kept[s] = true
		}
		if !c.kept[s] {
			return
		}
		for _, n := range packets {
			p.marks[s] = append(p.marks[s], mark{n, finding + 1})
		}
	})
	if p.Behind = len(c.kept); p.Behind == 0 {
		return nil, ErrNothing
	}
	c.widen(func() bool { return sameFindings(p.Findings, c.analyse(opts), want.Symptoms) })
	p.Sessions = c.list()
	return p, nil
}

// analyse is what comes of the sessions chosen so far.
func (c *chooser) analyse(opts analyze.Options) []analyze.Finding {
	sub := analyze.New(opts)
	for _, s := range c.all {
		if c.kept[s] {
			sub.Add(s)
		}
	}
	return sub.Findings()
}

// sameFindings compares findings by what a slice promises to keep. Where symptoms
// were asked for, others do not count.
func sameFindings(want, got []analyze.Finding, symptoms []string) bool {
	if len(symptoms) > 0 {
		got = slices.DeleteFunc(got, func(f analyze.Finding) bool { return !slices.Contains(symptoms, f.Symptom) })
	}
	return slices.EqualFunc(want, got, SameFinding)
}

// SameFinding reports that two findings are one but for facts.
func SameFinding(x, y analyze.Finding) bool {
	return x.Symptom == y.Symptom && x.Severity == y.Severity && x.Broker == y.Broker && x.Sessions == y.Sessions &&
		slices.Equal(x.ClientIDs, y.ClientIDs) && slices.Equal(x.Clients, y.Clients) && slices.Equal(x.Codes, y.Codes) &&
		slices.Equal(x.MQTTVersions, y.MQTTVersions)
}

// chooser adds sessions that findings need beside their own.
type chooser struct {
	plan *Plan
	all  []*decode.Session
	kept map[*decode.Session]bool
}

// widen adds what else is needed, and no more than that: step by step, until the
// findings are the same.
func (c *chooser) widen(same func() bool) {
	c.addWitnesses()
	for _, related := range []func() func(*decode.Session) bool{
		func() func(*decode.Session) bool { return func(*decode.Session) bool { return false } },
		c.sameName, c.sameClient, c.sameBroker,
	} {
		belongs := related()
		for _, s := range c.all {
			if belongs(s) {
				c.kept[s] = true
			}
		}
		if c.plan.Same = same(); c.plan.Same {
			return
		}
	}
}

// addWitnesses adds the sessions that show what the brokers are, and those whose
// packets a fact of the findings names.
func (c *chooser) addWitnesses() {
	facts := map[int]bool{}
	for _, f := range c.plan.Findings {
		f.Facts.Each(func(_ string, _ any, packets []int, known bool) {
			for _, n := range packets {
				facts[n] = known
			}
		})
	}
	delete(facts, 0)
	brokers := c.brokers()
	users := map[user]bool{}
	for s := range c.kept {
		if s.Connect != nil && s.Connect.UserTag != 0 {
			users[user{s.Broker, s.Connect.UserTag}] = true
		}
	}
	// Of what is true of a broker once, the first session that shows it is enough.
	shown := map[witness]bool{}
	longest := map[netip.AddrPort]*decode.Session{}
	for _, s := range c.all {
		if !brokers[s.Broker.Addr()] {
			continue
		}
		show := func(what string, of mqtt.Tag) {
			if w := (witness{s.Broker, what, of}); !shown[w] {
				shown[w] = true
				c.kept[s] = true
			}
		}
		for _, e := range [...]decode.Event{s.Syn, s.SynAck, s.ConnectAt, s.ConnackAt, s.DisconnectAt, s.Closed, s.BrokerClosed} {
			if e.Seen() && facts[e.Packet] {
				c.kept[s] = true
			}
		}
		if s.MQTT {
			show("MQTT", 0)
		}
		if s.TLS != nil && s.TLS.SNI != "" {
			show("name", 0)
		}
		if s.BrokerFirst == decode.FirstMQTT && s.Transport == decode.TCP {
			show("plain", 0)
		}
		if s.BrokerFirst == decode.FirstTLS && s.First == decode.FirstTLS {
			show("TLS", 0)
		}
		if s.Outcome != decode.Accepted || s.Connect == nil {
			continue
		}
		if !s.Connect.Username {
			show("anonymous", 0)
		} else if users[user{s.Broker, s.Connect.UserTag}] {
			show("user", s.Connect.UserTag)
		}
		if s.Connect.KeepAlive == 0 {
			show("no keep-alive", 0)
		} else if l := longest[s.Broker]; l == nil || l.Connect.KeepAlive < s.Connect.KeepAlive {
			longest[s.Broker] = s
		}
	}
	for _, s := range longest {
		c.kept[s] = true
	}
}

// witness is what a session is kept for.
type witness struct {
	broker netip.AddrPort
	what   string
	of     mqtt.Tag
}

type user struct {
	broker netip.AddrPort
	name   mqtt.Tag
}

// brokers are the hosts of the sessions so far.
func (c *chooser) brokers() map[netip.Addr]bool {
	of := map[netip.Addr]bool{}
	for s := range c.kept {
		of[s.Broker.Addr()] = true
	}
	return of
}

// sameName asks for sessions with a client ID or a user name of those so far.
func (c *chooser) sameName() func(*decode.Session) bool {
	type id struct {
		broker netip.AddrPort
		name   string
	}
	ids, users := map[id]bool{}, map[user]bool{}
	for s := range c.kept {
		if s.Connect != nil {
			ids[id{s.Broker, s.Connect.ClientID}] = s.Connect.ClientID != ""
			users[user{s.Broker, s.Connect.UserTag}] = s.Connect.UserTag != 0
		}
	}
	return func(s *decode.Session) bool {
		return s.Connect != nil && (ids[id{s.Broker, s.Connect.ClientID}] || users[user{s.Broker, s.Connect.UserTag}])
	}
}

// sameClient asks for sessions of the clients so far.
func (c *chooser) sameClient() func(*decode.Session) bool {
	type way struct{ client, broker netip.Addr }
	ways := map[way]bool{}
	for s := range c.kept {
		ways[way{s.Client.Addr(), s.Broker.Addr()}] = true
	}
	return func(s *decode.Session) bool { return ways[way{s.Client.Addr(), s.Broker.Addr()}] }
}

// sameBroker asks for all sessions of the brokers so far.
func (c *chooser) sameBroker() func(*decode.Session) bool {
	brokers := c.brokers()
	return func(s *decode.Session) bool { return brokers[s.Broker.Addr()] }
}

// list is the sessions so far, in the order of the analysis.
func (c *chooser) list() []*decode.Session {
	var kept []*decode.Session
	for _, s := range c.all {
		if c.kept[s] {
			kept = append(kept, s)
		}
	}
	return kept
}
