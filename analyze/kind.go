package analyze

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	"github.com/mqttriage/mqttriage/decode/mqtt"
)

// lineKey is what makes a finding the same one in the next analysis.
type lineKey struct {
	rule   int
	broker netip.AddrPort
	// kind is the draft's; twin tells apart those of one kind in one analysis. rest says
	// that the line has those for whose own there was no room, of all brokers where it
	// names none.
	kind string
	twin int
	rest bool
}

func compareKeys(x, y lineKey) int {
	if x.rest != y.rest {
		if y.rest {
			return -1
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(x.rule, y.rule), x.broker.Compare(y.broker), cmp.Compare(x.kind, y.kind), cmp.Compare(x.twin, y.twin),
	)
}

// key is what a draft's line is found by, if it is the only one of its kind.
func (d *draft) key() lineKey {
	return lineKey{rule: d.rule, broker: d.broker.endpoint, kind: d.kind()}
}

// kind tells a finding from the others of its rule at one broker, where the rule makes
// several: it is the same for the same finding whatever other sessions there are.
func (d *draft) kind() string {
	first := d.sessions[0]
	switch rules[d.rule].symptom {
	case ClientIDTakeover:
		switch user := userOf(first); {
		case d.sameID():
			return first.Connect.ClientID
		case user != 0 && !slices.ContainsFunc(d.sessions, func(s *session) bool { return userOf(s) != user }):
			return "user " + strconv.FormatUint(uint64(user), 16)
		}
	case ClientIDShared, SessionFlapping:
		if d.sameID() {
			return first.Connect.ClientID
		}
	case TLSAlert:
		return first.TLS.Alert + " " + first.TLS.AlertBy.String()
	case MalformedConnect:
		return connectProblem(first)
	case IdentifierRejected:
		if first.Connect != nil && first.Connect.HasID() && first.Connect.ClientID == "" {
			return "empty"
		}
	case ConnackOther:
		return strconv.Itoa(int(first.Connack.Code))
	case ClosedBeforeConnack:
		return d.severity.String()
	}
	return ""
}

// sameID reports that all its sessions have one client ID.
func (d *draft) sameID() bool {
	id := d.sessions[0].id()
	return id != 0 && !slices.ContainsFunc(d.sessions, func(s *session) bool { return s.id() != id })
}

// userOf stands for the user name of a session, 0 for none.
func userOf(s *session) mqtt.Tag {
	if s.Connect == nil {
		return 0
	}
	return s.Connect.UserTag
}

// lost is the trait of those of its sessions that others took over, 0 where the symptom is
// another. A session that took one over may be lost too, but by what another draft tells:
// only those of one client ID are ousted.
func (d *draft) lost() traits {
	switch {
	case rules[d.rule].symptom != ClientIDTakeover:
		return 0
	case d.sameID() && slices.ContainsFunc(d.sessions, func(s *session) bool { return s.is(ousted) }):
		return ousted
	}
	return taken
}

// ruleSet is a set of rules by their numbers.
type ruleSet uint32

func (s *ruleSet) add(rule int)     { *s |= 1 << rule }
func (s ruleSet) has(rule int) bool { return s>>rule&1 != 0 }
