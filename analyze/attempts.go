package analyze

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/mqttriage/mqttriage/decode"
)

// retryWindow is how long after a failure a client's next attempt still counts
// as a retry: the longest default backoff among common clients is 120 s (Paho
// Python, HiveMQ), doubled for the time an attempt itself takes.
const retryWindow = 4 * time.Minute

// next returns the client's next attempt at this broker after s ended, within
// retryWindow: the same address and client ID if there is such an attempt,
// else the address's next one if that looks like the same device.
func (b *broker) next(s *session) *session {
	if n := after(b.behind(byID, s), s); n != nil {
		return n
	}
	n := after(b.behind(byClient, s), s)
	if n == nil || !sameDevice(s.Session, n.Session) {
		return nil
	}
	return n
}

// after returns the first of the sessions, which are in order of time, that
// the client of s opened after s had ended.
func after(sessions []*session, s *session) *session {
	if len(sessions) == 0 {
		return nil
	}
	i := 0
	if sessions[0].opened <= s.opened {
		i, _ = slices.BinarySearchFunc(sessions, s.opened+1, func(o *session, nano int64) int { return cmp.Compare(o.opened, nano) })
	}
	// Where so many attempts of others lie between, "next" means nothing.
	for _, o := range sessions[i:min(len(sessions), i+64)] {
		if o.opened-s.opened > int64(retryWindow) {
			return nil
		}
		if o.client() == s.client() && (!s.Closed.Seen() || o.opened >= s.Closed.Nano) {
			return o
		}
	}
	return nil
}

// maxSiblings is at how many other endpoints of a host a client's next attempt is
// looked for: brokers have a handful, and a host that shows more is scanned.
const maxSiblings = 64

// elsewhere returns the client's next attempt, if that went to another port of
// the same host.
func (b *broker) elsewhere(s *session) *session {
	var first *session
	for _, other := range b.host[:min(len(b.host), maxSiblings+1)] {
		if other == b {
			continue
		}
		if n := after(other.with(byClient, s.client()), s); n != nil && (first == nil || n.opened < first.opened) {
			first = n
		}
	}
	if first == nil {
		return nil
	}
	if n := b.next(s); n != nil && n.opened <= first.opened {
		return nil
	}
	return first
}

// sameDevice tells a client that changed its ID from another device behind the
// same address. It is the same where an ID was missing and where the IDs look
// drawn at random.
func sameDevice(s, n *decode.Session) bool {
	if s.Connect == nil || n.Connect == nil || s.Connect.ClientID == "" || n.Connect.ClientID == s.Connect.ClientID {
		return true
	}
	return drawnAtRandom(s.Connect.ClientID, n.Connect.ClientID)
}

// randomPart is how many characters two IDs must differ in at their end to
// look random: serial numbers of neighbours differ in fewer.
const randomPart = 6

// drawnAtRandom reports that two IDs are alike but for a long part at the end
// that has letters and digits mixed.
func drawnAtRandom(x, y string) bool {
	if len(x) != len(y) {
		return false
	}
	common := 0
	for common < len(x) && x[common] == y[common] {
		common++
	}
	mixed := func(s string) bool {
		return strings.ContainsAny(s, "0123456789") && strings.IndexFunc(s, func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' }) >= 0
	}
	return len(x)-common >= randomPart && mixed(x[common:]) && mixed(y[common:])
}
