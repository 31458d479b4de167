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

// measureConnect says what the CONNECTs have in common.
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

// measureAnswer says what came back, when, and how it ended.
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
		return s.Close.String(), s.ClosedBy == decode.Broker
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
		if s.Rare().ConnectWant > 0 {
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
		if s.AuthPending && s.Connack == nil {
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

// String describes the finding in one line, for tests and logs.
func (f Finding) String() string {
	return fmt.Sprintf("%s %s at %s: %d sessions, %q", f.Severity, f.Symptom, f.Broker, f.Sessions, f.ClientIDs)
}
