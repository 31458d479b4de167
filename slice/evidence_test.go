package slice

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/pcapfile"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/tls"
)

// written is the evidence of a capture, with a Tick every 200 ms of its time, as one
// file.
func written(t testing.TB, open func() (capture.Source, error), o EvidenceOptions) ([]byte, EvidenceStats) {
	t.Helper()
	if o.MaxSize == 0 {
		o.MaxSize = 1 << 30
	}
	files, stats := writtenFiles(t, open, o)
	switch {
	case len(files) == 1:
		return read(t, files[0]), stats
	case len(files) > 1 || stats.Packets > 0:
		t.Fatalf("%d files; %+v", len(files), stats)
	}
	var empty bytes.Buffer
	if _, err := pcapfile.NewWriter(&empty, "mqttriage"); err != nil {
		t.Fatal(err)
	}
	return empty.Bytes(), stats
}

// writtenFiles are the files of such evidence.
func writtenFiles(t testing.TB, open func() (capture.Source, error), o EvidenceOptions) ([]string, EvidenceStats) {
	t.Helper()
	source, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	dir := t.TempDir()
	var now time.Time
	o.File = filepath.Join(dir, "evidence.pcapng")
	o.now = func() time.Time { return now }
	if o.Key == nil {
		o.Key = []byte("a key for tests")
	}
	var e *Evidence
	tick := func() {
		if err := e.Tick(now); err != nil {
			t.Fatal(err)
		}
	}
	for {
		p, err := source.Next()
		if err != nil {
			break
		}
		if e == nil {
			now = p.Time()
			if e, err = NewEvidence(o); err != nil {
				t.Fatal(err)
			}
			e.files.sync = func(*os.File) error { return nil } // which takes its time
			e.SetInterfaces(source.Info().Interfaces)
		}
		for p.Time().Sub(now) > 200*time.Millisecond {
			now = now.Add(max(200*time.Millisecond, p.Time().Sub(now)/50))
			tick()
		}
		e.Add(&p)
		clear(p.Data) // it is valid only during the call
	}
	tick()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return paths(t, dir), e.Stats()
}

// What evidence gives is what its capture gave.
func TestEvidenceSameFindings(t *testing.T) {
	for _, path := range captures(t) {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			a := analysed(t, path, fromFile(path))
			out, stats := written(t, fromFile(path), EvidenceOptions{})
			if stats.Lost+stats.GivenUp > 0 {
				t.Errorf("%+v", stats)
			}
			same(t, a, analysed(t, "evidence", fromBytes(out)))
		})
	}
}

// Behind TLS and in WebSockets findings stay the same too, with the secrets of the connections as
// without.
func TestEvidenceRecordings(t *testing.T) {
	paths, err := filepath.Glob("../testdata/recordings/*/*.pcap*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recordings (%v)", err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		if _, err := fromFile(path)(); err != nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			keys := new(tls.Keys)
			if log, err := os.ReadFile(strings.TrimSuffix(path, filepath.Ext(path)) + ".keylog"); err == nil {
				for line := range bytes.Lines(log) {
					keys.Add(line)
				}
			}
			a := opened(t, path, keys)
			out, _ := written(t, fromFile(path), EvidenceOptions{Ports: brokerPorts(a)})
			if bytes.Contains(out, []byte("CLIENT_")) {
				t.Error("secrets were copied")
			}
			file := filepath.Join(t.TempDir(), "evidence.pcapng")
			if err := os.WriteFile(file, out, 0o600); err != nil {
				t.Fatal(err)
			}
			got := opened(t, file, keys)
			if strings.Contains(name, "deflate") || strings.Contains(name, "secrets-inside") {
				// As with slices: compressed messages are overwritten as a whole, and the secrets that a
				// capture brings are not copied. Live captures bring none.
				if _, held := exceptions[name]; !held {
					compare(t, a.Findings(), got.Findings())
				}
				return
			}
			same(t, a, got)
		})
	}
}

// brokerPorts are those that a user of live gives with --port.
func brokerPorts(a *analyze.Analyzer) (ports []uint16) {
	for _, s := range a.Sessions() {
		ports = append(ports, s.Broker.Port())
	}
	return ports
}

// same compares findings and their facts, and sessions.
func same(t *testing.T, want, got *analyze.Analyzer) {
	t.Helper()
	compare(t, want.Findings(), got.Findings())
	for i := range min(len(want.Findings()), len(got.Findings())) {
		compareFacts(t, want.Findings()[i], got.Findings()[i])
	}
	before, after := stories(want.Sessions()), stories(got.Sessions())
	for i := range min(len(before), len(after)) {
		before[i].leaveOut(&after[i])
	}
	if diff := cmp.Diff(before, after, cmpopts.IgnoreUnexported(decode.Session{}), cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Errorf("sessions of the capture (-) and of the evidence (+) differ:\n%s", diff)
	}
}

// leaveOut drops what publish traffic that was left out takes from a session: it shows as
// bytes that are missing, and behind them nothing is read in TLS and in WebSockets, nor what lies in
// one packet with other things.
func (s *story) leaveOut(got *story) {
	if got.ClientGap == s.ClientGap && got.BrokerGap == s.BrokerGap && got.Has(decode.NoteDesync) == s.Has(decode.NoteDesync) {
		return
	}
	if s.Transport != decode.TCP || !got.Disconnected {
		for _, x := range []*story{s, got} {
			x.Disconnected, x.DisconnectBy, x.DisconnectAt = false, 0, decode.Event{}
			x.Close, x.Closed, x.ClosedBy, x.ClientClosed, x.BrokerClosed = 0, decode.Event{}, 0, decode.Event{}, decode.Event{}
			x.LastFromClient, x.LastFromBroker = decode.Event{}, decode.Event{}
			x.CloseCode = 0
			if x.ConnectBegan.Nano == 0 {
				x.FirstFromClient = decode.Event{} // it came behind the CONNACK
			}
		}
	}
	s.ClientGap, s.BrokerGap, s.Notes = got.ClientGap, got.BrokerGap, got.Notes
}

// A story is a session as evidence is to keep it: all but the numbers of packets and streams, and
// secrets.
type story struct {
	decode.Session
	ClientID              string
	Code                  string
	TLS                   decode.TLS
	Rare                  decode.Rare
	Disconnected          bool
	From, To, BrokerNamed string
	CloseCode             uint16
}

func stories(sessions []*decode.Session) []story {
	var out []story
	for _, s := range sessions {
		if !s.MQTT && s.HTTP == nil && s.TLS == nil && !decode.IsBrokerPort(s.Broker.Port(), nil) {
			continue
		}
		one := story{Session: *s, From: s.Client.String(), To: s.Broker.String(), BrokerNamed: s.BrokerName(), Disconnected: s.Disconnect != nil}
		if s.Connect != nil {
			one.ClientID = s.Connect.ClientID
		}
		if s.Connack != nil {
			one.Code = fmt.Sprint(s.Connack.Code)
		}
		if s.TLS != nil {
			one.TLS = *s.TLS
			one.TLS.AlertAt.Packet, one.TLS.FirstData.Packet = 0, 0
			one.TLS.Certificate, one.TLS.ClientCertificate = nil, nil
			// What follows the handshake is left out.
			one.TLS.DataRecords, one.TLS.AnswerRecords = min(1, one.TLS.DataRecords), min(1, one.TLS.AnswerRecords)
		}
		one.Rare = s.Rare()
		one.Rare.SynRetries = slices.Clone(one.Rare.SynRetries)
		one.Rare.Refusal.Packet, one.Rare.SecondConnect.Packet = 0, 0
		for i := range one.Rare.SynRetries {
			one.Rare.SynRetries[i] = 0
		}
		if s.HTTP != nil {
			one.CloseCode = s.HTTP.CloseCode
		}
		x := &one.Session
		for _, e := range []*decode.Event{
			&x.Opened, &x.Syn, &x.SynAck, &x.ConnectAt, &x.ConnackAt, &x.DisconnectAt, &x.Closed, &x.BrokerClosed, &x.ClientClosed, &x.Last,
			&x.ConnectBegan, &x.LastFromClient, &x.LastFromBroker, &x.FirstFromClient, &x.CaptureEnd,
		} {
			e.Packet = 0
		}
		// Acknowledgments behind the handshake are left out, and so what came last.
		x.Last = decode.Event{}
		// The end of the capture is known to a tick of the clock.
		x.CaptureEnd = decode.Event{}
		x.Origin, x.Connect, x.Connack, x.Disconnect, x.TLS, x.HTTP = nil, nil, nil, nil, nil, nil
		x.Client, x.Broker = netip.AddrPort{}, netip.AddrPort{}
		x.Number, x.Stream, x.StreamUnsure = 0, 0, false
		out = append(out, one)
	}
	return out
}
