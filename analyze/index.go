package analyze

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// index is the sessions in order of time, by broker, client ID and client.
type index struct {
	sessions []*decode.Session
	brokers  []*broker
	// folded counts sessions left out because the capture shows the same
	// conversation more than once.
	folded int
}

// broker is the sessions of one broker endpoint.
type broker struct {
	endpoint netip.AddrPort
	// plain reports that the broker answered here in MQTT without TLS, tls
	// that it answered in TLS.
	plain, tls bool
	// siblings are the broker's other endpoints: other ports of its address.
	siblings []*broker
	// what is what the broker is guessed to be.
	what Broker
	// takenOver is made by taken.
	takenOver map[*decode.Session]bool
	// sessions are in order of time.
	sessions []*decode.Session
	// byID holds the sessions with a CONNECT by non-empty client ID, byClient
	// those of each client address, both in order of time; ids and clients
	// are their keys, sorted. They are there between prepare and release.
	byID     map[string][]*decode.Session
	byClient map[netip.Addr][]*decode.Session
	ids      []string
	clients  []netip.Addr
}

// index returns the index over the sessions so far.
func (a *Analyzer) index() *index {
	if a.ix == nil {
		a.ix = a.makeIndex()
	}
	return a.ix
}

func (a *Analyzer) makeIndex() *index {
	endpoints := map[netip.AddrPort]*broker{}
	for _, s := range a.sessions {
		if s.MQTT || decode.IsBrokerPort(s.Broker.Port(), a.opts.Ports) || saysMQTT(s) {
			b := endpoints[s.Broker]
			if b == nil {
				b = &broker{endpoint: s.Broker}
				endpoints[s.Broker] = b
			}
			b.plain = b.plain || s.BrokerFirst == decode.FirstMQTT && s.Transport == decode.TCP
			b.tls = b.tls || s.BrokerFirst == decode.FirstTLS && s.First == decode.FirstTLS
		}
	}
	ix := &index{}
	for _, s := range a.sessions {
		if endpoints[s.Broker] != nil {
			ix.sessions = append(ix.sessions, s)
		}
	}
	slices.SortFunc(ix.sessions, func(x, y *decode.Session) int {
		return cmp.Or(
			cmp.Compare(x.Opened.Nano, y.Opened.Nano),
			cmp.Compare(x.Origin.Capture, y.Origin.Capture),
			cmp.Compare(x.Opened.Packet, y.Opened.Packet),
			cmp.Compare(x.ID(), y.ID()),
			x.Client.Compare(y.Client),
		)
	})
	all := len(ix.sessions)
	ix.sessions = fold(ix.sessions)
	ix.folded = all - len(ix.sessions)
	for _, s := range ix.sessions {
		b := endpoints[s.Broker]
		b.sessions = append(b.sessions, s)
	}
	for _, b := range endpoints {
		if len(b.sessions) == 0 {
			continue // all its sessions are copies of another endpoint's
		}
		ix.brokers = append(ix.brokers, b)
	}
	slices.SortFunc(ix.brokers, func(x, y *broker) int { return x.endpoint.Compare(y.endpoint) })
	hosts := map[netip.Addr][]*broker{}
	for _, b := range ix.brokers {
		hosts[b.endpoint.Addr()] = append(hosts[b.endpoint.Addr()], b)
	}
	for _, b := range ix.brokers {
		b.siblings = slices.DeleteFunc(slices.Clone(hosts[b.endpoint.Addr()]), func(o *broker) bool { return o == b })
		b.what = b.guess(a.opts.Broker)
	}
	return ix
}

// prepare sorts the broker's sessions by client and client ID, once.
func (b *broker) prepare() {
	if b.byClient != nil {
		return
	}
	b.byID, b.byClient = map[string][]*decode.Session{}, map[netip.Addr][]*decode.Session{}
	for _, s := range b.sessions {
		addr := s.Client.Addr()
		b.byClient[addr] = append(b.byClient[addr], s)
		if s.Connect != nil && s.Connect.ClientID != "" {
			b.byID[s.Connect.ClientID] = append(b.byID[s.Connect.ClientID], s)
		}
	}
	b.ids, b.clients = slices.Sorted(maps.Keys(b.byID)), slices.SortedFunc(maps.Keys(b.byClient), netip.Addr.Compare)
}

// release forgets what prepare and the rules made: a scan shows thousands of
// brokers, and they are looked at one by one.
func (b *broker) release() {
	b.byID, b.byClient, b.ids, b.clients, b.takenOver = nil, nil, nil, nil, nil
}

// saysMQTT reports that a TLS client asks for MQTT by ALPN, or for a host that
// is a known broker's or is called after MQTT; or that an HTTP client asks for
// MQTT in a WebSocket.
func saysMQTT(s *decode.Session) bool {
	if s.HTTP != nil && s.HTTP.Upgrade && s.HTTP.Subprotocol {
		return true
	}
	if s.TLS == nil {
		return false
	}
	says := func(p string) bool { return strings.Contains(strings.ToLower(p), "mqtt") }
	return slices.ContainsFunc(s.TLS.ALPN, says) || says(s.TLS.SNI) || vendorOfHost(s.TLS.SNI) != ""
}

// The same packet passes several capture points within a few milliseconds,
// even through a NAT or a tunnel; this allows for a busy one.
const copyDelay = 100 * time.Millisecond

// fold leaves out sessions that are the same conversation seen at another
// point: both sides' initial sequence numbers are equal (64 random bits, RFC
// 9293 §3.4.1), so is the CONNECT, and both were opened and ended at nearly
// the same time. Anything less is not enough: two clients that share an ID
// and a simple TCP stack can have the first two in common.
func fold(sessions []*decode.Session) []*decode.Session {
	type isns struct{ client, broker uint32 }
	seen := map[isns][]*decode.Session{}
	kept := sessions[:0:0]
	for _, s := range sessions {
		if !s.HasISN || s.Connect == nil {
			kept = append(kept, s)
			continue
		}
		key := isns{s.ClientISN, s.BrokerISN}
		original := slices.IndexFunc(seen[key], func(o *decode.Session) bool { return sameConversation(o, s) })
		if original < 0 {
			// Copies follow at once, so the last few originals are enough.
			seen[key] = append(seen[key][max(0, len(seen[key])-7):], s)
			kept = append(kept, s)
			continue
		}
		if o := seen[key][original]; !o.Has(decode.NoteDuplicate) {
			o.Notes.Add(decode.NoteDuplicate)
		}
	}
	return kept
}

func sameConversation(o, s *decode.Session) bool {
	near := func(x, y decode.Event) bool {
		return x.Seen() == y.Seen() && (!x.Seen() || x.Sub(y).Abs() <= copyDelay)
	}
	return (o.Client != s.Client || o.Broker != s.Broker || *o.Origin != *s.Origin) &&
		o.Connect != nil && o.Connect.Tag == s.Connect.Tag &&
		near(o.Opened, s.Opened) && near(o.ConnectAt, s.ConnectAt) && near(o.ConnackAt, s.ConnackAt) && near(o.Closed, s.Closed)
}

// accepted reports that a session was let in, and when is known.
func accepted(s *decode.Session) bool { return s.Outcome == decode.Accepted && s.ConnackAt.Seen() }

// failed reports that the handshake did not succeed, by what the capture
// shows. A CONNACK that came too late for the client is a failure too.
func failed(s *decode.Session) bool {
	switch s.Outcome {
	case decode.Rejected, decode.Unanswered, decode.Refused, decode.TLSFailed, decode.NotMQTT:
		return true
	case decode.Accepted:
		return s.Has(decode.NoteLateConnack)
	}
	return closedUnanswered(s)
}

// closedUnanswered reports that the broker ended an opened connection without
// a CONNACK, before a CONNECT or after it.
func closedUnanswered(s *decode.Session) bool {
	return s.Connack == nil && s.ClosedBy == decode.Broker && !s.Rare().Refusal.Seen() &&
		s.SynAck.Seen() && !s.BrokerGap &&
		((s.First == decode.FirstNothing || s.First == decode.FirstMQTT) && (s.BrokerFirst == decode.FirstNothing || s.DisconnectBy == decode.Broker) || closedInsideTLS(s))
}

// closedInsideTLS reports the same of a connection behind TLS: the client sent
// application data, and no record of the broker after it could hold a CONNACK.
func closedInsideTLS(s *decode.Session) bool {
	return s.TLS != nil && s.TLS.FirstData.Seen() && s.TLS.AnswerRecords == 0 && s.TLS.Alert == "" &&
		s.BrokerFirst == decode.FirstTLS && !s.ClientGap && !s.Has(decode.NoteDesync)
}

// next returns the client's next attempt at this broker after s ended, within
// retryWindow: the same address and client ID if there is such an attempt,
// else the address's next one if that looks like the same device.
func (b *broker) next(s *decode.Session) *decode.Session {
	if s.Connect != nil && s.Connect.ClientID != "" {
		if n := after(b.byID[s.Connect.ClientID], s); n != nil {
			return n
		}
	}
	n := after(b.byClient[s.Client.Addr()], s)
	if n == nil || !sameDevice(s, n) {
		return nil
	}
	return n
}

// sameDevice tells a client that changed its ID from another device behind the
// same address. It is the same where an ID was missing and where the IDs look
// drawn at random.
func sameDevice(s, n *decode.Session) bool {
	if s.Connect == nil || n.Connect == nil || s.Connect.ClientID == "" || n.Connect.ClientID == s.Connect.ClientID {
		return true
	}
	return drawnAtRandom(s.Connect.ClientID, n.Connect.ClientID)
}

// randomPart is how many characters two IDs must differ in at their end to
// look random: serial numbers of neighbours differ in fewer.
const randomPart = 6

// drawnAtRandom reports that two IDs are alike but for a long part at the end
// that has letters and digits mixed.
func drawnAtRandom(x, y string) bool {
	if len(x) != len(y) {
		return false
	}
	common := 0
	for common < len(x) && x[common] == y[common] {
		common++
	}
	mixed := func(s string) bool {
		return strings.ContainsAny(s, "0123456789") && strings.IndexFunc(s, func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' }) >= 0
	}
	return len(x)-common >= randomPart && mixed(x[common:]) && mixed(y[common:])
}

// after returns the first of the sessions, which are in order of time, that
// the client of s opened after s had ended.
func after(sessions []*decode.Session, s *decode.Session) *decode.Session {
	i, _ := slices.BinarySearchFunc(sessions, s.Opened.Nano+1, func(o *decode.Session, nano int64) int {
		return cmp.Compare(o.Opened.Nano, nano)
	})
	// Where so many attempts of others lie between, "next" means nothing.
	for _, o := range sessions[i:min(len(sessions), i+64)] {
		if o.Opened.Sub(s.Opened) > retryWindow {
			return nil
		}
		if o.Client.Addr() == s.Client.Addr() && (!s.Closed.Seen() || o.Opened.Nano >= s.Closed.Nano) {
			return o
		}
	}
	return nil
}

// retryWindow is how long after a failure a client's next attempt still counts
// as a retry: the longest default backoff among common clients is 120 s (Paho
// Python, HiveMQ), doubled for the time an attempt itself takes.
const retryWindow = 4 * time.Minute

// openAt counts those of the sessions, in order of time, that were accepted and
// open when s asked to be let in.
func (b *broker) openAt(sessions []*decode.Session, s *decode.Session) int {
	at := cmp.Or(s.ConnectAt, s.Closed, s.Opened)
	n := 0
	for _, o := range sessions {
		if o.Opened.Nano >= at.Nano {
			break
		}
		if o != s && accepted(o) && o.ConnackAt.Nano <= at.Nano && (!o.Closed.Seen() || o.Closed.Nano > at.Nano) {
			n++
		}
	}
	return n
}

// codeIs reports a CONNACK code by the table it belongs to.
func codeIs(s *decode.Session, v3, v5 []byte) bool {
	if s.Outcome != decode.Rejected {
		return false
	}
	if s.CodeVersion() == mqtt.V5 {
		return slices.Contains(v5, s.Connack.Code)
	}
	return slices.Contains(v3, s.Connack.Code)
}

// ms is a duration in milliseconds, to the microsecond; seconds is one in
// seconds, to the millisecond.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }

// median returns the middle value; it sorts v.
func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
