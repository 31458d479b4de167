//go:build live && linux

package e2e

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// scenario is what clients do, and what is to be reported of it.
type scenario struct {
	name string
	play func(*lab) error
	// symptom is what is reported, "" for nothing; sessions is how many sessions show
	// it. Besides are symptoms that the same packets show too, with their sessions.
	symptom  string
	sessions int
	besides  map[string]int
	// twice allows two lines for one thing.
	twice bool
	// names is a client ID or an address that the report names.
	names string
	// tells picks the packet from which on it can be known. Without it the time that
	// the report takes is not measured: silence has no packet.
	tells func(from netip.Addr, seen []segment) (time.Time, bool)
	// accepted and so on are what it adds to the totals.
	accepted, rejected, refused, unanswered, tlsFailed int
}

// good are the flags of a Paho client that the broker knows.
func good(id string, more ...string) []string {
	return append([]string{"--id", id, "--user", goodUser, "--password", goodPassword}, more...)
}

func bad(id string, more ...string) []string {
	return append([]string{"--id", id, "--user", goodUser, "--password", wrongPassword}, more...)
}

var scenarios = []scenario{
	{
		name: "accepted, Paho 3.1.1 and 5, and mosquitto_pub", accepted: 3,
		play: func(l *lab) error {
			for _, version := range []string{"4", "5"} {
				c := l.paho(l.clients[0], good("quiet-"+version, "--version", version, "--publish", "3")...)
				c.happened("connack", 1)
				c.leave()
			}
			out, err := l.mosquittoPub("quiet-pub", goodPassword)
			if err != nil {
				return fmt.Errorf("mosquitto_pub: %w: %s", err, out)
			}
			return nil
		},
	},
	{
		name: "wrong password, Paho 3.1.1", names: "wrong-4", symptom: "not-authorized", sessions: 1, rejected: 1, tells: connackRefuses,
		play: func(l *lab) error { return turnedAway(l, bad("wrong-4")...) },
	},
	{
		name: "wrong password, Paho 5", names: "wrong-5", symptom: "not-authorized", sessions: 1, rejected: 1, tells: connackRefuses,
		play: func(l *lab) error { return turnedAway(l, bad("wrong-5", "--version", "5")...) },
	},
	{
		name: "wrong password, mosquitto_pub", names: "wrong-pub", symptom: "not-authorized", sessions: 1, rejected: 1, tells: connackRefuses,
		play: func(l *lab) error { return mustFail(l.mosquittoPub("wrong-pub", wrongPassword)) },
	},
	{
		name: "empty client ID, clean session off", symptom: "identifier-rejected", sessions: 1, rejected: 1, tells: connackRefuses,
		play: func(l *lab) error {
			// Paho refuses to ask for it, and so the packet is made by hand.
			return l.knock(netip.AddrPortFrom(l.brokerAt, plainPort), 5*time.Second, []byte("\x10\x0c\x00\x04MQTT\x04\x00\x00\x3c\x00\x00"))
		},
	},
	{
		name: "takeover by a second client", names: "twin", symptom: "client-id-takeover", sessions: 2, accepted: 2, tells: bothTold,
		play: func(l *lab) error {
			old := l.paho(l.clients[0], good("twin")...)
			old.happened("connack", 1)
			newer := l.paho(l.clients[1], good("twin")...)
			old.happened("disconnected", 1)
			newer.happened("connack", 1)
			newer.leave()
			return nil
		},
	},
	{
		// The broker tells the older client before it answers the newer one: that may be
		// told in two lines.
		name: "takeover in MQTT 5", twice: true, names: "twin-5", symptom: "client-id-takeover", sessions: 2, accepted: 2, tells: bothTold,
		play: func(l *lab) error {
			old := l.paho(l.clients[0], good("twin-5", "--version", "5")...)
			old.happened("connack", 1)
			newer := l.paho(l.clients[1], good("twin-5", "--version", "5")...)
			old.happened("disconnected", 1)
			newer.happened("connack", 1)
			newer.leave()
			return nil
		},
	},
	{
		name: "closed silently: too many connections", names: "standing", symptom: "closed-before-connack", sessions: 1, accepted: 1, unanswered: 1, tells: brokerCloses(fullPort),
		play: func(l *lab) error {
			first := l.paho(l.clients[0], good("seated", "--port", fmt.Sprint(fullPort))...)
			first.happened("connack", 1)
			second := l.paho(l.clients[1], good("standing", "--port", fmt.Sprint(fullPort))...)
			second.wait(20 * time.Second)
			first.leave()
			return nil
		},
	},
	{
		name: "closed silently: a null in the client ID", names: "nu", symptom: "closed-before-connack", sessions: 1, unanswered: 1, tells: brokerCloses(plainPort),
		besides: map[string]int{"malformed-connect": 1},
		play: func(l *lab) error {
			return l.knock(netip.AddrPortFrom(l.brokerAt, plainPort), 5*time.Second, []byte("\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04nu\x00l"))
		},
	},
	{
		name: "closed silently: a CONNECT that is too large", names: "large-xxx", symptom: "closed-before-connack", sessions: 1, unanswered: 1, tells: brokerCloses(smallPort),
		play: func(l *lab) error {
			id := "large-" + strings.Repeat("x", 2*smallPacket)
			err := l.knock(netip.AddrPortFrom(l.brokerAt, smallPort), 5*time.Second, longConnect(id))
			if errors.Is(err, syscall.ECONNRESET) {
				return nil // it closes with most of it unread
			}
			return err
		},
	},
	{
		name: "connection refused", symptom: "connection-refused", sessions: 1, refused: 1, tells: brokerCloses(plainPort),
		play: func(l *lab) error {
			err := l.knock(netip.AddrPortFrom(l.deaf, plainPort), 5*time.Second, nil)
			if !errors.Is(err, syscall.ECONNREFUSED) {
				return fmt.Errorf("the connection was not refused: %v", err)
			}
			return nil
		},
	},
	{
		name: "TLS alert: an authority that the client does not know", symptom: "tls-alert", sessions: 1, tlsFailed: 1, tells: tlsAlert,
		play: func(l *lab) error {
			return mustFail(l.mosquittoPub("tls-12", goodPassword, "-p", fmt.Sprint(tlsPort), "--cafile", l.stranger, "--tls-version", "tlsv1.2"))
		},
	},
	{
		name: "TLS with the right authority", accepted: 0,
		play: func(l *lab) error {
			c := l.paho(l.clients[0], good("sealed", "--port", fmt.Sprint(tlsPort), "--ca", l.authority, "--publish", "3")...)
			c.happened("connack", 1)
			c.leave()
			return nil
		},
	},
	{
		name: "takeover loop", names: "fight", symptom: "client-id-takeover", sessions: -1, tells: bothTold,
		play: func(l *lab) error {
			one := l.paho(l.clients[0], good("fight", "--reconnect", "1")...)
			one.happened("connack", 1)
			other := l.paho(l.clients[1], good("fight", "--reconnect", "1")...)
			one.happened("disconnected", 3)
			other.happened("disconnected", 2)
			one.leave()
			other.leave()
			return nil
		},
	},
	{
		name: "connection timeout", symptom: "connection-timeout", sessions: 1, refused: 1,
		play: func(l *lab) error {
			err := l.knock(netip.AddrPortFrom(l.nowhere, plainPort), 3500*time.Millisecond, nil)
			var late interface{ Timeout() bool }
			if !errors.As(err, &late) || !late.Timeout() {
				return fmt.Errorf("the connection did not time out: %v", err)
			}
			return nil
		},
	},
}

// turnedAway plays a Paho client that gets a CONNACK, and then is closed.
func turnedAway(l *lab, flags ...string) error {
	c := l.paho(l.clients[0], flags...)
	c.happened("connack", 1)
	c.wait(20 * time.Second)
	return nil
}

// longConnect is a CONNECT with an ID that makes it longer than 127 bytes.
func longConnect(id string) []byte {
	body := append([]byte("\x00\x04MQTT\x04\x02\x00\x3c"), byte(len(id)>>8), byte(len(id)))
	body = append(body, id...)
	return append([]byte{0x10, byte(len(body)) | 0x80, byte(len(body) >> 7)}, body...)
}

// connackRefuses picks the CONNACK with a code.
func connackRefuses(_ netip.Addr, seen []segment) (time.Time, bool) {
	for _, s := range seen {
		if s.from.Port() == plainPort && len(s.payload) >= 4 && s.payload[0] == 0x20 && s.payload[3] != 0 {
			return s.at, true
		}
	}
	return time.Time{}, false
}

// bothTold picks the packet that makes a takeover plain: the older session's end or
// the newer one's CONNACK, whichever comes later. Of several takeovers it is the
// last one.
func bothTold(_ netip.Addr, seen []segment) (time.Time, bool) {
	ends := map[netip.AddrPort]bool{}
	var closed, connack time.Time
	for _, s := range seen {
		if s.from.Port() != plainPort || ends[s.to] {
			continue
		}
		leaves := len(s.payload) > 0 && s.payload[0] == 0xE0
		switch {
		case leaves, s.fin, s.rst:
			// The broker's answer to a client that left is a FIN too, but later.
			ends[s.to] = true
			if !leftBefore(seen, s) {
				closed = s.at
			}
		case len(s.payload) >= 4 && s.payload[0] == 0x20:
			connack = s.at
		}
	}
	if closed.IsZero() || connack.IsZero() {
		return time.Time{}, false
	}
	if closed.After(connack) {
		return closed, true
	}
	return connack, true
}

// leftBefore reports that the client closed its side before the broker's segment.
func leftBefore(seen []segment, end segment) bool {
	for _, s := range seen {
		if s.at.Before(end.at) && s.from == end.to && s.to == end.from && (s.fin || s.rst || len(s.payload) > 0 && s.payload[0] == 0xE0) {
			return true
		}
	}
	return false
}

// brokerCloses picks the first segment with which a broker ends a connection of
// which it said nothing.
func brokerCloses(port uint16) func(netip.Addr, []segment) (time.Time, bool) {
	return func(_ netip.Addr, seen []segment) (time.Time, bool) {
		talked := map[netip.AddrPort]bool{}
		for _, s := range seen {
			if s.from.Port() != port {
				continue
			}
			if len(s.payload) > 0 {
				talked[s.to] = true
			}
			if (s.fin || s.rst) && !talked[s.to] {
				return s.at, true
			}
		}
		return time.Time{}, false
	}
}

// tlsAlert picks the first record of type alert (21) in clear.
func tlsAlert(_ netip.Addr, seen []segment) (time.Time, bool) {
	for _, s := range seen {
		if len(s.payload) >= 7 && s.payload[0] == 21 && s.payload[1] == 3 {
			return s.at, true
		}
	}
	return time.Time{}, false
}
