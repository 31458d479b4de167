package analyze

import (
	"slices"
	"strconv"
)

// kind tells a finding from the others of its rule at one broker, where the rule makes
// several: it is the same for the same finding whatever other sessions there are.
func (d *draft) kind() string {
	first := d.sessions[0]
	switch rules[d.rule].symptom {
	case ClientIDTakeover, ClientIDShared, SessionFlapping:
		if hasID(first.Session) && !slices.ContainsFunc(d.sessions, func(s *session) bool { return s.id() != first.id() }) {
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
