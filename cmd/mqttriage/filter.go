package main

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/report"
)

// filter is which sessions are to be looked at. A session passes when one value
// of every flag that was given fits it.
type filter struct {
	ports        portList
	hosts        hostList
	nets         netList
	clientIDs    []string
	since, until moment
}

// declare adds the flags to a command.
func (f *filter) declare(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Var(&f.ports, "port", "look only at brokers on this `PORT`, which is then taken to be a broker's, beside 1883 and 8883 (repeatable)")
	flags.Var(&f.hosts, "host", "look only at this `HOST`, a broker's or client's address or a name that the capture tells (repeatable)")
	flags.Var(&f.nets, "net", "look only at brokers and clients in this `NET`, such as 10.0.0.0/8 (repeatable)")
	flags.StringArrayVar(&f.clientIDs, "client-id", nil, "look only at this client `ID`, to the letter; '' is the empty one (repeatable)")
	flags.Var(&f.since, "since", "look only at sessions with packets from `TIME` on: RFC 3339, or a duration from the captures' start such as 5m")
	flags.Var(&f.until, "until", "look only at sessions with packets up to `TIME`: RFC 3339, or a duration before the captures' end such as 5m")
	for _, flag := range []string{"port", "host", "net", "client-id", "since", "until"} {
		complete(cmd, flag, nil)
	}
}

// declareLive adds those flags that choose what is captured.
func (f *filter) declareLive(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Var(&f.ports, "port", "capture only this TCP `PORT`, which is then taken to be a broker's, beside 1883 and 8883 (repeatable)")
	flags.Var(&f.hosts, "host", "capture only what this address, `HOST`, sends and gets (repeatable)")
	flags.Var(&f.nets, "net", "capture only what hosts in this `NET` send and get, such as 10.0.0.0/8 (repeatable)")
	flags.StringArrayVar(&f.clientIDs, "client-id", nil, "look only at this client `ID`, to the letter; '' is the empty one (repeatable)")
	for _, flag := range []string{"port", "host", "net", "client-id"} {
		complete(cmd, flag, nil)
	}
}

// check finds what no session can pass.
func (f *filter) check() error {
	if f.since.fixed() && f.until.fixed() && f.since.at.After(f.until.at) {
		return hint("exchange the two", "--since %s is after --until %s", f.since.text, f.until.text)
	}
	return nil
}

// terms are the flags that were given, with their values.
func (f *filter) terms() []report.Term {
	var terms []report.Term
	add := func(flag, value string) { terms = append(terms, report.Term{Flag: flag, Value: value}) }
	for _, p := range f.ports {
		add("--port", strconv.Itoa(int(p)))
	}
	for _, h := range f.hosts {
		add("--host", h.text)
	}
	for _, n := range f.nets {
		add("--net", n.String())
	}
	for _, id := range f.clientIDs {
		add("--client-id", id)
	}
	if f.since.text != "" {
		add("--since", f.since.text)
	}
	if f.until.text != "" {
		add("--until", f.until.text)
	}
	return terms
}

// apply returns an analyzer of those sessions that pass, and what the report is
// to say of the others. It is only then known which endpoints are brokers, what
// hosts are called and when the captures end.
func (f *filter) apply(all *analyze.Analyzer, opts analyze.Options, captures []report.CaptureInput) (*analyze.Analyzer, *report.Selection) {
	terms := f.terms()
	if len(terms) == 0 {
		return all, nil
	}
	said := &report.Selection{Terms: terms}
	sessions := all.Sessions()
	if len(sessions) == 0 {
		return all, said
	}
	within := f.window(captures)
	passing := make([]*decode.Session, 0, len(sessions))
	ports := map[uint16]bool{}
	for _, s := range sessions {
		if f.passes(s) && within.has(s) {
			passing = append(passing, s)
			ports[s.Broker.Port()] = true
		}
	}
	// What was a broker with all sessions stays one.
	opts.Ports = slices.Clone(opts.Ports)
	for p := range ports {
		opts.Ports = append(opts.Ports, p)
	}
	if len(f.hosts)+len(f.nets) > 0 {
		said.SameIDs = sharedIDs(sessions, passing)
	}
	chosen := analyze.New(opts)
	for _, s := range passing {
		chosen.Add(s)
	}
	said.LeftOut, said.NotKept = len(sessions)-len(passing), all.Totals().NotKept
	return chosen, said
}

// sharedIDs counts the sessions that were left out although their client ID is one
// of those that pass, at the same broker: whoever looks at one device alone must
// know that another one uses its client ID.
func sharedIDs(all, passing []*decode.Session) (n int) {
	type key struct {
		broker netip.AddrPort
		id     string
	}
	keyOf := func(s *decode.Session) (k key, ok bool) {
		if s.Connect == nil || s.Connect.ClientID == "" {
			return k, false
		}
		return key{s.Broker, s.Connect.ClientID}, true
	}
	passes, ids := map[*decode.Session]bool{}, map[key]bool{}
	for _, s := range passing {
		passes[s] = true
		if k, ok := keyOf(s); ok {
			ids[k] = true
		}
	}
	for _, s := range all {
		if k, ok := keyOf(s); ok && ids[k] && !passes[s] {
			n++
		}
	}
	return n
}

// passes reports that a session fits every flag but those of time.
func (f *filter) passes(s *decode.Session) bool {
	return oneOf(f.ports, func(p uint16) bool { return s.Broker.Port() == p }) &&
		oneOf(f.hosts, func(h host) bool { return h.is(s) }) &&
		oneOf(f.nets, func(n netip.Prefix) bool { return n.Contains(s.Broker.Addr()) || n.Contains(s.Client.Addr()) }) &&
		oneOf(f.clientIDs, func(id string) bool { return hasClientID(s, id) })
}

// oneOf reports that one value fits, or that there are none.
func oneOf[T any](values []T, fits func(T) bool) bool {
	return len(values) == 0 || slices.ContainsFunc(values, fits)
}

// hasClientID compares with the client ID of the CONNECT as it was sent, and as
// reports have it: each byte that is no UTF-8 became U+FFFD.
func hasClientID(s *decode.Session, id string) bool {
	return s.Connect != nil && s.Connect.HasID() && (s.Connect.ClientID == id || string([]rune(s.Connect.ClientID)) == id)
}

// portList is a repeatable flag of TCP ports.
type portList []uint16

var _ pflag.Value = (*portList)(nil)

func (p *portList) Type() string { return "port" }

func (p *portList) String() string {
	var s []string
	for _, n := range *p {
		s = append(s, strconv.Itoa(int(n)))
	}
	return strings.Join(s, ",")
}

func (p *portList) Set(v string) error {
	for one := range strings.SplitSeq(v, ",") {
		n, err := strconv.ParseUint(one, 10, 16)
		if err != nil || n == 0 {
			return errors.New("must be a number from 1 to 65535")
		}
		*p = append(*p, uint16(n))
	}
	return nil
}

// host is an address or a name.
type host struct {
	text string
	addr netip.Addr // not valid for a name
}

// is reports that the host is the session's broker or client.
func (h host) is(s *decode.Session) bool {
	if h.addr.IsValid() {
		return h.addr == s.Broker.Addr() || h.addr == s.Client.Addr()
	}
	return s.TLS != nil && sameName(s.TLS.SNI, h.text) ||
		sameName(s.Origin.Names[s.Broker.Addr()], h.text) || sameName(s.Origin.Names[s.Client.Addr()], h.text)
}

// sameName compares host names: case means nothing (RFC 4343), nor does the dot
// of the root.
func sameName(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// hostList is a repeatable flag of hosts.
type hostList []host

func (h *hostList) Type() string { return "host" }

func (h *hostList) String() string {
	var s []string
	for _, one := range *h {
		s = append(s, one.text)
	}
	return strings.Join(s, ",")
}

func (h *hostList) Set(v string) error {
	bare := v
	if inner, ok := strings.CutPrefix(v, "["); ok {
		bare = strings.TrimSuffix(inner, "]")
	}
	addr, err := netip.ParseAddr(bare)
	switch {
	case err == nil:
		*h = append(*h, host{v, addr.Unmap().WithZone("")})
	case strings.Trim(v, ".") == "":
		return errors.New("must be an address or a name")
	case strings.Contains(v, "/"):
		return errors.New("must be an address or a name; a network goes to --net")
	case strings.Contains(v, ":"):
		return errors.New("must be an address or a name; a port goes to --port")
	default:
		*h = append(*h, host{text: v})
	}
	return nil
}

// netList is a repeatable flag of networks.
type netList []netip.Prefix

func (n *netList) Type() string { return "net" }

func (n *netList) String() string {
	var s []string
	for _, one := range *n {
		s = append(s, one.String())
	}
	return strings.Join(s, ",")
}

func (n *netList) Set(v string) error {
	prefix, err := netip.ParsePrefix(v)
	if err != nil {
		if _, err := netip.ParseAddr(v); err == nil {
			return errors.New("must be a network such as 10.0.0.0/8; an address goes to --host")
		}
		return errors.New("must be a network such as 10.0.0.0/8 or fd00::/8")
	}
	*n = append(*n, prefix.Masked())
	return nil
}

// moment is a point in time, or a distance from where the captures start or end.
// Its zero value is neither.
type moment struct {
	text     string
	at       time.Time
	distance time.Duration
}

func (m *moment) Type() string   { return "time" }
func (m *moment) String() string { return m.text }

// fixed reports that it is a point in time.
func (m *moment) fixed() bool { return !m.at.IsZero() }

func (m *moment) Set(v string) error {
	at, err := time.Parse(time.RFC3339, v)
	if err == nil {
		*m = moment{text: v, at: at}
		return nil
	}
	distance, err := time.ParseDuration(v)
	if err != nil {
		return errors.New("must be a time such as 2026-03-02T22:13:20Z, or a duration such as 90s, 5m or -1h30m")
	}
	*m = moment{text: v, distance: distance}
	return nil
}

// window is a span of time, open at an end that is zero.
type window struct{ since, until time.Time }

// window puts the flags on the captures' clock. A duration is counted inwards:
// forward from the start for --since, back from the end for --until; a negative
// one from the other end.
func (f *filter) window(captures []report.CaptureInput) window {
	first, last := spanOf(captures)
	w := window{f.since.at, f.until.at}
	if d := f.since.distance; f.since.text != "" && !f.since.fixed() {
		w.since = first.Add(d)
		if d < 0 {
			w.since = last.Add(d)
		}
	}
	if d := f.until.distance; f.until.text != "" && !f.until.fixed() {
		w.until = last.Add(-d)
		if d < 0 {
			w.until = first.Add(-d)
		}
	}
	return w
}

// spanOf is from the first packet of all captures to the last one.
func spanOf(captures []report.CaptureInput) (first, last time.Time) {
	for _, c := range captures {
		if f := c.Info.First; !f.IsZero() && (first.IsZero() || f.Before(first)) {
			first = f
		}
		if l := c.Info.Last; l.After(last) {
			last = l
		}
	}
	return first, last
}

// has reports that a session has packets on both sides of the window's ends, or
// within. Where the capture does not tell the time, it has none.
func (w window) has(s *decode.Session) bool {
	if w.since.IsZero() && w.until.IsZero() {
		return true
	}
	opened, last := s.Opened.Time(), s.Last.Time()
	if opened.IsZero() || last.IsZero() {
		return false
	}
	return (w.since.IsZero() || !last.Before(w.since)) && (w.until.IsZero() || !opened.After(w.until))
}
