package decode

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/mqttriage/mqttriage/decode/link"
	"github.com/mqttriage/mqttriage/decode/tcp"
)

// TestHeld sends the larger part of a large CONNECT on ever more connections: what
// is held stays in bounds, and each client ID is read all the same.
func TestHeld(t *testing.T) {
	const connections = 3000
	ids, oversize := map[string]bool{}, 0
	d := New(Options{}, func(s *Session) {
		if s.Connect != nil {
			ids[s.Connect.ClientID] = true
			if s.Connect.Incomplete {
				oversize++
			}
		}
	})
	broker := link.EndpointOf(netip.MustParseAddrPort("192.0.2.1:1883"))
	will := strings.Repeat("w", 50_000)
	send := func(i int, seq uint32, payload string) {
		f := frame{at: tcp.Mark{Number: i + 1, Nano: 1e18}, reason: link.OK}
		client := link.EndpointOf(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 50000))
		f.segment = link.Segment{Src: client, Dst: broker, Seq: seq, Flags: link.ACK, Payload: []byte(payload), Length: len(payload), ID: uint16(i)}
		f.hash = d.table.Hash(&f.segment)
		d.follow(&f, tcp.Place{})
		if d.held > maxHeld+connections*256 {
			t.Fatalf("%d bytes are held", d.held)
		}
	}
	parts := func(i int) (first, second string) {
		id := fmt.Sprintf("client-%04d", i)
		body := "\x00\x04MQTT\x04\x06\x00\x3c\x00\x0b" + id + "\x00\x01t" + string([]byte{byte(len(will) >> 8), byte(len(will) & 0xff)}) + will
		length := len(body)
		whole := "\x10" + string([]byte{byte(length&0x7f | 0x80), byte(length>>7&0x7f | 0x80), byte(length >> 14)}) + body
		return whole[:40_000], whole[40_000:]
	}
	for i := range connections {
		first, _ := parts(i)
		send(i, 1, first)
	}
	for i := range connections {
		_, second := parts(i)
		send(i, 1+40_000, second)
	}
	d.Close()
	if len(ids) != connections || oversize == 0 || oversize == connections {
		t.Errorf("%d client IDs of %d connections, %d of CONNECTs cut short", len(ids), connections, oversize)
	}
	if d.held != 0 {
		t.Errorf("%d bytes are still counted", d.held)
	}
}
