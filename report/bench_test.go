package report

import (
	"fmt"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/analyze"
	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
	"github.com/mqttriage/mqttriage/kb"
)

const benchSessions = 20_000

// BenchmarkBuild is all that comes after decoding, down to the document.
func BenchmarkBuild(b *testing.B) {
	sessions, in := busySessions(), benchInput(b)
	for b.Loop() {
		in.Analyzer = analyze.New(analyze.Options{})
		for _, s := range sessions {
			in.Analyzer.(*analyze.Analyzer).Add(s)
		}
		Build(in)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchSessions, "ns/session")
}

// BenchmarkDocument is what of it is not analysis: words and advice.
func BenchmarkDocument(b *testing.B) {
	in := benchInput(b)
	in.Analyzer = analyze.New(analyze.Options{})
	for _, s := range busySessions() {
		in.Analyzer.(*analyze.Analyzer).Add(s)
	}
	in.Analyzer.Findings()
	for b.Loop() {
		if err := Table(io.Discard, Build(in), TableOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func benchInput(b *testing.B) Input {
	base, err := kb.Open()
	if err != nil {
		b.Fatal(err)
	}
	return Input{Base: base, Lang: kb.English}
}

// busySessions are those of two hundred devices that come again and again: half are
// accepted, half refused.
func busySessions() []*decode.Session {
	origin := &decode.Origin{Capture: "bench", Index: 1}
	broker := netip.MustParseAddrPort("192.0.2.1:1883")
	begin := time.Date(2026, 3, 2, 22, 13, 20, 0, time.UTC).UnixNano()
	var connects [200]*mqtt.Connect
	for i := range connects {
		id := fmt.Sprintf("device-%03d", i)
		connects[i] = &mqtt.Connect{
			Name: "MQTT", Level: 4, Version: mqtt.V311, ClientID: id, CleanStart: true, KeepAlive: 60, Length: 24, Tag: mqtt.Tag(i + 1),
		}
	}
	connacks := [2]*mqtt.Connack{{Version: mqtt.V311}, {Version: mqtt.V311, Code: 5}}
	outcomes := [2]decode.Outcome{decode.Accepted, decode.Rejected}
	sessions := make([]*decode.Session, benchSessions)
	for i := range sessions {
		device := i % len(connects)
		at := func(n int) decode.Event {
			return decode.Event{Packet: 4*i + n, Nano: begin + int64(i)*1e6 + int64(n)*1e5}
		}
		sessions[i] = &decode.Session{
			Origin: origin, Number: uint32(i + 1), Stream: uint32(i), Broker: broker,
			Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(device)}), uint16(1024+i)),
			MQTT:   true, First: decode.FirstMQTT, BrokerFirst: decode.FirstMQTT, FirstPacket: mqtt.TypeConnect,
			Opened: at(1), Syn: at(1), SynAck: at(1), ConnectAt: at(2), ConnectBegan: at(2), ConnackAt: at(3),
			Closed: at(4), BrokerClosed: at(4), ClosedBy: decode.Broker, Close: decode.CloseFIN,
			Connect: connects[device], Connack: connacks[device%2], Outcome: outcomes[device%2],
		}
	}
	return sessions
}
