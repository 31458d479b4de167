package tcp

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/mqttriage/mqttriage/decode/link"
)

func BenchmarkInOrder(b *testing.B) {
	for _, conns := range []int{1, 1000, 100_000, 400_000} {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) {
			var bytes counter
			table := NewTable(Options{Open: func(*Conn) Handler { return &bytes }})
			segments := make([]link.Segment, conns)
			payload := make([]byte, 50)
			for i := range segments {
				s := &segments[i]
				s.Src = link.EndpointOf(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 50000))
				s.Dst, s.Seq, s.Flags = endB, 100, link.SYN
				table.Add(s, Mark{Number: i + 1, Nano: 1})
				s.Flags, s.Seq, s.Ack, s.Payload, s.Length = link.ACK|link.PSH, 101, 501, payload, len(payload)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				s := &segments[i*7919%conns]
				table.Add(s, Mark{Number: conns + i, Nano: int64(i)})
				s.Seq += 50
			}
		})
	}
}

// BenchmarkOutOfOrder swaps every two segments.
func BenchmarkOutOfOrder(b *testing.B) {
	var bytes counter
	table := NewTable(Options{Open: func(*Conn) Handler { return &bytes }})
	payload := make([]byte, 1000)
	s := link.Segment{Src: endA, Dst: endB, Seq: 100, Flags: link.SYN}
	table.Add(&s, Mark{Number: 1, Nano: 1})
	s.Flags, s.Payload, s.Length = link.ACK, payload, len(payload)
	b.ReportAllocs()
	for i := range b.N {
		s.Seq = 101 + 1000*uint32(i^1)
		table.Add(&s, Mark{Number: i + 2, Nano: int64(i)})
	}
}

// BenchmarkStorm opens and closes connections, seven packets each.
func BenchmarkStorm(b *testing.B) {
	var bytes counter
	table := NewTable(Options{Open: func(*Conn) Handler { return &bytes }})
	payload := make([]byte, 20)
	b.ReportAllocs()
	number := 0
	for i := range b.N {
		client := link.EndpointOf(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 20), byte(i >> 12), byte(i >> 4)}), uint16(50000+i&15)))
		add := func(src, dst link.Endpoint, seq, ack uint32, flags link.Flags, p []byte) {
			number++
			table.Add(&link.Segment{Src: src, Dst: dst, Seq: seq, Ack: ack, Flags: flags, Payload: p, Length: len(p)}, Mark{Number: number, Nano: int64(i) * 100_000})
		}
		add(client, endB, 100, 0, link.SYN, nil)
		add(endB, client, 500, 101, link.SYN|link.ACK, nil)
		add(client, endB, 101, 501, link.ACK, payload)
		add(endB, client, 501, 121, link.ACK, payload[:4])
		add(endB, client, 505, 121, link.FIN|link.ACK, nil)
		add(client, endB, 121, 506, link.FIN|link.ACK, nil)
		add(endB, client, 506, 122, link.ACK, nil)
	}
}

type counter int64

func (n *counter) Data(_ *Conn, _ Side, p []byte, _ Mark) { *n += counter(len(p)) }
func (n *counter) Gap(*Conn, Side, int64, bool, Mark)     {}
func (n *counter) End(*Conn)                              {}
