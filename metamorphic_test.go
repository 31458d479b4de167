package mqttriage_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/kb"
)

// conversed are the recordings that are rewritten, by what happens in them.
var conversed = []string{
	"mosquitto-2.0.11_v311_duplicate-id_ping-pong_two-paho16-clients",             // a takeover loop
	"cloned-firmware_three-source-ips_same-id_v5",                                 // one of version 5, with DISCONNECT 0x8E
	"mosquitto-2.0.22_v5_duplicate-id_takeover",                                   // one takeover
	"benign-takeover_same-source-ip_stale-half-open",                              // one that is harmless, with PINGREQ
	"mosquitto-2.0.11_v311_auth-failure-loop_paho16",                              // rejections
	"scripted_hivemq_connect-too-large_connack0x95",                               // a rejection with a reason string
	"mosquitto-2.0.11_v311_max-connections-1_second-client-closed-before-connect", // closed before CONNACK
	"mosquitto-2.0.11_v311_empty-id_clean0_retried-12-times",                      // a retry storm
	"mosquitto-2.0.11_v311_keepalive2_client-goes-silent",                         // a keep-alive timeout
	"v311_connect-fragmented-5-byte-segments",                                     // a CONNECT in pieces
	"mosquitto-2.0.11_tls_untrusted-ca_client-alert-unknown-ca",                   // a TLS alert
	"no-broker_connection-refused",                                                // refused
	"linux_full-accept-queue_connection-timeout",                                  // SYNs without answer
}

// One conversation must give the same sessions and findings however it is sent,
// carried, captured and written.
func TestRewritings(t *testing.T) {
	base, err := kb.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rewritings {
		if (r.first != nil || r.adds != 0 || r.back != nil || r.late != 0) && r.why == "" {
			t.Errorf("%s: it may change something, and does not say why", r.name)
		}
	}
	for _, folder := range conversed {
		t.Run(folder, func(t *testing.T) {
			file, c := recorded(t, folder)
			rewriteAll(t, base, tell(t, base, file, rewriting{}), c)
		})
	}
	t.Run("over IPv6", func(t *testing.T) {
		_, c := recorded(t, conversed[1])
		c = over6(c)
		rewriteAll(t, base, tell(t, base, rewriting{}.write(c), rewriting{}), c)
	})
}

// rewriteAll compares what all rewritings of a conversation give with what was
// told before.
func rewriteAll(t *testing.T, base *kb.Base, plain told, c conversation) {
	if len(plain.Sessions) == 0 {
		t.Fatal("there is nothing in the conversation to compare")
	}
	for _, r := range rewritings {
		if !r.fits(c) {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			compareTold(t, base, plain, r, c)
		})
	}
}

// compareTold compares what a rewriting gives with what it must.
func compareTold(t *testing.T, base *kb.Base, plain told, r rewriting, c conversation) {
	t.Helper()
	want := plain
	if r.first != nil {
		want = tell(t, base, rewriting{}.write(r.first(c)), rewriting{})
	}
	want = r.expect(want, c)
	got := tell(t, base, r.write(c), r)
	if len(want.Sessions) != len(got.Sessions) {
		t.Errorf("%d sessions instead of %d", len(got.Sessions), len(want.Sessions))
		return
	}
	// The first differences tell it.
	const most = 4000
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("as it was (-) and as rewritten (+) differ beyond what may (%q):\n%.*s", r.why, most, diff)
	}
}

// Rewritings must go together too: what is sent in pieces and in a tunnel and
// captured twice is still the same. The combinations are drawn by lot.
func TestRewritingsTogether(t *testing.T) {
	base, err := kb.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range conversed {
		file, c := recorded(t, folder)
		plain := tell(t, base, file, rewriting{})
		random := rand.New(rand.NewPCG(26, uint64(len(c))))
		for range 25 {
			r := drawn(random, c)
			t.Run(folder+"/"+r.name, func(t *testing.T) {
				compareTold(t, base, plain, r, c)
			})
		}
	}
}

// framedAnew are the rewritings of captures that hold only for whole datagrams
// on Ethernet.
var framedAnew = []string{
	"amid noise", "captured on both sides of a NAT", "captured before and behind a router", "captured before and in a tunnel",
	"cut behind the handshake",
}

// drawn joins a rewriting of segments or datagrams, one of links and one of
// captures and files.
func drawn(random *rand.Rand, c conversation) rewriting {
	pick := func(may func(r *rewriting) bool) rewriting {
		for {
			if r := rewritings[random.IntN(len(rewritings))]; r.fits(c) && may(&r) {
				return r
			}
		}
	}
	sent := pick(func(r *rewriting) bool { return r.on == nil && r.packets == nil && r.file == nil })
	carried := pick(func(r *rewriting) bool {
		return r.on != nil && r.segments == nil && r.datagrams == nil && r.packets == nil && r.file == nil &&
			// Some frames end where their datagram does not tell.
			(sent.name != "no length in IP, as of TSO" || r.on.link != capture.LinkEN10MB && r.on.link != capture.LinkIEEE80211Radiotap) &&
			// Some are for one version of IP.
			(sent.back == nil || !r.only4)
	})
	as := c
	if sent.segments != nil {
		as = sent.segments(c)
	}
	filed := pick(func(r *rewriting) bool {
		return r.fits(as) && r.segments == nil && r.datagrams == nil && r.on == nil && (r.adds == 0 || sent.adds == 0) &&
			// What makes frames of its own.
			!slices.Contains(framedAnew, r.name)
	})
	r := sent
	r.name = strings.Join([]string{sent.name, carried.name, filed.name}, " + ")
	r.on, r.packets, r.file = carried.on, filed.packets, filed.file
	switch {
	case filed.adds == 0:
	case sent.datagrams != nil && len(sent.datagrams(datagram(as[0]))) > 1:
		// Copies of fragments mostly end where datagrams are put together.
		r.may = filed.adds
	default:
		r.adds, r.toAll = filed.adds, filed.toAll
	}
	return r
}

// fits reports that a rewriting is for a conversation.
func (r *rewriting) fits(c conversation) bool {
	return !(r.only4 && !c.is4()) && (r.only == nil || r.only(c))
}

// write makes a file of a conversation.
func (r rewriting) write(c conversation) []byte {
	link, packets := r.capture(c)
	file := r.file
	if file == nil {
		file = plainPcap
	}
	return file(link, packets)
}

// capture makes packets of a conversation.
func (r *rewriting) capture(c conversation) (capture.LinkType, []captured) {
	on := r.on
	if on == nil {
		on = onEthernet(ethernet)
	}
	if r.segments != nil {
		c = r.segments(c)
	}
	var packets []captured
	for i := range c {
		parts := [][]byte{datagram(c[i])}
		if r.datagrams != nil {
			parts = r.datagrams(parts[0])
		}
		for n, part := range parts {
			p := captured{nano: c[i].nano, data: on.frame(part)}
			if n == len(parts)-1 {
				p.of = &c[i]
			}
			packets = append(packets, p)
		}
	}
	if r.packets != nil {
		packets = r.packets(packets)
	}
	return on.link, packets
}

// told is all that must stay the same, in an order of its own: sessions by
// time, findings as they are.
type told struct {
	Sessions []map[string]any
	Findings []map[string]any
	Brokers  map[string]string
}

// expect is what a rewriting may make of what is told.
func (r *rewriting) expect(want told, c conversation) told {
	if r.adds == 0 {
		return want
	}
	noted := map[string]bool{}
	if r.segments != nil {
		for _, s := range r.segments(c) {
			if s.noted {
				noted[r.original(s.src, true).String()] = true
				noted[r.original(s.dst, true).String()] = true
			}
		}
	}
	sessions := slices.Clone(want.Sessions)
	for i, s := range sessions {
		if !r.toAll && !noted[s["client"].(string)] {
			continue
		}
		s = maps.Clone(s)
		if notes := s["notes"].([]string); !slices.Contains(notes, r.adds.String()) {
			s["notes"] = slices.Sorted(slices.Values(append(slices.Clone(notes), r.adds.String())))
		}
		sessions[i] = s
	}
	want.Sessions = sessions
	return want
}

// original undoes a rewriting's change of an address.
func (r *rewriting) original(a netip.AddrPort, client bool) netip.AddrPort {
	if r.back == nil {
		return a
	}
	return r.back(a, client)
}

// tell reads a file through the rooms, as the program does, and undoes what the
// rewriting changed.
func tell(t *testing.T, base *kb.Base, file []byte, r rewriting) told {
	t.Helper()
	source, err := pcapfile.NewReader("capture", bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	analyzer := analyze.New(analyze.Options{})
	decoder := decode.New(decode.Options{Capture: "capture", Index: 1}, analyzer.Add)
	if err := decoder.Read(source); !errors.Is(err, io.EOF) {
		t.Fatalf("the rewritten capture cannot be read: %v", err)
	}
	out := told{Brokers: map[string]string{}}
	for _, s := range analyzer.Sessions() {
		out.Sessions = append(out.Sessions, tellSession(t, s, r))
	}
	for _, f := range analyzer.Findings() {
		out.Findings = append(out.Findings, tellFinding(base, f, r))
	}
	for at, b := range analyzer.Brokers() {
		out.Brokers[r.original(at, false).String()] = fmt.Sprintf("%s %s because %v", b.Vendor, b.Version, b.Because)
	}
	return out
}

// tellSession is a session's record without what says where in the capture it
// is: its number and stream, and packet numbers.
func tellSession(t *testing.T, s *decode.Session, r rewriting) map[string]any {
	t.Helper()
	record := s.Record()
	record.ID, record.Capture, record.Stream, record.Packets = "", "", 0, decode.RecordPackets{}
	record.Client, record.Broker = r.original(s.Client, true).String(), r.original(s.Broker, false).String()
	for _, at := range []*decode.Stamp{&record.Opened, &record.Connect, &record.Connack, &record.Closed} {
		if !at.IsZero() {
			*at = decode.Stamp(time.Time(*at).Add(-r.late))
		}
	}
	b, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	var notes []string
	for _, n := range record.Notes {
		if n != r.may {
			notes = append(notes, n.String())
		}
	}
	out["notes"] = append([]string{}, slices.Sorted(slices.Values(notes))...)
	return out
}

// tellFinding is a finding with the status of all advice, without packet
// numbers.
func tellFinding(base *kb.Base, f analyze.Finding, r rewriting) map[string]any {
	out := map[string]any{
		"symptom": f.Symptom, "severity": f.Severity.String(), "client_ids": f.ClientIDs, "codes": f.Codes,
		"mqtt_versions": f.MQTTVersions, "sessions": f.Sessions,
		"first": f.First.Add(-r.late).String(), "last": f.Last.Add(-r.late).String(),
		"broker": r.original(netip.MustParseAddrPort(f.Broker), false).String(),
	}
	var clients, evidence []string
	for _, c := range f.Clients {
		clients = append(clients, r.original(netip.AddrPortFrom(netip.MustParseAddr(c), 0), true).Addr().String())
	}
	for _, e := range f.Evidence {
		evidence = append(evidence, r.original(e.Session.Client, true).String())
	}
	slices.Sort(clients)
	out["clients"], out["evidence"] = clients, evidence
	facts := map[string]any{}
	f.Facts.Each(func(name string, value any, _ []int, known bool) {
		if known {
			facts[name] = value
		}
	})
	out["facts"] = facts
	var advice []string
	for _, a := range base.Consult(f) {
		advice = append(advice, a.Entry.ID)
		for _, c := range a.Causes {
			advice = append(advice, c.ID+" "+string(c.Status))
		}
		for _, x := range a.Fixes {
			advice = append(advice, x.ID+" "+string(x.Status))
		}
		for _, d := range a.DeadEnds {
			advice = append(advice, d.ID+" "+string(d.Status))
		}
	}
	out["advice"] = advice
	return out
}
