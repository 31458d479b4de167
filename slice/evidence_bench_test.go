package slice

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/mqttriage/mqttriage/capture"
)

// BenchmarkEvidencePublish is what a packet of publish traffic costs, with many sessions
// and with few.
func BenchmarkEvidencePublish(b *testing.B) {
	for name, sessions := range map[string]int{"10 sessions": 10, "1000 sessions": 1000} {
		b.Run(name, func(b *testing.B) {
			e, err := NewEvidence(EvidenceOptions{File: filepath.Join(b.TempDir(), "evidence.pcapng")})
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			traffic := newTraffic(e, sessions)
			e.Tick(time.Now().Add(time.Minute))
			packets := traffic.publishes(1 << 14)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if i > 0 && i%len(packets) == 0 {
					b.StopTimer()
					traffic.advance(packets)
					b.StartTimer()
				}
				e.Add(&packets[i%len(packets)])
			}
		})
	}
}

// traffic is that of sessions that have begun.
type traffic struct {
	seq  []uint32
	nano int64
}

const trafficSYN = 1000

func newTraffic(e *Evidence, sessions int) *traffic {
	t := &traffic{seq: make([]uint32, sessions), nano: 1_800_000_000e9}
	connect := script{}.say("\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04gw-7", false).bytes()
	for i := range t.seq {
		client := [4]byte{10, 1, byte(i >> 8), byte(i)}
		add := func(b []byte) {
			t.nano += 1e5
			e.Add(&capture.Packet{Nano: t.nano, Link: capture.LinkEN10MB, Length: len(b), Data: b})
		}
		add(frame(client, brokerAddr, 40000, 1883, trafficSYN, 0, 2, nil))
		add(frame(brokerAddr, client, 1883, 40000, 77, trafficSYN+1, 0x12, nil))
		add(frame(client, brokerAddr, 40000, 1883, trafficSYN+1, 78, 0x18, connect))
		t.seq[i] = trafficSYN + 1 + uint32(len(connect))
		add(frame(brokerAddr, client, 1883, 40000, 78, t.seq[i], 0x18, []byte("\x20\x02\x00\x00")))
	}
	return t
}

const publish = "\x30\x3d\x00\x08sensor/7CANARY{\"temperature\":21.5,\"humidity\":44.1,\"n\":1}..."

// publishes are packets of all sessions in turn, a PUBLISH and what acknowledges it.
func (t *traffic) publishes(n int) []capture.Packet {
	packets := make([]capture.Packet, n)
	for i := range packets {
		s := i / 2 % len(t.seq)
		client := [4]byte{10, 1, byte(s >> 8), byte(s)}
		var b []byte
		if i%2 == 0 {
			b = frame(client, brokerAddr, 40000, 1883, t.seq[s], 82, 0x18, []byte(publish))
			t.seq[s] += uint32(len(publish))
		} else {
			b = frame(brokerAddr, client, 1883, 40000, 82, t.seq[s], 0x10, nil)
		}
		t.nano += 1e4
		packets[i] = capture.Packet{Nano: t.nano, Link: capture.LinkEN10MB, Length: len(b), Data: b}
	}
	return packets
}

// advance makes the packets the next ones.
func (t *traffic) advance(packets []capture.Packet) { copy(packets, t.publishes(len(packets))) }
