package analyze

import (
	"net/netip"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// measureBroker says what else the broker did in the captures: whom it let in,
// with what, and what of it concerns the finding's clients.
func measureBroker(f *Facts, b *broker, ss []*decode.Session) {
	mine := map[*decode.Session]bool{}
	type client struct {
		addr netip.Addr
		id   string
	}
	key := func(s *decode.Session) client {
		c := client{addr: s.Client.Addr()}
		if s.Connect != nil {
			c.id = s.Connect.ClientID
		}
		return c
	}
	users := map[mqtt.Tag]bool{}
	firstFailure, lastFailure := map[client]decode.Event{}, map[client]decode.Event{}
	open, inUse, ids := 0, false, 0
	for i, s := range ss {
		mine[s] = true
		if s.Connect != nil && s.Connect.UserTag != 0 {
			users[s.Connect.UserTag] = true
		}
		if i < MaxEvidence && failed(s) && s.Connect != nil && s.Connect.ClientID != "" {
			ids++
			inUse = inUse || b.openAt(b.byID[s.Connect.ClientID], s) > 0
		}
		if _, known := firstFailure[key(s)]; !known {
			firstFailure[key(s)] = s.Opened
		}
		lastFailure[key(s)] = s.Opened
		if i < MaxEvidence {
			open = max(open, b.openAt(b.sessions, s))
		}
	}
	accepts, keepAlive, unlimited := 0, -1, false
	anonymous, known := false, false
	var before, later []int
	for _, s := range b.sessions {
		if !accepted(s) || mine[s] {
			continue
		}
		accepts++
		if s.Connect != nil {
			anonymous = anonymous || !s.Connect.Username
			known = known || users[s.Connect.UserTag]
		}
		if s.Connect != nil {
			keepAlive = max(keepAlive, int(s.Connect.KeepAlive))
			unlimited = unlimited || s.Connect.KeepAlive == 0
		}
		at, failedHere := lastFailure[key(s)]
		if !failedHere {
			// Of an empty ID only the address is left to go by.
			at, failedHere = lastFailure[client{addr: s.Client.Addr()}]
		}
		if failedHere && s.Opened.Nano > at.Nano {
			later = append(later, s.ConnackAt.Packet)
		}
		if at, known := firstFailure[key(s)]; known && s.Opened.Nano < at.Nano {
			before = append(before, s.ConnackAt.Packet)
		}
	}
	f.BrokerSessions.Set(len(b.sessions))
	f.BrokerAccepted.Set(accepts)
	f.AnonymousAccepted.Set(anonymous)
	if len(users) > 0 {
		f.UserAccepted.Set(known)
	}
	f.OpenSessions.Set(open)
	if ids > 0 {
		f.ClientIDOpen.Set(inUse)
	}
	switch {
	case unlimited:
		f.AcceptedKeepAliveS.Set(0)
	case keepAlive >= 0:
		f.AcceptedKeepAliveS.Set(keepAlive)
	}
	f.AcceptedBefore.Set(len(before) > 0, clip(before)...)
	f.AcceptedLater.Set(len(later) > 0, clip(later)...)
}

// measureProducts says which broker and client this looks like.
func measureProducts(f *Facts, b *broker, ss []*decode.Session) {
	if b.what.Vendor != "" {
		f.BrokerVendor.Set(b.what.Vendor, seen(b.what.Packet)...)
		f.BrokerBasis.Set(string(b.what.Basis))
	}
	if b.what.Version != "" {
		f.BrokerVersion.Set(b.what.Version)
	}
	if library := b.clientLibrary(ss); library != "" {
		f.ClientLibrary.Set(library)
	}
	for _, s := range b.sessions {
		if s.Connack != nil && s.Connack.Version == mqtt.V5 && s.Version() == mqtt.V5 {
			f.BrokerSpeaks5.Set(true, s.ConnackAt.Packet)
			break
		}
	}
}
