package analyze

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/mqttriage/mqttriage/decode"
	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// newFinding makes a finding of sessions in order of time, with the facts that
// every symptom shares. packets names the packets of a session that show it.
func newFinding(symptom string, severity Severity, b *broker, ss []*decode.Session, packets func(*decode.Session) []int) Finding {
	f := Finding{Symptom: symptom, Severity: severity, Broker: b.endpoint.String(), Sessions: len(ss)}
	ids, clients, codes, versions := map[string]bool{}, map[netip.Addr]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range ss {
		clients[s.Client.Addr()] = true
		if s.Connect != nil {
			if s.Connect.HasID() {
				ids[s.Connect.ClientID] = true
			}
			if v := s.Version(); v != mqtt.VersionUnknown {
				versions[v.String()] = true
			}
		}
		if s.Outcome == decode.Rejected {
			codes[mqtt.FormatCode(s.Connack.Code)] = true
		}
		if len(f.Evidence) < MaxEvidence {
			f.Evidence = append(f.Evidence, Evidence{Session: s, Packets: seen(packets(s)...)})
		}
		if first := s.Opened.Time(); f.First.IsZero() || first.Before(f.First) {
			f.First = first
		}
		if last := cmp.Or(s.Closed, s.Last).Time(); last.After(f.Last) {
			f.Last = last
		}
	}
	f.ClientIDs, f.Codes, f.MQTTVersions = sorted(ids), sorted(codes), sorted(versions)
	for _, addr := range sortedAddrs(clients) {
		f.Clients = append(f.Clients, addr.String())
	}
	measureConnect(&f.Facts, ss)
	measureAnswer(&f.Facts, ss)
	measureBroker(&f.Facts, b, ss)
	measureRetries(&f.Facts, b, ss)
	measureTLS(&f.Facts, ss)
	measureWorked(&f.Facts, b, ss)
	measureProducts(&f.Facts, b, ss)
	f.Facts.Addresses.Set(len(clients))
	f.Facts.Port.Set(int(b.endpoint.Port()))
	return f
}

// seen returns the packet numbers that are not 0, ascending, each once.
func seen(packets ...int) []int {
	packets = slices.DeleteFunc(packets, func(p int) bool { return p == 0 })
	slices.Sort(packets)
	return slices.Compact(packets)
}

func sorted(set map[string]bool) []string {
	list := []string{}
	for s := range set {
		list = append(list, s)
	}
	slices.Sort(list)
	return list
}

func sortedAddrs(set map[netip.Addr]bool) []netip.Addr {
	var list []netip.Addr
	for a := range set {
		list = append(list, a)
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return list
}

// same sets a fact if every session agrees on it.
func same[T interface {
	comparable
	bool | int | float64 | string
}](f *Fact[T], ss []*decode.Session, value func(*decode.Session) (T, bool)) {
	var have T
	known := false
	for _, s := range ss {
		v, ok := value(s)
		if !ok {
			continue
		}
		if known && v != have {
			return
		}
		have, known = v, true
	}
	if known {
		f.Set(have)
	}
}

// ofConnect adapts a question about a CONNECT to sessions, which may lack one.
func ofConnect[T any](ask func(*mqtt.Connect) T) func(*decode.Session) (T, bool) {
	return func(s *decode.Session) (T, bool) {
		if s.Connect == nil {
			var none T
			return none, false
		}
		return ask(s.Connect), true
	}
}

func measureConnect(f *Facts, ss []*decode.Session) {
	connects, longest, length := 0, 0, 0
	ids := map[string]bool{}
	chars := ""
	for _, s := range ss {
		if s.Connect == nil {
			continue
		}
		connects++
		longest = max(longest, len(s.Connect.ClientID))
		length = max(length, s.Connect.Length)
		chars = max(chars, idChars(s.Connect.ClientID))
		if s.Connect.ClientID != "" {
			ids[s.Connect.ClientID] = true
		}
		if p, bad := s.Connect.Malformed(); bad {
			if _, known := f.ConnectProblem.Get(); !known {
				f.ConnectProblem.Set(p.ID, s.ConnectAt.Packet)
				f.ConnectClause.Set(p.Clause, s.ConnectAt.Packet)
			}
			f.Malformed.Set(true, s.ConnectAt.Packet)
		}
	}
	f.Connects.Set(connects)
	if connects == 0 {
		return
	}
	f.ClientIDs.Set(len(ids))
	f.ClientIDLength.Set(longest)
	f.ConnectLength.Set(length)
	if len(ids) > 0 {
		_, class, _ := strings.Cut(chars, " ")
		f.ClientIDChars.Set(class)
	}
	if _, bad := f.Malformed.Get(); !bad {
		f.Malformed.Set(false)
	}
	same(&f.ClientIDEmpty, ss, func(s *decode.Session) (bool, bool) {
		return s.Connect != nil && s.Connect.ClientID == "", s.Connect != nil && s.Connect.HasID()
	})
	same(&f.CleanStart, ss, ofConnect(func(c *mqtt.Connect) bool { return c.CleanStart }))
	same(&f.KeepAliveS, ss, ofConnect(func(c *mqtt.Connect) int { return int(c.KeepAlive) }))
	same(&f.Username, ss, ofConnect(func(c *mqtt.Connect) bool { return c.Username }))
	same(&f.Password, ss, ofConnect(func(c *mqtt.Connect) bool { return c.Password }))
	same(&f.Will, ss, ofConnect(func(c *mqtt.Connect) bool { return c.Will }))
	same(&f.AuthMethod, ss, ofConnect(func(c *mqtt.Connect) bool { return c.AuthMethod != "" }))
	if will, _ := f.Will.Get(); will {
		same(&f.WillRetain, ss, ofConnect(func(c *mqtt.Connect) bool { return c.WillRetain }))
		same(&f.WillQoS, ss, ofConnect(func(c *mqtt.Connect) int { return int(c.WillQoS) }))
	}
	same(&f.MQTTVersion, ss, ofConnect(func(c *mqtt.Connect) string { return c.Version.String() }))
	if v, _ := f.MQTTVersion.Get(); v == "" {
		f.MQTTVersion = Fact[string]{} // the level means no version
	}
}

// idChars classes a client ID's characters, the most unusual class winning by
// its number.
func idChars(id string) string {
	class := "0 alnum"
	for _, r := range id {
		switch {
		case r > '~' || r < ' ':
			return "3 other"
		case strings.ContainsRune(".*> ", r):
			class = "2 nats"
		case (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z'):
			class = max(class, "1 punct")
		}
	}
	return class
}

func measureAnswer(f *Facts, ss []*decode.Session) {
	same(&f.Code, ss, func(s *decode.Session) (int, bool) {
		if s.Connack == nil {
			return 0, false
		}
		return int(s.Connack.Code), true
	})
	same(&f.ConnackVersion, ss, func(s *decode.Session) (string, bool) {
		if s.Connack == nil {
			return "", false
		}
		return s.Connack.Version.String(), true
	})
	same(&f.CloseKind, ss, func(s *decode.Session) (string, bool) {
		return string(s.Close), s.ClosedBy == decode.Broker
	})
	same(&f.ClosedByBroker, ss, func(s *decode.Session) (bool, bool) {
		return s.BrokerClosed.Seen(), s.Connack != nil && s.Connack.Code != 0
	})
	same(&f.ConnectSent, ss, func(s *decode.Session) (bool, bool) {
		// Behind TLS it does not show.
		return s.ConnectAt.Seen() && (!s.Closed.Seen() || s.ConnectAt.Packet < s.Closed.Packet), s.SynAck.Seen() && s.TLS == nil
	})
	same(&f.ConnectAcked, ss, func(s *decode.Session) (bool, bool) { return s.ConnectAcked, s.Connect != nil })
	same(&f.FirstPacket, ss, func(s *decode.Session) (string, bool) {
		return s.FirstPacket.String(), s.FirstPacket != 0 && s.FirstPacket != mqtt.TypeConnect
	})
	var latencies, closes, gaveUp, waited []float64
	partial, late, present := 0, 0, []int(nil)
	connacks := 0
	for _, s := range ss {
		if s.Connack != nil {
			connacks++
			if s.ConnectAt.Seen() && s.ConnectAt.Before(s.ConnackAt) {
				latencies = append(latencies, ms(s.ConnackAt.Sub(s.ConnectAt)))
			}
			if s.Connack.SessionPresent {
				present = append(present, s.ConnackAt.Packet)
			}
			first(&f.Reason, s.Connack.Reason, s.ConnackAt)
			first(&f.ServerReference, s.Connack.ServerReference, s.ConnackAt)
			if k := s.Connack.ServerKeepAlive; k != nil {
				f.ServerKeepAliveS.Set(int(*k), s.ConnackAt.Packet)
			}
		}
		if s.Disconnect != nil && s.DisconnectBy == decode.Broker {
			first(&f.Reason, s.Disconnect.Reason, s.DisconnectAt)
			first(&f.ServerReference, s.Disconnect.ServerReference, s.DisconnectAt)
		}
		if s.Has(decode.NoteLateConnack) {
			late++
		}
		if s.ConnectWant > 0 {
			partial++
		}
		asked := cmp.Or(s.ConnectAt, s.SynAck)
		if s.Connack == nil && asked.Seen() {
			switch s.ClosedBy {
			case decode.Broker:
				closes = append(closes, ms(max(0, s.Closed.Sub(min2(asked, s.Closed)))))
			case decode.Client:
				gaveUp = append(gaveUp, ms(s.Closed.Sub(asked)))
			}
			end := cmp.Or(s.Closed, s.CaptureEnd)
			waited = append(waited, ms(end.Sub(min2(asked, end))))
		}
		if s.Auth != nil && s.Auth.Code == authContinue && s.Connack == nil {
			f.AuthPending.Set(true)
		}
	}
	if connacks > 0 {
		f.SessionPresent.Set(len(present) > 0, present...)
	}
	if len(latencies) > 0 {
		f.ConnackMedianMS.Set(median(latencies))
		f.ConnackMS.Set(slices.Max(latencies))
	}
	if len(closes) > 0 {
		f.CloseDelayMS.Set(median(closes))
	}
	if len(gaveUp) > 0 {
		f.ClientGaveUpMS.Set(median(gaveUp))
	}
	if len(waited) > 0 {
		f.WaitedMS.Set(slices.Max(waited))
	}
	f.LateConnacks.Set(late)
	f.ConnectPartial.Set(partial)
}

// authContinue is the reason code of an AUTH that asks for another (MQTT 5,
// section 3.15.2.1).
const authContinue = 0x18

// first sets a text fact from the first session that has it.
func first(f *Fact[string], text string, at decode.Event) {
	if _, known := f.Get(); !known && text != "" {
		f.Set(text, at.Packet)
	}
}

// min2 is the earlier of two events.
func min2(x, y decode.Event) decode.Event {
	if x.Nano < y.Nano {
		return x
	}
	return y
}

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

// maxPackets caps the packet numbers kept with a fact.
const maxPackets = 50

func clip(packets []int) []int { return packets[:min(len(packets), maxPackets)] }

// measureRetries looks at each failed session's next attempt by the same
// client.
func measureRetries(f *Facts, b *broker, ss []*decode.Session) {
	var retries, unchanged, newID, clean, keepAlive, down, dropped, added []int
	compared := 0
	var intervals []float64
	var span float64
	starts := map[netip.Addr]decode.Event{}
	for _, s := range ss {
		if !failed(s) {
			continue
		}
		if _, known := starts[s.Client.Addr()]; !known {
			starts[s.Client.Addr()] = s.Opened
		}
		n := b.next(s)
		if n == nil {
			continue
		}
		at := cmp.Or(n.ConnectAt, n.Opened)
		retries = append(retries, at.Packet)
		intervals = append(intervals, seconds(n.Opened.Sub(s.Opened)))
		span = max(span, seconds(n.Opened.Sub(starts[s.Client.Addr()])))
		if s.Connect == nil || n.Connect == nil {
			continue
		}
		compared++
		x, y := s.Connect, n.Connect
		if x.Tag == y.Tag {
			unchanged = append(unchanged, at.Packet)
			continue
		}
		note := func(list *[]int, changed bool) {
			if changed {
				*list = append(*list, at.Packet)
			}
		}
		note(&down, y.Version != mqtt.VersionUnknown && y.Version < x.Version)
		if accepted(n) {
			continue // what worked is no dead end
		}
		note(&newID, x.ClientID != y.ClientID)
		note(&clean, x.CleanStart != y.CleanStart)
		note(&keepAlive, x.KeepAlive != y.KeepAlive)
		note(&dropped, x.Username && !y.Username || x.Password && !y.Password)
		note(&added, !x.Username && y.Username || !x.Password && y.Password)
	}
	f.Retries.Set(len(retries), clip(retries)...)
	for _, c := range []struct {
		fact    *Fact[int]
		packets []int
	}{
		{&f.RetriesUnchanged, unchanged}, {&f.RetriesNewID, newID},
		{&f.RetriesCleanStart, clean}, {&f.RetriesKeepAlive, keepAlive}, {&f.RetriesDowngraded, down},
		{&f.RetriesCredsDropped, dropped}, {&f.RetriesCredsAdded, added},
	} {
		// Retries without a CONNECT in sight, as behind TLS, say nothing.
		if compared > 0 || len(retries) == 0 {
			c.fact.Set(len(c.packets), clip(c.packets)...)
		}
	}
	if len(retries) == 0 {
		return
	}
	f.RetrySpanS.Set(span)
	if len(intervals) >= 3 {
		f.RetryBackoff.Set(backsOff(intervals))
	}
	f.RetryIntervalS.Set(median(intervals))
}

// backsOff reports that intervals grow: the last third is at least half as
// long again as the first.
func backsOff(intervals []float64) bool {
	third := max(1, len(intervals)/3)
	mean := func(v []float64) (sum float64) {
		for _, x := range v {
			sum += x
		}
		return sum / float64(len(v))
	}
	return mean(intervals[len(intervals)-third:]) >= 1.5*mean(intervals[:third])
}

// String describes the finding in one line, for tests and logs.
func (f Finding) String() string {
	return fmt.Sprintf("%s %s at %s: %d sessions, %q", f.Severity, f.Symptom, f.Broker, f.Sessions, f.ClientIDs)
}
