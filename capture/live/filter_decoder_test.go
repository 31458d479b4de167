package live_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/mqttriage/mqttriage/capture"
	"github.com/mqttriage/mqttriage/capture/live"
	"github.com/mqttriage/mqttriage/decode/link"
)

// packetOf is a sample as the decoder takes it.
func packetOf(s sample) capture.Packet {
	p := capture.Packet{Number: 1, Nano: 1, Link: capture.LinkEN10MB, Length: len(s.frame), Data: s.frame}
	if s.start == live.StartIP {
		p.Link = capture.LinkRaw
	}
	return p
}

// Why the filter misses a segment that the decoder reads.
const (
	missedTunnel = "in a tunnel"
	missedTags   = "behind three tags"
	missedSNAP   = "behind SNAP"
	missedMPLS   = "behind MPLS"
	missedPPP    = "behind a compressed PPP header"
	missedChain  = "behind five extension headers"
)

// missed is why, or empty where the filter must not miss it: the document comment of Filter
// lists the reasons.
func missed(s sample) string {
	p := packetOf(s)
	ips := 0
	for _, l := range link.Layers(&p, nil) {
		switch l.Kind {
		case link.LayerIPv4, link.LayerIPv6:
			ips++
		case link.LayerUDP:
			return missedTunnel
		}
	}
	if ips > 1 {
		return missedTunnel
	}
	if _, features := asks(live.Filter{}, s); features[isLongChain] {
		return missedChain
	}
	if s.start == live.StartIP {
		return ""
	}
	tags := 0
	for at := 12; at+4 <= len(s.frame); at += 4 {
		t := binary.BigEndian.Uint16(s.frame[at:])
		if slices.Contains([]uint16{typeVLAN, typeQinQ, typeOldQinQ}, t) {
			tags++
			continue
		}
		switch {
		case t < 0x600:
			return missedSNAP
		case t == 0x8847:
			return missedMPLS
		case tags > 2:
			return missedTags
		case t == typePPPoE && s.frame[at+8]&1 != 0, t == typePPPoE && s.frame[at+8] == 0xff:
			return missedPPP
		}
		break
	}
	return ""
}

// TestFilterMissesNothing holds the filter to the decoder: what that reads as TCP right on
// IP passes.
func TestFilterMissesNothing(t *testing.T) {
	vms := [...]*bpf.VM{machine(t, live.Filter{}, live.StartEthernet), machine(t, live.Filter{}, live.StartIP)}
	segments, reasons := 0, map[string]int{}
	for _, s := range allSamples(t) {
		var segment link.Segment
		p := packetOf(s)
		if link.NewDecoder().Decode(&p, &segment) != link.OK {
			continue
		}
		segments++
		if passes(t, vms[s.start], s.frame) {
			continue
		}
		why := missed(s)
		if why == "" {
			t.Fatalf("missed: start %d, %x", s.start, s.frame)
		}
		reasons[why]++
	}
	t.Logf("%d segments; missed: %v", segments, reasons)
	if segments < 10000 {
		t.Errorf("only %d segments", segments)
	}
	for _, why := range []string{missedTags, missedSNAP, missedMPLS, missedPPP, missedChain} {
		if reasons[why] == 0 {
			t.Errorf("no segment was missed %s: does the document comment still hold?", why)
		}
	}
}

// TestFilterOfFragments holds that every fragment passes of which a segment is made, whatever is
// asked that it can show.
func TestFilterOfFragments(t *testing.T) {
	connect := []byte("\x10\x20\x00\x04MQTT\x04\x02\x00\x3c\x00\x14abcdefghijklmnopqrst")
	segment := tcpHeader(50000, 1883, psh|ack, 3, connect...)
	options := behindExtension(6, 0, segment)
	for _, test := range []struct {
		name  string
		whole []byte
		piece func(offset int, more bool, b []byte) []byte
	}{
		{"IPv4", segment, func(offset int, more bool, b []byte) []byte {
			f := uint16(offset / 8)
			if more {
				f |= 0x2000
			}
			return onEthernet(inIPv4(header4{src: client4, dst: broker4, protocol: 6, fragment: f}, b), typeVLAN, typeIPv4)
		}},
		{"IPv6", segment, func(offset int, more bool, b []byte) []byte {
			return onEthernet(inIPv6(client6, broker6, 44, behindFragment(6, uint16(offset/8), more, b)), typeIPv6)
		}},
		{"IPv6, options within", options, func(offset int, more bool, b []byte) []byte {
			return onEthernet(inIPv6(client6, broker6, 0, behindExtension(44, 0, behindFragment(60, uint16(offset/8), more, b))), typeIPv6)
		}},
	} {
		whole := test.whole
		for _, f := range []live.Filter{{}, filters["port and host"], filters["lean and port, net"]} {
			vm := machine(t, f, live.StartEthernet)
			decoder := link.NewDecoder()
			var s link.Segment
			last := link.NotTCP
			for at := 0; at < len(whole); at += 16 {
				frame := test.piece(at, at+16 < len(whole), whole[at:min(at+16, len(whole))])
				if !passes(t, vm, frame) {
					t.Errorf("%s: %+v stops the piece at %d", test.name, f, at)
					continue
				}
				p := packetOf(sample{live.StartEthernet, frame})
				last = decoder.Decode(&p, &s)
			}
			if last != link.OK || string(s.Payload) != string(connect) {
				t.Errorf("%s: the pieces made %v, %q", test.name, last, s.Payload)
			}
		}
	}
}
