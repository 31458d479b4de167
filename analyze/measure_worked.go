package analyze

import (
	"cmp"

	"github.com/mqttriage/mqttriage/decode"
)

// measureWorked looks for clients of the finding that were let in later, and
// says what was different then: what a client tried and what worked is the
// best fix there is.
func measureWorked(f *Facts, b *broker, ss []*session) {
	change := ""
	var packets, ports []int
	// The first hundred tell enough.
	for _, s := range ss[:min(len(ss), 5*MaxEvidence)] {
		if !s.is(failed) {
			continue
		}
		if n := b.elsewhere(s); n != nil {
			ports = append(ports, either(&n.ConnectAt, &n.Opened).Packet)
			if n.is(accepted) {
				change, packets = merge(change, "port"), append(packets, n.ConnackAt.Packet)
			}
		}
		if n := b.next(s); n != nil && n.is(accepted) && !n.Has(decode.NoteLateConnack) {
			if what := difference(s, n); what != "" {
				change, packets = merge(change, what), append(packets, n.ConnackAt.Packet)
			}
		}
	}
	f.RetriesPort.Set(len(ports), clip(ports)...)
	if change != "" {
		f.WorkedChange.Set(change, clip(seen(packets...))...)
	}
}

func merge(have, what string) string {
	if have == "" || have == what {
		return what
	}
	return "several"
}

// difference names what the CONNECT that was let in had different.
func difference(s, n *session) string {
	if s.Connect == nil || n.Connect == nil || !s.Connect.HasID() {
		return ""
	}
	x, y := s.Connect, n.Connect
	if x.Tag == y.Tag {
		return "nothing"
	}
	what := ""
	note := func(name string, changed bool) {
		if changed {
			what = merge(what, name)
		}
	}
	note("client-id", x.ClientID != y.ClientID)
	note("clean-start", x.CleanStart != y.CleanStart)
	note("keep-alive", x.KeepAlive != y.KeepAlive)
	note("version", x.Level != y.Level || x.Name != y.Name)
	note("will", x.Will != y.Will || x.WillQoS != y.WillQoS || x.WillRetain != y.WillRetain)
	note("credentials", x.Username != y.Username || x.Password != y.Password || x.UserTag != y.UserTag)
	if what == "" && y.Password {
		// All that is visible is the same and the packet is not: the password.
		what = "credentials"
	}
	return cmp.Or(what, "several")
}
